package disk_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/blob/blobtest"
	"holdfast/internal/blob/disk"
	"holdfast/internal/vfs"
	"holdfast/internal/vfs/vfstest"
)

var update = flag.Bool("update", false, "write the golden file anew")

func open(t *testing.T, fsys vfs.FS, root string) *disk.Store {
	t.Helper()
	s, err := disk.Open(fsys, root)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func path(root string, account holdfast.ID, h holdfast.Hash) string {
	return filepath.Join(root, account.String(), h.String()[:2], h.String())
}

func TestStore(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blobtest.Rig {
		root := filepath.Join(t.TempDir(), "blobs")
		return blobtest.Rig{
			Store:  open(t, vfs.OS, root),
			Reopen: func(t *testing.T) blob.Store { return open(t, vfs.OS, root) },
			Damage: func(t *testing.T, account holdfast.ID, h holdfast.Hash, fn func([]byte) []byte) {
				t.Helper()
				b, err := os.ReadFile(path(root, account, h))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path(root, account, h), fn(b), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			Left: func(t *testing.T) int { return left(t, root) },
		}
	})
}

func left(t *testing.T, root string) int {
	t.Helper()
	list, err := os.ReadDir(filepath.Join(root, ".new"))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestTheOctetsAreAFileThatAnybodyCanRead(t *testing.T) {
	root := t.TempDir()
	s := open(t, vfs.OS, root)
	octets := blobtest.Octets(1, 3*blob.Piece/2)
	b, err := blobtest.Put(t.Context(), s, holdfast.ID{1}, octets)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path(root, holdfast.ID{1}, b.Hash))
	if err != nil || string(file[:len(octets)]) != string(octets) || len(file) != len(octets)+2*16+88 || int64(len(file)) != blob.StoredSize(b.Size) {
		t.Errorf("%d octets are a file of %d: %v", len(octets), len(file), err)
	}
	if got, err := blob.NameStored(bytes.NewReader(file), int64(len(file))); got != b || err != nil {
		t.Errorf("it says that it is %v: %v", got, err)
	}
	file[len(file)-80]++
	if _, err := blob.NameStored(bytes.NewReader(file), int64(len(file))); !holdfast.IsKind(err, holdfast.Corrupt) {
		t.Errorf("a damaged trailer: %v", err)
	}
	for size := range int64(3*blob.Piece + 200) {
		if got, ok := blob.SizeStored(blob.StoredSize(size)); got != size || !ok {
			t.Fatalf("%d octets are taken for %d", size, got)
		}
	}
}

func TestFilesThatAreNoBlobsArePassedOver(t *testing.T) {
	root := t.TempDir()
	s := open(t, vfs.OS, root)
	b, err := blobtest.Put(t.Context(), s, holdfast.ID{1}, []byte("mine"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path(root, holdfast.ID{1}, b.Hash))
	for _, name := range []string{filepath.Join(dir, "notes.txt"), filepath.Join(dir, strings.Repeat("0", 64)), filepath.Join(root, "lost+found"), filepath.Join(filepath.Dir(dir), "x")} {
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	if err := s.List(t.Context(), holdfast.ID{1}, nil, 0, func(blob.Info) error { n++; return nil }); err != nil || n != 1 {
		t.Errorf("%d blobs, %v", n, err)
	}
	if ids, err := s.Accounts(t.Context()); err != nil || len(ids) != 1 {
		t.Errorf("accounts %v, %v", ids, err)
	}
}

func TestADirectoryThatWentAwayIsNotEmpty(t *testing.T) {
	root := filepath.Join(t.TempDir(), "blobs")
	s := open(t, vfs.OS, root)
	b, err := blobtest.Put(t.Context(), s, holdfast.ID{1}, []byte("mine"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(root); err != nil {
		t.Fatal(err)
	}
	_, err = s.Open(t.Context(), holdfast.ID{1}, b.Hash)
	_, err2 := s.Stat(t.Context(), holdfast.ID{1}, b.Hash)
	for what, err := range map[string]error{"Open": err, "Stat": err2, "List": s.List(t.Context(), holdfast.ID{1}, nil, 0, func(blob.Info) error { return nil }), "Remove": s.Remove(t.Context(), holdfast.ID{1}, b.Hash)} {
		if !holdfast.IsKind(err, holdfast.Unavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestSequence compares the calls of each step with the golden file: what a power cut leaves follows from their order.
func TestSequence(t *testing.T) {
	top := t.TempDir()
	rec := &vfstest.Recorder{FS: vfs.OS, Root: top}
	var out strings.Builder
	s := open(t, rec, filepath.Join(top, "blobs"))
	out.WriteString("# open\n" + rec.Text())
	for _, x := range []string{"one", "one", "another 23"} {
		b, err := blobtest.Put(t.Context(), s, holdfast.ID{1}, []byte(x))
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("\n# put " + x + "\n" + rec.Text())
		if x == "one" {
			continue
		}
		if err := s.Remove(t.Context(), holdfast.ID{1}, b.Hash); err != nil {
			t.Fatal(err)
		}
		out.WriteString("\n# remove it\n" + rec.Text())
	}
	golden := filepath.Join("testdata", "sequence.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	wanted, err := os.ReadFile(golden)
	if err != nil || string(wanted) != out.String() {
		t.Errorf("the calls are\n%s\nand should be\n%s (%v)", out.String(), wanted, err)
	}
}
