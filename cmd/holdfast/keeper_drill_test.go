package main

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/drill"
	"holdfast/internal/store/sqlite"

	zsqlite "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// TestADrillSortsOnDisk: what a drill sorts for the indexes of what it restored goes into files of its own directory. In memory it would be as large as they are.
func TestADrillSortsOnDisk(t *testing.T) {
	d := &drills{k: &keeper{log: slog.New(slog.DiscardHandler)}}
	dir := filepath.Join(t.TempDir(), "drill")
	e, err := d.open(t.Context(), dir, true)
	if err != nil {
		t.Fatal(err)
	}
	err = e.(*sqlite.Engine).EndBulk(t.Context())
	if cerr := e.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		t.Fatal(err)
	}
	any, err := zsqlite.OpenConn(":memory:") // SQLite has one such directory for all
	if err != nil {
		t.Fatal(err)
	}
	defer any.Close()
	got := ""
	if err := sqlitex.ExecuteTransient(any, "PRAGMA temp_store_directory", &sqlitex.ExecOptions{ResultFunc: func(s *zsqlite.Stmt) error { got = s.ColumnText(0); return nil }}); err != nil || got != dir {
		t.Errorf("it sorts in %q, %v; want %q", got, err, dir)
	}
}

// TestDrillDue: daily, sooner after one that did not pass, and at once where a clock was wrong, in whichever direction.
func TestDrillDue(t *testing.T) {
	now := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	c := &config.Drill{Interval: 24 * time.Hour, Retry: time.Hour}
	for _, x := range []struct {
		what string
		ago  time.Duration
		res  drill.Outcome
		want bool
	}{
		{"passed just now", time.Minute, drill.Pass, false},
		{"passed yesterday", 25 * time.Hour, drill.Pass, true},
		{"failed just now", 10 * time.Minute, drill.Fail, false},
		{"failed a while ago", 2 * time.Hour, drill.Fail, true},
		{"inconclusive a while ago", 2 * time.Hour, drill.Inconclusive, true},
		{"passed in ten years", -87600 * time.Hour, drill.Pass, true},
		{"passed ten years ago", 87600 * time.Hour, drill.Pass, true},
		{"failed in ten years", -87600 * time.Hour, drill.Fail, true},
	} {
		last := drill.Result{Started: now.Add(-x.ago), Ended: now.Add(-x.ago + time.Second), Result: x.res}
		if got := drillDue(c, last, now); got != x.want {
			t.Errorf("%s: due: %v", x.what, got)
		}
	}
	corrected := drill.Result{Started: now.AddDate(4, 0, 0), Ended: now.Add(-time.Minute), Result: drill.Pass}
	if !drillDue(c, corrected, now) {
		t.Error("a clock that was put back by four years while a drill ran lets the next one wait for four years")
	}
}
