package vfs

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// The flags of FS.OpenFile, those of package os.
const (
	O_RDONLY = os.O_RDONLY
	O_RDWR   = os.O_RDWR
	O_CREATE = os.O_CREATE
	O_EXCL   = os.O_EXCL
	O_TRUNC  = os.O_TRUNC
)

// OS is the machine's own file system.
var OS FS = osFS{}

type osFS struct{}

func (osFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) Rename(oldname, newname string) error { return os.Rename(oldname, newname) }

func (osFS) Link(oldname, newname string) error {
	err := os.Link(oldname, newname)
	// EPERM is how Linux says that the file system has no links, EMLINK that
	// this file has too many; the errors package knows ENOSYS and EOPNOTSUPP.
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EMLINK) {
		return errors.Join(err, errors.ErrUnsupported)
	}
	return err
}

func (osFS) Remove(name string) error { return os.Remove(name) }

func (osFS) Mkdir(name string, perm fs.FileMode) error { return os.Mkdir(name, perm) }

func (osFS) SyncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return &SyncError{Path: name, Dir: true, Err: err}
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return &SyncError{Path: name, Dir: true, Err: cause(err)}
	}
	return nil
}

func (osFS) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

func (osFS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }

func (osFS) OpenLocked(name string, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, perm)
	if err != nil {
		return nil, err
	}
	if err := tryLock(f); err != nil {
		f.Close()
		return nil, &fs.PathError{Op: "lock", Path: name, Err: err}
	}
	return osFile{f}, nil
}

type osFile struct{ *os.File }

func (f osFile) Allocate(size int64) error { return allocate(f.File, size) }

func (f osFile) Sync() error {
	if err := f.File.Sync(); err != nil {
		return &SyncError{Path: f.Name(), Err: cause(err)}
	}
	return nil
}

func (f osFile) SyncData() error {
	if err := syncData(f.File); err != nil {
		return &SyncError{Path: f.Name(), Err: cause(err)}
	}
	return nil
}

// cause strips the path that a SyncError says already.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
