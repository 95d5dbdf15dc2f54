package sim

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"holdfast/sim/load"
	"holdfast/sim/server"
)

// burners is how many connections write while the disk goes.
const burners = 16

// TestBurn takes the server's data away under load, again and again: the directory vanishes below the running process, or the process is killed and its disk comes back empty, or as it was a while
// ago. The vault and the recovery key are left. After each time every acknowledged change is there, octet for octet, and devices go on with their passwords.
func TestBurn(t *testing.T) {
	rounds := *burnsFlag
	if testing.Short() {
		rounds = min(rounds, 3)
	}
	seed := seed(t)
	r := rand.New(rand.NewPCG(seed, 2))
	b := &burning{t: t, bin: program(t), dir: t.TempDir()}
	b.o = server.Options{Bin: b.bin, Data: filepath.Join(b.dir, "data")}
	b.command("key", "init", "--data", b.o.Data, "--out", filepath.Join(b.dir, "recovery.txt"))
	s := start(t, b.o)
	var writers []*load.Writer
	for i, a := range people(t, s, burners) {
		w := load.NewWriter(dial(t, s), a, seed, uint64(i))
		w.Deletes = 10
		writers = append(writers, w)
	}
	k := &killing{t: t, rand: r, seen: make([]int, len(writers))}
	image := ""
	for n := range rounds {
		after := time.Duration(200+r.IntN(1300)) * time.Millisecond
		how := n % 3
		ended := make(chan error, 1)
		time.AfterFunc(after, func() {
			if how == 0 { // the directory goes first, while the server writes
				os.RemoveAll(b.o.Data)
				time.Sleep(20 * time.Millisecond)
			}
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
		switch {
		case how == 2 && image != "": // an older image is put back: the start itself brings it up
			b.replace(b.o.Data, image)
		default:
			os.RemoveAll(b.o.Data)
			b.restore()
		}
		s = start(t, b.o)
		k.check(s, writers, n == rounds-1)
		image = b.image(s, n)
		s = start(t, b.o)
		for _, w := range writers {
			w.Conn.Close()
			w.Reconnect(dial(t, s))
		}
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d times the data was taken away; %d changes acknowledged, lost: 0; %d on their way: %d stored, %d not", rounds, k.acked, k.stored+k.lost, k.stored, k.lost)
	if k.acked == 0 {
		t.Error("nothing was acknowledged, so nothing was shown")
	}
}

type burning struct {
	t    *testing.T
	bin  string
	dir  string
	o    server.Options
	from []string // the vault that is left, as restore is told of it; empty: the directory beside the data
}

// command runs the program.
func (b *burning) command(args ...string) []byte {
	b.t.Helper()
	cmd := exec.CommandContext(b.t.Context(), b.bin, args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		b.t.Fatalf("holdfast %v: %v\n%s%s", args, err, out, errs.Bytes())
	}
	return out
}

// restore rebuilds the data directory, as the README says.
func (b *burning) restore() {
	b.t.Helper()
	from := b.from
	if from == nil {
		from = []string{"--from", filepath.Join(b.dir, "holdfast-vault")}
	}
	out := b.command(append([]string{"restore", "--json", "--key", filepath.Join(b.dir, "recovery.txt"), "--into", b.o.Data}, from...)...)
	var rep struct {
		Accounts []struct {
			Complete bool `json:"complete"`
		} `json:"accounts"`
		Losses []any   `json:"losses"`
		Rate   float64 `json:"changes_per_s"`
	}
	if err := json.Unmarshal(out, &rep); err != nil || len(rep.Accounts) != burners || len(rep.Losses) != 0 {
		b.t.Fatalf("the restore says %s", out)
	}
	b.command("adopt", b.o.Data)
}

// image stops the server and copies its data directory.
func (b *burning) image(s *server.Server, n int) string {
	b.t.Helper()
	if err := s.Stop(); err != nil {
		b.t.Fatal(err)
	}
	to := filepath.Join(b.dir, "image")
	b.replace(to, b.o.Data)
	return to
}

func (b *burning) replace(to, from string) {
	b.t.Helper()
	if err := os.RemoveAll(to); err != nil {
		b.t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		b.t.Fatal(err)
	}
	for _, name := range []string{"identity", "keys.json", "vaults.json"} {
		if err := os.Chmod(filepath.Join(to, name), 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
}
