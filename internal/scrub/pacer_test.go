package scrub

import (
	"context"
	"testing"
	"time"

	"holdfast/internal/clock"
)

// idle passes a fake clock on whenever somebody waits for it, until the test ends, and counts nothing else.
func idle(t *testing.T, c *clock.Fake) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if c.Pending() > 0 {
				c.Advance(time.Millisecond)
			} else {
				time.Sleep(10 * time.Microsecond)
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
}

var morning = time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)

// TestTheRateHolds: over any stretch of reading no more is read than the rate allows and one page, also after a pause, in which nothing is saved up.
func TestTheRateHolds(t *testing.T) {
	c := clock.NewFake(morning)
	idle(t, c)
	const rate, page = 1 << 20, 64 << 10
	p := &Pacer{Clock: c, Rate: rate}
	for round := range 2 {
		began, read := c.Now(), 0
		for range 40 {
			fine(t, p.Took(t.Context(), page))
			read += page
			allowed := c.Now().Sub(began).Seconds()*rate + 2*page
			if float64(read) > allowed {
				t.Fatalf("round %d: %d octets after %v, the rate allows %.0f", round, read, c.Now().Sub(began), allowed)
			}
		}
		if took := c.Now().Sub(began); took > 3*time.Second {
			t.Errorf("round %d: %d octets took %v: slower than the rate", round, read, took)
		}
		c.Advance(time.Hour)
	}
}

// TestPeopleComeFirst: while people are served, a quarter of the time is worked.
func TestPeopleComeFirst(t *testing.T) {
	c := clock.NewFake(morning)
	idle(t, c)
	busy := true
	p := &Pacer{Clock: c, Busy: func() bool { return busy }, Share: 0.25}
	spend := func() time.Duration {
		fine(t, p.Took(t.Context(), 1))
		began := c.Now()
		for range 10 {
			c.Advance(20 * time.Millisecond) // it reads
			fine(t, p.Took(t.Context(), 1))
		}
		return c.Now().Sub(began)
	}
	if took := spend(); took < 790*time.Millisecond || took > time.Second {
		t.Errorf("200 ms of work beside people took %v, want 800 ms", took)
	}
	busy = false
	if took := spend(); took > 300*time.Millisecond {
		t.Errorf("200 ms of work alone took %v", took)
	}
}
