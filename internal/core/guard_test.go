package core_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/store/memory"
)

// guarded is an account of 100 contacts, made without a device, whose guard can be watched.
type guarded struct {
	shelf
	o     core.Options
	clock *clock.Fake
	saved []core.Burst
}

func newGuarded(t *testing.T, n int) *guarded {
	t.Helper()
	g := &guarded{clock: clock.NewFake(time.Unix(1e9, 0))}
	e := memory.New()
	t.Cleanup(func() { e.Close() })
	g.o = core.Options{Engine: e, Clock: g.clock, Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judgeLines},
		SaveBursts: func(_ context.Context, all []core.Burst) error { g.saved = all; return nil }}
	g.shelf = shelfOf(t, core.New(g.o))
	for i := range n {
		g.mustPut(t, fmt.Sprintf("%03d.vcf", i), fmt.Sprintf("u%d x", i))
	}
	g.p.Device = holdfast.ID{1}
	return g
}

// restart goes on in a new process.
func (g *guarded) restart() {
	g.o.Bursts = g.saved
	g.s = core.New(g.o)
}

func (g *guarded) drop(t *testing.T, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if _, err := g.s.Delete(t.Context(), g.p, g.place(fmt.Sprintf("%03d.vcf", i)), holdfast.Precondition{}, nil); err != nil {
			t.Fatal(err)
		}
		g.clock.Advance(time.Second)
	}
}

func (g *guarded) overwrite(t *testing.T, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		g.mustPut(t, fmt.Sprintf("%03d.vcf", i), fmt.Sprintf("u%d y%d", i, g.clock.Now().Unix()))
		g.clock.Advance(time.Second)
	}
}

// move moves contacts, and label gives them a property: nothing is lost by that. copyOver puts the last one's octets in the place of others.
func (g *guarded) move(t *testing.T, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if _, err := g.s.Move(t.Context(), g.p, core.Transfer{From: g.place(fmt.Sprintf("%03d.vcf", i)), To: g.place(fmt.Sprintf("moved-%03d.vcf", i))}); err != nil {
			t.Fatal(err)
		}
		g.clock.Advance(time.Second)
	}
}

func (g *guarded) label(t *testing.T, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		_, err := g.s.SetProperties(t.Context(), g.p, g.place(fmt.Sprintf("%03d.vcf", i)), nil, func(p holdfast.Properties) (holdfast.Properties, error) {
			return p.With("urn:x", "label", []byte(`<label xmlns="urn:x">seen</label>`)), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		g.clock.Advance(time.Second)
	}
}

func (g *guarded) copyOver(t *testing.T, from, to int) {
	t.Helper()
	up, err := g.s.Locate(t.Context(), g.p, g.p.Account, []string{"addressbooks"})
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := g.s.MakeCollection(t.Context(), g.p, core.NewCollection{Owner: g.p.Account, Parent: up.Collection.ID, Name: "other", Type: holdfast.TypeAddressbook})
	if err != nil {
		t.Fatal(err)
	}
	for i := from; i < to; i++ {
		source := core.Place{Owner: g.p.Account, Collection: other, Name: fmt.Sprintf("%03d.vcf", i)}
		if _, _, err := g.s.Put(t.Context(), g.p, core.PutRequest{Place: source, Body: fmt.Appendf(nil, "u%d z", i)}); err != nil {
			t.Fatal(err)
		}
		if _, err := g.s.Copy(t.Context(), g.p, core.Transfer{From: source, To: g.place(source.Name), Overwrite: true}); err != nil {
			t.Fatal(err)
		}
		g.clock.Advance(time.Second)
	}
}

// TestWhatIsABurst holds the rule: 20 in one collection that are 20 % of it, or 200 in all, by one device within an hour.
func TestWhatIsABurst(t *testing.T) {
	for _, x := range []struct {
		what   string
		live   int
		do     func(*guarded, *testing.T)
		bursts int
	}{
		{"a fifth, but too few", 90, func(g *guarded, t *testing.T) { g.drop(t, 0, 19) }, 0},
		{"enough of few", 90, func(g *guarded, t *testing.T) { g.drop(t, 0, 20) }, 1},
		{"enough, but of many", 110, func(g *guarded, t *testing.T) { g.drop(t, 0, 21) }, 0},
		{"a fifth of many", 110, func(g *guarded, t *testing.T) { g.drop(t, 0, 22) }, 1},
		{"overwritten", 50, func(g *guarded, t *testing.T) { g.overwrite(t, 0, 20) }, 1},
		{"both together", 50, func(g *guarded, t *testing.T) { g.overwrite(t, 0, 10); g.drop(t, 10, 20) }, 1},
		{"one burst that goes on", 90, func(g *guarded, t *testing.T) { g.drop(t, 0, 60) }, 1},
		{"slowly", 50, func(g *guarded, t *testing.T) {
			for i := range 50 {
				g.drop(t, i, i+1)
				g.clock.Advance(4 * time.Minute)
			}
		}, 0},
		{"twice", 90, func(g *guarded, t *testing.T) { g.drop(t, 0, 30); g.clock.Advance(2 * time.Hour); g.drop(t, 30, 60) }, 2},
		{"over a restart", 90, func(g *guarded, t *testing.T) { g.drop(t, 0, 12); g.restart(); g.drop(t, 12, 20) }, 1},
		{"one over a restart", 90, func(g *guarded, t *testing.T) { g.drop(t, 0, 30); g.restart(); g.drop(t, 30, 60) }, 1},
		{"two devices", 90, func(g *guarded, t *testing.T) {
			g.drop(t, 0, 15)
			g.p.Device = holdfast.ID{2}
			g.drop(t, 15, 30)
		}, 0},
		{"no device", 90, func(g *guarded, t *testing.T) { g.p.Device = holdfast.ID{}; g.drop(t, 0, 90) }, 0},
		{"new ones", 90, func(g *guarded, t *testing.T) {
			for i := range 90 {
				g.mustPut(t, fmt.Sprintf("new%d.vcf", i), fmt.Sprintf("n%d x", i))
			}
		}, 0},
		{"200 in all", 1100, func(g *guarded, t *testing.T) { g.drop(t, 0, 200) }, 1},
		{"199 in all", 1100, func(g *guarded, t *testing.T) { g.drop(t, 0, 199) }, 0},
		{"moved over a restart", 90, func(g *guarded, t *testing.T) { g.move(t, 0, 40); g.restart(); g.drop(t, 40, 50) }, 0},
		{"new properties over a restart", 90, func(g *guarded, t *testing.T) { g.label(t, 0, 40); g.restart(); g.drop(t, 40, 50) }, 0},
		{"made anew over a restart", 90, func(g *guarded, t *testing.T) {
			g.drop(t, 0, 8)
			g.overwrite(t, 0, 8)
			g.restart()
			g.drop(t, 40, 50)
		}, 0},
		{"copied over a restart", 90, func(g *guarded, t *testing.T) { g.copyOver(t, 0, 10); g.restart(); g.drop(t, 40, 50) }, 1},
		{"copied over", 90, func(g *guarded, t *testing.T) { g.copyOver(t, 0, 20) }, 1},
		{"one that lasts longer than the window, over a restart", 90, func(g *guarded, t *testing.T) {
			g.drop(t, 0, 20)
			for i := range 6 {
				g.clock.Advance(20 * time.Minute)
				g.drop(t, 20+i, 21+i)
			}
			g.restart()
			g.drop(t, 30, 60)
		}, 1},
		{"one after the end of another, over a restart", 90, func(g *guarded, t *testing.T) {
			g.drop(t, 0, 20)
			g.clock.Advance(2 * time.Hour)
			g.restart()
			g.drop(t, 30, 60)
		}, 2},
		{"the clock ten years on and back", 90, func(g *guarded, t *testing.T) {
			g.drop(t, 0, 10)
			g.clock.Advance(10 * 365 * 24 * time.Hour)
			g.drop(t, 10, 30)
			g.clock.Advance(-10 * 365 * 24 * time.Hour)
			g.drop(t, 30, 50)
		}, 1},
	} {
		g := newGuarded(t, x.live)
		x.do(g, t)
		got := g.s.Bursts()
		if len(got) != x.bursts || len(g.saved) != x.bursts {
			t.Errorf("%s: %d bursts, want %d: %+v", x.what, len(got), x.bursts, got)
		}
		for _, b := range got {
			if b.Owner != g.p.Account || b.Device != g.p.Device || b.First == 0 || b.Deleted+b.Overwritten < 20 {
				t.Errorf("%s: %+v", x.what, b)
			}
		}
	}
}

// TestADeletedCollectionIsABurst: it is as many deletions as it has members.
func TestADeletedCollectionIsABurst(t *testing.T) {
	g := newGuarded(t, 30)
	if _, err := g.s.Delete(t.Context(), g.p, core.Place{Owner: g.p.Account, Collection: g.book}, holdfast.Precondition{}, nil); err != nil {
		t.Fatal(err)
	}
	if b := g.s.Bursts(); len(b) != 1 || b[0].Deleted != 30 {
		t.Errorf("%+v", b)
	}
}

// TestADeletedFolderIsABurst: what lies below it is out of sight with it, however deep; what had been deleted before is not counted again. Also after a restart.
func TestADeletedFolderIsABurst(t *testing.T) {
	for _, restart := range []bool{false, true} {
		e := memory.New()
		t.Cleanup(func() { e.Close() })
		o := core.Options{Engine: e, Clock: clock.NewFake(time.Unix(1e9, 0)), Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeFolder: judgeLines, holdfast.TypeAddressbook: judgeLines}}
		f := &folders{shelf: shelfOf(t, core.New(o))}
		at, err := f.s.Locate(t.Context(), f.p, f.p.Account, []string{"files"})
		if err != nil {
			t.Fatal(err)
		}
		f.a = f.mkdir(t, at.Collection.ID, "a")
		for year := range 8 {
			f.sub = f.mkdir(t, f.a, fmt.Sprint(year))
			for i := range 3 {
				if _, _, err := f.s.Put(t.Context(), f.p, core.PutRequest{Place: f.at(f.sub, fmt.Sprint(i)), Body: fmt.Appendf(nil, "u%d x", i)}); err != nil {
					t.Fatal(err)
				}
			}
		}
		f.p.Device = holdfast.ID{1}
		var noticed []core.Burst
		for _, c := range []holdfast.ID{f.sub, f.a} {
			if _, err := f.s.Delete(t.Context(), f.p, f.at(c, ""), holdfast.Precondition{}, nil); err != nil {
				t.Fatal(err)
			}
			if noticed = f.s.Bursts(); restart && c == f.sub {
				f.s = core.New(o)
			}
		}
		if b := noticed; len(b) != 1 || b[0].Deleted != 24 {
			t.Errorf("restart %v: %+v", restart, b)
		}
	}
}

// TestACollectionInThePlaceOfAnotherIsABurst: what stood where one is moved or copied to is gone, and comes back beside it.
func TestACollectionInThePlaceOfAnotherIsABurst(t *testing.T) {
	for what, do := range map[string]func(*core.Service, core.Transfer, holdfast.Principal) error{
		"move": func(s *core.Service, x core.Transfer, p holdfast.Principal) error {
			_, err := s.Move(t.Context(), p, x)
			return err
		},
		"copy": func(s *core.Service, x core.Transfer, p holdfast.Principal) error {
			_, err := s.Copy(t.Context(), p, x)
			return err
		},
	} {
		g := newGuarded(t, 30)
		up, err := g.s.Locate(t.Context(), g.p, g.p.Account, []string{"addressbooks"})
		if err != nil {
			t.Fatal(err)
		}
		other, _, err := g.s.MakeCollection(t.Context(), g.p, core.NewCollection{Owner: g.p.Account, Parent: up.Collection.ID, Name: "other", Type: holdfast.TypeAddressbook})
		if err != nil {
			t.Fatal(err)
		}
		to := core.Place{Owner: g.p.Account, Collection: up.Collection.ID, Name: "default"}
		if err := do(g.s, core.Transfer{From: core.Place{Owner: g.p.Account, Collection: other}, To: to, Overwrite: true}, g.p); err != nil {
			t.Fatal(err)
		}
		b := g.s.Bursts()
		if len(b) != 1 || b[0].Deleted != 30 || b[0].Collection != g.book {
			t.Errorf("%s: %+v", what, b)
			continue
		}
		past, err := g.s.PastOf(t.Context(), g.p.Account)
		if err != nil {
			t.Fatal(err)
		}
		u, err := past.Undo(t.Context(), core.UndoRequest{Burst: b[0].ID}, nil)
		if err != nil || u.Record.Collections != 1 || len(u.Left) > 0 {
			t.Errorf("%s: %+v %v", what, u, err)
		}
		g.wantBodies(t, map[string]string{"000.vcf": "u0 x", "029.vcf": "u29 x"})
	}
}

// TestAResetDeviceThatDeletesIsABurst at any size: one that had a token, lists all anew, and deletes.
func TestAResetDeviceThatDeletesIsABurst(t *testing.T) {
	for _, token := range []bool{false, true} {
		for _, flushed := range []bool{false, true} {
			g := newGuarded(t, 90)
			_, next, _, err := g.sync(t, g.book, "", 0)
			if err == nil && token {
				_, _, _, err = g.sync(t, g.book, next, 0)
			}
			if err != nil {
				t.Fatal(err)
			}
			if flushed {
				g.s.Close(t.Context())
				g.restart()
			}
			g.clock.Advance(time.Hour)
			if _, _, _, err := g.sync(t, g.book, "", 0); err != nil {
				t.Fatal(err)
			}
			g.clock.Advance(time.Minute)
			g.drop(t, 3, 4)
			b := g.s.Bursts()
			if token != (len(b) == 1) {
				t.Fatalf("it had used a token: %v, written down: %v: %+v", token, flushed, b)
			}
			if token && (!b[0].Reset || b[0].Deleted != 1) {
				t.Errorf("%+v", b)
			}
		}
	}
}

// TestABurstGoesOnAfterItsUndo: what its device deletes after that is counted anew, and told; also after a restart, and where the first of it came while the undo ran.
func TestABurstGoesOnAfterItsUndo(t *testing.T) {
	for what, restart := range map[string]bool{"in one process": false, "over a restart": true} {
		g := newGuarded(t, 90)
		g.drop(t, 0, 30)
		first := g.s.Bursts()[0].ID
		past, err := g.s.PastOf(t.Context(), g.p.Account)
		if err != nil {
			t.Fatal(err)
		}
		meanwhile := true
		if _, err := past.Undo(t.Context(), core.UndoRequest{Burst: first}, func(core.Progress) {
			if meanwhile {
				g.drop(t, 30, 32)
			}
			meanwhile = false
		}); err != nil {
			t.Fatal(err)
		}
		if restart {
			g.restart()
		}
		g.drop(t, 10, 27)
		if b := g.s.Bursts(); len(b) != 0 {
			t.Errorf("%s: 19 since the undo: %+v", what, b)
		}
		g.drop(t, 27, 30)
		b := g.s.Bursts()
		if len(b) != 1 || b[0].ID == first || b[0].Deleted != 20 {
			t.Fatalf("%s: %+v", what, b)
		}
		out, err := past.Undo(t.Context(), core.UndoRequest{Burst: b[0].ID}, nil)
		if err != nil || len(g.content(t)) != 90 {
			t.Errorf("%s: %d contacts, %+v, %v", what, len(g.content(t)), out.Left, err)
		}
	}
}

// TestABurstIsShownUntilItIsSettled, or old.
func TestABurstIsShownUntilItIsSettled(t *testing.T) {
	g := newGuarded(t, 90)
	g.drop(t, 0, 30)
	g.restart()
	b := g.s.Bursts()
	if len(b) != 1 {
		t.Fatalf("after a restart: %+v", b)
	}
	g.s.SettleBurst(t.Context(), b[0].ID)
	if len(g.s.Bursts()) != 0 || len(g.saved) != 0 {
		t.Errorf("settled: %+v", g.s.Bursts())
	}
	g.clock.Advance(2 * time.Hour)
	g.drop(t, 30, 60)
	g.clock.Advance(8 * 24 * time.Hour)
	if b := g.s.Bursts(); len(b) != 0 {
		t.Errorf("a week later: %+v", b)
	}
}

// content returns the account's live contacts, as name and octets.
func (g *guarded) content(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := g.s.Read(t.Context(), g.p, g.p.Account, func(r *core.Reader) error {
		return r.List(g.book, "", 0, core.WithBody, func(x *holdfast.Resource) error { out[x.Name] = string(x.Body); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestOfABurstOthersKeepTheirs: undone is all that the device deleted and overwrote, and nothing that others did; over a restart too. Once more there is nothing to do, and the undo can be undone.
func TestOfABurstOthersKeepTheirs(t *testing.T) {
	g := newGuarded(t, 90)
	g.overwrite(t, 80, 81) // long before
	g.clock.Advance(3 * time.Hour)
	before := g.content(t)
	g.drop(t, 0, 15)
	g.overwrite(t, 20, 40)
	g.mustPut(t, "new.vcf", "new x") // by the device, and no deletion
	g.drop(t, 25, 30)                // what it overwrote
	g.restart()
	two := *g
	two.p.Device = holdfast.ID{2}
	two.mustPut(t, "090.vcf", "u90 z")
	two.mustPut(t, "035.vcf", "u35 by another")
	g.drop(t, 40, 60)
	g.clock.Advance(2 * time.Hour)
	g.drop(t, 70, 72) // later, and not much
	b := g.s.Bursts()
	if len(b) != 1 {
		t.Fatalf("%+v", b)
	}
	past, err := g.s.Past(t.Context(), g.p, g.p.Account)
	if err != nil {
		t.Fatal(err)
	}
	_, err = past.Undo(t.Context(), core.UndoRequest{Burst: holdfast.ID{9}}, nil)
	wantKind(t, err, holdfast.NotFound)
	dry, err := past.Undo(t.Context(), core.UndoRequest{Burst: b[0].ID, DryRun: true}, nil)
	if err != nil || len(dry.Steps) != 54 || len(g.s.Bursts()) != 1 {
		t.Fatalf("%d steps, %v", len(dry.Steps), err)
	}
	wrong := g.content(t)
	out, err := past.Undo(t.Context(), core.UndoRequest{Burst: b[0].ID}, nil)
	if err != nil || len(out.Left) != 1 || out.Left[0].Name != "035.vcf" || !out.Left[0].Since || out.Record.Burst != b[0].ID {
		t.Fatalf("%+v, %v", out, err)
	}
	after := g.content(t)
	for name, body := range before {
		want := body
		switch name {
		case "035.vcf":
			want = "u35 by another"
		case "070.vcf", "071.vcf":
			want = ""
		}
		if after[name] != want {
			t.Errorf("%s: %q, want %q", name, after[name], want)
		}
	}
	if after["new.vcf"] != "new x" || after["090.vcf"] != "u90 z" {
		t.Errorf("what is new: %q, %q", after["new.vcf"], after["090.vcf"])
	}
	if len(g.s.Bursts()) != 0 {
		t.Error("it is still shown as new")
	}
	if again, err := past.Undo(t.Context(), core.UndoRequest{Burst: b[0].ID}, nil); err != nil || len(again.Steps) != 0 {
		t.Errorf("once more: %+v, %v", again, err)
	}
	lines, _, err := past.History(t.Context(), core.HistoryQuery{Limit: 200})
	mine := 0
	for _, l := range lines {
		if !l.Burst.IsZero() && l.Kind == holdfast.KindAddress {
			mine++
		}
	}
	if err != nil || mine != 60 {
		t.Errorf("history shows %d changes of the burst, %v", mine, err)
	}
	if _, err := past.Undo(t.Context(), core.UndoRequest{Reversal: out.Record.ID}, nil); err != nil {
		t.Fatal(err)
	}
	for name, body := range g.content(t) {
		if wrong[name] != body {
			t.Errorf("undo of the undo: %s: %q, was %q", name, body, wrong[name])
		}
	}
}
