package memory

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/store"
)

// view is an account as of a seq. Whatever reads the model, a rule inside a commit or a listing of last month, reads it through a view.
type view struct {
	*account
	at uint64
}

// now is the account with every change so far, those of a running commit included.
func (a *account) now() view { return view{a, uint64(len(a.changes))} }

// head returns the newest change; nil where there is none yet.
func (v view) head() *version {
	if v.at == 0 {
		return nil
	}
	return v.changes[v.at-1]
}

// newest returns the newest of vs that the view sees; nil where there is none.
func (v view) newest(vs []*version) *version {
	if n := search(vs, v.at); n > 0 {
		return vs[n-1]
	}
	return nil
}

// item returns the newest version of an item, live or not; nil if it never was.
func (v view) item(c *collection, name string) *version { return v.newest(c.items[name]) }

// live returns the item if it is there, nil if not.
func (v view) live(c *collection, name string) *version {
	if it := v.item(c, name); it != nil && it.Op == holdfast.OpPut {
		return it
	}
	return nil
}

// exists returns the collection if it is there, gone or not; nil if it is not there yet.
func (v view) exists(id holdfast.ID) *collection {
	if c := v.collections[id]; c != nil && v.item(c, "") != nil {
		return c
	}
	return nil
}

// child returns the live collection called name in parent.
func (v view) child(parent holdfast.ID, name string) *collection {
	for _, c := range v.collections {
		if own := v.live(c, ""); own != nil && own.record.Parent == parent && own.record.Name == name {
			return c
		}
	}
	return nil
}

// byUID returns the live resource that has the UID.
func (v view) byUID(c *collection, uid string) *version {
	for _, name := range c.uids[uid] {
		if it := v.live(c, name); it != nil && it.Index.UID == uid {
			return it
		}
	}
	return nil
}

// list returns the live members above after, by name.
func (v view) list(c *collection, after string) []*version {
	var out []*version
	for name := range c.items {
		if it := v.live(c, name); it != nil && name != "" && name > after {
			out = append(out, it)
		}
	}
	slices.SortFunc(out, func(a, b *version) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// between returns the live members that take place before to and have not ended before from.
func (v view) between(c *collection, from, to int64) []*version {
	return slices.DeleteFunc(v.list(c, ""), func(it *version) bool { return !it.Index.Times.Touches(from, to) })
}

// since returns the members that changed above seq, each as it is now, by seq.
func (v view) since(c *collection, seq uint64) []*version {
	var out []*version
	for _, it := range c.log[search(c.log, min(seq, v.at)):search(c.log, v.at)] { // the log may have gone on since
		if it.Name != "" && v.item(c, it.Name) == it {
			out = append(out, it)
		}
	}
	return out
}

// describe returns the collection as the world sees it.
func (v view) describe(c *collection) holdfast.Collection {
	own, last := v.item(c, ""), v.newest(c.log)
	return holdfast.Collection{
		CollectionRecord: own.record, ID: c.id, Account: v.id, Gone: own.Op == holdfast.OpDelete,
		Seq: last.Seq, Chain: last.Chain, Epoch: last.Epoch,
		Items: last.totals.items, Octets: last.totals.octets,
		Made: c.log[0].At, Modified: own.At, Properties: own.props,
	}
}

// all returns the collections by id, the gone ones included.
func (v view) all() []*collection {
	var out []*collection
	for _, id := range slices.SortedFunc(maps.Keys(v.collections), holdfast.ID.Compare) {
		if c := v.exists(id); c != nil {
			out = append(out, c)
		}
	}
	return out
}

// ghosts counts the live items that came without octets.
func (v view) ghosts() (n int64) {
	for _, c := range v.all() {
		if v.live(c, "") == nil {
			continue
		}
		for name := range c.items {
			if it := v.live(c, name); name != "" && it != nil && it.Pruned {
				n++
			}
		}
	}
	return n
}

// octets returns the live octets of the account: those of the members of all its collections.
func (v view) octets() int64 {
	var n int64
	for _, c := range v.collections {
		if last := v.newest(c.log); last != nil && v.reachable(c) {
			n += last.totals.octets
		}
	}
	return n
}

// reachable tells whether neither the collection nor one above it is gone.
func (v view) reachable(c *collection) bool {
	for c != nil {
		own := v.item(c, "")
		if own == nil || own.Op == holdfast.OpDelete {
			return false
		}
		c = v.collections[own.record.Parent]
	}
	return true
}

// digest returns the account's content in two hashes.
func (v view) digest() holdfast.Digest {
	var sums []holdfast.CollectionSum
	for _, c := range v.all() {
		own, t := v.item(c, ""), v.newest(c.log).totals
		sums = append(sums, holdfast.CollectionSum{ID: c.id, Parent: own.record.Parent, Gone: own.Op == holdfast.OpDelete,
			Items: t.items, Octets: t.octets, Sum: t.sum})
	}
	head := v.head()
	return holdfast.Digest{Epoch: head.Epoch, Seq: head.Seq, Chain: head.Chain, State: holdfast.StateHash(v.id, sums)}
}

// state returns whether the item is there after this change.
func (v *version) state() holdfast.State {
	if v.Op == holdfast.OpDelete {
		return holdfast.Tombstone
	}
	return holdfast.Live
}

// hash returns the item's part of its collection's sum.
func (v *version) hash() holdfast.Hash {
	return holdfast.ItemHash(v.Collection, v.Name, v.Seq, v.state(), v.At, v.ETag, v.PropsHash)
}

// resource returns the item as the world sees it.
func (v *version) resource(f store.Fields) *holdfast.Resource {
	r := &holdfast.Resource{
		Account: v.Account, Collection: v.Collection, Name: v.Name, Kind: v.Kind, State: v.state(), ETag: v.ETag, Size: v.Size,
		Seq: v.Seq, Item: v.Item, Made: v.made, Modified: v.At, UID: v.Index.UID, Times: v.Index.Times, PropsHash: v.PropsHash,
	}
	if f&store.WithType != 0 {
		r.ContentType, r.Device = v.ContentType, v.Actor.Device
	}
	if f&store.WithProps != 0 {
		r.Properties = v.Properties
	}
	if f&store.WithBody != 0 {
		r.Body, r.Blob = v.Body, v.Blob
	}
	r.Pruned = v.Pruned
	return r
}

// change returns the change as it was journaled: what is not journaled is left out, so that nobody leans on it. A blob's name stays, asked for or
// not: it is part of the canonical entry, and without it the chain could not be verified.
func (v *version) change(f store.Fields) *holdfast.Change {
	c := v.Change
	c.Index, c.If = holdfast.Index{}, holdfast.Precondition{}
	if f&store.WithBody == 0 {
		c.Body = nil
	}
	return &c
}

// keep returns a copy of the entry that shares nothing with its maker.
func keep(e *holdfast.Entry) (holdfast.Entry, error) {
	k := *e
	k.Body, k.PropsRaw, k.Index = bytes.Clone(e.Body), bytes.Clone(e.PropsRaw), keepIndex(e)
	k.If = holdfast.Precondition{}
	if e.Blob != nil {
		b := *e.Blob
		k.Blob = &b
	}
	var err error
	k.Properties, err = holdfast.DecodeProperties(k.PropsRaw)
	return k, err
}

// keepIndex returns what is kept of an entry's index: nothing of what is deleted, and no times of what has none.
func keepIndex(e *holdfast.Entry) (x holdfast.Index) {
	if e.Op == holdfast.OpDelete {
		return x
	}
	x.UID = e.Index.UID
	if t := e.Index.Times; t.Timed {
		x.Times = t
		x.Times.Months = append([]byte(nil), t.Months...)
	}
	return x
}
