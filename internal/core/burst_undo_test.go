package core_test

import (
	"fmt"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
)

// TestABurstIsUndoneInOneStep: what the device deleted and overwrote comes back. What it made and moved stays, and so does what another device did since.
func TestABurstIsUndoneInOneStep(t *testing.T) {
	g := newGuarded(t, 100)
	g.drop(t, 0, 30)
	g.overwrite(t, 30, 40)
	g.overwrite(t, 30, 32) // twice
	g.mustPut(t, "new.vcf", "new 1")
	if _, err := g.s.Move(t.Context(), g.p, core.Transfer{From: g.place("050.vcf"), To: g.place("moved.vcf")}); err != nil {
		t.Fatal(err)
	}
	other := g.p
	other.Device = holdfast.ID{2}
	if _, _, err := g.s.Put(t.Context(), other, core.PutRequest{Place: g.place("005.vcf"), Body: []byte("u5 z")}); err != nil {
		t.Fatal(err)
	}
	g.clock.Advance(2 * time.Hour)
	g.drop(t, 60, 61) // long after: no part of it
	if len(g.s.Bursts()) != 1 {
		t.Fatal(g.s.Bursts())
	}
	burst := g.s.Bursts()[0].ID
	past, err := g.s.PastOf(t.Context(), g.p.Account)
	if err != nil {
		t.Fatal(err)
	}
	preview, err := past.Undo(t.Context(), core.UndoRequest{Burst: burst, DryRun: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := past.Undo(t.Context(), core.UndoRequest{Burst: burst}, nil)
	if err != nil || stepsOf(u) != stepsOf(preview) {
		t.Fatal(stepsOf(u), err)
	}
	if u.Record.Added != 29 || u.Record.Changed != 10 || u.Record.Removed != 0 || len(u.Left) != 1 || u.Left[0].Name != "005.vcf" || u.Record.Burst != burst {
		t.Errorf("%+v", u.Record)
	}
	if len(g.s.Bursts()) != 0 {
		t.Error("a burst that was undone is still shown as new")
	}
	g.wantBodies(t, map[string]string{"000.vcf": "u0 x", "005.vcf": "u5 z", "030.vcf": "u30 x", "035.vcf": "u35 x", "new.vcf": "new 1", "moved.vcf": "u50 x", "050.vcf": "", "060.vcf": ""})

	lines, _, err := past.History(t.Context(), core.HistoryQuery{Path: "addressbooks/default", Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, l := range lines {
		if l.Burst == burst {
			n++
		}
	}
	if n != 42 {
		t.Errorf("history says of %d changes that they belong to the burst, 42 do", n)
	}
	_, err = past.Undo(t.Context(), core.UndoRequest{Burst: holdfast.ID{9}}, nil)
	wantKind(t, err, holdfast.NotFound)
}

// TestABurstThatTookACollection brings it back with what was in it.
func TestABurstThatTookACollection(t *testing.T) {
	g := newGuarded(t, 30)
	if _, err := g.s.Delete(t.Context(), g.p, g.place(""), holdfast.Precondition{}, nil); err != nil {
		t.Fatal(err)
	}
	if len(g.s.Bursts()) != 1 {
		t.Fatal(g.s.Bursts())
	}
	past, err := g.s.PastOf(t.Context(), g.p.Account)
	if err != nil {
		t.Fatal(err)
	}
	u, err := past.Undo(t.Context(), core.UndoRequest{Burst: g.s.Bursts()[0].ID}, nil)
	if err != nil || u.Record.Collections != 1 || len(u.Left) > 0 {
		t.Fatalf("%+v %v", u, err)
	}
	g.wantBodies(t, map[string]string{"000.vcf": "u0 x", "029.vcf": "u29 x"})
}

func (g *guarded) wantBodies(t *testing.T, want map[string]string) {
	t.Helper()
	err := g.s.Inspect(t.Context(), g.p.Account, func(r *core.Reader) error {
		for name, body := range want {
			x, err := r.Resource(g.book, name, core.WithBody)
			if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
				return err
			}
			if string(x.Body) != body {
				return fmt.Errorf("%s is %q, should be %q", name, x.Body, body)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
