package core

import (
	"context"

	"holdfast"
)

// BeginErase lets an account wait for its erasure: it signs in nowhere from now on, and nothing of it is gone. Undone by making it active again. Errors: NotFound.
func (s *Service) BeginErase(ctx context.Context, actor holdfast.Actor, id holdfast.ID) (holdfast.Receipt, error) {
	return s.UpdateAccount(ctx, actor, id, func(r *holdfast.AccountRecord) error {
		r.State = holdfast.Erasing
		return nil
	})
}

// Erase removes an account from the store for good, if it still waits for that. It cannot be undone; where it was cut it is called again. What others share with it, and it with others, ends with it: their homes no longer
// show it. Errors: PreconditionFailed (it does not wait for its erasure), NotFound.
func (s *Service) Erase(ctx context.Context, id holdfast.ID) error {
	gone, err := s.isErased(ctx, id)
	if err != nil {
		return err
	}
	if !gone {
		if err := s.waitsForErasure(ctx, id); err != nil {
			return err
		}
	}
	err = s.engine.Erase(ctx, id)
	s.dir.drop(id)
	s.dir.renamed()
	return err
}

// waitsForErasure looks at what is acknowledged, and newest.
func (s *Service) waitsForErasure(ctx context.Context, id holdfast.ID) error {
	snap, err := s.newest(ctx, id)
	if err != nil {
		return err
	}
	defer snap.Close()
	a, err := snap.Account(id)
	if err == nil && a.State != holdfast.Erasing {
		err = fail("Erase", holdfast.PreconditionFailed, a.Email, "this account does not wait for its erasure")
	}
	return err
}

func (s *Service) isErased(ctx context.Context, id holdfast.ID) (bool, error) {
	snap, err := s.engine.Snapshot(ctx)
	if err != nil {
		return false, err
	}
	defer snap.Close()
	return snap.Erased(id)
}
