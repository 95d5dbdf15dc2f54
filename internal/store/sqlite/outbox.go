package sqlite

import (
	"context"
	"errors"

	"holdfast"
	"holdfast/internal/store"
)

var errEnough = errors.New("enough")

// Pending implements [store.Outbox]. The hash of each batch is made anew from the last group ends that the mark knows.
func (e *Engine) Pending(ctx context.Context, vault string, limit int, fn func(store.Position, *holdfast.Change) error) error {
	snap, err := e.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer snap.Close()
	return snap.(*snapshot).pending(vault, limit, fn)
}

func (s *snapshot) pending(vault string, limit int, fn func(store.Position, *holdfast.Change) error) error {
	var from store.Position
	var lsn int64
	if _, err := s.one(qMark, func(x Stmt) {
		from, lsn = store.Position{Batch: uint64(x.Int(0)), Hash: s.c.hash(x, 1)}, x.Int(2)
	}, vault); err != nil {
		return err
	}
	var rows []row // of one batch
	n := 0
	pass := func() error {
		if len(rows) == 0 {
			return nil
		}
		from = position(from, rows)
		for _, x := range rows {
			if err := fn(from, x.change); err != nil {
				return err
			}
		}
		n += len(rows)
		rows = rows[:0]
		if limit > 0 && n >= limit {
			return errEnough
		}
		return nil
	}
	err := s.read(qOutbox, func(r Stmt) error {
		account, err := s.accountID(r.Int(0))
		if err != nil {
			return err
		}
		x := scanChange(s.c, r, account)
		if len(rows) > 0 && rows[0].batch != x.batch {
			if err := pass(); err != nil {
				return err
			}
		}
		rows = append(rows, x)
		return s.finish(x, withBody|store.WithProps)
	}, lsn)
	if err == nil {
		err = pass()
	}
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

const withBody = store.WithBody

// position returns the position after a batch, given that before it and the batch's changes.
func position(before store.Position, rows []row) store.Position {
	var ends []store.GroupEnd
	for _, x := range rows {
		if x.change.More == 0 {
			ends = append(ends, store.GroupEnd{Account: x.change.Account, Chain: x.change.Chain})
		}
	}
	return store.Position{Batch: rows[0].batch, Hash: store.BatchHash(before.Hash, ends)}
}

// Confirm implements [store.Outbox].
func (e *Engine) Confirm(ctx context.Context, vault string, p store.Position) error {
	e.writer.Lock()
	defer e.writer.Unlock()
	if e.failure() != nil {
		return e.stopped()
	}
	if p.Batch > e.pos.Batch {
		return store.Err("Confirm", holdfast.Invalid, vault, "the vault is ahead of the store")
	}
	from, lsn := int64(0), int64(0)
	if _, err := e.w.one(qMark, func(x Stmt) { from = x.Int(2) }, vault); err != nil {
		return e.classify(err, false)
	}
	if _, err := e.w.one(qBatchLSN, func(x Stmt) { lsn = x.Int(0) }, from, p.Batch); err != nil {
		return e.classify(err, false)
	}
	return e.classify(e.w.run(qSetMark, vault, p.Batch, p.Hash, max(lsn, from)), false)
}
