package core

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// UndoRequest says what is taken back: the group of a change, or a reversal as a whole.
type UndoRequest struct {
	Change   uint64      // any change of a group; one of a reversal means all of that
	Reversal holdfast.ID // instead of Change
	Burst    holdfast.ID // likewise: all that a device deleted and overwrote in a burst
	DryRun   bool
}

// Undo puts the items of a group of changes back as they were before it; those that were changed since are left, and named. It is itself a set of changes, with a record, and can be undone. tell, which may be nil,
// hears how far it has come. Errors: NotFound (no such change, no such reversal), Invalid (what is never taken back: it says why), Unavailable (another reversal of the account is under way), InDoubt, Full; what was done before
// the error is told, stays, and is not done again by the same request.
func (p *Past) Undo(ctx context.Context, q UndoRequest, tell func(Progress)) (Reversed, error) {
	x, err := p.reversing(ctx, holdfast.Undo, q.DryRun, tell)
	if err != nil {
		return Reversed{}, err
	}
	defer x.end()
	if q.Burst.IsZero() {
		err = p.within(ctx, func(snap store.Snapshot) error { return x.choose(snap, q) })
	} else {
		err = x.chooseBurst(ctx, q.Burst)
	}
	if err != nil {
		return Reversed{}, err
	}
	g := p.gatherer()
	if err := g.forward(ctx, x.chosen); err != nil {
		return Reversed{}, err
	}
	if g.records && len(g.items) == 0 {
		return Reversed{}, fail("Undo", holdfast.Invalid, x.person.Email, "this change is one of the account's own records: devices, passwords and shares are never taken back this way; revoke the device, or end or give the share")
	}
	if g.records {
		x.left = append(x.left, Left{Why: "records of devices, passwords and shares are never taken back this way"})
	}
	if x.items, err = g.settled(ctx); err != nil {
		return Reversed{}, err
	}
	out, err := x.run(ctx)
	if err == nil && !q.DryRun && !q.Burst.IsZero() {
		p.s.SettleBurst(ctx, q.Burst)
		p.s.guard.undone(p.owner, x.burst)
	}
	return out, err
}

// chooseBurst chooses all that a device did in a burst.
func (x *reversing) chooseBurst(ctx context.Context, id holdfast.ID) error {
	var rec holdfast.BurstRecord
	err := x.past.within(ctx, func(snap store.Snapshot) (err error) {
		rec, err = burstOf(snap, x.past.owner, id)
		return err
	})
	if holdfast.IsKind(err, holdfast.NotFound) {
		return fail("Undo", holdfast.NotFound, id.String(), "there is no such burst; `holdfast history "+x.person.Email+"` shows what there is")
	}
	if err != nil {
		return err
	}
	if x.chosen, err = burstSpans(ctx, x.past.owner, rec, x.past.within); err != nil {
		return err
	}
	x.burst = rec
	if x.record.Burst = id; len(x.chosen) > 0 {
		x.record.Seq = x.chosen[len(x.chosen)-1].last
	}
	return nil
}

// choose finds which changes are undone.
func (x *reversing) choose(snap store.Snapshot, q UndoRequest) error {
	rs, err := readReversals(snap, x.past.owner)
	if err != nil {
		return err
	}
	r := rs.byID(q.Reversal)
	if r == nil && !q.Reversal.IsZero() {
		return fail("Undo", holdfast.NotFound, q.Reversal.String(), "there is no such undo or rewind; `holdfast history "+x.person.Email+"` shows what there is")
	}
	if r == nil {
		ch, err := x.change(snap, q.Change)
		if err != nil {
			return err
		}
		if r, err = rs.of(snap, ch); err != nil {
			return err
		}
		if r == nil {
			return x.chooseGroup(snap, ch)
		}
	}
	if err := rs.collect(snap, r); err != nil {
		return err
	}
	x.record.Of, x.chosen = r.ID, r.groups
	x.record.Seq = r.groups[len(r.groups)-1].last
	return nil
}

// change returns the change that a request names.
func (x *reversing) change(snap store.Snapshot, seq uint64) (*holdfast.Change, error) {
	h, err := snap.Head(x.past.owner)
	if err != nil {
		return nil, err
	}
	if seq == 0 || seq > h.Seq {
		return nil, fail("Undo", holdfast.NotFound, fmt.Sprint(seq), fmt.Sprintf("the account has changes 1 to %d; `holdfast history %s` shows them", h.Seq, x.person.Email))
	}
	return changeAt(snap, x.past.owner, seq, 0)
}

// chooseGroup chooses the group that a change was committed in: what was done at once is undone at once.
func (x *reversing) chooseGroup(snap store.Snapshot, ch *holdfast.Change) error {
	from := ch.Seq - min(ch.Seq, holdfast.MaxGroup)
	first := from + 1
	err := snap.Changes(x.past.owner, from, int(ch.Seq-from), 0, func(c *holdfast.Change) error {
		if c.More == 0 && c.Seq < ch.Seq {
			first = c.Seq + 1
		}
		return nil
	})
	x.chosen, x.record.Seq = spans{{first, ch.GroupEnd()}}, ch.GroupEnd()
	if err == nil && first == 1 {
		err = fail("Undo", holdfast.Invalid, x.person.Email, "this change made the account; `holdfast account erase` does away with one")
	}
	return err
}

// RewindRequest says where an account, or a collection of it with what is below it, goes back to.
type RewindRequest struct {
	To         time.Time // the state after the last change that was made by then
	Seq        uint64    // instead of To: the state after this change
	Collection string    // a path, also that of a deleted one; empty: everything
	DryRun     bool
}

// Rewind brings all of an account's own collections, or one, to the state of an earlier moment: what came since goes, what went since comes back, what was changed is as it was. Records of the account and shares stay as they are: a
// collection that comes back has the guests whose share was not ended since. What somebody changes meanwhile is left, and named. It is otherwise as [Past.Undo]. Errors: as that, and Invalid for a moment that is still to come, or before the account was there.
func (p *Past) Rewind(ctx context.Context, q RewindRequest, tell func(Progress)) (Reversed, error) {
	x, err := p.reversing(ctx, holdfast.Rewind, q.DryRun, tell)
	if err != nil {
		return Reversed{}, err
	}
	defer x.end()
	if !q.To.IsZero() && q.To.After(p.s.Now()) {
		return Reversed{}, fail("Rewind", holdfast.Invalid, q.To.Format(time.RFC3339), "this moment is still to come")
	}
	w := &rewinder{x: x, q: q, g: p.gatherer()}
	if err := w.walk(ctx); err != nil {
		return Reversed{}, err
	}
	if x.record.Seq, x.record.To = w.keep, q.To; w.keep == 0 {
		return Reversed{}, fail("Rewind", holdfast.Invalid, x.person.Email, "the account was made later, at "+w.made.UTC().Format(time.RFC3339))
	}
	x.out.AsOf = w.asOf
	x.chosen = spans{{w.keep + 1, max(w.head, w.keep+1)}}
	if x.items, err = w.g.settled(ctx); err != nil {
		return Reversed{}, err
	}
	return x.run(ctx)
}

// rewinder walks back through a journal and gathers what was touched, until it comes to what a rewind keeps.
type rewinder struct {
	x    *reversing
	q    RewindRequest
	g    *gatherer
	tree treeOfAll
	tops map[holdfast.ID]bool // nil: everything

	head    uint64
	pending []*holdfast.Change // of a group whose beginning was not met yet, newest first
	keep    uint64             // the newest change that stays; 0: none does
	asOf    time.Time          // when that was made
	made    time.Time          // of the oldest change that was met
}

func (w *rewinder) walk(ctx context.Context) error {
	err := w.x.past.within(ctx, w.begin)
	for to := w.head; err == nil && to > 0; {
		from := to - min(to, historyPage)
		err = w.x.past.within(ctx, func(snap store.Snapshot) error { return w.page(snap, from, to) })
		to = from
	}
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

func (w *rewinder) begin(snap store.Snapshot) (err error) {
	h, err := snap.Head(w.x.past.owner)
	if err != nil {
		return err
	}
	w.head = h.Seq
	if w.q.Seq > h.Seq {
		return fail("Rewind", holdfast.NotFound, fmt.Sprint(w.q.Seq), fmt.Sprintf("the account has changes 1 to %d", h.Seq))
	}
	if w.tree, err = readTreeOfAll(snap, w.x.past.owner); err != nil || w.q.Collection == "" {
		return err
	}
	at, err := w.tree.locate(snap, w.q.Collection)
	if err == nil && at.name != "" {
		err = fail("Rewind", holdfast.Invalid, w.q.Collection, "this is an item, and a collection goes back as a whole; `holdfast history` shows the item's versions, and `holdfast undo` takes one back")
	}
	w.tops = map[holdfast.ID]bool{}
	for _, id := range at.collections {
		w.tops[id] = true
	}
	if len(at.collections) > 0 {
		w.x.record.Collection = at.collections[0]
	}
	return err
}

// page takes the changes above one seq and up to another, newest first.
func (w *rewinder) page(snap store.Snapshot, from, to uint64) error {
	page := make([]*holdfast.Change, 0, to-from)
	err := snap.Changes(w.x.past.owner, from, int(to-from), 0, func(ch *holdfast.Change) error {
		x := *ch
		x.Body, x.Properties = nil, nil
		page = append(page, &x)
		return nil
	})
	for i := len(page) - 1; i >= 0 && err == nil; i-- {
		ch := page[i]
		if ch.More == 0 {
			err = w.group()
		}
		w.pending = append(w.pending, ch)
		if err == nil && ch.Seq == 1 {
			err = w.group()
		}
	}
	return err
}

// group takes a group as a whole: nothing goes back to the middle of one.
func (w *rewinder) group() error {
	if len(w.pending) == 0 {
		return nil
	}
	last, first := w.pending[0], w.pending[len(w.pending)-1]
	w.made = first.At
	if w.q.Seq >= first.Seq || w.q.Seq == 0 && !first.At.After(w.q.To) {
		w.keep, w.asOf = last.Seq, first.At
		return errEnough
	}
	for _, ch := range w.pending {
		if w.tops == nil || w.tree.within(ch.Collection, w.tops) {
			w.g.earlier(ch)
		}
	}
	w.pending = w.pending[:0]
	return nil
}

// reversing begins a reversal. Of one account there is one at a time: two would meet each other's changes as somebody else's. A preview waits for nobody.
func (p *Past) reversing(ctx context.Context, what string, dry bool, tell func(Progress)) (*reversing, error) {
	person, err := p.s.person(ctx, p.owner.String())
	if err != nil {
		return nil, err
	}
	x := &reversing{past: p, s: p.s, person: person, dry: dry, tell: tell, names: newNames()}
	x.record = holdfast.ReversalRecord{ID: holdfast.NewID(p.s.random), What: what, Began: p.s.Now()}
	if dry {
		return x, nil
	}
	if err := p.s.doubt.standing(person); err != nil {
		return nil, err
	}
	if !p.s.reversals.begin(p.owner) {
		return nil, fail("Reverse", holdfast.Unavailable, person.Email, "another undo or rewind of this account is under way; wait until it is done")
	}
	return x, nil
}

// end lets others begin.
func (x *reversing) end() {
	if !x.dry {
		x.s.reversals.end(x.past.owner)
	}
}

// busy is which accounts something is being done to that is done by one at a time.
type busy struct {
	mu       sync.Mutex
	accounts map[holdfast.ID]bool
}

func (b *busy) begin(account holdfast.ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.accounts[account] {
		return false
	}
	if b.accounts == nil {
		b.accounts = map[holdfast.ID]bool{}
	}
	b.accounts[account] = true
	return true
}

func (b *busy) end(account holdfast.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.accounts, account)
}
