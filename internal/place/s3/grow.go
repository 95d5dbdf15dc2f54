package s3

import (
	"bytes"
	"context"
	"sync"

	"holdfast"
	"holdfast/internal/bucket"
	"holdfast/internal/place"
)

// maxTails bounds the growing objects whose end is remembered.
const maxTails = 16

// tail is a growing object that is appended to.
type tail struct {
	mu   sync.Mutex // held while it is
	end  int64
	dead error // what happened; nobody appends any more
}

// Append implements [place.Place].
func (p *Place) Append(ctx context.Context, name string, at int64, b []byte) error {
	if err := place.CheckAppend(name, at, b); err != nil {
		return err
	}
	t, err := p.tail(ctx, name)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.dead != nil:
		return place.Err("Append", holdfast.Unavailable, name, "an earlier append failed; begin another object", t.dead)
	case at == 0 && t.end > 0:
		return taken(name)
	case at != t.end:
		return place.NotAtEnd(name, at, t.end)
	}
	if err := p.grow(ctx, name, at, b); err != nil {
		t.dead = err
		if holdfast.IsKind(err, holdfast.Exists) || holdfast.IsKind(err, holdfast.PreconditionFailed) {
			p.forget(name) // others appended: where it ends is looked up anew
		}
		return err
	}
	t.end += int64(len(b))
	return nil
}

func taken(name string) error {
	return place.Err("Append", holdfast.Exists, name, "there is an object of this name; nothing is overwritten", nil)
}

// grow makes the next piece.
func (p *Place) grow(ctx context.Context, name string, at int64, b []byte) error {
	if number := p.fence.Load(); at == 0 && number > 0 {
		if err := p.begin(ctx, number, name); err != nil {
			return err
		}
	}
	err := p.create(ctx, pieceKey(name, at), name, bytes.NewReader(b), int64(len(b)), holdfast.NewID(nil).String())
	if holdfast.IsKind(err, holdfast.Exists) {
		return p.whose(ctx, name, at)
	}
	return err
}

// begin says that an object is appended to, under our own number, and then looks for a higher one. Who makes one later finds the object, and closes it.
func (p *Place) begin(ctx context.Context, number uint64, name string) error {
	if err := p.b.Put(ctx, openKey(number, name), bytes.NewReader(nil), 0, bucket.Put{}); err != nil {
		return err
	}
	_, higher, err := p.b.Any(ctx, fenceDir, fenceKey(number)+behindPieces)
	if err == nil && higher {
		err = fenced(name)
	}
	return err
}

// whose says what it means that the offset of an append is taken.
func (p *Place) whose(ctx context.Context, name string, at int64) error {
	i, err := p.b.Stat(ctx, pieceKey(name, at))
	switch {
	case err != nil && !holdfast.IsKind(err, holdfast.NotFound):
		return err
	case err == nil && i.Size == 0:
		return fenced(name)
	case at == 0:
		return taken(name)
	}
	return place.NotAtEnd(name, at, at+i.Size)
}

// tail returns what is known of an object that is to be appended to.
func (p *Place) tail(ctx context.Context, name string) (*tail, error) {
	p.mu.Lock()
	t := p.tails[name]
	p.mu.Unlock()
	if t != nil {
		return t, nil
	}
	l, err := p.look(ctx, name)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.tails[name]; t != nil { // somebody was faster
		return t, nil
	}
	for old, x := range p.tails {
		if len(p.tails) < maxTails {
			break
		}
		if x.mu.TryLock() {
			delete(p.tails, old)
			x.mu.Unlock()
		}
	}
	t = &tail{end: l.size}
	p.tails[name] = t
	return t, nil
}
