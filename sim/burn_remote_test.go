package sim

import (
	"bufio"
	"cmp"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/sim/load"
	"holdfast/sim/server"
)

// friend is the program that keeps a vault for another store.
type friend struct {
	t   *testing.T
	bin string
	dir string
	url string
	cmd *exec.Cmd

	flags  []string // of vault serve
	wrap   []string // a command in front of the program
	listen string   // where it listens at first; empty: on a free port of this machine
}

// start starts it, at the address that it had before.
func (f *friend) start() {
	f.t.Helper()
	listen := cmp.Or(f.listen, "127.0.0.1:0")
	if u, err := url.Parse(f.url); err == nil && u.Host != "" {
		listen = u.Host
	}
	line := append(slices.Clone(f.wrap), f.bin, "vault", "serve", "--dir", f.dir, "--listen", listen)
	line = append(line, f.flags...)
	f.cmd = exec.Command(line[0], line[1:]...)
	log, err := os.OpenFile(f.dir+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	defer log.Close()
	f.cmd.Stderr = log
	out, err := f.cmd.StdoutPipe()
	if err == nil {
		err = f.cmd.Start()
	}
	if err != nil {
		f.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if at, ok := strings.CutPrefix(lines.Text(), "holdfast: vault ready "); ok {
			f.url = at
			return
		}
	}
	b, _ := os.ReadFile(f.dir + ".log")
	f.t.Fatalf("the vault's server ended before it was ready: %s", b)
}

func (f *friend) kill() {
	_ = f.cmd.Process.Kill()
	_ = f.cmd.Wait()
}

// TestBurnRemote takes everything away that the store has on its machine, under load, while the server of its only vault is killed and started again. The friend's vault and the recovery key are left.
func TestBurnRemote(t *testing.T) {
	rounds := *remoteBurnsFlag
	if testing.Short() {
		rounds = 1
	}
	seed := seed(t)
	r := rand.New(rand.NewPCG(seed, 3))
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
	for i, a := range people(t, s, burners) {
		writers = append(writers, load.NewWriter(dial(t, s), a, seed, uint64(i)))
	}
	k := &killing{t: t, rand: r, seen: make([]int, len(writers))}
	for n := range rounds {
		ended := make(chan error, 1)
		time.AfterFunc(time.Duration(500+r.IntN(1000))*time.Millisecond, func() {
			f.kill() // what was on its way there is not acknowledged
			f.start()
			time.Sleep(time.Duration(r.IntN(1500)) * time.Millisecond)
			os.RemoveAll(b.o.Data)
			ended <- s.Kill()
		})
		res := load.Run(t.Context(), writers, load.Bounds{For: 20 * time.Second})
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		k.acked += res.Done
		if err := broken(res.Errors); err != nil {
			t.Fatalf("round %d: %v", n, err)
		}
		os.RemoveAll(b.o.Data)
		b.restore()
		s = start(t, b.o)
		k.check(s, writers, n == rounds-1)
		for _, w := range writers {
			w.Conn.Close()
			w.Reconnect(dial(t, s))
		}
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d times everything here was taken away; %d changes acknowledged, lost: 0; %d on their way: %d stored, %d not", rounds, k.acked, k.stored+k.lost, k.stored, k.lost)
	if k.acked == 0 {
		t.Error("nothing was acknowledged, so nothing was shown")
	}
}
