package core

import (
	"context"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// Watch tells of which accounts something is shown that was not shown before, to who keeps beside the store what he derives of it. It loses nothing while it is open: what it cannot hold it calls a gap.
type Watch struct {
	s    *Service
	stop func()
	over chan struct{}

	mu      sync.Mutex
	last    uint64 // the newest batch that came
	stirred map[holdfast.ID]struct{}
	gap     bool
	woken   chan struct{} // holds one
}

const (
	watchDepth    = 256 // batches that wait to be looked at
	watchMissed   = 100 * time.Millisecond
	watchedAtMost = 10_000 // accounts that wait to be told of
)

// Watch begins to watch; it ends with Close. of says which changes matter; it keeps nothing of them and does not block.
func (s *Service) Watch(of func(*holdfast.Change) bool) *Watch {
	w := &Watch{s: s, over: make(chan struct{}), stirred: map[holdfast.ID]struct{}{}, woken: make(chan struct{}, 1)}
	batches, stop := s.engine.Follow(watchDepth)
	ended := make(chan struct{})
	w.last = s.engine.Position().Batch // a batch between the two comes, and is no gap
	if w.gap = w.last > s.acknowledged(); w.gap {
		w.wake() // what is committed and not shown yet comes to be so without another batch
	}
	go func() {
		defer close(ended)
		t := s.clock.NewTicker(watchMissed)
		defer t.Stop()
		for missed := uint64(0); ; {
			select {
			case b, ok := <-batches:
				if !ok {
					return
				}
				w.look(b, of)
			case <-t.C():
				missed = w.missed(missed)
			case <-w.over:
				return
			}
		}
	}()
	w.stop = sync.OnceFunc(func() { close(w.over); stop(); <-ended })
	return w
}

// Close ends it.
func (w *Watch) Close() { w.stop() }

func (w *Watch) look(b *holdfast.Batch, of func(*holdfast.Change) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if b.Batch > w.last+1 {
		w.gap = true
	}
	w.last = max(w.last, b.Batch)
	for i := range b.Changes {
		if c := &b.Changes[i]; of(c) {
			w.stirred[c.Account] = struct{}{}
		}
	}
	if len(w.stirred) > watchedAtMost {
		w.gap = true
	}
	if w.gap {
		clear(w.stirred)
	}
	w.wake()
}

// missed notices a batch that did not come: the engine hands over none that was under way when the watch began, nor any for which there is no room, and no other may follow. It returns the newest batch that has not come now, which is missed if it still has not the next time.
func (w *Watch) missed(before uint64) uint64 {
	newest := w.s.engine.Position().Batch
	w.mu.Lock()
	defer w.mu.Unlock()
	if newest <= w.last {
		return 0
	}
	if before > w.last {
		w.last, w.gap = newest, true
		clear(w.stirred)
		w.wake()
	}
	return newest
}

// Next returns the accounts of which something came since it was called last, once all of that is shown. gap says that it is not known which they are: any may be one. The error is ctx's cause.
func (w *Watch) Next(ctx context.Context) (accounts []holdfast.ID, gap bool, err error) {
	select {
	case <-w.woken:
	case <-ctx.Done():
		return nil, false, context.Cause(ctx)
	}
	w.mu.Lock()
	upTo := w.last
	for id := range w.stirred {
		accounts = append(accounts, id)
	}
	gap, w.gap = w.gap, false
	clear(w.stirred)
	w.mu.Unlock()
	if err := w.s.awaitAcknowledged(ctx, upTo); err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, id := range accounts { // they are told of the next time
			w.stirred[id] = struct{}{}
		}
		w.gap = w.gap || gap
		w.wake()
		return nil, false, err
	}
	return accounts, gap, nil
}

// wake has Next return if there is something to tell. The lock is held.
func (w *Watch) wake() {
	if !w.gap && len(w.stirred) == 0 {
		return
	}
	select {
	case w.woken <- struct{}{}:
	default: // it is awake
	}
}

// awaitAcknowledged returns once a batch is shown.
func (s *Service) awaitAcknowledged(ctx context.Context, batch uint64) error {
	if batch <= s.acknowledged() {
		return nil
	}
	if err := s.copies.AwaitAcked(ctx, batch); err != nil {
		return err
	}
	s.shown.raise(batch)
	return nil
}

// Since calls fn with the members of a collection that changed above a seq, tombstones and ghosts included, by ascending seq, at most limit of them; more tells that there are others. Errors: NotFound.
func (r *Reader) Since(c holdfast.ID, seq uint64, limit int, f Fields, fn func(*holdfast.Resource) error) (more bool, err error) {
	if err := r.mine(c); err != nil {
		return false, err
	}
	return r.snap.ChangesSince(c, seq, limit, f, r.shown(fn))
}

// Head is a point of an account's journal.
type Head = store.Head

// Head returns the newest point of the account's journal, as far as it is shown.
func (r *Reader) Head() (Head, error) { return r.snap.Head(r.owner.ID) }

// ChainAt returns the point of the account's journal at a seq. Errors: NotFound.
func (r *Reader) ChainAt(seq uint64) (Head, error) { return r.snap.Chain(r.owner.ID, seq) }

// EveryCollection returns all collections of the account, those that are gone included.
func (r *Reader) EveryCollection() ([]holdfast.Collection, error) {
	return r.snap.Collections(r.owner.ID)
}
