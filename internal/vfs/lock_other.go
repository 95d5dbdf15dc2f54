//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package vfs

import (
	"errors"
	"os"
)

// tryLock: without flock there is no lease that is surely given back when the
// process is killed, so there is none at all.
func tryLock(*os.File) error { return errors.ErrUnsupported }
