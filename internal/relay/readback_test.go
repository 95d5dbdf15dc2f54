package relay

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/vault"
)

// liar is a place that says that it stored, and does not.
type liar struct {
	*sick
	lies atomic.Bool
}

func (l *liar) Append(ctx context.Context, name string, at int64, p []byte) error {
	if l.lies.Load() {
		return nil
	}
	return l.sick.Append(ctx, name, at, p)
}

// tellsLies has the only vault lie at a place that can be told to lie.
func (g *rig) tellsLies(name string, late time.Duration) (*liar, Options) {
	p := &liar{sick: g.places[name]}
	o := g.options("engine+"+name, false)
	o.Late = late
	o.Vaults[0].Open = func(ctx context.Context) (*vault.Vault, error) {
		return vault.Open(ctx, vault.Options{Place: p, Ring: g.ring, SegmentOctets: 8 << 10})
	}
	return p, o
}

// TestAVaultThatAnswersAndStoresNothing is noticed before it would be late; nothing more is acknowledged by it, and once it stores again it gets what it lacks.
func TestAVaultThatAnswersAndStoresNothing(t *testing.T) {
	const late = 2 * time.Second
	g := newRig(t, "engine+local", false, "local")
	g.stop()
	p, o := g.tellsLies("local", late)
	fine(t, g.runWith(o))
	g.until("whole", g.r.Met)
	if copies, _, err := g.wait(g.put(g.a, "1")); err != nil || copies != "engine local" {
		t.Fatalf("%q, %v", copies, err)
	}
	p.lies.Store(true)
	began := time.Now()
	g.put(g.a, "2")
	g.until("damaged", func() bool { return g.r.workers["local"].look().state == Damaged })
	if took := time.Since(began); took > late/2 {
		t.Errorf("noticed after %v", took)
	}
	for lied := time.Now(); time.Since(lied) < late/4; time.Sleep(5 * time.Millisecond) { // it is opened again and again, and lies on
		if copies, policy, err := g.wait(g.put(g.a, "3")); err == nil {
			t.Fatalf("acknowledged by %q under %q", copies, policy)
		}
		if s := g.r.Status().Vaults[0]; s.State == Whole || s.LagChanges == 0 || time.Since(s.Lied) > late {
			t.Fatalf("it is said to be %s, %d behind", s.State, s.LagChanges)
		}
	}
	p.lies.Store(false)
	g.until("whole", g.r.Met)
	if copies, _, err := g.wait(g.put(g.a, "4")); err != nil || copies != "engine local" {
		t.Fatalf("%q, %v", copies, err)
	}
	g.held("local")
}

// TestAVaultThatCannotBeReadBack: once is passed over, twice is not.
func TestAVaultThatCannotBeReadBack(t *testing.T) {
	g := newRig(t, "engine+local", false, "local")
	g.stop()
	_, o := g.tellsLies("local", 400*time.Millisecond)
	var opened, fails atomic.Int64
	open := o.Vaults[0].Open
	o.Vaults[0].Open = func(ctx context.Context) (*vault.Vault, error) {
		opened.Add(1)
		if fails.Add(-1) >= 0 {
			return nil, &holdfast.Error{Kind: holdfast.Unavailable, Err: errDown}
		}
		return open(ctx)
	}
	fine(t, g.runWith(o))
	g.until("whole", g.r.Met)
	fails.Store(1)
	before := opened.Load()
	g.until("read back again", func() bool { return opened.Load() >= before+3 })
	if s := g.r.workers["local"].look(); !s.up {
		t.Errorf("one failure of reading back took it down: %s", s.reason)
	}
	fails.Store(1 << 30)
	g.until("down", func() bool { return g.r.workers["local"].look().state == Unreachable })
	fails.Store(0)
	g.until("whole", g.r.Met)
}

func TestSinceWhenAChangeWaits(t *testing.T) {
	w := &worker{}
	r := &Relay{workers: map[string]*worker{"local": w}}
	now := time.Now()
	at := func(s int) time.Time { return now.Add(time.Duration(s) * time.Second) }
	since := func(batch uint64) time.Duration {
		return r.waitsSince(shipping{pos: holdfast.Position{Batch: batch}, lastShip: at(-1000), since: at(-2000)}).Sub(now)
	}
	r.see(at(0), 10)
	if got := since(9); got != -1000*time.Second {
		t.Errorf("what no look saw: %v", got)
	}
	r.see(at(1), 10)
	r.see(at(2), 12)
	r.see(at(3), 15)
	w.at.pos.Batch = 10
	for batch, want := range map[uint64]time.Duration{10: 2 * time.Second, 11: 2 * time.Second, 12: 3 * time.Second, 14: 3 * time.Second} {
		if got := since(batch); got != want {
			t.Errorf("behind batch %d: since %v", batch, got)
		}
	}
	for i := range 5 * maxMoments {
		r.see(at(4+i), uint64(16+i))
	}
	if got := since(10); len(r.seen) > maxMoments || got != 2*time.Second {
		t.Errorf("%d moments; since %v", len(r.seen), got)
	}
	w.at.pos.Batch = 1 << 20
	r.see(at(10_000), 1<<20)
	if len(r.seen) > 2 {
		t.Errorf("%d moments that nobody waits for", len(r.seen))
	}
}
