package sim

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/sim/load"
	"holdfast/sim/server"
)

// needStrace passes the test over where the program's system calls cannot be watched.
func needStrace(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		passOver(t, "strace is not installed, so that the order of system calls cannot be watched: apt-get install strace")
	}
	if out, err := exec.Command("strace", "-f", "-qq", "-o", "/dev/null", "true").CombinedOutput(); err != nil {
		passOver(t, "strace is not allowed here (%v: %s), so that the order of system calls cannot be watched", err, out)
	}
}

// TestAnswerLeavesAfterSync watches the system calls of the real program, for one PUT after the other and for 32 at once.
func TestAnswerLeavesAfterSync(t *testing.T) {
	needStrace(t)
	list, markers := traced(t, program(t))
	for _, m := range markers {
		if err := judgeTrace(list, m, true); err != nil {
			t.Error(err)
		}
	}
	syncs := 0
	for _, c := range list {
		if c.syncs() && strings.HasSuffix(c.file(), log) {
			syncs++
		}
	}
	t.Logf("%d PUTs, each answered after syncs of the log and of the vault that began after its octets were written; %d syncs of the log in all", len(markers), syncs)
}

// TestAnswerBeforeSyncIsSeen is the control: the same program, with SQLite told not to sync, or a vault's tail not synced, must not pass.
func TestAnswerBeforeSyncIsSeen(t *testing.T) {
	needStrace(t)
	if testing.Short() {
		t.Skip("a second build of the program; not in short form")
	}
	for _, x := range []struct{ file, careful, off string }{
		{"../internal/store/sqlite/conn.go", `{"synchronous", "FULL", "2"}`, `{"synchronous", "OFF", "0"}`},
		{"../internal/place/dir/tail.go", `return t.f.SyncData()`, `return nil`},
	} {
		list, markers := traced(t, careless(t, x.file, x.careful, x.off))
		for _, m := range markers {
			if judgeTrace(list, m, true) == nil {
				t.Errorf("%s was answered without a sync (%s), and nothing was found wrong", m, x.file)
			}
		}
	}
}

// careless builds the program without a sync, by an overlay over one source file.
func careless(t *testing.T, file, careful, off string) string {
	t.Helper()
	bin, err := server.Build(t.Context(), t.TempDir(), "-overlay", overlay(t, file, careful, off))
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// traced runs the program under strace, lets phones write, and returns its system calls and the UIDs of the contacts that were acknowledged.
func traced(t *testing.T, bin string) ([]*call, []string) {
	t.Helper()
	dir := t.TempDir()
	trace := filepath.Join(dir, "trace")
	s := start(t, server.Options{Bin: bin, Data: filepath.Join(dir, "data"), Wrap: []string{"strace", "-f", "-qq", "-y", "-s", "5000",
		"-e", "trace=read,recvfrom,write,writev,sendto,pwrite64,pwritev,fsync,fdatasync", "-e", "signal=none", "-o", trace}})
	var writers []*load.Writer
	for i, a := range people(t, s, 32) {
		w := load.NewWriter(dial(t, s), a, 1, uint64(i))
		w.Strict, w.Guarded = true, true
		writers = append(writers, w)
	}
	put := func(list []*load.Writer, count int64) {
		steps := make([]func() (int, error), len(list))
		for i, w := range list {
			steps[i] = w.Create
		}
		if r := load.Drive(context.Background(), steps, load.Bounds{Count: count}); len(r.Errors) > 0 || len(r.Refused) > 0 || r.Done != count {
			t.Fatal(r.Done, r.Errors, r.Refused)
		}
	}
	put(writers[:1], 5)
	put(writers, 64)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	list, err := readTrace(f)
	if err != nil {
		t.Fatal(err)
	}
	var markers []string
	for _, w := range writers {
		for _, it := range w.Items() {
			markers = append(markers, it.UID)
		}
	}
	return list, markers
}

// TestJudgeTrace is the judge's own test, on traces of a few lines.
func TestJudgeTrace(t *testing.T) {
	const (
		read    = `10 read(17<socket:[5]>, "PUT /x HTTP/1.1\r\n\r\nUID:MARK\r\n", 4096) = 60` + "\n"
		written = `10 pwrite64(9</d/holdfast.db-wal>, "\r\0UID:MARK\r\n", 4096, 0) = 4096` + "\n"
		synced  = `10 fsync(9</d/holdfast.db-wal>) = 0` + "\n"
		begun   = `11 fdatasync(9</d/holdfast.db-wal> <unfinished ...>` + "\n"
		ended   = `11 <... fdatasync resumed>)           = 0` + "\n"
		failed  = `11 <... fdatasync resumed>)           = -1 EIO (Input/output error)` + "\n"
		answer  = `10 write(17<socket:[5]>, "HTTP/1.1 201 Created\r\n"..., 300) = 300` + "\n"
		other   = `10 write(18<socket:[6]>, "HTTP/1.1 201 Created\r\n"..., 300) = 300` + "\n"
		elswise = `10 fsync(8</d/holdfast.db>) = 0` + "\n"
		frame   = `12 pwrite64(21</v/tail/1/2.frames>, "HF0 "..., 900, 0) = 900` + "\n"
		kept    = `12 fdatasync(21</v/tail/1/2.frames>) = 0` + "\n"
	)
	for _, c := range []struct {
		name  string
		trace []string
		good  bool
	}{
		{"one after the other", []string{read, written, synced, answer}, true},
		{"a sync on another thread", []string{read, written, begun, other, ended, answer}, true},
		{"an earlier sync fails, a later one does not", []string{read, written, begun, failed, synced, answer}, true},
		{"no sync", []string{read, written, answer}, false},
		{"answered during the sync", []string{read, written, begun, answer, ended}, false},
		{"the sync had begun before", []string{read, begun, written, ended, answer}, false},
		{"another file's sync", []string{read, written, elswise, answer}, false},
		{"a sync before and one after", []string{read, synced, written, answer, synced}, false},
		{"a failed sync", []string{read, written, begun, failed, answer}, false},
		{"never written", []string{read, synced, answer}, false},
		{"written before it was read", []string{written, read, synced, answer}, false},
		{"never answered", []string{read, written, synced, other}, false},
		{"nothing at all", nil, false},
	} {
		list, err := readTrace(strings.NewReader(strings.Join(c.trace, "")))
		if err != nil {
			t.Fatal(err)
		}
		if err := judgeTrace(list, "MARK", false); (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, c := range []struct {
		name  string
		trace []string
		good  bool
	}{
		{"with a vault", []string{read, written, synced, frame, kept, answer}, true},
		{"nothing in the vault", []string{read, written, synced, answer}, false},
		{"the vault is not synced", []string{read, written, synced, frame, answer}, false},
		{"the vault is synced afterwards", []string{read, written, synced, frame, answer, kept}, false},
		{"the vault had it before the log", []string{read, written, frame, kept, synced, answer}, false},
	} {
		list, err := readTrace(strings.NewReader(strings.Join(c.trace, "")))
		if err != nil {
			t.Fatal(err)
		}
		if err := judgeTrace(list, "MARK", true); (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
