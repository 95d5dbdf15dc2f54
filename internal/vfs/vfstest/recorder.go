// Package vfstest has what tests put around a vfs.FS: a recorder that writes
// down each call that changes something, and makes chosen calls fail.
package vfstest

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"

	"holdfast/internal/vfs"
)

// Recorder is a vfs.FS that passes every call on to FS and writes a line about
// each one that matters for durability. Paths are shown relative to Root, so
// that the text can be compared with a golden file.
type Recorder struct {
	FS   vfs.FS
	Root string // cut off from the paths shown
	// Fault, if set, is asked before each recorded call; the error that it
	// returns is given to the caller, and the call is not made. The call is the
	// line as it is recorded, "fsync marker" for one.
	Fault func(call string) error

	mu  sync.Mutex
	log strings.Builder
}

// Text returns the lines recorded so far and starts afresh.
func (r *Recorder) Text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.log.String()
	r.log.Reset()
	return s
}

func (r *Recorder) rel(name string) string {
	p, err := filepath.Rel(r.Root, name)
	if err != nil {
		return name
	}
	return filepath.ToSlash(p)
}

// do records the call, then makes it unless a fault was asked for.
func (r *Recorder) do(call string, fn func() error) error {
	var err error
	if r.Fault != nil {
		err = r.Fault(call)
	}
	line := call
	if err != nil {
		line += "  (fault: " + err.Error() + ")"
	} else if err = fn(); err != nil {
		line += "  (failed)"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log.WriteString(line + "\n")
	return err
}

// OpenFile implements vfs.FS. Opening for reading alone is not recorded.
func (r *Recorder) OpenFile(name string, flag int, perm fs.FileMode) (f vfs.File, err error) {
	open := func() error { f, err = r.FS.OpenFile(name, flag, perm); return err }
	switch {
	case flag == vfs.O_RDONLY:
		err = open()
	case flag&vfs.O_EXCL != 0:
		err = r.do(fmt.Sprintf("create %s %v", r.rel(name), perm), open)
	default:
		err = r.do("open "+r.rel(name), open)
	}
	if err != nil {
		return nil, err
	}
	return &file{f, r}, nil
}

// OpenLocked implements vfs.FS.
func (r *Recorder) OpenLocked(name string, perm fs.FileMode) (f vfs.File, err error) {
	err = r.do("lock "+r.rel(name), func() error { f, err = r.FS.OpenLocked(name, perm); return err })
	if err != nil {
		return nil, err
	}
	return &file{f, r}, nil
}

// Rename implements vfs.FS.
func (r *Recorder) Rename(oldname, newname string) error {
	return r.do("rename "+r.rel(oldname)+" -> "+r.rel(newname), func() error { return r.FS.Rename(oldname, newname) })
}

// Link implements vfs.FS.
func (r *Recorder) Link(oldname, newname string) error {
	return r.do("link "+r.rel(oldname)+" -> "+r.rel(newname), func() error { return r.FS.Link(oldname, newname) })
}

// Remove implements vfs.FS.
func (r *Recorder) Remove(name string) error {
	return r.do("remove "+r.rel(name), func() error { return r.FS.Remove(name) })
}

// Mkdir implements vfs.FS.
func (r *Recorder) Mkdir(name string, perm fs.FileMode) error {
	return r.do(fmt.Sprintf("mkdir %s %v", r.rel(name), perm), func() error { return r.FS.Mkdir(name, perm) })
}

// SyncDir implements vfs.FS. A fault is wrapped as the vfs.SyncError that the
// real call would return.
func (r *Recorder) SyncDir(name string) error {
	err := r.do("fsync directory "+r.rel(name), func() error { return r.FS.SyncDir(name) })
	return asSyncError(err, name, true)
}

// Stat implements vfs.FS.
func (r *Recorder) Stat(name string) (fs.FileInfo, error) { return r.FS.Stat(name) }

// ReadDir implements vfs.FS.
func (r *Recorder) ReadDir(name string) ([]fs.DirEntry, error) { return r.FS.ReadDir(name) }

type file struct {
	vfs.File
	r *Recorder
}

func (f *file) name() string { return f.r.rel(f.Name()) }

func (f *file) Write(p []byte) (n int, err error) {
	err = f.r.do(fmt.Sprintf("write %s %d octets", f.name(), len(p)), func() error { n, err = f.File.Write(p); return err })
	return n, err
}

func (f *file) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.r.do(fmt.Sprintf("write %s %d octets at %d", f.name(), len(p), off), func() error { n, err = f.File.WriteAt(p, off); return err })
	return n, err
}

func (f *file) Truncate(size int64) error {
	return f.r.do(fmt.Sprintf("truncate %s to %d", f.name(), size), func() error { return f.File.Truncate(size) })
}

func (f *file) Allocate(size int64) error {
	return f.r.do(fmt.Sprintf("allocate %s %d", f.name(), size), func() error { return f.File.Allocate(size) })
}

func (f *file) Sync() error {
	return asSyncError(f.r.do("fsync "+f.name(), f.File.Sync), f.Name(), false)
}

func (f *file) SyncData() error {
	return asSyncError(f.r.do("fdatasync "+f.name(), f.File.SyncData), f.Name(), false)
}

// Close closes the file even when a fault was asked for, as the system does.
func (f *file) Close() error {
	err := f.r.do("close "+f.name(), f.File.Close)
	_ = f.File.Close()
	return err
}

func asSyncError(err error, name string, dir bool) error {
	if err == nil || vfs.IsSyncError(err) {
		return err
	}
	return &vfs.SyncError{Path: name, Dir: dir, Err: err}
}
