package sqlite

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"

	"holdfast"
	"holdfast/internal/store"
)

var errEnough = errors.New("enough")

// After implements [store.Outbox].
func (e *Engine) After(ctx context.Context, batch uint64, limit int, fn func(*holdfast.Batch) error) error {
	snap, err := e.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer snap.Close()
	return snap.(*snapshot).after(batch, limit, fn)
}

func (s *snapshot) after(batch uint64, limit int, fn func(*holdfast.Batch) error) error {
	lsn, at := int64(0), holdfast.Position{Batch: batch}
	if batch > 0 {
		found, err := s.one(qBatch, func(x Stmt) { at.Hash, lsn = s.c.hash(x, 0), x.Int(1) }, batch)
		if err == nil && !found {
			err = store.Err("After", holdfast.NotFound, "", "the store's stream has no such batch")
		}
		if err != nil {
			return err
		}
	}
	f := &following{s: s, at: at, limit: limit, fn: fn, chains: map[int64]holdfast.Hash{}}
	err := s.read(qOutbox, f.row, lsn)
	if err == nil {
		err = f.end()
	}
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// following hands out the stream from the rows of the journal.
type following struct {
	s      *snapshot
	at     holdfast.Position
	now    *holdfast.Batch
	n      int
	limit  int
	fn     func(*holdfast.Batch) error
	chains map[int64]holdfast.Hash
}

func (f *following) row(r Stmt) error {
	s := f.s
	account, err := s.accountID(r.Int(0))
	if err != nil {
		return err
	}
	if account.IsZero() {
		return nil // of an account that is being erased
	}
	x := scanChange(s.c, r, account)
	if f.now == nil || x.batch != f.now.Batch {
		if err := f.begin(x.batch); err != nil {
			return err
		}
	}
	f.n++
	if err := s.finish(x, store.WithBody|store.WithProps); err != nil {
		return err
	}
	var known bool
	if x.change.Before, known = f.chains[r.Int(0)]; !known && x.change.Seq > 1 {
		if _, err := s.one(qHeadAt, func(h Stmt) { x.change.Before = s.c.hash(h, 1) }, r.Int(0), x.change.Seq-1); err != nil {
			return err
		}
	}
	f.chains[r.Int(0)] = x.change.Chain
	f.now.Changes = append(f.now.Changes, *x.change)
	return nil
}

// begin hands on the batch that ended, and those before the next one of which nothing is left.
func (f *following) begin(batch uint64) error {
	if err := f.give(); err != nil {
		return err
	}
	if err := f.empty(batch); err != nil {
		return err
	}
	f.now = &holdfast.Batch{Position: holdfast.Position{Batch: batch}, Prev: f.at.Hash}
	_, err := f.s.one(qBatch, func(b Stmt) { f.now.Hash = f.s.c.hash(b, 0) }, batch)
	if err == nil {
		f.now.Redacted, err = f.s.one(qBatchErased, func(Stmt) {}, batch)
	}
	return err
}

func (f *following) give() error {
	if f.now == nil {
		return nil
	}
	b := f.now
	f.at, f.now = b.Position, nil
	if err := f.fn(b); err != nil {
		return err
	}
	if f.limit > 0 && f.n >= f.limit {
		return errEnough
	}
	return nil
}

// empty hands out batches below one whose accounts were all erased.
func (f *following) empty(below uint64) error {
	if below == f.at.Batch+1 {
		return nil
	}
	var list []*holdfast.Batch
	if err := f.s.read(qBatchesBetween, func(b Stmt) error {
		list = append(list, &holdfast.Batch{Position: holdfast.Position{Batch: uint64(b.Int(0)), Hash: f.s.c.hash(b, 1)}, Redacted: true})
		return nil
	}, f.at.Batch, below); err != nil {
		return err
	}
	for _, b := range list {
		b.Prev = f.at.Hash
		f.n++
		f.now = b
		if err := f.give(); err != nil {
			return err
		}
	}
	return nil
}

func (f *following) end() error {
	if err := f.give(); err != nil {
		return err
	}
	return f.empty(math.MaxInt64)
}

// Position implements [store.Outbox].
func (e *Engine) Position() store.Position { return *e.batch.Load() }

// HashAt implements [store.Outbox].
func (e *Engine) HashAt(ctx context.Context, batch uint64) (hash holdfast.Hash, ok bool, err error) {
	if batch == 0 {
		return hash, true, nil
	}
	snap, err := e.Snapshot(ctx)
	if err != nil {
		return hash, false, err
	}
	defer snap.Close()
	s := snap.(*snapshot)
	ok, err = s.one(qBatch, func(x Stmt) { hash = s.c.hash(x, 0) }, batch)
	return hash, ok, err
}

// Behind implements [store.Outbox].
func (e *Engine) Behind(ctx context.Context, batch uint64) (changes, octets int64, err error) {
	snap, err := e.Snapshot(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer snap.Close()
	s := snap.(*snapshot)
	lsn, last := int64(0), int64(0)
	if batch > 0 {
		found, err := s.one(qBatch, func(x Stmt) { lsn = x.Int(1) }, batch)
		if err == nil && !found {
			err = store.Err("Behind", holdfast.NotFound, "", "the store's stream has no such batch")
		}
		if err != nil {
			return 0, 0, err
		}
	}
	if _, err = s.one(qLastBatch, func(x Stmt) { last = x.Int(2) }); err != nil || last <= lsn {
		return 0, 0, err
	}
	counted := int64(0)
	if _, err = s.one(qBehind, func(x Stmt) { counted, octets = x.Int(0), x.Int(1) }, lsn); err != nil || counted == 0 {
		return 0, 0, err
	}
	if changes = counted; counted == maxBehind && last-lsn > counted {
		changes = last - lsn
		octets = int64(float64(octets) / float64(counted) * float64(changes))
	}
	return changes, octets, nil
}

// maxBehind is how many changes Behind looks at, as its query says.
const maxBehind = 100_000

// feeds are those who follow the stream.
type feeds struct {
	n  atomic.Int32
	mu sync.Mutex
	to map[chan *holdfast.Batch]struct{}
}

func (f *feeds) followed() bool { return f.n.Load() > 0 }

// hand gives a batch to all who follow. Who has no room misses it.
func (f *feeds) hand(b *holdfast.Batch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.to {
		select {
		case c <- b:
		default:
		}
	}
}

// Follow implements [store.Outbox].
func (e *Engine) Follow(depth int) (<-chan *holdfast.Batch, func()) {
	f := &e.feeds
	c := make(chan *holdfast.Batch, depth)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.to == nil {
		f.to = map[chan *holdfast.Batch]struct{}{}
	}
	f.to[c] = struct{}{}
	f.n.Store(int32(len(f.to)))
	return c, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.to, c)
		f.n.Store(int32(len(f.to)))
	}
}
