package vfs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
)

// Preallocate makes the file exactly size octets long, creating it if need be,
// on blocks that are really taken, durably. It is ballast: remove the file when
// the disk is full, and there is room to end in order. Its content means
// nothing.
//
// It asks the file system to reserve the blocks (fallocate); where that is not
// known, it writes octets that do not compress. Known limits: on file systems
// that copy on write, a snapshot keeps the blocks of a removed file; some of
// them (ZFS) accept the call and reserve nothing.
//
// On an error the file may be shorter than asked; calling it again continues.
func Preallocate(fsys FS, name string, size int64) error {
	if err := preallocate(fsys, name, size); err != nil {
		return fmt.Errorf("preallocate %s: %w", name, err)
	}
	return fsys.SyncDir(filepath.Dir(name))
}

func preallocate(fsys FS, name string, size int64) (err error) {
	f, err := fsys.OpenFile(name, O_RDWR|O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if st.Size() > size {
		if err := f.Truncate(size); err != nil {
			return err
		}
	}
	err = f.Allocate(size)
	if errors.Is(err, errors.ErrUnsupported) {
		err = fill(f, min(st.Size(), size), size)
	}
	if err != nil {
		return err
	}
	return f.Sync()
}

// fill writes octets that do not compress from offset from up to size.
func fill(f File, from, size int64) error {
	noise := rand.NewChaCha8([32]byte{1}) // not a secret: any noise will do
	buf := make([]byte, 64<<10)
	for off := from; off < size; {
		n := min(int64(len(buf)), size-off)
		_, _ = noise.Read(buf[:n]) // never fails
		if _, err := f.WriteAt(buf[:n], off); err != nil {
			return err
		}
		off += n
	}
	return nil
}
