package core

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/clock"
	"holdfast/internal/store"
	"holdfast/internal/store/asof"
)

// Copies is who keeps the store's changes besides its engine, as far as the core needs to know: when a change is acknowledged, and which are.
type Copies interface {
	// Ready returns why a change would be refused now; nil for none. Errors: Unavailable.
	Ready() error
	// Wait returns once the policy holds for a batch: who has it, and the policy that was met. Errors: Unavailable (the change is in the store, and is acknowledged when it is sent again).
	Wait(ctx context.Context, batch uint64) (copies []string, policy string, err error)
	// Acked returns the newest batch for which the policy holds.
	Acked() uint64
	// AwaitAcked returns once the policy holds for a batch, or with ctx's cause.
	AwaitAcked(ctx context.Context, batch uint64) error
}

// BlobCopies is a Copies that takes the octets of large files too.
type BlobCopies interface {
	Copies
	// PutBlob returns once each copy that the policy waits for has a blob: before the change that names it is committed, so that a copy never gets a change without its octets. open opens them; they need not be durable here yet. Errors: Unavailable (nothing is committed).
	PutBlob(ctx context.Context, account holdfast.ID, b holdfast.Blob, open blob.Opener) error
}

// alone is the engine without copies: what it has committed is acknowledged.
type alone struct{ engine store.Engine }

func (alone) Ready() error { return nil }

func (alone) Wait(context.Context, uint64) ([]string, string, error) {
	return []string{"engine"}, "engine", nil
}

func (a alone) Acked() uint64 { return a.engine.Position().Batch }

func (alone) AwaitAcked(context.Context, uint64) error { return nil }

func (alone) PutBlob(context.Context, holdfast.ID, holdfast.Blob, blob.Opener) error {
	return nil
}

// defaultShow is how long a read waits for what is not acknowledged yet.
const defaultShow = 2 * time.Second

// shown is how far the store is shown: never less than before, because who has seen a change must not be shown that it is not there.
type shown struct {
	once  sync.Once
	began uint64        // the newest batch before the first read and the first commit: how far it was shown before the start is not known
	upTo  atomic.Uint64 // the newest batch that was acknowledged, as far as anybody looked
	stuck atomic.Uint64 // upTo when a read had waited in vain, plus 1; 0: none has
}

// raise notes that a batch is acknowledged.
func (w *shown) raise(batch uint64) {
	for old := w.upTo.Load(); old < batch; old = w.upTo.Load() {
		if w.upTo.CompareAndSwap(old, batch) {
			return
		}
	}
}

// begin notes where the store was at first: before anything is read or committed.
func (s *Service) begin() { s.shown.once.Do(func() { s.shown.began = s.engine.Position().Batch }) }

// acknowledged returns the newest batch that is shown. Where that was more once, as the engine alone was enough then, it stays so.
func (s *Service) acknowledged() uint64 {
	s.begin()
	s.shown.raise(s.copies.Acked())
	return s.shown.upTo.Load()
}

// snapshot opens a read of one moment that shows every account only as far as it is acknowledged. For what is under way of these accounts it waits for a moment; who has
// waited in vain is shown them as of the last acknowledged change, and until something more is acknowledged nobody else waits. Errors: Unavailable, here or from its reads: it is not known how far an
// account may be shown, or too much is under way.
func (s *Service) snapshot(ctx context.Context, accounts ...holdfast.ID) (store.Snapshot, error) {
	s.begin()
	snap, err := s.engine.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.awaitShown(ctx, snap, accounts); err != nil {
		snap.Close()
		return nil, err
	}
	return s.cut(snap), nil
}

// cut leaves out of a snapshot what is not acknowledged. Where nothing is under way, which costs next to nothing to know, it is the snapshot itself.
func (s *Service) cut(snap store.Snapshot) store.Snapshot {
	batch := s.acknowledged()
	if s.engine.Position().Batch <= batch {
		return snap
	}
	return asof.New(snap, asof.Options{Batch: batch, Since: s.shown.began, Derive: s.derive})
}

// awaitShown waits for what a snapshot has of some accounts and is not acknowledged yet. That it waited in vain is no error.
func (s *Service) awaitShown(ctx context.Context, snap store.Snapshot, accounts []holdfast.ID) error {
	for _, id := range accounts {
		batch, err := s.underWay(snap, id)
		if err != nil {
			return err
		}
		if batch == 0 || s.shown.stuck.Load() == s.acknowledged()+1 {
			continue
		}
		if err := s.await(ctx, id, batch); err != nil {
			if ctx.Err() != nil {
				return err
			}
			s.shown.stuck.Store(s.acknowledged() + 1)
		}
	}
	return nil
}

// underWay returns the batch of the newest change that a snapshot has of an account, if that is not acknowledged; 0: it is.
func (s *Service) underWay(snap store.Snapshot, account holdfast.ID) (uint64, error) {
	if s.engine.Position().Batch <= s.acknowledged() {
		return 0, nil
	}
	head, err := snap.Head(account)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return 0, nil // it is not there: whoever reads it learns that
	}
	if err != nil || head.Batch <= s.acknowledged() {
		return 0, err
	}
	return head.Batch, nil
}

// await waits for a batch to be acknowledged, for as long as a read may. Errors: Unavailable.
func (s *Service) await(ctx context.Context, account holdfast.ID, batch uint64) error {
	ctx, cancel := clock.WithTimeout(ctx, s.clock, s.limits.Show)
	defer cancel()
	if err := s.copies.AwaitAcked(ctx, batch); err != nil {
		return &holdfast.Error{Op: "core.Read", Kind: holdfast.Unavailable, Ref: account.String(),
			Text: "the newest changes have not reached every copy that they must reach; try again", Err: err}
	}
	return nil
}

// newest opens a read of the newest state of these accounts, for a write that goes on from it: what it would go on from must be acknowledged, which it waits for. Errors: Unavailable.
func (s *Service) newest(ctx context.Context, accounts ...holdfast.ID) (store.Snapshot, error) {
	s.begin()
	snap, err := s.engine.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range accounts {
		batch, err := s.underWay(snap, id)
		if err == nil && batch != 0 {
			err = s.await(ctx, id, batch)
		}
		if err != nil {
			snap.Close()
			return nil, err
		}
	}
	return snap, nil
}

// behind returns the snapshot beneath one that passes over records or collections of an account; nil where it does not.
func behind(snap store.Snapshot, account holdfast.ID) (store.Snapshot, error) {
	v, ok := snap.(*asof.View)
	if !ok {
		return nil, nil
	}
	hides, err := v.HidesRecords(account)
	if err != nil || !hides {
		return nil, err
	}
	return v.Newest(), nil
}
