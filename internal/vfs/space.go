package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Space is the room on a file system, in octets.
type Space struct {
	Free   int64 // what this process may still take
	Total  int64
	Volume string // names the file system: two paths on one have the same. Empty where the system does not tell
}

// FreeSpace returns the room on the file system of path, or, when path does not
// exist yet, of its nearest parent that does. Where the system cannot tell, the
// error is errors.ErrUnsupported. Quotas are not in the figure.
func FreeSpace(path string) (Space, error) {
	p, err := existing(path)
	if err != nil {
		return Space{}, err
	}
	s, _, err := statfs(p)
	if err != nil {
		return Space{}, &fs.PathError{Op: "statfs", Path: p, Err: err}
	}
	if i, err := os.Stat(p); err == nil {
		s.Volume = volumeOf(i)
	}
	return s, nil
}

// Filesystem returns the name of the kind of file system that holds path or its
// nearest parent that exists: "ext4", "tmpfs", "nfs". A kind without a name in
// our table is "0x" and its number; "unknown" is one that cannot be asked for.
func Filesystem(path string) string {
	p, err := existing(path)
	if err != nil {
		return "unknown"
	}
	_, kind, err := statfs(p)
	if err != nil {
		return "unknown"
	}
	return kind
}

// Volatile reports whether path lies, or would lie, in memory that a restart of
// the machine empties (tmpfs, ramfs). It says false when it cannot know. An
// overlay, as containers have, counts as not volatile although the container
// may be thrown away.
func Volatile(path string) bool { return VolatileKind(Filesystem(path)) }

// VolatileKind says so of what [Filesystem] returns.
func VolatileKind(kind string) bool {
	switch kind {
	case "tmpfs", "ramfs", "hugetlbfs":
		return true
	}
	return false
}

// existing returns path or its nearest parent that exists.
func existing(path string) (string, error) {
	p, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for {
		_, err := os.Stat(p)
		parent := filepath.Dir(p)
		if !errors.Is(err, fs.ErrNotExist) || parent == p {
			return p, err
		}
		p = parent
	}
}
