package clock

import (
	"sync"
	"time"
)

// Fake is a clock that stands still until a test moves it.
//
// It keeps two things apart, as a real machine does: the time that passes
// ([Fake.Advance]), which fires timers, and the wall clock, which somebody may
// put forward or back ([Fake.Set]) without any time passing.
type Fake struct {
	mu      sync.Mutex
	changed *sync.Cond // the set of pending events changed
	wall    time.Time
	mono    time.Duration // time passed since NewFake
	seq     int           // orders events that are due at the same moment
	pending map[*event]struct{}
}

// NewFake returns a clock that shows t.
func NewFake(t time.Time) *Fake {
	f := &Fake{wall: t, pending: map[*event]struct{}{}}
	f.changed = sync.NewCond(&f.mu)
	return f
}

// Now returns the time that the clock shows.
func (f *Fake) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wall
}

// Set puts the wall clock to t, forward or back. No time passes: no timer fires
// and none moves, as with a real clock that is corrected.
func (f *Fake) Set(t time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wall = t
}

// Advance lets d pass. Everything that falls due on the way happens in the
// order of its time, then of its creation, and sees the clock at exactly that
// time. Functions of AfterFunc run here, in the caller's goroutine; what they
// set up anew also happens if it falls due within d. A negative d is ignored.
func (f *Fake) Advance(d time.Duration) {
	f.mu.Lock()
	end := f.mono + max(d, 0)
	for {
		e := f.next(end)
		if e == nil {
			break
		}
		f.passTo(e.at)
		if run := f.fire(e); run != nil {
			f.mu.Unlock()
			run()
			f.mu.Lock()
		}
	}
	f.passTo(end)
	f.mu.Unlock()
}

// Pending returns how many timers and tickers wait to fire.
func (f *Fake) Pending() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.pending)
}

// BlockUntil waits until at least n timers and tickers are pending: until the
// code under test, in its own goroutine, has gone to sleep.
func (f *Fake) BlockUntil(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.pending) < n {
		f.changed.Wait()
	}
}

// NewTimer implements [Clock].
func (f *Fake) NewTimer(d time.Duration) Timer {
	return f.start(&event{f: f, ch: make(chan time.Time, 1)}, d)
}

// NewTicker implements [Clock].
func (f *Fake) NewTicker(d time.Duration) Ticker {
	if d <= 0 {
		panic("clock: NewTicker: period is not positive")
	}
	return fakeTicker{f.start(&event{f: f, ch: make(chan time.Time, 1), every: d}, d)}
}

// AfterFunc implements [Clock]. A d of zero or less runs fn in a goroutine of
// its own, because nobody may ever call Advance.
func (f *Fake) AfterFunc(d time.Duration, fn func()) Timer {
	return f.start(&event{f: f, run: fn}, d)
}

// event is a pending timer, ticker or function.
type event struct {
	f     *Fake
	ch    chan time.Time
	run   func()
	at    time.Duration // on the scale of Fake.mono
	seq   int
	every time.Duration // not zero for a ticker
}

func (f *Fake) start(e *event, d time.Duration) *event {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.schedule(e, d)
	return e
}

func (f *Fake) schedule(e *event, d time.Duration) {
	f.seq++
	e.at, e.seq = f.mono+max(d, 0), f.seq
	if d <= 0 {
		if run := f.fire(e); run != nil {
			go run()
		}
		return
	}
	f.pending[e] = struct{}{}
	f.changed.Broadcast()
}

// next returns the first pending event due at end or before.
func (f *Fake) next(end time.Duration) *event {
	var first *event
	for e := range f.pending {
		if e.at > end {
			continue
		}
		if first == nil || e.at < first.at || e.at == first.at && e.seq < first.seq {
			first = e
		}
	}
	return first
}

func (f *Fake) passTo(at time.Duration) {
	f.wall = f.wall.Add(at - f.mono)
	f.mono = at
}

// fire delivers e and returns the function that the caller must run unlocked.
func (f *Fake) fire(e *event) func() {
	if e.every > 0 {
		f.seq++
		e.at, e.seq = e.at+e.every, f.seq
	} else {
		delete(f.pending, e)
		f.changed.Broadcast()
	}
	if e.run != nil {
		return e.run
	}
	select {
	case e.ch <- f.wall:
	default: // a slow receiver misses a tick
	}
	return nil
}

func (e *event) C() <-chan time.Time { return e.ch }

func (e *event) Stop() bool {
	e.f.mu.Lock()
	defer e.f.mu.Unlock()
	return e.cancel()
}

func (e *event) Reset(d time.Duration) bool {
	e.f.mu.Lock()
	defer e.f.mu.Unlock()
	was := e.cancel()
	e.f.schedule(e, d)
	return was
}

// cancel also takes back a value that was sent and not yet received.
func (e *event) cancel() bool {
	_, was := e.f.pending[e]
	delete(e.f.pending, e)
	select {
	case <-e.ch:
		was = true
	default:
	}
	e.f.changed.Broadcast()
	return was
}

type fakeTicker struct{ e *event }

func (t fakeTicker) C() <-chan time.Time { return t.e.ch }

func (t fakeTicker) Stop() { t.e.Stop() }

func (t fakeTicker) Reset(d time.Duration) {
	if d <= 0 {
		panic("clock: Ticker.Reset: period is not positive")
	}
	t.e.f.mu.Lock()
	defer t.e.f.mu.Unlock()
	t.e.cancel()
	t.e.every = d
	t.e.f.schedule(t.e, d)
}
