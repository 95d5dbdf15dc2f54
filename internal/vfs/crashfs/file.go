package crashfs

import (
	"io"
	"io/fs"
	"path"
	"slices"
	"syscall"
	"time"

	"holdfast/internal/vfs"
)

// file is an open file of one generation.
type file struct {
	d        *Disk
	n        *node
	gen      int
	name     string
	writable bool
	closed   bool
	pos      int64 // of Read and Write
}

// check returns why the handle cannot be used, if it cannot. mu is held.
func (f *file) check() error {
	switch {
	case f.closed:
		return fs.ErrClosed
	case f.d.off || f.gen != f.d.gen:
		return ErrPowerOff
	}
	return nil
}

func (f *file) Name() string { return f.name }

// Close succeeds also when the power is off, so that tests can tidy up.
func (f *file) Close() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.closed {
		return fail("close", f.name, fs.ErrClosed)
	}
	f.closed = true
	if f.d.locked[f.n] == f {
		delete(f.d.locked, f.n)
	}
	return nil
}

func (f *file) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, f.pos)
	f.pos += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.check(); err != nil {
		return 0, fail("read", f.name, err)
	}
	if off < 0 {
		return 0, fail("read", f.name, syscall.EINVAL)
	}
	n := 0
	if off < int64(len(f.n.cur)) {
		n = copy(p, f.n.cur[off:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) Write(p []byte) (int, error) {
	n, err := f.WriteAt(p, f.pos)
	f.pos += int64(n)
	return n, err
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	err := f.change("write", change{off: off, data: slices.Clone(p)})
	if err != nil {
		return 0, fail("write", f.name, err)
	}
	f.d.written += int64(len(p))
	return len(p), nil
}

func (f *file) Truncate(size int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	return fail("truncate", f.name, f.change("truncate", change{off: size}))
}

// Allocate extends the file. The room is taken from the capacity at once.
func (f *file) Allocate(size int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if size <= int64(len(f.n.cur)) {
		return fail("allocate", f.name, f.check())
	}
	return fail("allocate", f.name, f.change("allocate", change{off: size}))
}

// change issues c. mu is held.
func (f *file) change(what string, c change) error {
	if err := f.check(); err != nil {
		return err
	}
	if !f.writable {
		return syscall.EBADF
	}
	if c.off < 0 {
		return syscall.EINVAL
	}
	if err := f.d.room(int64(len(f.n.cur)), c.off+int64(len(c.data))); err != nil {
		return err
	}
	cut, err := f.d.begin("%s %s %d at %d", what, f.name, len(c.data), c.off)
	if err != nil {
		return err
	}
	c.seq = f.d.nextSeq()
	f.n.issue(c)
	return ended(cut)
}

func (f *file) Sync() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.sync(); err != nil {
		return &vfs.SyncError{Path: f.name, Err: err}
	}
	return nil
}

// SyncData is Sync here: this disk knows nothing cheaper.
func (f *file) SyncData() error { return f.Sync() }

func (f *file) sync() error {
	if err := f.check(); err != nil {
		return err
	}
	cut, err := f.d.begin("sync %s", f.name)
	if err != nil || cut { // cut: anything between nothing and all was flushed
		return ErrPowerOff
	}
	if f.d.syncFails() {
		for i := range f.n.pending {
			f.n.pending[i].dropped = true
		}
		return syscall.EIO
	}
	if !f.d.opt.LyingSync {
		f.n.flush()
	}
	return nil
}

func (f *file) Stat() (fs.FileInfo, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.check(); err != nil {
		return nil, fail("stat", f.name, err)
	}
	return f.n.info(path.Base(f.name)), nil
}

// info describes a node under a name.
type info struct {
	name string
	size int64
	mode fs.FileMode
	id   int
}

func (n *node) info(name string) info {
	return info{name: name, size: int64(len(n.cur)), mode: n.mode, id: n.id}
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return stamp }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }
