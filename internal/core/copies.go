package core

import (
	"context"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/store"
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

// alone is the engine without copies: what it has committed is acknowledged.
type alone struct{ engine store.Engine }

func (alone) Ready() error { return nil }

func (alone) Wait(context.Context, uint64) ([]string, string, error) {
	return []string{"engine"}, "engine", nil
}

func (a alone) Acked() uint64 { return a.engine.Position().Batch }

func (alone) AwaitAcked(context.Context, uint64) error { return nil }

// defaultShow is how long a read waits for what is not acknowledged yet.
const defaultShow = 2 * time.Second

// snapshot opens a read of one moment that shows the accounts only as far as they are acknowledged.
func (s *Service) snapshot(ctx context.Context, accounts ...holdfast.ID) (store.Snapshot, error) {
	snap, err := s.engine.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range accounts {
		if err := s.shown(ctx, snap, id); err != nil {
			snap.Close()
			return nil, err
		}
	}
	return snap, nil
}

// shown makes sure that a snapshot shows an account only as far as it is acknowledged: a copy may still be on its way to a vault. It waits for that for a moment. Errors: Unavailable.
func (s *Service) shown(ctx context.Context, snap store.Snapshot, account holdfast.ID) error {
	if s.engine.Position().Batch <= s.copies.Acked() {
		return nil // nothing is under way
	}
	head, err := snap.Head(account)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return nil // it is not there: whoever reads it learns that
	}
	if err != nil || head.Batch <= s.copies.Acked() {
		return err
	}
	ctx, cancel := clock.WithTimeout(ctx, s.clock, s.limits.Show)
	defer cancel()
	if err := s.copies.AwaitAcked(ctx, head.Batch); err != nil {
		return &holdfast.Error{Op: "core.Read", Kind: holdfast.Unavailable, Ref: account.String(),
			Text: "the newest changes have not reached every copy that they must reach, and are not shown before; try again", Err: err}
	}
	return nil
}
