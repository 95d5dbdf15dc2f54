package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestALivingStoreSortsInMemory: an engine that is open keeps its temporary store in memory while another one is filled, and works on when that one and its directory are gone.
func TestALivingStoreSortsInMemory(t *testing.T) {
	living, err := Open(t.Context(), Options{Dir: t.TempDir(), Create: true, Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer living.Close()
	dir := filepath.Join(t.TempDir(), "filled")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	e, err := Open(t.Context(), Options{Dir: dir, Create: true, Ballast: -1, Bulk: true, SortDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(e.EndBulk(t.Context()), e.Close(), os.RemoveAll(dir)); err != nil {
		t.Fatal(err)
	}
	if got, err := living.w.text("PRAGMA temp_store"); err != nil || got != "2" {
		t.Errorf("temp_store of the living store is %q, %v", got, err)
	}
	const sorted = "WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x+1 FROM n WHERE x<300000) SELECT y FROM (SELECT hex(x*2654435761%1000003) y FROM n ORDER BY y) LIMIT 1"
	if got, err := living.w.text(sorted); err != nil || got == "" {
		t.Errorf("it sorts %q, %v", got, err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the directory is there again: %v", err)
	}
}

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
