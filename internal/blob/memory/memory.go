// Package memory keeps blobs in memory: the model, simple and obviously right.
package memory

import (
	"bytes"
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/clock"
)

// Store is a store in memory.
type Store struct {
	clock clock.Clock
	mu    sync.Mutex
	blobs map[holdfast.ID]map[holdfast.Hash]entry
}

type entry struct {
	octets []byte
	made   time.Time
}

var _ blob.Store = (*Store)(nil)

// New returns an empty store. nil: the machine's clock.
func New(c clock.Clock) *Store {
	if c == nil {
		c = clock.System
	}
	return &Store{clock: c, blobs: map[holdfast.ID]map[holdfast.Hash]entry{}}
}

// Stage implements [blob.Store].
func (s *Store) Stage(ctx context.Context, account holdfast.ID, r io.Reader, limit int64) (blob.Staged, error) {
	var b bytes.Buffer
	if err := blob.Copy(ctx, &b, r, limit); err != nil {
		return nil, err
	}
	return &staged{s, account, b.Bytes()}, nil
}

type staged struct {
	s       *Store
	account holdfast.ID
	octets  []byte
}

func (x *staged) Blob() holdfast.Blob {
	return holdfast.Blob{Hash: holdfast.HashOf(x.octets), Size: int64(len(x.octets))}
}

func (x *staged) Keep(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	of := x.s.blobs[x.account]
	if of == nil {
		of = map[holdfast.Hash]entry{}
		x.s.blobs[x.account] = of
	}
	h := x.Blob().Hash
	if _, there := of[h]; !there {
		of[h] = entry{x.octets, x.s.clock.Now().UTC()}
	}
	return nil
}

// Open implements [blob.Staged].
func (x *staged) Open(context.Context) (blob.File, error) {
	return file{bytes.NewReader(x.octets)}, nil
}

func (x *staged) Drop() {}

func (s *Store) find(op string, account holdfast.ID, h holdfast.Hash) (entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.blobs[account][h]
	if !ok {
		return e, blob.NoSuch(op, h)
	}
	return e, nil
}

// Open implements [blob.Store].
func (s *Store) Open(_ context.Context, account holdfast.ID, h holdfast.Hash) (blob.File, error) {
	e, err := s.find("Open", account, h)
	if err != nil {
		return nil, err
	}
	return file{bytes.NewReader(e.octets)}, nil
}

type file struct{ *bytes.Reader }

func (file) Close() error { return nil }

// Stat implements [blob.Store].
func (s *Store) Stat(_ context.Context, account holdfast.ID, h holdfast.Hash) (blob.Info, error) {
	e, err := s.find("Stat", account, h)
	if err != nil {
		return blob.Info{}, err
	}
	return info(account, h, e), nil
}

func info(account holdfast.ID, h holdfast.Hash, e entry) blob.Info {
	return blob.Info{Account: account, Blob: holdfast.Blob{Hash: h, Size: int64(len(e.octets))}, Made: e.made}
}

// List implements [blob.Store].
func (s *Store) List(_ context.Context, account holdfast.ID, after *holdfast.Hash, limit int, fn func(blob.Info) error) error {
	s.mu.Lock()
	var all []blob.Info
	for h, e := range s.blobs[account] {
		if after == nil || bytes.Compare(h[:], after[:]) > 0 {
			all = append(all, info(account, h, e))
		}
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b blob.Info) int { return bytes.Compare(a.Hash[:], b.Hash[:]) })
	if limit > 0 && len(all) > limit {
		all = all[:limit]
	}
	for _, i := range all {
		if err := fn(i); err != nil {
			return err
		}
	}
	return nil
}

// Accounts implements [blob.Store].
func (s *Store) Accounts(context.Context) ([]holdfast.ID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []holdfast.ID
	for id, of := range s.blobs {
		if len(of) > 0 {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, holdfast.ID.Compare)
	return out, nil
}

// Verify implements [blob.Store].
func (s *Store) Verify(_ context.Context, account holdfast.ID, h holdfast.Hash) error {
	_, err := s.find("Verify", account, h)
	return err
}

// Remove implements [blob.Store].
func (s *Store) Remove(_ context.Context, account holdfast.ID, h holdfast.Hash) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.blobs[account][h]; !ok {
		return blob.NoSuch("Remove", h)
	}
	delete(s.blobs[account], h)
	return nil
}

// String implements [blob.Store].
func (s *Store) String() string { return "memory" }

// Close implements [blob.Store].
func (s *Store) Close() error { return nil }
