// Package fallback is a store of blobs behind which others have them too: what its own store lacks, or has damaged, is read from a vault, and put back.
//
// Who opens such a blob waits for a moment until it is back, and reads it then from the store. Where that takes longer (a film over a slow line) or cannot be done (the disk is full), he reads it from the vault meanwhile.
package fallback

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/clock"
)

// Options wire a Store. Zero values mean the defaults.
type Options struct {
	Store  blob.Store // the own one
	Origin Origin     // who has blobs besides
	Clock  clock.Clock
	Log    *slog.Logger

	Patience time.Duration // how long who opens a blob waits until it is back in the store; default 5 s
	Mends    int           // blobs that are put back at once; default 2
	Waiting  int           // more that wait for that; default 256
	Direct   int           // blobs that are read from an origin at once, meanwhile; default 32
}

// Origin is who has blobs besides the store. Its methods may be called from many goroutines.
type Origin interface {
	// Blob returns the blob that some change of an account names; ok is false where none does: what nobody needs is not brought back.
	Blob(ctx context.Context, account holdfast.ID, h holdfast.Hash) (b holdfast.Blob, ok bool, err error)
	// Read hands fn a blob's octets as a stream that ends in an error where they do not have their hash, and where they are from. fn is called again, from the beginning, where somebody else may have them whole.
	// Errors: NotFound (nobody has it), Corrupt (nobody has it whole), Unavailable (somebody who may have it cannot be reached), those of fn.
	Read(ctx context.Context, account holdfast.ID, b holdfast.Blob, fn func(r io.Reader, from string) error) error
	// Open opens a blob for reading any part of it. ctx is that of all reads. Errors: those of Read.
	Open(ctx context.Context, account holdfast.ID, b holdfast.Blob) (blob.File, error)
}

// Store is a store with others behind it. [blob.Store.Stat], List, Accounts and Verify are of the own store alone.
type Store struct {
	blob.Store
	o      Options
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	slots  chan struct{} // holds one for each blob that is being put back
	direct chan struct{} // likewise for each that is read from an origin

	mu    sync.Mutex
	locks map[key]*lock
	mends map[key]*mend
	work  sync.WaitGroup

	mended, octets, failed atomic.Int64
}

type key struct {
	account holdfast.ID
	hash    holdfast.Hash
}

// New returns a store over another. Close closes both.
func New(o Options) *Store {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	def(&o.Patience, 5*time.Second)
	def(&o.Mends, 2)
	def(&o.Waiting, 256)
	def(&o.Direct, 32)
	s := &Store{Store: o.Store, o: o, locks: map[key]*lock{}, mends: map[key]*mend{}, slots: make(chan struct{}, o.Mends), direct: make(chan struct{}, o.Direct)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// Stats counts since the start, and what is under way.
type Stats struct {
	Mended int64 // blobs that were put back
	Octets int64 // of those
	Failed int64 // tries to put one back that failed
	Mends  int   // blobs that are being put back, or wait for that, now
}

// Stats returns what was done since the start.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{s.mended.Load(), s.octets.Load(), s.failed.Load(), len(s.mends)}
}

// Close implements [blob.Store]. What is being put back is given up: the next who opens it begins anew.
func (s *Store) Close() error {
	s.mu.Lock()
	s.cancel()
	s.mu.Unlock()
	s.work.Wait()
	return s.Store.Close()
}

// Stage implements [blob.Store].
func (s *Store) Stage(ctx context.Context, account holdfast.ID, r io.Reader, limit int64) (blob.Staged, error) {
	x, err := s.Store.Stage(ctx, account, r, limit)
	if err != nil {
		return nil, err
	}
	return &staged{x, s, key{account, x.Blob().Hash}}, nil
}

// staged is kept while nobody puts the same blob back.
type staged struct {
	blob.Staged
	s  *Store
	at key
}

// Keep implements [blob.Staged].
func (x *staged) Keep(ctx context.Context) error {
	unlock, err := x.s.lock(ctx, x.at)
	if err != nil {
		return err
	}
	defer unlock()
	return x.Staged.Keep(ctx)
}

// Remove implements [blob.Store].
func (s *Store) Remove(ctx context.Context, account holdfast.ID, h holdfast.Hash) error {
	unlock, err := s.lock(ctx, key{account, h})
	if err != nil {
		return err
	}
	defer unlock()
	return s.Store.Remove(ctx, account, h)
}

// lock is of who makes or removes a blob: its owners keep apart, but do not know of who puts it back.
type lock struct {
	turn chan struct{} // holds one while somebody has it
	refs int
}

func (s *Store) lock(ctx context.Context, at key) (unlock func(), err error) {
	s.mu.Lock()
	l := s.locks[at]
	if l == nil {
		l = &lock{turn: make(chan struct{}, 1)}
		s.locks[at] = l
	}
	l.refs++
	s.mu.Unlock()
	leave := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if l.refs--; l.refs == 0 {
			delete(s.locks, at)
		}
	}
	select {
	case l.turn <- struct{}{}:
		return func() { <-l.turn; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, context.Cause(ctx)
	}
}
