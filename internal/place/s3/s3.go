package s3

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"holdfast"
	"holdfast/internal/bucket"
	"holdfast/internal/place"
)

// Options say how a bucket is used. Zero values mean the defaults.
type Options struct {
	Bucket *bucket.Bucket
	// Lock says for how long nobody may remove an object of a name once it was put, where the bucket locks objects; nil, or 0: not at all.
	Lock func(name string) time.Duration
	Log  *slog.Logger
}

// Place is a place in a bucket.
type Place struct {
	o Options
	b *bucket.Bucket

	fence atomic.Uint64 // the number of our own; 0: none

	mu    sync.Mutex
	tails map[string]*tail
	known map[string]*pieces // growing objects, as they were when they were looked at

	reading map[string]map[*chain]bool // who reads which of them now
}

var (
	_ place.Place      = (*Place)(nil)
	_ place.Fencer     = (*Place)(nil)
	_ place.Settler    = (*Place)(nil)
	_ place.Holder     = (*Place)(nil)
	_ place.Laster     = (*Place)(nil)
	_ place.ManyReader = (*Place)(nil)
)

// New returns the place in a bucket. It does not speak to the store yet.
func New(o Options) *Place {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Place{o: o, b: o.Bucket, tails: map[string]*tail{}, known: map[string]*pieces{}, reading: map[string]map[*chain]bool{}}
}

// Bucket returns where the objects lie.
func (p *Place) Bucket() *bucket.Bucket { return p.b }

func grows(name string) bool { return strings.HasSuffix(name, place.Grows) }

// lock is for how long an object is to be locked that is put now.
func (p *Place) lock(ctx context.Context, name string) (time.Duration, error) {
	if p.o.Lock == nil || p.o.Lock(name) <= 0 {
		return 0, nil
	}
	f, err := p.b.Facts(ctx)
	if err != nil || f.Locks != bucket.Yes {
		return 0, err
	}
	return p.o.Lock(name), nil
}

// create makes an object under a key of its own.
func (p *Place) create(ctx context.Context, key, name string, r io.Reader, size int64, tag string) error {
	lock, err := p.lock(ctx, name)
	if err != nil {
		return err
	}
	return p.b.Put(ctx, key, r, size, bucket.Put{New: true, Tag: tag, Lock: lock})
}

// Put implements [place.Place].
func (p *Place) Put(ctx context.Context, name string, r io.Reader) error {
	if err := place.CheckName("Put", name, false); err != nil {
		return err
	}
	size := int64(-1)
	if s, ok := r.(io.Seeker); ok { // how large it is says how large its parts have to be
		at, err := s.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		end, err := s.Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		if _, err := s.Seek(at, io.SeekStart); err != nil {
			return err
		}
		size = end - at
	}
	return p.create(ctx, name, name, r, size, "")
}

// Get implements [place.Place].
func (p *Place) Get(ctx context.Context, name string, at, n int64) (io.ReadCloser, error) {
	if !place.IsName(name) {
		return nil, place.NoSuch("Get", name)
	}
	if grows(name) {
		return p.read(ctx, name, at, n)
	}
	return p.b.Get(ctx, name, at, n)
}

// Stat implements [place.Place].
func (p *Place) Stat(ctx context.Context, name string) (place.Info, error) {
	if !place.IsName(name) {
		return place.Info{}, place.NoSuch("Stat", name)
	}
	if !grows(name) {
		i, err := p.b.Stat(ctx, name)
		return place.Info{Name: name, Size: i.Size, Made: i.Made}, err
	}
	l, err := p.look(ctx, name)
	if err == nil && !l.there() {
		err = place.NoSuch("Stat", name)
	}
	if err != nil {
		return place.Info{}, err
	}
	return l.info(name), nil
}

// Remove implements [place.Place]. What the credential may not remove, and what is locked, is Forbidden.
func (p *Place) Remove(ctx context.Context, name string) error {
	if !place.IsName(name) {
		return place.NoSuch("Remove", name)
	}
	if !grows(name) {
		return p.b.Remove(ctx, name)
	}
	defer p.forget(name)
	l, err := p.look(ctx, name)
	if err != nil {
		return err
	}
	if !l.there() {
		return place.NoSuch("Remove", name)
	}
	if l.whole { // it was put last, and is locked for the longest
		if err := p.b.Remove(ctx, name); err != nil {
			return err
		}
	} else if err := p.b.Remove(ctx, pieceKey(name, l.list[len(l.list)-1].at)); err != nil { // and so is the last one: nothing is gone where it is kept
		return err
	}
	return p.b.RemoveMany(ctx, name+pieceMark, func(string) bool { return true })
}

// Hold implements [place.Holder].
func (p *Place) Hold(ctx context.Context, name string) error {
	lock, err := p.lock(ctx, name)
	if err != nil || lock == 0 {
		return err
	}
	if !grows(name) {
		return p.b.Hold(ctx, name, lock)
	}
	l, err := p.look(ctx, name)
	switch {
	case err != nil:
		return err
	case !l.there():
		return place.NoSuch("Hold", name)
	case l.whole:
		return p.b.Hold(ctx, name, lock)
	}
	for _, x := range l.list {
		if err := p.b.Hold(ctx, pieceKey(name, x.at), lock); err != nil {
			return err
		}
	}
	return nil
}

// Now implements [place.Place].
func (p *Place) Now(ctx context.Context) (time.Time, error) { return p.b.Now(ctx) }

// String implements [place.Place].
func (p *Place) String() string { return p.b.String() }

// Close implements [place.Place].
func (p *Place) Close() error { return p.b.Close() }

func empty() io.ReadCloser { return io.NopCloser(bytes.NewReader(nil)) }

// fenced is the error of who is not the one to append any more.
func fenced(name string) error {
	return place.Err("Append", holdfast.Fenced, name, "another process has begun to write into this place; what it holds is compared with the store again", nil)
}
