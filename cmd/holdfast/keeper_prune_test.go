package main

import (
	"log/slog"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
)

// TestPruneDue: each week, a remote vault each fourth; at once where the clock went back.
func TestPruneDue(t *testing.T) {
	const week = 168 * time.Hour
	now := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	for _, x := range []struct {
		kind string
		ago  time.Duration
		due  bool
	}{{kindDir, week - 1, false}, {kindDir, week, true}, {kindRemote, week, false}, {kindRemote, 4 * week, true}, {kindDir, -time.Hour, true}} {
		if got := pruneDue(x.kind, now.Add(-x.ago), now, week); got != x.due {
			t.Errorf("%s, pruned %v ago: %v", x.kind, x.ago, got)
		}
	}
	if !pruneDue(kindDir, time.Time{}, now, week) {
		t.Error("one that never was is not pruned")
	}
}

// TestWhoIsSpared: nothing is pruned of accounts in doubt, nor of such as are to be erased.
func TestWhoIsSpared(t *testing.T) {
	o := opening(t, testConfig(t))
	defer o.close()
	var ids []holdfast.ID
	for _, name := range []string{"alice@example.org", "ben@example.org", "carol@example.org"} {
		a, _, err := o.core.CreateAccount(t.Context(), holdfast.Actor{}, name, "")
		must(t, err)
		ids = append(ids, a.ID)
	}
	e, err := readErasures(t.TempDir(), time.Hour, o.core, func() []string { return nil }, clock.System, slog.New(slog.DiscardHandler))
	must(t, err)
	k := &keeper{erase: e}
	_, err = e.Request(t.Context(), ids[0])
	must(t, err)
	must(t, o.core.Diverged(t.Context(), ids[1], "attic", 3, 2))
	if !k.spared(ids[0]) || !k.spared(ids[1]) || k.spared(ids[2]) {
		t.Errorf("to be erased: %v, in doubt: %v, neither: %v", k.spared(ids[0]), k.spared(ids[1]), k.spared(ids[2]))
	}
	if !(&keeper{}).spared(ids[2]) {
		t.Error("where nobody knows who is to be erased, something would go")
	}
}
