package sqlite

import (
	"context"
	"fmt"

	"holdfast"
	"holdfast/internal/store"
)

// checkAccount derives the account's state from its journal and compares it with everything that is kept beside it. It returns how many logins the account has or had.
// UIDs and times are in no journal: derive makes them from the octets again.
func (e *Engine) checkAccount(ctx context.Context, id holdfast.ID, octets bool, derive store.Derive, report func(store.Finding)) (logins int, err error) {
	snap, err := e.Snapshot(ctx)
	if err != nil {
		return 0, err
	}
	defer snap.Close()
	s := snap.(*snapshot)
	acct, err := s.accountKey(id)
	if err != nil {
		return 0, err
	}
	a := &audit{s: s, account: id, acct: acct, octets: octets, judge: derive, report: report,
		items: map[place]*derived{}, books: map[holdfast.ID]*shelf{}, logins: map[string]bool{}, epochs: map[uint64]bool{}}
	s.deadline = s.deadline.Add(checkPatience)
	if err := s.read(qChangesAfter, func(r Stmt) error { return a.change(scanChange(s.c, r, id)) }, acct, 0, noLimit(0)); err != nil {
		return 0, err
	}
	if a.seq == 0 {
		a.find(nil, "the account has no journal")
	}
	if err := a.names(); err != nil {
		return 0, err
	}
	return len(a.logins), a.index(ctx)
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
	judge   store.Derive
	report  func(store.Finding)
	seq     uint64
	chain   holdfast.Hash
	made    int64 // items ever made
	items   map[place]*derived
	books   map[holdfast.ID]*shelf
	logins  map[string]bool
	epochs  map[uint64]bool
	buf     []byte // a body
}

// derived is an item's row as the journal makes it.
type derived struct {
	change *holdfast.Change
	row    item
}

// shelf is a collection's row as the journal makes it.
type shelf struct {
	record     holdfast.CollectionRecord
	gone       bool
	made       int64
	seq, epoch uint64
	chain      holdfast.Hash
}

func (a *audit) find(ch *holdfast.Change, format string, args ...any) {
	f := store.Finding{Account: a.account, What: fmt.Sprintf(format, args...)}
	if ch != nil {
		f.Collection, f.Name, f.Seq = ch.Collection, ch.Name, ch.Seq
	}
	a.report(f)
}

// change checks one change of the journal, in order, and moves the derived state on.
func (a *audit) change(x row) error {
	f := store.Fields(0)
	if a.octets || x.change.Kind == holdfast.KindCollection || x.change.Kind == holdfast.KindAccount {
		f = store.WithBody
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
	if f&store.WithBody != 0 && ch.Op == holdfast.OpPut && ch.Blob == nil && !ch.Pruned && holdfast.HashOf(ch.Body) != ch.ETag {
		a.find(ch, "the octets are not those that were stored")
	}
	if ch.Pruned && !ch.Prunable() {
		a.find(ch, "its octets were let go of, and must not be: it is a record, or had none")
	}
	a.derive(x)
	ch.Body, ch.PropsRaw = nil, nil
	a.seq, a.chain = ch.Seq, ch.Chain
	a.epochs[ch.Epoch] = true
	return nil
}

// derive moves the item, its collection and the logins on.
func (a *audit) derive(x row) {
	ch, at := x.change, place{x.change.Collection, x.change.Name}
	old := a.items[at]
	if old == nil {
		old = &derived{}
	}
	if ch.Prev != old.row.seq {
		a.find(ch, "the version before it is %d, not %d", old.row.seq, ch.Prev)
	}
	now := changeItem(ch)
	now.lsn, now.kind, now.item, now.made = x.lsn, ch.Kind, old.row.item, old.row.made
	if ch.Op == holdfast.OpPut && !old.row.live() {
		a.made++
		now.item, now.made = a.made, now.at
	}
	if int64(ch.Item) != now.item || x.items != a.made {
		a.find(ch, "it says that it is item %d of %d, the journal makes it %d of %d", ch.Item, x.items, now.item, a.made)
	}
	a.items[at] = &derived{ch, now}
	a.shelve(ch)
	if ch.Kind == holdfast.KindAccount && ch.Op == holdfast.OpPut {
		if rec, err := holdfast.DecodeAccount(ch.Body); err != nil {
			a.find(ch, "the account's record cannot be read: %v", err)
		} else {
			a.logins[rec.Email] = true
		}
	}
}

func (a *audit) shelve(ch *holdfast.Change) {
	b := a.books[ch.Collection]
	if b == nil {
		b = &shelf{made: ch.At.UnixMicro()}
		a.books[ch.Collection] = b
	}
	b.seq, b.epoch, b.chain = ch.Seq, ch.Epoch, ch.Chain
	if ch.Name != "" {
		return
	}
	b.gone = ch.Op == holdfast.OpDelete
	if b.gone {
		return
	}
	var err error
	if b.record, err = holdfast.DecodeCollection(ch.Body); err != nil {
		a.find(ch, "the collection's record cannot be read: %v", err)
	}
}

// names checks that every login leads here, and that every epoch is known.
func (a *audit) names() error {
	for login := range a.logins {
		var holder int64
		if _, err := a.s.one(qAccountByLogin, func(x Stmt) { holder = x.Int(1) }, login); err != nil {
			return err
		}
		if holder != a.acct {
			a.find(nil, "the login %s does not lead to this account", login)
		}
	}
	for epoch := range a.epochs {
		found, err := a.s.one(qEpoch, func(Stmt) {}, a.acct, epoch)
		if err != nil {
			return err
		}
		if !found {
			a.find(nil, "epoch %d is not recorded", epoch)
		}
	}
	return nil
}

// index compares what the journal says with the rows of the index and the sums.
func (a *audit) index(ctx context.Context) error {
	rows := map[int64]*collection{}
	if err := a.s.read(qCollectionsOf, func(x Stmt) error {
		c := scanCollection(a.s.c, x)
		rows[c.key] = c
		return nil
	}, a.acct); err != nil {
		return err
	}
	for _, c := range rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		a.shelf(c, rows[c.parent])
		if err := a.members(c); err != nil {
			return err
		}
	}
	for at, d := range a.items {
		a.find(d.change, "%q is in the journal but not in the index of collection %s", at.name, at.collection)
	}
	return nil
}

// shelf compares a collection's row.
func (a *audit) shelf(c, parent *collection) {
	at := &holdfast.Change{Entry: holdfast.Entry{Collection: c.id}}
	b := a.books[c.id]
	if b == nil {
		a.find(at, "the collection is not in the journal")
		return
	}
	var up holdfast.ID
	if parent != nil {
		up = parent.id
	}
	same := c.gone == b.gone && c.made == b.made && c.name == b.record.Name && c.typ == b.record.Type && up == b.record.Parent
	if !same {
		a.find(at, "the collection is not where and what the journal says")
	}
	if c.seq != b.seq || c.epoch != b.epoch || c.chain != b.chain {
		a.find(at, "the collection's last change is not the one that the journal has")
	}
}

// members compares the items of a collection, and its counts and sum.
func (a *audit) members(c *collection) error {
	var sum holdfast.Sum
	var items, octets int64
	about := a.about(c)
	err := a.s.read(qItems, func(x Stmt) error {
		it := scanItem(a.s.c, x)
		span := x.Int(resourceWidth)
		at := place{c.id, it.name}
		d := a.items[at]
		if d == nil {
			a.find(&holdfast.Change{Entry: holdfast.Entry{Collection: c.id, Name: it.name}, Seq: it.seq}, "it is in the index but not in the journal")
			return nil
		}
		want := d.row
		if it.live() {
			want.uid, want.times = it.uid, it.times
		}
		if it.state == holdfast.Ghost && d.change.Pruned {
			want.state = it.state
		}
		if want != it {
			a.find(d.change, "the index does not say what the journal says")
		}
		if x.IsNull(resourceWidth) == it.times.timed || it.times.timed && span != it.times.span() {
			a.find(d.change, "the index does not find it at its time")
		}
		switch {
		case d.change.Pruned && it.state == holdfast.Ghost:
			a.report(store.Finding{Account: a.account, Collection: c.id, Name: it.name, Seq: it.seq, What: store.GhostFound, Lost: true})
		case d.change.Pruned:
			a.find(d.change, "its octets were let go of, and must not be: it is there now")
		}
		delete(a.items, at)
		if about != nil && it.live() && it.name != "" {
			if err := a.derived(about, it, d.change); err != nil {
				return err
			}
		}
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

// about returns the collection for whoever derives what the index should say of its members; nil where nobody does, or where it cannot be read.
func (a *audit) about(c *collection) *holdfast.Collection {
	if !a.octets || a.judge == nil {
		return nil
	}
	whole, err := a.s.whole(c, a.account, a.acct)
	if err != nil {
		return nil // what is wrong with it was found in the journal
	}
	return &whole
}

// derived compares what the index says of an item's octets with what they say.
func (a *audit) derived(c *holdfast.Collection, it item, ch *holdfast.Change) error {
	r := it.resource(a.account, c.ID)
	err := a.s.complete(&r, it.lsn, store.WithBody|store.WithType, &a.buf)
	if holdfast.IsKind(err, holdfast.Corrupt) || err == nil && (r.Blob != nil || r.State == holdfast.Ghost) {
		return nil // a missing change was found before
	}
	if err != nil {
		return err
	}
	if want, ok := a.judge(c, &r); ok {
		for _, what := range store.Misfit(&r, want) {
			a.find(ch, "%s", what)
		}
	}
	return nil
}
