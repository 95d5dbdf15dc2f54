package vaultd

import (
	"context"
	"sync"
	"testing"
	"time"

	"holdfast/internal/clock"
)

// TestASlowStretchIsNotMadeUpFor: after a disk was slow, or the machine slept, a reading goes on at its rate. It had read as fast as it could until the mean was right again.
func TestASlowStretchIsNotMadeUpFor(t *testing.T) {
	c := clock.NewFake(time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC))
	ctx, cancel := context.WithCancel(t.Context())
	var passing sync.WaitGroup
	passing.Go(func() { // time passes whenever somebody waits for it
		for ctx.Err() == nil {
			if c.Pending() > 0 {
				c.Advance(time.Millisecond)
			} else {
				time.Sleep(10 * time.Microsecond)
			}
		}
	})
	defer passing.Wait()
	defer cancel()
	const rate = 1 << 20
	p := &pace{clock: c, rate: rate, last: c.Now()}
	if err := p.took(ctx, 4<<10); err != nil {
		t.Fatal(err)
	}
	c.Advance(10 * time.Minute)
	began := c.Now()
	for range 64 {
		if err := p.took(ctx, 32<<10); err != nil {
			t.Fatal(err)
		}
	}
	if took := c.Now().Sub(began); took < 1900*time.Millisecond || took > 2500*time.Millisecond {
		t.Errorf("2 MiB at 1 MiB a second took %v after a slow stretch", took)
	}
}
