package blob

import (
	"context"
	"io"
	"sync"

	"holdfast"
)

// Keeper keeps uploads and removals of one blob apart. What it has put is pinned: it stays until its pin is released, which its owner does once a change names it, or none ever will.
//
// Pins are this process's own. After a crash nobody holds what was put and is named by no change: the client was not told that it is there, and sends it again.
type Keeper struct {
	store Store

	mu   sync.Mutex
	held map[key]*hold
}

type key struct {
	account holdfast.ID
	hash    holdfast.Hash
}

// hold is what is known of one blob while somebody is about it.
type hold struct {
	turn chan struct{} // holds one while somebody has the lock
	pins int
	refs int // pins, and who has the lock or waits for it
}

// NewKeeper returns the keeper of a store. All who put and remove there go through it.
func NewKeeper(s Store) *Keeper { return &Keeper{store: s, held: map[key]*hold{}} }

// Open is that of the store.
func (k *Keeper) Open(ctx context.Context, account holdfast.ID, h holdfast.Hash) (File, error) {
	return k.store.Open(ctx, account, h)
}

// Stat is that of the store.
func (k *Keeper) Stat(ctx context.Context, account holdfast.ID, h holdfast.Hash) (Info, error) {
	return k.store.Stat(ctx, account, h)
}

// Verify is that of the store.
func (k *Keeper) Verify(ctx context.Context, account holdfast.ID, h holdfast.Hash) error {
	return k.store.Verify(ctx, account, h)
}

// List is that of the store.
func (k *Keeper) List(ctx context.Context, account holdfast.ID, after *holdfast.Hash, limit int, fn func(Info) error) error {
	return k.store.List(ctx, account, after, limit, fn)
}

// Accounts is that of the store.
func (k *Keeper) Accounts(ctx context.Context) ([]holdfast.ID, error) { return k.store.Accounts(ctx) }

// Pin holds a blob until it is released.
type Pin struct {
	holdfast.Blob
	once    sync.Once
	release func()
}

// Release lets go of the pin, once.
func (p *Pin) Release() { p.once.Do(p.release) }

// Put stores what r yields, at most limit octets, as a blob of the account, durably, and pins it. Errors: TooLarge, Full, Unavailable, and r's own.
func (k *Keeper) Put(ctx context.Context, account holdfast.ID, r io.Reader, limit int64) (*Pin, error) {
	s, err := k.store.Stage(ctx, account, r, limit)
	if err != nil {
		return nil, err
	}
	defer s.Drop()
	return k.keep(ctx, account, s)
}

// Opener opens the octets of a blob, as often as they are needed. ctx is that of all reads.
type Opener func(ctx context.Context) (File, error)

// Intake is who has a say in a blob that is put.
type Intake struct {
	// Wanted tells whether it is wanted still, now that its octets have come: where it refuses, nothing stays.
	Wanted func(b holdfast.Blob) error
	// Copy makes another copy, durably, as which it counts once nil was returned. open may be called for as long as somebody has the blob, also behind its end.
	Copy func(ctx context.Context, b holdfast.Blob, open Opener) error
}

// PutAndCopy is Put of what is wanted still, and has another copy made while the store's own becomes durable: the one is on its way through the processor while the other waits for its disk. It returns once both have ended. What either has made stays where
// the other fails, and is let go of as what no change names. Errors: those of Put, and of in's.
func (k *Keeper) PutAndCopy(ctx context.Context, account holdfast.ID, r io.Reader, limit int64, in Intake) (*Pin, error) {
	s, err := k.store.Stage(ctx, account, r, limit)
	if err != nil {
		return nil, err
	}
	defer s.Drop()
	if err := in.Wanted(s.Blob()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var pin *Pin
	var kept error
	done := make(chan struct{})
	go func() {
		defer close(done)
		if pin, kept = k.keep(ctx, account, s); kept != nil {
			cancel(kept) // the copy would be for nothing
		}
	}()
	err = in.Copy(ctx, s.Blob(), s.Open)
	<-done
	switch {
	case kept != nil:
		return nil, kept
	case err != nil:
		pin.Release()
		return nil, err
	}
	return pin, nil
}

// keep makes what was staged durable, and pins it.
func (k *Keeper) keep(ctx context.Context, account holdfast.ID, s Staged) (*Pin, error) {
	at := key{account, s.Blob().Hash}
	unlock, err := k.lock(ctx, at)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := s.Keep(ctx); err != nil {
		return nil, err
	}
	return k.pin(at, s.Blob()), nil
}

func (k *Keeper) pin(at key, b holdfast.Blob) *Pin {
	k.mu.Lock()
	defer k.mu.Unlock()
	h := k.enter(at)
	h.pins++
	return &Pin{Blob: b, release: func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		h.pins--
		k.leave(at, h)
	}}
}

// enter and leave count who is about a blob; mu is held.
func (k *Keeper) enter(at key) *hold {
	h := k.held[at]
	if h == nil {
		h = &hold{turn: make(chan struct{}, 1)}
		k.held[at] = h
	}
	h.refs++
	return h
}

func (k *Keeper) leave(at key, h *hold) {
	if h.refs--; h.refs == 0 {
		delete(k.held, at)
	}
}

// lock takes the only right to make or remove a blob.
func (k *Keeper) lock(ctx context.Context, at key) (unlock func(), err error) {
	k.mu.Lock()
	h := k.enter(at)
	k.mu.Unlock()
	leave := func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.leave(at, h)
	}
	select {
	case h.turn <- struct{}{}:
		return func() { <-h.turn; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, context.Cause(ctx)
	}
}

func (k *Keeper) pinned(at key) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	h := k.held[at]
	return h != nil && h.pins > 0
}

// LetGo removes a blob that no pin holds and of which free, asked while nobody can put it, says that nobody needs it. gone tells whether it was removed.
func (k *Keeper) LetGo(ctx context.Context, account holdfast.ID, h holdfast.Hash, free func() (bool, error)) (gone bool, err error) {
	at := key{account, h}
	unlock, err := k.lock(ctx, at)
	if err != nil {
		return false, err
	}
	defer unlock()
	if k.pinned(at) {
		return false, nil
	}
	if ok, err := free(); err != nil || !ok {
		return false, err
	}
	err = k.store.Remove(ctx, account, h)
	return err == nil, err
}

// Forget removes all blobs of an account that was erased, also those that uploads hold which will end in nothing.
func (k *Keeper) Forget(ctx context.Context, account holdfast.ID) error {
	var list []holdfast.Hash
	if err := k.store.List(ctx, account, nil, 0, func(i Info) error { list = append(list, i.Hash); return nil }); err != nil {
		return err
	}
	for _, h := range list {
		unlock, err := k.lock(ctx, key{account, h})
		if err != nil {
			return err
		}
		err = k.store.Remove(ctx, account, h)
		unlock()
		if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
			return err
		}
	}
	return nil
}
