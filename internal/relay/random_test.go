package relay

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/fault"
	memplace "holdfast/internal/place/memory"
	"holdfast/internal/seal"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
)

// TestRandomFaults writes into a store whose vault fails now and then, in all ways that a place can fail; restarts it; and puts the store back to earlier moments. Whatever was acknowledged must be in the store after each start.
func TestRandomFaults(t *testing.T) {
	for seed := range uint64(4) {
		if testing.Short() && seed > 1 {
			break
		}
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { randomFaults(t, seed) })
	}
}

func randomFaults(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 4))
	ring, err := seal.NewRing(false)
	fine(t, err)
	place := memplace.New(clock.System)
	_, err = vault.Create(t.Context(), vault.Options{Place: place, Ring: ring}, vault.Meta{Vault: holdfast.ID{1}, Store: storeID, Name: "local"})
	fine(t, err)
	engine, m := memory.New(), storetest.NewMaker(seed)
	var people []storetest.Account
	acked, counts := map[holdfast.ID]uint64{}, map[string]int{} // by account: the newest seq that was acknowledged
	for round := range 14 {
		plan := fault.Seeded(seed*100+uint64(round), 20, fault.Before, fault.After, fault.Half, fault.Full)
		if round == 0 {
			plan = fault.Never()
		}
		p, err := ParsePolicy("engine+local")
		fine(t, err)
		faulty := fault.Wrap(place, plan)
		r, err := New(Options{Engine: engine, Store: storeID, Policy: p, Backoff: 4 * time.Millisecond, Patience: 100 * time.Millisecond, HeadEvery: 7 * time.Millisecond, UpkeepEvery: 40 * time.Millisecond,
			Vaults: []Attached{{Name: "local", Open: func(ctx context.Context) (*vault.Vault, error) {
				return vault.Open(ctx, vault.Options{Place: faulty, Ring: ring, SegmentOctets: 4 << 10})
			}}}, Upkeep: func(ctx context.Context, v *vault.Vault, w *vault.Writer) error { return v.Upkeep(ctx, w) }})
		fine(t, err)
		for tries := 0; ; tries++ {
			if err := r.Reconcile(t.Context()); err == nil {
				break
			} else if tries > 100 {
				t.Fatalf("round %d: never compared: %v", round, err)
			}
		}
		holds(t, round, engine, acked)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx) }()
		if round == 0 {
			for i := range 3 {
				people = append(people, storetest.NewAccount(t, m, engine, fmt.Sprintf("p%d@example.org", i)))
			}
			for !r.Met() {
				time.Sleep(time.Millisecond)
			}
		}
		for range 40 {
			for i := 0; i < 30 && r.Ready() != nil; i++ {
				time.Sleep(time.Millisecond)
			}
			a := people[rnd.IntN(3)]
			got, err := engine.Commit(ctx, storetest.Sealed(a.ID, m.Put(a.Book, fmt.Sprint(rnd.IntN(9)), "", []byte(fmt.Sprint(rnd.Uint64())))))
			fine(t, err)
			if _, policy, err := r.Wait(ctx, got.Batch); err == nil && policy == "engine+local" {
				acked[a.ID] = got.Seq
				counts["acked"]++
			} else {
				counts["not acked"]++
			}
		}
		upto := r.Acked()
		cancel()
		<-done
		place = place.Clone() // what a killed process held, nobody holds
		switch rnd.IntN(3) {
		case 0: // the store comes back as it was a while ago
			engine = rebuild(t, engine, rnd.Uint64N(engine.Position().Batch+1))
			counts["put back"]++
		case 1: // it loses what was not acknowledged
			engine = rebuild(t, engine, upto)
			counts["cut"]++
		}
	}
	t.Log(counts)
	if counts["acked"] < 50 || counts["put back"] == 0 {
		t.Error("hardly anything was shown")
	}
}

// holds compares the store with what was acknowledged.
func holds(t *testing.T, round int, e *memory.Engine, acked map[holdfast.ID]uint64) {
	t.Helper()
	snap, err := e.Snapshot(t.Context())
	fine(t, err)
	defer snap.Close()
	for id, seq := range acked {
		if h, err := snap.Head(id); err != nil || h.Seq < seq {
			t.Fatalf("round %d: change %d was acknowledged; the store has %d, %v", round, seq, h.Seq, err)
		}
	}
}

// rebuild returns an engine that is what another was after a batch.
func rebuild(t *testing.T, from *memory.Engine, upto uint64) *memory.Engine {
	t.Helper()
	to := memory.New()
	fine(t, from.After(t.Context(), 0, 0, func(b *holdfast.Batch) error {
		if b.Batch > upto {
			return nil
		}
		return to.Apply(t.Context(), b)
	}))
	return to
}
