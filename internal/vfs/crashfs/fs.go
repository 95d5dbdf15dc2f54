package crashfs

import (
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"

	"holdfast/internal/vfs"
)

// FS returns the disk's face for production code. Names are slash-separated
// paths; a relative one begins at the root. There are no symbolic links and no
// permission checks. The FS outlives power cuts; its files do not.
func (d *Disk) FS() vfs.FS { return diskFS{d} }

type diskFS struct{ d *Disk }

// find returns the node of a path.
func (d *Disk) find(name string) (*node, error) {
	n := d.root
	for part := range strings.SplitSeq(path.Clean("/" + name)[1:], "/") {
		if part == "" {
			continue
		}
		if !n.mode.IsDir() {
			return nil, syscall.ENOTDIR
		}
		next, ok := n.curNames[part]
		if !ok {
			return nil, fs.ErrNotExist
		}
		n = next
	}
	return n, nil
}

// place returns the directory and the last part of a path, and what is there.
func (d *Disk) place(name string) (dir *node, base string, child *node, err error) {
	clean := path.Clean("/" + name)
	if clean == "/" {
		return nil, "", nil, syscall.EINVAL
	}
	if dir, err = d.find(path.Dir(clean)); err != nil {
		return nil, "", nil, err
	}
	if !dir.mode.IsDir() {
		return nil, "", nil, syscall.ENOTDIR
	}
	base = path.Base(clean)
	return dir, base, dir.curNames[base], nil
}

func fail(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

func (f diskFS) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	d := f.d
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.open(name, flag, perm)
	if err != nil {
		return nil, fail("open", name, err)
	}
	return &file{d: d, n: n, gen: d.gen, name: name, writable: flag&vfs.O_RDWR != 0}, nil
}

func (d *Disk) open(name string, flag int, perm fs.FileMode) (*node, error) {
	if d.off {
		return nil, ErrPowerOff
	}
	dir, base, n, err := d.place(name)
	switch {
	case err != nil:
		return nil, err
	case n == nil && flag&vfs.O_CREATE == 0:
		return nil, fs.ErrNotExist
	case n != nil && flag&vfs.O_EXCL != 0 && flag&vfs.O_CREATE != 0:
		return nil, fs.ErrExist
	case n != nil && n.mode.IsDir():
		return nil, syscall.EISDIR
	case n == nil:
		cut, err := d.begin("create %s", name)
		if err != nil {
			return nil, err
		}
		n = d.newNode(perm.Perm())
		d.issueName(nameOp{child: n, dir: dir, name: base})
		return n, ended(cut)
	case flag&vfs.O_TRUNC != 0 && len(n.cur) > 0:
		cut, err := d.begin("truncate %s to 0", name)
		if err != nil {
			return nil, err
		}
		n.issue(change{seq: d.nextSeq()})
		return n, ended(cut)
	}
	return n, nil
}

func (f diskFS) Rename(oldname, newname string) error {
	d := f.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return fail("rename", oldname, ErrPowerOff)
	}
	oldDir, oldBase, n, err := d.place(oldname)
	if err == nil && n == nil {
		err = fs.ErrNotExist
	}
	if err != nil {
		return fail("rename", oldname, err)
	}
	dir, base, there, err := d.place(newname)
	switch {
	case err != nil:
		return fail("rename", newname, err)
	case there == n:
		return nil // two names of one file: POSIX does nothing
	case there != nil && there.mode.IsDir() != n.mode.IsDir(), there != nil && len(there.curNames) > 0:
		return fail("rename", newname, fs.ErrExist)
	case n.mode.IsDir() && d.contains(n, dir):
		return fail("rename", newname, syscall.EINVAL)
	}
	cut, err := d.begin("rename %s -> %s", oldname, newname)
	if err != nil {
		return fail("rename", oldname, err)
	}
	d.issueName(nameOp{child: n, dir: dir, name: base, oldDir: oldDir, oldName: oldBase})
	return fail("rename", oldname, ended(cut))
}

func (d *Disk) contains(top, n *node) (found bool) {
	d.walk(top, func(m *node) { found = found || m == n })
	return found
}

func (f diskFS) Link(oldname, newname string) error {
	d := f.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return fail("link", oldname, ErrPowerOff)
	}
	n, err := d.find(oldname)
	if err == nil && n.mode.IsDir() {
		err = syscall.EPERM
	}
	if err != nil {
		return fail("link", oldname, err)
	}
	dir, base, there, err := d.place(newname)
	if err == nil && there != nil {
		err = fs.ErrExist
	}
	if err != nil {
		return fail("link", newname, err)
	}
	cut, err := d.begin("link %s -> %s", oldname, newname)
	if err != nil {
		return fail("link", oldname, err)
	}
	d.issueName(nameOp{child: n, dir: dir, name: base})
	return fail("link", newname, ended(cut))
}

func (f diskFS) Remove(name string) error {
	d := f.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return fail("remove", name, ErrPowerOff)
	}
	dir, base, n, err := d.place(name)
	switch {
	case err != nil:
		return fail("remove", name, err)
	case n == nil:
		return fail("remove", name, fs.ErrNotExist)
	case len(n.curNames) > 0:
		return fail("remove", name, syscall.ENOTEMPTY)
	}
	cut, err := d.begin("remove %s", name)
	if err != nil {
		return fail("remove", name, err)
	}
	d.issueName(nameOp{child: n, oldDir: dir, oldName: base})
	return fail("remove", name, ended(cut))
}

func (f diskFS) Mkdir(name string, perm fs.FileMode) error {
	d := f.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return fail("mkdir", name, ErrPowerOff)
	}
	if path.Clean("/"+name) == "/" {
		return fail("mkdir", name, fs.ErrExist)
	}
	dir, base, there, err := d.place(name)
	if err == nil && there != nil {
		err = fs.ErrExist
	}
	if err != nil {
		return fail("mkdir", name, err)
	}
	cut, err := d.begin("mkdir %s", name)
	if err != nil {
		return fail("mkdir", name, err)
	}
	d.issueName(nameOp{child: d.newNode(fs.ModeDir | perm.Perm()), dir: dir, name: base})
	return fail("mkdir", name, ended(cut))
}

func (f diskFS) SyncDir(name string) error {
	d := f.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.syncDir(name); err != nil {
		return &vfs.SyncError{Path: name, Dir: true, Err: err}
	}
	return nil
}

func (d *Disk) syncDir(name string) error {
	if d.off {
		return ErrPowerOff
	}
	n, err := d.find(name)
	if err != nil {
		return err
	}
	if !n.mode.IsDir() {
		return syscall.ENOTDIR
	}
	cut, err := d.begin("sync directory %s", name)
	if err != nil || cut {
		return ErrPowerOff
	}
	if d.syncFails() {
		for i, op := range d.names {
			d.names[i].dropped = op.dropped || op.syncedBy(n)
		}
		return syscall.EIO
	}
	if !d.opt.LyingSync && !d.opt.NoDirSync {
		d.flushNames(n)
	}
	return nil
}

func (f diskFS) Stat(name string) (fs.FileInfo, error) {
	d := f.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return nil, fail("stat", name, ErrPowerOff)
	}
	n, err := d.find(name)
	if err != nil {
		return nil, fail("stat", name, err)
	}
	return n.info(path.Base(path.Clean("/" + name))), nil
}

func (f diskFS) ReadDir(name string) ([]fs.DirEntry, error) {
	d := f.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return nil, fail("readdir", name, ErrPowerOff)
	}
	n, err := d.find(name)
	if err == nil && !n.mode.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, fail("readdir", name, err)
	}
	var list []fs.DirEntry
	for _, base := range slices.Sorted(maps.Keys(n.curNames)) {
		list = append(list, fs.FileInfoToDirEntry(n.curNames[base].info(base)))
	}
	return list, nil
}

func (f diskFS) OpenLocked(name string, perm fs.FileMode) (vfs.File, error) {
	d := f.d
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.open(name, vfs.O_RDWR|vfs.O_CREATE, perm)
	if err != nil {
		return nil, fail("open", name, err)
	}
	if d.locked[n] != nil {
		return nil, fail("lock", name, vfs.ErrLocked)
	}
	h := &file{d: d, n: n, gen: d.gen, name: name, writable: true}
	d.locked[n] = h
	return h, nil
}
