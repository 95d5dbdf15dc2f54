package vfs

import (
	"errors"
	"os"
	"syscall"
)

// allocate reserves the blocks of f up to size with fallocate(2), mode 0, which
// also extends the file.
func allocate(f *os.File, size int64) error {
	if size == 0 {
		return nil // fallocate calls an empty range invalid
	}
	for {
		err := syscall.Fallocate(int(f.Fd()), 0, 0, size)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return &os.PathError{Op: "fallocate", Path: f.Name(), Err: err}
		}
		return nil
	}
}

// syncData is fdatasync(2).
func syncData(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
