package restore

import (
	"maps"
	"slices"
	"testing"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/place"
	memplace "holdfast/internal/place/memory"
	"holdfast/internal/seal"
	"holdfast/internal/store"
	"holdfast/internal/vault"
)

// ledger returns a ledger of the whole history.
func (x *aged) ledger() *memplace.Place {
	x.t.Helper()
	p := memplace.New(x.clock)
	o := x.options()
	o.Place = p
	_, err := vault.Create(x.t.Context(), o, vault.Meta{Vault: holdfast.NewID(nil), Store: storeID, Name: "names", Kind: vault.KindLedger, Created: x.began})
	fine(x.t, err)
	x.write(p, nil)
	return p
}

// upTo returns a vault that ends before the first change that is named.
func (x *aged) upTo(what string) *memplace.Place {
	x.t.Helper()
	x.ends = x.seqs[what]
	defer func() { x.ends = 0 }()
	return x.without()
}

// TestAVaultBesideALedger: octets come from the vault, in whatever order both are named, and nothing is lost that it has.
func TestAVaultBesideALedger(t *testing.T) {
	x := newAged(t)
	for _, places := range [][]place.Place{{x.place, x.ledger()}, {x.ledger(), x.place}} {
		e, rep := x.restore(Options{}, places...)
		if !rep.Whole() || len(rep.Damage) > 0 || len(x.prunedOf(e)) > 0 {
			t.Errorf("%+v, pruned are %v", rep, x.prunedOf(e))
		}
	}
}

// TestALedgerNamesWhatAVaultLacks: a vault that ends early does not know it; beside a ledger the restore names each item that is lost, with its ETag, and has the history of the others.
func TestALedgerNamesWhatAVaultLacks(t *testing.T) {
	x := newAged(t)
	early := x.upTo("athree")
	if _, rep := x.restore(Options{}, early); !rep.Whole() {
		t.Fatalf("the vault alone cannot know: %+v", rep.Losses)
	}
	e, rep := x.restore(Options{}, early, x.ledger())
	lost := map[string]string{}
	for _, l := range rep.Losses {
		lost[l.Name] = l.ETag
	}
	if len(lost) != 2 || lost["a"] != holdfast.HashOf([]byte("three")).String() || lost["d"] != holdfast.HashOf([]byte("one")).String() {
		t.Fatalf("lost are %v", lost)
	}
	if got, want := x.ghostsOf(e), []uint64{x.seqs["athree"], x.seqs["done"]}; !slices.Equal(got, want) {
		t.Errorf("ghosts are %v, want %v", got, want)
	}
	if got, want := x.texts(e, x.account.ID), map[string]string{"c": "one"}; !maps.Equal(got, want) {
		t.Errorf("there are %v, want %v", got, want)
	}
	// The history is what it was, hash for hash: what devices were told is true of it still.
	if got, want := x.digest(e, x.account.ID, x.seqs["done"]), x.digest(x.engine, x.account.ID, x.seqs["done"]); got != want {
		t.Errorf("the digest is %+v, want %+v", got, want)
	}
	rep2, found, err := x.repair(e, x.place, RepairOptions{})
	if err != nil || rep2.Mended != 2 || len(x.ghostsOf(e)) != 0 || !maps.Equal(x.texts(e, x.account.ID), x.texts(x.engine, x.account.ID)) {
		t.Errorf("a vault that has them turns up: %v, %+v, %+v", err, rep2, found)
	}
}

// TestARepairMakesGhosts: a store that was restored without its ledger lacks what came later. A repair out of the ledger names that, and lists what is nowhere to the devices that may have it; where the store has an earlier version that one stays.
func TestARepairMakesGhosts(t *testing.T) {
	x := newAged(t)
	early := x.upTo("athree")
	e, _ := x.restore(Options{}, early)
	had := x.texts(e, x.account.ID)
	rep, found, err := x.repair(e, x.ledger(), RepairOptions{DryRun: true})
	if err != nil || rep.Mended != 0 || rep.Missing != 2 || len(x.ghostsOf(e)) != 0 {
		t.Errorf("looked at only: %v, %+v, %+v", err, rep, found)
	}
	rep, found, err = x.repair(e, x.ledger(), RepairOptions{})
	if err != nil || rep.Mended != 1 || rep.Left != 1 {
		t.Errorf("%v, %+v, %+v", err, rep, found)
	}
	if got := x.ghostsOf(e); len(got) != 1 || !maps.Equal(x.texts(e, x.account.ID), had) {
		t.Errorf("ghosts are %v, and %v is there, was %v", got, x.texts(e, x.account.ID), had)
	}
	want := x.texts(x.engine, x.account.ID)
	want["b"] = "one" // its deletion came later, and a repair takes nothing away
	if rep, found, err = x.repair(e, x.place, RepairOptions{}); err != nil || rep.Left != 0 || len(x.ghostsOf(e)) != 0 || !maps.Equal(x.texts(e, x.account.ID), want) {
		t.Errorf("a vault that has them turns up: %v, %+v, %+v", err, rep, found)
	}
}

// TestWhatADeviceHasSeenIsExplained: what a device has seen and the store does not have is found in a ledger, and named; what nobody saw, or another history, is not. Once a repair made what can be of it nothing more is there than here.
func TestWhatADeviceHasSeenIsExplained(t *testing.T) {
	x := newAged(t)
	early, ledger := x.upTo("done"), x.ledger()
	e, _ := x.restore(Options{}, early)
	at := x.seqs["done"]
	snap, err := x.engine.Snapshot(t.Context())
	fine(t, err)
	h, err := snap.Chain(x.account.ID, at)
	snap.Close()
	fine(t, err)
	proof, other := Seen{at, h.Chain.String()[:16]}, Seen{at, "0123456789abcdef"}
	explain := func(places ...place.Place) *Cause {
		t.Helper()
		o := RepairOptions{Core: core.New(core.Options{Engine: e, Judges: judges, Clock: x.clock}), Engine: e, Derive: core.DeriveBy(judges), Spool: t.TempDir(), Account: x.account.ID}
		for _, p := range places {
			v, err := vault.Open(t.Context(), vault.Options{Place: p, With: []*seal.Identity{x.recovery.Identity}})
			fine(t, err)
			o.Vaults = append(o.Vaults, v)
		}
		c, err := Explain(t.Context(), o, []Seen{proof, other, {at + 100, h.Chain.String()[:16]}, {at, ""}})
		fine(t, err)
		return c
	}
	if c := explain(early); len(c.Witnessed) != 0 || len(c.Items) != 0 {
		t.Errorf("without the ledger: %+v", c)
	}
	c := explain(early, ledger)
	if len(c.Witnessed) != 1 || !c.Witnessed[proof] || len(c.Items) != 1 || c.Items[0].Name != "d" || c.Items[0].Why == "" {
		t.Errorf("with the ledger: %+v", c)
	}
	if _, _, err := x.repair(e, ledger, RepairOptions{}); err != nil {
		t.Fatal(err)
	}
	if c := explain(early, ledger); !c.Witnessed[proof] || len(c.Items) != 0 {
		t.Errorf("after the repair: %+v", c)
	}
}

// ghostsOf returns the seqs of an engine's ghosts.
func (x *aged) ghostsOf(e store.Engine) (out []uint64) {
	x.t.Helper()
	snap, err := e.Snapshot(x.t.Context())
	fine(x.t, err)
	defer snap.Close()
	fine(x.t, snap.List(x.account.Book, "", 0, 0, func(r *holdfast.Resource) error {
		if r.State == holdfast.Ghost {
			out = append(out, r.Seq)
		}
		return nil
	}))
	slices.Sort(out)
	return out
}
