package vaultd_test

import (
	"testing"
	"time"

	"holdfast/internal/vault"
)

// TestAServersClockThatJumps puts the server's clock ten years ahead and back, again and again: nothing is let go of, and nothing that a right writer does is refused. The days that pass afterwards are counted.
func TestAServersClockThatJumps(t *testing.T) {
	const tenYears = 10 * 365 * 24 * time.Hour
	r := newRig(t)
	r.write(40)
	fine(t, r.v.PutService(t.Context(), "one"))
	fine(t, r.v.PutService(t.Context(), "two"))
	r.w.Roll()
	fine(t, r.v.Upkeep(t.Context(), r.w))
	_, err := r.v.Erase(t.Context(), r.w, r.people[0].ID, nil)
	fine(t, err)
	r.people = r.people[1:]
	once := func() {
		t.Helper()
		r.write(2)
		r.w.Roll()
		fine(t, r.v.Upkeep(t.Context(), r.w))
		fine(t, r.w.Head(t.Context(), vault.HeadInput{Whole: true}))
	}
	pruned := func() (names []string) {
		t.Helper()
		fine(t, r.guard.Prune(t.Context(), true, func(name string, _ int64) { names = append(names, name) }))
		return names
	}
	for i, jump := range []time.Duration{tenYears, -2 * tenYears, tenYears, -tenYears, tenYears, -tenYears, tenYears} {
		r.clock.Set(r.clock.Now().Add(jump))
		if i%2 == 1 {
			r.restart()
			r.reopen()
		}
		once()
		if got := pruned(); len(got) > 0 {
			t.Fatalf("after a jump by %v %q would go", jump, got)
		}
	}
	for range 16 {
		r.clock.Advance(24 * time.Hour)
		once()
	}
	gone := map[vault.Class]bool{}
	for _, name := range pruned() {
		gone[vault.ParseName(name).Class] = true
	}
	if !gone[vault.AccountKey] || !gone[vault.Service] {
		t.Fatalf("after sixteen days only %v would go", gone)
	}
	if got, want := r.rebuilt(), r.engine.Position(); got != want {
		t.Fatalf("the vault is at %v, the store at %v", got, want)
	}
}
