package relay

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/vault"
)

// TestAVaultThatStopsAnswering: nothing waits for it, and still it is not said that all is well. While it is being reached again it is not said to be behind, as it lacks nothing.
func TestAVaultThatStopsAnswering(t *testing.T) {
	const late = 400 * time.Millisecond
	g := newRig(t, "engine+attic", false, "attic")
	if _, _, err := g.wait(g.put(g.a, "1")); err != nil {
		t.Fatal(err)
	}
	g.stop()
	o := g.options("engine", false)
	o.Late = late
	open, hangs := o.Vaults[0].Open, atomic.Bool{}
	o.Vaults[0].Open = func(ctx context.Context) (*vault.Vault, error) {
		if hangs.Load() {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return open(ctx)
	}
	serviced := make(chan struct{})
	o.Service = func() any { <-serviced; return "a list" }
	fine(t, g.runWith(o))
	g.until("reached", func() bool { return g.r.workers["attic"].look().up })
	if s := g.r.Status(); s.Vaults[0].State != Opening || s.Vaults[0].LagChanges != 0 || s.Verdict != VerdictUnknown {
		t.Errorf("while it is being reached it is %+v, %s", s.Vaults[0], s.Verdict)
	}
	close(serviced)
	g.until("whole", func() bool { s := g.r.Status(); return s.Verdict == VerdictOK && s.Vaults[0].State == Whole })
	hangs.Store(true)
	g.until("silent", func() bool { return strings.HasPrefix(g.r.Status().Vaults[0].Reason, "it has not answered since ") })
	if s := g.r.Status(); s.Verdict != VerdictLate || s.Vaults[0].LagChanges != 0 {
		t.Errorf("it is %+v, %s", s.Vaults[0], s.Verdict)
	}
	hangs.Store(false)
	g.until("whole", func() bool { s := g.r.Status(); return s.Verdict == VerdictOK && s.Vaults[0].Reason == "" })
}
