// Package asof shows a snapshot of a store as it was after an earlier batch of its stream: what came later is passed over, wherever it would be seen.
//
// It is made of the contract's own reads and works over every engine. An account of which nothing is passed over is read as ever. Of another one the changes to be passed over are
// read once: they name the items that must be shown as they were (the touched ones), and the journal has each of their versions. All other items have been as they are now, because an item's newest
// change is what the index says of it. So the cost grows with what is passed over, which is little: what is on its way to a vault.
//
// Two things are no journal's: what the index says of octets ([holdfast.Index]), which is derived again, and sightings, which are always the newest.
package asof

import (
	"errors"
	"slices"
	"sort"

	"holdfast"
	"holdfast/internal/store"
)

// Limit is the most changes of one account that are passed over; an account with more is Unavailable.
const Limit = 4096

// Options say what a view shows.
type Options struct {
	// Batch is the newest batch that is shown.
	Batch uint64
	// Since is a batch up to which nothing may be passed over, because who reads may have seen it: an account of which something would be is Unavailable. 0: there is none.
	Since uint64
	// Derive says what the index should say of a live member's octets. Where it does not know, the member has no UID and takes place at all times: rather found too often.
	Derive store.Derive
}

// View is a snapshot as of an earlier batch. It is used as the snapshot that it is made of, and instead of it.
type View struct {
	base     store.Snapshot
	o        Options
	accounts map[holdfast.ID]*account
	owners   map[holdfast.ID]*account // of collections, as they were met
}

var _ store.Snapshot = (*View)(nil)

// New makes a view of an open snapshot, which it closes with itself.
func New(snap store.Snapshot, o Options) *View {
	return &View{base: snap, o: o, accounts: map[holdfast.ID]*account{}, owners: map[holdfast.ID]*account{}}
}

// Newest returns the snapshot beneath, which passes nothing over.
func (v *View) Newest() store.Snapshot { return v.base }

// Hides tells whether something of an account is passed over.
func (v *View) Hides(id holdfast.ID) (bool, error) {
	a, err := v.account(id)
	return err == nil && a.hides, err
}

// HidesRecords tells whether records of an account or own entries of its collections are among what is passed over: what is read of an account once and remembered.
func (v *View) HidesRecords(id holdfast.ID) (bool, error) {
	a, err := v.account(id)
	return err == nil && a.records, err
}

// Close implements [store.Snapshot].
func (v *View) Close() { v.base.Close() }

// account is what is passed over of an account.
type account struct {
	id     holdfast.ID
	hides  bool       // something is
	head   store.Head // the newest change that is shown; seq 0: none, the account is not there yet
	colls  map[holdfast.ID]*coll
	moved  bool // a collection's own entry is touched
	record bool // the account's record is

	records bool // anything is that no face stores: a record of the root, or a collection's own entry
}

// coll is what is touched in a collection.
type coll struct {
	items map[string]*item
	names []string // of its members, by octet order
}

// item is a touched one.
type item struct {
	was   *holdfast.Change // its newest version that is shown; nil: there was none
	op    holdfast.Op      // of its newest version
	size  int64            // likewise
	index *holdfast.Index  // of was, once it was derived
}

// live tells whether the item was there.
func (i *item) live() bool { return i.was != nil && i.was.Op == holdfast.OpPut }

// errEnough ends a read that has all it needs.
var errEnough = errors.New("asof: enough")

func enough(err error) error {
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// missing says what an engine says, so that nobody sees from the answer that something is passed over.
func missing(op, ref, what string) error {
	return store.Err(op, holdfast.NotFound, ref, "there is no such "+what)
}

func unavailable(id holdfast.ID, text string) error {
	return &holdfast.Error{Op: "store.AsOf", Kind: holdfast.Unavailable, Ref: id.String(), Text: text}
}

// account finds out what is passed over of an account. One that the store does not have hides nothing: whoever reads it learns that.
func (v *View) account(id holdfast.ID) (*account, error) {
	if a := v.accounts[id]; a != nil {
		return a, nil
	}
	a := &account{id: id}
	newest, err := v.base.Head(id)
	if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
		return nil, err
	}
	if err == nil && newest.Batch > v.o.Batch {
		if err := v.passOver(a, newest); err != nil {
			return nil, err
		}
	}
	v.accounts[id] = a
	return a, nil
}

// passOver reads what is above the view's batch.
func (v *View) passOver(a *account, newest store.Head) (err error) {
	a.hides = true
	n := sort.Search(int(min(newest.Seq, Limit+1)), func(back int) bool {
		h, e := v.base.Chain(a.id, newest.Seq-uint64(back))
		err = errors.Join(err, e)
		return e != nil || h.Batch <= v.o.Batch
	})
	if err != nil {
		return err
	}
	if n > Limit {
		return unavailable(a.id, "more changes are on their way to a copy than can be passed over, and they are not shown before; try again")
	}
	first := newest.Seq - uint64(n) + 1 // the lowest seq that is passed over
	lowest, err := v.base.Chain(a.id, first)
	if err != nil {
		return err
	}
	if lowest.Batch <= v.o.Since {
		return unavailable(a.id, "changes from before the last start have not reached every copy that they must reach; try again")
	}
	if first > 1 {
		if a.head, err = v.base.Chain(a.id, first-1); err != nil {
			return err
		}
	}
	return v.touch(a)
}

// touch collects the items of the changes that are passed over, and what they were before.
func (v *View) touch(a *account) error {
	a.colls = map[holdfast.ID]*coll{}
	prev := map[*item]uint64{}
	err := v.base.Changes(a.id, a.head.Seq, 0, 0, func(ch *holdfast.Change) error {
		c := a.colls[ch.Collection]
		if c == nil {
			c = &coll{items: map[string]*item{}}
			a.colls[ch.Collection] = c
		}
		it := c.items[ch.Name]
		if it == nil { // the first that is passed over says which version was before
			it = &item{}
			c.items[ch.Name], prev[it] = it, ch.Prev
			if ch.Name != "" {
				c.names = append(c.names, ch.Name)
			}
		}
		it.op, it.size = ch.Op, ch.Size
		a.moved = a.moved || ch.Name == ""
		a.record = a.record || ch.Kind == holdfast.KindAccount
		a.records = a.records || ch.Kind <= holdfast.KindCollection
		return nil
	})
	for it, seq := range prev {
		if err == nil && seq != 0 {
			it.was, err = v.version(a.id, seq, 0)
		}
	}
	for _, c := range a.colls {
		slices.Sort(c.names)
	}
	return err
}

// version returns the change of an account that has a seq.
func (v *View) version(id holdfast.ID, seq uint64, f store.Fields) (out *holdfast.Change, err error) {
	err = v.base.Changes(id, seq-1, 1, f, func(ch *holdfast.Change) error {
		x := *ch
		x.Body = slices.Clone(ch.Body)
		out = &x
		return nil
	})
	if err == nil && (out == nil || out.Seq != seq) {
		err = &holdfast.Error{Op: "store.AsOf", Kind: holdfast.Corrupt, Ref: id.String(), Text: "a change of the journal is missing"}
	}
	return out, err
}

// of returns the account that a collection belongs to, and what is touched in it, which is nil if nothing is. Errors: NotFound, also for a collection that was not there yet.
func (v *View) of(id holdfast.ID) (*account, *coll, error) {
	a := v.owners[id]
	if a == nil {
		own, err := v.base.Resource(id, "", 0) // cheaper than the collection
		if holdfast.IsKind(err, holdfast.NotFound) {
			var c holdfast.Collection
			c, err = v.base.Collection(id)
			own.Account = c.Account
		}
		if err != nil {
			return nil, nil, err
		}
		if a, err = v.account(own.Account); err != nil {
			return nil, nil, err
		}
		v.owners[id] = a
	}
	c := a.colls[id]
	if c != nil && c.items[""] != nil && c.items[""].was == nil {
		return a, c, missing("Collection", id.String(), "collection")
	}
	return a, c, nil
}
