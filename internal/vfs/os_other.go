//go:build !linux

package vfs

import (
	"errors"
	"os"
)

// allocate: the caller writes instead.
func allocate(f *os.File, _ int64) error {
	return &os.PathError{Op: "allocate", Path: f.Name(), Err: errors.ErrUnsupported}
}

// syncData is fsync where nothing cheaper is known.
func syncData(f *os.File) error { return f.Sync() }
