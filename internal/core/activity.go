package core

import (
	"context"
	"errors"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// ActivityQuery says which part of what happened to an account is asked for.
type ActivityQuery struct {
	Before     uint64      // only changes below this one; 0: from the newest
	Limit      int         // at most so many deeds; 0: 30
	Device     holdfast.ID // only what this one did; zero: all
	Collection holdfast.ID // only what was done in this one or below it; zero: everywhere
}

// Activity is a part of what happened to an account, newest first.
type Activity struct {
	Deeds       []Deed
	Next        uint64    // where to go on: Before of the next query; 0: there is nothing more
	Reach       time.Time // of the oldest change that was looked at
	Open        []Outburst
	Devices     []Doer                // that did the deeds
	Collections []holdfast.Collection // the account's own, in the order of their paths; those that are gone come last
}

// Doer is a device that did something.
type Doer struct {
	ID   holdfast.ID
	By   string // whose it is
	Name string
}

// Deed is what was done at once, or a whole undo or rewind.
type Deed struct {
	First, Last uint64 // changes
	At          time.Time
	Actor       holdfast.Actor
	By, Device  string // as in Version
	Lines       []Line // the first of what was done, in its order; none for a reversal
	Added       int    // items and collections that were not there before, or not any more
	Changed     int
	Deleted     int
	Records     int  // changes of the account's own records, which no undo takes back
	Undone      bool // by an undo that was not itself undone
	Reversal    *holdfast.ReversalRecord
	Burst       *Outburst // this is its record

	within bool // it is of the collections that are asked for
}

// Items is how many changes an undo of the deed takes back; 0: it cannot be undone.
func (d *Deed) Items() int {
	if d.First == 1 { // this made the account
		return 0
	}
	return d.Added + d.Changed + d.Deleted
}

// Line is a change of a deed.
type Line struct {
	Version
	In *holdfast.Collection // that the item lies in, as that is now; nil for what lies in none
}

// Outburst is a burst with what it has come to.
type Outburst struct {
	holdfast.BurstRecord
	By, Name string // whose device, and which
	Changes  int
	To       time.Time // when the last one was made
	Least    bool      // there are more: they are counted when it is looked at again
	Undone   bool
}

// The bounds of a page of activity, which hold whatever the account holds.
const (
	defaultDeeds = 30
	maxDeeds     = 200
	maxLooked    = 3000 // changes
	shownLines   = 4    // of a deed
	maxText      = 1 << 20
)

// Activity returns what happened to the account, newest first, with the bursts that are new. Its cost is bounded, also where it finds little: Next says where to go on. Errors: NotFound (the collection).
func (p *Past) Activity(ctx context.Context, q ActivityQuery) (Activity, error) {
	if q.Limit <= 0 {
		q.Limit = defaultDeeds
	}
	q.Limit = min(q.Limit, maxDeeds)
	c := &chronicler{historian: historian{past: p, names: newNames()}, q: q}
	err := c.within(ctx, func(snap store.Snapshot) error {
		c.snap = snap
		if err := c.begin(snap); err != nil {
			return err
		}
		if err := c.walk(); err != nil {
			return err
		}
		return c.finish()
	})
	if err == nil {
		c.out.Open, err = c.open(ctx)
	}
	for i := range c.out.Deeds {
		if b := c.out.Deeds[i].Burst; err == nil && b != nil {
			*b, err = c.outburst(ctx, b.BurstRecord)
		}
	}
	return c.out, err
}

// chronicler gathers deeds.
type chronicler struct {
	historian
	q    ActivityQuery
	snap store.Snapshot
	tops map[holdfast.ID]bool // nil: everywhere

	out    Activity
	group  []*holdfast.Change // whose beginning was not met yet, newest first
	looked int
}

// walk goes back through the journal.
func (c *chronicler) walk() error {
	if !c.q.Collection.IsZero() {
		if _, ok := c.tree.all[c.q.Collection]; !ok {
			return fail("Activity", holdfast.NotFound, c.q.Collection.String(), "there is no such collection, and was none")
		}
		c.tops = map[holdfast.ID]bool{c.q.Collection: true}
	}
	to := c.head
	if c.q.Before > 0 {
		to = min(to, c.q.Before-1)
	}
	for size := uint64(2 * c.q.Limit); to > 0; size = min(4*size, historyPage) {
		if c.looked >= maxLooked {
			c.out.Next = to + 1
			if n := len(c.group); n > 0 {
				c.out.Next = c.group[0].Seq + 1
			}
			return nil
		}
		from := to - min(to, size)
		next, err := c.page(from, to)
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return err
		}
		to = next
	}
	if err := c.close(); !errors.Is(err, errEnough) {
		return err
	}
	return nil
}

// page takes the changes above one seq and up to another, newest first, and returns up to where to go on.
func (c *chronicler) page(from, to uint64) (next uint64, err error) {
	page := make([]*holdfast.Change, 0, to-from)
	err = c.snap.Changes(c.past.owner, from, int(to-from), 0, func(ch *holdfast.Change) error {
		x := *ch
		page = append(page, &x)
		return nil
	})
	if c.looked += len(page); err != nil || len(page) == 0 {
		return from, err
	}
	c.out.Reach = page[0].At
	for i := len(page) - 1; i >= 0; i-- {
		ch := page[i]
		r, err := c.reversals.of(c.snap, ch)
		if err != nil {
			return 0, err
		}
		if ch.More == 0 || r != nil {
			if err := c.close(); err != nil {
				return 0, err
			}
		}
		if r == nil {
			c.group = append(c.group, ch)
			continue
		}
		if ch.Kind == holdfast.KindReversal && ch.Seq == r.seq {
			if err := c.reversed(r, ch); err != nil {
				return 0, err
			}
		}
		if first := r.groupOf(ch.Seq).first; first <= from {
			return first, nil // the rest of the group is passed over at once
		}
	}
	return from, nil
}

// close takes the group that was gathered as a deed.
func (c *chronicler) close() error {
	n := len(c.group)
	if n == 0 {
		return nil
	}
	d := Deed{First: c.group[n-1].Seq, Last: c.group[0].Seq, At: c.group[n-1].At, Actor: c.group[0].Actor, within: c.tops == nil}
	for i := n - 1; i >= 0; i-- {
		d.take(c, c.group[i])
	}
	c.group = c.group[:0]
	if d.Added+d.Changed+d.Deleted+d.Records == 0 || !d.within {
		return nil
	}
	return c.add(d)
}

// take takes a change of the deed's group. What nobody did, and nobody can understand, is passed over.
func (d *Deed) take(c *chronicler, ch *holdfast.Change) {
	switch {
	case ch.Kind == holdfast.KindTokenKey || ch.Kind == holdfast.KindEpoch:
		return
	case ch.Collection == c.past.owner && ch.Name != "" || ch.Kind == holdfast.KindAccount:
		d.Records++
	case ch.Collection == c.past.owner: // the root itself
		return
	case ch.Op == holdfast.OpDelete:
		d.Deleted++
	case ch.Prev == 0:
		d.Added++
	default:
		d.Changed++
	}
	d.within = d.within || c.tops != nil && c.tree.within(ch.Collection, c.tops)
	if len(d.Lines) < shownLines {
		x := *ch
		d.Lines = append(d.Lines, Line{Version: Version{Change: x}})
	}
}

// reversed takes a reversal as a deed.
func (c *chronicler) reversed(r *reversal, ch *holdfast.Change) error {
	d := Deed{First: ch.Seq, Last: ch.GroupEnd(), At: ch.At, Actor: ch.Actor, Reversal: &r.ReversalRecord, Undone: c.reversals.undone(r.ID), Added: r.Added, Changed: r.Changed + r.Collections, Deleted: r.Removed}
	if c.tops != nil {
		is, err := c.touches(r)
		if err != nil || !is {
			return err
		}
	}
	return c.add(d)
}

// touches tells whether a reversal did anything in the collections that are asked for, as far as its beginning shows; one that is too large for that may have.
func (c *chronicler) touches(r *reversal) (is bool, err error) {
	left := historyPage
	for _, x := range r.groups {
		n := min(left, int(x.last-x.first+1))
		err := c.snap.Changes(c.past.owner, x.first-1, n, 0, func(ch *holdfast.Change) error {
			is = is || ch.Collection != c.past.owner && c.tree.within(ch.Collection, c.tops)
			return nil
		})
		if c.looked += n; err != nil || is {
			return is, err
		}
		if left -= n; left == 0 {
			return true, nil
		}
	}
	return false, nil
}

// undone tells whether something undid a reversal, and was not undone.
func (rs *reversals) undone(id holdfast.ID) bool {
	return slices.ContainsFunc(rs.list, func(r *reversal) bool { return r.Of == id && !rs.undone(r.ID) })
}

// undoneBy tells whether an undo that is as is asked, and was not itself undone, is there.
func (rs *reversals) undoneBy(is func(*reversal) bool) bool {
	return slices.ContainsFunc(rs.list, func(r *reversal) bool {
		return r.What == holdfast.Undo && r.Of.IsZero() && is(r) && !rs.undone(r.ID)
	})
}

// add takes a deed; errEnough tells that there is no room.
func (c *chronicler) add(d Deed) error {
	if !c.q.Device.IsZero() && d.Actor.Device != c.q.Device {
		return nil
	}
	if len(c.out.Deeds) == c.q.Limit {
		c.out.Next = c.out.Deeds[c.q.Limit-1].First
		return errEnough
	}
	if d.Reversal == nil {
		d.Undone = c.reversals.undoneBy(func(r *reversal) bool { return r.Burst.IsZero() && r.Seq == d.Last })
	}
	c.out.Deeds = append(c.out.Deeds, d)
	return nil
}

// finish finds what deeds say beside their changes.
func (c *chronicler) finish() (err error) {
	known := map[holdfast.ID]bool{}
	for i := range c.out.Deeds {
		d := &c.out.Deeds[i]
		if d.By, d.Device, err = c.names.of(c.snap, d.Actor); err != nil {
			return err
		}
		if x := d.Actor.Device; !x.IsZero() && !known[x] {
			known[x] = true
			c.out.Devices = append(c.out.Devices, Doer{x, d.By, d.Device})
		}
		for j := range d.Lines {
			if err := c.line(d, &d.Lines[j]); err != nil {
				return err
			}
		}
	}
	for _, id := range c.tree.children[c.tree.root] {
		c.collect(id)
	}
	slices.SortStableFunc(c.out.Collections, func(a, b holdfast.Collection) int { return later(a.Gone) - later(b.Gone) })
	return nil
}

func later(gone bool) int {
	if gone {
		return 1
	}
	return 0
}

// collect takes a collection and what is below it, save what holds nothing that people know.
func (c *chronicler) collect(id holdfast.ID) {
	x := c.tree.all[id]
	if len(x.Name) >= len(copyPrefix) && x.Name[:len(copyPrefix)] == copyPrefix || len(c.out.Collections) >= maxListed {
		return
	}
	switch {
	case x.Type == holdfast.TypeAddressbook, x.Type == holdfast.TypeCalendar, x.Type == holdfast.TypeFolder, x.Type == holdfast.TypeAlbum, x.Type == holdfast.TypeHome && x.Name == holdfast.HomeFiles:
		c.out.Collections = append(c.out.Collections, x)
	}
	for _, k := range c.tree.children[id] {
		c.collect(k)
	}
}

// maxListed is how many collections can be chosen from.
const maxListed = 200

// line finds what people call the item, and what it was before.
func (c *chronicler) line(d *Deed, l *Line) error {
	l.Path, l.By, l.Device = c.tree.pathOf(l.Collection, l.Name), d.By, d.Device
	if in, ok := c.tree.all[l.Collection]; ok && in.ID != c.tree.root {
		l.In = &in
	}
	if l.Kind == holdfast.KindBurst && l.Op == holdfast.OpPut {
		full, err := changeAt(c.snap, c.past.owner, l.Seq, WithBody)
		if err != nil {
			return err
		}
		rec, err := holdfast.DecodeBurst(full.Body)
		if err != nil {
			return &holdfast.Error{Op: "core.Activity", Kind: holdfast.Corrupt, Ref: l.Name, Err: err}
		}
		d.Burst = &Outburst{BurstRecord: rec}
		return nil
	}
	if l.Prev != 0 {
		was, err := changeAt(c.snap, c.past.owner, l.Prev, c.fields(l, l.Op == holdfast.OpDelete))
		if err != nil {
			return err
		}
		if l.Op == holdfast.OpDelete {
			l.Text, l.Properties = was.Body, was.Properties
		} else if was.Op == holdfast.OpDelete && d.Changed > 0 && l.Kind >= holdfast.KindAddress {
			d.Changed, d.Added = d.Changed-1, d.Added+1
		}
		was.Body = nil
		l.Was = was
	}
	if f := c.fields(l, l.Op == holdfast.OpPut); f != 0 && l.Op == holdfast.OpPut {
		full, err := changeAt(c.snap, c.past.owner, l.Seq, f)
		if err != nil {
			return err
		}
		l.Text, l.Properties = full.Body, full.Properties
	}
	return nil
}

// fields are what is read of a line's change to know what people call it.
func (c *chronicler) fields(l *Line, text bool) Fields {
	switch {
	case !text || l.Kind == holdfast.KindAccount || l.Kind == holdfast.KindFile || l.Size > maxText:
		return 0
	case l.Kind == holdfast.KindCollection:
		return WithProps
	}
	return WithBody
}

// Newest returns the newest version of what each path names; one that names nothing, or a collection, has an empty line.
func (p *Past) Newest(ctx context.Context, paths []string) ([]Line, error) {
	out := make([]Line, len(paths))
	c := &chronicler{historian: historian{past: p, names: newNames()}}
	err := c.within(ctx, func(snap store.Snapshot) (err error) {
		c.snap = snap
		if c.tree, err = readTreeOfAll(snap, p.owner); err != nil {
			return err
		}
		for i, path := range paths {
			at, err := c.tree.locate(snap, path)
			if holdfast.IsKind(err, holdfast.NotFound) {
				continue
			}
			if err == nil && at.name != "" {
				out[i], err = c.newest(at)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

func (c *chronicler) newest(at spot) (l Line, err error) {
	for _, id := range at.collections {
		err := c.snap.Versions(id, at.name, 0, func(ch *holdfast.Change) error {
			if x := *ch; x.Seq > l.Seq {
				l.Change = x
			}
			return errEnough
		})
		if err != nil && !errors.Is(err, errEnough) {
			return l, err
		}
	}
	return l, c.line(&Deed{}, &l)
}
