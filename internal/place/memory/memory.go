// Package memory is a place in memory: the model of what a place does, and what tests keep vaults in.
package memory

import (
	"bytes"
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/place"
)

// Place keeps objects in a map.
type Place struct {
	clock clock.Clock

	mu      sync.Mutex
	objects map[string]object
	leased  bool
}

type object struct {
	octets []byte // never changed, only appended to
	made   time.Time
}

var _ place.Place = (*Place)(nil)

// New returns an empty place.
func New(c clock.Clock) *Place { return &Place{clock: c, objects: map[string]object{}} }

// Put implements [place.Place].
func (p *Place) Put(ctx context.Context, name string, r io.Reader) error {
	if err := place.CheckName("Put", name, false); err != nil {
		return err
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if old, ok := p.objects[name]; ok {
		if bytes.Equal(old.octets, b) {
			return nil
		}
		return place.Err("Put", holdfast.Exists, name, "there is another object of this name; nothing is overwritten", nil)
	}
	p.objects[name] = object{b, p.clock.Now()}
	return nil
}

// Append implements [place.Place].
func (p *Place) Append(ctx context.Context, name string, at int64, b []byte) error {
	if err := place.CheckAppend(name, at, b); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	old, ok := p.objects[name]
	switch {
	case ok && at == 0:
		return place.Err("Append", holdfast.Exists, name, "there is an object of this name; nothing is overwritten", nil)
	case at != int64(len(old.octets)):
		return place.NotAtEnd(name, at, int64(len(old.octets)))
	case !ok:
		old.made = p.clock.Now()
	}
	old.octets = append(old.octets[:len(old.octets):len(old.octets)], b...)
	p.objects[name] = old
	return nil
}

func (p *Place) get(op, name string) (object, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o, ok := p.objects[name]
	if !ok {
		return o, place.Err(op, holdfast.NotFound, name, "there is no such object", nil)
	}
	return o, nil
}

// Get implements [place.Place].
func (p *Place) Get(ctx context.Context, name string, at, n int64) (io.ReadCloser, error) {
	o, err := p.get("Get", name)
	if err != nil {
		return nil, err
	}
	b := o.octets[min(at, int64(len(o.octets))):]
	if n >= 0 {
		b = b[:min(n, int64(len(b)))]
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// Stat implements [place.Place].
func (p *Place) Stat(ctx context.Context, name string) (place.Info, error) {
	o, err := p.get("Stat", name)
	return place.Info{Name: name, Size: int64(len(o.octets)), Made: o.made}, err
}

// List implements [place.Place].
func (p *Place) List(ctx context.Context, prefix, after string, fn func(place.Info) error) error {
	p.mu.Lock()
	all := maps.Clone(p.objects)
	p.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !strings.HasPrefix(name, prefix) || name <= after {
			continue
		}
		if err := fn(place.Info{Name: name, Size: int64(len(all[name].octets)), Made: all[name].made}); err != nil {
			return err
		}
	}
	return nil
}

// Remove implements [place.Place].
func (p *Place) Remove(ctx context.Context, name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.objects[name]; !ok {
		return place.Err("Remove", holdfast.NotFound, name, "there is no such object", nil)
	}
	delete(p.objects, name)
	return nil
}

// Now implements [place.Place].
func (p *Place) Now(context.Context) (time.Time, error) { return p.clock.Now().UTC(), nil }

// Lease implements [place.Leaser].
func (p *Place) Lease() (io.Closer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leased {
		return nil, place.Err("Lease", holdfast.Busy, "", "another writes there", nil)
	}
	p.leased = true
	return &lease{p: p}, nil
}

type lease struct {
	once sync.Once
	p    *Place
}

func (l *lease) Close() error {
	l.once.Do(func() {
		l.p.mu.Lock()
		defer l.p.mu.Unlock()
		l.p.leased = false
	})
	return nil
}

// Clone returns a copy of the place as it is now, which nobody has leased.
func (p *Place) Clone() *Place {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &Place{clock: p.clock, objects: maps.Clone(p.objects)}
}

// Overwrite puts octets in the place of an object, as damage does; nil removes it.
func (p *Place) Overwrite(name string, b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if b == nil {
		delete(p.objects, name)
		return
	}
	p.objects[name] = object{slices.Clone(b), p.objects[name].made}
}

// String implements [place.Place].
func (p *Place) String() string { return "memory" }

// Close implements [place.Place].
func (p *Place) Close() error { return nil }
