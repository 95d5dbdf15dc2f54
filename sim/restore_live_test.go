package sim

import (
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/sim/load"
	"holdfast/sim/server"
)

// TestRestoreWhileTheOldServerWrites restores out of a remote vault while the store that writes into it runs, under load. What is restored is a prefix of each account's history, with all that was acknowledged before. It cannot be adopted while
// more has come since; once it can, the old server is refused, and nothing that it acknowledged is lost.
func TestRestoreWhileTheOldServerWrites(t *testing.T) {
	seed := seed(t)
	b := &burning{t: t, bin: program(t), dir: t.TempDir()}
	b.o = server.Options{Bin: b.bin, Data: filepath.Join(b.dir, "data"), Flags: []string{"--first-vault", "none"}}
	f := &friend{t: t, bin: b.bin, dir: filepath.Join(b.dir, "friend")}
	f.start()
	defer func() { f.kill() }()
	own := filepath.Join(f.dir, ".server")
	b.from = []string{"--from", f.url, "--credential", filepath.Join(own, "read.txt")}
	b.command("key", "init", "--data", b.o.Data, "--out", filepath.Join(b.dir, "recovery.txt"))
	s := start(t, b.o)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	b.command("vault", "add", "friend", "remote", f.url, "--domain", "elsewhere", "--sync", "--credential", filepath.Join(own, "append.txt"), "--data", b.o.Data)
	s = start(t, b.o)
	var writers []*load.Writer
	for i, a := range people(t, s, 4) {
		w := load.NewWriter(dial(t, s), a, seed, uint64(i))
		w.Deletes = 10
		writers = append(writers, w)
	}
	acked := load.Run(t.Context(), writers, load.Bounds{For: time.Second}).Done
	before := seqsOf(writers)

	// Under load.
	running := make(chan load.Result, 1)
	go func() { running <- load.Run(t.Context(), writers, load.Bounds{For: 3 * time.Second}) }()
	time.Sleep(300 * time.Millisecond)
	first := b.restoreAs("first")
	time.Sleep(200 * time.Millisecond)
	b.refused("another store has written into the vault friend", "adopt", filepath.Join(b.dir, "first"))
	res := <-running
	if err := errors.Join(res.Errors...); err != nil || res.Done == 0 || len(res.Refused) > 0 {
		t.Fatalf("the restore was in the way of the old server: %d acknowledged, refused %v, %v", res.Done, res.Refused, err)
	}
	acked += res.Done
	for email, seq := range seqsOf(writers) {
		if got := first[email]; got < before[email] || got > seq {
			t.Errorf("%s was restored up to %d: acknowledged were %d before, and %d in the end", email, got, before[email], seq)
		}
	}

	// The old server still runs; only nobody writes at the moment.
	last := b.restoreAs("last")
	for email, seq := range seqsOf(writers) {
		if last[email] != seq {
			t.Errorf("%s was restored up to %d, and %d were acknowledged", email, last[email], seq)
		}
	}
	b.command("adopt", filepath.Join(b.dir, "last"))
	res = load.Run(t.Context(), writers, load.Bounds{For: 300 * time.Millisecond})
	if err := errors.Join(res.Errors...); err != nil || res.Done > 0 || res.Refused[503] < int64(len(writers)) || len(res.Refused) > 1 {
		t.Fatalf("the old server goes on: %d acknowledged, refused %v, %v", res.Done, res.Refused, err)
	}
	o := b.o
	o.Data = filepath.Join(b.dir, "last")
	next := start(t, o)
	k := &killing{t: t, seen: make([]int, len(writers))}
	k.check(next, writers, true)
	for _, w := range writers {
		w.Conn.Close()
		w.Reconnect(dial(t, next))
	}
	res = load.Run(t.Context(), writers, load.Bounds{For: 500 * time.Millisecond})
	if err := errors.Join(res.Errors...); err != nil || res.Done == 0 {
		t.Fatalf("the new server: %d acknowledged, %v", res.Done, err)
	}
	t.Logf("%d changes acknowledged by the old server, lost: 0; %d by the new one", acked, res.Done)
}

func seqsOf(writers []*load.Writer) map[string]uint64 {
	out := map[string]uint64{}
	for _, w := range writers {
		out[w.Account.Email] = w.Seq()
	}
	return out
}

// restoreAs restores into a directory, and returns how far each account came before the restore's own change.
func (b *burning) restoreAs(name string) map[string]uint64 {
	b.t.Helper()
	out := b.command(append([]string{"restore", "--json", "--key", filepath.Join(b.dir, "recovery.txt"), "--into", filepath.Join(b.dir, name)}, b.from...)...)
	var rep struct {
		Accounts []struct {
			Email    string `json:"email"`
			Seq      uint64 `json:"seq"`
			Complete bool   `json:"complete"`
		} `json:"accounts"`
		Losses []any `json:"losses"`
	}
	if err := json.Unmarshal(out, &rep); err != nil || len(rep.Losses) > 0 {
		b.t.Fatalf("the restore says %s", out)
	}
	seqs := map[string]uint64{}
	for _, a := range rep.Accounts {
		if !a.Complete {
			b.t.Errorf("%s is not complete", a.Email)
		}
		seqs[a.Email] = a.Seq - 1
	}
	return seqs
}

// refused runs a command that must be refused for safety.
func (b *burning) refused(why string, args ...string) {
	b.t.Helper()
	out, err := exec.CommandContext(b.t.Context(), b.bin, args...).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || !strings.Contains(string(out), why) {
		b.t.Fatalf("holdfast %v: %v\n%s", args, err, out)
	}
}
