package scrub

import (
	"context"
	"io"
	"sync"
	"time"

	"holdfast/internal/clock"
)

// Pacer keeps a reading at a rate, and lets it work for a share of the time alone while people are served.
type Pacer struct {
	Clock clock.Clock
	Rate  int64       // octets a second; 0: as fast as it goes
	Busy  func() bool // people are being served; nil: never
	Share float64     // of the time that is worked then: 0.25 is a quarter; 0: all of it

	mu   sync.Mutex
	last time.Time // when the last rest ended
	debt float64   // octets that were read ahead of the rate
}

// maxRest bounds one rest: nobody knows how long a piece of work was if the clock jumped, or the machine slept.
const maxRest = 2 * time.Second

// least is the shortest rest: a timer is not much more exact.
const least = 10 * time.Millisecond

// Took rests for as long as reading n octets deserves. What was not read in time past is not made up for: no second has more than the rate and one read.
func (p *Pacer) Took(ctx context.Context, n int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.Clock.Now()
	worked := max(0, now.Sub(p.last))
	if p.last.IsZero() {
		worked = 0
	}
	rest := time.Duration(0)
	if p.Rate > 0 {
		p.debt = max(0, p.debt-worked.Seconds()*float64(p.Rate)) + float64(n)
		if owed := time.Duration(p.debt / float64(p.Rate) * float64(time.Second)); owed >= least {
			rest = owed
		}
	}
	if p.Busy != nil && p.Share > 0 && p.Share < 1 && p.Busy() {
		rest = max(rest, min(time.Duration(float64(worked)*(1/p.Share-1)), maxRest))
	}
	p.last = now
	for rest > 0 { // in pieces, as a clock may jump
		step := min(rest, maxRest)
		if err := clock.Sleep(ctx, p.Clock, step); err != nil {
			return err
		}
		rest -= step
		p.debt = max(0, p.debt-step.Seconds()*float64(p.Rate))
		p.last = p.Clock.Now()
	}
	return context.Cause(ctx)
}

// Reader returns r, read at the pace.
func (p *Pacer) Reader(ctx context.Context, r io.ReadCloser) io.ReadCloser {
	return &paced{ReadCloser: r, p: p, ctx: ctx}
}

type paced struct {
	io.ReadCloser
	p   *Pacer
	ctx context.Context
}

func (r *paced) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	if err == nil {
		err = r.p.Took(r.ctx, int64(n))
	}
	return n, err
}
