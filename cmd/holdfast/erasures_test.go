package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
)

// TestAnErasureThatWasCut reads what a process left that was killed when a wait was over, and no vault had been asked yet: the file leaves the empty map out.
func TestAnErasureThatWasCut(t *testing.T) {
	dir := t.TempDir()
	text := `[{"account":"aaaaaaaaaaaaaaaaaaaaaaaaae","requested":"2026-11-26T08:00:00Z","due":true,"store":false}]`
	if err := os.WriteFile(filepath.Join(dir, erasuresName), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := readErasures(dir, time.Hour, nil, func() []string { return []string{"local"} }, clock.System, slog.New(slog.DiscardHandler))
	if err != nil || len(e.all) != 1 || !e.all[0].Due {
		t.Fatalf("%+v, %v", e.all, err)
	}
	e.all[0].Vaults["local"] = nil // as the upkeep of a vault does
}

// TestAJumpEndsNoWait puts the clock ten years ahead and back while an account waits to be erased, also between two processes: the wait does not end early, nor never.
func TestAJumpEndsNoWait(t *testing.T) {
	const day, tenYears = 24 * time.Hour, 10 * 365 * 24 * time.Hour
	o := opening(t, testConfig(t))
	defer o.close()
	a, _, err := o.core.CreateAccount(t.Context(), holdfast.Actor{}, "alice@example.org", "")
	if err != nil {
		t.Fatal(err)
	}
	fake := clock.NewFake(time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC))
	dir := t.TempDir()
	process := func() *erasures {
		e, err := readErasures(dir, 30*day, o.core, func() []string { return []string{"local"} }, fake, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := process()
	if _, err := e.Request(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	tick := func() bool {
		if err := e.tick(t.Context()); err != nil || len(e.all) != 1 {
			t.Fatal(e.all, err)
		}
		return e.all[0].Due
	}
	for i, jump := range []time.Duration{tenYears, -2 * tenYears, tenYears, -tenYears, tenYears} {
		fake.Set(fake.Now().Add(jump))
		if i%2 == 1 {
			e = process()
		}
		if tick() || tick() {
			t.Fatalf("a jump by %v ended the wait", jump)
		}
	}
	days := 0
	for ; !tick(); days++ {
		fake.Advance(day)
	}
	if days < 26 || days > 30 { // each jump ahead counts for a day
		t.Fatalf("the wait of 30 days ended after %d and five jumps", days)
	}
}
