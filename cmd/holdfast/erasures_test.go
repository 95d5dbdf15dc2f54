package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestAnErasureThatWasCut reads what a process left that was killed when a wait was over, and no vault had been asked yet: the file leaves the empty map out.
func TestAnErasureThatWasCut(t *testing.T) {
	dir := t.TempDir()
	text := `[{"account":"aaaaaaaaaaaaaaaaaaaaaaaaae","requested":"2026-11-26T08:00:00Z","due":true,"store":false}]`
	if err := os.WriteFile(filepath.Join(dir, erasuresName), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := readErasures(dir, time.Hour, nil, func() []string { return []string{"local"} }, slog.New(slog.DiscardHandler))
	if err != nil || len(e.all) != 1 || !e.all[0].Due {
		t.Fatalf("%+v, %v", e.all, err)
	}
	e.all[0].Vaults["local"] = nil // as the upkeep of a vault does
}
