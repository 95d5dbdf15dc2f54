package sim

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"holdfast/internal/fleet"
	"holdfast/sim/server"
)

// TestGhostsKeepWhatPhonesHave lets devices of all kinds live on a store whose data are lost, and whose vault was put back to the middle of their lives; a ledger is whole. Of what came later the restored store has the names alone. Each device lists anew, and keeps all that it has.
//
// Its control is a program that hides ghosts: with it, devices drop what no user deleted.
func TestGhostsKeepWhatPhonesHave(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program anew for its control; make test does")
	}
	t.Run("with ghosts", func(t *testing.T) {
		if lost, dropped := haunt(t, program(t)); lost < 10 || dropped > 0 {
			t.Errorf("of %d lost items devices dropped %d", lost, dropped)
		}
	})
	t.Run("ghosts hidden", func(t *testing.T) {
		bin := careless(t, "../internal/core/ghosts.go", "return p.olderThan(device, owner, owner.lost(ghost))", "return false && p.olderThan(device, owner, owner.lost(ghost))")
		if lost, dropped := haunt(t, bin); lost < 10 || dropped == 0 {
			t.Errorf("of %d lost items devices dropped %d: the control shows nothing", lost, dropped)
		}
	})
}

// haunt returns how many items are known to be lost, and how many of them devices dropped.
func haunt(t *testing.T, bin string) (lost, dropped int64) {
	t.Helper()
	dir := t.TempDir()
	o := server.Options{Bin: bin, Data: filepath.Join(dir, "data"), Flags: []string{"--listen", freeAddress(t)}}
	key, vault, ledger, before := filepath.Join(dir, "recovery.txt"), filepath.Join(dir, "holdfast-vault"), filepath.Join(dir, "ledger"), filepath.Join(dir, "before")
	run := func(may int, args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), bin, args...).Output()
		var exit *exec.ExitError
		if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != may) {
			t.Fatalf("holdfast %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	run(0, "key", "init", "--data", o.Data, "--out", key)
	s := start(t, o)
	run(0, "vault", "add", "ledger", "ledger", ledger, "--domain", "stick", "--data", o.Data)
	fo := fleetOf(t, s, "http://"+s.Addr, 3, 14*24*time.Hour)
	fo.Speed, fo.Settling = float64(fo.Life)/float64(6*time.Second), 10*time.Second
	f, err := fleet.New(fo)
	must(err)
	defer f.Close()
	must(f.SetUp(t.Context()))
	while, end := context.WithTimeout(t.Context(), 3*time.Second)
	defer end()
	must(f.LiveWhile(t.Context(), while))
	must(s.Stop())
	must(os.CopyFS(before, os.DirFS(vault)))
	s = start(t, o)
	must(f.Live(t.Context()))
	must(f.Settle(t.Context()))
	for i := 0; ; i++ {
		said := run(1, "vault", "status", "--data", o.Data)
		if whole.MatchString(said) {
			break
		}
		if i > 100 {
			t.Fatalf("the ledger stays behind:\n%s", said)
		}
		time.Sleep(50 * time.Millisecond)
	}
	must(s.Stop())
	must(os.RemoveAll(vault))
	must(os.Rename(before, vault))
	must(os.Rename(o.Data, o.Data+"-lost"))
	run(1, "restore", "--from", vault, "--from", ledger, "--key", key, "--into", o.Data)
	run(0, "adopt", o.Data)
	start(t, o)
	had := droppedBy(f)
	must(f.Settle(t.Context()))
	var status struct {
		Ghosts int64 `json:"ghosts"`
	}
	must(json.Unmarshal([]byte(run(1, "status", "--json", "--data", o.Data)), &status))
	dropped = droppedBy(f) - had
	t.Logf("%d items are known to be lost; devices dropped %d that no user had deleted", status.Ghosts, dropped)
	return status.Ghosts, dropped
}

// droppedBy counts what devices dropped though nobody had deleted it.
func droppedBy(f *fleet.Fleet) (n int64) {
	for _, p := range f.Phones() {
		n += p.Deleted
	}
	return n
}

// whole is what a status says of a ledger that has everything.
var whole = regexp.MustCompile(`ledger\s.*nothing is behind`)
