package sqlitevfs

import (
	"errors"
	"io"
	"path"
	"syscall"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	sqlite "github.com/ncruces/go-sqlite3/vfs"

	"holdfast/internal/vfs"
)

// file is an open database, journal or WAL. SQLite uses a file from one
// goroutine at a time.
type file struct {
	f          vfs.File
	v          *FS
	name       string
	gen        int
	dirSync    bool // the first sync also syncs the directory
	psow       bool
	persistWAL bool
	shm        sqlite.SharedMemory
	table      *lockTable
	level      sqlite.LockLevel
}

var (
	_ sqlite.FileLockState          = (*file)(nil)
	_ sqlite.FilePersistWAL         = (*file)(nil)
	_ sqlite.FilePowersafeOverwrite = (*file)(nil)
	_ sqlite.FileSharedMemory       = (*file)(nil)
)

func (h *file) Close() error {
	if h.shm != nil {
		h.shm.Close()
	}
	h.Unlock(sqlite.LOCK_NONE)
	return code(h.f.Close(), sqlite3.IOERR_CLOSE)
}

func (h *file) ReadAt(p []byte, off int64) (int, error) {
	n, err := h.f.ReadAt(p, off)
	if err == io.EOF {
		return n, err // SQLite fills the rest with zeros
	}
	return n, code(err, sqlite3.IOERR_READ)
}

func (h *file) WriteAt(p []byte, off int64) (int, error) {
	n, err := h.f.WriteAt(p, off)
	if errors.Is(err, syscall.ENOSPC) {
		return n, sqlite.SystemError(err, sqlite3.FULL)
	}
	return n, code(err, sqlite3.IOERR_WRITE)
}

func (h *file) Truncate(size int64) error {
	return code(h.f.Truncate(size), sqlite3.IOERR_TRUNCATE)
}

func (h *file) Sync(sqlite.SyncFlag) error {
	if err := h.f.Sync(); err != nil {
		return code(err, sqlite3.IOERR_FSYNC)
	}
	if !h.dirSync {
		return nil
	}
	h.dirSync = false
	return code(h.v.files.SyncDir(path.Dir(h.name)), sqlite3.IOERR_DIR_FSYNC)
}

func (h *file) Size() (int64, error) {
	st, err := h.f.Stat()
	if err != nil {
		return 0, code(err, sqlite3.IOERR_FSTAT)
	}
	return st.Size(), nil
}

// SectorSize is what the unix VFS says of any disk.
func (h *file) SectorSize() int { return 4096 }

func (h *file) DeviceCharacteristics() sqlite.DeviceCharacteristic {
	c := sqlite.IOCAP_SUBPAGE_READ
	if h.psow {
		c |= sqlite.IOCAP_POWERSAFE_OVERWRITE
	}
	return c
}

func (h *file) PowersafeOverwrite() bool          { return h.psow }
func (h *file) SetPowersafeOverwrite(on bool)     { h.psow = on }
func (h *file) PersistWAL() bool                  { return h.persistWAL }
func (h *file) SetPersistWAL(keep bool)           { h.persistWAL = keep }
func (h *file) SharedMemory() sqlite.SharedMemory { return h.shm }
func (h *file) LockState() sqlite.LockLevel       { return h.level }
func (h *file) Lock(to sqlite.LockLevel) error    { return h.table.lock(h, to) }
func (h *file) Unlock(to sqlite.LockLevel) error  { h.table.unlock(h, to); return nil }
func (h *file) CheckReservedLock() (bool, error)  { return h.table.isReserved(), nil }

// tempFile is what SQLite spills; it has no name and outlives nothing.
type tempFile struct{ *vfsutil.SliceFile }

func newTempFile() tempFile { return tempFile{&vfsutil.SliceFile{}} }

func (tempFile) Lock(sqlite.LockLevel) error      { return nil }
func (tempFile) Unlock(sqlite.LockLevel) error    { return nil }
func (tempFile) CheckReservedLock() (bool, error) { return false, nil }
