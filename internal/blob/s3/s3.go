// Package s3 keeps blobs in an object store that speaks the protocol of Amazon S3:
//
//	PREFIX ACCOUNT/HASH        a blob as package blob stores it, with its sums: a range costs a request for each MiB that it touches
//
// What is taken in lies in a file of this machine until its hash is known; then it is one conditional create (If-None-Match: *), or, above 16 MiB, parts that appear at once. The store's answer is the promise that it is durable. Each request carries a
// CRC-32C of what it brings, which the store compares, whatever lies between.
//
// The bucket must be consistent (a listing shows what was put before) and must not let go of anything by itself. Where it keeps versions, what was removed is there until its own rules let it go.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/vfs"
)

// Options say where the objects are.
type Options struct {
	Endpoint  string // host, or host:port
	Plain     bool   // HTTP without TLS
	Region    string
	Bucket    string // it is there
	Prefix    string // of all names; empty, or ends in a slash
	AccessKey string
	SecretKey string
	Spool     string            // a directory of this machine for what is being taken in; whatever lies there is removed
	Transport http.RoundTripper // nil: the client's own
}

// Store is a store in a bucket.
type Store struct {
	o    Options
	fs   vfs.FS
	api  *minio.Core
	next atomic.Int64
}

var _ blob.Store = (*Store)(nil)

// Open connects to the store. The bucket is asked for. Errors: Invalid, Unavailable.
func Open(ctx context.Context, fsys vfs.FS, o Options) (*Store, error) {
	if o.Prefix != "" && !strings.HasSuffix(o.Prefix, "/") {
		return nil, blob.Err("Open", holdfast.Invalid, o.Prefix, "the prefix of names ends in a slash", nil)
	}
	api, err := minio.NewCore(o.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(o.AccessKey, o.SecretKey, ""), Secure: !o.Plain, Region: o.Region, Transport: o.Transport, TrailingHeaders: true, MaxRetries: 4})
	if err != nil {
		return nil, blob.Err("Open", holdfast.Invalid, o.Endpoint, "the object store's address cannot be used", err)
	}
	s := &Store{o: o, fs: fsys, api: api}
	there, err := api.BucketExists(ctx, o.Bucket)
	if err == nil && !there {
		err = blob.Err("Open", holdfast.Unavailable, o.Bucket, "there is no such bucket; make it first", nil)
	}
	if err != nil {
		return nil, s.fail("Open", o.Bucket, err)
	}
	return s, s.clear()
}

// clear removes what interrupted uploads left in the spool.
func (s *Store) clear() error {
	if err := vfs.MkdirDurable(s.fs, s.o.Spool, 0o700); err != nil {
		return s.fail("Open", s.o.Spool, err)
	}
	left, err := s.fs.ReadDir(s.o.Spool)
	if err != nil {
		return s.fail("Open", s.o.Spool, err)
	}
	for _, e := range left {
		if err := s.fs.Remove(filepath.Join(s.o.Spool, e.Name())); err != nil {
			return s.fail("Open", s.o.Spool, err)
		}
	}
	return nil
}

// String implements [blob.Store].
func (s *Store) String() string { return "bucket " + s.o.Bucket + " on " + s.o.Endpoint }

// Close implements [blob.Store].
func (s *Store) Close() error { return nil }

// fail makes an error of the object store, or of the spool, one of the contract's.
func (s *Store) fail(op, ref string, err error) error {
	var known *holdfast.Error
	answer := minio.ToErrorResponse(err)
	switch {
	case errors.As(err, &known) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return blob.Err(op, holdfast.Full, s.o.Spool, "the disk that uploads pass through is full; make room there", err)
	case answer.StatusCode == http.StatusInsufficientStorage || answer.Code == "QuotaExceeded":
		return blob.Err(op, holdfast.Full, s.String(), "the object store is full; make room there", err)
	case answer.Code == minio.NoSuchKey:
		return blob.Err(op, holdfast.NotFound, ref, "there is no such blob", err)
	case answer.StatusCode == http.StatusForbidden:
		return blob.Err(op, holdfast.Unavailable, s.String(), "the object store refuses the key; look at its rights", err)
	}
	return blob.Err(op, holdfast.Unavailable, ref, "the object store answered with an error, or could not be reached", err)
}

func (s *Store) name(account holdfast.ID, h holdfast.Hash) string {
	return s.o.Prefix + account.String() + "/" + h.String()
}

// Stage implements [blob.Store].
func (s *Store) Stage(ctx context.Context, account holdfast.ID, r io.Reader, limit int64) (blob.Staged, error) {
	name := filepath.Join(s.o.Spool, fmt.Sprint(s.next.Add(1)))
	f, err := s.fs.OpenFile(name, vfs.O_RDWR|vfs.O_CREATE|vfs.O_EXCL, 0o600)
	if err != nil {
		return nil, s.fail("Put", name, err)
	}
	x := &staged{s: s, account: account, file: f}
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
	file    vfs.File // nil: dropped
}

func (x *staged) Blob() holdfast.Blob { return x.blob }

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
	switch {
	case holdfast.IsKind(err, holdfast.NotFound):
		if made, err := x.put(ctx, true); made || err != nil {
			return err
		}
	case err != nil:
		return err
	}
	if err := s.Verify(ctx, x.account, h); err == nil || !holdfast.IsKind(err, holdfast.Corrupt) && !holdfast.IsKind(err, holdfast.NotFound) {
		return err
	}
	_, err = x.put(ctx, false)
	return err
}

// part is what goes in one request; larger blobs go in parts of this size.
const part = 16 << 20

// put makes the object. Where it must be a new one, made is false if there was one.
func (x *staged) put(ctx context.Context, anew bool) (made bool, err error) {
	s, name := x.s, x.s.name(x.account, x.blob.Hash)
	stored := blob.StoredSize(x.blob.Size)
	o := minio.PutObjectOptions{ContentType: "application/octet-stream", AutoChecksum: minio.ChecksumCRC32C, PartSize: part}
	if anew {
		o.SetMatchETagExcept("*")
	}
	var r io.Reader = io.NewSectionReader(x.file, 0, stored)
	if stored > part {
		r = struct{ io.Reader }{r} // read in order, each part is summed in memory before it is sent; out of order its sums come out wrong
	}
	_, err = s.api.Client.PutObject(ctx, s.o.Bucket, name, r, stored, o)
	switch code := minio.ToErrorResponse(err).StatusCode; {
	case err == nil:
		return true, nil
	case anew && (code == http.StatusPreconditionFailed || code == http.StatusConflict):
		return false, nil // somebody else was first, or our own request was sent twice
	}
	return false, s.fail("Put", name, err)
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
	var opts minio.GetObjectOptions
	if err := opts.SetRange(at, at+int64(len(p))-1); err != nil {
		return 0, o.s.fail("Open", o.name, err)
	}
	r, _, _, err := o.s.api.GetObject(o.ctx, o.s.o.Bucket, o.name, opts)
	if err != nil {
		return 0, o.s.fail("Open", o.name, err)
	}
	defer r.Close()
	n, err := io.ReadFull(r, p)
	if err == nil || errors.Is(err, io.EOF) {
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
	name := s.name(account, h)
	st, err := s.api.StatObject(ctx, s.o.Bucket, name, minio.StatObjectOptions{})
	if err != nil {
		return nil, s.fail("Open", name, err)
	}
	return blob.NewVerified(object{s, ctx, name}, st.Size, h)
}

// Stat implements [blob.Store].
func (s *Store) Stat(ctx context.Context, account holdfast.ID, h holdfast.Hash) (blob.Info, error) {
	name := s.name(account, h)
	st, err := s.api.StatObject(ctx, s.o.Bucket, name, minio.StatObjectOptions{})
	if err != nil {
		return blob.Info{}, s.fail("Stat", name, err)
	}
	return info(account, h, st), nil
}

func info(account holdfast.ID, h holdfast.Hash, st minio.ObjectInfo) blob.Info {
	size, _ := blob.SizeStored(st.Size)
	return blob.Info{Account: account, Blob: holdfast.Blob{Hash: h, Size: max(0, size)}, Made: st.LastModified.UTC()}
}

// List implements [blob.Store]. Objects that are no blobs are passed over.
func (s *Store) List(ctx context.Context, account holdfast.ID, after *holdfast.Hash, limit int, fn func(blob.Info) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	prefix := s.o.Prefix + account.String() + "/"
	o := minio.ListObjectsOptions{Prefix: prefix, Recursive: true}
	if after != nil {
		o.StartAfter = prefix + after.String()
	}
	n := 0
	for st := range s.api.ListObjectsIter(ctx, s.o.Bucket, o) {
		if st.Err != nil {
			return s.fail("List", prefix, st.Err)
		}
		h, err := holdfast.ParseHash(strings.TrimPrefix(st.Key, prefix))
		if err != nil {
			continue
		}
		if err := fn(info(account, h, st)); err != nil {
			return err
		}
		if n++; n == limit {
			return nil
		}
	}
	return nil
}

// Accounts implements [blob.Store].
func (s *Store) Accounts(ctx context.Context) (out []holdfast.ID, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for st := range s.api.ListObjectsIter(ctx, s.o.Bucket, minio.ListObjectsOptions{Prefix: s.o.Prefix}) {
		if st.Err != nil {
			return nil, s.fail("List", s.o.Bucket, st.Err)
		}
		if id, err := holdfast.ParseID(strings.TrimSuffix(strings.TrimPrefix(st.Key, s.o.Prefix), "/")); err == nil {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, holdfast.ID.Compare)
	return out, nil
}

// Verify implements [blob.Store].
func (s *Store) Verify(ctx context.Context, account holdfast.ID, h holdfast.Hash) error {
	v, err := s.open(ctx, account, h)
	if err != nil {
		return err
	}
	return v.Verify(ctx)
}

// Remove implements [blob.Store]. The protocol does not tell whether there was anything to remove, so it is asked before.
func (s *Store) Remove(ctx context.Context, account holdfast.ID, h holdfast.Hash) error {
	if _, err := s.Stat(ctx, account, h); err != nil {
		return err
	}
	name := s.name(account, h)
	if err := s.api.RemoveObject(ctx, s.o.Bucket, name, minio.RemoveObjectOptions{}); err != nil {
		return s.fail("Remove", name, err)
	}
	return nil
}
