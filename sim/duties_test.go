package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/sim/load"
	"holdfast/sim/server"
)

// dutiful is how many connections write while a duty is cut.
const dutiful = 8

// duties is a store of the built program whose vault is worked on while the program is killed: its segments are small, and what is worth doing is done at once.
type duties struct {
	*burning
	k       *killing
	rand    *rand.Rand
	s       *server.Server
	key     string // the file of the newest recovery key
	writers []*load.Writer
}

// newDuties makes it. Settings are added to those that make segments, packs and heads come often.
func newDuties(t *testing.T, settings map[string]string) *duties {
	seed := seed(t)
	b := &burning{t: t, bin: program(t), dir: t.TempDir()}
	b.o = server.Options{Bin: b.bin, Data: filepath.Join(b.dir, "data"), Env: map[string]string{"HOLDFAST_VAULT_SEGMENT": "32KiB", "HOLDFAST_VAULT_SEGMENT_AGE": "300ms", "HOLDFAST_VAULT_SEAL": "80ms", "HOLDFAST_VAULT_HEAD": "100ms"}}
	maps.Copy(b.o.Env, settings)
	d := &duties{burning: b, rand: rand.New(rand.NewPCG(seed, 3)), key: filepath.Join(b.dir, "recovery.txt")}
	b.command("key", "init", "--data", b.o.Data, "--out", d.key)
	d.s = start(t, b.o)
	for i, a := range people(t, d.s, dutiful) {
		w := load.NewWriter(dial(t, d.s), a, seed, uint64(i))
		w.Deletes = 10
		d.writers = append(d.writers, w)
	}
	d.k = &killing{t: t, rand: d.rand, seen: make([]int, len(d.writers))}
	return d
}

// rounds returns how often something is killed.
func rounds() int {
	if testing.Short() {
		return 2
	}
	return *dutiesFlag
}

// within returns a random time below d.
func (d *duties) within(t time.Duration) time.Duration { return time.Duration(d.rand.Int64N(int64(t))) }

// underLoad writes until the server is killed, which happens within a while; meanwhile fn is done, nil: nothing.
func (d *duties) underLoad(while time.Duration, fn func()) {
	d.t.Helper()
	after := 100*time.Millisecond + d.within(while)
	killed := make(chan error, 1)
	time.AfterFunc(after, func() { killed <- d.s.Kill() })
	done := make(chan struct{})
	go func() {
		defer close(done)
		if fn != nil {
			fn()
		}
	}()
	res := load.Run(d.t.Context(), d.writers, load.Bounds{For: 20 * time.Second})
	<-done
	if err := <-killed; err != nil {
		d.t.Fatal(err)
	}
	d.k.acked += res.Done
	if err := broken(res.Errors); err != nil {
		d.t.Fatal(err)
	}
}

// check starts the server, if it does not run, and asks it for everything that was acknowledged.
func (d *duties) check(last bool) {
	d.t.Helper()
	if !d.s.Alive() {
		d.s = start(d.t, d.o)
	}
	d.arrived()
	d.k.check(d.s, d.writers, last)
}

// arrived waits until what was on its way when the server was killed has reached the vault: until then its accounts are answered 503.
func (d *duties) arrived() {
	d.t.Helper()
	began := time.Now()
	for {
		var s struct {
			Vaults []struct {
				State  string `json:"state"`
				Reason string `json:"reason"`
				Lag    int64  `json:"lag_changes"`
			} `json:"vaults"`
		}
		out, err := exec.CommandContext(d.t.Context(), d.bin, "vault", "status", "--json", "--data", d.o.Data).Output() // its exit status says that there is one failure domain
		if jerr := json.Unmarshal(out, &s); jerr != nil || len(s.Vaults) != 1 {
			d.t.Fatalf("vault status: %v, %s", err, out)
		}
		v := s.Vaults[0]
		if v.State == "whole" && v.Lag == 0 {
			break
		}
		if time.Since(began) > 30*time.Second {
			d.t.Fatalf("the vault takes nothing since the start: %+v", v)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if took := time.Since(began); took > 2*time.Second {
		d.t.Logf("what was on its way arrived after %v", took)
	}
}

func (d *duties) stop() {
	d.t.Helper()
	if err := d.s.Stop(); err != nil {
		d.t.Fatal(err)
	}
}

// verified reads the vault, and compares it with the store. No server runs, so that nothing is let go of meanwhile.
func (d *duties) verified() {
	d.t.Helper()
	out, err := exec.CommandContext(d.t.Context(), d.bin, "vault", "verify", "local", "--json", "--data", d.o.Data).CombinedOutput()
	if err != nil {
		d.t.Fatalf("the vault is not clean: %v\n%s", err, out)
	}
}

// cut looks at everything after a kill: each time the vault is verified, either by the first process that sees what the kill left, or after a server went on with it.
func (d *duties) cut(n int) {
	d.t.Helper()
	if n%2 == 0 {
		d.verified()
		d.check(false)
		return
	}
	d.check(false)
	d.stop()
	d.verified()
	d.check(false)
}

// opens tells what a restore with a recovery key from the vault alone would yield: whether that is everything that the vault holds of everybody, or nothing at all.
func (d *duties) opens(key string) (all, nothing bool) {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), d.bin, "restore", "--dry-run", "--json", "--from", d.vault(), "--key", key)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err == nil {
		return slices.Equal(d.whole(out), d.everybody()), false
	}
	return false, strings.Contains(errs.String(), "opens nothing")
}

// whole returns the accounts that a restore reports, without a loss.
func (d *duties) whole(report []byte) (emails []string) {
	d.t.Helper()
	var rep struct {
		Accounts []struct {
			Email    string `json:"email"`
			Complete bool   `json:"complete"`
		} `json:"accounts"`
		Losses []any `json:"losses"`
	}
	if err := json.Unmarshal(report, &rep); err != nil || len(rep.Losses) > 0 {
		d.t.Fatalf("the restore says %s", report)
	}
	for _, a := range rep.Accounts {
		if !a.Complete {
			d.t.Errorf("%s is not complete", a.Email)
		}
		emails = append(emails, a.Email)
	}
	slices.Sort(emails)
	return emails
}

func (d *duties) vault() string { return filepath.Join(d.dir, "holdfast-vault") }

// everybody are those who write.
func (d *duties) everybody() (emails []string) {
	for _, w := range d.writers {
		emails = append(emails, w.Account.Email)
	}
	slices.Sort(emails)
	return emails
}

// reconnected lets the writers go on with the server that runs.
func (d *duties) reconnected() {
	d.t.Helper()
	for _, w := range d.writers {
		w.Conn.Close()
		w.Reconnect(dial(d.t, d.s))
	}
}

// rebuilt ends a test: the data directory is removed, and everything that was acknowledged comes back from the vault alone.
func (d *duties) rebuilt() {
	d.t.Helper()
	if d.s.Alive() {
		d.stop()
	}
	d.verified()
	if err := os.RemoveAll(d.o.Data); err != nil {
		d.t.Fatal(err)
	}
	if got := d.whole(d.command("restore", "--json", "--from", d.vault(), "--key", d.key, "--into", d.o.Data)); !slices.Equal(got, d.everybody()) {
		d.t.Fatalf("restored were %q", got)
	}
	d.command("adopt", d.o.Data)
	d.check(true)
}

// killedWithin runs a command and kills it within a while. It returns what it printed; ended tells that it came to its end before.
func (d *duties) killedWithin(while time.Duration, args ...string) (out []byte, ended bool) {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), d.bin, args...)
	var text, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &errs
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	kill := time.AfterFunc(d.within(while), func() { cmd.Process.Kill() })
	defer kill.Stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
			return nil, false
		}
	}
	if err != nil {
		d.t.Fatalf("holdfast %v: %v\n%s%s", args, err, text.Bytes(), errs.Bytes())
	}
	return text.Bytes(), true
}

// TestKilledWhileSealing kills the program while it seals segments, joins packs and lets go of what they were made of.
func TestKilledWhileSealing(t *testing.T) {
	d := newDuties(t, map[string]string{"HOLDFAST_VAULT_KEEP": "400ms", "HOLDFAST_VAULT_KEEP_TAIL": "800ms"})
	kills, packs, joined, gone := 0, 0, 0, 0
	for ; kills < rounds() || kills < 8*rounds() && (joined == 0 || gone == 0); kills++ { // on a slow machine it takes longer until there is something to join
		d.underLoad(900*time.Millisecond, nil)
		packs = max(packs, d.numbers("pages", ".pack"))
		d.cut(kills)
		joined, gone = d.logged("packs were joined"), d.logged("what was needed no more was let go of")
	}
	d.rebuilt()
	t.Logf("killed %d times; %d changes acknowledged, lost: 0; %d packs were made, %d times packs were joined, %d times something was let go of", kills, d.k.acked, packs, joined, gone)
	if packs == 0 || joined == 0 || gone == 0 {
		t.Error("nothing was sealed, joined or let go of, so nothing was shown")
	}
}

// logged counts the lines of the server's log that say something.
func (d *duties) logged(what string) int {
	d.t.Helper()
	b, err := os.ReadFile(d.s.LogFile())
	if err != nil {
		d.t.Fatal(err)
	}
	return bytes.Count(b, []byte(what))
}

// numbers returns the highest number that an object of the vault has.
func (d *duties) numbers(dir, suffix string) (top int) {
	d.t.Helper()
	list, err := filepath.Glob(filepath.Join(d.vault(), dir, "*"+suffix))
	if err != nil {
		d.t.Fatal(err)
	}
	for _, name := range list {
		n := 0
		if _, err := fmt.Sscanf(filepath.Base(name), "%d", &n); err == nil {
			top = max(top, n)
		}
	}
	return top
}

// TestKilledWhileRotating kills the program, or the command too, while every key of the vault is wrapped for a new recovery key. At each moment the old key or the new one opens everything; gone on with, the new one alone does.
func TestKilledWhileRotating(t *testing.T) {
	d := newDuties(t, nil)
	cuts, second := 0, 0
	for n := range rounds() {
		d.k.acked += load.Run(t.Context(), d.writers, load.Bounds{For: 300 * time.Millisecond}).Done
		old, next := d.key, filepath.Join(d.dir, fmt.Sprintf("recovery-%d.txt", n))
		d.underLoad(500*time.Millisecond, func() {
			if n%3 == 0 {
				d.killedOrRefused(next)
				return
			}
			_ = exec.CommandContext(t.Context(), d.bin, "key", "rotate", "--out", next, "--data", d.o.Data).Run() // the server is killed below it
		})
		all, nothing := d.opens(old)
		if !all {
			if all, _ := d.opens(next); !all {
				t.Fatalf("kill %d: neither key opens everything", n)
			}
		}
		if _, err := os.Stat(filepath.Join(d.o.Data, "rotation.json")); err == nil && !nothing {
			cuts++
		}
		if !all && !nothing {
			second++
		}
		d.cut(n)
		d.rotated(old, next)
		d.reconnected()
	}
	d.rebuilt()
	t.Logf("killed %d times, %d of them between the begin of a rotation and its end, %d while the old key opened a part; %d changes acknowledged, lost: 0", rounds(), cuts, second, d.k.acked)
	if cuts == 0 && !testing.Short() {
		t.Error("no rotation was cut, so nothing was shown")
	}
}

// killedOrRefused runs `key rotate` and kills it soon.
func (d *duties) killedOrRefused(next string) {
	cmd := exec.CommandContext(d.t.Context(), d.bin, "key", "rotate", "--out", next, "--data", d.o.Data)
	if err := cmd.Start(); err != nil {
		return // the test sees that nothing was rotated
	}
	time.Sleep(60 * time.Millisecond)
	cmd.Process.Kill()
	_ = cmd.Wait()
}

// rotated brings a rotation to its end: afterwards the new key opens everything and the old one nothing.
func (d *duties) rotated(old, next string) {
	d.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		out, err := exec.CommandContext(d.t.Context(), d.bin, "key", "rotate", "--out", next, "--data", d.o.Data).CombinedOutput()
		if err == nil || strings.Contains(string(out), "is the store's recovery key already") {
			break
		}
		if !strings.Contains(string(out), "being wrapped anew at this moment") || time.Now().After(deadline) {
			d.t.Fatalf("the rotation does not come to its end: %v\n%s", err, out)
		}
		time.Sleep(50 * time.Millisecond)
	}
	d.key = next
	if all, _ := d.opens(next); !all {
		d.t.Fatal("the new key does not open everything")
	}
	if _, nothing := d.opens(old); !nothing {
		d.t.Fatal("the old key still opens something")
	}
}
