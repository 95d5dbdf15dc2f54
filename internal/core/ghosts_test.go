package core_test

import (
	"slices"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
)

// haunted is a store that was restored without the octets of its newest item, with a device from before the loss and one from after.
type haunted struct {
	shelf         // of the device that is older than the loss
	later  shelf  // of one that came afterwards
	token  string // of the older one, from before the loss
	octets string // that were lost
	etag   holdfast.Hash
	seq    uint64
	e      *memory.Engine
}

func newHaunted(t *testing.T) *haunted { return newHauntedBy(t, 0) }

// newHauntedBy has the clock of the store that was lost ahead by so much.
func newHauntedBy(t *testing.T, ahead time.Duration) *haunted { return newHauntedAfter(t, ahead, 0) }

// newHauntedAfter has the store begun so many epochs before, after the item was there and before the device came.
func newHauntedAfter(t *testing.T, ahead time.Duration, epochs uint64) *haunted {
	t.Helper()
	now := clock.NewFake(time.Unix(1e9, 0).Add(ahead))
	o := core.Options{Engine: memory.New(), Clock: now, Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judgeLines}}
	g := &haunted{shelf: shelfOf(t, core.New(o)), octets: "u2 lost"}
	device := func(name string) holdfast.ID {
		d, _, err := g.s.AddDevice(t.Context(), holdfast.Actor{Account: g.p.Account}, g.p.Account, name, holdfast.HashOf([]byte(name)))
		if err != nil {
			t.Fatal(err)
		}
		return d.ID
	}
	begin := func(e store.Engine, epoch uint64) {
		snap, err := e.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		at, err := snap.Head(g.p.Account)
		snap.Close()
		if err != nil {
			t.Fatal(err)
		}
		x := holdfast.Entry{ID: holdfast.NewID(nil), Op: holdfast.OpPut, Kind: holdfast.KindEpoch, Collection: g.p.Account, Name: holdfast.EpochName(epoch), At: now.Now(),
			Body: holdfast.EpochRecord{Epoch: epoch, Parent: epoch - 1, Fork: at.Seq, Hash: at.Chain, Nonce: holdfast.NewID(nil), Why: "restored"}.Encode()}
		group := &holdfast.Group{Account: g.p.Account, Entries: []holdfast.Entry{x}}
		group.Seal()
		if _, err := e.Commit(t.Context(), group); err != nil {
			t.Fatal(err)
		}
	}
	g.p.Device = device("computer")
	g.mustPut(t, "1.vcf", "u1 here")
	r := g.mustPut(t, "2.vcf", g.octets)
	for n := range epochs {
		begin(o.Engine, n+2)
		now.Advance(time.Hour)
		g.s = core.New(o)
	}
	g.p.Device = device("phone")
	g.seq, g.etag = r.Seq, holdfast.HashOf([]byte(g.octets))
	_, g.token, _, _ = g.sync(t, g.book, "", 0)
	g.e = memory.New()
	t.Cleanup(func() { g.e.Close() })
	if err := o.Engine.After(t.Context(), 0, 0, func(b *holdfast.Batch) error {
		b.Position, b.Prev = holdfast.Position{}, holdfast.Hash{}
		for i := range b.Changes {
			if c := &b.Changes[i]; c.Name == "2.vcf" {
				c.Prune()
			}
		}
		return g.e.Apply(t.Context(), b)
	}); err != nil {
		t.Fatal(err)
	}
	now = clock.NewFake(time.Unix(1e9, 0).Add(time.Duration(epochs+1) * time.Hour))
	o.Clock = now
	begin(g.e, epochs+2)
	o.Engine = g.e
	g.s = core.New(o)
	now.Advance(time.Hour)
	g.later = g.shelf
	g.later.p.Device = device("tablet")
	return g
}

// listed returns the names that a full listing and one by time have, and the ETag of the ghost.
func (h shelf) listed(t *testing.T) (names []string, ghost holdfast.Hash) {
	t.Helper()
	if err := h.s.Read(t.Context(), h.p, h.p.Account, func(r *core.Reader) error {
		var byOnes []string
		see := func(to *[]string) func(*holdfast.Resource) error {
			return func(x *holdfast.Resource) error {
				if *to = append(*to, x.Name); x.State == holdfast.Ghost {
					ghost = x.ETag
				}
				return nil
			}
		}
		if err := r.List(h.book, "", 0, 0, see(&names)); err != nil {
			return err
		}
		for after := ""; ; after = byOnes[len(byOnes)-1] {
			n := len(byOnes)
			if err := r.List(h.book, after, 1, 0, see(&byOnes)); err != nil || n == len(byOnes) {
				if !slices.Equal(byOnes, names) {
					t.Errorf("one by one %v, at once %v", byOnes, names)
				}
				return err
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	return names, ghost
}

func (h shelf) fetched(t *testing.T, name string) (err error) {
	t.Helper()
	_ = h.s.Read(t.Context(), h.p, h.p.Account, func(r *core.Reader) error {
		_, err = r.Resource(h.book, name, core.WithBody)
		return nil
	})
	return err
}

// TestAGhostIsListedToWhoHadIt: a device that is older than the loss is told the old ETag, and keeps its copy; to one that came later nothing is there, and a token from before the loss stays good.
func TestAGhostIsListedToWhoHadIt(t *testing.T) {
	g := newHaunted(t)
	if names, etag := g.listed(t); !slices.Equal(names, []string{"1.vcf", "2.vcf"}) || etag != g.etag {
		t.Errorf("the older device is shown %v, with %s", names, etag)
	}
	wantKind(t, g.fetched(t, "2.vcf"), holdfast.Unavailable)
	if got, _, _, err := g.sync(t, g.book, "", 0); err != nil || !slices.Equal(got, []string{"+1.vcf", "+2.vcf"}) {
		t.Errorf("it lists %v anew, %v", got, err)
	}
	if got, _, _, err := g.sync(t, g.book, g.token, 0); err != nil || len(got) != 0 {
		t.Errorf("by its token it learns %v, %v", got, err)
	}
	if names, _ := g.later.listed(t); !slices.Equal(names, []string{"1.vcf"}) {
		t.Errorf("the later device is shown %v", names)
	}
	wantKind(t, g.later.fetched(t, "2.vcf"), holdfast.NotFound)
	for range 2 { // also once it was seen to list all
		if got, _, _, err := g.later.sync(t, g.book, "", 0); err != nil || !slices.Equal(got, []string{"+1.vcf"}) {
			t.Errorf("the later device lists %v, %v", got, err)
		}
	}
}

// TestWhatWasLostLater: a device that came between two restores has what the second one did not find. Nobody knows which of them lost an item, so the newest counts.
func TestWhatWasLostLater(t *testing.T) {
	g := newHauntedAfter(t, 0, 1)
	if names, etag := g.listed(t); !slices.Equal(names, []string{"1.vcf", "2.vcf"}) || etag != g.etag {
		t.Errorf("the device from between is shown %v, with %s", names, etag)
	}
	if names, _ := g.later.listed(t); !slices.Equal(names, []string{"1.vcf"}) {
		t.Errorf("the later device is shown %v", names)
	}
}

// TestAReversalLeavesGhosts: the newest octets of one are on a phone alone, and go there with whatever takes their place.
func TestAReversalLeavesGhosts(t *testing.T) {
	g := newHaunted(t)
	past, err := g.s.PastOf(t.Context(), g.p.Account)
	if err != nil {
		t.Fatal(err)
	}
	for what, fn := range map[string]func() (core.Reversed, error){
		"rewind": func() (core.Reversed, error) {
			return past.Rewind(t.Context(), core.RewindRequest{Seq: g.seq - 1}, nil)
		},
		"undo": func() (core.Reversed, error) {
			return past.Undo(t.Context(), core.UndoRequest{Change: g.seq}, nil)
		},
	} {
		out, err := fn()
		if err != nil || len(out.Steps) != 0 || len(out.Left) != 1 || out.Left[0].Name != "2.vcf" {
			t.Errorf("%s: %+v, %v", what, out, err)
		}
		if names, etag := g.listed(t); !slices.Equal(names, []string{"1.vcf", "2.vcf"}) || etag != g.etag {
			t.Errorf("%s: the older device is shown %v, with %s", what, names, etag)
		}
	}
}

// TestAResetAfterARestoreIsOne: what devices had seen is in no vault, so one that is older than the restore and lists all anew is taken for one that was reset. It is told of what it deletes then, at any size.
func TestAResetAfterARestoreIsOne(t *testing.T) {
	g := newHaunted(t)
	for _, d := range []shelf{g.later, g.shelf} {
		d.mustPut(t, "3.vcf", "u3 x")
		if _, _, _, err := d.sync(t, g.book, "", 0); err != nil {
			t.Fatal(err)
		}
		if _, err := d.s.Delete(t.Context(), d.p, d.place("3.vcf"), holdfast.Precondition{}, nil); err != nil {
			t.Fatal(err)
		}
		b := g.s.Bursts()
		if d == g.later && len(b) != 0 || d == g.shelf && (len(b) != 1 || !b[0].Reset || b[0].Device != g.p.Device) {
			t.Errorf("%+v", b)
		}
	}
}

// TestAPutHealsAGhost: whoever has octets brings them back, whatever he says that he knows, but for another version than the lost one: that is gone, and no conflict.
func TestAPutHealsAGhost(t *testing.T) {
	for what, c := range map[string]struct {
		body string
		pre  func(etag holdfast.Hash) holdfast.Precondition
		kind holdfast.ErrorKind
		late bool
	}{
		"an edit of the lost version": {"u2 edited", func(e holdfast.Hash) holdfast.Precondition { return holdfast.Precondition{Match: []holdfast.Hash{e}} }, 0, false},
		"the very octets":             {"u2 lost", func(e holdfast.Hash) holdfast.Precondition { return holdfast.Precondition{Match: []holdfast.Hash{e}} }, 0, false},
		"blindly":                     {"u2 edited", func(holdfast.Hash) holdfast.Precondition { return holdfast.Precondition{} }, 0, false},
		"blindly, the very octets":    {"u2 lost", func(holdfast.Hash) holdfast.Precondition { return holdfast.Precondition{} }, 0, false},
		"as new, the very octets":     {"u2 lost", func(holdfast.Hash) holdfast.Precondition { return holdfast.Precondition{Exists: holdfast.Absent} }, 0, false},
		"a retry that had no answer": {"u2 lost", func(holdfast.Hash) holdfast.Precondition {
			return holdfast.Precondition{Match: []holdfast.Hash{{1}}}
		}, 0, false},
		"another UID":      {"u9 new", func(holdfast.Hash) holdfast.Precondition { return holdfast.Precondition{} }, 0, false},
		"as something new": {"u2 new", func(holdfast.Hash) holdfast.Precondition { return holdfast.Precondition{Exists: holdfast.Absent} }, 0, true},
		"an edit of another version": {"u2 edited", func(holdfast.Hash) holdfast.Precondition {
			return holdfast.Precondition{Match: []holdfast.Hash{{1}}}
		}, holdfast.NotFound, false},
	} {
		g := newHaunted(t)
		h := g.shelf
		if c.late {
			h = g.later
		}
		_, etag, err := h.s.Put(t.Context(), h.p, core.PutRequest{Place: h.place("2.vcf"), Body: []byte(c.body), If: c.pre(g.etag)})
		if c.kind != 0 {
			if !holdfast.IsKind(err, c.kind) {
				t.Errorf("%s: %v", what, err)
			}
			continue
		}
		if err != nil || etag != holdfast.HashOf([]byte(c.body)) {
			t.Errorf("%s: %v", what, err)
			continue
		}
		for _, d := range []shelf{g.shelf, g.later} {
			if names, ghost := d.listed(t); len(names) != 2 || !ghost.IsZero() || d.fetched(t, "2.vcf") != nil {
				t.Errorf("%s: afterwards %v, ghost %s", what, names, ghost)
			}
		}
	}
}

// TestAGhostIsNoEmptyItem: it is not copied, changed or found by a UID that nobody knows; it can be deleted, and what has its UID can be put under another name.
func TestAGhostIsNoEmptyItem(t *testing.T) {
	g := newHaunted(t)
	_, err := g.s.Copy(t.Context(), g.p, core.Transfer{From: g.place("2.vcf"), To: g.place("3.vcf")})
	wantKind(t, err, holdfast.Unavailable)
	_, err = g.s.Move(t.Context(), g.p, core.Transfer{From: g.place("2.vcf"), To: g.place("3.vcf")})
	wantKind(t, err, holdfast.Unavailable)
	_, err = g.s.SetProperties(t.Context(), g.p, g.place("2.vcf"), nil, func(p holdfast.Properties) (holdfast.Properties, error) { return p, nil })
	wantKind(t, err, holdfast.Unavailable)
	g.mustPut(t, "other.vcf", "u2 again")
	_, err = g.s.Delete(t.Context(), g.later.p, g.place("2.vcf"), holdfast.Precondition{}, nil)
	wantKind(t, err, holdfast.NotFound) // it is not shown to that one
	if _, err := g.s.Delete(t.Context(), g.p, g.place("2.vcf"), holdfast.Precondition{Match: []holdfast.Hash{g.etag}}, nil); err != nil {
		t.Fatal(err)
	}
	if names, _ := g.listed(t); !slices.Equal(names, []string{"1.vcf", "other.vcf"}) {
		t.Errorf("there are %v", names)
	}
}

// TestTheClockMayHaveBeenAhead: the clock of the machine that was lost may have been ahead of this one's. What the older device has is shown to it all the same.
func TestTheClockMayHaveBeenAhead(t *testing.T) {
	g := newHauntedBy(t, 48*time.Hour)
	if names, _ := g.listed(t); !slices.Equal(names, []string{"1.vcf", "2.vcf"}) {
		t.Errorf("the older device is shown %v", names)
	}
	if names, _ := g.later.listed(t); !slices.Equal(names, []string{"1.vcf"}) {
		t.Errorf("the later device is shown %v", names)
	}
}

// TestTheOperatorSeesGhosts: an export reads for the operator, and names what is lost.
func TestTheOperatorSeesGhosts(t *testing.T) {
	g := newHaunted(t)
	found := false
	if err := g.s.Inspect(t.Context(), g.p.Account, func(r *core.Reader) error {
		return r.List(g.book, "", 0, store.WithBody, func(x *holdfast.Resource) error {
			found = found || x.State == holdfast.Ghost && x.Name == "2.vcf"
			return nil
		})
	}); err != nil || !found {
		t.Errorf("found: %v, %v", found, err)
	}
}
