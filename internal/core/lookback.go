package core

import (
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// Lookback is the end of an account's journal, read once and without bodies: what was there at earlier moments, what became of it, and what each device sent. Its cost is that of the changes
// that it reads, and does not grow with what the account holds.
type Lookback struct {
	snap    store.Snapshot
	account holdfast.ID
	steps   []bygone // by ascending seq
	tree    treeOfAll
	before  map[uint64]bool // of earlier changes: they were puts
	// Whole tells that it reaches back to the first change. Otherwise what was before its first step is not known.
	Whole bool
}

// bygone is a change, as far as looking back needs it.
type bygone struct {
	seq, prev  uint64
	at         time.Time
	collection holdfast.ID
	name       string
	device     holdfast.ID
	kind       holdfast.Kind
	put        bool
}

// LookBack reads up to limit of the newest changes of the reader's own account.
func (r *Reader) LookBack(limit int) (*Lookback, error) {
	head, err := r.snap.Head(r.owner.ID)
	if err != nil {
		return nil, err
	}
	after := head.Seq - min(head.Seq, uint64(limit))
	l := &Lookback{snap: r.snap, account: r.owner.ID, Whole: after == 0, before: map[uint64]bool{}}
	if l.tree, err = readTreeOfAll(r.snap, r.owner.ID); err != nil {
		return nil, err
	}
	err = r.snap.Changes(r.owner.ID, after, limit, 0, func(c *holdfast.Change) error {
		l.steps = append(l.steps, bygone{c.Seq, c.Prev, c.At, c.Collection, c.Name, c.Actor.Device, c.Kind, c.Op == holdfast.OpPut})
		return nil
	})
	return l, err
}

// Reach returns the time of the oldest change that was read; zero where there is none.
func (l *Lookback) Reach() time.Time {
	if len(l.steps) == 0 {
		return time.Time{}
	}
	return l.steps[0].at
}

// Held is what a collection held at a moment, and what became of it since. One that is gone has lost all that it held, one that was not there yet has got all that it holds.
type Held struct {
	Collection              holdfast.Collection // as it is now
	Items                   int64
	Added, Removed, Changed int64
}

type itemOf struct {
	collection holdfast.ID
	name       string
}

// turn is an item's state at a moment and now.
type turn struct{ was, is bool }

// At returns what each collection held at a moment; none of them where the account was not there yet. ok is false where the moment lies before what was read. A collection counts as hanging where it hangs now.
func (l *Lookback) At(t time.Time) (out []Held, ok bool, err error) {
	first := len(l.steps)
	for first > 0 && l.steps[first-1].at.After(t) { // a clock that was put back counts by where its changes stand
		first--
	}
	if first == 0 && !l.Whole {
		return nil, false, nil
	}
	turns := map[itemOf]turn{}
	for _, s := range l.steps[first:] {
		if s.collection == l.account {
			continue
		}
		k := itemOf{s.collection, s.name}
		x, known := turns[k]
		if !known {
			if x.was, err = l.was(&s); err != nil {
				return nil, false, err
			}
		}
		x.is = s.put
		turns[k] = x
	}
	sums := l.sum(turns)
	for id, c := range l.tree.all {
		h := sums[id]
		h.Collection, h.Items = c, c.Items-h.Added+h.Removed
		switch was, is := first > 0 && l.wasThere(id, turns), l.tree.there(id); {
		case id == l.account || !was && !is:
			continue
		case !is:
			h.Added, h.Removed, h.Changed = 0, h.Items, 0
		case !was:
			h.Items, h.Added, h.Removed, h.Changed = 0, c.Items, 0, 0
		}
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b Held) int { return a.Collection.ID.Compare(b.Collection.ID) })
	return out, true, nil
}

// sum counts what became of members, by collection.
func (l *Lookback) sum(turns map[itemOf]turn) map[holdfast.ID]Held {
	out := map[holdfast.ID]Held{}
	for k, x := range turns {
		if k.name == "" { // the collection's own entry
			continue
		}
		h := out[k.collection]
		switch {
		case x.was && x.is:
			h.Changed++
		case x.was:
			h.Removed++
		case x.is:
			h.Added++
		}
		out[k.collection] = h
	}
	return out
}

// wasThere tells whether a collection and what it hangs in were live at the moment from which turns are counted.
func (l *Lookback) wasThere(id holdfast.ID, turns map[itemOf]turn) bool {
	for n := 0; n < maxDepth && id != l.account; n++ {
		c, known := l.tree.all[id]
		was := known && !c.Gone
		if x, touched := turns[itemOf{id, ""}]; touched {
			was = x.was
		}
		if !was {
			return false
		}
		id = c.Parent
	}
	return id == l.account
}

// was tells whether an item was live before a change of it.
func (l *Lookback) was(s *bygone) (bool, error) {
	if !s.put || s.prev == 0 {
		return !s.put, nil
	}
	if from := l.steps[0].seq; s.prev >= from {
		return l.steps[s.prev-from].put, nil
	}
	put, known := l.before[s.prev]
	if known {
		return put, nil
	}
	err := l.snap.Changes(l.account, s.prev-1, 1, 0, func(c *holdfast.Change) error { put = c.Op == holdfast.OpPut; return nil })
	l.before[s.prev] = put
	return put, err
}

// Sent is what a device sent into the account.
type Sent struct {
	Last  time.Time // of its newest change; zero: there is none among what was read
	Kind  holdfast.Kind
	Put   bool                    // it was one that stored something, and did not delete it
	Count map[holdfast.Kind]int64 // its changes from a moment on
}

// SentBy returns what a device sent, counting from a moment on; of what was read.
func (l *Lookback) SentBy(device holdfast.ID, from time.Time) Sent {
	out := Sent{Count: map[holdfast.Kind]int64{}}
	for _, s := range l.steps {
		if s.device != device || s.collection == l.account {
			continue
		}
		out.Last, out.Kind, out.Put = s.at, s.kind, s.put
		if !s.at.Before(from) {
			out.Count[s.kind]++
		}
	}
	return out
}
