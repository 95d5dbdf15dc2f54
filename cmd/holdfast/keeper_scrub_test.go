package main

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/control"
	"holdfast/internal/place/remote"
)

// TestNothingIsReadAtTheStart: a server that has just started reads no vault for some minutes, unless it is told to read them more often than that.
func TestNothingIsReadAtTheStart(t *testing.T) {
	for _, x := range []struct {
		since, every time.Duration
		due          bool
	}{{firstAsk, 168 * time.Hour, false}, {firstRead, 168 * time.Hour, true}, {time.Hour, 168 * time.Hour, true}, {firstAsk, firstAsk, true}, {time.Second, time.Second, true}} {
		if got := readDue(x.since, x.every); got != x.due {
			t.Errorf("%v after a start, of a vault that is read each %v: %v", x.since, x.every, got)
		}
	}
}

// TestNoServerTakesBackWhatWasFoundFromHere: a remote vault's server has no key, and sees less than who reads with one; and its clock may be wrong.
func TestNoServerTakesBackWhatWasFoundFromHere(t *testing.T) {
	k := &keeper{scrubs: readScrubs(t.TempDir()), log: slog.New(slog.DiscardHandler)}
	now := clock.System.Now()
	server := func(after time.Duration, damaged ...string) reading {
		at := now.Add(after)
		k.noteServer("far", remote.Server{Scrubbed: &at, Damaged: damaged})
		x, _ := k.scrubs.of("far")
		return x
	}
	read := func(damaged []string, findings int64) {
		if err := k.scrubs.note(control.VaultReport{Vault: "far", Damaged: damaged, Findings: findings}, true, 0); err != nil {
			t.Fatal(err)
		}
	}
	if x := server(-time.Hour, "a"); x.Findings != 1 {
		t.Errorf("what the server found: %+v", x)
	}
	if x := server(-time.Minute); x.Findings != 0 || len(x.Damaged) != 0 {
		t.Errorf("what it no longer finds: %+v", x)
	}
	read([]string{"b"}, 3)
	if x := server(time.Second); x.Findings != 3 || !slices.Equal(x.Damaged, []string{"b"}) {
		t.Errorf("what was found from here, and it does not: %+v", x)
	}
	if x := server(2*time.Second, "c"); x.Findings != 3 || !slices.Equal(x.Damaged, []string{"c", "b"}) {
		t.Errorf("and something else: %+v", x)
	}
	read(nil, 0)
	if x := server(3 * time.Second); x.Findings != 0 || len(x.Damaged) != 0 {
		t.Errorf("what is found from here no longer: %+v", x)
	}
	if x := server(87600 * time.Hour); x.At.After(clock.System.Now().Add(time.Minute)) {
		t.Errorf("read in the future: %+v", x)
	}
}

// TestHashingTakesNothingBackThatOpeningFound: a reading that hashes alone sees less than one that opens everything, and says nothing about what that found.
func TestHashingTakesNothingBackThatOpeningFound(t *testing.T) {
	s := readScrubs(t.TempDir())
	read := func(opened bool, findings int64, damaged ...string) reading {
		if err := s.note(control.VaultReport{Vault: "local", Damaged: damaged, Findings: findings}, opened, 0); err != nil {
			t.Fatal(err)
		}
		x, _ := s.of("local")
		return x
	}
	if x := read(false, 1, "a"); x.Findings != 1 {
		t.Errorf("hashed: %+v", x)
	}
	if x := read(false, 0); x.Findings != 0 {
		t.Errorf("hashed again, with nothing found: %+v", x)
	}
	read(true, 2, "b")
	if x := read(false, 0); x.Findings != 2 || !slices.Equal(x.Damaged, []string{"b"}) {
		t.Errorf("what opening found, after hashing: %+v", x)
	}
	if x := read(false, 1, "c"); x.Findings != 2 || !slices.Equal(x.Damaged, []string{"c", "b"}) {
		t.Errorf("and hashing finds more: %+v", x)
	}
	if x := read(true, 0); x.Findings != 0 || len(x.Damaged) != 0 {
		t.Errorf("opened again, with nothing found: %+v", x)
	}
}
