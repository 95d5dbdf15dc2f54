package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sync"
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
	return createFrom(fsys, name, bytes.NewReader(data), perm, false)
}

// CreateFrom is CreateExclusive of what a reader yields, as a stream. Where the
// name is taken by the same octets it makes that name durable and returns nil;
// by others, the error is fs.ErrExist. An error of the reader's is returned, and
// nothing is made.
func CreateFrom(fsys FS, name string, r io.Reader, perm fs.FileMode) error {
	if err := createFrom(fsys, name, r, perm, true); err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	return nil
}

func createFrom(fsys FS, name string, r io.Reader, perm fs.FileMode, again bool) error {
	tmp, err := writeTempFrom(fsys, name, r, perm)
	if err != nil {
		return err
	}
	err = fsys.Link(tmp, name)
	ours := true
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		err = createDirect(fsys, name, tmp, perm)
	case again && errors.Is(err, fs.ErrExist):
		ours = false
		if same, cerr := sameOctets(fsys, tmp, name); cerr != nil {
			err = cerr
		} else if same { // whoever made it may have been killed before the directory's fsync
			err = nil
		}
	}
	_ = fsys.Remove(tmp) // what stays is a second name, for RemoveTemps
	if err != nil {
		return err
	}
	if err = fsys.SyncDir(filepath.Dir(name)); err != nil && ours {
		_ = fsys.Remove(name) // nobody was told that it is there, and who finds it would take its name for durable
	}
	return err
}

// createDirect is the way of CreateExclusive without links: it copies the
// temporary file to a name that O_EXCL makes.
func createDirect(fsys FS, name, tmp string, perm fs.FileMode) error {
	src, err := fsys.OpenFile(tmp, O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer src.Close()
	f, err := fsys.OpenFile(name, O_RDWR|O_CREATE|O_EXCL, perm)
	if err != nil {
		return err
	}
	if err := copySyncClose(f, src); err != nil {
		_ = fsys.Remove(name) // ours: O_EXCL created it
		return err
	}
	return nil
}

// sameOctets compares two files.
func sameOctets(fsys FS, a, b string) (bool, error) {
	fa, err := fsys.OpenFile(a, O_RDONLY, 0)
	if err != nil {
		return false, err
	}
	defer fa.Close()
	fb, err := fsys.OpenFile(b, O_RDONLY, 0)
	if err != nil {
		return false, err
	}
	defer fb.Close()
	var x, y [32 << 10]byte
	for {
		n, err := io.ReadFull(fa, x[:])
		m, err2 := io.ReadFull(fb, y[:])
		if n != m || !bytes.Equal(x[:n], y[:m]) {
			return false, nil
		}
		for _, e := range []error{err, err2} {
			if e != nil && e != io.EOF && e != io.ErrUnexpectedEOF {
				return false, e
			}
		}
		if err != nil || err2 != nil {
			return err != nil && err2 != nil, nil
		}
	}
}

// writeTemp writes data, synced, under a temporary name beside name. On an
// error nothing is left behind.
func writeTemp(fsys FS, name string, data []byte, perm fs.FileMode) (tmp string, err error) {
	return writeTempFrom(fsys, name, bytes.NewReader(data), perm)
}

func writeTempFrom(fsys FS, name string, r io.Reader, perm fs.FileMode) (tmp string, err error) {
	f, err := tempFile(fsys, name, perm)
	if err != nil {
		return "", err
	}
	tmp = f.Name()
	if err := copySyncClose(f, r); err != nil {
		_ = fsys.Remove(tmp)
		return "", err
	}
	return tmp, nil
}

// copyBuffers are of a size at which the calls cost little beside the octets.
var copyBuffers = sync.Pool{New: func() any { return new([256 << 10]byte) }}

func copySyncClose(f File, r io.Reader) error {
	buf := copyBuffers.Get().(*[256 << 10]byte)
	defer copyBuffers.Put(buf)
	_, err := io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{r}, buf[:]) // without the ways of either, which take smaller pieces
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
