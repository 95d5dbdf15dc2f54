package retain

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/place"
	memplace "holdfast/internal/place/memory"
	"holdfast/internal/seal"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
)

func fine(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var storeID = holdfast.ID{0xaa}

const (
	day = 24 * time.Hour
	age = 10 * day
)

// copyOf is a vault of the rig, and the engine that it is written from.
type copyOf struct {
	place  *memplace.Place
	v      *vault.Vault
	w      *vault.Writer
	id     holdfast.ID
	pruned func(*holdfast.Change) bool // what it has no octets of
}

// rig is a store with two vaults, and each day a head in both.
type rig struct {
	t      *testing.T
	clock  *clock.Fake
	engine *memory.Engine
	ring   *seal.Ring
	m      *storetest.Maker
	a, b   storetest.Account
	copies []*copyOf
	held   []string
	skip   holdfast.ID
	after  map[uint64]time.Duration // what a change of a replaced: the counted time at which that was named, by seq of what it replaced
	head   time.Duration            // counted
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, clock: clock.NewFake(time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)), engine: memory.New(), m: storetest.NewMaker(5), after: map[uint64]time.Duration{}}
	var err error
	r.ring, err = seal.NewRing(false)
	fine(t, err)
	recovery, err := seal.NewRecovery(storeID, r.clock.Now(), false)
	fine(t, err)
	fine(t, r.ring.Add(recovery))
	for _, name := range []string{"local", "attic"} {
		r.add(name)
	}
	r.a, r.b = storetest.NewAccount(t, r.m, r.engine, "ann@example.org"), storetest.NewAccount(t, r.m, r.engine, "ben@example.org")
	for i := range 4 {
		r.put(r.a, "a", fmt.Sprint("a", i))
		r.put(r.b, "b", fmt.Sprint("b", i))
	}
	r.put(r.a, "gone", "gone")
	r.commit(r.a, r.m.Delete(r.a.Book, "gone"))
	r.put(r.a, "stays", "stays")
	r.commit(r.a, r.m.Record(r.a.ID, "ann@example.org"))
	r.ship()
	return r
}

func (r *rig) add(name string) {
	t, c := r.t, &copyOf{place: memplace.New(r.clock), id: holdfast.NewID(nil), pruned: func(*holdfast.Change) bool { return false }}
	var err error
	c.v, err = vault.Create(t.Context(), vault.Options{Place: c.place, Ring: r.ring, Clock: r.clock}, vault.Meta{Vault: c.id, Store: storeID, Name: name, Created: r.clock.Now()})
	fine(t, err)
	term, err := c.v.Adopt(t.Context(), storeID, holdfast.Position{}, vault.FromNothing)
	fine(t, err)
	c.w, err = c.v.Writer(t.Context(), term, holdfast.Position{})
	fine(t, err)
	t.Cleanup(func() { c.w.Close() })
	r.copies = append(r.copies, c)
}

func (r *rig) commit(a storetest.Account, e holdfast.Entry) {
	_, err := r.engine.Commit(r.t.Context(), storetest.Sealed(a.ID, e))
	fine(r.t, err)
}

func (r *rig) put(a storetest.Account, name, text string) {
	r.commit(a, r.m.Put(a.Book, name, "", []byte(text)))
}

// ship brings the vaults up to the store, and writes heads.
func (r *rig) ship() {
	for _, c := range r.copies {
		fine(r.t, r.engine.After(r.t.Context(), c.w.Position().Batch, 0, func(b *holdfast.Batch) error {
			x := *b
			x.Changes = slices.Clone(b.Changes)
			for i := range x.Changes {
				if ch := &x.Changes[i]; !ch.Pruned && c.pruned(ch) {
					ch.Prune()
				}
			}
			return c.w.Append(r.t.Context(), vault.PackBatches([]*holdfast.Batch{&x}, r.clock.Now()))
		}))
		fine(r.t, c.w.Head(r.t.Context(), vault.HeadInput{Whole: true}))
	}
	snap, err := r.engine.Snapshot(r.t.Context())
	fine(r.t, err)
	defer snap.Close()
	for _, a := range []storetest.Account{r.a, r.b} {
		fine(r.t, snap.Changes(a.ID, 0, 0, 0, func(c *holdfast.Change) error {
			if _, ok := r.after[key(a.ID, c.Prev)]; !ok && c.Prev > 0 {
				r.after[key(a.ID, c.Prev)] = r.head
			}
			return nil
		}))
	}
}

// key makes one number of an account and a seq.
func key(id holdfast.ID, seq uint64) uint64 { return uint64(id[0])<<40 | uint64(id[1])<<32 | seq }

// days lets time go by, with a change of each account and a head each day.
func (r *rig) days(n int) {
	for range n {
		r.clock.Advance(day)
		r.head += day
		r.put(r.a, "daily", r.clock.Now().String())
		r.put(r.b, "daily", r.clock.Now().String())
		r.ship()
	}
}

// drill has heads say that a drill began now and ended so, of both accounts unless others are named.
func (r *rig) drill(which int, result string, accounts ...holdfast.ID) {
	c := r.copies[which]
	h, err := c.v.LastHead(r.t.Context())
	fine(r.t, err)
	if accounts == nil {
		accounts = []holdfast.ID{r.a.ID, r.b.ID}
	}
	fine(r.t, c.w.Head(r.t.Context(), vault.HeadInput{Drills: []vault.DrillRef{{Drill: "d", Vault: "x", Result: result, Of: h.Vault, Head: h.Number, Accounts: accounts}}}))
}

func (r *rig) drills() {
	for i := range r.copies {
		r.drill(i, "pass")
	}
}

func (r *rig) options() Options {
	o := Options{Engine: r.engine, Age: age, Spool: r.t.TempDir(), Skip: func(id holdfast.ID) bool { return id == r.skip }, Held: func() []string { return r.held },
		Pace: func(ctx context.Context, _ int64) error { return context.Cause(ctx) }}
	for _, c := range r.copies {
		v, err := vault.OpenDamaged(r.t.Context(), vault.Options{Place: c.place, Ring: r.ring, Clock: r.clock}, vault.Meta{Vault: c.id, Store: storeID})
		fine(r.t, err)
		o.Vaults = append(o.Vaults, v)
	}
	return o
}

// pruned returns the seqs of an account whose octets were let go of.
func (r *rig) pruned(a storetest.Account) (out []uint64) {
	snap, err := r.engine.Snapshot(r.t.Context())
	fine(r.t, err)
	defer snap.Close()
	fine(r.t, snap.Changes(a.ID, 0, 0, 0, func(c *holdfast.Change) error {
		if c.Pruned {
			out = append(out, c.Seq)
		}
		return nil
	}))
	return out
}

// old returns what may go of an account: what was replaced, and that was named for the age at a counted time.
func (r *rig) old(a storetest.Account, at time.Duration) (out []uint64) {
	snap, err := r.engine.Snapshot(r.t.Context())
	fine(r.t, err)
	defer snap.Close()
	fine(r.t, snap.Changes(a.ID, 0, 0, 0, func(c *holdfast.Change) error {
		if named, ok := r.after[key(a.ID, c.Seq)]; ok && c.Op == holdfast.OpPut && c.Name != "" && c.Collection != a.ID && at-named >= age {
			out = append(out, c.Seq)
		}
		return nil
	}))
	return out
}

// sound checks that nothing but octets is different.
func (r *rig) sound() {
	r.t.Helper()
	storetest.Verify(r.t, r.engine)
}

// TestWhatAllVaultsCallOldGoes: exactly what was replaced or deleted for the age when both vaults were last proven, and nothing that is there or that was replaced since.
func TestWhatAllVaultsCallOldGoes(t *testing.T) {
	r := newRig(t)
	r.days(14)
	r.drill(0, "pass")
	first := r.head // the vaults agree on what both were proven for
	r.days(2)
	r.drill(1, "pass")
	r.days(3)
	want := map[holdfast.ID][]uint64{r.a.ID: r.old(r.a, first), r.b.ID: r.old(r.b, first)}
	if len(want[r.a.ID]) < 6 || len(r.old(r.a, r.head)) <= len(want[r.a.ID]) {
		t.Fatalf("%v of %v are old; the test is wrong", want[r.a.ID], r.old(r.a, r.head))
	}
	rep, err := Run(t.Context(), r.options())
	fine(t, err)
	for _, a := range []storetest.Account{r.a, r.b} {
		if got := r.pruned(a); !slices.Equal(got, want[a.ID]) {
			t.Errorf("gone are %v, want %v", got, want[a.ID])
		}
	}
	if n := len(want[r.a.ID]) + len(want[r.b.ID]); rep.Versions != int64(n) || rep.Accounts != 2 || rep.Octets == 0 || len(rep.Held) > 0 || rep.Passed != 0 || rep.Unproven != 0 {
		t.Errorf("%+v, want %d versions", rep, n)
	}
	r.sound()
	if again, err := Run(t.Context(), r.options()); err != nil || again.Versions != 0 || len(again.Held) > 0 {
		t.Errorf("once more: %+v, %v", again, err)
	}
	// Later more is old, and a vault may have let go of it itself, as may the engine.
	r.days(5)
	r.drills()
	rep, err = Run(t.Context(), r.options())
	if fine(t, err); rep.Versions == 0 || !slices.Equal(r.pruned(r.a), r.old(r.a, r.head)) {
		t.Errorf("later: %+v, gone are %v, want %v", rep, r.pruned(r.a), r.old(r.a, r.head))
	}
	r.sound()
}

// TestAVaultThatHasLetGoAgrees: a vault that was filled without old octets calls them old too.
func TestAVaultThatHasLetGoAgrees(t *testing.T) {
	r := newRig(t)
	r.days(14)
	r.add("new")
	r.copies[2].pruned = func(c *holdfast.Change) bool { return c.Prunable() && (c.Name == "a" && c.Seq < 8 || c.Name == "gone") }
	r.ship()
	r.days(14)
	r.drills()
	rep, err := Run(t.Context(), r.options())
	if fine(t, err); rep.Versions == 0 || len(rep.Held) > 0 {
		t.Errorf("%+v", rep)
	}
	for _, a := range []storetest.Account{r.a, r.b} {
		for _, seq := range r.pruned(a) {
			if !slices.Contains(r.old(a, r.head), seq) {
				t.Errorf("version %d is gone, and was not old", seq)
			}
		}
	}
	if got := r.pruned(r.a); len(got) < 4 {
		t.Errorf("only %v are gone", got)
	}
	r.sound()
}

// TestWhatHoldsItUp: each of these alone keeps the octets, and is said.
func TestWhatHoldsItUp(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*rig)
		says string // among what holds it up; empty: it concerns accounts
		keep int    // accounts of which nothing goes; 2: nothing at all
	}{
		"all is well":              {func(r *rig) { r.drills() }, "", 0},
		"no drill":                 {func(r *rig) {}, "there is none", 2},
		"one vault is not proven":  {func(r *rig) { r.drill(0, "pass") }, "the vault attic", 2},
		"it failed since":          {func(r *rig) { r.drills(); r.drill(1, "fail") }, "did not pass", 2},
		"it proved nothing since":  {func(r *rig) { r.drills(); r.drill(1, "inconclusive") }, "did not pass", 2},
		"one account is unproven":  {func(r *rig) { r.drill(0, "pass"); r.drill(1, "pass", r.a.ID) }, "", 1},
		"one is not to be touched": {func(r *rig) { r.drills(); r.skip = r.b.ID }, "", 1},
		"something holds":          {func(r *rig) { r.drills(); r.held = []string{"the vault x is late"} }, "the vault x is late", 2},
		"no vault":                 {func(r *rig) { r.drills(); r.copies = nil }, "no vault", 2},
		"a vault is damaged":       {func(r *rig) { r.drills(); r.rot(1, "tail/", ".frames") }, "cannot be read", 2},
		"a head cannot be read":    {func(r *rig) { r.drills(); r.rot(1, "heads/", "") }, "the vault attic", 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.days(14)
			c.do(r)
			rep, err := Run(t.Context(), r.options())
			fine(t, err)
			none := 0
			for _, a := range []storetest.Account{r.a, r.b} {
				switch got := r.pruned(a); {
				case len(got) == 0:
					none++
				case !slices.Equal(got, r.old(a, r.head)):
					t.Errorf("gone are %v, want %v", got, r.old(a, r.head))
				}
			}
			if none != c.keep || (len(rep.Held) > 0) != (c.says != "") || !strings.Contains(strings.Join(rep.Held, "; "), c.says) {
				t.Errorf("of %d accounts nothing is gone, want %d: %+v", none, c.keep, rep)
			}
			r.sound()
		})
	}
}

// rot changes octets in the middle of the newest object of a kind.
func (r *rig) rot(which int, prefix, suffix string) {
	p := r.copies[which].place
	var last string
	fine(r.t, p.List(r.t.Context(), prefix, "", func(i place.Info) error {
		if strings.HasSuffix(i.Name, suffix) {
			last = i.Name
		}
		return nil
	}))
	b, err := place.ReadAll(r.t.Context(), p, last, 1<<24)
	fine(r.t, err)
	b = slices.Clone(b)
	for i := len(b) / 3; i < len(b)/3+40; i++ {
		b[i] ^= 0x55
	}
	p.Overwrite(last, b)
}

// TestADrillFromBeforeProvesNothing: what was not old yet when the drill began does not go, however old it is by now.
func TestADrillFromBeforeProvesNothing(t *testing.T) {
	r := newRig(t)
	r.days(5)
	r.drills()
	r.days(20)
	rep, err := Run(t.Context(), r.options())
	if fine(t, err); rep.Versions != 0 || rep.Unproven != 2 || len(r.pruned(r.a)) > 0 {
		t.Errorf("%+v", rep)
	}
}

// TestAClockThatJumpsLetsNothingGo: ten years ahead are a day along the heads.
func TestAClockThatJumpsLetsNothingGo(t *testing.T) {
	r := newRig(t)
	for range 3 {
		r.clock.Advance(10 * 365 * day)
		r.put(r.a, "daily", r.clock.Now().String())
		r.ship()
	}
	r.drills()
	rep, err := Run(t.Context(), r.options())
	if fine(t, err); rep.Versions != 0 || rep.Unproven != 0 || len(rep.Held) > 0 {
		t.Errorf("%+v", rep)
	}
}

// TestAnotherHistoryLetsNothingGo: a vault of a store whose account went another way says nothing of this one.
func TestAnotherHistoryLetsNothingGo(t *testing.T) {
	r := newRig(t)
	r.days(14)
	r.drills()
	other := memory.New() // the same accounts, whose last change is another one
	fine(t, r.engine.After(t.Context(), 0, 0, func(b *holdfast.Batch) error {
		b.Position, b.Prev = holdfast.Position{}, holdfast.Hash{}
		for i := range b.Changes {
			if c := &b.Changes[i]; c.Account == r.a.ID && c.Seq > 6 {
				return nil
			}
		}
		return other.Apply(t.Context(), b)
	}))
	for i := range 40 {
		_, err := other.Commit(t.Context(), storetest.Sealed(r.a.ID, r.m.Put(r.a.Book, "a", "", []byte(fmt.Sprint("another ", i)))))
		fine(t, err)
	}
	o := r.options()
	o.Engine = other
	rep, err := Run(t.Context(), o)
	fine(t, err)
	r.engine = other
	if rep.Passed != 1 || len(r.pruned(r.a)) > 0 || len(r.pruned(r.b)) == 0 {
		t.Errorf("%+v, gone are %v and %v", rep, r.pruned(r.a), r.pruned(r.b))
	}
}

// TestItStopsWhereSomethingComesBetween: what begins to hold it up, or an account that is to be left alone by now, is asked for again before each account.
func TestItStopsWhereSomethingComesBetween(t *testing.T) {
	for _, held := range []bool{true, false} {
		r := newRig(t)
		r.days(14)
		r.drills()
		o := r.options()
		n := 0
		o.Done = func(id holdfast.ID, _, _ int64) {
			if n++; held {
				r.held = []string{"the vault attic is late"}
			} else if r.skip = r.a.ID; id == r.a.ID {
				r.skip = r.b.ID
			}
		}
		rep, err := Run(t.Context(), o)
		if fine(t, err); n != 1 || rep.Accounts != 1 || (len(rep.Held) == 1) != held {
			t.Errorf("held %v: %d accounts, %+v", held, n, rep)
		}
	}
}
