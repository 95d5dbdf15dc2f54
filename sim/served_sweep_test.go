package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/control"
	"holdfast/internal/place/remote"
	"holdfast/sim/server"
)

// TestAServerLetsGo has an object of a file on a friend's server that no change names, as an upload leaves that breaks off. The store tells the server of it by a list, and the server lets it go once its own time is over, by its prune credential; the files that are named come back from there.
func TestAServerLetsGo(t *testing.T) {
	b := &burning{t: t, bin: program(t), dir: t.TempDir()}
	b.o = server.Options{Bin: b.bin, Data: filepath.Join(b.dir, "data"), Flags: []string{"--first-vault", "none"},
		Env: map[string]string{"HOLDFAST_VAULT_SWEEP": "600ms", "HOLDFAST_VAULT_HEAD": "200ms"}}
	f := &friend{t: t, bin: b.bin, dir: filepath.Join(b.dir, "friend"), flags: []string{"--keep-unnamed", "4s"}}
	f.start()
	defer func() { f.kill() }()
	own := filepath.Join(f.dir, ".server")
	b.command("key", "init", "--data", b.o.Data, "--out", filepath.Join(b.dir, "recovery.txt"))
	s := start(t, b.o)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	b.command("vault", "add", "friend", "remote", f.url, "--domain", "elsewhere", "--sync", "--credential", filepath.Join(own, "append.txt"), "--data", b.o.Data)
	s = start(t, b.o)
	who := newFiler(s, people(t, s, 1)[0])
	film := bytes.Repeat([]byte("film"), 500_000)
	who.want(t, 201, "PUT", who.file("film.mp4"), film)
	names := filesOf(t, f.dir)
	if len(names) != 1 {
		t.Fatalf("the friend has %q", names)
	}
	left := names[0][:len(names[0])-4] + "0000"
	octets, err := os.ReadFile(filepath.Join(f.dir, names[0]))
	if err != nil {
		t.Fatal(err)
	}
	credential, err := os.ReadFile(filepath.Join(own, "append.txt"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(credential)) // the credential, "fingerprint", and that of the certificate
	r, err := remote.Open(remote.Options{URL: f.url, Credential: lines[0], Fingerprint: lines[2]})
	if err == nil {
		err = r.Put(t.Context(), left, bytes.NewReader(octets))
	}
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the server was told", func(n int) bool {
		who.want(t, 201, "PUT", who.file(fmt.Sprint("note ", n, ".txt")), []byte("time goes on with changes"))
		names, err := os.ReadDir(filepath.Join(f.dir, "unnamed"))
		return err == nil && len(names) == 1
	})
	var out control.VaultStatus
	said, _ := exec.CommandContext(t.Context(), b.bin, "vault", "status", "--json", "--data", b.o.Data).Output() // it fails while one domain holds all
	if err := json.Unmarshal(said, &out); err != nil || out.Vaults[0].Unnamed.Objects != 1 || out.Vaults[0].Unnamed.Kept != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	prune := []string{"vault", "prune", f.url, "--yes", "--credential", filepath.Join(own, "prune.txt")}
	b.command(prune...)
	if len(filesOf(t, f.dir)) != 2 {
		t.Fatal("it went early")
	}
	waitFor(t, "it went", func(n int) bool {
		who.want(t, 201, "PUT", who.file(fmt.Sprint("word ", n, ".txt")), []byte("time goes on with changes"))
		b.command(prune...)
		return len(filesOf(t, f.dir)) == 1
	})
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	os.RemoveAll(b.o.Data)
	b.command("restore", "--from", f.url, "--credential", filepath.Join(own, "read.txt"), "--key", filepath.Join(b.dir, "recovery.txt"), "--into", b.o.Data)
	b.command("adopt", b.o.Data)
	s = start(t, b.o)
	who.base = "http://" + s.Addr
	who.holds(t, who.file("film.mp4"), film)
}

// waitFor tries until something holds.
func waitFor(t *testing.T, what string, is func(n int) bool) {
	t.Helper()
	began := time.Now()
	for n := 0; !is(n); n++ {
		if time.Since(began) > 2*time.Minute {
			t.Fatalf("it never was so that %s", what)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// filesOf returns the objects of files in a vault's directory.
func filesOf(t *testing.T, root string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(root, "blobs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(root, path)
			out = append(out, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return out
}
