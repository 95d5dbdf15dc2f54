package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// photos returns the photos of real cameras and phones, where they are.
func photos(t *testing.T) (out []string) {
	t.Helper()
	list, err := filepath.Glob(filepath.Join("..", "..", "..", "shared", "corpus", "photos", "*"))
	if err != nil || len(list) == 0 {
		t.Logf("the corpus of photos is not there: %v", err) // what grow makes is large and small as well
	}
	return list
}

// TestFilesAfterAFire copies photos and other files in with rclone, takes the data directory away, restores it out of the vault and adopts it: rclone finds no octet different, twice. The second time the store is used while its large files are still to come.
func TestFilesAfterAFire(t *testing.T) {
	need(t, "rclone")
	thorough(t)
	h := newHouse(t)
	d := h.device("rclone")
	key := filepath.Join(t.TempDir(), "recovery.txt")
	var made struct{}
	h.command(&made, "key", "init", "--out", key)
	src := t.TempDir()
	grow(t, src)
	for _, name := range photos(t) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		put(t, src, "photo "+filepath.Base(name), string(b))
	}
	run := func(args ...string) {
		t.Helper()
		if out, err := h.rclone(d, args...); err != nil {
			t.Fatalf("rclone %s: %v\n%s", strings.Join(args, " "), err, tail(out))
		}
	}
	run("copy", src, "h:box")
	vault := filepath.Join(filepath.Dir(h.Data), "holdfast-vault")
	for _, more := range [][]string{nil, {"--files-later"}} {
		h.killNow()
		if err := os.RemoveAll(h.Data); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{append([]string{"restore", "--from", vault, "--key", key, "--into", h.Data}, more...), {"adopt", h.Data}} {
			if out, err := exec.Command(h.Bin, args...).CombinedOutput(); err != nil {
				t.Fatalf("holdfast %s: %v\n%s", strings.Join(args, " "), err, out)
			}
		}
		h.restart()
		run("check", src, "h:box", "--download")
	}
	var drill struct {
		Result string
		Blobs  struct{ Files, Read int64 }
	}
	h.command(&drill, "drill", "run")
	if drill.Result != "pass" || drill.Blobs.Files < 5 || drill.Blobs.Read != drill.Blobs.Files {
		t.Errorf("the drill says %+v", drill)
	}
	back := filepath.Join(t.TempDir(), "export")
	var x struct{ Files, Lost int }
	h.command(&x, "export", alice, "--to", back)
	if x.Lost != 0 {
		t.Errorf("the export says %+v", x)
	}
	run("check", src, filepath.Join(back, "files", "box"), "--download")
}
