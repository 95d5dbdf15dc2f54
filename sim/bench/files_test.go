package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/sim/server"
)

// TestMain is the bare handler where a test starts it, as the benchmark does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "-serve-") {
		main()
		return
	}
	os.Exit(m.Run())
}

// newBench is a run of the smallest size.
func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) { // some peers run as another user
		if err := os.Chmod(d, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	bin, err := server.Build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return &bench{options: &options{peers: !testing.Short(), fileCount: 9, fileRounds: 1, fileSize: 100_000, hugeSize: 1 << 20}, bin: bin, dir: dir, report: newReport()}
}

// TestFilesAreMovedAtEachStand runs the part once: each stand gives back what was put, and who is absent is named.
func TestFilesAreMovedAtEachStand(t *testing.T) {
	b := newBench(t)
	if err := b.files(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, f := range b.report.Figures {
		if strings.HasPrefix(f.Name, "9 files") {
			seen++
		}
		if f.Value <= 0 && !strings.HasPrefix(f.Note, "absent: ") && !strings.HasPrefix(f.Note, "not ") {
			t.Errorf("%s: %v (%s)", f.Name, f.Value, f.Note)
		}
	}
	if seen != len(ways)*len(b.stands()) {
		t.Errorf("%d figures", seen)
	}
}

// TestAFileThatComesBackAsAnotherIsSeen puts a file and gets another.
func TestAFileThatComesBackAsAnotherIsSeen(t *testing.T) {
	dir := t.TempDir()
	s := httptest.NewServer(bareFiles(dir))
	defer s.Close()
	p, err := newPool(dir, 1000)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	list := newFiles(p, 2, 1000)
	list[0].name, list[1].name = "a", "a"
	h, err := (&web{addr: s.Listener.Addr().String(), path: "/"}).hand(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	if err := h.put(list[0]); err != nil {
		t.Fatal(err)
	}
	if err := h.get(list[0]); err != nil {
		t.Error(err)
	}
	if err := h.get(list[1]); err == nil {
		t.Error("another file was taken for it")
	}
}
