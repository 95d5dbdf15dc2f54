package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"syscall"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/blob/blobtest"
	memblob "holdfast/internal/blob/memory"
	"holdfast/internal/place/dir"
	"holdfast/internal/registry"
	"holdfast/internal/seal"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
	"holdfast/internal/vfs"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// filledVault makes a vault with many changes, and the key that opens it.
func filledVault(t *testing.T, accounts, changes int) (at, key string) {
	return filledVaultOf(t, accounts, changes, nil)
}

// filledVaultOf makes one that has large files too, in a folder files of each account.
func filledVaultOf(t *testing.T, accounts, changes int, films [][]byte) (at, key string) {
	at, key = filepath.Join(t.TempDir(), "vault"), filepath.Join(t.TempDir(), "recovery.txt")
	id, now := holdfast.NewID(nil), time.Now()
	ring, err := seal.NewRing(false)
	must(t, err)
	recovery, err := seal.NewRecovery(id, now, false)
	must(t, err)
	must(t, ring.Add(recovery))
	must(t, os.WriteFile(key, recovery.File(), 0o600))
	e, m := memory.New(), storetest.NewMaker(11)
	var people []storetest.Account
	for i := range accounts {
		people = append(people, storetest.NewAccount(t, m, e, fmt.Sprintf("p%d@example.org", i)))
	}
	for i := range changes {
		p, name := people[i%accounts], fmt.Sprint(i%(changes/2), ".vcf")
		_, err := e.Commit(t.Context(), storetest.Sealed(p.ID, m.Put(p.Book, name, name, storetest.Card(name, name, fmt.Sprint("version ", i)))))
		must(t, err)
	}
	p, err := dir.Open(vfs.OS, at, dir.Options{Create: true})
	must(t, err)
	v, err := vault.Create(t.Context(), vault.Options{Place: p, Ring: ring}, vault.Meta{Vault: holdfast.NewID(nil), Store: id, Name: "local", Created: now})
	must(t, err)
	defer v.Close()
	term, err := v.Adopt(t.Context(), id, holdfast.Position{}, vault.FromNothing)
	must(t, err)
	reg := &registry.Registry{}
	must(t, reg.Add(registry.Entry{Name: "local", Kind: kindDir, Location: at, Domain: "disk", Mode: registry.Sync, Vault: v.Meta().Vault, Added: now}))
	must(t, v.PutService(t.Context(), registry.RecordOf(id, "engine+local", "strict", reg, ring)))
	putFilms(t, v, e, m, people, films)
	w, err := v.Writer(t.Context(), term, holdfast.Position{})
	must(t, err)
	for {
		var list []*holdfast.Batch
		must(t, e.After(t.Context(), w.Position().Batch, 2000, func(b *holdfast.Batch) error { list = append(list, b); return nil }))
		if len(list) == 0 {
			break
		}
		must(t, w.Append(t.Context(), vault.PackBatches(list, now)))
	}
	must(t, w.Close())
	return at, key
}

// putFilms puts large files into a vault, and their changes into the engine.
func putFilms(t *testing.T, v *vault.Vault, e *memory.Engine, m *storetest.Maker, people []storetest.Account, films [][]byte) {
	mem := memblob.New(nil)
	folders := make([]holdfast.ID, len(people))
	for i, octets := range films {
		who := people[i%len(people)]
		folder := &folders[i%len(people)]
		if folder.IsZero() {
			*folder = m.ID()
			_, err := e.Commit(t.Context(), storetest.Sealed(who.ID, m.Collection(*folder, who.ID, "files", holdfast.TypeFolder)))
			must(t, err)
		}
		x, err := blobtest.Put(t.Context(), mem, who.ID, octets)
		must(t, err)
		must(t, v.PutBlob(t.Context(), who.ID, x, func() (blob.File, error) { return mem.Open(t.Context(), who.ID, x.Hash) }))
		_, err = e.Commit(t.Context(), storetest.Sealed(who.ID, holdfast.Entry{ID: m.ID(), Op: holdfast.OpPut, Kind: holdfast.KindFile, Collection: *folder, Name: fmt.Sprint(i, ".mp4"), Blob: &x, At: m.Now()}))
		must(t, err)
	}
}

// restoredAccount is what two restores of one vault must agree on.
type restoredAccount struct {
	Email, Digest string
	Epoch, Seq    uint64
	Changes       int64
	Complete      bool
}

// TestARestoreThatIsKilled kills and interrupts the program at many moments of a restore, and runs it again.
func TestARestoreThatIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("it restores many times")
	}
	program, err := exec.LookPath("holdfast")
	must(t, err)
	at, key := filledVault(t, 20, 8_000)
	restore := func(into string) *exec.Cmd {
		return exec.Command(program, "restore", "--from", at, "--key", key, "--into", into, "--json", "--data", filepath.Join(t.TempDir(), "none"))
	}
	finish := func(into string) []restoredAccount {
		t.Helper()
		c := restore(into)
		var errs bytes.Buffer
		c.Stderr = &errs
		out, err := c.Output()
		var rep struct {
			Accounts []restoredAccount
			Losses   []any
		}
		if err == nil {
			err = json.Unmarshal(out, &rep)
		}
		if err != nil || len(rep.Losses) > 0 || len(rep.Accounts) != 20 {
			t.Fatalf("restore into %s: %v\n%s%s", into, err, out, errs.String())
		}
		return rep.Accounts
	}
	began := time.Now()
	want := finish(filepath.Join(t.TempDir(), "data"))
	whole, cut := time.Since(began), 0
	for i := range 5 {
		into := filepath.Join(t.TempDir(), "data")
		c := restore(into)
		signal := syscall.SIGKILL
		if i%4 == 3 {
			signal = syscall.SIGINT
		}
		must(t, c.Start())
		time.Sleep(whole * time.Duration(i+1) / 6)
		_ = c.Process.Signal(signal)
		err := c.Wait()
		var x *exec.ExitError
		if errors.As(err, &x) {
			cut++
			if signal == syscall.SIGINT && x.ExitCode() != exitBusy {
				t.Errorf("interrupted, it ended with %v", err)
			}
		}
		if _, err := os.Stat(filepath.Join(into, restoringName)); err == nil {
			err := exec.Command(program, "account", "list", "--data", into).Run()
			if !errors.As(err, &x) || x.ExitCode() != exitRefused {
				t.Errorf("a directory that is half restored was opened: %v", err)
			}
		} else if _, err := os.Stat(filepath.Join(into, identityName)); err == nil {
			continue // it was through already
		}
		if got := finish(into); !reflect.DeepEqual(got, want) {
			t.Fatalf("cut %d of 5: gone on with, it restored\n%+v, want\n%+v", i, got, want)
		}
	}
	if cut < 2 {
		t.Fatalf("only %d of 5 runs were cut", cut)
	}
}

// TestARestoreIsBounded compares how much memory a restore takes and one three times as large.
func TestARestoreIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("it fills vaults with many changes")
	}
	program, err := exec.LookPath("holdfast")
	must(t, err)
	peak := func(changes int) (most int64) {
		at, key := filledVault(t, 3, changes)
		c := exec.Command(program, "restore", "--from", at, "--key", key, "--into", filepath.Join(t.TempDir(), "data"), "--data", filepath.Join(t.TempDir(), "none"))
		var out bytes.Buffer
		c.Stdout, c.Stderr = &out, &out
		must(t, c.Start())
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		for {
			select {
			case err := <-ended:
				if err != nil || most == 0 {
					t.Fatalf("%v, %d MiB were seen\n%s", err, most, out.String())
				}
				return most
			case <-time.After(10 * time.Millisecond): // what wait(2) tells counts this very process too, from before the exec
				most = max(most, residentPeak(c.Process.Pid))
			}
		}
	}
	small, large := peak(30_000), peak(90_000)
	t.Logf("30,000 changes: %d MiB; 90,000: %d MiB", small, large)
	if large > small+120 {
		t.Errorf("a restore of 30,000 changes takes %d MiB, one of 90,000 %d MiB", small, large)
	}
}

// residentPeak returns how many MiB a process had in memory at most; 0 where it is gone.
func residentPeak(pid int) (n int64) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(b) {
		if _, err := fmt.Sscanf(string(line), "VmHWM: %d kB", &n); err == nil {
			return n >> 10
		}
	}
	return 0
}

// TestAdoptLooksAgain has the right to write made already, as by an adopt that was cut, and more in the vault than the store was restored to.
func TestAdoptLooksAgain(t *testing.T) {
	at, key := filledVault(t, 2, 100)
	rec, err := readRecovery(key)
	must(t, err)
	v, err := openToRead(t.Context(), at, credential{}, slog.New(slog.DiscardHandler), rec.Identity)
	must(t, err)
	defer v.Close()
	end, term, err := v.End(t.Context())
	must(t, err)
	ring, err := seal.NewRing(false)
	must(t, err)
	must(t, ring.Add(rec))
	store, e := holdfast.NewID(nil), registry.Entry{Name: "local", Kind: kindDir, Location: at}
	try := func(term uint64, batch uint64) error {
		r := &restored{From: []restoredOf{{Vault: v.Meta().Vault, Whole: true, Term: term, End: vault.Position{Batch: batch, Hash: end.Hash}}}}
		return adoptVault(t.Context(), e, ring, store, r, slog.New(slog.DiscardHandler))
	}
	if err := try(term.Number, end.Batch-1); err == nil {
		t.Fatal("a vault into which more came was adopted")
	}
	if err := try(term.Number+1, end.Batch); err == nil {
		t.Fatal("a vault that another store has taken was adopted")
	}
	if _, now, err := v.End(t.Context()); err != nil || now.Number != term.Number {
		t.Fatalf("a term was made all the same: %v %v", now, err)
	}
	must(t, try(term.Number, end.Batch))
	must(t, try(term.Number, end.Batch)) // it was cut behind the term
	if err := try(term.Number, end.Batch-1); err == nil {
		t.Fatal("what came before the term was made is not looked at")
	}
}
