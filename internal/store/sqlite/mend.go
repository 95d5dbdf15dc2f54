package sqlite

import (
	"bytes"
	"context"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// soundFor is how long a look at the database's structure holds for Mend: many bodies are then mended after one look.
const soundFor = time.Minute

// Mend implements [store.Engine]. A page of the database that rotted may also hold pointers to other pages, which writing would follow: so SQLite looks at the whole structure first, while the writer is free.
// A body of the same length is then written over the old one, in one transaction.
func (e *Engine) Mend(ctx context.Context, account holdfast.ID, seq uint64, body []byte) error {
	x, sound, err := e.mendable(ctx, account, seq, body)
	if err != nil || sound {
		return err
	}
	if err := e.soundStructure(ctx, "Mend"); err != nil {
		return err
	}
	return e.change("Mend", func() error {
		if err := e.sole(); err != nil {
			return err
		}
		found, err := e.w.one(qMendBody, func(Stmt) {}, x.lsn, account, notNil(body))
		if err == nil && !found { // erased meanwhile
			err = store.NoChange("Mend", account, seq)
		}
		if err == nil { // what was a ghost is live again
			err = e.w.run(qMendGhost, x.coll, x.change.Name, x.lsn)
		}
		return err
	})
}

// soundStructure refuses to write where the structure of the database is damaged.
func (e *Engine) soundStructure(ctx context.Context, op string) error {
	e.looking.Lock()
	defer e.looking.Unlock()
	if since := e.o.Clock.Now().Sub(e.looked); !e.looked.IsZero() && since >= 0 && since < soundFor {
		return nil
	}
	var found *store.Finding
	if err := e.checkFile(ctx, false, func(f store.Finding) { found = &f }); err != nil {
		return err
	}
	if found != nil {
		return store.Err(op, holdfast.Corrupt, e.o.Path, found.What+"; nothing was written, as that could make it worse: rebuild the store beside it with `holdfast restore`")
	}
	e.looked = e.o.Clock.Now()
	return nil
}

// mendable finds a change that is to be mended; sound tells that it has these octets.
func (e *Engine) mendable(ctx context.Context, account holdfast.ID, seq uint64, body []byte) (x row, sound bool, err error) {
	snap, err := e.Snapshot(ctx)
	if err != nil {
		return x, false, err
	}
	defer snap.Close()
	s := snap.(*snapshot)
	acct, err := s.accountKey(account)
	if holdfast.IsKind(err, holdfast.NotFound) {
		err = store.NoChange("Mend", account, seq)
	}
	if err != nil {
		return x, false, err
	}
	found, err := s.one(qChangeAt, func(r Stmt) { x = scanChange(s.c, r, account) }, acct, seq)
	if err == nil && !found {
		err = store.NoChange("Mend", account, seq)
	}
	live := false
	if err == nil {
		live, err = x.current(s.c)
	}
	if err == nil {
		err = store.Mends(x.change, live, body)
	}
	if err == nil {
		err = s.finish(x, store.WithBody)
	}
	return x, err == nil && !x.change.Pruned && bytes.Equal(x.change.Body, body), err
}
