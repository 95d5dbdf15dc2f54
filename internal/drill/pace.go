package drill

import (
	"context"
	"sync"
	"time"

	"holdfast/internal/clock"
)

// Pace lets a drill work for a share of the time while people are served, and all of it while nobody is.
type Pace struct {
	Clock clock.Clock
	Busy  func() bool // people are being served
	Share float64     // of the time that is worked then: 0.25 is a quarter

	mu   sync.Mutex
	last time.Time
}

// maxRest bounds one rest: nobody knows how long a piece of work was if the clock jumped, or the machine slept.
const maxRest = 2 * time.Second

// Wait rests for as long as the work since the last call deserves. Whoever works beside it waits as well: what they do together is bounded.
func (p *Pace) Wait(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.Clock.Now()
	worked := now.Sub(p.last)
	if !p.last.IsZero() && worked > 0 && p.Share < 1 && p.Busy() {
		rest := min(time.Duration(float64(worked)*(1/p.Share-1)), maxRest)
		if err := clock.Sleep(ctx, p.Clock, rest); err != nil {
			return err
		}
	}
	p.last = p.Clock.Now()
	return context.Cause(ctx)
}
