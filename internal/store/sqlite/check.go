package sqlite

import (
	"context"
	"fmt"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// Check implements [store.Engine]. Each account is read in a snapshot of its own, so that the log can be reset in between.
func (e *Engine) Check(ctx context.Context, octets bool, derive store.Derive, report func(store.Finding)) error {
	if err := e.checkFile(ctx, octets, report); err != nil {
		return err
	}
	if err := e.checkStream(ctx, report); err != nil {
		return err
	}
	var after holdfast.ID
	logins := 0
	for {
		ids, err := e.nextAccounts(ctx, after)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			return e.checkLogins(ctx, logins, report)
		}
		for _, id := range ids {
			n, err := e.checkAccount(ctx, id, octets, derive, report)
			if err != nil {
				return err
			}
			after, logins = id, logins+n
		}
	}
}

// checkLogins looks for logins that no account's record ever had.
func (e *Engine) checkLogins(ctx context.Context, want int, report func(store.Finding)) error {
	snap, err := e.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer snap.Close()
	have := 0
	_, err = snap.(*snapshot).one(qCountLogins, func(s Stmt) { have = int(s.Int(0)) })
	if err == nil && have > want {
		report(store.Finding{What: fmt.Sprintf("%d logins lead to accounts that never had them", have-want)})
	}
	return err
}

// checkStream reads all changes in the order of their commit and recomputes the batches that they make.
func (e *Engine) checkStream(ctx context.Context, report func(store.Finding)) error {
	snap, err := e.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer snap.Close()
	s := snap.(*snapshot)
	s.deadline = s.deadline.Add(checkPatience)
	c := stream{s: s, report: report}
	if err := s.read(qOutbox, c.change, 0); err != nil {
		return err
	}
	if err := c.end(); err != nil {
		return err
	}
	last := uint64(0)
	for _, err = s.one(qLastBatch, func(x Stmt) { last = uint64(x.Int(0)) }); last > c.at.Batch && c.redacted(c.at.Batch+1); c.at.Batch++ {
	}
	if err == nil && last > c.at.Batch {
		c.find("batches up to %d are recorded, changes up to batch %d are there", last, c.at.Batch)
	}
	return err
}

// stream is the check of the batches.
type stream struct {
	s      *snapshot
	report func(store.Finding)
	at     store.Position // of the batch before
	batch  uint64         // that is being read
	lsn    int64
	ends   []holdfast.GroupEnd
}

func (c *stream) find(format string, args ...any) {
	c.report(store.Finding{What: fmt.Sprintf(format, args...)})
}

func (c *stream) change(r Stmt) error {
	account, err := c.s.accountID(r.Int(0))
	if err != nil {
		return err
	}
	x := scanChange(c.s.c, r, account)
	if account.IsZero() && !c.redacted(x.batch) {
		c.find("change %d belongs to an account that is not there", x.lsn)
	}
	if x.batch != c.batch {
		if err := c.end(); err != nil {
			return err
		}
		c.batch = x.batch
	}
	c.lsn = x.lsn
	if x.change.More == 0 {
		c.ends = append(c.ends, holdfast.GroupEnd{Account: account, Chain: x.change.Chain})
	}
	return nil
}

// end compares a batch with what was recorded of it.
func (c *stream) end() error {
	if c.batch == 0 {
		return nil
	}
	if c.redacted(c.batch) {
		return c.pass()
	}
	if err := c.skip(); err != nil {
		return err
	}
	want := store.Position{Batch: c.at.Batch + 1, Hash: holdfast.BatchHash(c.at.Hash, c.ends)}
	var have holdfast.Hash
	var lsn int64
	found, err := c.s.one(qBatch, func(x Stmt) { have, lsn = c.s.c.hash(x, 0), x.Int(1) }, c.batch)
	if err != nil {
		return err
	}
	switch {
	case c.batch != want.Batch:
		c.find("batch %d follows batch %d", c.batch, c.at.Batch)
	case !found || have != want.Hash || lsn != c.lsn:
		c.find("batch %d is not recorded as it was committed", c.batch)
	}
	c.at, c.ends = store.Position{Batch: c.batch, Hash: have}, c.ends[:0]
	return nil
}

// redacted tells whether a batch had changes of an account that was erased: its hash cannot be computed any more.
func (c *stream) redacted(batch uint64) bool {
	gone, err := c.s.one(qBatchErased, func(Stmt) {}, batch)
	return err == nil && gone
}

// pass takes what was recorded of a redacted batch as it is.
func (c *stream) pass() error {
	if _, err := c.s.one(qBatch, func(x Stmt) { c.at.Hash = c.s.c.hash(x, 0) }, c.batch); err != nil {
		return err
	}
	c.at.Batch, c.ends = c.batch, c.ends[:0]
	return nil
}

// skip goes over redacted batches of which nothing is left.
func (c *stream) skip() error {
	for c.at.Batch+1 < c.batch && c.redacted(c.at.Batch+1) {
		c.at.Batch++
		if _, err := c.s.one(qBatch, func(x Stmt) { c.at.Hash = c.s.c.hash(x, 0) }, c.at.Batch); err != nil {
			return err
		}
	}
	return nil
}

// checkPatience is how much longer than others the reading of one account's journal may take. The log cannot start anew meanwhile.
const checkPatience = 10 * time.Minute

func (e *Engine) nextAccounts(ctx context.Context, after holdfast.ID) (ids []holdfast.ID, err error) {
	snap, err := e.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	s := snap.(*snapshot)
	return ids, s.read(qAccounts, func(x Stmt) error {
		ids = append(ids, s.c.id(x, 1))
		return nil
	}, after, 100)
}

// checkFile lets SQLite look at its own structure; if full is set, at its indexes too.
func (e *Engine) checkFile(ctx context.Context, full bool, report func(store.Finding)) error {
	snap, err := e.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer snap.Close()
	pragma := "PRAGMA quick_check(1)"
	if full {
		pragma = "PRAGMA integrity_check(1)"
	}
	said, err := snap.(*snapshot).c.text(pragma)
	if err == nil && said != "ok" {
		report(store.Finding{What: "the database file is damaged: " + said})
	}
	return err
}
