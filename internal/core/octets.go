package core

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"holdfast"
	"holdfast/internal/blob"
)

// Octets are those of one resource, to be read whole or in part, in any order, also after the function of [Service.Read] has returned: what is shown of a file does not change.
// Whoever opened them closes them. Errors of their reads: Corrupt (they are not what was stored: none of those is handed out), Unavailable.
type Octets struct {
	*io.SectionReader
	close func() error
}

// Close lets go.
func (o *Octets) Close() error { return o.close() }

// Open opens the octets of a resource that the reader gave. They are checked against their hash before they are handed out.
//
// Errors: NotFound (it is not there any more), Unavailable (it is known to be lost, or cannot be reached now), Corrupt.
func (r *Reader) Open(ctx context.Context, x *holdfast.Resource) (*Octets, error) {
	open, err := r.Opener(x)
	if err != nil {
		return nil, err
	}
	return open(ctx)
}

// Opener looks up octets as Open does, and returns what opens them once the function of [Service.Read] has returned. Where they have to come from a vault that takes a while, and everybody else would wait for the snapshot. Errors: those of Open.
func (r *Reader) Opener(x *holdfast.Resource) (open func(context.Context) (*Octets, error), err error) {
	if err := r.mine(x.Collection); err != nil {
		return nil, err
	}
	if x.State == holdfast.Ghost {
		return nil, fail("Open", holdfast.Unavailable, x.Name, "these octets were lost. Whoever still has them can put them here again")
	}
	full := *x
	if full.Body == nil && full.Blob == nil {
		if full, err = r.snap.Resource(x.Collection, x.Name, WithBody); err != nil {
			return nil, err
		}
	}
	if full.ETag != x.ETag || full.State == holdfast.Ghost {
		return nil, fail("Open", holdfast.NotFound, x.Name, "this version is not the present one")
	}
	s, account, name := r.s, x.Account, x.Name
	if full.Blob != nil {
		b := *full.Blob
		return func(ctx context.Context) (*Octets, error) { return s.openBlob(ctx, account, b, name) }, nil
	}
	body, etag := bytes.Clone(full.Body), full.ETag // the octets of a listing are the listing's
	return func(context.Context) (*Octets, error) { return openBody(body, etag, name) }, nil
}

// openBlob opens octets that lie beside the engine. Where they are not there although a change names them they are damaged: a device that was told that there is no such file would delete its copy.
func (s *Service) openBlob(ctx context.Context, account holdfast.ID, b holdfast.Blob, name string) (*Octets, error) {
	if s.blobs == nil {
		return nil, fail("Open", holdfast.Unavailable, name, "the store of large files is not there")
	}
	f, err := s.blobs.Open(ctx, account, b.Hash)
	if err == nil && f.Size() != b.Size {
		f.Close()
		err = fail("Open", holdfast.Corrupt, name, fmt.Sprintf("it has %d octets, and should have %d", f.Size(), b.Size))
	}
	if err != nil {
		return nil, missing(name, err)
	}
	return &Octets{io.NewSectionReader(named{f, name}, 0, b.Size), f.Close}, nil
}

func missing(name string, err error) error {
	if !holdfast.IsKind(err, holdfast.NotFound) {
		return err
	}
	return &holdfast.Error{Op: "core.Open", Kind: holdfast.Corrupt, Ref: name, Text: "the octets of this file are missing. Put the same file again, or restore it from a vault", Err: err}
}

// named is a blob that a change names.
type named struct {
	blob.File
	name string
}

func (f named) ReadAt(p []byte, at int64) (int, error) {
	n, err := f.File.ReadAt(p, at)
	return n, missing(f.name, err)
}

// openBody opens octets that lie in the journal.
func openBody(body []byte, etag holdfast.Hash, name string) (*Octets, error) {
	if holdfast.HashOf(body) != etag {
		return nil, fail("Open", holdfast.Corrupt, name, "what is stored is not what was put there; run holdfast scrub")
	}
	return &Octets{io.NewSectionReader(bytes.NewReader(body), 0, int64(len(body))), func() error { return nil }}, nil
}

// NamesBlob tells whether any change of an account names a blob, whatever became of the file; of an account that was erased none does. Errors: NotFound (the account is not known here, nor was it erased).
func (s *Service) NamesBlob(ctx context.Context, account holdfast.ID, h holdfast.Hash) (bool, error) {
	snap, err := s.engine.Snapshot(ctx)
	if err != nil {
		return false, err
	}
	defer snap.Close()
	is, err := snap.NamesBlob(account, h)
	if holdfast.IsKind(err, holdfast.NotFound) {
		if gone, e := snap.Erased(account); e != nil || gone {
			return false, e
		}
	}
	return is, err
}
