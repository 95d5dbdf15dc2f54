package vault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"holdfast"
	"holdfast/internal/seal"
)

// TestNoRoomToSort reads a vault where this machine cannot write down what is sorted on the way, for each file of that: the disk is full, or the file cannot be made. That is said, and nobody takes the vault for damaged, whose
// packs would then be left out.
func TestNoRoomToSort(t *testing.T) {
	const full = "/dev/full" // takes no octet
	if _, err := os.Stat(full); err != nil {
		t.Skipf("this system has no %s: %v", full, err)
	}
	s := begin(t)
	d := s.on(s.r.place)
	d.r.open()
	d.r.ship(s.m.batch(3))
	read := func(spool string) (*Reader, error) {
		v := must2(Open(ctx, Options{Place: d.r.place, With: []*seal.Identity{d.r.recovery.Identity}}))
		return NewReader(ctx, []*Vault{v}, ReadOptions{Spool: spool, Trust: d.r.recovery})
	}
	r, err := read(t.TempDir())
	fine(t, err)
	files := len(r.files)
	r.Close()
	if files < packsOfATier {
		t.Fatalf("%d files", files)
	}
	for n := range files {
		for kind, make := range map[holdfast.ErrorKind]func(string) error{
			holdfast.Full:        func(name string) error { return os.Symlink(full, name) },
			holdfast.Unavailable: func(name string) error { return os.Mkdir(name, 0o700) },
		} {
			spool := t.TempDir()
			name := filepath.Join(spool, fmt.Sprint("spool-", n))
			fine(t, make(name))
			_, err := read(spool)
			var e *holdfast.Error
			if !holdfast.IsKind(err, kind) || !errors.As(err, &e) || e.Ref != name || kind == holdfast.Full && !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("file %d of %d, %v: %v", n, files, kind, err)
			}
		}
	}
}
