package relay

import (
	"context"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/vault"
)

// TestARelaysClockThatJumps puts the clock ten years ahead and back while changes come: they are acknowledged, heads are written, and a vault that failed is tried again, as if nothing had been.
func TestARelaysClockThatJumps(t *testing.T) {
	const tenYears = 10 * 365 * 24 * time.Hour
	g := newRig(t, "engine+local", false, "local")
	g.stop()
	fake := clock.NewFake(time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC))
	o := g.options("engine+local", false)
	o.Clock, o.HeadEvery, o.UpkeepEvery = fake, time.Minute, time.Minute
	s := g.places["local"]
	o.Vaults[0].Open = func(ctx context.Context) (*vault.Vault, error) {
		return vault.Open(ctx, vault.Options{Place: s, Ring: g.ring, Clock: fake, SegmentOctets: 8 << 10})
	}
	upkeeps := make(chan bool, 1000)
	o.Upkeep = func(ctx context.Context, v *vault.Vault, w *vault.Writer) error {
		select {
		case upkeeps <- true:
		default:
		}
		return v.Upkeep(ctx, w)
	}
	r, err := New(o)
	fine(t, err)
	fine(t, r.Reconcile(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	g.r = r
	t.Cleanup(func() { cancel(); <-done })
	passing := func(what string, ok func() bool) { // time passes as it should
		t.Helper()
		g.until(what, func() bool { fake.Advance(50 * time.Millisecond); return ok() })
	}
	passing("whole", g.r.Met)
	heads := func() uint64 {
		v, err := vault.Open(t.Context(), vault.Options{Place: s, Ring: g.ring, Clock: fake})
		fine(t, err)
		h, err := v.LastHead(t.Context())
		fine(t, err)
		return h.Number
	}
	for i, jump := range []time.Duration{tenYears, -2 * tenYears, tenYears, -tenYears} {
		fake.Set(fake.Now().Add(jump))
		before, name := heads(), string(rune('a'+i))
		if copies, _, err := g.wait(g.put(g.a, name)); err != nil || copies != "engine local" {
			t.Fatalf("after a jump by %v: %q, %v", jump, copies, err)
		}
		for len(upkeeps) > 0 {
			<-upkeeps
		}
		passing("a head, and upkeep", func() bool { fake.Advance(time.Second); return heads() > before && len(upkeeps) > 0 })
		s.down.Store(true)
		late := g.put(g.a, name+" late")
		passing("down", func() bool { return !g.r.Met() })
		fake.Set(fake.Now().Add(-jump))
		for _, v := range g.r.Status().Vaults {
			if v.LagSeconds < 0 || v.LagSeconds > 3600 && jump > 0 {
				t.Errorf("after a jump by %v the vault is said to be %.0f s behind", -jump, v.LagSeconds)
			}
		}
		s.down.Store(false)
		passing("whole again", g.r.Met)
		if copies, _, err := g.wait(late); err != nil || copies != "engine local" {
			t.Fatalf("what was late: %q, %v", copies, err)
		}
		fake.Set(fake.Now().Add(jump))
	}
	if err := g.r.Ready(); err != nil && !holdfast.IsKind(err, holdfast.Unavailable) {
		t.Fatal(err)
	}
	g.held("local")
}
