package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	memblob "holdfast/internal/blob/memory"
	"holdfast/internal/control"
	"holdfast/internal/restore"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
)

// serving runs the built server over a data directory until the test says that it is enough. What a killed one began may hold the directory for a moment.
func serving(t *testing.T, data string) (end func(os.Signal) string) {
	t.Helper()
	program, err := exec.LookPath("holdfast")
	must(t, err)
	for began := time.Now(); ; {
		c := exec.Command(program, "serve", "--data", data, "--listen", "127.0.0.1:0", "--admin-listen", "none", "--first-vault", "none")
		log, err := os.Create(filepath.Join(t.TempDir(), "log"))
		must(t, err)
		c.Stdout, c.Stderr = log, log
		must(t, c.Start())
		ended := make(chan struct{})
		go func() { _ = c.Wait(); close(ended) }()
		said := func() string {
			b, err := os.ReadFile(log.Name())
			must(t, err)
			return string(b)
		}
		for !strings.Contains(said(), "holdfast: ready") && time.Since(began) < patience {
			select {
			case <-ended:
			case <-time.After(time.Millisecond):
				continue
			}
			break
		}
		if !strings.Contains(said(), "holdfast: ready") {
			_ = c.Process.Kill()
			<-ended
			if time.Since(began) > patience {
				t.Fatal(said())
			}
			continue
		}
		return func(s os.Signal) string {
			_ = c.Process.Signal(s)
			<-ended
			return said()
		}
	}
}

// statusOf asks a server; nil where none answers.
func statusOf(t *testing.T, data string) *control.Status {
	t.Helper()
	program, err := exec.LookPath("holdfast")
	must(t, err)
	b, _ := exec.Command(program, "status", "--json", "--data", data).Output()
	var s control.Status
	if json.Unmarshal(b, &s) != nil || !s.Running {
		return nil
	}
	return &s
}

// TestAServiceCopiesItsFilesBack adopts a store of which only the rows are restored, and starts it. It copies the octets of its large files back by itself, goes on where it was killed, waits for a vault that is away, and says how much is left.
func TestAServiceCopiesItsFilesBack(t *testing.T) {
	films := filmsOf(60, 1<<20)
	at, key := filledVaultOf(t, 2, 30, films)
	data := filepath.Join(t.TempDir(), "data")
	if _, code, out := runRestore(t, "--from", at, "--key", key, "--into", data, "--files-later"); code != 0 {
		t.Fatal(out)
	}
	program, err := exec.LookPath("holdfast")
	must(t, err)
	if out, err := exec.Command(program, "adopt", data).CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	objects, err := filepath.Glob(filepath.Join(at, "blobs", "*", "*"))
	must(t, err)
	must(t, err)
	must(t, err)
	must(t, os.Remove(objects[0])) // nobody has it whole

	end := serving(t, data)
	for began := time.Now(); len(bloblist(t, data)) < 5; time.Sleep(time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatalf("nothing comes back:\n%s", end(os.Kill))
		}
	}
	end(os.Kill)
	n := len(bloblist(t, data))
	end = serving(t, data)
	least := int64(len(films))
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if s := statusOf(t, data); s != nil && s.Returning.Files > 0 {
			least = min(least, s.Returning.Files)
			if s.Returning.Since.IsZero() || s.Returning.Octets < s.Returning.Files<<20 {
				t.Errorf("it says %+v", s.Returning)
			}
		}
		if _, err := os.Stat(filepath.Join(data, copyingName)); os.IsNotExist(err) {
			break
		}
		if time.Since(began) > patience {
			t.Fatalf("it does not come to its end, %d of 60 are there:\n%s", len(bloblist(t, data)), end(os.Kill))
		}
	}
	s := statusOf(t, data)
	out := end(os.Interrupt)
	if s == nil || s.Returning.Files != 0 || least > int64(len(films)-n) {
		t.Errorf("after %d it said that %d are left, and in the end %+v", n, least, s)
	}
	if !strings.Contains(out, `"lost":1`) {
		t.Errorf("what nobody has is not said:\n%s", out)
	}
	got, lost := bloblist(t, data), 0
	for _, f := range films {
		if !bytes.HasPrefix(got[holdfast.HashOf(f)], f) {
			lost++
		}
	}
	text, err := os.ReadFile(filepath.Join(data, lossesTextName))
	if lost != 1 || err != nil || !strings.Contains(string(text), "files/") {
		t.Errorf("%d are missing: %s %v", lost, text, err)
	}
}

// TestWhatIsRemovedComesBack has files removed from a data directory while nothing runs: the next start brings them back.
func TestWhatIsRemovedComesBack(t *testing.T) {
	films := filmsOf(6, 200_000)
	at, key := filledVaultOf(t, 2, 10, films)
	data := filepath.Join(t.TempDir(), "data")
	if _, code, out := runRestore(t, "--from", at, "--key", key, "--into", data); code != 0 {
		t.Fatal(out)
	}
	program, err := exec.LookPath("holdfast")
	must(t, err)
	if out, err := exec.Command(program, "adopt", data).CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	n := 0
	for h := range bloblist(t, data) {
		if n++; n <= 4 {
			list, err := filepath.Glob(filepath.Join(data, blobsName, "*", "*", h.String()))
			must(t, err)
			must(t, os.Remove(list[0]))
		}
	}
	end := serving(t, data)
	for began := time.Now(); len(bloblist(t, data)) < 6; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatalf("%d of 6 are there:\n%s", len(bloblist(t, data)), end(os.Kill))
		}
	}
	end(os.Interrupt)
	got := bloblist(t, data)
	for _, f := range films {
		if !bytes.HasPrefix(got[holdfast.HashOf(f)], f) {
			t.Error("one is not what it was")
		}
	}
}

// TestAVaultThatIsAwayEndsNoCopying has a store that lacks octets and whose vaults cannot be reached, or are not there at all: nothing is called lost, it is said how much is left and why, and it is tried again.
func TestAVaultThatIsAwayEndsNoCopying(t *testing.T) {
	e, m := memory.New(), storetest.NewMaker(3)
	who := storetest.NewAccount(t, m, e, "ann@example.org")
	x := holdfast.Blob{Hash: holdfast.Hash{1}, Size: 1 << 20}
	_, err := e.Commit(t.Context(), storetest.Sealed(who.ID, holdfast.Entry{ID: m.ID(), Op: holdfast.OpPut, Kind: holdfast.KindFile, Collection: who.Book, Name: "1.mp4", Blob: &x, At: m.Now()}))
	must(t, err)
	for _, away := range []error{nil, errors.New("it is unplugged")} {
		dir := t.TempDir()
		must(t, writeState(dir, copyingName, copyingFiles{Format: 1, Report: &restore.Report{}}))
		f := &filesBack{dir: dir, engine: e, blobs: blob.NewKeeper(memblob.New(nil)), busy: func() bool { return false }, log: slog.New(slog.DiscardHandler),
			open: func(context.Context) ([]*vault.Vault, error) { return nil, away }}
		done, err := f.once(t.Context())
		if done || !holdfast.IsKind(err, holdfast.Unavailable) {
			t.Errorf("it ended with %v, %v", done, err)
		}
		f.ended(err)
		if s := f.returning(); s.Files != 1 || s.Octets != 1<<20 || s.Since.IsZero() || s.Trouble == "" {
			t.Errorf("it says %+v", s)
		}
		if files, octets := f.of(who.ID); files != 1 || octets != 1<<20 {
			t.Errorf("of the account it says %d, %d", files, octets)
		}
		if _, err := os.Stat(filepath.Join(dir, copyingName)); err != nil {
			t.Error("it is not tried again:", err)
		}
	}
}
