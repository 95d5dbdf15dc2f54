// Package s3 keeps blobs in a bucket of an object store:
//
//	ACCOUNT/HASH        a blob as package blob stores it, with its sums: a range costs a request for each MiB that it touches
//	.owner              who lets go of blobs
//
// What is taken in lies in a file of this machine until its hash is known; then it is one create that never overwrites, or parts that appear at once. The store's answer is the promise that it is durable.
//
// A bucket that keeps versions lets go of all of them with a blob.
//
// Two stores may look at one bucket: a restored one beside that which is to go. Both add, which does no harm, as names follow from octets. But what one of them does not need the other may, so that only the owner removes.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/bucket"
	"holdfast/internal/vfs"
)

// Store is a store in a bucket.
type Store struct {
	b     *bucket.Bucket
	fs    vfs.FS
	spool string
	owner string
	next  atomic.Int64
}

var _ blob.Store = (*Store)(nil)

// Open returns the store in a bucket, for an owner who is told from others by a word. spool is a directory of this machine for what is being taken in; whatever lies there is removed. The object store is not spoken to yet: while it is away what needs it is Unavailable. Errors: those of the file system.
func Open(fsys vfs.FS, b *bucket.Bucket, spool, owner string) (*Store, error) {
	s := &Store{b: b, fs: fsys, spool: spool, owner: owner}
	if err := vfs.MkdirDurable(fsys, spool, 0o700); err != nil {
		return nil, s.fail("Open", spool, err)
	}
	left, err := fsys.ReadDir(spool)
	if err != nil {
		return nil, s.fail("Open", spool, err)
	}
	for _, e := range left {
		if err := fsys.Remove(filepath.Join(spool, e.Name())); err != nil {
			return nil, s.fail("Open", spool, err)
		}
	}
	return s, nil
}

// String implements [blob.Store].
func (s *Store) String() string { return s.b.String() }

// Close implements [blob.Store].
func (s *Store) Close() error { return s.b.Close() }

// fail makes an error of the bucket, or of the spool, one of the contract's.
func (s *Store) fail(op, ref string, err error) error {
	var known *holdfast.Error
	switch {
	case errors.As(err, &known):
		switch known.Kind {
		case holdfast.NotFound:
			return blob.Err(op, holdfast.NotFound, ref, "there is no such blob", err)
		case holdfast.Unauthorized, holdfast.Forbidden, holdfast.Invalid, holdfast.Exists:
			return blob.Err(op, holdfast.Unavailable, s.String(), known.Text, err)
		}
		return err
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return blob.Err(op, holdfast.Full, s.spool, "the disk that uploads pass through is full; make room there", err)
	}
	return blob.Err(op, holdfast.Unavailable, ref, "the disk that uploads pass through answered with an error", err)
}

func nameOf(account holdfast.ID, h holdfast.Hash) string { return account.String() + "/" + h.String() }

// Stage implements [blob.Store].
func (s *Store) Stage(ctx context.Context, account holdfast.ID, r io.Reader, limit int64) (blob.Staged, error) {
	name := filepath.Join(s.spool, fmt.Sprint(s.next.Add(1)))
	f, err := s.fs.OpenFile(name, vfs.O_RDWR|vfs.O_CREATE|vfs.O_EXCL, 0o600)
	if err != nil {
		return nil, s.fail("Put", name, err)
	}
	x := &staged{s: s, account: account, spooled: name, file: f}
	own := func(err error) error { return s.fail("Put", name, err) }
	if x.blob, err = blob.Take(ctx, f, r, limit, own); err != nil {
		x.Drop()
		return nil, err
	}
	return x, nil
}

type staged struct {
	s       *Store
	account holdfast.ID
	blob    holdfast.Blob
	spooled string
	file    vfs.File // nil: dropped
}

func (x *staged) Blob() holdfast.Blob { return x.blob }

// Open implements [blob.Staged].
func (x *staged) Open(ctx context.Context) (blob.File, error) {
	f, err := x.s.fs.OpenFile(x.spooled, vfs.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) { // it was kept, and let go of here
		return x.s.Open(ctx, x.account, x.blob.Hash)
	}
	if err != nil {
		return nil, x.s.fail("Open", x.spooled, err)
	}
	v, err := blob.NewVerified(f, blob.StoredSize(x.blob.Size), x.blob.Hash)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Drop implements [blob.Staged].
func (x *staged) Drop() {
	if x.file != nil {
		x.file.Close()
		_ = x.s.fs.Remove(x.file.Name())
		x.file = nil
	}
}

// Keep implements [blob.Staged].
func (x *staged) Keep(ctx context.Context) error {
	s, h := x.s, x.blob.Hash
	_, err := s.Stat(ctx, x.account, h)
	if holdfast.IsKind(err, holdfast.NotFound) {
		if err = x.put(ctx, true); !holdfast.IsKind(err, holdfast.Exists) {
			return err
		}
	} else if err != nil {
		return err
	}
	if err := s.Verify(ctx, x.account, h); err == nil || !holdfast.IsKind(err, holdfast.Corrupt) && !holdfast.IsKind(err, holdfast.NotFound) {
		return err
	}
	return x.put(ctx, false)
}

// put makes the object. Errors: Exists (it must be a new one, and others have the name).
func (x *staged) put(ctx context.Context, anew bool) error {
	name, size := nameOf(x.account, x.blob.Hash), blob.StoredSize(x.blob.Size)
	err := x.s.b.Put(ctx, name, io.NewSectionReader(x.file, 0, size), size, bucket.Put{New: anew})
	if err == nil || anew && holdfast.IsKind(err, holdfast.Exists) {
		return err
	}
	return x.s.fail("Put", name, err)
}

// object reads an object by ranges.
type object struct {
	s    *Store
	ctx  context.Context
	name string
}

func (o object) ReadAt(p []byte, at int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	r, err := o.s.b.Get(o.ctx, o.name, at, int64(len(p)))
	if err != nil {
		return 0, o.s.fail("Open", o.name, err)
	}
	defer r.Close()
	n, err := io.ReadFull(r, p)
	if err == nil || err == io.EOF || err == io.ErrUnexpectedEOF {
		return n, err
	}
	return n, o.s.fail("Open", o.name, err) // the line broke: that is no damage
}

func (object) Close() error { return nil }

// Open implements [blob.Store].
func (s *Store) Open(ctx context.Context, account holdfast.ID, h holdfast.Hash) (blob.File, error) {
	v, err := s.open(ctx, account, h)
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (s *Store) open(ctx context.Context, account holdfast.ID, h holdfast.Hash) (*blob.Verified, error) {
	name := nameOf(account, h)
	i, err := s.b.Stat(ctx, name)
	if err != nil {
		return nil, s.fail("Open", name, err)
	}
	return blob.NewVerified(object{s, ctx, name}, i.Size, h)
}

// Stat implements [blob.Store].
func (s *Store) Stat(ctx context.Context, account holdfast.ID, h holdfast.Hash) (blob.Info, error) {
	name := nameOf(account, h)
	i, err := s.b.Stat(ctx, name)
	if err != nil {
		return blob.Info{}, s.fail("Stat", name, err)
	}
	return info(account, h, i), nil
}

func info(account holdfast.ID, h holdfast.Hash, i bucket.Info) blob.Info {
	size, _ := blob.SizeStored(i.Size)
	return blob.Info{Account: account, Blob: holdfast.Blob{Hash: h, Size: max(0, size)}, Made: i.Made}
}

// List implements [blob.Store]. Objects that are no blobs are passed over.
func (s *Store) List(ctx context.Context, account holdfast.ID, after *holdfast.Hash, limit int, fn func(blob.Info) error) error {
	prefix, start := account.String()+"/", ""
	if after != nil {
		start = prefix + after.String()
	}
	n := 0
	var stop error
	enough := errors.New("enough")
	err := s.b.List(ctx, prefix, start, func(i bucket.Info) error {
		h, err := holdfast.ParseHash(strings.TrimPrefix(i.Name, prefix))
		if err != nil {
			return nil
		}
		if stop = fn(info(account, h, i)); stop != nil {
			return stop
		}
		if n++; n == limit {
			return enough
		}
		return nil
	})
	switch {
	case stop != nil:
		return stop
	case err == enough || err == nil:
		return nil
	}
	return s.fail("List", prefix, err)
}

// Accounts implements [blob.Store].
func (s *Store) Accounts(ctx context.Context) (out []holdfast.ID, err error) {
	err = s.b.Dirs(ctx, "", func(name string) error {
		if id, err := holdfast.ParseID(strings.TrimSuffix(name, "/")); err == nil {
			out = append(out, id)
		}
		return nil
	})
	if err != nil {
		return nil, s.fail("List", "", err)
	}
	slices.SortFunc(out, holdfast.ID.Compare)
	return slices.Compact(out), nil
}

// Verify implements [blob.Store].
func (s *Store) Verify(ctx context.Context, account holdfast.ID, h holdfast.Hash) error {
	v, err := s.open(ctx, account, h)
	if err != nil {
		return err
	}
	return v.Verify(ctx)
}

// ownerName is the object that says who lets go of blobs. No account is called so.
const ownerName = ".owner"

// Own makes the owner of this store the bucket's. force takes it from another, who lets go of nothing from then on; otherwise that is Forbidden.
func (s *Store) Own(ctx context.Context, force bool) error {
	put := func(anew bool) error {
		return s.b.Put(ctx, ownerName, strings.NewReader(s.owner), int64(len(s.owner)), bucket.Put{New: anew})
	}
	err := put(true) // it succeeds where the same is there
	if holdfast.IsKind(err, holdfast.Exists) {
		if force {
			err = put(false)
		} else {
			return blob.Err("Remove", holdfast.Forbidden, s.String(), "another data directory lets go of what lies there, so this one does not. If that one is gone for good, `holdfast adopt` takes its place", nil)
		}
	}
	if err != nil {
		return s.fail("Remove", ownerName, err)
	}
	return nil
}

// Remove implements [blob.Store]. Who is not the owner is Forbidden.
func (s *Store) Remove(ctx context.Context, account holdfast.ID, h holdfast.Hash) error {
	name := nameOf(account, h)
	if err := s.Own(ctx, false); err != nil {
		return err
	}
	if err := s.b.Remove(ctx, name); err != nil {
		return s.fail("Remove", name, err)
	}
	return nil
}
