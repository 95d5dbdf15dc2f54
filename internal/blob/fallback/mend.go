package fallback

import (
	"context"
	"fmt"
	"io"
	"time"

	"holdfast"
	"holdfast/internal/blob"
)

// mend is a blob that is being put back, for all who want it.
type mend struct {
	began time.Time
	done  chan struct{}
	err   error // once done is closed
}

// Mend puts a blob back that the store lacks or has damaged, and returns once it is there, durably, or ctx ends: it goes on then. Whoever knows that it is whole need not call it. Errors: NotFound (no change names it, or nobody has it), Corrupt, Full,
// Unavailable (somebody who may have it cannot be reached; too many are being put back; the store was closed).
func (s *Store) Mend(ctx context.Context, account holdfast.ID, b holdfast.Blob) error {
	m, err := s.begin(key{account, b.Hash}, b)
	if err != nil {
		return err
	}
	select {
	case <-m.done:
		return m.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// begin has a blob put back, or returns who is about it.
func (s *Store) begin(at key, b holdfast.Blob) (*mend, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.mends[at]
	if m != nil {
		return m, nil
	}
	if s.ctx.Err() != nil {
		return nil, blob.Err("Mend", holdfast.Unavailable, b.Hash.String(), "the store of large files is closed", nil)
	}
	if len(s.mends) >= s.o.Mends+s.o.Waiting {
		return nil, blob.Err("Mend", holdfast.Unavailable, b.Hash.String(), "too many files are being read back from vaults; try again later", nil)
	}
	m = &mend{began: s.o.Clock.Now(), done: make(chan struct{})}
	s.mends[at] = m
	s.work.Go(func() {
		m.err = s.mend(at, b)
		s.mu.Lock()
		delete(s.mends, at)
		s.mu.Unlock()
		close(m.done)
	})
	return m, nil
}

// mend puts a blob back once it is its turn.
func (s *Store) mend(at key, b holdfast.Blob) error {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-s.ctx.Done():
		return blob.Err("Mend", holdfast.Unavailable, b.Hash.String(), "the service stops", nil)
	}
	where := ""
	err := s.o.Origin.Read(s.ctx, at.account, b, func(r io.Reader, from string) error {
		where = from
		x, err := s.Store.Stage(s.ctx, at.account, r, b.Size)
		if err != nil {
			return err
		}
		defer x.Drop()
		if x.Blob() != b {
			return blob.Err("Mend", holdfast.Corrupt, b.Hash.String(), "what was read is not the file that its name says", nil)
		}
		return s.keep(at, x)
	})
	if err != nil {
		s.failed.Add(1)
		if s.ctx.Err() == nil {
			s.o.Log.Error("a file's octets could not be put back from a vault", "account", at.account, "sha256", b.Hash, "octets", b.Size, "err", err)
		}
		return err
	}
	s.mended.Add(1)
	s.octets.Add(b.Size)
	s.o.Log.Warn("a file's octets were missing or damaged, and were put back from a vault", "account", at.account, "sha256", b.Hash, "octets", b.Size, "vault", where)
	return nil
}

// keep gives what was read its name. Once more it is asked whether a change names it: what was erased meanwhile stays so.
func (s *Store) keep(at key, x blob.Staged) error {
	unlock, err := s.lock(s.ctx, at)
	if err != nil {
		return err
	}
	defer unlock()
	_, ok, err := s.o.Origin.Blob(s.ctx, at.account, at.hash)
	if err == nil && !ok {
		err = blob.NoSuch("Mend", at.hash)
	}
	if err != nil {
		return err
	}
	return x.Keep(s.ctx)
}

// Open implements [blob.Store]. What the own store does not give comes from an origin, also where that shows in the middle of reading.
func (s *Store) Open(ctx context.Context, account holdfast.ID, h holdfast.Hash) (blob.File, error) {
	at := key{account, h}
	f, err := s.Store.Open(ctx, account, h)
	if err != nil {
		if f, err = s.instead(ctx, at, err); err != nil {
			return nil, err
		}
	}
	return &file{ctx: ctx, s: s, at: at, size: f.Size(), all: []blob.File{f}}, nil
}

// instead opens what the own store did not give, because of cause.
func (s *Store) instead(ctx context.Context, at key, cause error) (blob.File, error) {
	if ctx.Err() != nil {
		return nil, cause
	}
	b, ok, err := s.o.Origin.Blob(ctx, at.account, at.hash)
	if err != nil || !ok {
		return nil, cause
	}
	why := s.await(ctx, at, b)
	if why == nil {
		if f, err := s.Store.Open(ctx, at.account, at.hash); err == nil {
			return f, nil
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	f, err := s.straight(ctx, at, b)
	switch {
	case err == nil:
		return f, nil
	case gone(err):
		return nil, cause
	}
	return nil, blob.Err("Open", holdfast.Unavailable, at.hash.String(), "its octets are missing or damaged here, and a vault that may have them cannot be reached; try again later", fmt.Errorf("%w (after: %w)", err, cause))
}

// gone tells whether nobody has a blob whole, so that asking again is in vain.
func gone(err error) bool {
	return holdfast.IsKind(err, holdfast.NotFound) || holdfast.IsKind(err, holdfast.Corrupt)
}

// await has a blob put back, and waits until it has taken a while: of who reads a film by the part only the first waits. Its error says that it is not there yet.
func (s *Store) await(ctx context.Context, at key, b holdfast.Blob) error {
	m, err := s.begin(at, b)
	if err != nil {
		return err
	}
	late := s.o.Clock.NewTimer(max(0, min(s.o.Patience, s.o.Patience-s.o.Clock.Now().Sub(m.began))))
	defer late.Stop()
	select {
	case <-m.done:
		return m.err
	case <-late.C():
		return blob.Err("Open", holdfast.Unavailable, b.Hash.String(), "it is still being read back", nil)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// straight opens a blob at an origin.
func (s *Store) straight(ctx context.Context, at key, b holdfast.Blob) (blob.File, error) {
	select {
	case s.direct <- struct{}{}:
	default:
		return nil, blob.Err("Open", holdfast.Unavailable, b.Hash.String(), "too many files are being read from vaults; try again later", nil)
	}
	f, err := s.o.Origin.Open(ctx, at.account, b)
	if err == nil && f.Size() != b.Size {
		f.Close()
		err = blob.Damaged("Open", b.Hash, "what a vault has of it has another length")
	}
	if err != nil {
		<-s.direct
		return nil, err
	}
	return &borrowed{Checked: blob.NewChecked(f, b), leave: func() { <-s.direct }}, nil
}
