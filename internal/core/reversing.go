package core

import (
	"context"
	"maps"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// Does is what a reversal does to an item.
type Does string

// What it may do.
const (
	Adds    Does = "added"   // it is there again
	Changes Does = "changed" // it is as it was, other octets, properties or place
	Removes Does = "removed" // it is gone again; its versions are kept
)

// Step is one item of a reversal.
type Step struct {
	Does    Does
	Kind    holdfast.Kind
	Path    string // of a collection that comes back, the one that it gets
	Instead string // the name that it had, where another collection has that now
	Items   int64  // of a collection that comes or goes: the live ones in it
}

// Left is an item that a reversal leaves as it is, and why.
type Left struct {
	Path       string
	Collection holdfast.ID
	Name       string
	Why        string
	Since      bool   // somebody changed it after what is reversed:
	By, Device string // who, and with what; both empty: the operator
}

// Reversed is what became of a reversal, or would.
type Reversed struct {
	Record holdfast.ReversalRecord // its ID is zero where there was nothing to do
	AsOf   time.Time               // when the last change was made that a rewind keeps
	Steps  []Step
	Left   []Left
	Same   int // items that are as they were already
}

// Progress is how far a reversal has come.
type Progress struct{ Done, Total int }

// reversing is an undo or a rewind under way.
type reversing struct {
	past   *Past
	s      *Service
	person *Person
	record holdfast.ReversalRecord
	chosen spans                // the changes that are reversed
	burst  holdfast.BurstRecord // of which they are; zero: of none
	dry    bool
	tell   func(Progress)

	items []*touched // by the seq of their newest versions
	names names
	plan  *treePlan
	out   Reversed
	left  []Left // found before any plan

	queue []*member // what is yet to be done
	total int
	wrote bool                // a version of the record is there
	byKey map[itemKey]*member // queue, as it was at first
}

// member is a resource that is to go back.
type member struct {
	*touched
	does  Does
	doing bool // its entry is being made
	done  bool
	left  bool // done, but it stays as it is
}

// run does it.
func (x *reversing) run(ctx context.Context) (Reversed, error) {
	err := x.branches(ctx)
	if err == nil {
		err = x.members(ctx)
	}
	if err == nil && x.wrote && !x.record.Done {
		_, err = x.commit(ctx, nil, nil, x.record, true)
	}
	if x.out.Record = x.record; !x.wrote {
		x.out.Record.ID = holdfast.ID{}
	}
	return x.out, err
}

// branches brings the collections back, in one commit: whoever looks sees a whole tree. Where somebody changes the tree meanwhile it is planned anew.
func (x *reversing) branches(ctx context.Context) error {
	var err error
	for range maxRetries {
		if err = x.past.within(ctx, x.prepare); err != nil || x.dry {
			break
		}
		entries := x.entriesOf(x.plan)
		if len(entries) == 0 {
			break
		}
		if err = x.commitTree(ctx, entries); !between(err) || ctx.Err() != nil {
			break
		}
	}
	if between(err) {
		return &holdfast.Error{Op: "core.Reverse", Kind: holdfast.Unavailable, Ref: x.person.Email, Text: "others changed the same collections again and again; nothing more was done, run it again", Err: err}
	}
	if err != nil {
		return err
	}
	for _, l := range slices.Concat(x.plan.removes, x.plan.puts) {
		if l.step.Does != "" {
			x.out.Steps = append(x.out.Steps, l.step)
		}
	}
	x.out.Left = slices.Concat(x.left, x.plan.left, x.out.Left)
	x.out.Same += x.plan.same
	if !x.dry && len(x.plan.removes) > 0 {
		return x.rescue(ctx)
	}
	return nil
}

// commitTree commits what is planned for the tree, in one group if it is not of a size that no account has, and only if nobody wrote since into what will be out of sight.
func (x *reversing) commitTree(ctx context.Context, entries []holdfast.Entry) error {
	rec := x.record
	for _, l := range slices.Concat(x.plan.removes, x.plan.puts) {
		if l.step.Does != "" {
			rec.Collections++
		}
	}
	rec.Removed += len(x.plan.clears)
	conditions := x.plan.hides
	for len(entries) > 0 {
		n := min(len(entries), maxReversed)
		if _, err := x.commit(ctx, entries[:n], conditions, rec, n == len(entries) && len(x.queue) == 0); err != nil {
			return err
		}
		entries, conditions, rec = entries[n:], nil, x.record
	}
	return nil
}

// maxReversed is how many entries stand in a group beside the record.
const maxReversed = holdfast.MaxGroup - 1

// commit commits a group of the reversal: the record as it is after it, then the entries. All have one time, by which history finds what belongs together.
func (x *reversing) commit(ctx context.Context, entries []holdfast.Entry, conditions []holdfast.Condition, rec holdfast.ReversalRecord, done bool) (holdfast.Receipt, error) {
	rec.Done = done
	e := x.s.entry(x.past.by, holdfast.OpPut, holdfast.KindReversal, x.past.owner, holdfast.ReversalName(rec.ID), rec.Encode(), nil)
	if e.If.Exists = holdfast.Present; !x.wrote {
		e.If.Exists = holdfast.Absent
	}
	g := &holdfast.Group{Account: x.past.owner, Entries: append([]holdfast.Entry{e}, entries...)}
	if len(conditions) > 0 {
		g.If = [][]holdfast.Condition{conditions}
	}
	for i := range g.Entries {
		g.Entries[i].At = e.At
	}
	r, err := x.s.commit(ctx, g)
	if err == nil {
		x.record, x.wrote = rec, true
	}
	return r, err
}

// prepare plans what is to be done, as things are in a snapshot.
func (x *reversing) prepare(snap store.Snapshot) (err error) {
	if x.plan, err = x.planTree(snap); err != nil {
		return err
	}
	x.queue, x.byKey, x.out = nil, nil, Reversed{AsOf: x.out.AsOf}
	for _, t := range x.items {
		if t.name == "" {
			continue
		}
		ghost, err := x.isGhost(snap, t)
		if err != nil {
			return err
		}
		if ghost {
			x.out.Left = append(x.out.Left, Left{Path: x.plan.tree.pathOf(t.collection, t.name), Collection: t.collection, Name: t.name,
				Why: "its newest octets are lost here, and what a phone still has of them would go as well; save it on the phone first, or delete it"})
			continue
		}
		if err := x.planMember(t); err != nil {
			return err
		}
	}
	x.total = len(x.queue)
	return nil
}

// isGhost tells whether a resource is there without octets, and would be replaced or removed: a device that has them then drops them, and no undo brings them back.
func (x *reversing) isGhost(snap store.Snapshot, t *touched) (bool, error) {
	if !t.now.live || !t.now.pruned || t.now.same(t.was) || !x.plan.tree.there(t.collection) {
		return false, nil
	}
	cur, err := current(snap, t.itemKey)
	return cur.seq == t.now.seq, err // what is there now is not let go of by retention
}

// planMember decides what becomes of one resource. That it is still as it was gathered is judged when it is written.
func (x *reversing) planMember(t *touched) error {
	path := x.plan.tree.pathOf(t.collection, t.name)
	switch {
	case slices.Contains(x.plan.clears, t):
		x.out.Steps = append(x.out.Steps, Step{Does: Removes, Kind: t.now.kind, Path: path})
		return nil
	case t.now.same(t.was):
		x.out.Same++
		return nil
	case !x.plan.tree.there(t.collection):
		if x.record.What == holdfast.Undo && t.was.live && !x.plan.now[t.collection] {
			x.out.Left = append(x.out.Left, Left{Path: path, Collection: t.collection, Name: t.name, Why: "what it lay in is not there"})
		}
		return nil // it goes with its collection, or is as hidden as it was
	case t.was.live && t.was.pruned:
		x.out.Left = append(x.out.Left, Left{Path: path, Collection: t.collection, Name: t.name, Why: "the octets that it had were let go of by retention"})
		return nil
	}
	m := &member{touched: t, does: Changes}
	switch {
	case !t.was.live:
		m.does = Removes
	case !t.now.live:
		m.does = Adds
	}
	x.queue = append(x.queue, m)
	return nil
}

// rescue brings back collections that went while somebody put another collection into them: that one would be out of sight.
func (x *reversing) rescue(ctx context.Context) error {
	return x.s.retry(ctx, func() error {
		var entries []holdfast.Entry
		var left []Left
		err := x.past.within(ctx, func(snap store.Snapshot) error {
			tree, err := readTreeOfAll(snap, x.past.owner)
			if err != nil {
				return err
			}
			entries, left = x.below(tree)
			return nil
		})
		if err != nil || len(entries) == 0 {
			return err
		}
		rec := x.record
		rec.Collections -= len(entries)
		_, err = x.commit(ctx, entries, nil, rec, false)
		if err == nil {
			x.out.Left = append(x.out.Left, left...)
		}
		return err
	})
}

// below finds what went and has a live collection in it, parents first.
func (x *reversing) below(tree treeOfAll) (entries []holdfast.Entry, left []Left) {
	back := map[holdfast.ID]bool{}
	for _, c := range tree.all {
		for id := c.Parent; !c.Gone && c.Seq > x.plan.head && x.plan.gone[id]; id = tree.all[id].Parent {
			back[id] = true
		}
	}
	ids := slices.SortedFunc(maps.Keys(back), func(a, b holdfast.ID) int { return len(tree.path(a)) - len(tree.path(b)) })
	for _, id := range ids {
		c := tree.all[id]
		if !c.Gone {
			continue
		}
		e := x.s.entry(x.past.by, holdfast.OpPut, holdfast.KindCollection, id, "", c.CollectionRecord.Encode(), c.Properties)
		e.If.Exists = holdfast.Absent
		entries = append(entries, e)
		left = append(left, Left{Path: tree.path(id), Collection: id, Why: "somebody put a collection into it meanwhile", Since: true})
	}
	return entries, left
}
