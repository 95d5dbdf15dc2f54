// Package disk keeps blobs as files in a directory:
//
//	.new/N                     what is being taken in; removed at the start
//	ACCOUNT/hh/HASH            a blob as package blob stores it; hh are the first two digits of its hash
//
// The calls of a blob that is put, and why they stand in this order (testdata/sequence.txt has them as they are made):
//
//	create .new/N              O_EXCL; its hash is known at its end only, so it is not where it will be
//	write  the octets, the sums, the trailer; from here on they can be read, and copied elsewhere
//	mkdir  ACCOUNT, ACCOUNT/hh
//	sync   .new/N              the content must be durable before a name points at it
//	close                      reports late errors (NFS, quotas)
//	rename .new/N ACCOUNT/hh/HASH
//	sync   the root, ACCOUNT   once in the life of a process: whoever made the directories before may have been killed before this. It stands behind the rename, as file systems with a journal make all three names durable at once then
//	sync   ACCOUNT/hh          now the name is durable: only after this is a put acknowledged
//
// A power cut between leaves a file in .new, which the next start removes, or a blob that nobody was told of, which is whole. The sync of a file that fails costs that file: it is removed. After the failed sync of a
// directory nothing is taken any more until the store is opened again, as nobody knows which names are durable.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/vfs"
)

// staging is where files lie until they are whole. No account's id begins with a dot.
const staging = ".new"

// maxKnown bounds what is remembered of directories.
const maxKnown = 100_000

// Store is a store in a directory that nobody else writes into: its owner has the lease of the data directory.
type Store struct {
	fs   vfs.FS
	root string
	next atomic.Int64 // the name of the next file in staging

	mu     sync.Mutex
	known  map[string]bool // directories whose names are durable
	failed error           // a directory could not be synced
}

var _ blob.Store = (*Store)(nil)

// Open opens the store in a directory, which it makes where it is missing, and removes what interrupted uploads left. Errors: Full, Unavailable.
func Open(fsys vfs.FS, root string) (*Store, error) {
	s := &Store{fs: fsys, root: root, known: map[string]bool{}}
	dir := filepath.Join(root, staging)
	for _, d := range []string{root, dir} { // both names, whoever made them before
		if err := vfs.MkdirDurable(fsys, d, 0o700); err != nil {
			return nil, s.fail("Open", d, err)
		}
	}
	left, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, s.fail("Open", root, err)
	}
	for _, e := range left {
		if err := fsys.Remove(filepath.Join(dir, e.Name())); err != nil {
			return nil, s.fail("Open", root, err)
		}
	}
	return s, nil
}

// String implements [blob.Store].
func (s *Store) String() string { return "directory " + s.root }

// Close implements [blob.Store].
func (s *Store) Close() error { return nil }

// Failed returns why nothing is taken any more; nil: it is.
func (s *Store) Failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// fail makes an error of the store, and remembers that of a directory that could not be synced.
func (s *Store) fail(op, ref string, err error) error {
	var known *holdfast.Error
	var sync *vfs.SyncError
	if errors.As(err, &sync) && sync.Dir {
		s.mu.Lock()
		s.failed = err
		s.mu.Unlock()
	}
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return blob.Err(op, holdfast.Full, s.root, "the disk of the files is full; make room there", err)
	}
	return blob.Err(op, holdfast.Unavailable, ref, "the disk of the files answered with an error", err)
}

func (s *Store) working(op string) error {
	if err := s.Failed(); err != nil {
		return blob.Err(op, holdfast.Unavailable, s.root, "the disk of the files failed to make a name durable; restart Holdfast once the disk is well", err)
	}
	return nil
}

func (s *Store) file(account holdfast.ID, h holdfast.Hash) string {
	name := h.String()
	return filepath.Join(s.root, account.String(), name[:2], name)
}

// Stage implements [blob.Store].
func (s *Store) Stage(ctx context.Context, account holdfast.ID, r io.Reader, limit int64) (blob.Staged, error) {
	if err := s.working("Put"); err != nil {
		return nil, err
	}
	name := filepath.Join(s.root, staging, fmt.Sprint(s.next.Add(1)))
	f, err := s.fs.OpenFile(name, vfs.O_RDWR|vfs.O_CREATE|vfs.O_EXCL, 0o600)
	if err != nil {
		return nil, s.fail("Put", name, err)
	}
	x := &staged{s: s, name: name, account: account, file: f}
	x.blob, err = blob.Take(ctx, f, r, limit, func(err error) error { return s.fail("Put", name, err) })
	if err != nil {
		x.Drop()
		return nil, err
	}
	return x, nil
}

type staged struct {
	s       *Store
	name    string
	account holdfast.ID
	blob    holdfast.Blob
	file    vfs.File // nil: closed
	gone    bool     // renamed or removed
}

func (x *staged) Blob() holdfast.Blob { return x.blob }

// Open implements [blob.Staged].
func (x *staged) Open(ctx context.Context) (blob.File, error) {
	v, err := x.s.openFile("Open", x.name, x.blob.Hash)
	if errors.Is(err, fs.ErrNotExist) { // it has its name already, or has given way to what had it
		return x.s.Open(ctx, x.account, x.blob.Hash)
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

// settle makes the content durable.
func (x *staged) settle() error {
	f := x.file
	if f == nil {
		return nil
	}
	x.file = nil
	err := f.SyncData()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return x.s.fail("Put", x.name, err)
	}
	return nil
}

// Drop implements [blob.Staged]. What cannot be removed now is at the next start.
func (x *staged) Drop() {
	if x.file != nil {
		x.file.Close()
		x.file = nil
	}
	if !x.gone {
		x.gone = true
		_ = x.s.fs.Remove(x.name)
	}
}

// Keep implements [blob.Staged].
func (x *staged) Keep(ctx context.Context) error {
	s, name := x.s, x.s.file(x.account, x.blob.Hash)
	if err := s.working("Put"); err != nil {
		return err
	}
	dir := filepath.Dir(name)
	if err := s.ready(dir); err != nil {
		return s.fail("Put", dir, err)
	}
	_, err := s.fs.Stat(name)
	was := err == nil
	if !was && !errors.Is(err, fs.ErrNotExist) {
		return s.fail("Put", name, err) // it may be there, and named
	}
	if was {
		err := s.Verify(ctx, x.account, x.blob.Hash)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil {
			return s.named(name) // whoever made it may have been killed before the directory's sync
		}
	}
	if err := x.settle(); err != nil {
		x.Drop()
		return err
	}
	if err := s.fs.Rename(x.name, name); err != nil {
		return s.fail("Put", name, err)
	}
	x.gone = true
	if err := s.named(name); err != nil {
		if !was {
			_ = s.fs.Remove(name) // the next who puts it must not take its name for durable
		}
		return err
	}
	return nil
}

// named makes a name durable, with those of the directories that it is in.
func (s *Store) named(name string) error {
	dir := filepath.Dir(name)
	for _, d := range s.unknown(dir) {
		if err := s.fs.SyncDir(filepath.Dir(d)); err != nil {
			return s.fail("Put", name, err)
		}
		s.mu.Lock()
		if len(s.known) >= maxKnown {
			clear(s.known)
		}
		s.known[d] = true
		s.mu.Unlock()
	}
	return s.synced("Put", dir)
}

func (s *Store) synced(op, dir string) error {
	if err := s.fs.SyncDir(dir); err != nil {
		return s.fail(op, dir, err)
	}
	return nil
}

// unknown returns which of a blob's directory and that of its account may have a name that is not durable, the outer one first.
func (s *Store) unknown(dir string) (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range []string{filepath.Dir(dir), dir} {
		if !s.known[d] {
			list = append(list, d)
		}
	}
	return list
}

// ready makes the directory of a blob and that of its account. The root is never made here: where it is missing, its disk is.
func (s *Store) ready(dir string) error {
	for _, d := range s.unknown(dir) {
		if err := s.fs.Mkdir(d, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// source makes the errors of a file those of the store.
type source struct {
	vfs.File
	s *Store
}

func (f source) ReadAt(p []byte, at int64) (int, error) {
	n, err := f.File.ReadAt(p, at)
	if err != nil && !errors.Is(err, io.EOF) {
		err = f.s.fail("Open", f.Name(), err)
	}
	return n, err
}

// Open implements [blob.Store].
func (s *Store) Open(_ context.Context, account holdfast.ID, h holdfast.Hash) (blob.File, error) {
	v, err := s.open("Open", account, h)
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (s *Store) open(op string, account holdfast.ID, h holdfast.Hash) (*blob.Verified, error) {
	v, err := s.openFile(op, s.file(account, h), h)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, s.missing(op, h, err)
	}
	return v, err
}

// openFile opens the file that a blob is in. Errors: fs.ErrNotExist as it is.
func (s *Store) openFile(op, name string, h holdfast.Hash) (*blob.Verified, error) {
	f, err := s.fs.OpenFile(name, vfs.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, s.fail(op, name, err)
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, s.fail(op, name, err)
	}
	return blob.NewVerified(source{f, s}, st.Size(), h)
}

// missing tells a blob that is not there from a disk that is not.
func (s *Store) missing(op string, h holdfast.Hash, err error) error {
	if _, e := s.fs.Stat(filepath.Join(s.root, staging)); e != nil {
		return blob.Err(op, holdfast.Unavailable, s.root, "the directory of the files is not there; is its disk mounted?", err)
	}
	return blob.NoSuch(op, h)
}

// Stat implements [blob.Store].
func (s *Store) Stat(_ context.Context, account holdfast.ID, h holdfast.Hash) (blob.Info, error) {
	name := s.file(account, h)
	st, err := s.fs.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return blob.Info{}, s.missing("Stat", h, err)
	case err != nil:
		return blob.Info{}, s.fail("Stat", name, err)
	}
	return info(account, h, st), nil
}

// info describes a blob by its file. Of one that was cut off the size is about what it was.
func info(account holdfast.ID, h holdfast.Hash, st fs.FileInfo) blob.Info {
	size, _ := blob.SizeStored(st.Size())
	return blob.Info{Account: account, Blob: holdfast.Blob{Hash: h, Size: max(0, size)}, Made: st.ModTime().UTC()}
}

// errEnough ends a listing.
var errEnough = errors.New("enough")

// List implements [blob.Store].
func (s *Store) List(ctx context.Context, account holdfast.ID, after *holdfast.Hash, limit int, fn func(blob.Info) error) error {
	top := filepath.Join(s.root, account.String())
	parts, err := s.dir("List", top)
	if err != nil {
		return err
	}
	var from string
	if after != nil {
		from = after.String()
	}
	n := 0
	for _, part := range parts {
		if len(part.Name()) != 2 || from != "" && part.Name() < from[:2] {
			continue
		}
		err := s.part(ctx, account, filepath.Join(top, part.Name()), from, func(i blob.Info) error {
			if err := fn(i); err != nil {
				return err
			}
			if n++; n == limit {
				return errEnough
			}
			return nil
		})
		if err == errEnough {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// part lists one directory of blobs, above from. Files that are no blobs are passed over.
func (s *Store) part(ctx context.Context, account holdfast.ID, dir, from string, fn func(blob.Info) error) error {
	list, err := s.dir("List", dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		h, err := holdfast.ParseHash(e.Name())
		if err != nil || e.Name() <= from || filepath.Base(dir) != e.Name()[:2] {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		st, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return s.fail("List", e.Name(), err)
		}
		if err := fn(info(account, h, st)); err != nil {
			return err
		}
	}
	return nil
}

// dir lists a directory; one that is not there is empty.
func (s *Store) dir(op, name string) ([]fs.DirEntry, error) {
	list, err := s.fs.ReadDir(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err = s.missing(op, holdfast.Hash{}, err); holdfast.IsKind(err, holdfast.NotFound) {
			err = nil
		}
		return nil, err
	}
	if err != nil {
		return nil, s.fail(op, name, err)
	}
	return list, nil
}

// Accounts implements [blob.Store].
func (s *Store) Accounts(context.Context) ([]holdfast.ID, error) {
	list, err := s.dir("List", s.root)
	if err != nil {
		return nil, err
	}
	var out []holdfast.ID
	for _, e := range list {
		if id, err := holdfast.ParseID(e.Name()); err == nil {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, holdfast.ID.Compare)
	return out, nil
}

// Verify implements [blob.Store].
func (s *Store) Verify(ctx context.Context, account holdfast.ID, h holdfast.Hash) error {
	v, err := s.open("Verify", account, h)
	if err != nil {
		return err
	}
	defer v.Close()
	return v.Verify(ctx)
}

// Remove implements [blob.Store].
func (s *Store) Remove(_ context.Context, account holdfast.ID, h holdfast.Hash) error {
	if err := s.working("Remove"); err != nil {
		return err
	}
	name := s.file(account, h)
	switch err := s.fs.Remove(name); {
	case errors.Is(err, fs.ErrNotExist):
		return s.missing("Remove", h, err)
	case err != nil:
		return s.fail("Remove", name, err)
	}
	return s.synced("Remove", filepath.Dir(name))
}
