package restore

import (
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/place"
	memplace "holdfast/internal/place/memory"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
)

// aged is a history in which items were replaced and deleted, an hour between two changes, and a vault of it that lacks octets.
type aged struct {
	*source
	account storetest.Account
	seqs    map[string]uint64 // by name and text
	at      map[string]time.Time
	began   time.Time
	ends    uint64 // what is written ends before this change; 0: at the end
}

func newAged(t *testing.T) *aged {
	x := &aged{source: &source{t: t}, seqs: map[string]uint64{}, at: map[string]time.Time{}}
	x.init(t)
	x.began = x.clock.Now()
	m := storetest.NewMaker(3)
	x.account = storetest.NewAccount(t, m, x.engine, "ann@example.org")
	do := func(what string, e holdfast.Entry) {
		r, err := x.engine.Commit(t.Context(), storetest.Sealed(x.account.ID, e))
		fine(t, err)
		x.seqs[what] = r.Seq
		x.at[what] = x.began.Add(time.Duration(x.engine.Position().Batch-1) * time.Hour)
	}
	put := func(name, text string) { do(name+text, m.Put(x.account.Book, name, "uid "+name, []byte(text))) }
	put("a", "one")
	put("b", "one")
	put("a", "two")
	put("c", "one")
	put("a", "three")
	do("b gone", m.Delete(x.account.Book, "b"))
	put("d", "one")
	x.write(x.place, nil)
	return x
}

// write writes the history into a place, an hour between two batches, without the octets of some versions.
func (x *aged) write(p *memplace.Place, without []string) {
	t, now := x.t, x.began
	o := x.options()
	o.Place = p
	v, err := vault.Open(t.Context(), o)
	fine(t, err)
	term, err := v.Adopt(t.Context(), storeID, holdfast.Position{}, vault.FromNothing)
	fine(t, err)
	w, err := v.Writer(t.Context(), term, holdfast.Position{})
	fine(t, err)
	packed := &vault.Packed{}
	err = x.engine.After(t.Context(), 0, 0, func(b *holdfast.Batch) error {
		for i := range b.Changes {
			if c := &b.Changes[i]; slices.ContainsFunc(without, func(what string) bool { return c.Name != "" && x.seqs[what] == c.Seq }) {
				c.Prune()
			}
		}
		defer func() { now = now.Add(time.Hour) }()
		if c := &b.Changes[0]; c.Account == x.account.ID && x.ends > 0 && c.Seq >= x.ends {
			return errEnough
		}
		w.Pack(packed, []*holdfast.Batch{b}, now)
		return w.Append(t.Context(), packed)
	})
	if err != errEnough {
		fine(t, err)
	}
	fine(t, w.Close())
}

// without returns a vault that lacks the octets of some versions.
func (x *aged) without(list ...string) *memplace.Place {
	x.t.Helper()
	p := memplace.New(x.clock)
	o := x.options()
	o.Place = p
	_, err := vault.Create(x.t.Context(), o, vault.Meta{Vault: holdfast.NewID(nil), Store: storeID, Name: "pruned", Created: x.began})
	fine(x.t, err)
	x.write(p, list)
	return p
}

// prunedOf returns the seqs of an engine's account that are pruned.
func (x *aged) prunedOf(e store.Engine) (out []uint64) {
	snap, err := e.Snapshot(x.t.Context())
	fine(x.t, err)
	defer snap.Close()
	fine(x.t, snap.Changes(x.account.ID, 0, 0, store.WithBody, func(c *holdfast.Change) error {
		if c.Pruned {
			out = append(out, c.Seq)
		}
		return nil
	}))
	return out
}

// TestWhatWasPrunedIsRestoredAsPruned: a version that a later one replaced or deleted is no loss without its octets; the history is what it was, hash for hash.
func TestWhatWasPrunedIsRestoredAsPruned(t *testing.T) {
	x := newAged(t)
	p := x.without("aone", "bone", "atwo")
	e, rep := x.restore(Options{}, p)
	if !rep.Whole() || !rep.Accounts[0].Complete || len(rep.Damage) > 0 {
		t.Fatalf("%+v", rep)
	}
	if got, want := x.prunedOf(e), []uint64{x.seqs["aone"], x.seqs["bone"], x.seqs["atwo"]}; !slices.Equal(got, want) {
		t.Errorf("pruned are %v, want %v", got, want)
	}
	for seq := uint64(3); seq <= x.seqs["done"]; seq++ {
		if got, want := x.digest(e, x.account.ID, seq), x.digest(x.engine, x.account.ID, seq); got != want {
			t.Errorf("the digest at %d is another", seq)
		}
	}
	if got, want := x.texts(e, x.account.ID), x.texts(x.engine, x.account.ID); len(got) != 3 || got["a"] != want["a"] || got["c"] != want["c"] || got["d"] != want["d"] {
		t.Errorf("%v, want %v", got, want)
	}
	// A vault that has the octets gives them.
	if e, rep := x.restore(Options{}, p, x.place); !rep.Whole() || len(x.prunedOf(e)) != 0 {
		t.Errorf("with a vault that has the octets: %+v, pruned %v", rep, x.prunedOf(e))
	}
}

// TestWhatWouldBeThereWithoutOctetsIsLost: as of a moment before retention, up to a seq, or because of a wrong pruning. It is named, in words of retention; nothing else is lost, and nobody is shown an empty item.
func TestWhatWouldBeThereWithoutOctetsIsLost(t *testing.T) {
	x := newAged(t)
	all := []string{"aone", "bone", "atwo"}
	for what, c := range map[string]struct {
		o       Options
		without []string
		lost    []string
		there   []string
		says    string
	}{
		"as of the first version":   {Options{At: x.at["bone"]}, all, []string{"aone", "bone"}, nil, "retention had ended"},
		"as of the second":          {Options{At: x.at["atwo"].Add(time.Minute)}, all, []string{"aone", "atwo", "bone"}, nil, "retention had ended"},
		"after it was deleted":      {Options{At: x.at["b gone"]}, all, nil, []string{"a", "c"}, ""},
		"up to a seq":               {Options{Account: "ann@example.org", Seq: x.seqs["cone"]}, all, []string{"aone", "atwo", "bone"}, []string{"c"}, "retention had ended"},
		"pruned by mistake":         {Options{}, []string{"aone", "cone"}, []string{"cone"}, []string{"a", "d"}, "though nothing that was read replaces or deletes it"},
		"all of an item by mistake": {Options{}, []string{"aone", "atwo", "athree"}, []string{"athree"}, []string{"c", "d"}, "though nothing"},
		"an earlier one is left":    {Options{}, []string{"athree"}, []string{"athree"}, []string{"c", "d"}, "though nothing"},
	} {
		p := x.without(c.without...)
		e, rep := x.restore(c.o, p)
		var lost []uint64
		for _, l := range rep.Losses {
			lost = append(lost, l.SeqFrom)
			if l.SeqFrom != l.SeqTo || l.Name == "" || l.Kind != "address" || l.ETag == "" || !strings.Contains(l.Reason, c.says) || l.Collection != "addressbooks/contacts" {
				t.Errorf("%s: %+v", what, l)
			}
		}
		var want []uint64
		for _, name := range c.lost {
			want = append(want, x.seqs[name])
		}
		if c.o.At.IsZero() && c.o.Seq == 0 {
			if got := x.ghostsOf(e); !slices.Equal(got, want) {
				t.Errorf("%s: ghosts are %v, want %v", what, got, want)
			}
		}
		slices.Sort(lost)
		slices.Sort(want)
		if !slices.Equal(lost, want) || rep.Accounts[0].Complete != (len(want) == 0) {
			t.Errorf("%s: lost are %v, want %v", what, lost, want)
		}
		got := x.texts(e, x.account.ID) // it fails on what has no octets
		for name, text := range got {
			if text == "" || !slices.Contains(c.there, name) {
				t.Errorf("%s: %s is there, with %q", what, name, text)
			}
		}
		if len(got) != len(c.there) {
			t.Errorf("%s: %v are there, want %v", what, got, c.there)
		}
		if _, rep := x.restore(c.o, []place.Place{p, x.place}...); !rep.Whole() {
			t.Errorf("%s: with a vault that has the octets, lost are %+v", what, rep.Losses)
		}
	}
}

// TestARepairMakesNothingOfWhatWasPruned: nothing is put that has no octets, neither an item nor an account, and what is there without them is put from a vault that has them.
func TestARepairMakesNothingOfWhatWasPruned(t *testing.T) {
	x := newAged(t)
	p := x.without("aone", "cone")
	e := memory.New()
	rep, found, err := x.repair(e, p, RepairOptions{})
	if err != nil || rep.Mended != 0 || len(found) != 1 || !strings.Contains(found[0].Why, "let go of") {
		t.Errorf("a whole account: %v, %+v, %+v", err, rep, found)
	}
	e, _ = x.restore(Options{}, p) // c is lost
	rep, found, err = x.repair(e, p, RepairOptions{})
	if err != nil || rep.Mended != 0 || len(found) != 1 || found[0].Name != "c" || !strings.Contains(found[0].Why, "no vault that was given") {
		t.Errorf("an item: %v, %+v, %+v", err, rep, found)
	}
	if rep, found, err = x.repair(e, x.place, RepairOptions{}); err != nil || rep.Mended != 1 || x.texts(e, x.account.ID)["c"] != "one" {
		t.Errorf("from a vault that has it: %v, %+v, %+v", err, rep, found)
	}
	// What came without octets, though it must not, is damaged, and hides nothing else.
	hollow := memory.New()
	fine(t, x.engine.After(t.Context(), 0, 0, func(b *holdfast.Batch) error {
		b.Position, b.Prev = holdfast.Position{}, holdfast.Hash{}
		if c := &b.Changes[0]; c.Seq == x.seqs["cone"] {
			c.Prune()
		}
		return hollow.Apply(t.Context(), b)
	}))
	if rep, found, err = x.repair(hollow, x.place, RepairOptions{}); err != nil || rep.Damaged != 1 || rep.Mended != 1 || x.texts(hollow, x.account.ID)["c"] != "one" {
		t.Errorf("without octets: %v, %+v, %+v", err, rep, found)
	}
}
