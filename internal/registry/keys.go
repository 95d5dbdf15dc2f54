package registry

import (
	"errors"
	"io/fs"
	"path/filepath"

	"holdfast"
	"holdfast/internal/seal"
	"holdfast/internal/vfs"
)

// ReadKeys returns the keys of a data directory. Errors: NotFound (it has none), Invalid; no text names a secret.
func ReadKeys(fsys vfs.FS, dir string) (*seal.Ring, error) {
	name := filepath.Join(dir, KeysName)
	b, err := vfs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fail("ReadKeys", holdfast.NotFound, name, "the store has no keys; `holdfast key init` makes them", nil)
	}
	if err != nil {
		return nil, fail("ReadKeys", holdfast.Unavailable, name, "the server's keys cannot be read", err)
	}
	r, err := seal.ParseRing(b)
	if err != nil {
		return nil, fail("ReadKeys", holdfast.Invalid, name, "the server's keys cannot be understood; put the file back from a copy, or restore the store with its recovery key", err)
	}
	return r, nil
}

// WriteKeys replaces the keys of a data directory, durably.
func WriteKeys(fsys vfs.FS, dir string, r *seal.Ring) error {
	return vfs.WriteFileAtomic(fsys, filepath.Join(dir, KeysName), r.Encode(), 0o600)
}
