package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/registry"
	"holdfast/internal/seal"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
)

// twoVaults is a store with a file of which two vaults have the octets.
func twoVaults(t *testing.T) (s *vaultFiles, b holdfast.Blob, octets []byte, who holdfast.ID, dirs []string) {
	ring, err := seal.NewRing(false)
	must(t, err)
	e, m := memory.New(), storetest.NewMaker(3)
	a := storetest.NewAccount(t, m, e, "ann@example.org")
	octets = bytes.Repeat([]byte("octets of a film "), 20_000)
	b = holdfast.Blob{Hash: holdfast.HashOf(octets), Size: int64(len(octets))}
	put := m.Put(a.Book, "film", "", nil)
	put.Blob = &b
	_, err = e.Commit(t.Context(), storetest.Sealed(a.ID, put))
	must(t, err)
	k := &keeper{c: &config.Config{}, log: slog.New(slog.DiscardHandler), ring: ring, engine: e, reg: &registry.Registry{}}
	for _, name := range []string{"one", "two"} {
		dir := filepath.Join(t.TempDir(), name)
		entry := registry.Entry{Name: name, Kind: kindDir, Location: dir, Domain: name, Mode: registry.Async, Vault: holdfast.NewID(nil), Added: time.Now()}
		p, err := openPlace(entry, true, k.log)
		must(t, err)
		v, err := vault.Create(t.Context(), vault.Options{Place: p, Ring: ring}, vault.Meta{Vault: entry.Vault, Store: holdfast.ID{1}, Name: name, Created: entry.Added})
		must(t, err)
		must(t, v.PutBlob(t.Context(), a.ID, b, func() (blob.File, error) { return plainFile{bytes.NewReader(octets)}, nil }))
		must(t, v.Close())
		must(t, k.reg.Add(entry))
		dirs = append(dirs, dir)
	}
	s = newVaultFiles(k)
	t.Cleanup(s.close)
	return s, b, octets, a.ID, dirs
}

type plainFile struct{ *bytes.Reader }

func (plainFile) Close() error { return nil }

func (s *vaultFiles) counts() (open, used int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.open {
		open, used = open+1, used+x.users
	}
	return open, used
}

// TestFilesAreReadOutOfVaults: by whoever has them, with vaults that stay open, and are opened anew once they fail.
func TestFilesAreReadOutOfVaults(t *testing.T) {
	s, b, octets, who, dirs := twoVaults(t)
	read := func() error {
		return s.Read(t.Context(), who, b, func(r io.Reader, from string) error {
			got, err := io.ReadAll(r)
			if err == nil && !bytes.Equal(got, octets) {
				t.Error("other octets, from", from)
			}
			return err
		})
	}
	part := func() error {
		f, err := s.Open(t.Context(), who, b)
		if err != nil {
			return err
		}
		p := make([]byte, 1000)
		_, err = f.ReadAt(p, 5000)
		if err == nil && !bytes.Equal(p, octets[5000:6000]) {
			t.Error("another part")
		}
		return errors.Join(err, f.Close())
	}
	for range 3 {
		must(t, errors.Join(read(), part()))
	}
	if open, used := s.counts(); open != 2 || used != 0 {
		t.Errorf("%d are open, %d in use", open, used)
	}
	if x, ok, err := s.Blob(t.Context(), who, b.Hash); err != nil || !ok || x != b {
		t.Error(x, ok, err)
	}
	lose := func(dir string) {
		list, err := filepath.Glob(filepath.Join(dir, "blobs", "*", "*"))
		must(t, err)
		must(t, os.Remove(list[0]))
	}
	lose(dirs[0])
	must(t, errors.Join(read(), part()))
	must(t, os.Rename(dirs[0], dirs[0]+".away"))
	must(t, errors.Join(read(), part()))
	lose(dirs[1])
	if err := errors.Join(read(), part()); !holdfast.IsKind(err, holdfast.NotFound) && !holdfast.IsKind(err, holdfast.Unavailable) {
		t.Error(err)
	}
	s.close()
	if err := read(); !holdfast.IsKind(err, holdfast.Unavailable) {
		t.Error("a vault that may have it is away, and it is lost:", err)
	}
	must(t, os.Rename(dirs[0]+".away", dirs[0]))
	s.mu.Lock()
	clear(s.failed) // as after a few seconds
	s.mu.Unlock()
	if err := read(); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Error("none has it:", err)
	}
	for _, x := range s.open {
		x.last = clock.System.Now().Add(-readVaultIdle)
	}
	s.tidy()
	if open, _ := s.counts(); open != 0 {
		t.Errorf("%d stay open", open)
	}
}
