// Package vfs holds the durable file calls for the few files that Holdfast
// writes outside of its database: the identity marker, the configuration, the
// recovery key, the ballast, the files of a vault.
//
// [FS] is the seam: production uses [OS], tests put a recorder, a fault or a
// simulated disk (package crashfs) in its place. The functions of this package
// build durable steps out of the small calls of the seam: [WriteFileAtomic]
// replaces a file, [CreateExclusive] never overwrites one, [Preallocate] keeps
// space in reserve, [AcquireLease] lets one process at a time own a directory.
//
// Two rules hold everywhere. A name is durable only after its directory was
// synced. And after a failed fsync nobody tries again: the kernel may have
// dropped the pages that it could not write and will report success the second
// time. Such a failure is a [*SyncError]; its owner stops acknowledging.
package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"syscall"
)

// FS is the set of file calls that durable steps are made of. Names are paths
// as the operating system writes them. Flags and permissions are those of
// os.OpenFile. Errors satisfy errors.Is with fs.ErrExist and fs.ErrNotExist.
type FS interface {
	// OpenFile opens the file with the flags O_RDONLY, O_RDWR, O_CREATE, O_EXCL
	// and O_TRUNC of package os.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	// Rename gives a file its new name and replaces what had that name before.
	// It is atomic for those who look, and durable only after SyncDir.
	Rename(oldname, newname string) error
	// Link gives the file a second name. It fails with fs.ErrExist when the name
	// is taken and with errors.ErrUnsupported when the file system has no links.
	Link(oldname, newname string) error
	// Remove deletes a file or an empty directory.
	Remove(name string) error
	// Mkdir creates one directory.
	Mkdir(name string, perm fs.FileMode) error
	// SyncDir makes the names inside of the directory durable. Its failure is a
	// *SyncError.
	SyncDir(name string) error
	// Stat describes the file, following symbolic links.
	Stat(name string) (fs.FileInfo, error)
	// ReadDir lists the directory, sorted by name.
	ReadDir(name string) ([]fs.DirEntry, error)
	// OpenLocked opens the file, creating it with perm if need be, and takes an
	// exclusive lock on it that lasts until the file is closed or the process
	// ends. It never waits: a lock held by another is ErrLocked.
	OpenLocked(name string, perm fs.FileMode) (File, error)
}

// File is an open file. Close reports errors that the system kept until then.
type File interface {
	io.Reader
	io.Writer
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Name returns the name that the file was opened with.
	Name() string
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
	// Allocate reserves space up to size octets and extends the file to at
	// least that size, in octets that read as zero. Where the file system cannot
	// reserve, the error is errors.ErrUnsupported.
	Allocate(size int64) error
	// Sync makes content and size durable, not the name. Its failure is a
	// *SyncError and final: do not call it again.
	Sync() error
	// SyncData makes content durable, and of the rest only what reading it back
	// needs: cheaper than Sync where the size stays the same. Its failure is a
	// *SyncError and final.
	SyncData() error
}

// ErrLocked says that another open file holds the lock.
var ErrLocked = errors.New("locked by another")

// SyncError says that an fsync failed: what was written before it may or may
// not be durable, and asking again would prove nothing.
type SyncError struct {
	Path string // the file or directory
	Dir  bool   // a directory: names may be lost; otherwise content may be lost
	Err  error
}

func (e *SyncError) Error() string {
	kind := "file"
	if e.Dir {
		kind = "directory"
	}
	return fmt.Sprintf("fsync %s %s: %v", kind, e.Path, e.Err)
}

func (e *SyncError) Unwrap() error { return e.Err }

// IsSyncError reports whether an fsync failed somewhere inside of err.
func IsSyncError(err error) bool {
	var s *SyncError
	return errors.As(err, &s)
}

// ReadFile returns the whole content of the file.
func ReadFile(fsys FS, name string) ([]byte, error) {
	f, err := fsys.OpenFile(name, O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// MkdirDurable creates the directory and its missing parents, each with perm,
// and makes their names durable. The name of a directory that exists is synced
// as well, as its creator may have been killed in between, but there a parent
// that we may not read, or that cannot be synced, is no error.
func MkdirDurable(fsys FS, name string, perm fs.FileMode) error {
	name = filepath.Clean(name)
	parent := filepath.Dir(name)
	switch st, err := fsys.Stat(name); {
	case err == nil && !st.IsDir():
		return &fs.PathError{Op: "mkdir", Path: name, Err: fs.ErrExist}
	case err == nil:
		err := fsys.SyncDir(parent)
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
			return nil
		}
		return err
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if parent != name {
		if err := MkdirDurable(fsys, parent, perm); err != nil {
			return err
		}
	}
	if err := fsys.Mkdir(name, perm); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return fsys.SyncDir(parent)
}

// isTemp reports whether base is a name that tempFile gives.
func isTemp(base string) bool {
	ok, _ := path.Match(".*.tmp[0-9]*", base)
	return ok
}
