package sqlite

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/vfs"
)

// fullDisk is what the engine does when the disk is full: it takes no more changes, keeps serving reads, and gives up its ballast, a file kept for
// this day, so that checkpoints and the operator's own tools have room to work. Once there is room again it takes the ballast back and writes on.
type fullDisk struct {
	mu      sync.Mutex
	path    string
	size    int64
	clock   clock.Clock
	log     *slog.Logger
	full    bool
	checked time.Time
}

// recheck is how often a full disk is looked at again.
const recheck = 2 * time.Second

func (f *fullDisk) init(dir string, size int64, c clock.Clock, log *slog.Logger) {
	f.clock, f.log = c, log
	if size <= 0 || dir == "" {
		return
	}
	f.path, f.size = filepath.Join(dir, "ballast"), size
	if err := vfs.Preallocate(vfs.OS, f.path, size); err != nil {
		f.log.Warn("no room for the ballast that helps when the disk is full", "err", err)
	}
}

func (f *fullDisk) is() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.full
}

// set makes the store read-only and returns the answer for the change that met the full disk.
func (f *fullDisk) set(cause error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.full {
		f.log.Error("the disk is full: the store is read-only until there is room", "err", cause)
		if f.path != "" {
			os.Remove(f.path)
		}
	}
	f.full, f.checked = true, f.clock.Now()
	return f.answer(cause)
}

// tight is how little room is none: what SQLite makes beside the database takes pages of 32 KiB, and it says "I/O error" where there is not enough for one.
const tight = 256 << 10

// roomless names a full disk that another step than a commit met.
func (e *Engine) roomless(op string, err error) error {
	if err == nil {
		return nil
	}
	full := e.o.Driver.IsFull(err) || errors.Is(err, syscall.ENOSPC)
	if !full && e.o.Driver.IsBroken(err) && e.o.Dir != "" {
		room, serr := vfs.FreeSpace(e.o.Dir)
		full = serr == nil && room.Free < tight
	}
	if !full {
		return err
	}
	return &holdfast.Error{Op: "store." + op, Kind: holdfast.Full, Ref: e.o.Path, Text: "the disk of " + e.o.Path + " is full; make room there, and do the same again", Err: err}
}

func (f *fullDisk) answer(cause error) error {
	return &holdfast.Error{Op: "store.Commit", Kind: holdfast.Full, Text: "the server's disk is full; nothing was stored, and nothing stored was lost; free some space on it", Err: cause}
}

// refuse returns nil when the store may write, after looking at a full disk again.
func (f *fullDisk) refuse() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.full {
		return nil
	}
	now := f.clock.Now()
	if now.Sub(f.checked) < recheck && !now.Before(f.checked) {
		return f.answer(nil)
	}
	f.checked = now
	if f.path != "" {
		space, err := vfs.FreeSpace(filepath.Dir(f.path))
		if err != nil || space.Free < 2*f.size {
			return f.answer(err)
		}
		if err := vfs.Preallocate(vfs.OS, f.path, f.size); err != nil {
			return f.answer(err)
		}
	}
	f.full = false
	f.log.Info("there is room on the disk again: the store takes changes")
	return nil
}
