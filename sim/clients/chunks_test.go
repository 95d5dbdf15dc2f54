package clients

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast"
)

// chunkingRclone finds an rclone that sends large files in chunks: that of Debian 12 does not yet.
func chunkingRclone(t *testing.T) string {
	t.Helper()
	places := []string{"rclone"}
	if out, err := exec.Command("go", "env", "GOBIN", "GOPATH").Output(); err == nil {
		for i, dir := range strings.Split(string(out), "\n") {
			if i == 1 {
				dir = filepath.Join(dir, "bin")
			}
			if dir != "" {
				places = append(places, filepath.Join(dir, "rclone"))
			}
		}
	}
	for _, p := range places {
		if out, err := exec.Command(p, "help", "flags", "chunk").CombinedOutput(); err == nil && strings.Contains(string(out), "webdav-nextcloud-chunk-size") {
			return p
		}
	}
	missing(t, "no rclone is installed that knows --webdav-nextcloud-chunk-size (scripts/need-tools.sh builds one)")
	return ""
}

// TestRcloneInChunks sends a file above rclone's size of a chunk: after the server was killed amid it there is no file, and what had come is there; sent again it is whole.
func TestRcloneInChunks(t *testing.T) {
	thorough(t)
	program := chunkingRclone(t)
	h := newHouse(t)
	d := h.device("rclone")
	dir := t.TempDir()
	octets := make([]byte, 7<<20+12345)
	rand.Read(octets)
	film := filepath.Join(dir, "a film.mp4")
	if err := os.WriteFile(film, octets, 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2009, 2, 13, 23, 31, 30, 0, time.UTC)
	if err := os.Chtimes(film, at, at); err != nil {
		t.Fatal(err)
	}
	rclone := func(args ...string) (string, error) {
		return h.rcloneOf(program, alice, d, append(args, "--webdav-nextcloud-chunk-size=1Mi")...)
	}
	cut := make(chan string, 1)
	go func() {
		out, _ := rclone("copy", dir, "h:box", "--bwlimit=1M") // it is to fail
		cut <- out
	}()
	if n := h.awaitChunks(3); n < 3 {
		t.Fatalf("%d chunks came\n%s", n, tail(<-cut))
	}
	h.killNow()
	<-cut
	h.restart()
	if n := h.chunks(); n < 3 {
		t.Errorf("%d chunks are left of those that were answered", n)
	}
	if out, err := rclone("lsf", "-R", "h:"); err != nil || strings.Contains(out, "film") {
		t.Errorf("before its end the file is there: %v\n%s", err, out)
	}
	for i := range 2 { // the second time in the place of the first
		if out, err := rclone("copy", dir, "h:box", "--ignore-times"); err != nil {
			t.Fatalf("%d: %v\n%s", i, err, tail(out))
		}
		if n := h.chunks(); n != 0 {
			t.Errorf("%d chunks stay", n)
		}
	}
	back := t.TempDir()
	if out, err := rclone("copy", "h:box", back); err != nil {
		t.Fatalf("%v\n%s", err, tail(out))
	}
	same(t, "what came back", tree(t, back), tree(t, dir))
	if st, err := os.Stat(filepath.Join(back, "a film.mp4")); err != nil || !st.ModTime().Equal(at) {
		t.Errorf("it is of %v, %v", st, err)
	}
	if b, err := os.ReadFile(filepath.Join(back, "a film.mp4")); err != nil || holdfast.HashOf(b) != holdfast.HashOf(octets) {
		t.Errorf("%d octets came back, %v", len(b), err)
	}
}

// chunks is how many chunks the server has of files that are not whole.
func (h *house) chunks() int {
	h.t.Helper()
	var s struct{ Arriving struct{ Chunks int } }
	h.command(&s, "status")
	return s.Arriving.Chunks
}

// awaitChunks waits until so many are there.
func (h *house) awaitChunks(n int) (got int) {
	h.t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if got = h.chunks(); got >= n {
			return got
		}
	}
	return got
}
