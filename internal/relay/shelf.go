package relay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/vault"
)

// Bounds of what is done with blobs in one vault at once, and of what is remembered of them.
const (
	putsAtOnce = 4    // that somebody waits for; as many again that the worker ships
	maxPuts    = 1000 // under way or waiting for their turn
	maxShelved = 8192 // that are known to be there
	maxMissing = 1000 // that are known by name to be missing
	lentAtOnce = 8    // that other vaults are given out of this one
)

// blobKey names one blob.
type blobKey struct {
	account holdfast.ID
	holdfast.Blob
}

// shelf is where one vault's blobs go: who wants one there puts it through the vault that the worker has open, each once at a time.
type shelf struct {
	w     *worker
	slots chan struct{} // holds one for each that somebody waits for
	own   chan struct{} // likewise for each that the worker ships: nobody's film keeps it waiting
	lent  chan struct{} // likewise for each that is read for another vault

	moved atomic.Int64 // octets that were read on their way there

	mu      sync.Mutex
	turn    *turn // nil: the vault is not open
	puts    map[blobKey]*put
	had     map[blobKey]struct{} // put or found there in this turn
	order   []blobKey            // of had, in a ring
	oldest  int
	age     int                // how often all of had was forgotten
	missing map[blobKey]string // what batches that were shipped name and the vault lacks, and why
	more    int64              // likewise, not by name
	fault   string             // why the last one could not be put; empty: it could
	failed  time.Time          // when that was
}

// turn is a vault that is open, for those who use it beside the appends.
type turn struct {
	ctx  context.Context // ends with it
	v    *vault.Vault
	used sync.WaitGroup
}

// put is a blob that is on its way into the vault.
type put struct {
	key    blobKey
	cancel context.CancelFunc
	at     atomic.Int64 // how far it was read
	moved  atomic.Int64
	done   chan struct{}
	err    error // once done is closed
	age    int   // of the shelf, when it began
	users  int   // who wants it; where nobody does any more it ends
	told   []chan<- struct{}
}

func newShelf(w *worker) *shelf {
	return &shelf{w: w, slots: make(chan struct{}, putsAtOnce), own: make(chan struct{}, putsAtOnce), lent: make(chan struct{}, lentAtOnce), puts: map[blobKey]*put{}, had: map[blobKey]struct{}{}, missing: map[blobKey]string{}}
}

// open lets others use the vault that the worker has open, until close: that ends what they do, and waits for it.
func (s *shelf) open(ctx context.Context, v *vault.Vault) (closed func()) {
	ctx, cancel := context.WithCancel(ctx)
	t := &turn{ctx: ctx, v: v}
	s.mu.Lock()
	s.turn = t
	clear(s.had)
	s.order, s.oldest = nil, 0
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		s.turn = nil
		s.mu.Unlock()
		cancel()
		t.used.Wait()
	}
}

// borrow returns the open vault, which stays so until it is given back. Errors: Unavailable.
func (s *shelf) borrow() (t *turn, back func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turn == nil {
		return nil, nil, fail("Blob", holdfast.Unavailable, s.w.a.Name, "the vault takes nothing now", nil)
	}
	t = s.turn
	t.used.Add(1)
	return t, t.used.Done, nil
}

// has tells whether a blob is known to be there.
func (s *shelf) has(k blobKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.had[k]
	return ok
}

// note remembers that a blob is there. The lock is held.
func (s *shelf) note(k blobKey) {
	delete(s.missing, k)
	if _, ok := s.had[k]; ok {
		return
	}
	s.had[k] = struct{}{}
	if len(s.order) < maxShelved {
		s.order = append(s.order, k)
		return
	}
	delete(s.had, s.order[s.oldest])
	s.order[s.oldest] = k
	s.oldest = (s.oldest + 1) % maxShelved
}

// join has a blob put there, or joins who does. tell gets a word, if there is room, once it is done. own: it is the worker itself. open opens its octets; nil: those of the store. Whoever joined leaves. Errors: Unavailable (the vault is not open, or too many are under way).
func (s *shelf) join(k blobKey, own bool, open blob.Opener, tell chan<- struct{}) (*put, error) {
	t, back, err := s.borrow()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.puts[k]
	if p != nil {
		back()
		p.users++
		p.told = append(p.told, tell)
		return p, nil
	}
	if len(s.puts) >= maxPuts && !own {
		back()
		return nil, fail("PutBlob", holdfast.Unavailable, s.w.a.Name, "too many files are on their way into the vault; try again later", nil)
	}
	ctx, cancel := context.WithCancel(t.ctx)
	p = &put{key: k, age: s.age, cancel: cancel, done: make(chan struct{}), users: 1, told: []chan<- struct{}{tell}}
	s.puts[k] = p
	go func() {
		defer back()
		defer cancel()
		s.end(k, p, s.put(ctx, t.v, k, p, own, open))
	}()
	return p, nil
}

// leave ends a put that nobody wants any more. keep: it is wanted, also by nobody.
func (s *shelf) leave(p *put, keep bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if keep {
		return
	}
	if p.users--; p.users == 0 {
		p.cancel()
		s.forget(p)
	}
}

// forget lets nobody join a put any more. The lock is held.
func (s *shelf) forget(p *put) {
	if s.puts[p.key] == p {
		delete(s.puts, p.key)
	}
}

func (s *shelf) end(k blobKey, p *put, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(p)
	if p.err = err; err == nil {
		if p.age == s.age { // what was there when it began may be gone
			s.note(k)
		}
		s.fault = ""
	} else if s.turn != nil && !errors.Is(err, context.Canceled) {
		s.fault, s.failed = text(err), s.w.r.o.Clock.Now()
	}
	close(p.done)
	for _, c := range p.told {
		select {
		case c <- struct{}{}:
		default: // it looks already
		}
	}
}

// put puts a blob into the vault once it is its turn: out of the store, or, where the store lacks it or has it damaged, out of another vault. Errors: those of the vault, *lacks.
func (s *shelf) put(ctx context.Context, v *vault.Vault, k blobKey, p *put, own bool, open blob.Opener) error {
	slots := s.slots
	if own {
		slots = s.own
	}
	if open == nil {
		open = func(ctx context.Context) (blob.File, error) { return s.w.r.openBlob(ctx, k) }
	}
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		return fail("PutBlob", holdfast.Unavailable, s.w.a.Name, "the vault was closed before the file was there", context.Cause(ctx))
	}
	return s.w.r.outOfAny(ctx, s.w.a.Name, k, func() (blob.File, error) { return open(ctx) }, func(open opener) (err, src error) {
		count := func(at, n int64) {
			s.moved.Add(n)
			p.moved.Add(n)
			p.at.Store(at + n)
		}
		return sending(ctx, k, open, count, func(open opener) error { return v.PutBlob(ctx, k.account, k.Blob, open) })
	})
}

// lacks says that the octets of a blob are nowhere to be had now, and what the store says of them. Where a vault that may have them is away, it is Unavailable, and says when to try again.
type lacks struct {
	error
	away []string // vaults that may have them
}

func (l *lacks) Unwrap() error { return l.error }

// opener opens the octets of a blob.
type opener = func() (blob.File, error)

// outOfAny has send put a blob into a vault: out of the store, which own opens, or, where that lacks it or has it damaged, out of another vault. send's src is what was wrong with what it was given, and not with the vault. Errors: send's, *lacks.
func (r *Relay) outOfAny(ctx context.Context, into string, k blobKey, own opener, send func(opener) (err, src error)) error {
	err, src := send(own)
	if !holdfast.IsKind(src, holdfast.NotFound) && !holdfast.IsKind(src, holdfast.Corrupt) {
		return err
	}
	l := &lacks{error: src}
	for _, other := range r.besides(into) {
		err, bad := send(func() (blob.File, error) { return other.shelf.read(ctx, k) })
		if bad == nil || ctx.Err() != nil {
			return err
		}
		if !holdfast.IsKind(bad, holdfast.NotFound) && !holdfast.IsKind(bad, holdfast.Corrupt) {
			l.away = append(l.away, other.a.Name)
		}
	}
	if len(l.away) > 0 {
		l.error = &holdfast.Error{Op: "relay.PutBlob", Kind: holdfast.Unavailable, Ref: k.Hash.String(), Text: mayHave(l.away) + ", and the store has it not whole: " + text(src), Retry: r.o.Retry, Err: src}
	}
	return l
}

// mayHave says of vaults that are away that they may have something.
func mayHave(away []string) string {
	if len(away) == 1 {
		return fmt.Sprintf("the vault %q is away and may have it", away[0])
	}
	return fmt.Sprintf("the vaults %q are away and may have it", away)
}

// besides returns who else may have octets that the store lacks.
func (r *Relay) besides(into string) (out []*worker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range r.order {
		if other := r.workers[name]; name != into && !other.a.ledger() {
			out = append(out, other)
		}
	}
	return out
}

// sending has do put a blob that open opens, and tells a fault of that from one of the vault.
func sending(ctx context.Context, k blobKey, open opener, count func(at, n int64), do func(opener) error) (err, src error) {
	var file *source
	err = do(func() (blob.File, error) {
		f, err := open()
		if err == nil && f.Size() != k.Size {
			f.Close()
			err = fail("PutBlob", holdfast.Corrupt, k.Hash.String(), "what is there of it has another number of octets than its change says", nil)
		}
		if src = err; err != nil {
			return nil, err
		}
		file = &source{File: f, count: count}
		return file, nil
	})
	if file != nil {
		src = file.failed()
	}
	if err == nil || ctx.Err() != nil {
		src = nil
	}
	return err, src
}

// source counts what is read of a file on its way into a vault, and remembers an error of it: that is not the vault's.
type source struct {
	blob.File
	count func(at, n int64) // nil: nobody counts

	mu  sync.Mutex
	err error
}

// ReadAt implements [io.ReaderAt].
func (s *source) ReadAt(p []byte, at int64) (int, error) {
	n, err := s.File.ReadAt(p, at)
	if s.count != nil {
		s.count(at, int64(n))
	}
	if err != nil && n < len(p) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.err = err
	}
	return n, err
}

func (s *source) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// read opens a blob in this vault, for another one.
func (s *shelf) read(ctx context.Context, k blobKey) (blob.File, error) {
	t, back, err := s.borrow()
	if err != nil {
		return nil, err
	}
	both, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(t.ctx, cancel)
	f := &loan{back: func() { stop(); cancel(); back() }}
	select {
	case s.lent <- struct{}{}:
		f.back = func() { stop(); cancel(); <-s.lent; back() }
	case <-both.Done():
		f.back()
		return nil, context.Cause(both)
	}
	x, err := t.v.OpenBlob(both, k.account, k.Blob)
	if err != nil {
		f.back()
		return nil, err
	}
	f.Checked = blob.NewChecked(x, k.Blob)
	return f, nil
}

// loan is a blob that is read out of another vault.
type loan struct {
	*blob.Checked
	once sync.Once
	back func()
}

// Close gives the vault back.
func (l *loan) Close() error {
	err := l.Checked.Close()
	l.once.Do(l.back)
	return err
}

// faultFor is for how long it is told that a blob could not be put: whoever sent it tries again, or it is as if it had not been.
const faultFor = time.Hour

// files tells how the blobs of the vault fare.
func (s *shelf) files() (f Files) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Missing = int64(len(s.missing)) + s.more
	if since := s.w.r.o.Clock.Now().Sub(s.failed); since >= 0 && since < faultFor {
		f.Fault = s.fault
	}
	for k, p := range s.puts {
		f.Moving, f.Octets, f.Of = f.Moving+1, f.Octets+p.at.Load(), f.Of+k.Size
	}
	return f
}
