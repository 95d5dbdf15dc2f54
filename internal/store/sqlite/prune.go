package sqlite

import (
	"context"

	"holdfast"
	"holdfast/internal/store"
)

// Prune implements [store.Engine]. Letting go of a long body follows its pages, as writing over one does: so SQLite looks at the whole structure first ([Engine.Mend] says why). The pages are used again; the file does
// not get smaller.
func (e *Engine) Prune(ctx context.Context, account holdfast.ID, seqs []uint64) (versions int, octets int64, err error) {
	if ctx.Err() != nil {
		return 0, 0, gaveUp(ctx)
	}
	if err := store.PrunesSo(account, seqs); err != nil || len(seqs) == 0 {
		return 0, 0, err
	}
	if err := e.soundStructure(ctx, "Prune"); err != nil {
		return 0, 0, err
	}
	err = e.change("Prune", func() error {
		if err := e.sole(); err != nil {
			return err
		}
		for _, seq := range seqs {
			x, err := e.prunable(account, seq)
			if err != nil {
				return err
			}
			if x.change.Pruned {
				continue
			}
			if err := e.w.run(qPruneBody, x.lsn); err != nil {
				return err
			}
			versions, octets = versions+1, octets+x.change.Size
		}
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	return versions, octets, nil
}

// prunable reads a change, and judges that its octets may go.
func (e *Engine) prunable(account holdfast.ID, seq uint64) (x row, err error) {
	var acct int64
	found, err := e.w.one(qAccountByID, func(s Stmt) { acct = s.Int(0) }, account)
	if err == nil && found {
		found, err = e.w.one(qChangeAt, func(s Stmt) { x = scanChange(e.w, s, account) }, acct, seq)
	}
	if err == nil && !found {
		err = store.NoChange("Prune", account, seq)
	}
	if err != nil {
		return x, err
	}
	if _, err := e.w.one(qCollectionID, func(s Stmt) { x.change.Collection = e.w.id(s, 0) }, x.coll); err != nil {
		return x, err
	}
	live, err := x.current(e.w)
	if err == nil {
		err = store.Prunes(x.change, live)
	}
	return x, err
}

// current tells whether a change is the newest of its item. Where the index does not have the item, it is taken for it: nothing may go then.
func (x row) current(c *conn) (bool, error) {
	seq := x.change.Seq
	_, err := c.one(qItem, func(s Stmt) { seq = scanItem(c, s).seq }, x.coll, x.change.Name)
	return seq <= x.change.Seq, err
}

// sole makes sure that the newest batch is this engine's own; the caller holds SQLite's write lock.
func (e *Engine) sole() error {
	var last uint64
	if _, err := e.w.one(qLastBatch, func(s Stmt) { last = uint64(s.Int(0)) }); err != nil {
		return err
	}
	if last != e.pos.Batch {
		return errFenced
	}
	return nil
}
