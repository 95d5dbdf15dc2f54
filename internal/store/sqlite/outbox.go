package sqlite

import (
	"context"
	"errors"

	"holdfast"
	"holdfast/internal/store"
)

var errEnough = errors.New("enough")

// Pending implements [store.Outbox].
func (e *Engine) Pending(ctx context.Context, vault string, limit int, fn func(store.Position, *holdfast.Change) error) error {
	snap, err := e.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer snap.Close()
	err = snap.(*snapshot).pending(vault, limit, fn)
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

func (s *snapshot) pending(vault string, limit int, fn func(store.Position, *holdfast.Change) error) error {
	lsn := int64(0)
	if _, err := s.one(qMark, func(x Stmt) { lsn = x.Int(0) }, vault); err != nil {
		return err
	}
	var at store.Position
	n := 0
	return s.read(qOutbox, func(r Stmt) error {
		account, err := s.accountID(r.Int(0))
		if err != nil {
			return err
		}
		x := scanChange(s.c, r, account)
		if x.batch != at.Batch {
			if limit > 0 && n >= limit {
				return errEnough
			}
			at.Batch = x.batch
			if _, err := s.one(qBatch, func(b Stmt) { at.Hash = s.c.hash(b, 0) }, x.batch); err != nil {
				return err
			}
		}
		n++
		if err := s.finish(x, withBody|store.WithProps); err != nil {
			return err
		}
		return fn(at, x.change)
	}, lsn)
}

const withBody = store.WithBody

// Confirm implements [store.Outbox].
func (e *Engine) Confirm(ctx context.Context, vault string, p store.Position) error {
	e.writer.Lock()
	defer e.writer.Unlock()
	if err := e.writable("Confirm"); err != nil {
		return err
	}
	if p == (store.Position{}) {
		return nil // before all batches: every vault is that far
	}
	var have holdfast.Hash
	found, err := e.w.one(qBatch, func(s Stmt) { have = e.w.hash(s, 0) }, p.Batch)
	switch {
	case err != nil:
		return e.classify(err, false)
	case !found || have != p.Hash:
		return store.Err("Confirm", holdfast.Invalid, vault, "this point is not in the store's stream: the vault and the store went different ways")
	}
	return e.classify(e.w.run(qSetMark, vault, p.Batch), true)
}
