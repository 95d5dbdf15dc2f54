package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// maxTemps bounds the search for a free temporary name. Each crash in the wrong
// moment leaves one behind until RemoveTemps.
const maxTemps = 100

// WriteFileAtomic replaces the file, or creates it: whoever looks, and whoever
// looks after a power cut, sees the old octets or the new ones, whole. When it
// returns nil, the new ones are durable.
//
// The sequence, and why:
//
//	open   .name.tmp0  O_CREATE|O_EXCL  in the same directory: rename(2) does
//	                                    not cross file systems
//	write  data
//	fsync  .name.tmp0                   the content must be durable before the
//	                                    name points at it; otherwise a power
//	                                    cut can leave an empty file
//	close                               reports late errors (NFS, quotas)
//	rename .name.tmp0 -> name           atomic for those who look
//	fsync  directory                    makes the new name durable
//
// Known: ext4, XFS, btrfs and ZFS keep a synced file and apply a rename as a
// whole. An interrupted fsync (EINTR) is started again by the os package; that
// is an interruption, not a failure. On macOS fsync means F_FULLFSYNC, also in
// the os package.
//
// Unknown: whether the drive tells the truth about its cache; whether a network
// or FUSE file system does anything at all on fsync of a directory. What does
// not know that call answers with an error, and so does this function.
//
// Errors: if it fails before the rename, the old file is untouched and the
// temporary file is removed. A *SyncError with Dir set came after the rename:
// the new octets are visible, and their durability is unknown. In both cases
// there is no second try.
//
// perm is the mode of a new file before the umask. The mode, owner and other
// names of a replaced file are not kept. A symbolic link is replaced itself.
func WriteFileAtomic(fsys FS, name string, data []byte, perm fs.FileMode) error {
	tmp, err := writeTemp(fsys, name, data, perm)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := fsys.Rename(tmp, name); err != nil {
		_ = fsys.Remove(tmp) // the first error is the one to tell
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := fsys.SyncDir(filepath.Dir(name)); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// CreateExclusive creates the file with the given content, durable, and never
// overwrites: if the name is taken, the error is fs.ErrExist. After a power cut
// the file is there whole or not at all.
//
// It writes a temporary file like WriteFileAtomic, then link(2), which refuses
// a name that is taken, then removes the temporary name, then syncs the
// directory. A cut between the two leaves a second name, which RemoveTemps
// takes away. Where the file system has no links (FAT, some FUSE), it writes to
// the name itself with O_EXCL: still never overwriting, but a power cut or a
// full disk can then leave a part of the file.
func CreateExclusive(fsys FS, name string, data []byte, perm fs.FileMode) error {
	if err := createExclusive(fsys, name, data, perm); err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	return nil
}

func createExclusive(fsys FS, name string, data []byte, perm fs.FileMode) error {
	tmp, err := writeTemp(fsys, name, data, perm)
	if err != nil {
		return err
	}
	err = fsys.Link(tmp, name)
	_ = fsys.Remove(tmp) // what stays is a second name, for RemoveTemps
	if errors.Is(err, errors.ErrUnsupported) {
		err = createDirect(fsys, name, data, perm)
	}
	if err != nil {
		return err
	}
	return fsys.SyncDir(filepath.Dir(name))
}

// createDirect is the way of CreateExclusive without links.
func createDirect(fsys FS, name string, data []byte, perm fs.FileMode) error {
	f, err := fsys.OpenFile(name, O_RDWR|O_CREATE|O_EXCL, perm)
	if err != nil {
		return err
	}
	if err := writeSyncClose(f, data); err != nil {
		_ = fsys.Remove(name) // ours: O_EXCL created it
		return err
	}
	return nil
}

// writeTemp writes data, synced, under a temporary name beside name. On an
// error nothing is left behind.
func writeTemp(fsys FS, name string, data []byte, perm fs.FileMode) (tmp string, err error) {
	f, err := tempFile(fsys, name, perm)
	if err != nil {
		return "", err
	}
	tmp = f.Name()
	if err := writeSyncClose(f, data); err != nil {
		_ = fsys.Remove(tmp)
		return "", err
	}
	return tmp, nil
}

func writeSyncClose(f File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// tempFile creates the first free of .name.tmp0, .name.tmp1, ...: numbers
// rather than chance, so that a sequence of calls can be compared with a
// golden text.
func tempFile(fsys FS, name string, perm fs.FileMode) (File, error) {
	dir, base := filepath.Split(name)
	for i := range maxTemps {
		f, err := fsys.OpenFile(filepath.Join(dir, fmt.Sprintf(".%s.tmp%d", base, i)), O_RDWR|O_CREATE|O_EXCL, perm)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
	return nil, fmt.Errorf("%d temporary files are left over beside it", maxTemps)
}

// RemoveTemps deletes what interrupted calls of WriteFileAtomic and
// CreateExclusive left in the directory, and returns the names. Only the owner
// of the directory's lease may call it: somebody else's call could be running.
func RemoveTemps(fsys FS, dir string) ([]string, error) {
	list, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var gone []string
	for _, e := range list {
		if e.IsDir() || !isTemp(e.Name()) {
			continue
		}
		if err := fsys.Remove(filepath.Join(dir, e.Name())); err != nil {
			return gone, err
		}
		gone = append(gone, e.Name())
	}
	return gone, nil
}
