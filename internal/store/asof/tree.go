package asof

import (
	"cmp"
	"math"
	"slices"

	"holdfast"
	"holdfast/internal/store"
)

// Collections implements [store.Tree].
func (v *View) Collections(id holdfast.ID) ([]holdfast.Collection, error) {
	a, err := v.there("Collections", id)
	if err != nil {
		return nil, err
	}
	all, err := v.base.Collections(id)
	if err != nil || !a.hides {
		return all, err
	}
	out := all[:0]
	for _, c := range all {
		was, err := v.collection(a, c)
		if holdfast.IsKind(err, holdfast.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, was)
	}
	return out, nil
}

// Collection implements [store.Tree].
func (v *View) Collection(id holdfast.ID) (holdfast.Collection, error) {
	c, err := v.base.Collection(id)
	if err != nil {
		return c, err
	}
	a, err := v.account(c.Account)
	if err != nil {
		return holdfast.Collection{}, err
	}
	return v.collection(a, c)
}

// Child implements [store.Tree].
func (v *View) Child(parent holdfast.ID, name string) (holdfast.Collection, error) {
	a, _, err := v.of(parent)
	if err != nil {
		return holdfast.Collection{}, err
	}
	if !a.moved { // all collections hang where they hung
		c, err := v.base.Child(parent, name)
		if err != nil {
			return c, err
		}
		return v.collection(a, c)
	}
	all, err := v.Collections(a.id)
	if err != nil {
		return holdfast.Collection{}, err
	}
	at := slices.IndexFunc(all, func(c holdfast.Collection) bool { return c.Parent == parent && c.Name == name && !c.Gone })
	if at < 0 || !slices.ContainsFunc(all, func(c holdfast.Collection) bool { return c.ID == parent && !c.Gone }) {
		return holdfast.Collection{}, missing("Child", name, "collection")
	}
	return all[at], nil
}

// collection takes what is passed over out of a collection again: each touched item counts as what it was. Errors: NotFound (it was not there yet).
func (v *View) collection(a *account, c holdfast.Collection) (holdfast.Collection, error) {
	t := a.colls[c.ID]
	if t == nil {
		return c, nil
	}
	last, err := v.ownEntry(a, t, &c)
	if err != nil {
		return holdfast.Collection{}, err
	}
	for _, name := range t.names {
		it := t.items[name]
		if it.op == holdfast.OpPut {
			c.Items, c.Octets = c.Items-1, c.Octets-it.size
		}
		if it.live() {
			c.Items, c.Octets = c.Items+1, c.Octets+it.was.Size
		}
		if it.was != nil {
			last = max(last, it.was.Seq)
		}
	}
	if c.Seq, err = v.last(c.ID, last, a.head.Seq); err != nil {
		return holdfast.Collection{}, err
	}
	h, err := v.base.Chain(a.id, c.Seq)
	c.Epoch, c.Chain = h.Epoch, h.Chain
	return c, err
}

// ownEntry makes of a collection what its own entry said, and returns its seq. One that is gone keeps what it had last.
func (v *View) ownEntry(a *account, t *coll, c *holdfast.Collection) (seq uint64, err error) {
	own := t.items[""]
	if own != nil && own.was == nil {
		return 0, missing("Collection", c.ID.String(), "collection")
	}
	var f store.Fields
	if own != nil {
		f = store.WithBody | store.WithProps
		c.Gone, c.Modified = own.was.Op == holdfast.OpDelete, own.was.At
	}
	err = v.base.Versions(c.ID, "", f, func(ch *holdfast.Change) (err error) {
		if ch.Seq > a.head.Seq {
			return nil
		}
		seq = max(seq, ch.Seq)
		if own == nil {
			return errEnough
		}
		if ch.Op != holdfast.OpPut {
			return nil
		}
		if c.CollectionRecord, err = holdfast.DecodeCollection(ch.Body); err != nil {
			return &holdfast.Error{Op: "store.Collection", Kind: holdfast.Corrupt, Ref: c.ID.String(), Err: err}
		}
		c.Properties = ch.Properties
		return errEnough
	})
	return seq, enough(err)
}

// last returns the newest seq up to high that some member of a collection still has, or low if there is none above it. What was touched has a seq above high. It asks for halves, as
// no read goes through a collection backwards.
func (v *View) last(id holdfast.ID, low, high uint64) (uint64, error) {
	next := func(after uint64) (seq uint64, err error) {
		seq = math.MaxUint64
		_, err = v.base.ChangesSince(id, after, 1, 0, func(r *holdfast.Resource) error { seq = r.Seq; return nil })
		return seq, err
	}
	for low < high {
		n, err := next(low)
		if err != nil || n > high {
			return low, err
		}
		low = n
		middle := low + (high-low+1)/2
		if n, err = next(middle - 1); err != nil {
			return low, err
		}
		if n <= high {
			low = n
		} else {
			high = middle - 1
		}
	}
	return low, nil
}

// Resource implements [store.Tree].
func (v *View) Resource(id holdfast.ID, name string, f store.Fields) (holdfast.Resource, error) {
	a, c, err := v.of(id)
	if err != nil {
		return holdfast.Resource{}, err
	}
	if c == nil || c.items[name] == nil {
		return v.base.Resource(id, name, f)
	}
	if !c.items[name].live() {
		return holdfast.Resource{}, missing("Resource", name, "resource")
	}
	r, err := v.resource(a, c.items[name], f)
	if err == nil && r.State == holdfast.Ghost && f&store.WithBody != 0 {
		return holdfast.Resource{}, store.Hollow("Resource", name)
	}
	return r, err
}

// ByUID implements [store.Tree].
func (v *View) ByUID(id holdfast.ID, uid string) (holdfast.Resource, error) {
	a, c, err := v.of(id)
	if err != nil {
		return holdfast.Resource{}, err
	}
	r, err := v.base.ByUID(id, uid)
	if c == nil || err != nil && !holdfast.IsKind(err, holdfast.NotFound) || err == nil && c.items[r.Name] == nil {
		return r, err
	}
	for _, name := range c.names {
		it := c.items[name]
		if !it.live() || uid == "" {
			continue
		}
		if r, err := v.resource(a, it, 0); err != nil || r.UID == uid {
			return r, err
		}
	}
	return holdfast.Resource{}, missing("ByUID", uid, "resource")
}

// List implements [store.Tree]. What is touched is put in between the others, by name.
func (v *View) List(id holdfast.ID, after string, limit int, f store.Fields, fn func(*holdfast.Resource) error) error {
	a, c, err := v.of(id)
	if err != nil {
		return err
	}
	if c == nil {
		return v.base.List(id, after, limit, f, fn)
	}
	left := noLimit(limit)
	give := func(r *holdfast.Resource) error {
		if left--; left < 0 {
			return errEnough
		}
		return fn(r)
	}
	at, found := slices.BinarySearch(c.names, after)
	if found {
		at++
	}
	names := c.names[at:]
	before := func(all bool, name string) error { // gives the touched ones that come before a name
		for ; len(names) > 0 && (all || names[0] < name); names = names[1:] {
			if err := v.giveLive(a, c.items[names[0]], f, left, give); err != nil {
				return err
			}
		}
		return nil
	}
	if limit > 0 {
		limit += len(names)
	}
	err = v.base.List(id, after, limit, f, func(r *holdfast.Resource) error {
		if err := before(false, r.Name); err != nil || c.items[r.Name] != nil {
			return err
		}
		return give(r)
	})
	if err == nil {
		err = before(true, "")
	}
	return enough(err)
}

// giveLive hands over a touched item if it was there and there is room for it.
func (v *View) giveLive(a *account, it *item, f store.Fields, left int, give func(*holdfast.Resource) error) error {
	if !it.live() {
		return nil
	}
	if left == 0 {
		return errEnough
	}
	r, err := v.resource(a, it, f)
	if err != nil {
		return err
	}
	return give(&r)
}

// Between implements [store.Tree].
func (v *View) Between(id holdfast.ID, from, to int64, f store.Fields, fn func(*holdfast.Resource) error) error {
	a, c, err := v.of(id)
	if err != nil {
		return err
	}
	if c == nil {
		return v.base.Between(id, from, to, f, fn)
	}
	if err := v.base.Between(id, from, to, f, func(r *holdfast.Resource) error {
		if c.items[r.Name] != nil {
			return nil
		}
		return fn(r)
	}); err != nil {
		return err
	}
	for _, name := range c.names {
		if err := v.giveLive(a, c.items[name], f, 1, func(r *holdfast.Resource) error {
			if !r.Times.Touches(from, to) {
				return nil
			}
			return fn(r)
		}); err != nil {
			return err
		}
	}
	return nil
}

// ChangesSince implements [store.Tree]. What is touched has the seq that it had; in the snapshot beneath it comes after all others.
func (v *View) ChangesSince(id holdfast.ID, seq uint64, limit int, f store.Fields, fn func(*holdfast.Resource) error) (more bool, err error) {
	a, c, err := v.of(id)
	if err != nil {
		return false, err
	}
	if c == nil {
		return v.base.ChangesSince(id, seq, limit, f, fn)
	}
	left := noLimit(limit)
	room := func() error {
		if left == 0 {
			more = true
			return errEnough
		}
		left--
		return nil
	}
	touched := c.since(seq)
	before := func(seq uint64) error {
		for ; len(touched) > 0 && touched[0].was.Seq < seq; touched = touched[1:] {
			if err := room(); err != nil {
				return err
			}
			r, err := v.resource(a, touched[0], f)
			if err != nil {
				return err
			}
			if err := fn(&r); err != nil {
				return err
			}
		}
		return nil
	}
	if limit > 0 {
		limit++ // one more tells whether there are more
	}
	past := false // what follows is touched
	_, err = v.base.ChangesSince(id, seq, limit, f, func(r *holdfast.Resource) error {
		if past = r.Seq > a.head.Seq; past {
			return errEnough
		}
		if err := cmp.Or(before(r.Seq), room()); err != nil {
			return err
		}
		return fn(r)
	})
	if err == nil || past {
		err = before(math.MaxUint64)
	}
	return more, enough(err)
}

// since returns the touched members that were changed above a seq before, by seq.
func (c *coll) since(seq uint64) (out []*item) {
	for _, name := range c.names {
		if it := c.items[name]; it.was != nil && it.was.Seq > seq {
			out = append(out, it)
		}
	}
	slices.SortFunc(out, func(a, b *item) int { return cmp.Compare(a.was.Seq, b.was.Seq) })
	return out
}

// resource returns a touched item as it was: live or a tombstone.
func (v *View) resource(a *account, it *item, f store.Fields) (r holdfast.Resource, err error) {
	w := it.was
	if w.Op == holdfast.OpPut {
		ask := f
		if it.index == nil && w.Name != "" {
			ask |= store.WithBody | store.WithType
		}
		if r, err = v.base.ResourceAt(w.Collection, w.Name, w.Seq, ask); err != nil || w.Name == "" {
			return r, err
		}
		if err = v.derive(it, &r); err != nil {
			return r, err
		}
		r.UID, r.Times = it.index.UID, it.index.Times
		if r.Pruned { // said of what was, and this is shown as what is
			r.State, r.Pruned = holdfast.Ghost, false
		}
		if f&store.WithBody == 0 {
			r.Body, r.Blob = nil, nil
		}
		if f&store.WithType == 0 {
			r.ContentType, r.Device = "", holdfast.ID{}
		}
		return r, nil
	}
	r = holdfast.Resource{Account: a.id, Collection: w.Collection, Name: w.Name, Kind: w.Kind, State: holdfast.Tombstone, Seq: w.Seq, Item: w.Item, Made: w.At, Modified: w.At}
	if f&store.WithType != 0 {
		r.ContentType, r.Device = w.ContentType, w.Actor.Device
	}
	old, err := v.base.ResourceAt(w.Collection, w.Name, w.Seq-1, 0) // what was deleted
	if holdfast.IsKind(err, holdfast.NotFound) {
		return r, nil
	}
	r.Made = old.Made
	return r, err
}

// derive finds what the index said of a touched item.
func (v *View) derive(it *item, r *holdfast.Resource) error {
	if it.index != nil {
		return nil
	}
	c, err := v.Collection(r.Collection)
	if err != nil {
		return err
	}
	x, ok := holdfast.Index{}, true
	switch {
	case r.Pruned: // nobody knows; what was there has its octets, unless something is wrong
		ok = false
	case v.o.Derive != nil:
		x, ok = v.o.Derive(&c, r)
	}
	if !ok {
		x = holdfast.Index{Times: holdfast.Times{Timed: true, First: math.MinInt64, Last: math.MaxInt64}}
	}
	if !x.Times.Timed {
		x.Times = holdfast.Times{}
	}
	it.index = &x
	return nil
}

// noLimit turns "0: all" into a number.
func noLimit(n int) int {
	if n <= 0 {
		return math.MaxInt
	}
	return n
}
