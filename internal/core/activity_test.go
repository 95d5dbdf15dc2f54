package core_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
)

// chronicle writes deeds as short lines, newest first: who, what was added, changed, deleted and recorded, and whether it was undone.
func chronicle(a core.Activity) string {
	var out []string
	for _, d := range a.Deeds {
		line := fmt.Sprintf("%s +%d ~%d -%d", d.Device, d.Added, d.Changed, d.Deleted)
		switch {
		case d.Reversal != nil:
			line = "reversal" + strings.TrimPrefix(line, d.Device)
		case d.Burst != nil:
			line = fmt.Sprintf("burst of %d", d.Burst.Changes)
		case d.Records > 0 && d.Items() == 0:
			line = "records"
		}
		if d.Undone || d.Burst != nil && d.Burst.Undone {
			line += " undone"
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func (g *guarded) activity(t *testing.T, q core.ActivityQuery) (*core.Past, core.Activity) {
	t.Helper()
	past, err := g.s.Past(t.Context(), holdfast.Principal{Account: g.p.Account}, g.p.Account)
	if err != nil {
		t.Fatal(err)
	}
	a, err := past.Activity(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return past, a
}

// TestActivity: what was done at once is one deed, a reversal is one too, and each says whether it was undone. Pages have all of it, once.
func TestActivity(t *testing.T) {
	g := newGuarded(t, 5)
	g.put(t, core.PutManyRequest{}, "m1 x", "m2 x", "m3 x", "m4 x", "m5 x", "m6 x")
	phone := g.p.Device.String()
	g.overwrite(t, 0, 1)
	g.drop(t, 0, 1)
	g.mustPut(t, "000.vcf", "u0 again")
	g.move(t, 1, 2)
	past, a := g.activity(t, core.ActivityQuery{})
	want := strings.Join([]string{phone + " +1 ~0 -1", phone + " +1 ~0 -0", phone + " +0 ~0 -1", phone + " +0 ~1 -0", phone + " +6 ~0 -0", " +1 ~0 -0", " +1 ~0 -0", " +1 ~0 -0", " +1 ~0 -0", " +1 ~0 -0", "records"}, "\n")
	if got := chronicle(a); got != want || a.Next != 0 {
		t.Errorf("%s\nwant\n%s\nnext %d", got, want, a.Next)
	}
	for _, i := range []int{5, 10} {
		if n := a.Deeds[i].Items(); (n > 0) != (i == 5) {
			t.Errorf("deed %d: %d items can be undone", i, n)
		}
	}
	if l := a.Deeds[4].Lines; len(l) != 4 || string(l[0].Text) != "m1 x" || l[0].In == nil || l[0].In.Name != "default" {
		t.Errorf("%+v", l)
	}
	if l := a.Deeds[2].Lines; len(l) != 1 || !strings.HasPrefix(string(l[0].Text), "u0 y") {
		t.Errorf("what was deleted: %+v", l)
	}

	u, err := past.Undo(t.Context(), core.UndoRequest{Change: a.Deeds[4].Last}, nil)
	if err != nil || u.Record.Removed != 6 {
		t.Fatalf("%+v %v", u, err)
	}
	_, a = g.activity(t, core.ActivityQuery{})
	if a.Deeds[0].Reversal == nil || a.Deeds[0].Undone || !a.Deeds[5].Undone || len(a.Deeds) != 12 {
		t.Errorf("undone:\n%s", chronicle(a))
	}
	if _, err := past.Undo(t.Context(), core.UndoRequest{Reversal: u.Record.ID}, nil); err != nil {
		t.Fatal(err)
	}
	_, a = g.activity(t, core.ActivityQuery{})
	if a.Deeds[0].Undone || !a.Deeds[1].Undone || a.Deeds[6].Undone {
		t.Errorf("the undo was undone:\n%s", chronicle(a))
	}
	for _, limit := range []int{1, 2, 3, 7} {
		all, next := core.Activity{}, uint64(0)
		for {
			_, part := g.activity(t, core.ActivityQuery{Limit: limit, Before: next})
			all.Deeds = append(all.Deeds, part.Deeds...)
			if next = part.Next; next == 0 {
				break
			}
		}
		if got, want := chronicle(all), chronicle(a); got != want {
			t.Errorf("pages of %d:\n%s\nwant\n%s", limit, got, want)
		}
	}
	_, only := g.activity(t, core.ActivityQuery{Device: g.p.Device})
	if len(only.Deeds) != 5 || len(only.Devices) != 1 {
		t.Errorf("by the device:\n%s", chronicle(only))
	}
	calendars, err := g.s.Locate(t.Context(), g.p, g.p.Account, []string{"calendars"})
	if err != nil {
		t.Fatal(err)
	}
	_, only = g.activity(t, core.ActivityQuery{Collection: g.book})
	_, none := g.activity(t, core.ActivityQuery{Collection: calendars.Collection.ID})
	if len(only.Deeds) != len(a.Deeds) || len(none.Deeds) != 1 { // that made all collections
		t.Errorf("by the collection:\n%s\n\n%s", chronicle(only), chronicle(none))
	}
	_, err = past.Activity(t.Context(), core.ActivityQuery{Collection: holdfast.ID{7}})
	wantKind(t, err, holdfast.NotFound)
}

// TestActivityOfABurst: it stands first with its count until it was undone or is known, and is followed from page to page.
func TestActivityOfABurst(t *testing.T) {
	g := newGuarded(t, 90)
	g.drop(t, 0, 25)
	_, a := g.activity(t, core.ActivityQuery{})
	if len(a.Open) != 1 || a.Open[0].Changes != 25 || a.Open[0].Least || a.Open[0].Name != g.p.Device.String() {
		t.Fatalf("%+v", a.Open)
	}
	g.drop(t, 25, 30)
	g.clock.Advance(3 * time.Hour)
	g.drop(t, 30, 33)
	past, a := g.activity(t, core.ActivityQuery{Limit: 100})
	if len(a.Open) != 1 || a.Open[0].Changes != 30 || !strings.Contains(chronicle(a), "burst of 30\n") {
		t.Fatalf("%+v\n%s", a.Open, chronicle(a))
	}
	out, err := past.Undo(t.Context(), core.UndoRequest{Burst: a.Open[0].ID}, nil)
	if err != nil || out.Record.Added != 30 {
		t.Fatal(out, err)
	}
	_, a = g.activity(t, core.ActivityQuery{Limit: 100})
	if len(a.Open) != 0 || !strings.Contains(chronicle(a), "burst of 30 undone\n") {
		t.Errorf("%+v\n%s", a.Open, chronicle(a))
	}
	g.clock.Advance(3 * time.Hour)
	g.drop(t, 40, 70)
	past, a = g.activity(t, core.ActivityQuery{})
	if len(a.Open) != 1 {
		t.Fatalf("%+v", a.Open)
	}
	wantKind(t, past.Known(t.Context(), holdfast.ID{9}), holdfast.NotFound)
	if err := past.Known(t.Context(), a.Open[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, a = g.activity(t, core.ActivityQuery{}); len(a.Open) != 0 {
		t.Errorf("%+v", a.Open)
	}
}

// TestActivityIsBounded: a page that finds little says where to go on, and together they miss nothing.
func TestActivityIsBounded(t *testing.T) {
	g := newGuarded(t, 0)
	g.mustPut(t, "first.vcf", "first x")
	g.p.Device = holdfast.ID{2}
	for i := range 12_000 {
		g.mustPut(t, "noise.vcf", fmt.Sprintf("noise %d", i))
	}
	pages, found, next := 0, 0, uint64(0)
	for {
		_, a := g.activity(t, core.ActivityQuery{Device: holdfast.ID{1}, Before: next})
		pages, found = pages+1, found+len(a.Deeds)
		if next = a.Next; next == 0 {
			break
		}
	}
	if pages != 4 || found != 1 {
		t.Errorf("%d deeds on %d pages", found, pages)
	}
}
