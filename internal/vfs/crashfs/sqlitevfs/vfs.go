// Package sqlitevfs puts a simulated disk (package crashfs) under SQLite, for
// tests. It is a Go VFS for ncruces/go-sqlite3 that does what SQLite's own unix
// VFS does as far as durability goes, and nothing more.
//
// # What is assumed of the unix VFS (os_unix.c)
//
//   - xSync of any file syncs that file, with all flags alike.
//   - A rollback journal, a super-journal or a WAL that was opened with the
//     create flag, whether it existed or not, also syncs its directory, once, at
//     the first xSync of that handle. This is two operations of the disk, and
//     the power can go between them.
//   - A database file never syncs its directory. Its name becomes durable by the
//     first journal or WAL beside it.
//   - xDelete syncs the directory when it is asked to.
//   - Failing to open the directory is ignored there; here it cannot fail.
//
// The VFS that comes with ncruces up to 0.35.6 syncs the file a second time
// where the directory was meant. So the name of a new WAL is not durable with
// it. Here the right directory is synced; the option NoDirSync of crashfs shows
// what that costs.
//
// # What is not durable
//
// Locks and the shared memory of WAL mode live in this process and end with a
// power cut. The shared memory is a file in the system's temporary directory,
// one for each database and generation, because the interface of ncruces cannot
// be implemented outside of it. Temporary files are in memory.
package sqlitevfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ncruces/go-sqlite3"
	sqlite "github.com/ncruces/go-sqlite3/vfs"

	"holdfast/internal/vfs"
	"holdfast/internal/vfs/crashfs"
)

// FS is one simulated disk as SQLite sees it.
type FS struct {
	name   string
	disk   *crashfs.Disk
	files  vfs.FS
	shmDir string

	mu    sync.Mutex
	gen   int
	locks map[string]*lockTable // by path, of generation gen
}

// serial makes the names of Register unique in this process.
var serial atomic.Int64

// Register makes the disk known to SQLite. Open a database on it with FS.URI.
// Call Unregister when all connections are closed.
func Register(disk *crashfs.Disk) (*FS, error) {
	dir, err := os.MkdirTemp("", "crashfs-shm-")
	if err != nil {
		return nil, fmt.Errorf("shared memory of a simulated disk: %w", err)
	}
	v := &FS{
		name:   fmt.Sprintf("crashfs-%d", serial.Add(1)),
		disk:   disk,
		files:  disk.FS(),
		shmDir: dir,
	}
	sqlite.Register(v.name, driver{v})
	return v, nil
}

// Name returns the name of the VFS for the vfs parameter of a URI.
func (v *FS) Name() string { return v.name }

// URI returns what to open for the database file of that path on the disk.
func (v *FS) URI(name string) string { return "file:" + name + "?vfs=" + v.name }

// Unregister takes the VFS away and removes its temporary directory.
func (v *FS) Unregister() error {
	sqlite.Unregister(v.name)
	return os.RemoveAll(v.shmDir)
}

// table returns the locks of a database in the present generation.
func (v *FS) table(name string) (*lockTable, int) {
	gen := v.disk.Generation()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.locks == nil || v.gen != gen {
		v.locks, v.gen = map[string]*lockTable{}, gen
	}
	t := v.locks[name]
	if t == nil {
		t = &lockTable{}
		v.locks[name] = t
	}
	return t, gen
}

// shmPath returns the file for the shared memory of a database. The file of an
// older generation goes; connections of that time still hold it open.
func (v *FS) shmPath(name string, gen int) string {
	base := strings.ReplaceAll(name, "/", "_")
	if gen > 1 {
		os.Remove(filepath.Join(v.shmDir, fmt.Sprintf("%s.%d", base, gen-1)))
	}
	return filepath.Join(v.shmDir, fmt.Sprintf("%s.%d", base, gen))
}

// driver has the methods that SQLite calls, apart from those for tests.
type driver struct{ v *FS }

// FullPathname implements the VFS interface of ncruces. Links do not exist.
func (d driver) FullPathname(name string) (string, error) { return path.Clean("/" + name), nil }

// Access implements the VFS interface. Whoever sees a file may use it.
func (d driver) Access(name string, _ sqlite.AccessFlag) (bool, error) {
	_, err := d.v.files.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, code(err, sqlite3.IOERR_ACCESS)
}

// Delete implements the VFS interface.
func (d driver) Delete(name string, syncDir bool) error {
	err := d.v.files.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return code(err, sqlite3.IOERR_DELETE_NOENT)
	}
	if err != nil || !syncDir {
		return code(err, sqlite3.IOERR_DELETE)
	}
	return code(d.v.files.SyncDir(path.Dir(name)), sqlite3.IOERR_DIR_FSYNC)
}

// Open implements the VFS interface.
func (d driver) Open(name string, flags sqlite.OpenFlag) (sqlite.File, sqlite.OpenFlag, error) {
	if name == "" || flags&sqlite.OPEN_DELETEONCLOSE != 0 {
		return newTempFile(), flags, nil
	}
	flag := vfs.O_RDONLY
	if flags&sqlite.OPEN_READWRITE != 0 {
		flag = vfs.O_RDWR
	}
	if flags&sqlite.OPEN_CREATE != 0 {
		flag |= vfs.O_CREATE
	}
	if flags&sqlite.OPEN_EXCLUSIVE != 0 {
		flag |= vfs.O_EXCL
	}
	table, gen := d.v.table(name)
	f, err := d.v.files.OpenFile(name, flag, 0o644)
	if err != nil {
		return nil, flags, code(err, sqlite3.CANTOPEN)
	}
	const journals = sqlite.OPEN_MAIN_JOURNAL | sqlite.OPEN_SUPER_JOURNAL | sqlite.OPEN_WAL
	h := &file{
		f: f, v: d.v, name: name, table: table, gen: gen,
		dirSync: flags&sqlite.OPEN_CREATE != 0 && flags&journals != 0,
		psow:    d.v.disk.PowersafeOverwrite(),
	}
	if flags&sqlite.OPEN_MAIN_DB != 0 {
		h.shm = sqlite.NewSharedMemory(d.v.shmPath(name, gen), flags)
	}
	return h, flags, nil
}

// code gives an error the number that SQLite expects.
func code[T sqlite3.ErrorCode | sqlite3.ExtendedErrorCode](err error, c T) error {
	if err == nil {
		return nil
	}
	return sqlite.SystemError(err, c)
}
