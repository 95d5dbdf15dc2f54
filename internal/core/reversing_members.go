package core

import (
	"context"
	"slices"

	"holdfast"
	"holdfast/internal/store"
)

// A reversal's groups hold at most so many resources, and about so many octets: they are in memory at once. The rest of a group is for what stands in the way of others.
const (
	reversedAtOnce = 900
	reversedOctets = 16 << 20
)

// members brings the resources back, in groups.
func (x *reversing) members(ctx context.Context) error {
	for len(x.queue) > 0 {
		if err := x.put(ctx, x.next(), x.dry); err != nil {
			return err
		}
		x.queue = slices.DeleteFunc(x.queue, func(m *member) bool { return m.done })
		if x.tell != nil {
			x.tell(Progress{Done: x.total - len(x.queue), Total: x.total})
		}
	}
	return nil
}

// next returns the resources for the next group. What was changed together goes back together, if it fits: both ends of a MOVE.
func (x *reversing) next() []*member {
	n, octets := 0, int64(0)
	for n < len(x.queue) && n < reversedAtOnce && (n == 0 || octets+x.queue[n].was.size <= reversedOctets) {
		octets += x.queue[n].was.size
		n++
	}
	if n < len(x.queue) {
		for k := n; k > 0; k-- {
			if x.queue[k-1].now.end != x.queue[k].now.end {
				n = k
				break
			}
		}
	}
	return slices.Clone(x.queue[:n])
}

// pending counts what is yet to be done.
func (x *reversing) pending() (n int) {
	for _, m := range x.queue {
		if !m.done {
			n++
		}
	}
	return n
}

// put brings some resources back in one group. What was changed since is left, and the others are tried again; where it is not known which one keeps a group from being committed, smaller ones are
// tried. careful looks for what stands in the way of others before the commit finds it.
func (x *reversing) put(ctx context.Context, list []*member, careful bool) error {
	b, err := x.build(ctx, list, careful)
	if err != nil || len(b.members) == 0 {
		return err
	}
	if !x.dry {
		_, err = x.commit(ctx, b.entries, nil, b.counted(x.record), x.pending() == len(b.members))
	}
	switch {
	case err == nil:
		x.finish(b.members)
		return nil
	case !between(err) && !ofOne(err) || ctx.Err() != nil:
		return err
	}
	stay, err2 := x.unchanged(ctx, b.members)
	switch {
	case err2 != nil:
		return err2
	case len(stay) < len(b.members):
		return x.put(ctx, stay, careful)
	case !careful:
		return x.put(ctx, stay, true)
	case len(stay) == 1:
		x.leave(stay[0], sentenceOf(err))
		return nil
	}
	if err := x.put(ctx, stay[:len(stay)/2], true); err != nil {
		return err
	}
	return x.put(ctx, slices.DeleteFunc(stay[len(stay)/2:], func(m *member) bool { return m.done }), true)
}

func sentenceOf(err error) string { return "it cannot be put back: " + err.Error() }

// finish notes what was done.
func (x *reversing) finish(list []*member) {
	for _, m := range list {
		m.done = true
		kind := m.was.kind
		if m.does == Removes {
			kind = m.now.kind
		}
		x.out.Steps = append(x.out.Steps, Step{Does: m.does, Kind: kind, Path: x.plan.tree.pathOf(m.collection, m.name)})
	}
}

// leave notes that a resource stays as it is.
func (x *reversing) leave(m *member, why string) {
	m.done, m.left = true, true
	x.out.Left = append(x.out.Left, Left{Path: x.plan.tree.pathOf(m.collection, m.name), Collection: m.collection, Name: m.name, Why: why})
}

// unchanged leaves those that are not as they were gathered, and returns the others.
func (x *reversing) unchanged(ctx context.Context, list []*member) (stay []*member, err error) {
	err = x.past.within(ctx, func(snap store.Snapshot) error {
		tree, err := readTreeOfAll(snap, x.past.owner)
		if err != nil {
			return err
		}
		for _, m := range list {
			ok, err := x.stillThere(snap, tree, m)
			if err != nil {
				return err
			}
			if ok {
				stay = append(stay, m)
			}
		}
		return nil
	})
	return stay, err
}

// stillThere tells whether a resource is as it was gathered, and its collection is there; otherwise it is left.
func (x *reversing) stillThere(snap store.Snapshot, tree treeOfAll, m *member) (bool, error) {
	cur, err := current(snap, m.itemKey)
	switch {
	case err != nil:
		return false, err
	case cur.seq != m.now.seq && cur.same(m.was):
		m.done = true
		x.out.Same++
		return false, nil
	case cur.seq != m.now.seq:
		m.done, m.left = true, true
		return false, x.changedSince(snap, &x.out.Left, x.plan.tree.pathOf(m.collection, m.name), m.itemKey, cur.actor)
	case !tree.there(m.collection):
		x.leave(m, "what it lay in was deleted meanwhile")
		return false, nil
	}
	return true, nil
}

// bundle is a group that is being made.
type bundle struct {
	x       *reversing
	snap    store.Snapshot
	entries []holdfast.Entry
	members []*member
	bodies  map[uint64]*holdfast.Change
	careful bool
}

// counted returns the record as it is once the bundle is committed.
func (b *bundle) counted(rec holdfast.ReversalRecord) holdfast.ReversalRecord {
	for _, m := range b.members {
		switch m.does {
		case Adds:
			rec.Added++
		case Changes:
			rec.Changed++
		case Removes:
			rec.Removed++
		}
	}
	return rec
}

// build makes the entries that bring resources back. What goes, goes first: it may have what others need.
func (x *reversing) build(ctx context.Context, list []*member, careful bool) (*bundle, error) {
	b := &bundle{x: x, careful: careful, bodies: map[uint64]*holdfast.Change{}}
	err := x.past.within(ctx, func(snap store.Snapshot) error {
		b.snap = snap
		var seqs []uint64
		for _, m := range list {
			if m.doing = false; m.does != Removes {
				seqs = append(seqs, m.was.seq)
			}
		}
		slices.Sort(seqs)
		err := eachChange(snap, x.past.owner, seqs, everything, func(ch *holdfast.Change) error {
			c := *ch
			c.Body = slices.Clone(ch.Body)
			b.bodies[ch.Seq] = &c
			return nil
		})
		for _, goes := range []bool{true, false} {
			for _, m := range list {
				if err == nil && (m.does == Removes) == goes {
					err = b.take(m)
				}
			}
		}
		return err
	})
	for _, m := range b.members {
		m.doing = false
	}
	return b, err
}

// take adds what brings one resource back, and before it what has to go first. Where there is no room left it stays in the queue.
func (b *bundle) take(m *member) error {
	if m.done || m.doing || len(b.entries)+2 > maxReversed {
		return nil
	}
	if b.careful {
		cur, err := current(b.snap, m.itemKey)
		if err != nil {
			return err
		}
		if cur.seq != m.now.seq {
			_, err := b.x.stillThere(b.snap, b.x.plan.tree, m)
			return err
		}
	}
	s, by := b.x.s, b.x.past.by
	m.doing = true
	if m.does == Removes {
		e := s.entry(by, holdfast.OpDelete, m.now.kind, m.collection, m.name, nil, nil)
		e.If.Seq = m.now.seq
		b.entries, b.members = append(b.entries, e), append(b.members, m)
		return nil
	}
	home := b.x.plan.tree.all[m.collection]
	if b.x.person.bindsAt(&home, m.name) {
		b.x.leave(m, "what somebody shares with this account has this name now; call that otherwise, and undo it again")
		return nil
	}
	was := b.bodies[m.was.seq]
	if was == nil {
		var err error
		if was, err = changeAt(b.snap, b.x.past.owner, m.was.seq, everything); err != nil {
			return err
		}
	}
	if was.Pruned { // since it was planned
		b.x.leave(m, "the octets that it had were let go of by retention")
		return nil
	}
	e := s.entry(by, holdfast.OpPut, was.Kind, m.collection, m.name, was.Body, was.Properties)
	e.ContentType, e.Blob = was.ContentType, was.Blob
	c := b.x.plan.tree.all[m.collection]
	if index, ok := s.derive(&c, &holdfast.Resource{Name: m.name, Kind: was.Kind, ContentType: was.ContentType, Body: was.Body}); ok { // otherwise it is found by its name, as it is what was taken once
		e.Index = index
	}
	if b.careful && e.Index.UID != "" {
		if ok, err := b.clear(m, &e); err != nil || !ok {
			m.doing = false
			return err
		}
	}
	if b.entries = append(b.entries, e); !b.split(m) {
		b.entries[len(b.entries)-1].If.Seq = m.now.seq
	}
	b.members = append(b.members, m)
	return nil
}

// split tells whether a resource is deleted in this very group, to be put again: its seq is not known before the commit, and nothing comes between.
func (b *bundle) split(m *member) bool {
	return slices.ContainsFunc(b.entries[:len(b.entries)-1], func(e holdfast.Entry) bool {
		return e.Op == holdfast.OpDelete && e.Collection == m.collection && e.Name == m.name
	})
}

// clear sees to it that nothing else has the UID of what is put. Who has it goes back first, if it is one of those that do; if it is nothing of ours, the resource is left.
func (b *bundle) clear(m *member, e *holdfast.Entry) (ok bool, err error) {
	holder, err := b.snap.ByUID(m.collection, e.Index.UID)
	if holdfast.IsKind(err, holdfast.NotFound) || err == nil && holder.Name == m.name {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(b.x.plan.clears, func(t *touched) bool { return t.itemKey == itemKey{m.collection, holder.Name} }) {
		return true, nil // a preview: it would have gone before
	}
	if other := b.x.memberOf(itemKey{m.collection, holder.Name}); other != nil && other.does != Adds {
		switch {
		case b.has(other), other.done && b.x.dry && !other.left:
			return true, nil
		case !other.done && other.doing: // they have each other's: one of them is deleted for a moment, within the same commit
			d := b.x.s.entry(b.x.past.by, holdfast.OpDelete, other.now.kind, other.collection, other.name, nil, nil)
			d.If.Seq = other.now.seq
			b.entries = append(b.entries, d)
			return true, nil
		case !other.done:
			if err := b.take(other); err != nil || b.has(other) || !other.done {
				return err == nil && b.has(other), err // where there was no room both wait for the next group
			}
		}
	}
	if holder.ETag == holdfast.HashOf(e.Body) {
		m.done = true
		b.x.out.Same++
		return false, nil
	}
	b.x.leave(m, "another item has its UID now: "+holder.Name)
	return false, nil
}

// has tells whether a resource's own entry is in the bundle already.
func (b *bundle) has(m *member) bool { return slices.Contains(b.members, m) }

// memberOf finds a resource among all that are to go back, done or not.
func (x *reversing) memberOf(k itemKey) *member {
	if x.byKey == nil {
		x.byKey = make(map[itemKey]*member, len(x.queue))
		for _, m := range x.queue {
			x.byKey[m.itemKey] = m
		}
	}
	return x.byKey[k]
}
