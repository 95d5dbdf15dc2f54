package main

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/clock"
	"holdfast/internal/registry"
	"holdfast/internal/restore"
	"holdfast/internal/seal"
	"holdfast/internal/store"
	"holdfast/internal/vault"
)

// vaultFiles gives the octets of large files out of the store's vaults, for what the store lacks or has damaged. It implements [fallback.Origin]. A vault that was read stays open for a while: a gallery whose photos are not back yet asks for hundreds.
type vaultFiles struct {
	k *keeper

	mu     sync.Mutex
	open   map[holdfast.ID]*readVault // by the vault's id
	failed map[holdfast.ID]failedVault
}

// readVault is a vault that is open for reading.
type readVault struct {
	v     *vault.Vault
	users int
	last  time.Time // when the last of them went
	stale bool      // it failed: the next who reads opens it anew
}

// failedVault is why a vault could not be opened, and when.
type failedVault struct {
	at  time.Time
	err error
}

const (
	readVaultIdle  = time.Minute     // after which a vault that nobody reads is closed
	readVaultPause = 5 * time.Second // for which one that could not be opened is not tried again
)

func newVaultFiles(k *keeper) *vaultFiles {
	return &vaultFiles{k: k, open: map[holdfast.ID]*readVault{}, failed: map[holdfast.ID]failedVault{}}
}

// Blob implements [fallback.Origin].
func (s *vaultFiles) Blob(ctx context.Context, account holdfast.ID, h holdfast.Hash) (holdfast.Blob, bool, error) {
	return store.BlobOf(ctx, s.k.engine, account, h)
}

// Read implements [fallback.Origin].
func (s *vaultFiles) Read(ctx context.Context, account holdfast.ID, b holdfast.Blob, fn func(r io.Reader, from string) error) error {
	list, away := s.take(ctx)
	vaults := make([]*vault.Vault, len(list))
	for i, x := range list {
		vaults[i] = x.v
	}
	err := restore.Of(vaults...).Read(ctx, account, b, fn)
	s.give(list, err)
	return perhaps(err, away, b)
}

// Open implements [fallback.Origin].
func (s *vaultFiles) Open(ctx context.Context, account holdfast.ID, b holdfast.Blob) (blob.File, error) {
	list, away := s.take(ctx)
	var fault error
	for i, x := range list {
		f, err := x.v.OpenBlob(ctx, account, b)
		if err == nil {
			s.give(append(list[:i:i], list[i+1:]...), nil)
			return &readFile{File: f, done: func(err error) { s.give([]*readVault{x}, err) }}, nil
		}
		if fault == nil || !nobodyHas(err) {
			fault = err
		}
	}
	s.give(list, fault)
	if fault == nil {
		fault = &holdfast.Error{Op: "files", Kind: holdfast.NotFound, Ref: b.Hash.String(), Text: "no vault can be read"}
	}
	return nil, perhaps(fault, away, b)
}

// readFile is a file that is read from a vault.
type readFile struct {
	blob.File
	once sync.Once
	done func(error)

	mu  sync.Mutex
	err error
}

// ReadAt implements [io.ReaderAt].
func (f *readFile) ReadAt(p []byte, at int64) (int, error) {
	n, err := f.File.ReadAt(p, at)
	if err != nil && err != io.EOF {
		f.mu.Lock()
		f.err = err
		f.mu.Unlock()
	}
	return n, err
}

// Close gives the vault back.
func (f *readFile) Close() error {
	err := f.File.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.once.Do(func() { f.done(f.err) })
	return err
}

// nobodyHas tells whether a vault that could be read has not got a blob, or not whole.
func nobodyHas(err error) bool {
	return holdfast.IsKind(err, holdfast.NotFound) || holdfast.IsKind(err, holdfast.Corrupt)
}

// perhaps says of what no vault has that could be reached that another one may.
func perhaps(err, away error, b holdfast.Blob) error {
	if err == nil || away == nil || !nobodyHas(err) {
		return err
	}
	return &holdfast.Error{Op: "files", Kind: holdfast.Unavailable, Ref: b.Hash.String(), Text: "a vault that may have it cannot be reached", Err: errors.Join(away, err)}
}

// take returns the vaults with octets that can be read; they are to be given back. away says of the others why they cannot.
func (s *vaultFiles) take(ctx context.Context) (list []*readVault, away error) {
	var errs []error
	for _, e := range s.k.vaults().Vaults {
		if e.Kind == kindLedger {
			continue
		}
		x, err := s.one(ctx, e)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		list = append(list, x)
	}
	return list, errors.Join(errs...)
}

func (s *vaultFiles) one(ctx context.Context, e registry.Entry) (*readVault, error) {
	if x, err := s.known(e.Vault); x != nil || err != nil {
		return x, err
	}
	o := s.k.options()
	o.With, o.Ring = []*seal.Identity{o.Ring.Server}, nil
	v, err := openVault(ctx, e, o)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			s.failed[e.Vault] = failedVault{clock.System.Now(), err}
		}
		return nil, err
	}
	x := &readVault{v: v, users: 1}
	if s.open[e.Vault] != nil { // somebody was faster: this one ends with its user
		x.stale = true
		return x, nil
	}
	s.open[e.Vault] = x
	return x, nil
}

// known returns a vault that is open, or why it cannot be opened since a moment ago; neither where it is to be tried.
func (s *vaultFiles) known(id holdfast.ID) (*readVault, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.open[id]; x != nil {
		x.users++
		return x, nil
	}
	if f, ok := s.failed[id]; ok {
		if since := clock.System.Now().Sub(f.at); since >= 0 && since < readVaultPause {
			return nil, f.err
		}
		delete(s.failed, id)
	}
	return nil, nil
}

// give gives vaults back. Where reading failed in another way than that they lack something, they are opened anew the next time.
func (s *vaultFiles) give(list []*readVault, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range list {
		x.users--
		x.last = clock.System.Now()
		if x.stale = x.stale || err != nil && !nobodyHas(err); x.stale {
			s.drop(x)
		} else if x.users == 0 {
			clock.System.AfterFunc(readVaultIdle, s.tidy)
		}
	}
}

// drop has nobody else take a vault, and closes it if nobody reads it. The lock is held.
func (s *vaultFiles) drop(x *readVault) {
	for id, y := range s.open {
		if x == y {
			delete(s.open, id)
		}
	}
	if x.users == 0 {
		_ = x.v.Close() // it was only read
	}
}

// tidy closes what nobody has read for a while.
func (s *vaultFiles) tidy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.open {
		if x.users == 0 && clock.System.Now().Sub(x.last) >= readVaultIdle {
			s.drop(x)
		}
	}
}

// close closes all that nobody reads; the others are closed by who does.
func (s *vaultFiles) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.open {
		x.stale = true
		s.drop(x)
	}
}
