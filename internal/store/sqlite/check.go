package sqlite

import (
	"context"
	"fmt"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// Check implements [store.Engine]. Each account is read in a snapshot of its own, so that the log can be reset in between.
func (e *Engine) Check(ctx context.Context, octets bool, report func(store.Finding)) error {
	if err := e.checkFile(ctx, report); err != nil {
		return err
	}
	var after holdfast.ID
	for {
		ids, err := e.nextAccounts(ctx, after)
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			if err := e.checkAccount(ctx, id, octets, report); err != nil {
				return err
			}
			after = id
		}
	}
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

// checkFile lets SQLite look at its own structure.
func (e *Engine) checkFile(ctx context.Context, report func(store.Finding)) error {
	snap, err := e.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer snap.Close()
	said, err := snap.(*snapshot).c.text("PRAGMA quick_check(1)")
	if err == nil && said != "ok" {
		report(store.Finding{What: "the database file is damaged: " + said})
	}
	return err
}

// checkAccount derives the account's state from its journal and compares it with the index.
func (e *Engine) checkAccount(ctx context.Context, id holdfast.ID, octets bool, report func(store.Finding)) error {
	snap, err := e.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer snap.Close()
	s := snap.(*snapshot)
	acct, err := s.accountKey(id)
	if err != nil {
		return err
	}
	a := &audit{s: s, account: id, acct: acct, octets: octets, report: report, last: map[place]*holdfast.Change{}}
	s.deadline = s.deadline.Add(checkPatience)
	if err := s.read(qChangesAfter, func(r Stmt) error { return a.change(scanChange(s.c, r, id)) }, acct, 0, noLimit(0)); err != nil {
		return err
	}
	return a.index(ctx)
}

type place struct {
	collection holdfast.ID
	name       string
}

// audit is the check of one account.
type audit struct {
	s       *snapshot
	account holdfast.ID
	acct    int64
	octets  bool
	report  func(store.Finding)
	seq     uint64
	chain   holdfast.Hash
	last    map[place]*holdfast.Change
}

func (a *audit) find(ch *holdfast.Change, format string, args ...any) {
	f := store.Finding{Account: a.account, What: fmt.Sprintf(format, args...)}
	if ch != nil {
		f.Collection, f.Name, f.Seq = ch.Collection, ch.Name, ch.Seq
	}
	a.report(f)
}

// change checks one change of the journal, in order.
func (a *audit) change(x row) error {
	f := store.Fields(0)
	if a.octets {
		f = withBody
	}
	if err := a.s.finish(x, f); err != nil {
		return err
	}
	ch := x.change
	if ch.Seq != a.seq+1 {
		a.find(ch, "the journal goes from %d to %d", a.seq, ch.Seq)
	}
	if want := holdfast.ChainHash(a.account, ch.Epoch, ch.Seq, a.chain, ch.Hash); want != ch.Chain {
		a.find(ch, "the chain breaks: the change is not what was committed")
	}
	if a.octets && ch.Op == holdfast.OpPut && ch.Blob == nil && holdfast.HashOf(ch.Body) != ch.ETag {
		a.find(ch, "the octets are not those that were stored")
	}
	at := place{ch.Collection, ch.Name}
	prev := uint64(0)
	if old := a.last[at]; old != nil {
		prev = old.Seq
	}
	if ch.Prev != prev {
		a.find(ch, "the version before it is %d, not %d", prev, ch.Prev)
	}
	ch.Body, ch.PropsRaw = nil, nil
	a.seq, a.chain, a.last[at] = ch.Seq, ch.Chain, ch
	return nil
}

// index compares what the journal says with the rows of the index and the sums.
func (a *audit) index(ctx context.Context) error {
	var rows []*collection
	if err := a.s.read(qCollectionsOf, func(x Stmt) error {
		rows = append(rows, scanCollection(a.s.c, x))
		return nil
	}, a.acct); err != nil {
		return err
	}
	for _, c := range rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := a.collection(c); err != nil {
			return err
		}
	}
	for at, ch := range a.last {
		a.find(ch, "%q is in the journal but not in the index of collection %s", at.name, at.collection)
	}
	return nil
}

func (a *audit) collection(c *collection) error {
	var sum holdfast.Sum
	var items, octets int64
	err := a.s.read(qItems, func(x Stmt) error {
		it := scanItem(a.s.c, x)
		at := place{c.id, it.name}
		ch := a.last[at]
		if ch == nil {
			a.find(&holdfast.Change{Entry: holdfast.Entry{Collection: c.id, Name: it.name}, Seq: it.seq}, "it is in the index but not in the journal")
			return nil
		}
		if want := changeItem(ch).hash(c.id); want != it.hash(c.id) || it.size != ch.Size {
			a.find(ch, "the index does not say what the journal says")
		}
		delete(a.last, at)
		sum = sum.Add(it.hash(c.id))
		if it.live() && it.name != "" {
			items, octets = items+1, octets+it.size
		}
		return nil
	}, c.key)
	if err != nil {
		return err
	}
	if sum != c.sum || items != c.items || octets != c.octets {
		a.find(&holdfast.Change{Entry: holdfast.Entry{Collection: c.id}}, "the collection's sum does not fit its items: %d items of %d octets counted, %d of %d recorded", items, octets, c.items, c.octets)
	}
	return nil
}
