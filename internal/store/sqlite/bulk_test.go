package sqlite

import (
	"os"
	"slices"
	"testing"
)

// TestWhatIsSortedLiesOnDisk: the indexes of a restored store are sorted in files beside it, of which nothing is left.
func TestWhatIsSortedLiesOnDisk(t *testing.T) {
	dir := t.TempDir() + "/it's here"
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	e, err := Open(t.Context(), Options{Dir: dir, Create: true, Ballast: -1, Bulk: true, SortDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.EndBulk(t.Context()); err != nil {
		t.Fatal(err)
	}
	for pragma, want := range map[string]string{"temp_store": "1", "temp_store_directory": dir, "cache_size": "-4096"} {
		if got, err := e.w.text("PRAGMA " + pragma); err != nil || got != want {
			t.Errorf("%s is %q, %v; want %q", pragma, got, err, want)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if !slices.Contains([]string{"holdfast.db", "holdfast.db-wal", "holdfast.db-shm", "holdfast.db.lock"}, f.Name()) {
			t.Errorf("%s is left", f.Name())
		}
	}
}
