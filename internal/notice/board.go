package notice

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/vfs"
)

// Options wire a board. Zero values mean the defaults.
type Options struct {
	File   string // where it remembers
	FS     vfs.FS
	Clock  clock.Clock
	Log    *slog.Logger
	Server string // which server it is, for people
	Ways   []Way

	Quiet    time.Duration // a condition is over after it was absent for so long, unless it is sure; default 5 min
	Again    time.Duration // between two notices that the same condition got worse, unless its severity or grade rose; default 15 min
	Timeout  time.Duration // for one delivery; default 30 s
	Retry    time.Duration // after a delivery failed, doubled by each further one; default 5 s
	RetryMax time.Duration // default 10 min
	Keep     time.Duration // how long a notice is tried to be delivered; default 72 h
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.OS
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	for _, d := range []struct {
		p *time.Duration
		v time.Duration
	}{{&o.Quiet, 5 * time.Minute}, {&o.Again, 15 * time.Minute}, {&o.Timeout, 30 * time.Second}, {&o.Retry, 5 * time.Second}, {&o.RetryMax, 10 * time.Minute}, {&o.Keep, 72 * time.Hour}} {
		*d.p = cmp.Or(*d.p, d.v)
	}
	return o
}

// Bounds of what a board remembers.
const (
	maxOpen    = 200
	maxWaiting = 200
)

// Open is a condition that is open.
type Open struct {
	Condition
	Thread  holdfast.ID `json:"thread"`
	Told    *Told       `json:"told,omitempty"`   // nil: nobody yet, for want of a way
	Absent  *time.Time  `json:"absent,omitempty"` // since when it is no longer found
	Noticed time.Time   `json:"noticed"`
}

// Told is the worst that was told of a condition.
type Told struct {
	At       time.Time `json:"at"`
	Severity Severity  `json:"severity"`
	Grade    int       `json:"grade"`
	Measure  float64   `json:"measure"`
}

// Board remembers which conditions are open, and delivers what is new about them. Its methods may be called from many goroutines.
type Board struct {
	o Options

	mu      sync.Mutex
	open    map[string]*Open
	waiting []*waiting
	ways    []*way
	unsaved bool // what is in the file is older than what is here
	failing bool // the last try to write it failed: said once

	saving sync.Mutex
}

// New returns a board that goes on from its file. One that cannot be read is begun anew, which is said: what was told may then be told again.
func New(o Options) *Board {
	b := &Board{o: o.withDefaults(), open: map[string]*Open{}}
	for _, w := range o.Ways {
		b.ways = append(b.ways, newWay(w))
	}
	b.load()
	return b
}

// Look is told what is wrong now, all of it. It makes notices of what is new, and has them written down before anybody is told; where that fails they are told all the same.
func (b *Board) Look(found []Condition) {
	b.mu.Lock()
	now := b.o.Clock.Now().UTC()
	seen := map[string]bool{}
	for _, c := range found {
		c = c.tidy()
		if seen[c.Key] {
			continue
		}
		seen[c.Key] = true
		b.found(c, now)
	}
	for key, o := range b.open {
		if !seen[key] {
			b.absent(o, now)
		}
	}
	b.mu.Unlock()
	b.save()
	b.wake()
}

// found judges a condition that is there. The lock is held.
func (b *Board) found(c Condition, now time.Time) {
	o := b.open[c.Key]
	if o == nil {
		if len(b.open) >= maxOpen {
			b.o.Log.Error("too much is wrong to remember it all; this is told to the log alone", "condition", c.Key, "title", c.Title)
			return
		}
		if c.Since.IsZero() {
			c.Since = now.Truncate(time.Second)
		}
		o = &Open{Condition: c, Noticed: now}
		b.open[c.Key], b.unsaved = o, true
		b.o.Log.Log(context.Background(), level(c.Severity), c.Title, "condition", c.Key, "severity", c.Severity, "text", c.Text)
	}
	since := o.Since
	if o.Absent != nil || o.Severity != c.Severity || o.Grade != c.Grade {
		b.unsaved = true
	}
	o.Condition, o.Absent = c, nil
	o.Since = since
	b.tell(o, now)
}

// Resume takes up a condition of which people were told by [Board.Tell]: it is over once it is no longer found.
func (b *Board) Resume(c Condition, thread holdfast.ID, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c = c.tidy()
	if b.open[c.Key] == nil && len(b.open) < maxOpen {
		b.open[c.Key], b.unsaved = &Open{Condition: c, Thread: thread, Noticed: at, Told: &Told{at, c.Severity, c.Grade, c.Measure}}, true
	}
}

// tell makes a notice of a condition that is new, or worse than was told. The lock is held.
func (b *Board) tell(o *Open, now time.Time) {
	if len(b.ways) == 0 {
		return // it is told once there is a way
	}
	if o.Told == nil {
		o.Thread = holdfast.NewID(nil)
		o.Told = &Told{now, o.Severity, o.Grade, o.Measure}
		b.queue(o, Begins, o.Thread, now)
		return
	}
	t := o.Told
	if t.Measure <= 0 {
		t.Measure = o.Measure // it was not measured yet
	}
	rose := o.Severity.rank() > t.Severity.rank() || o.Grade > t.Grade
	grew := t.Measure > 0 && o.Measure >= 2*t.Measure && (now.Sub(t.At) >= b.o.Again || t.At.After(now)) // a clock was put back
	if !rose && !grew {
		return
	}
	t.At, t.Grade, t.Measure = now, max(t.Grade, o.Grade), max(t.Measure, o.Measure)
	if o.Severity.rank() > t.Severity.rank() {
		t.Severity = o.Severity
	}
	b.queue(o, Worse, holdfast.NewID(nil), now)
}

// absent judges a condition that is not there. The lock is held.
func (b *Board) absent(o *Open, now time.Time) {
	if o.Absent == nil || o.Absent.After(now) {
		o.Absent, b.unsaved = &now, true
	}
	if !o.Sure && now.Sub(*o.Absent) < b.o.Quiet {
		return
	}
	delete(b.open, o.Key)
	b.unsaved = true
	b.o.Log.Info("over: "+o.Title, "condition", o.Key, "since", o.Since)
	if o.Told != nil {
		b.queue(o, Over, holdfast.NewID(nil), now)
	}
}

// queue has a notice delivered by every way. The lock is held.
func (b *Board) queue(o *Open, what string, id holdfast.ID, now time.Time) {
	n := Notice{ID: id, Thread: o.Thread, What: what, At: now.Truncate(time.Second), Server: b.o.Server, Condition: o.Condition}
	w := &waiting{Notice: n}
	for _, way := range b.ways {
		w.Ways = append(w.Ways, way.name)
	}
	if len(w.Ways) == 0 {
		return
	}
	b.unsaved = true
	b.waiting = append(b.waiting, w)
	for len(b.waiting) > maxWaiting {
		b.drop(b.least(), "too many wait")
	}
}

// least returns what people miss least of what waits: the oldest of a condition that is over, or of which something newer waits; else the oldest of all. The lock is held.
func (b *Board) least() *waiting {
	for i, x := range b.waiting {
		newer := func(y *waiting) bool { return y.Thread == x.Thread }
		if o := b.open[x.Key]; o == nil || o.Thread != x.Thread || slices.ContainsFunc(b.waiting[i+1:], newer) {
			return x
		}
	}
	return b.waiting[0]
}

// untold has a condition that is open told anew, where what was to tell of it reached nobody and is given up. The lock is held.
func (b *Board) untold(x *waiting) {
	newer := func(y *waiting) bool { return y.Thread == x.Thread && y != x }
	if o := b.open[x.Key]; o != nil && o.Thread == x.Thread && !x.Got && !slices.ContainsFunc(b.waiting, newer) {
		o.Told, b.unsaved = nil, true
	}
}

// Conditions returns what is open, the worst first.
func (b *Board) Conditions() []Open {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]Open, 0, len(b.open))
	for _, o := range b.open {
		out = append(out, *o)
	}
	slices.SortFunc(out, func(x, y Open) int {
		return cmp.Or(cmp.Compare(y.Severity.rank(), x.Severity.rank()), x.Since.Compare(y.Since), cmp.Compare(x.Key, y.Key))
	})
	return out
}

// level is how loud a condition is in the log.
func level(s Severity) slog.Level {
	switch s {
	case Info:
		return slog.LevelInfo
	case Warning:
		return slog.LevelWarn
	}
	return slog.LevelError
}
