package memory

import (
	"context"
	"slices"

	"holdfast"
	"holdfast/internal/store"
)

// Commit implements [store.Engine]. The rules are judged in this order: the group's form; the account; Group.If; then entry by entry its collection, its
// precondition, its own rules; the allowance last. The first that fails is the answer.
func (e *Engine) Commit(ctx context.Context, g *holdfast.Group) (holdfast.Receipt, error) {
	return e.commit(ctx, g, (*commit).publish)
}

// Try answers as Commit would, and changes nothing.
func (e *Engine) Try(ctx context.Context, g *holdfast.Group) (holdfast.Receipt, error) {
	return e.commit(ctx, g, (*commit).undo)
}

// commit runs a group; end says what becomes of one that passed.
func (e *Engine) commit(ctx context.Context, g *holdfast.Group, end func(*commit)) (holdfast.Receipt, error) {
	if err := store.CheckGroup(g); err != nil {
		return holdfast.Receipt{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.usable(ctx, "Commit"); err != nil {
		return holdfast.Receipt{}, err
	}
	a, err := e.admit(g)
	if err != nil {
		return holdfast.Receipt{}, err
	}
	if !e.holds(g.If) {
		return holdfast.Receipt{}, fail(holdfast.PreconditionFailed, "", "A condition of the request does not hold.")
	}
	if met := replay(a.now(), g); met != nil {
		return receipt(a.changes[met.GroupEnd()-1], true), nil
	}
	tx := &commit{engine: e, account: a, before: a.now()}
	if err := tx.run(g); err != nil {
		tx.undo()
		return holdfast.Receipt{}, err
	}
	last := a.now().head()
	r := receipt(last, false)
	old := a.before(last)
	r.Created = last.Op == holdfast.OpPut && (old == nil || old.Op == holdfast.OpDelete)
	end(tx)
	return r, nil
}

// receipt is the promise for a group that ends with v. Who else holds it is for the core to add.
func receipt(v *version, replay bool) holdfast.Receipt {
	return holdfast.Receipt{Account: v.Account, Epoch: v.Epoch, Seq: v.Seq, Hash: v.Chain, Batch: v.batch, Replay: replay}
}

// admit returns the account, or a new one for a group that may found it.
func (e *Engine) admit(g *holdfast.Group) (*account, error) {
	if a := e.accounts[g.Account]; a != nil {
		return a, nil
	}
	if !store.CreatesAccount(g) {
		return nil, fail(holdfast.NotFound, g.Account.String(), "There is no such account. The first group of one begins with its root and holds its record.")
	}
	return &account{id: g.Account, collections: map[holdfast.ID]*collection{}}, nil
}

// holds judges an If header: one of its lists holds, and a list holds if all its conditions do.
func (e *Engine) holds(lists [][]holdfast.Condition) bool {
	return len(lists) == 0 || slices.ContainsFunc(lists, func(list []holdfast.Condition) bool {
		return !slices.ContainsFunc(list, func(c holdfast.Condition) bool { return e.condition(c) == c.Not })
	})
}

// condition judges one condition, Not left aside.
func (e *Engine) condition(c holdfast.Condition) bool {
	if c.Const {
		return c.Value
	}
	a := e.owners[c.Collection]
	if a == nil {
		return false
	}
	col := a.collections[c.Collection]
	if c.ETag != nil {
		it := a.now().live(col, c.Name)
		return it != nil && it.ETag == *c.ETag
	}
	return c.Seq != 0 && a.now().newest(col.log).Seq == c.Seq
}

// replay returns the change that a retry meets: the put's precondition fails, yet this very actor has put these very octets and properties there.
func replay(v view, g *holdfast.Group) *version {
	en := &g.Entries[0]
	c := v.collections[en.Collection]
	if len(g.Entries) != 1 || !en.Recurs() || c == nil || v.live(c, "") == nil {
		return nil
	}
	if en.Kind != holdfast.KindCollection && !v.reachable(c) {
		return nil
	}
	it := v.live(c, en.Name)
	if it == nil || it.Pruned || en.If.Check(true, it.ETag, it.Seq) {
		return nil
	}
	if it.ETag != en.ETag || !en.If.Bare && it.PropsHash != en.PropsHash || it.Actor != en.Actor {
		return nil
	}
	return it
}

// commit is one group on its way in. It works on the account itself; undo takes back what it did.
type commit struct {
	engine  *Engine
	account *account
	before  view     // the account before the group
	logins  []string // that the group claimed
}

func (tx *commit) run(g *holdfast.Group) error {
	octets := tx.before.octets()
	for i := range g.Entries {
		en := &g.Entries[i]
		c, err := tx.collection(en)
		if err != nil {
			return err
		}
		if err := tx.judge(c, en); err != nil {
			return err
		}
		if err := tx.add(c, en, en.Lost); err != nil {
			return err
		}
	}
	if after := tx.account.now().octets(); g.MaxOctets > 0 && after > g.MaxOctets && after > octets {
		return fail(holdfast.Quota, g.Account.String(), "The account would hold %d octets, its allowance is %d.", after, g.MaxOctets)
	}
	return nil
}

// collection returns the collection that the entry goes to: a live one, or, for a collection's own entry, any of the account's, or a new one.
func (tx *commit) collection(en *holdfast.Entry) (*collection, error) {
	if owner := tx.engine.owners[en.Collection]; owner != nil && owner != tx.account {
		return nil, fail(holdfast.Invalid, en.Collection.String(), "The collection belongs to another account.")
	}
	c, now := tx.account.collections[en.Collection], tx.account.now()
	switch {
	case en.Kind == holdfast.KindCollection && c == nil && en.Op == holdfast.OpPut:
		return &collection{id: en.Collection, items: map[string][]*version{}, uids: map[string][]string{}}, nil
	case c == nil, en.Kind != holdfast.KindCollection && !now.reachable(c):
		return nil, fail(holdfast.NotFound, en.Collection.String(), "There is no such collection.")
	}
	return c, nil
}

// judge applies the rules to one entry. c is empty if the entry is to make it.
func (tx *commit) judge(c *collection, en *holdfast.Entry) error {
	now := tx.account.now()
	live, etag, seq := false, holdfast.Hash{}, uint64(0)
	if it := now.item(c, en.Name); it != nil {
		live, etag, seq = it.Op == holdfast.OpPut, it.ETag, it.Seq
	}
	if !en.If.Check(live, etag, seq) {
		if !live && (len(en.If.Match) > 0 || en.If.Exists == holdfast.Present) {
			return fail(holdfast.NotFound, en.Name, "There is no such resource.")
		}
		return fail(holdfast.PreconditionFailed, en.Name, "The resource is not as the request demands: it was made, changed or deleted meanwhile; fetch it, then send the change again.")
	}
	if it := now.item(c, en.Name); en.If.Bare && live && !it.PropsHash.IsZero() {
		return &holdfast.Error{Op: "store.Commit", Kind: holdfast.PreconditionFailed, Ref: en.Name, Rule: holdfast.RuleBare, Text: "The resource has properties."}
	}
	switch {
	case en.Op == holdfast.OpDelete && !live:
		return fail(holdfast.NotFound, en.Name, "There is no such resource.")
	case en.Op == holdfast.OpDelete:
		return nil
	case en.Kind == holdfast.KindCollection:
		return tx.judgeCollection(now, c, en)
	case en.Kind == holdfast.KindAccount:
		if err := tx.claim(en); err != nil {
			return err
		}
	case en.Kind == holdfast.KindEpoch:
		head := now.head()
		if _, err := store.Begins(en, head.Epoch, head.Seq, head.Chain); err != nil {
			return err
		}
	}
	return judgeMember(now, c, en)
}

// judgeMember applies the rules to a put of a resource.
func judgeMember(now view, c *collection, en *holdfast.Entry) error {
	if now.child(c.id, en.Name) != nil {
		return fail(holdfast.Exists, en.Name, "A collection has this name.")
	}
	if en.Index.UID == "" {
		return nil
	}
	if old := now.live(c, en.Name); en.If.SameUID && old != nil && old.Index.UID != "" && old.Index.UID != en.Index.UID {
		return fail(holdfast.UIDConflict, en.Name, "The resource of this name has another UID; put this one under another name.")
	}
	for _, name := range c.uids[en.Index.UID] {
		if it := now.live(c, name); it != nil && name != en.Name && it.Index.UID == en.Index.UID {
			return fail(holdfast.UIDConflict, name, "Another resource of the collection has this UID; change that one, or give this one a UID of its own.")
		}
	}
	return nil
}

// judgeCollection applies the rules to a put of a collection's own entry.
func (tx *commit) judgeCollection(now view, c *collection, en *holdfast.Entry) error {
	r, err := holdfast.DecodeCollection(en.Body)
	if err != nil {
		return fail(holdfast.Invalid, "", "%v.", err)
	}
	if old := now.item(c, ""); old != nil && old.record.Type != r.Type {
		return fail(holdfast.Invalid, r.Name, "A collection's type is for ever: this one is of type %q.", old.record.Type)
	}
	if r.Type == holdfast.TypeRoot {
		return nil
	}
	if owner := tx.engine.owners[r.Parent]; owner != nil && owner != tx.account {
		return fail(holdfast.Invalid, r.Parent.String(), "The parent belongs to another account.")
	}
	parent := tx.account.collections[r.Parent]
	if parent == nil || now.live(parent, "") == nil {
		return fail(holdfast.NotFound, r.Parent.String(), "There is no such parent.")
	}
	for up := parent; up != nil; up = tx.account.collections[now.item(up, "").record.Parent] {
		if up.id == c.id {
			return fail(holdfast.Invalid, r.Name, "A collection cannot lie within itself.")
		}
	}
	if other := now.child(r.Parent, r.Name); other != nil && other.id != c.id {
		return fail(holdfast.Exists, r.Name, "Another collection has this name.")
	}
	if now.live(parent, r.Name) != nil {
		return fail(holdfast.Exists, r.Name, "A resource has this name.")
	}
	return nil
}

// claim takes the login of an account's record. Former logins stay aliases: nobody else ever gets one.
func (tx *commit) claim(en *holdfast.Entry) error {
	r, err := holdfast.DecodeAccount(en.Body)
	if err != nil {
		return fail(holdfast.Invalid, en.Name, "%v.", err)
	}
	if tx.engine.forever[holdfast.HashOf([]byte(r.Email))] {
		return fail(holdfast.Exists, r.Email, "This login was another account's.")
	}
	held, ok := tx.engine.logins[r.Email]
	if ok && held.account != tx.account.id {
		return fail(holdfast.Exists, r.Email, "This login is, or was, another account's.")
	}
	if !ok {
		tx.engine.logins[r.Email] = claim{tx.account.id, tx.engine.position().Batch + 1}
		tx.logins = append(tx.logins, r.Email)
	}
	return nil
}

// add appends the entry as the account's next change.
func (tx *commit) add(c *collection, en *holdfast.Entry, pruned bool) error {
	kept, err := keep(en)
	if err != nil {
		return fail(holdfast.Invalid, en.Name, "%v.", err)
	}
	if kept.Lost = false; pruned { // nobody knows its UID, nor when it takes place
		kept.Index = holdfast.Index{Times: store.Whenever}
	}
	a, now := tx.account, tx.account.now()
	v := &version{Change: holdfast.Change{Entry: kept, Account: a.id, Epoch: 1, Seq: now.at + 1, Pruned: pruned}, batch: tx.engine.position().Batch + 1}
	prev := holdfast.Hash{}
	if head := now.head(); head != nil {
		prev, v.Epoch = head.Chain, head.Epoch
	}
	if en.Kind == holdfast.KindEpoch && en.Op == holdfast.OpPut {
		r, err := holdfast.DecodeEpoch(en.Body)
		if err != nil {
			return fail(holdfast.Invalid, en.Name, "%v.", err)
		}
		v.Epoch = r.Epoch
	}
	v.Chain = holdfast.ChainHash(a.id, v.Epoch, v.Seq, prev, v.Hash)
	old := now.item(c, v.Name)
	v.follow(old, a)
	v.count(old, now.newest(c.log))

	a.changes = append(a.changes, v)
	a.collections[c.id], tx.engine.owners[c.id] = c, a
	c.items[v.Name] = append(c.items[v.Name], v)
	c.log = append(c.log, v)
	if uid := v.Index.UID; uid != "" && !slices.Contains(c.uids[uid], v.Name) {
		c.uids[uid] = append(c.uids[uid], v.Name)
	}
	return nil
}

// follow fills in what the change has from the item's version before, nil if there is none.
func (v *version) follow(old *version, a *account) {
	if old != nil {
		v.Prev = old.Seq
	}
	if old != nil && old.Op == holdfast.OpPut {
		v.Item, v.made = old.Item, old.made
	} else {
		a.created++
		v.Item, v.made = a.created, v.At
	}
	switch {
	case v.Kind != holdfast.KindCollection:
	case v.Op == holdfast.OpDelete:
		v.record, v.props = old.record, old.props
	default:
		v.record, _ = holdfast.DecodeCollection(v.Body) // judged before
		v.props = v.Properties
	}
}

// count moves the collection's totals on from those after last, nil if there are none yet.
func (v *version) count(old, last *version) {
	if last != nil {
		v.totals = last.totals
	}
	t := &v.totals
	if old != nil {
		t.sum = t.sum.Sub(old.hash())
	}
	t.sum = t.sum.Add(v.hash())
	if v.Name == "" {
		return
	}
	if old != nil && old.Op == holdfast.OpPut {
		t.items, t.octets = t.items-1, t.octets-old.Size
	}
	if v.Op == holdfast.OpPut {
		t.items, t.octets = t.items+1, t.octets+v.Size
	}
}

// publish makes the group part of the stream.
func (tx *commit) publish() {
	e, a := tx.engine, tx.account
	e.accounts[a.id] = a
	last := a.now().head()
	at := nextPosition(e.position(), []holdfast.GroupEnd{{Account: a.id, Chain: last.Chain}})
	e.batches = append(e.batches, batch{at: at, parts: []part{{a, int(tx.before.at), len(a.changes)}}})
	e.hand()
}

// undo takes the group's changes back, newest first.
func (tx *commit) undo() {
	e, a := tx.engine, tx.account
	for i := len(a.changes) - 1; i >= int(tx.before.at); i-- {
		v := a.changes[i]
		c := a.collections[v.Collection]
		c.items[v.Name] = c.items[v.Name][:len(c.items[v.Name])-1]
		c.log = c.log[:len(c.log)-1]
		if len(c.log) == 0 {
			delete(a.collections, c.id)
			delete(e.owners, c.id)
		}
		if old := a.before(v); old == nil || old.Op == holdfast.OpDelete {
			a.created--
		}
		a.changes = a.changes[:i]
	}
	for _, login := range tx.logins {
		delete(e.logins, login)
	}
}

// before returns the version that v took the place of, nil if there was none.
func (a *account) before(v *version) *version {
	if v.Prev == 0 {
		return nil
	}
	return a.changes[v.Prev-1]
}
