package vaultd_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"holdfast/internal/place"
	"holdfast/internal/vaultd"
)

// TestTheServerReadsAtItsRate: the server's own reading of a vault takes as long as its rate says, and no longer.
func TestTheServerReadsAtItsRate(t *testing.T) {
	r := newRig(t)
	r.write(60)
	r.w.Roll()
	fine(t, r.v.Upkeep(t.Context(), r.w))
	var octets int64
	fine(t, r.disk.List(t.Context(), "", "", func(i place.Info) error { octets += i.Size; return nil }))
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { // time passes whenever somebody waits for it
		for ctx.Err() == nil {
			if r.clock.Pending() > 0 {
				r.clock.Advance(time.Millisecond)
			} else {
				time.Sleep(10 * time.Microsecond)
			}
		}
	})
	defer done.Wait()
	defer cancel()
	const rate = 8 << 10
	began := r.clock.Now()
	rep, err := (&vaultd.Scrubber{Guard: r.guard, Rate: rate}).Once(t.Context())
	fine(t, err)
	want := time.Duration(float64(rep.Octets) / rate * float64(time.Second))
	if took := r.clock.Now().Sub(began); rep.Octets < octets/2 || took < want-time.Second/2 || took > want+2*time.Second {
		t.Errorf("%d of %d octets took %v at %d a second", rep.Octets, octets, took, rate)
	}
}
