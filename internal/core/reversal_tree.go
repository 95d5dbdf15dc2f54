package core

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/store"
)

// limb is a collection whose own entry goes back.
type limb struct {
	*touched
	record holdfast.CollectionRecord // that it gets, or has if it goes
	props  holdfast.Properties
	step   Step
	hidden uint64   // of one that goes: the change from which on nobody saw it then
	clear  *touched // a resource that goes right before, because it has the collection's name
}

// treePlan is what a reversal does to an account's tree, and how that looks afterwards.
type treePlan struct {
	tree    treeOfAll              // as it is now; after sketch as it will be
	hides   []holdfast.Condition   // the collections that are there now and will not be, as they are now
	now     map[holdfast.ID]bool   // the collections that are there now
	head    uint64                 // the account's newest change now
	was     map[holdfast.ID]uint64 // by which change each collection was what it is to be again
	removes []*limb                // deepest first
	puts    []*limb                // in an order in which each finds its parent there and its name free
	aside   map[holdfast.ID]*limb
	clears  []*touched           // resources that go with it, because they have the names of collections
	gone    map[holdfast.ID]bool // removes
	holdup  []*limb              // puts that have no place yet
	left    []Left
	same    int
}

// planTree decides what becomes of the collections that were touched, as they are in a snapshot.
func (x *reversing) planTree(snap store.Snapshot) (*treePlan, error) {
	tree, err := readTreeOfAll(snap, x.past.owner)
	if err != nil {
		return nil, err
	}
	p := &treePlan{tree: tree, gone: map[holdfast.ID]bool{}, aside: map[holdfast.ID]*limb{}, was: map[holdfast.ID]uint64{}}
	h, err := snap.Head(x.past.owner)
	if err != nil {
		return nil, err
	}
	p.head, p.now = h.Seq, map[holdfast.ID]bool{}
	for id := range tree.all {
		p.now[id] = tree.there(id)
	}
	limbs, then, err := x.limbs(snap, p)
	if err != nil {
		return nil, err
	}
	for _, l := range limbs {
		x.sort(p, l, then)
	}
	if err := x.keepUsed(snap, p); err != nil {
		return nil, err
	}
	slices.SortStableFunc(p.removes, func(a, b *limb) int {
		return cmp.Compare(strings.Count(tree.path(b.collection), "/"), strings.Count(tree.path(a.collection), "/"))
	})
	return p, x.sketch(snap, p)
}

// aside tells whether a record is that of a copy that is not at its place yet: nobody sees it.
func (x *reversing) aside(r holdfast.CollectionRecord) bool {
	return r.Parent == x.past.owner && r.Type != holdfast.TypeHome
}

// limbs returns the collections that go back and still are as they were gathered, and the tree as it will be if all of them do.
func (x *reversing) limbs(snap store.Snapshot, p *treePlan) (out []*limb, then treeOfAll, err error) {
	then = treeOfAll{root: p.tree.root, all: maps.Clone(p.tree.all)}
	for _, t := range x.items {
		if t.name != "" {
			continue
		}
		p.was[t.collection] = t.was.seq
		cur, err := current(snap, t.itemKey)
		if err != nil {
			return nil, then, err
		}
		c := p.tree.all[t.collection]
		l := &limb{touched: t, record: c.CollectionRecord, props: c.Properties, step: Step{Path: p.tree.path(t.collection), Kind: holdfast.KindCollection, Items: c.Items}}
		switch {
		case cur.live && x.aside(c.CollectionRecord): // a copy under way, which nobody sees
			continue
		case cur.same(t.was):
			p.same++
			continue
		case cur.seq != t.now.seq:
			if err := x.changedSince(snap, &p.left, l.step.Path, t.itemKey, cur.actor); err != nil {
				return nil, then, err
			}
			continue
		}
		if err := x.read(snap, l); err != nil {
			return nil, then, err
		}
		c.CollectionRecord, c.Properties, c.Gone = l.record, l.props, !t.was.live
		then.all[t.collection] = c
		out = append(out, l)
	}
	return out, then, nil
}

// read reads what a collection was.
func (x *reversing) read(snap store.Snapshot, l *limb) error {
	if !l.was.live {
		return nil
	}
	ch, err := changeAt(snap, x.past.owner, l.was.seq, WithBody|WithProps)
	if err != nil {
		return err
	}
	l.props = ch.Properties
	if l.record, err = holdfast.DecodeCollection(ch.Body); err != nil {
		return &holdfast.Error{Op: "core.Reverse", Kind: holdfast.Corrupt, Ref: l.step.Path, Err: err}
	}
	return nil
}

// sort decides whether a collection goes, comes or changes. What lay where nobody could see it, in a deleted collection or as a copy that was not at its place yet, was not there.
func (x *reversing) sort(p *treePlan, l *limb, then treeOfAll) {
	was := l.was.live && !x.aside(l.record) && then.there(l.collection)
	switch c := p.tree.all[l.collection]; {
	case !was && (c.Gone || !p.now[l.collection] && !then.there(c.Parent)): // nobody sees it, now or then
	case !was && c.Type.Fixed():
		p.left = append(p.left, Left{Path: l.step.Path, Collection: l.collection, Why: "it is a part of every account"})
	case !was:
		l.hidden = p.hiddenSince(l, then)
		l.record, l.props = c.CollectionRecord, c.Properties
		l.step.Does = Removes
		p.removes = append(p.removes, l)
		p.gone[l.collection] = true
	default:
		if l.step.Does = Changes; c.Gone {
			l.step.Does = Adds
		}
		p.holdup = append(p.holdup, l)
	}
}

// hiddenSince returns the change from which on nobody saw a collection, as it was: its own, or that by which something went that it lay in. What went after it had been moved out never hid it.
func (p *treePlan) hiddenSince(l *limb, then treeOfAll) uint64 {
	since := l.was.seq
	if !l.was.live {
		return since
	}
	for id, n := l.record.Parent, 0; n < maxDepth; n++ {
		c, ok := then.all[id]
		if !ok || id == then.root {
			break
		}
		gone := c.Seq
		if seq, reversed := p.was[id]; reversed {
			gone = seq
		}
		if c.Gone && gone < l.first {
			since = max(since, gone)
		}
		id = c.Parent
	}
	return since
}

// changedSince notes that somebody changed an item after what is reversed.
func (x *reversing) changedSince(snap store.Snapshot, left *[]Left, path string, k itemKey, a holdfast.Actor) error {
	by, device, err := x.names.of(snap, a)
	*left = append(*left, Left{Path: path, Collection: k.collection, Name: k.name, Why: "it was changed since", By: by, Device: device, Since: true})
	return err
}

// keepUsed takes those collections out of what goes that hold what would go with them and is none of what is reversed.
func (x *reversing) keepUsed(snap store.Snapshot, p *treePlan) error {
	moved := map[holdfast.ID]bool{}
	for _, l := range p.holdup {
		moved[l.collection] = true
	}
	for again := true; again; {
		again = false
		for i := 0; i < len(p.removes); i++ {
			l := p.removes[i]
			n := len(p.left)
			c := p.tree.all[l.collection]
			if !x.chosen.contain(c.Seq) {
				ch, err := changeAt(snap, x.past.owner, c.Seq, 0)
				if err == nil {
					err = x.changedSince(snap, &p.left, l.step.Path, l.itemKey, ch.Actor)
				}
				if err != nil {
					return err
				}
				p.left[n].Why = "what is in it was changed since"
			}
			if k := x.newcomer(p, l.collection, l.hidden, moved); len(p.left) == n && !k.IsZero() {
				p.left = append(p.left, Left{Path: l.step.Path, Collection: l.collection, Why: "it holds " + p.tree.path(k) + ", which stays"})
			}
			if len(p.left) > n {
				p.removes = slices.Delete(p.removes, i, i+1)
				delete(p.gone, l.collection)
				again, i = true, i-1
			}
		}
	}
	return nil
}

// newcomer finds a collection below one that goes, that nobody would see any more and that came or was changed after a change, by something that is not reversed.
func (x *reversing) newcomer(p *treePlan, id holdfast.ID, since uint64, moved map[holdfast.ID]bool) holdfast.ID {
	for _, k := range p.tree.children[id] {
		c := p.tree.all[k]
		if c.Gone || p.gone[k] || moved[k] {
			continue
		}
		if c.Seq > since && !x.chosen.contain(c.Seq) {
			return k
		}
		if below := x.newcomer(p, k, since, moved); !below.IsZero() {
			return below
		}
	}
	return holdfast.ID{}
}

// sketch draws the tree as it will be, and finds for each collection that comes or changes its moment and its name.
func (x *reversing) sketch(snap store.Snapshot, p *treePlan) error {
	for id := range p.gone {
		c := p.tree.all[id]
		c.Gone = true
		p.tree.all[id] = c
	}
	for len(p.holdup) > 0 {
		progress := false
		for i := 0; i < len(p.holdup); i++ {
			l := p.holdup[i]
			if !p.fits(l) {
				continue
			}
			other, _, taken, err := x.taken(snap, p, l.record.Parent, l.record.Name, l.collection)
			if err != nil {
				return err
			}
			if taken && p.waits(other) {
				continue // it goes away itself
			}
			if err := x.placeLimb(snap, p, l); err != nil {
				return err
			}
			p.holdup, progress = slices.Delete(p.holdup, i, i+1), true
			i--
		}
		if progress {
			continue
		}
		if p.stepAside() {
			continue
		}
		for _, l := range p.holdup {
			if err := x.giveUp(snap, p, l); err != nil {
				return err
			}
		}
		p.holdup = nil
	}
	p.tree.link()
	for id, c := range p.tree.all {
		if p.now[id] && !p.tree.there(id) {
			p.hides = append(p.hides, holdfast.Condition{Collection: id, Seq: c.Seq})
		}
	}
	return nil
}

// giveUp leaves a collection whose parent does not come. One that had stepped aside gets a name near its own again.
func (x *reversing) giveUp(snap store.Snapshot, p *treePlan, l *limb) error {
	why := "what it lay in is not there"
	if first := p.aside[l.collection]; first != nil {
		l.record, l.props, l.step.Does = first.record, first.props, ""
		l.record.Name = first.step.Instead
		if err := x.placeLimb(snap, p, l); err != nil {
			return err
		}
		why += "; it is called " + l.record.Name + " now"
	}
	p.left = append(p.left, Left{Path: l.step.Path, Collection: l.collection, Why: why})
	return nil
}

// fits tells whether a collection's parent is there, and is not below it.
func (p *treePlan) fits(l *limb) bool {
	return p.tree.there(l.record.Parent) && !p.tree.within(l.record.Parent, map[holdfast.ID]bool{l.collection: true})
}

func (p *treePlan) waits(id holdfast.ID) bool {
	return slices.ContainsFunc(p.holdup, func(l *limb) bool { return l.collection == id })
}

// stepAside breaks a ring in which collections have each other's names: one of them is called otherwise for a moment, within the same commit.
func (p *treePlan) stepAside() bool {
	for _, l := range p.holdup {
		if !p.fits(l) {
			continue
		}
		for id, c := range p.tree.all {
			if c.Gone || c.Parent != l.record.Parent || c.Name != l.record.Name || id == l.collection || p.aside[id] != nil {
				continue
			}
			for _, other := range p.holdup {
				if other.collection == id {
					first := &limb{touched: other.touched, record: c.CollectionRecord, props: c.Properties}
					first.step.Instead = c.Name
					first.record.Name = asidePrefix + id.String()
					p.aside[id] = first
					p.puts = append(p.puts, first)
					c.Name = first.record.Name
					p.tree.all[id] = c
					return true
				}
			}
		}
	}
	return false
}

// asidePrefix begins the name that a collection has within one commit.
const asidePrefix = ".aside-"

// placeLimb puts a collection into the sketch, under a free name near its own where that is taken.
func (x *reversing) placeLimb(snap store.Snapshot, p *treePlan, l *limb) error {
	name := l.record.Name
	for n := 2; ; n++ {
		_, clear, taken, err := x.taken(snap, p, l.record.Parent, l.record.Name, l.collection)
		if err != nil {
			return err
		}
		if clear != nil {
			p.clears, l.clear = append(p.clears, clear), clear
		}
		if !taken {
			break
		}
		end := fmt.Sprintf("-%d", n)
		l.record.Name = strings.ToValidUTF8(name[:min(len(name), holdfast.MaxName-len(end))], "") + end
	}
	c := p.tree.all[l.collection]
	c.CollectionRecord, c.Properties, c.Gone = l.record, l.props, false
	p.tree.all[l.collection] = c
	if l.step.Path = p.tree.path(l.collection); l.record.Name != name {
		l.step.Instead = name
	}
	p.puts = append(p.puts, l)
	return nil
}

// taken tells whether something else has a name in a collection: which collection, if it is one. clear is a resource that has it and goes.
func (x *reversing) taken(snap store.Snapshot, p *treePlan, parent holdfast.ID, name string, self holdfast.ID) (other holdfast.ID, clear *touched, taken bool, err error) {
	for id, c := range p.tree.all {
		if id != self && !c.Gone && c.Parent == parent && c.Name == name {
			return id, nil, true, nil
		}
	}
	home := p.tree.all[parent]
	if x.person.bindsAt(&home, name) {
		return other, nil, true, nil
	}
	r, err := snap.Resource(parent, name, 0)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return other, nil, false, nil
	}
	for _, t := range x.items {
		if err == nil && t.itemKey == (itemKey{parent, name}) && t.now.seq == r.Seq && !t.was.live {
			return other, t, false, nil
		}
	}
	return other, nil, err == nil, err
}

// entriesOf returns what the plan does to the tree.
func (x *reversing) entriesOf(p *treePlan) (entries []holdfast.Entry) {
	for _, l := range p.removes {
		e := x.s.entry(x.past.by, holdfast.OpDelete, holdfast.KindCollection, l.collection, "", nil, nil)
		e.If.Seq = l.now.seq
		entries = append(entries, e)
	}
	for _, l := range p.puts {
		if t := l.clear; t != nil {
			e := x.s.entry(x.past.by, holdfast.OpDelete, t.now.kind, t.collection, t.name, nil, nil)
			e.If.Seq = t.now.seq
			entries = append(entries, e)
		}
		e := x.s.entry(x.past.by, holdfast.OpPut, holdfast.KindCollection, l.collection, "", l.record.Encode(), l.props)
		if first := p.aside[l.collection]; first == nil || first == l {
			e.If.Seq = l.now.seq
		}
		entries = append(entries, e)
	}
	return entries
}
