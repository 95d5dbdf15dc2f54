package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/blob/blobtest"
)

// filmsOf makes large files.
func filmsOf(n, size int) (out [][]byte) {
	for i := range n {
		out = append(out, blobtest.Octets(uint64(i), size+i))
	}
	return out
}

// bloblist returns the octets of all blobs in a data directory, by their hash.
func bloblist(t *testing.T, data string) map[holdfast.Hash][]byte {
	t.Helper()
	out := map[holdfast.Hash][]byte{}
	list, err := filepath.Glob(filepath.Join(data, blobsName, "*", "*", "*"))
	must(t, err)
	for _, name := range list {
		h, err := holdfast.ParseHash(filepath.Base(name))
		must(t, err)
		out[h], err = os.ReadFile(name)
		must(t, err)
	}
	return out
}

// filesReport is what a restore says of large files.
type filesReport struct {
	Accounts []struct {
		Email    string
		Complete bool
	}
	Losses []struct{ Account, Collection, Name, Kind, ETag, Reason string }
	Blobs  *struct {
		Named, Octets, Read, Lost int64
	}
}

// runRestore runs the program, and returns what it says and its exit status.
func runRestore(t *testing.T, args ...string) (rep filesReport, code int, out string) {
	t.Helper()
	program, err := exec.LookPath("holdfast")
	must(t, err)
	c := exec.Command(program, append([]string{"restore", "--json", "--data", filepath.Join(t.TempDir(), "none")}, args...)...)
	var errs bytes.Buffer
	c.Stderr = &errs
	b, err := c.Output()
	var x *exec.ExitError
	if err != nil && !errors.As(err, &x) {
		t.Fatal(err)
	}
	if len(b) > 0 {
		must(t, json.Unmarshal(b, &rep))
	}
	return rep, c.ProcessState.ExitCode(), string(b) + errs.String()
}

// TestARestoreBringsLargeFiles restores a vault with large files, whole and with some of them missing, and tries it without writing.
func TestARestoreBringsLargeFiles(t *testing.T) {
	films := filmsOf(7, 100_000)
	at, key := filledVaultOf(t, 3, 30, films)
	rep, code, out := runRestore(t, "--from", at, "--key", key, "--dry-run")
	if code != 0 || rep.Blobs == nil || rep.Blobs.Named != 7 || rep.Blobs.Read != 7 {
		t.Fatalf("%d %s", code, out)
	}
	data := filepath.Join(t.TempDir(), "data")
	rep, code, out = runRestore(t, "--from", at, "--key", key, "--into", data)
	if code != 0 || rep.Blobs == nil || rep.Blobs.Named != 7 || rep.Blobs.Read != 7 || rep.Blobs.Lost != 0 {
		t.Fatalf("%d %s", code, out)
	}
	got := bloblist(t, data)
	for i, f := range films {
		if b := got[holdfast.HashOf(f)]; !bytes.HasPrefix(b, f) || len(got) != 7 {
			t.Errorf("the film %d came back as %d octets, of %d files", i, len(b), len(got))
		}
	}
	if _, err := os.Stat(filepath.Join(data, copyingName)); !errors.Is(err, os.ErrNotExist) {
		t.Error("it says that something is to come:", err)
	}
	if _, code, out = runRestore(t, "--from", at, "--key", key, "--into", data); code != exitRefused || !strings.Contains(out, "holds a store already") {
		t.Errorf("run again: %d %s", code, out)
	}
	one := filepath.Join(t.TempDir(), "one")
	if rep, code, out = runRestore(t, "--from", at, "--key", key, "--into", one, "--account", "p1@example.org"); code != 0 || rep.Blobs.Named != 2 || len(bloblist(t, one)) != 2 {
		t.Errorf("one account: %d %s", code, out)
	}

	objects, err := filepath.Glob(filepath.Join(at, "blobs", "*", "*"))
	must(t, err)
	must(t, os.Remove(objects[0]))
	for _, args := range [][]string{{"--dry-run"}, {"--into", filepath.Join(t.TempDir(), "data")}} {
		rep, code, out = runRestore(t, append(args, "--from", at, "--key", key)...)
		if code != exitNegative || rep.Blobs.Lost != 1 || rep.Blobs.Read != 6 || len(rep.Losses) != 1 {
			t.Fatalf("%v: %d %s", args, code, out)
		}
		l := rep.Losses[0]
		if l.Kind != "file" || l.Collection != "files" || !strings.HasSuffix(l.Name, ".mp4") || len(l.ETag) != 64 || !strings.Contains(l.Reason, "local") {
			t.Errorf("%+v", l)
		}
		for _, a := range rep.Accounts {
			if a.Complete == (a.Email == l.Account) {
				t.Errorf("%+v", a)
			}
		}
		if args[0] == "--into" {
			text, err := os.ReadFile(filepath.Join(args[1], lossesTextName))
			if err != nil || !strings.Contains(string(text), "files/"+l.Name) {
				t.Errorf("%s: %s %v", lossesTextName, text, err)
			}
			var r restored
			if ok, err := readState(args[1], restoredName, &r); !ok || err != nil || !r.Lossy {
				t.Errorf("%+v %v", r, err)
			}
			program, err := exec.LookPath("holdfast")
			must(t, err)
			if out, err := exec.Command(program, "adopt", args[1]).CombinedOutput(); err != nil { // the vault has nothing that the store lacks
				t.Errorf("it cannot be adopted: %s", out)
			}
		}
	}
}

// TestARestoreOfLargeFilesThatIsKilled kills the program while it copies large files: by then the directory is a store that can be adopted, and the same command goes on and reads nothing twice.
func TestARestoreOfLargeFilesThatIsKilled(t *testing.T) {
	films := filmsOf(40, 3<<20)
	at, key := filledVaultOf(t, 2, 30, films)
	program, err := exec.LookPath("holdfast")
	must(t, err)
	cut := 0
	for i := range 4 {
		data := filepath.Join(t.TempDir(), "data")
		args := []string{"--from", at, "--key", key, "--into", data}
		c := exec.Command(program, append([]string{"restore", "--data", filepath.Join(t.TempDir(), "none")}, args...)...)
		must(t, c.Start())
		for began := time.Now(); len(bloblist(t, data)) <= 3*i && time.Since(began) < patience; {
			time.Sleep(time.Millisecond)
		}
		signal := os.Signal(os.Kill)
		if i%2 == 1 {
			signal = os.Interrupt
		}
		_ = c.Process.Signal(signal)
		err := c.Wait()
		there := bloblist(t, data)
		if err == nil || len(there) == len(films) {
			continue // it was through
		}
		cut++
		if i%2 == 1 && c.ProcessState.ExitCode() != exitBusy {
			t.Errorf("interrupted, it ended with %v", err)
		}
		if err := exec.Command(program, "account", "list", "--data", data).Run(); err != nil {
			t.Errorf("the store cannot be looked at: %v", err)
		}
		rep, code, out := runRestore(t, args...)
		if code != 0 || rep.Blobs.Named != 40 || rep.Blobs.Read != int64(40-len(there)) || len(rep.Accounts) != 2 {
			t.Fatalf("gone on with %d of 40: %d %s", len(there), code, out)
		}
		got := bloblist(t, data)
		for n, f := range films {
			if !bytes.HasPrefix(got[holdfast.HashOf(f)], f) {
				t.Errorf("the film %d is not there", n)
			}
		}
	}
	if cut == 0 {
		t.Error("no run was cut")
	}
	data := filepath.Join(t.TempDir(), "data")
	rep, code, out := runRestore(t, "--from", at, "--key", key, "--into", data, "--files-later")
	if code != 0 || rep.Blobs.Named != 40 || rep.Blobs.Read != 0 || len(bloblist(t, data)) != 0 {
		t.Fatalf("%d %s", code, out)
	}
	if out, err := exec.Command(program, "adopt", data).CombinedOutput(); err != nil {
		t.Fatalf("it cannot be adopted: %s", out)
	}
	if _, code, out = runRestore(t, "--from", at, "--key", key, "--into", data, "--files-later"); code != exitRefused || !strings.Contains(out, "by itself") {
		t.Errorf("run again once it was adopted: %d %s", code, out)
	}
}
