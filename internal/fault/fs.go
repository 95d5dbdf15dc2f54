package fault

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"holdfast/internal/vfs"
)

// FS is a file system whose calls go wrong as its plan says. Counted are the calls that change something or make it durable, and with Plan.Reads opening for reading, reading, and looking at files and directories. A failed sync is a [vfs.SyncError].
type FS struct {
	vfs.FS
	plan *Plan
}

var _ vfs.FS = (*FS)(nil)

// WrapFS returns the file system with the faults of plan.
func WrapFS(fsys vfs.FS, plan *Plan) *FS { return &FS{fsys, plan} }

// do makes one call, or what the plan makes of it.
func (p *Plan) do(call, name string, reading bool, do, half func() error) error {
	act := p.next(context.Background(), call+" "+name, reading)
	errno := syscall.EIO
	switch act {
	case None:
		return do()
	case Lie:
		return nil
	case Full:
		errno = syscall.ENOSPC
	case After:
		if err := do(); err != nil {
			return err
		}
	case Half:
		if half == nil {
			break
		}
		if err := half(); err != nil {
			return err
		}
	}
	return &fs.PathError{Op: call, Path: name, Err: fmt.Errorf("%w: %w", ErrFault, errno)}
}

// open makes a call that gives a file. A lie about it is no lie: there would be no file to give.
func (f *FS) open(call, name string, reading bool, do func() (vfs.File, error)) (vfs.File, error) {
	var got vfs.File
	open := func() (err error) { got, err = do(); return err }
	err := f.plan.do(call, name, reading, open, nil)
	if err == nil && got == nil {
		err = open()
	}
	if err != nil {
		if got != nil {
			got.Close() // what was asked for failed, after its effect
		}
		return nil, err
	}
	return &file{got, f.plan}, nil
}

// OpenFile implements vfs.FS.
func (f *FS) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	call := "open"
	if flag&vfs.O_CREATE != 0 {
		call = "create"
	}
	return f.open(call, name, flag == vfs.O_RDONLY, func() (vfs.File, error) { return f.FS.OpenFile(name, flag, perm) })
}

// OpenLocked implements vfs.FS.
func (f *FS) OpenLocked(name string, perm fs.FileMode) (vfs.File, error) {
	return f.open("lock", name, false, func() (vfs.File, error) { return f.FS.OpenLocked(name, perm) })
}

// Rename implements vfs.FS.
func (f *FS) Rename(oldname, newname string) error {
	return f.plan.do("rename", newname, false, func() error { return f.FS.Rename(oldname, newname) }, nil)
}

// Link implements vfs.FS.
func (f *FS) Link(oldname, newname string) error {
	return f.plan.do("link", newname, false, func() error { return f.FS.Link(oldname, newname) }, nil)
}

// Remove implements vfs.FS.
func (f *FS) Remove(name string) error {
	return f.plan.do("remove", name, false, func() error { return f.FS.Remove(name) }, nil)
}

// Mkdir implements vfs.FS.
func (f *FS) Mkdir(name string, perm fs.FileMode) error {
	return f.plan.do("mkdir", name, false, func() error { return f.FS.Mkdir(name, perm) }, nil)
}

// SyncDir implements vfs.FS.
func (f *FS) SyncDir(name string) error {
	return asSync(f.plan.do("syncdir", name, false, func() error { return f.FS.SyncDir(name) }, nil), name, true)
}

func asSync(err error, name string, dir bool) error {
	if err == nil || vfs.IsSyncError(err) {
		return err
	}
	return &vfs.SyncError{Path: name, Dir: dir, Err: err}
}

// Stat implements vfs.FS. A lie says that there is no such file.
func (f *FS) Stat(name string) (st fs.FileInfo, err error) {
	err = f.plan.do("stat", name, true, func() (err error) { st, err = f.FS.Stat(name); return err }, nil)
	if err == nil && st == nil {
		err = &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return st, err
}

// ReadDir implements vfs.FS. A lie is an empty directory.
func (f *FS) ReadDir(name string) (list []fs.DirEntry, err error) {
	err = f.plan.do("readdir", name, true, func() (err error) { list, err = f.FS.ReadDir(name); return err }, nil)
	return list, err
}

type file struct {
	vfs.File
	plan *Plan
}

// octets makes a call that moves octets; a lie about a write says that all of them were written.
func (f *file) octets(call string, b []byte, do func([]byte) (int, error)) (n int, err error) {
	err = f.plan.do(call, f.Name(), false, func() (err error) { n, err = do(b); return err }, func() (err error) { n, err = do(b[:len(b)/2]); return err })
	if err == nil && n == 0 {
		n = len(b)
	}
	return n, err
}

func (f *file) Write(b []byte) (int, error) { return f.octets("write", b, f.File.Write) }

func (f *file) WriteAt(b []byte, at int64) (int, error) {
	return f.octets("write", b, func(b []byte) (int, error) { return f.File.WriteAt(b, at) })
}

// reading makes a call that reads; a lie turns one bit of the first octet.
func (f *file) reading(b []byte, do func([]byte) (int, error)) (n int, err error) {
	done := false
	var end error
	read := func(b []byte) error {
		done = true
		if n, end = do(b); end == io.EOF {
			return nil
		}
		return end
	}
	err = f.plan.do("read", f.Name(), true, func() error { return read(b) }, func() error { return read(b[:len(b)/2]) })
	if err != nil {
		return n, err
	}
	if !done {
		if err := read(b); err != nil {
			return n, err
		}
		if n > 0 {
			b[0] ^= 1
		}
	}
	return n, end
}

func (f *file) Read(b []byte) (int, error) { return f.reading(b, f.File.Read) }

func (f *file) ReadAt(b []byte, at int64) (int, error) {
	return f.reading(b, func(b []byte) (int, error) { return f.File.ReadAt(b, at) })
}

func (f *file) Truncate(size int64) error {
	return f.plan.do("truncate", f.Name(), false, func() error { return f.File.Truncate(size) }, nil)
}

func (f *file) Allocate(size int64) error {
	return f.plan.do("allocate", f.Name(), false, func() error { return f.File.Allocate(size) }, nil)
}

func (f *file) Sync() error {
	return asSync(f.plan.do("sync", f.Name(), false, f.File.Sync, nil), f.Name(), false)
}

func (f *file) SyncData() error {
	return asSync(f.plan.do("sync", f.Name(), false, f.File.SyncData, nil), f.Name(), false)
}
