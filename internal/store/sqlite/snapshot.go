package sqlite

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// snapshot is a read transaction on a connection of its own, taken from the pool.
type snapshot struct {
	e        *Engine
	c        *conn
	deadline time.Time
	closed   bool
	ids      map[int64]holdfast.ID // of collections, as they were met
}

var _ store.Snapshot = (*snapshot)(nil)

// Snapshot implements [store.Engine]. It waits for a free connection.
func (e *Engine) Snapshot(ctx context.Context) (store.Snapshot, error) {
	if e.closed.Load() {
		return nil, store.Err("Snapshot", holdfast.Unavailable, "", "the store is closed")
	}
	c, err := e.reader(ctx)
	if err != nil {
		return nil, err
	}
	s, err := e.begin(c)
	if err != nil {
		return nil, &holdfast.Error{Op: "store.Snapshot", Kind: holdfast.Unavailable, Text: "the store cannot be read; try again", Err: err}
	}
	return s, nil
}

// reader takes a connection from the pool; nil stands for one that is to be opened. Who waits for longer than a snapshot may live is told to try again.
func (e *Engine) reader(ctx context.Context) (*conn, error) {
	select {
	case c := <-e.readers:
		return c, nil
	default:
	}
	late := e.o.Clock.NewTimer(store.MaxSnapshot)
	defer late.Stop()
	var cause error
	select {
	case c := <-e.readers:
		return c, nil
	case <-ctx.Done():
		cause = context.Cause(ctx)
	case <-late.C():
		cause = errors.New("all connections for reading are taken")
	case <-e.quit:
		cause = errors.New("the store is closing")
	}
	return nil, &holdfast.Error{Op: "store.Snapshot", Kind: holdfast.Unavailable, Text: "the store is busy; try again", Retry: time.Minute, Err: cause}
}

// Refresh implements [store.Refresher]: each connection for reading has a cache of its own, and is opened anew before it is used again.
func (e *Engine) Refresh() { e.age.Add(1) }

func (e *Engine) begin(c *conn) (_ *snapshot, err error) {
	age := e.age.Load()
	if c != nil && c.age != age {
		c.Close()
		c = nil
	}
	if c == nil {
		if c, err = openConn(e.o.Driver, e.o.Path, e.o.CacheKiB/4, append(e.o.extra, "PRAGMA query_only=1")...); err != nil {
			e.readers <- nil
			return nil, err
		}
		c.age = age
	}
	if err = c.run(qBegin); err == nil {
		err = c.run(qStore) // SQLite fixes the moment of a transaction at its first read
	}
	if err != nil {
		c.Close()
		e.readers <- nil
		return nil, err
	}
	return &snapshot{e: e, c: c, deadline: e.o.Clock.Now().Add(store.MaxSnapshot)}, nil
}

// Close implements [store.Snapshot].
func (s *snapshot) Close() {
	if s.closed {
		return
	}
	s.closed = true
	if err := s.c.run(qCommit); err != nil {
		s.c.Close() // it may be inside a transaction that never ends: open a new one next time
		s.c = nil
	}
	s.e.readers <- s.c
}

// read runs a query of many rows and ends it when the snapshot is too old.
func (s *snapshot) read(q query, fn func(Stmt) error, args ...any) error {
	if s.closed {
		return store.Err("Snapshot", holdfast.Internal, "", "the snapshot is closed")
	}
	n := 0
	err := s.c.rows(q, func(x Stmt) error {
		if n++; n%256 == 0 && s.e.o.Clock.Now().After(s.deadline) {
			return store.Err("Snapshot", holdfast.Unavailable, "", "the read took too long; ask for less")
		}
		return fn(x)
	}, args...)
	return s.wrap(err)
}

func (s *snapshot) one(q query, fn func(Stmt), args ...any) (bool, error) {
	if s.closed {
		return false, store.Err("Snapshot", holdfast.Internal, "", "the snapshot is closed")
	}
	found, err := s.c.one(q, fn, args...)
	return found, s.wrap(err)
}

// wrap makes a failure of SQLite a retryable answer; what a callback returned passes.
func (s *snapshot) wrap(err error) error {
	var own *holdfast.Error
	if err == nil || errors.As(err, &own) || !s.e.o.Driver.IsBroken(err) && !s.e.o.Driver.IsBusy(err) {
		return err
	}
	return &holdfast.Error{Op: "store.Read", Kind: holdfast.Unavailable, Text: "the store cannot be read; try again", Err: err}
}

func (s *snapshot) accountKey(id holdfast.ID) (key int64, err error) {
	found, err := s.one(qAccountByID, func(x Stmt) { key = x.Int(0) }, id)
	if err == nil && !found {
		err = store.Err("Account", holdfast.NotFound, id.String(), "there is no such account")
	}
	return key, err
}

// AccountByLogin implements [store.Directory].
func (s *snapshot) AccountByLogin(login string) (id holdfast.ID, err error) {
	found, err := s.one(qAccountByLogin, func(x Stmt) { id = s.c.id(x, 0) }, login)
	if err == nil && !found {
		err = store.Err("Account", holdfast.NotFound, login, "there is no such account")
	}
	return id, err
}

// AccountsByLocalPart implements [store.Directory]. What begins with local and an "@" lies before what begins with local and an "A", the octet after it.
func (s *snapshot) AccountsByLocalPart(local string, limit int) (ids []holdfast.ID, err error) {
	err = s.read(qAccountsByLocalPart, func(x Stmt) error {
		ids = append(ids, s.c.id(x, 0))
		return nil
	}, local+"@", local+"A", limit)
	return ids, err
}

// Account implements [store.Directory].
func (s *snapshot) Account(id holdfast.ID) (a holdfast.Account, err error) {
	head, err := s.Head(id)
	if err != nil {
		return a, err
	}
	r, err := s.Resource(id, holdfast.RecordAccount, store.WithBody)
	if err != nil {
		return a, err
	}
	a.ID, a.Epoch, a.Seq = id, head.Epoch, head.Seq
	if a.AccountRecord, err = holdfast.DecodeAccount(r.Body); err != nil {
		return a, &holdfast.Error{Op: "store.Account", Kind: holdfast.Corrupt, Ref: id.String(), Err: err}
	}
	return a, nil
}

// Accounts implements [store.Directory].
func (s *snapshot) Accounts(after holdfast.ID, limit int) ([]holdfast.Account, error) {
	var ids []holdfast.ID
	err := s.read(qAccounts, func(x Stmt) error {
		ids = append(ids, s.c.id(x, 1))
		return nil
	}, after, noLimit(limit))
	out := make([]holdfast.Account, len(ids))
	for i, id := range ids {
		if err == nil {
			out[i], err = s.Account(id)
		}
	}
	return out, err
}

// Sightings implements [store.Directory].
func (s *snapshot) Sightings(account holdfast.ID) ([]holdfast.Sighting, error) {
	key, err := s.accountKey(account)
	if err != nil {
		return nil, err
	}
	colls := map[int64]holdfast.ID{}
	if err := s.read(qCollectionsOf, func(x Stmt) error {
		colls[x.Int(0)] = s.c.id(x, 1)
		return nil
	}, key); err != nil {
		return nil, err
	}
	var out []holdfast.Sighting
	err = s.read(qSightings, func(x Stmt) error {
		out = append(out, holdfast.Sighting{Account: account, Collection: colls[x.Int(0)], Device: s.c.id(x, 1), Epoch: uint64(x.Int(2)),
			Seq: uint64(x.Int(3)), Chain: s.c.hash(x, 4), Full: x.Int(5) != 0, At: fromMicro(x.Int(6))})
		return nil
	}, key)
	slices.SortFunc(out, func(a, b holdfast.Sighting) int {
		return cmp.Or(a.Collection.Compare(b.Collection), a.Device.Compare(b.Device))
	})
	return out, err
}

// Ghosts implements [store.Directory].
func (s *snapshot) Ghosts(account holdfast.ID) (n int64, err error) {
	var key any
	if !account.IsZero() {
		if key, err = s.accountKey(account); err != nil {
			return 0, err
		}
	}
	err = s.read(qGhosts, func(x Stmt) error { n = x.Int(0); return nil }, key)
	return n, err
}

// noLimit turns "0: all" into a number for LIMIT.
func noLimit(n int) int64 {
	if n <= 0 {
		return math.MaxInt64
	}
	return int64(n)
}
