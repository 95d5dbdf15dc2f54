package vfs

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// A Lease is the right of one process to own what a file stands for. It is an
// advisory lock of the system (flock): Release, the end of the process, kill -9
// and a power cut all give it back. The file itself stays.
type Lease struct{ f File }

// HeldError says who holds a lease. It satisfies errors.Is with [ErrLocked].
type HeldError struct {
	Path string
	PID  int // the holder's process id, 0 when not known; only for the message
}

func (e *HeldError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%s is held by another process", e.Path)
	}
	return fmt.Sprintf("%s is held by process %d", e.Path, e.PID)
}

func (e *HeldError) Unwrap() error { return ErrLocked }

// AcquireLease takes the lease that the file name stands for, without waiting.
// If another process, or another part of this one, holds it, the error is a
// *HeldError. Only the lock counts; the process id inside of the file is a hint
// and may be stale.
//
// Known: a lock of Linux is by open file, so forked children that inherit the
// descriptor would hold it too; Go opens all files close-on-exec. On NFS, flock
// is a lock of the server, if it has any.
func AcquireLease(fsys FS, name string) (*Lease, error) {
	f, err := fsys.OpenLocked(name, 0o600)
	if errors.Is(err, ErrLocked) {
		return nil, &HeldError{Path: name, PID: holder(fsys, name)}
	}
	if err != nil {
		return nil, fmt.Errorf("lease %s: %w", name, err)
	}
	if err := f.Truncate(0); err == nil { // only a hint: a full disk must not keep anybody from the lease
		_, _ = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
	return &Lease{f}, nil
}

// Release gives the lease back.
func (l *Lease) Release() error { return l.f.Close() }

func holder(fsys FS, name string) int {
	b, err := ReadFile(fsys, name)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}
