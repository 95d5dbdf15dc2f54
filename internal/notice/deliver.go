package notice

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/clock"
)

// Way carries notices to people.
type Way interface {
	// Name is what the configuration calls it.
	Name() string
	// Send delivers a notice, and says what came of it. Errors hold no secret.
	Send(ctx context.Context, n *Notice) (said string, err error)
}

// Refusal is an error of a way that got through and was refused: this notice may never be taken, and the next one may be.
type Refusal struct{ Text string }

func (e *Refusal) Error() string { return e.Text }

// waiting is a notice that some ways have not delivered yet.
type waiting struct {
	Notice
	Ways []string `json:"ways"`
	Got  bool     `json:"got,omitempty"` // some way has delivered it

	refused map[string]int // how often each way refused this very notice
}

// way is a way with what is known of it.
type way struct {
	Way
	name string
	poke chan struct{} // holds one

	failures int       // in a row
	since    time.Time // of the first of them
	err      error     // of the last
}

func newWay(w Way) *way { return &way{Way: w, name: w.Name(), poke: make(chan struct{}, 1)} }

// way returns a way by its name; nil: there is none.
func (b *Board) way(name string) *way {
	for _, w := range b.ways {
		if w.name == name {
			return w
		}
	}
	return nil
}

// wake has each way look for what waits.
func (b *Board) wake() {
	for _, w := range b.ways {
		select {
		case w.poke <- struct{}{}:
		default: // it is about to look
		}
	}
}

// Run delivers until ctx ends. Each way works by itself: one that hangs holds up no other.
func (b *Board) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, w := range b.ways {
		all.Go(func() { b.deliver(ctx, w) })
	}
	all.Wait()
	b.save()
}

// deliver works off what waits for one way.
func (b *Board) deliver(ctx context.Context, w *way) {
	for ctx.Err() == nil {
		next := b.next(w)
		if next == nil {
			select {
			case <-ctx.Done():
			case <-w.poke:
			}
			continue
		}
		said, err := b.send(ctx, w, &next.Notice)
		if ctx.Err() != nil && err != nil {
			return // it was cut, and waits
		}
		pause := b.sent(w, next, said, err)
		b.save()
		if err != nil && clock.Sleep(ctx, b.o.Clock, pause) != nil {
			return
		}
	}
}

// send delivers one notice by one way, within the time for that.
func (b *Board) send(ctx context.Context, w *way, n *Notice) (string, error) {
	ctx, cancel := clock.WithTimeout(ctx, b.o.Clock, b.o.Timeout)
	defer cancel()
	return w.Send(ctx, n)
}

// next returns what a way tries next: what was refused the least, and of these the oldest. So the order is kept while a way is down, and a notice that nobody takes holds up no other. What is too old is dropped.
func (b *Board) next(w *way) (best *waiting) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.o.Clock.Now()
	for _, x := range slices.Clone(b.waiting) {
		if now.Sub(x.At) >= b.o.Keep {
			b.drop(x, "it is too old")
			continue
		}
		if slices.Contains(x.Ways, w.name) && (best == nil || x.refused[w.name] < best.refused[w.name]) {
			best = x
		}
	}
	return best
}

// sent notes what came of a delivery, and returns how long to pause if it failed.
func (b *Board) sent(w *way, x *waiting, said string, err error) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		if _, is := errors.AsType[*Refusal](err); is {
			if x.refused == nil {
				x.refused = map[string]int{}
			}
			x.refused[w.name]++
		}
		if w.failures == 0 {
			w.since = b.o.Clock.Now()
			b.o.Log.Error("a notice could not be delivered; it is tried again", "way", w.name, "notice", x.Title, "err", err)
		}
		w.failures, w.err = w.failures+1, err
		return min(b.o.RetryMax, b.o.Retry<<min(w.failures-1, 20))
	}
	w.failures, w.err = 0, nil
	b.o.Log.Info("a notice was delivered", "way", w.name, "what", x.What, "notice", x.Title, "said", said)
	x.Got = true
	x.Ways = slices.DeleteFunc(x.Ways, func(name string) bool { return name == w.name })
	if len(x.Ways) == 0 {
		b.waiting = slices.DeleteFunc(b.waiting, func(y *waiting) bool { return y == x })
	}
	b.unsaved = true
	return 0
}

// drop gives a notice up. If it reached nobody, and what it tells of is so still, that is told anew: nobody must be left out because nobody could be reached for too long. The lock is held.
func (b *Board) drop(x *waiting, why string) {
	b.o.Log.Error("a notice was never delivered and is dropped: "+why, "ways", x.Ways, "what", x.What, "notice", x.Title, "at", x.At)
	b.waiting = slices.DeleteFunc(b.waiting, func(y *waiting) bool { return y == x })
	b.unsaved = true
	b.untold(x)
}

// WayState is how a way fares.
type WayState struct {
	Name     string     `json:"name"`
	Waiting  int        `json:"waiting"`
	Failures int        `json:"failures"` // in a row
	Since    *time.Time `json:"since,omitempty"`
	Error    string     `json:"error,omitempty"`
}

// Ways tells how each way fares.
func (b *Board) Ways() []WayState {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := []WayState{}
	for _, w := range b.ways {
		s := WayState{Name: w.name, Failures: w.failures}
		for _, x := range b.waiting {
			if slices.Contains(x.Ways, w.name) {
				s.Waiting++
			}
		}
		if w.err != nil {
			since := w.since.UTC().Truncate(time.Second)
			s.Since, s.Error = &since, clip(w.err.Error(), maxText)
		}
		out = append(out, s)
	}
	return out
}

// Outcome is what came of a test of one way.
type Outcome struct {
	Way   string `json:"way"`
	OK    bool   `json:"ok"`
	Said  string `json:"said"` // by whoever took it
	Error string `json:"error,omitempty"`
}

// Test sends a notice by every way, now and once, and says what came of each.
func (b *Board) Test(ctx context.Context) []Outcome {
	_, out := b.tellNow(ctx, Test, Condition{Key: "test", Severity: Info, Since: b.o.Clock.Now(),
		Title: "This is a test of the notices", Text: "Nothing is wrong. Somebody asked with `holdfast notice test` whether notices reach you, and this one did."})
	return out
}

// Tell tells of a condition by every way, now and once, and says what came of each. The board does not remember it: that is for who ends at once, and says it to the next one by [Board.Resume].
func (b *Board) Tell(ctx context.Context, c Condition) (thread holdfast.ID, out []Outcome) {
	return b.tellNow(ctx, Begins, c)
}

func (b *Board) tellNow(ctx context.Context, what string, c Condition) (holdfast.ID, []Outcome) {
	id := holdfast.NewID(nil)
	n := Notice{ID: id, Thread: id, What: what, At: b.o.Clock.Now().UTC().Truncate(time.Second), Server: b.o.Server, Condition: c.tidy()}
	out := make([]Outcome, len(b.ways))
	var all sync.WaitGroup
	for i, w := range b.ways {
		all.Go(func() {
			said, err := b.send(ctx, w, &n)
			out[i] = Outcome{Way: w.name, OK: err == nil, Said: said}
			if err != nil {
				out[i].Error = clip(err.Error(), maxText)
			}
		})
	}
	all.Wait()
	return id, out
}
