package sqlite

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"holdfast"
	"holdfast/internal/store"
)

var errEnough = errors.New("enough")

// After implements [store.Outbox].
func (e *Engine) After(ctx context.Context, batch uint64, limit int, fn func(*holdfast.Batch) error) error {
	snap, err := e.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer snap.Close()
	return snap.(*snapshot).after(batch, limit, fn)
}

func (s *snapshot) after(batch uint64, limit int, fn func(*holdfast.Batch) error) error {
	lsn, at := int64(0), holdfast.Position{Batch: batch}
	if batch > 0 {
		found, err := s.one(qBatch, func(x Stmt) { at.Hash, lsn = s.c.hash(x, 0), x.Int(1) }, batch)
		if err == nil && !found {
			err = store.Err("After", holdfast.NotFound, "", "the store's stream has no such batch")
		}
		if err != nil {
			return err
		}
	}
	var now *holdfast.Batch
	n, chains := 0, map[int64]holdfast.Hash{}
	err := s.read(qOutbox, func(r Stmt) error {
		account, err := s.accountID(r.Int(0))
		if err != nil {
			return err
		}
		x := scanChange(s.c, r, account)
		if now == nil || x.batch != now.Batch {
			if now != nil {
				at = now.Position
				if err := fn(now); err != nil {
					return err
				}
			}
			if limit > 0 && n >= limit {
				now = nil
				return errEnough
			}
			now = &holdfast.Batch{Position: holdfast.Position{Batch: x.batch}, Prev: at.Hash}
			if _, err := s.one(qBatch, func(b Stmt) { now.Hash = s.c.hash(b, 0) }, x.batch); err != nil {
				return err
			}
		}
		n++
		if err := s.finish(x, store.WithBody|store.WithProps); err != nil {
			return err
		}
		var known bool
		if x.change.Before, known = chains[r.Int(0)]; !known && x.change.Seq > 1 {
			if _, err := s.one(qHeadAt, func(h Stmt) { x.change.Before = s.c.hash(h, 1) }, r.Int(0), x.change.Seq-1); err != nil {
				return err
			}
		}
		chains[r.Int(0)] = x.change.Chain
		now.Changes = append(now.Changes, *x.change)
		return nil
	}, lsn)
	if err == nil && now != nil {
		err = fn(now)
	}
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// Position implements [store.Outbox].
func (e *Engine) Position() store.Position { return *e.batch.Load() }

// HashAt implements [store.Outbox].
func (e *Engine) HashAt(ctx context.Context, batch uint64) (hash holdfast.Hash, ok bool, err error) {
	if batch == 0 {
		return hash, true, nil
	}
	snap, err := e.Snapshot(ctx)
	if err != nil {
		return hash, false, err
	}
	defer snap.Close()
	s := snap.(*snapshot)
	ok, err = s.one(qBatch, func(x Stmt) { hash = s.c.hash(x, 0) }, batch)
	return hash, ok, err
}

// feeds are those who follow the stream.
type feeds struct {
	n  atomic.Int32
	mu sync.Mutex
	to map[chan *holdfast.Batch]struct{}
}

func (f *feeds) followed() bool { return f.n.Load() > 0 }

// hand gives a batch to all who follow. Who has no room misses it.
func (f *feeds) hand(b *holdfast.Batch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.to {
		select {
		case c <- b:
		default:
		}
	}
}

// Follow implements [store.Outbox].
func (e *Engine) Follow(depth int) (<-chan *holdfast.Batch, func()) {
	f := &e.feeds
	c := make(chan *holdfast.Batch, depth)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.to == nil {
		f.to = map[chan *holdfast.Batch]struct{}{}
	}
	f.to[c] = struct{}{}
	f.n.Store(int32(len(f.to)))
	return c, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.to, c)
		f.n.Store(int32(len(f.to)))
	}
}
