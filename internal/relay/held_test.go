package relay

import (
	"context"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/seal"
	"holdfast/internal/store/sqlite"
	"holdfast/internal/store/storetest"
)

// newHeldRig is a store over SQLite, whose callers sleep until the vault has their batch.
func newHeldRig(t *testing.T) *rig {
	e, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Create: true, Store: storeID, Ballast: -1})
	fine(t, err)
	t.Cleanup(func() { e.Close() })
	ring, err := seal.NewRing(false)
	fine(t, err)
	g := &rig{t: t, engine: e, ring: ring, places: map[string]*sick{}, m: storetest.NewMaker(1)}
	g.places["local"] = g.create("local")
	g.start("engine+local", false)
	g.a = storetest.NewAccount(t, g.m, g.engine, "ann@example.org")
	return g
}

// timed is a commit and how long it took, and then its wait and how long that took on top.
type timed struct {
	commit, wait time.Duration
	copies       string
	err          error
}

func (g *rig) timed(name string) timed {
	began := time.Now()
	r := g.put(g.a, name)
	done := time.Now()
	copies, _, err := g.r.Wait(context.Background(), r.Batch)
	return timed{done.Sub(began), time.Since(done), strings.Join(copies, " "), err}
}

// TestCallersSleepOnce: who commits is woken when the vault has the batch too, and finds it acknowledged.
func TestCallersSleepOnce(t *testing.T) {
	g := newHeldRig(t)
	g.places["local"].slow.Store(int64(40 * time.Millisecond))
	got := g.timed("1.vcf")
	if got.err != nil || got.copies != "engine local" || got.commit < 40*time.Millisecond {
		t.Fatalf("%+v", got)
	}
	if acked, at := g.r.Acked(), g.engine.Position().Batch; acked != at {
		t.Fatalf("acked is %d of %d", acked, at)
	}
}

// TestNobodySleepsForLong: a vault that is slow, fails, or is there no more keeps nobody asleep in the engine; what becomes of the change is said as ever.
func TestNobodySleepsForLong(t *testing.T) {
	g := newHeldRig(t)
	p := g.places["local"]

	p.slow.Store(int64(200 * time.Millisecond))
	if got := g.timed("slow.vcf"); got.err != nil || got.commit > 180*time.Millisecond || got.wait < 10*time.Millisecond {
		t.Errorf("slow: %+v", got)
	}

	p.slow.Store(int64(time.Second)) // longer than anybody's patience
	if got := g.timed("slower.vcf"); !holdfast.IsKind(got.err, holdfast.Unavailable) || got.commit > 250*time.Millisecond {
		t.Errorf("slower: %+v", got)
	}
	p.slow.Store(0)
	g.until("acknowledged", func() bool { return g.r.Acked() == g.engine.Position().Batch })

	p.slow.Store(int64(30 * time.Millisecond))
	p.down.Store(true)
	if got := g.timed("down.vcf"); !holdfast.IsKind(got.err, holdfast.Unavailable) {
		t.Errorf("down: %+v", got)
	}
	p.down.Store(false)
	p.slow.Store(0)
	g.until("acknowledged", func() bool { return g.r.Acked() == g.engine.Position().Batch })

	p.slow.Store(int64(60 * time.Millisecond))
	ended := make(chan timed)
	go func() { ended <- g.timed("stopped.vcf") }()
	time.Sleep(10 * time.Millisecond)
	g.stop()
	if got := <-ended; got.commit > 250*time.Millisecond {
		t.Errorf("stopped: %+v", got)
	}
	began := time.Now()
	g.put(g.a, "after.vcf")
	if took := time.Since(began); took > 90*time.Millisecond {
		t.Errorf("after the relay's end a commit took %v", took)
	}
	if n := len(g.r.held); n > 0 {
		t.Errorf("%d batches are held for ever", n)
	}
}
