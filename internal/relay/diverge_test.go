package relay

import (
	"testing"

	"holdfast"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
)

// TestDifferentWaysFromTwoVaults: what the first of two vaults of one branch has brought back is no conflict with the second, and neither is what a start has that was cut.
func TestDifferentWaysFromTwoVaults(t *testing.T) {
	g := newRig(t, "engine+2of(attic,local)", false, "attic", "local")
	r := g.put(g.b, "common")
	_, _, err := g.wait(r)
	fine(t, err)
	old, cut := g.rebuilt(r.Batch), g.rebuilt(r.Batch)
	for _, name := range []string{"1", "2"} {
		_, _, err := g.wait(g.put(g.a, name))
		fine(t, err)
	}
	g.stop()
	theirs, places := g.engine, g.places
	last, err := headOf(t, theirs, g.a.ID)
	fine(t, err)
	for what, image := range map[string]*memory.Engine{"whole": old, "cut": cut} {
		g.engine, g.places = image, map[string]*sick{}
		for name, s := range places {
			g.places[name] = &sick{Place: s.Place.Clone()}
		}
		g.put(g.b, "ours")
		if what == "cut" { // the first change was applied when the power went
			fine(t, theirs.After(t.Context(), r.Batch, 1, func(b *holdfast.Batch) error { return image.Apply(t.Context(), &holdfast.Batch{Changes: b.Changes}) }))
		}
		g.start("engine+2of(attic,local)", false)
		g.stop()
		if len(g.conflicts) > 0 {
			t.Errorf("%s: %+v", what, g.conflicts)
		}
		if got, err := headOf(t, image, g.a.ID); err != nil || got.Chain != last.Chain {
			t.Errorf("%s: the account is at %d, not at %d: %v", what, got.Seq, last.Seq, err)
		}
	}
}

func headOf(t *testing.T, e store.Engine, account holdfast.ID) (store.Head, error) {
	snap, err := e.Snapshot(t.Context())
	fine(t, err)
	defer snap.Close()
	return snap.Head(account)
}
