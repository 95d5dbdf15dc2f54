package scrub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/store"
)

// Source gives octets of an account's changes out of vaults: it calls fn with those that it has of the seqs that are wanted, and where they are from. The octets belong to it.
type Source func(ctx context.Context, account holdfast.ID, want map[uint64]holdfast.Hash, fn func(seq uint64, body []byte, from string) error) error

// Scrubber reads an engine.
type Scrubber struct {
	Engine store.Engine
	Book   *Book
	Clock  clock.Clock
	Pace   func(ctx context.Context, octets int64) error // called between two snapshots
	Source Source                                        // nil: nothing is mended
	Files  Files                                         // nil: there are none
	Log    *slog.Logger
	Found  func(Finding) // called with each thing once it is known whether it was mended; nil: nobody

	saved time.Time
}

// Bounds of a page. One is read in one snapshot, which must not live long.
const (
	pageChanges = 500
	pageOctets  = 4 << 20
	pageTime    = time.Second
)

// saveEvery is how often it is made durable how far a round is.
const saveEvery = 10 * time.Second

// pending is how many bodies of one account wait to be mended at most.
const pending = 200

// Round reads everything once, from where the last call was cut, and returns what came of it.
func (s *Scrubber) Round(ctx context.Context) (*Round, error) {
	s.Book.change(func(x *State) {
		if x.Now == nil {
			x.Now, x.Cursor = &Round{Began: s.now(), Findings: []Finding{}}, Cursor{}
		}
	})
	if r, ok := s.Engine.(store.Refresher); ok {
		r.Refresh() // what rotted on the disk is not seen in memory
	}
	for {
		id, err := s.next(ctx)
		if err != nil {
			return nil, s.cut(err)
		}
		if id.IsZero() {
			break
		}
		if err := s.account(ctx, id); err != nil {
			return nil, s.cut(err)
		}
		s.Book.change(func(x *State) { x.Cursor = Cursor{Account: id, Done: true}; x.Now.Accounts++ })
	}
	s.Book.change(func(x *State) {
		now := s.now()
		x.Now.Ended = &now
		x.Last, x.Now, x.Cursor = x.Now, nil, Cursor{}
	})
	state := s.Book.State()
	return state.Last, s.Book.save()
}

func (s *Scrubber) now() time.Time { return s.Clock.Now().UTC().Truncate(time.Second) }

// cut makes durable how far a round was when it was cut.
func (s *Scrubber) cut(err error) error {
	if bad := s.Book.save(); bad != nil {
		s.Log.Warn("how far the scrub of the engine is could not be written down", "err", bad)
	}
	return err
}

// next returns the account to go on with; zero where there is none.
func (s *Scrubber) next(ctx context.Context) (id holdfast.ID, err error) {
	snap, err := s.Engine.Snapshot(ctx)
	if err != nil {
		return id, err
	}
	defer snap.Close()
	c := s.Book.State().Cursor
	if !c.Account.IsZero() && !c.Done {
		if _, err := snap.Account(c.Account); err == nil {
			return c.Account, nil
		} // erased meanwhile
	}
	list, err := snap.Accounts(c.Account, 1)
	if err != nil || len(list) == 0 {
		return id, err
	}
	return list[0].ID, nil
}

// errPage ends a page before its time.
var errPage = errors.New("the page is full")

// walk is the reading of one account.
type walk struct {
	s       *Scrubber
	account holdfast.ID
	seq     uint64 // read up to here
	chain   holdfast.Hash
	blind   bool // the chain is not known: a change before could not be read
	round   Round
	found   []Finding
	octets  int64
	letGo   []holdfast.Change // of this page: versions without octets
}

// account reads one account's journal from where the cursor is to its end.
func (s *Scrubber) account(ctx context.Context, id holdfast.ID) error {
	w := &walk{s: s, account: id}
	c := s.Book.State().Cursor
	if c.Account == id && c.File != nil { // its journal was read
		return s.files(ctx, id)
	}
	if c.Account == id && !c.Done {
		w.seq, w.chain = c.Seq, c.Chain
		if !s.stands(ctx, id, c) {
			w.seq, w.chain = 0, holdfast.Hash{}
		}
	}
	for more := true; more; {
		var err error
		if more, err = w.page(ctx); err != nil {
			return err
		}
		w.note()
		if s.waiting(id) >= pending || !more {
			s.mend(ctx, id)
		}
		s.saveNowAndThen()
		if err := s.Pace(ctx, w.octets); err != nil {
			return err
		}
		w.octets = 0
	}
	return s.files(ctx, id)
}

// saveNowAndThen makes durable how far the round is.
func (s *Scrubber) saveNowAndThen() {
	now := s.Clock.Now()
	if since := now.Sub(s.saved); since >= 0 && since < saveEvery {
		return
	}
	s.saved = now
	if err := s.Book.save(); err != nil {
		s.Log.Warn("how far the scrub of the engine is could not be written down", "err", err)
	}
}

// stands tells whether the journal is at the cursor what it was.
func (s *Scrubber) stands(ctx context.Context, id holdfast.ID, c Cursor) bool {
	if c.Seq == 0 {
		return true
	}
	snap, err := s.Engine.Snapshot(ctx)
	if err != nil {
		return false
	}
	defer snap.Close()
	h, err := snap.Chain(id, c.Seq)
	return err == nil && h.Chain == c.Chain
}

// page reads the next changes in one snapshot. more is false at the end of the journal. Where a page cannot be read its changes are read one by one, and those that cannot are named.
func (w *walk) page(ctx context.Context) (more bool, err error) {
	at := w.seq
	more, err = w.read(ctx, pageChanges)
	if err == nil {
		return more, nil
	}
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	if w.seq > at {
		return true, nil // the next page begins with what cannot be read
	}
	for range tries {
		if more, err = w.read(ctx, 1); err == nil {
			return more, nil
		}
		if holdfast.IsKind(err, holdfast.NotFound) {
			return false, nil // the account was erased meanwhile
		}
		if err := clock.Sleep(ctx, w.s.Clock, tryPause); err != nil {
			return false, err
		}
	}
	return w.skip(ctx, err)
}

// What cannot be read is tried again: another program may hold the database.
const (
	tries    = 3
	tryPause = time.Second
)

// read reads up to n changes. The snapshot ends early where the page is large, or reading slow.
func (w *walk) read(ctx context.Context, n int) (more bool, err error) {
	snap, err := w.s.Engine.Snapshot(ctx)
	if err != nil {
		return false, err
	}
	defer snap.Close()
	began, octets, last := w.s.Clock.Now(), w.octets, w.seq
	err = snap.Changes(w.account, w.seq, n, store.WithBody, func(c *holdfast.Change) error {
		w.change(c)
		if w.octets-octets >= pageOctets || w.s.Clock.Now().Sub(began) >= pageTime || ctx.Err() != nil {
			return errPage
		}
		return nil
	})
	if errors.Is(err, errPage) {
		err = nil
	}
	if err == nil {
		err = w.hollow(snap)
	}
	if err == nil && w.seq == last && ctx.Err() == nil {
		err = w.end(snap)
	}
	return w.seq > last, err
}

// hollow names what is there and has no octets: retention lets go of what was replaced, and of nothing else.
func (w *walk) hollow(snap store.Snapshot) error {
	list := w.letGo
	w.letGo = nil
	for i := range list {
		c := &list[i]
		newest := uint64(0)
		err := snap.Versions(c.Collection, c.Name, 0, func(x *holdfast.Change) error { newest = x.Seq; return errPage })
		if err != nil && !errors.Is(err, errPage) {
			return err
		}
		if newest != c.Seq {
			continue
		}
		if r, err := snap.Resource(c.Collection, c.Name, 0); err == nil && r.State == holdfast.Ghost {
			w.find(c, c.Seq, Lost, "the octets are known to be lost")
			continue
		}
		w.find(c, c.Seq, Octets, "the octets were let go of, and nothing has replaced them")
	}
	return nil
}

// end compares where the reading ended with what the account says of itself: a journal that lost its newest changes ends early, and nothing in it tells.
func (w *walk) end(snap store.Snapshot) error {
	h, err := snap.Head(w.account)
	switch {
	case err != nil:
		return err
	case h.Seq != w.seq:
		w.find(nil, w.seq+1, Chain, fmt.Sprintf("the journal ends at change %d, and the account has had %d", w.seq, h.Seq))
	case !w.blind && h.Chain != w.chain:
		w.find(nil, w.seq, Chain, "the journal ends with another chain than the account says")
	}
	return nil
}

// skip names the change that cannot be read, and goes beyond it.
func (w *walk) skip(ctx context.Context, cause error) (more bool, err error) {
	snap, err := w.s.Engine.Snapshot(ctx)
	if err != nil {
		return false, err // the engine as a whole cannot be read: that is not for a scrub to say
	}
	defer snap.Close()
	h, err := snap.Head(w.account)
	if err != nil {
		w.find(nil, w.seq, Unread, "the account's journal cannot be read behind this change: "+err.Error())
		return false, nil
	}
	if h.Seq <= w.seq {
		return false, nil
	}
	w.seq++
	w.blind = true
	w.find(nil, w.seq, Unread, "the change cannot be read: "+cause.Error())
	return true, nil
}

// change judges one change.
func (w *walk) change(c *holdfast.Change) {
	w.round.Changes++
	w.octets += int64(len(c.Body)) + overhead
	sound := true
	if c.Seq != w.seq+1 {
		w.find(c, c.Seq, Chain, fmt.Sprintf("the journal goes from %d to %d", w.seq, c.Seq))
		w.blind = true
	}
	if !w.blind && holdfast.ChainHash(w.account, c.Epoch, c.Seq, w.chain, c.Entry.CanonicalHash(c.Collection)) != c.Chain {
		w.find(c, c.Seq, Chain, "the chain breaks: the change is not what was committed")
		sound = false
	}
	w.seq, w.chain, w.blind = c.Seq, c.Chain, false
	if c.Op != holdfast.OpPut || c.Blob != nil {
		return
	}
	if c.Pruned {
		w.letGo = append(w.letGo, *c)
		return
	}
	w.round.Bodies++
	w.round.Octets += int64(len(c.Body))
	if sound && holdfast.HashOf(c.Body) != c.ETag {
		w.find(c, c.Seq, Octets, "the octets are not those that were stored")
	}
}

// overhead is about what a change takes besides its body.
const overhead = 300

func (w *walk) find(c *holdfast.Change, seq uint64, kind, what string) {
	f := Finding{Account: w.account, Seq: seq, Kind: kind, What: what, Found: w.s.now()}
	if c != nil {
		f.Collection, f.Name = c.Collection, c.Name
	}
	if kind == Octets || kind == Lost {
		etag := c.ETag
		f.ETag = &etag
	} else {
		f.Why = "nothing can be put in its place here: `holdfast doctor --full` looks at all of the store, and `holdfast restore` rebuilds it beside, out of a vault"
	}
	w.found = append(w.found, f)
}

// note takes up in the book what a page gave.
func (w *walk) note() {
	w.s.Book.change(func(x *State) {
		r, p := x.Now, &w.round
		r.Changes, r.Bodies, r.Octets = r.Changes+p.Changes, r.Bodies+p.Bodies, r.Octets+p.Octets
		for _, f := range w.found {
			if r.knows(&f) { // before it was cut
				continue
			}
			if f.Kind != Lost {
				r.Found++
			}
			r.name(f)
		}
		x.Cursor = Cursor{Account: w.account, Seq: w.seq, Chain: w.chain}
	})
	for _, f := range w.found {
		if f.Kind == Lost {
			continue
		}
		w.s.Log.Error("the engine holds something that is damaged", "account", f.Account, "collection", f.Collection, "item", f.Name, "seq", f.Seq, "what", f.What)
		if f.Kind != Octets {
			w.s.tell(f)
		}
	}
	w.round, w.found = Round{}, nil
}

func (r *Round) knows(f *Finding) bool {
	for i := range r.Findings {
		if x := &r.Findings[i]; x.Account == f.Account && x.Seq == f.Seq && x.Kind == f.Kind {
			return true
		}
	}
	return false
}

// name keeps a finding by name. What was mended makes room for what was not.
func (r *Round) name(f Finding) {
	if len(r.Findings) >= MaxNamed {
		i := slices.IndexFunc(r.Findings, func(x Finding) bool { return x.Mended })
		if i < 0 {
			return
		}
		r.Findings = slices.Delete(r.Findings, i, i+1)
	}
	r.Findings = append(r.Findings, f)
}

func (s *Scrubber) tell(f Finding) {
	if s.Found != nil {
		s.Found(f)
	}
}
