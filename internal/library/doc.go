// Package library shows the photos and films of people by when, where and with what they were taken.
//
// What it keeps is derived of the store: a database and thumbnails in a directory of its own. It can be deleted at any time and is made anew; no vault has it, and nobody who stores something waits for it. What people decide (which
// folders are of photos, favourites, albums) is the core's.
//
// Three kinds of work run behind the service. The follower keeps the index equal to what the store shows. The reader reads what new photos say of themselves. Workers have thumbnails made by processes that may do nothing else. The queue
// between them lies in the database: a kill at any moment loses work, and no photo.
package library

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/photo"
	"holdfast/internal/photo/decode"
)

// Decoder makes thumbnails, as [decode.Pool] does.
type Decoder interface {
	Thumbs(ctx context.Context, r io.ReaderAt, size int64, info photo.Info) (*decode.Thumbs, error)
}

// Resting is a decoder that keeps something while it has no work, and can let go of it.
type Resting interface{ Rest() }

// Options wire a library. Zero values mean the defaults.
type Options struct {
	Dir     string      // of its own; everything in it may be removed
	Store   holdfast.ID // what it follows: an index of another store is made anew
	Core    *core.Service
	Decoder Decoder // nil: no thumbnails are made
	Films   bool    // the decoder makes posters of films
	Workers int     // thumbnails that are made at the same time; default 2
	Clock   clock.Clock
	Log     *slog.Logger
	Busy    func() bool // people are being served: workers step back. nil: never
	Reserve int64       // octets that thumbnails leave free on their disk; 0: none
	// Copies are the copies of an account's data, the engine first. nil: what is safe is not known.
	Copies func(context.Context, holdfast.ID) ([]Copy, error)
	// Patience is how long a question waits for the index to have what was just stored; default 1 s.
	Patience time.Duration
	// Every is how often it is looked for what nobody told of, and each 24th time for thumbnails that nobody can see any more; default 1 h.
	Every time.Duration
}

// Library is the photos of all accounts of a store. All methods may be called from many goroutines.
type Library struct {
	o Options

	mu    sync.RWMutex // held for writing while the index is made anew
	index *index
	made  int // how often it was made anew

	moved   signal // something was indexed
	queued  signal // something waits to be read or decoded
	lost    atomic.Bool
	running atomic.Bool
	short   atomic.Bool  // of room for thumbnails
	worked  atomic.Int64 // when a thumbnail was made last, in Unix seconds

	jobs jobs
}

// Open opens the index in its directory. One that cannot be read, or is of another store or another version, is made anew. The lease of the data directory is held.
func Open(o Options) (*Library, error) {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	def(&o.Workers, 2)
	def(&o.Patience, time.Second)
	def(&o.Every, time.Hour)
	x, anew, err := openIndex(o.Dir, o.Store)
	if err != nil {
		return nil, err
	}
	l := &Library{o: o, index: x}
	l.moved.init()
	l.queued.init()
	l.jobs.init()
	if anew != "" {
		o.Log.Info("the index of photos is made anew", "why", anew)
	}
	if o.Films {
		err = l.write(context.Background(), func(c *conn) error {
			return c.exec("UPDATE content SET state = ? WHERE state = ?", stateRead, stateNoFilms)
		})
	}
	if err != nil {
		x.close()
		return nil, err
	}
	return l, nil
}

func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// Run keeps the index equal to the store, and has thumbnails made, until ctx ends.
func (l *Library) Run(ctx context.Context) {
	l.running.Store(true)
	defer l.running.Store(false)
	var all sync.WaitGroup
	all.Go(func() { l.follow(ctx) })
	all.Go(func() { l.readAll(ctx) })
	all.Go(func() { l.sweep(ctx) })
	if l.o.Decoder != nil {
		for range l.o.Workers {
			all.Go(func() { l.work(ctx) })
		}
	}
	all.Wait()
}

// Close lets go of the index. Run has returned.
func (l *Library) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.index == nil {
		return nil
	}
	return l.index.close()
}

// signal wakes all who wait for something to happen.
type signal struct {
	mu sync.Mutex
	c  chan struct{}
}

func (s *signal) init() { s.c = make(chan struct{}) }

// next returns what is closed when it happens next.
func (s *signal) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.c
}

func (s *signal) happen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.c)
	s.c = make(chan struct{})
}

// await returns when c is closed, after a while, or with ctx's cause.
func (l *Library) await(ctx context.Context, c <-chan struct{}, while time.Duration) error {
	t := l.o.Clock.NewTimer(while)
	defer t.Stop()
	select {
	case <-c:
	case <-t.C():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

func fail(op string, kind holdfast.ErrorKind, ref, text string) error {
	return &holdfast.Error{Op: "library." + op, Kind: kind, Ref: ref, Text: text}
}

// trouble logs what kept the library from its work, which is tried again; what ended because the service ends is none.
func (l *Library) trouble(ctx context.Context, what string, err error, args ...any) {
	if err == nil || ctx.Err() != nil || errors.Is(err, decode.ErrClosed) {
		return
	}
	l.o.Log.Warn(what, append(args, "err", err)...)
}
