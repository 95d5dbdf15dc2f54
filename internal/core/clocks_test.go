package core_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
)

// TestTwoDevicesThatDeleteEverything at once are two bursts. Undone one after the other they bring back everything; an undo of an undo, and one of that, go there and back again.
func TestTwoDevicesThatDeleteEverything(t *testing.T) {
	const n = 120
	g := newGuarded(t, n)
	two := g.p
	two.Device = holdfast.ID{2}
	var wg sync.WaitGroup
	done := map[holdfast.ID]int{}
	var mu sync.Mutex
	for _, p := range []holdfast.Principal{g.p, two} {
		wg.Go(func() {
			for i := range n {
				if p.Device == two.Device {
					i = n - 1 - i
				}
				_, err := g.s.Delete(t.Context(), p, g.place(fmt.Sprintf("%03d.vcf", i)), holdfast.Precondition{}, nil)
				mu.Lock()
				if err == nil {
					done[p.Device]++
				} else if !holdfast.IsKind(err, holdfast.NotFound) {
					t.Error(err)
				}
				over := done[g.p.Device]+done[two.Device] == n
				mu.Unlock()
				if over {
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	wg.Wait()
	bursts := g.s.Bursts()
	if len(bursts) != 2 || bursts[0].Device == bursts[1].Device || done[g.p.Device] < 20 || done[two.Device] < 20 {
		t.Fatalf("%d and %d were deleted; %+v", done[g.p.Device], done[two.Device], bursts)
	}
	past, err := g.s.PastOf(t.Context(), g.p.Account)
	if err != nil {
		t.Fatal(err)
	}
	want := func(there bool) {
		t.Helper()
		all := map[string]string{}
		for i := range n {
			if all[fmt.Sprintf("%03d.vcf", i)] = ""; there {
				all[fmt.Sprintf("%03d.vcf", i)] = fmt.Sprintf("u%d x", i)
			}
		}
		g.wantBodies(t, all)
	}
	var last core.Reversed
	for _, b := range bursts {
		if last, err = past.Undo(t.Context(), core.UndoRequest{Burst: b.ID}, nil); err != nil || len(last.Left) > 0 || last.Record.Added != done[b.Device] {
			t.Fatalf("%v, %+v", err, last.Record)
		}
	}
	want(true)
	if len(g.s.Bursts()) != 0 {
		t.Error("they are still shown as new")
	}
	first := last.Record.Added
	for i := range 4 { // an undo of an undo, and so on
		if last, err = past.Undo(t.Context(), core.UndoRequest{Reversal: last.Record.ID}, nil); err != nil || len(last.Left) > 0 {
			t.Fatal(i, err, last.Left)
		}
		if got := last.Record.Removed + last.Record.Added; got != first {
			t.Fatalf("round %d: %+v", i, last.Record)
		}
	}
	want(true)
}

// TestForgedTokensDoNothing: whatever is not ours gets the answer on which a device lists anew, and brings nobody into doubt, neither the account nor the device.
func TestForgedTokensDoNothing(t *testing.T) {
	old := newPast(t)
	for i := range old.after { // an authentic one from a lost future, but for one character
		c := byte('A')
		if old.after[i] == c {
			c = 'B'
		}
		forged := old.after[:i] + string(c) + old.after[i+1:]
		if _, _, _, err := old.sync(t, old.book, forged, 0); !holdfast.IsKind(err, holdfast.BadToken) {
			t.Fatalf("%s: %v", forged, err)
		}
	}
	if d := old.s.Doubts(); len(d) > 0 || old.written != nil {
		t.Errorf("%+v", d)
	}
	if _, _, _, err := old.sync(t, old.book, old.before, 0); err != nil {
		t.Error(err)
	}
}

// years are jumps of the server's clock.
var years = []time.Duration{30 * 365 * 24 * time.Hour, -45 * 365 * 24 * time.Hour, 20 * 365 * 24 * time.Hour}

// TestClocksThatAreWrongByYears: tokens, bursts and undo go by the place in the history.
func TestClocksThatAreWrongByYears(t *testing.T) {
	for _, jump := range years {
		g := newGuarded(t, 100)
		_, token, _, err := g.sync(t, g.book, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		g.clock.Advance(jump)
		g.mustPut(t, "new.vcf", "new x")
		changes, token, _, err := g.sync(t, g.book, token, 0)
		if err != nil || len(changes) != 1 {
			t.Fatalf("%v: %v, %v", jump, changes, err)
		}
		g.drop(t, 0, 40)
		if len(g.s.Bursts()) != 1 {
			t.Fatalf("%v: %+v", jump, g.s.Bursts())
		}
		burst := g.s.Bursts()[0].ID
		g.clock.Advance(-jump)
		g.restart()
		past, err := g.s.PastOf(t.Context(), g.p.Account)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := past.Undo(t.Context(), core.UndoRequest{Burst: burst}, nil); err != nil || r.Record.Added != 40 {
			t.Fatalf("%v: %v, %+v", jump, err, r.Record)
		}
		if changes, _, _, err = g.sync(t, g.book, token, 0); err != nil || len(changes) != 40 {
			t.Errorf("%v: %d changes, %v", jump, len(changes), err)
		}
	}
}

// TestAClockThatJumpsHoldsAndReleases: whether a device has come over since a decision does not hang on the clock. One that has, and then proves a new loss, is held; one that has not is told to list anew.
func TestAClockThatJumpsHoldsAndReleases(t *testing.T) {
	for _, jump := range years {
		t.Run(fmt.Sprint(jump), func(t *testing.T) {
			old := newPast(t)
			if _, _, _, err := old.sync(t, old.book, "", 0); err != nil { // it is seen before
				t.Fatal(err)
			}
			old.clock.Advance(jump)
			_, _, _, err := old.sync(t, old.book, old.after, 0)
			wantKind(t, err, holdfast.InDoubt)
			if err := old.s.Dismiss(t.Context(), old.p.Account, old.p.Device, core.Dismissed); err != nil {
				t.Fatal(err)
			}
			_, _, _, err = old.sync(t, old.book, old.after, 0)
			wantKind(t, err, holdfast.BadToken)
			old.clock.Advance(-2 * jump)
			if _, _, _, err = old.sync(t, old.book, "", 0); err != nil { // it comes over
				t.Fatal(err)
			}
			_, _, _, err = old.sync(t, old.book, old.after, 0)
			wantKind(t, err, holdfast.InDoubt)
		})
	}
}
