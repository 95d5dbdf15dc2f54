package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// TestSpoolDir holds that long answers wait in the system's directory, and in an empty one of our own where that cannot be used.
func TestSpoolDir(t *testing.T) {
	c := testConfig(t)
	c.Data = t.TempDir()
	log := slog.New(slog.DiscardHandler)
	system := t.TempDir()
	t.Setenv("TMPDIR", system)
	if got, err := spoolDir(c, log); err != nil || got != system {
		t.Errorf("%s, %v", got, err)
	}
	if left, _ := os.ReadDir(system); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	t.Setenv("TMPDIR", filepath.Join(system, "nowhere"))
	own := filepath.Join(c.Data, spoolName)
	for range 2 {
		got, err := spoolDir(c, log)
		list, _ := os.ReadDir(own)
		if err != nil || got != own || len(list) > 0 {
			t.Errorf("%s, %v, %v", got, list, err)
		}
		if st, err := os.Stat(own); err != nil || st.Mode().Perm() != 0o700 {
			t.Errorf("%v, %v", st, err)
		}
		if err := os.WriteFile(filepath.Join(own, "old"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
