package dir_test

import (
	"bytes"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"holdfast/internal/place"
	"holdfast/internal/place/dir"
	"holdfast/internal/vfs"
)

// counting counts the octets that are read at offsets.
type counting struct {
	vfs.FS
	n atomic.Int64
}

func (c *counting) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := c.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return countingFile{f, &c.n}, nil
}

type countingFile struct {
	vfs.File
	n *atomic.Int64
}

func (f countingFile) ReadAt(p []byte, at int64) (int, error) {
	n, err := f.File.ReadAt(p, at)
	f.n.Add(int64(n))
	return n, err
}

// TestAFrameIsReadAlone: who reads a tail frame by frame does not read, each time, what was extended ahead behind the last one.
func TestAFrameIsReadAlone(t *testing.T) {
	root := filepath.Join(t.TempDir(), "vault")
	w, err := dir.Open(vfs.OS, root, dir.Options{Create: true})
	fine(t, err)
	piece := append(bytes.Repeat([]byte("x"), 999), '\n')
	const pieces = 20
	for i := range int64(pieces) {
		fine(t, w.Append(ctx, "tail/1.frames", i*1000, piece))
	}
	fine(t, w.Close())
	disk := &counting{FS: vfs.OS}
	d, err := dir.Open(disk, root, dir.Options{})
	fine(t, err)
	defer d.Close()
	for i := range int64(pieces) {
		r, err := d.Get(ctx, "tail/1.frames", i*1000, 1000)
		fine(t, err)
		got, err := io.ReadAll(r)
		fine(t, err)
		fine(t, r.Close())
		if !bytes.Equal(got, piece) {
			t.Fatalf("piece %d came back as %d octets", i, len(got))
		}
	}
	if n := disk.n.Load(); n > 3*pieces*1000 {
		t.Errorf("%d octets were read for %d", n, pieces*1000)
	}
	got, err := place.ReadAll(ctx, d, "tail/1.frames", 1<<20)
	fine(t, err)
	if len(got) != pieces*1000 {
		t.Errorf("all of it has %d octets", len(got))
	}
	for _, x := range []struct{ at, n, want int64 }{{19_500, 1000, 500}, {19_000, 1001, 1000}, {20_000, 10, 0}, {30_000, 10, 0}, {2 << 20, 10, 0}} {
		r, err := d.Get(ctx, "tail/1.frames", x.at, x.n)
		fine(t, err)
		got, err := io.ReadAll(r)
		fine(t, err)
		fine(t, r.Close())
		if int64(len(got)) != x.want {
			t.Errorf("%d octets at %d: %d came, want %d", x.n, x.at, len(got), x.want)
		}
	}
}

// listing remembers which directories are listed.
type listing struct {
	vfs.FS
	seen []string
}

func (l *listing) ReadDir(name string) ([]fs.DirEntry, error) {
	l.seen = append(l.seen, name)
	return l.FS.ReadDir(name)
}

// TestAListingLooksOnlyWhereItsPrefixLeads: whether one file is there is asked for each upload, and must not cost the names of all. What is no name's beginning leads nowhere, least of all out of the place.
func TestAListingLooksOnlyWhereItsPrefixLeads(t *testing.T) {
	top := t.TempDir()
	root := filepath.Join(top, "vault")
	disk := &listing{FS: vfs.OS}
	d, err := dir.Open(disk, root, dir.Options{Create: true})
	fine(t, err)
	defer d.Close()
	for _, name := range []string{"blobs/ab/abc", "blobs/ab/abd", "blobs/cd/cde", "pages/1"} {
		fine(t, d.Put(ctx, name, bytes.NewReader([]byte(name))))
	}
	fine(t, d.Put(ctx, "outside", bytes.NewReader(nil)))
	for prefix, wanted := range map[string]int{"blobs/ab/abc": 1, "blobs/ab/": 2, "blobs/": 3, "pages/1/": 0, "nothing/": 0, "../": 0, "../vault/": 0, "blobs/../": 0, ".hidden/": 0, "/": 0, "//": 0} {
		disk.seen = nil
		n := 0
		fine(t, d.List(ctx, prefix, "", func(place.Info) error { n++; return nil }))
		if n != wanted {
			t.Errorf("%q: %d objects, want %d", prefix, n, wanted)
		}
		for _, name := range disk.seen {
			if !strings.HasPrefix(name, root) {
				t.Errorf("%q: %s was listed", prefix, name)
			}
		}
		if prefix == "blobs/ab/abc" && len(disk.seen) != 1 {
			t.Errorf("%q: %q were listed", prefix, disk.seen)
		}
	}
}
