// Package clock is the one door to time. Code that needs to know what time it
// is, or to wait, takes a [Clock]; production gives it [System], a test gives
// it a [Fake] and decides itself when time passes. No other package outside of
// tests calls time.Now, time.After and their like.
package clock

import (
	"context"
	"time"
)

// A Clock tells the time and wakes its callers. All methods may be called from
// several goroutines at once.
type Clock interface {
	// Now returns the present time.
	Now() time.Time
	// NewTimer returns a timer that sends the time on its channel once, d from
	// now. A d of zero or less fires at once.
	NewTimer(d time.Duration) Timer
	// NewTicker returns a ticker that sends the time every d, dropping ticks for
	// a slow receiver. It panics when d is not positive, like time.NewTicker.
	NewTicker(d time.Duration) Ticker
	// AfterFunc calls f once, d from now, unless the timer is stopped before.
	// The channel of the returned timer is nil.
	AfterFunc(d time.Duration, f func()) Timer
}

// A Timer is a single event in the future, with the rules of time.Timer since
// Go 1.23: after Stop or Reset no old value is ever received.
type Timer interface {
	C() <-chan time.Time
	// Stop reports whether it prevented the event.
	Stop() bool
	// Reset sets the event to d from now and reports whether it was pending.
	Reset(d time.Duration) bool
}

// A Ticker is an event that repeats until Stop.
type Ticker interface {
	C() <-chan time.Time
	Stop()
	// Reset sets the period to d and the next tick to d from now.
	Reset(d time.Duration)
}

// Sleep waits for d on the clock c. It returns early, with the cause, when ctx
// is done.
func Sleep(ctx context.Context, c Clock, d time.Duration) error {
	t := c.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// WithTimeout returns a context that ends when ctx does, or after d on the clock
// c, with [context.DeadlineExceeded] as its cause.
func WithTimeout(ctx context.Context, c Clock, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	t := c.AfterFunc(d, func() { cancel(context.DeadlineExceeded) })
	return ctx, func() {
		t.Stop()
		cancel(nil)
	}
}

// System is the machine's clock.
var System Clock = system{}

type system struct{}

func (system) Now() time.Time { return time.Now() }

func (system) NewTimer(d time.Duration) Timer { return sysTimer{time.NewTimer(d)} }

func (system) NewTicker(d time.Duration) Ticker { return sysTicker{time.NewTicker(d)} }

func (system) AfterFunc(d time.Duration, f func()) Timer { return sysTimer{time.AfterFunc(d, f)} }

type sysTimer struct{ *time.Timer }

func (t sysTimer) C() <-chan time.Time { return t.Timer.C }

type sysTicker struct{ *time.Ticker }

func (t sysTicker) C() <-chan time.Time { return t.Ticker.C }
