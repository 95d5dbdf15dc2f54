package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"holdfast"
	"holdfast/internal/store"
	"holdfast/internal/vfs"
)

// Schema returns the schema that the database of a directory has, and the newest that this program knows. Nothing is migrated; another process may be using the database. Errors: NotFound (there is no database), Invalid (it is another program's).
func Schema(dir string) (have, want int, err error) {
	files, err := schemas.ReadDir(".")
	if err != nil {
		return 0, 0, err
	}
	path := filepath.Join(dir, FileName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) { // opening it would make it
		return 0, 0, store.Err("Schema", holdfast.NotFound, path, "there is no database")
	}
	c, err := openConn(Zombiezen{}, path, 256)
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	if id, err := c.text("PRAGMA application_id"); err != nil || id != strconv.Itoa(applicationID) {
		return 0, 0, errors.Join(store.Err("Schema", holdfast.Invalid, path, "this is a database of another program (application id "+id+")"), err)
	}
	v, err := c.text("PRAGMA user_version")
	if err != nil {
		return 0, 0, err
	}
	have, err = strconv.Atoi(v)
	return have, len(files), err
}

// Copy writes the database of a directory into a new file of another one, as it is at one moment, whoever uses it meanwhile. It is durable when Copy returns. What a cut leaves is no database, or a whole one, under another name until the last step.
//
// The system calls: SQLite writes the copy under a name that ends in .part; fsync of it; rename; fsync of the directory.
func Copy(_ context.Context, from, to string) error {
	c, err := openConn(Zombiezen{}, filepath.Join(from, FileName), 2048)
	if err != nil {
		return err
	}
	defer c.Close()
	part := filepath.Join(to, FileName+".part")
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) { // of one that was cut
		return fmt.Errorf("sqlite.Copy: %w", err)
	}
	if err := c.Exec("VACUUM INTO '" + strings.ReplaceAll(part, "'", "''") + "'"); err != nil {
		if (Zombiezen{}).IsFull(err) {
			return store.Err("Copy", holdfast.Full, to, "there is no room for a copy of the database")
		}
		return fmt.Errorf("sqlite.Copy: %w", err)
	}
	f, err := vfs.OS.OpenFile(part, vfs.O_RDWR, 0)
	if err != nil {
		return err
	}
	err = f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("sqlite.Copy: %w", err)
	}
	if err := os.Rename(part, filepath.Join(to, FileName)); err != nil {
		return fmt.Errorf("sqlite.Copy: %w", err)
	}
	return vfs.OS.SyncDir(to)
}
