package core_test

import (
	"slices"
	"testing"

	"holdfast"
	"holdfast/internal/core"
)

// TestWhatIsAccountedForHoldsItsDeviceAlone: once all that was seen is accounted for the account goes on, and who saw it waits on. What was not accounted for, and what an operator or a vault holds, stays.
func TestWhatIsAccountedForHoldsItsDeviceAlone(t *testing.T) {
	for what, c := range map[string]struct {
		then func(old *past, seen *core.Doubt) // after what is known was looked at
		held bool
	}{
		"nothing came between":              {func(*past, *core.Doubt) {}, false},
		"more was seen than was looked for": {func(_ *past, seen *core.Doubt) { seen.Evidence[0].Seq-- }, true},
		"an operator holds it": {func(old *past, _ *core.Doubt) {
			if _, err := old.s.Hold(t.Context(), old.p.Account); err != nil {
				t.Fatal(err)
			}
		}, true},
	} {
		old := newPast(t)
		_, _, _, err := old.sync(t, old.book, old.after, 0)
		wantKind(t, err, holdfast.InDoubt)
		seen := old.s.Doubts()[0]
		c.then(old, &seen)
		if err := old.s.ProvenWhole(t.Context(), seen); err != nil {
			t.Fatal(err)
		}
		now := old.s.Doubts()
		if len(now) != 1 || now[0].Since.IsZero() == c.held || !slices.ContainsFunc(now[0].Evidence, core.Evidence.Open) {
			t.Errorf("%s: %+v", what, now)
		}
		if _, _, _, err := old.sync(t, old.book, old.after, 0); !holdfast.IsKind(err, holdfast.InDoubt) {
			t.Errorf("%s: the device itself goes on: %v", what, err)
		}
		third := old.shelf
		third.p.Device = holdfast.ID{3}
		if _, _, _, err := third.sync(t, old.book, "", 0); (err == nil) == c.held {
			t.Errorf("%s: another device: %v", what, err)
		}
	}
	old := newPast(t)
	if err := old.s.Diverged(t.Context(), old.p.Account, "attic", 9, 5); err != nil {
		t.Fatal(err)
	}
	_, _, _, err := old.sync(t, old.book, old.after, 0)
	wantKind(t, err, holdfast.InDoubt)
	if err := old.s.ProvenWhole(t.Context(), old.s.Doubts()[0]); err != nil || old.s.Doubts()[0].Since.IsZero() {
		t.Errorf("a vault has another history: %v, %+v", err, old.s.Doubts())
	}
}
