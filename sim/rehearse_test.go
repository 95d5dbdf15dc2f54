package sim

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/rehearse"
)

// smallRehearsal is one that a test can wait for.
func smallRehearsal(t *testing.T) rehearse.Options {
	t.Helper()
	return rehearse.Options{Bin: program(t), Dir: filepath.Join(t.TempDir(), "rehearsal"), Accounts: 5, Devices: 10, Seed: seed(t), Environ: os.Environ(),
		Pace: rehearse.Pace{Before: 2 * time.Second, Outage: time.Second, After: 3 * time.Second, Speed: 14400, Edits: 80, Items: 6, Settle: 20 * time.Second},
		Tell: func(m rehearse.Moment) { t.Logf("%6.1f s  %s", m.Seconds, m.Text) }}
}

func rehearsed(t *testing.T, o rehearse.Options) *rehearse.Report {
	t.Helper()
	r, err := rehearse.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range r.Unclear {
		t.Logf("not certain: %s", u)
	}
	for _, l := range r.Losses[:min(len(r.Losses), 5)] {
		t.Logf("lost: %+v", l)
	}
	for _, p := range r.Phones {
		if p.Emptied > 0 || p.Lacks > 0 {
			t.Logf("%+v", p)
		}
	}
	return r
}

// TestRehearsal loses the service of a few people on purpose and gets it back.
func TestRehearsal(t *testing.T) {
	r := rehearsed(t, smallRehearsal(t))
	if !r.Good() || !r.Certain() {
		t.Errorf("%s", r.Verdict())
	}
	if r.Before < 100 || r.Acknowledged < r.Before+20 || r.PhonesReset != 5 || r.SyncsFailed == 0 || r.History == 0 {
		t.Errorf("too little happened to prove anything: %d changes, %d of them before; %d phones reset, %d syncs failed, %d replaced", r.Acknowledged, r.Before, r.PhonesReset, r.SyncsFailed, r.History)
	}
	if r.Proof == nil || r.Proof.Result != "pass" || r.Proof.Equal != 5 || r.Proof.KeyUsed != "recovery" || r.Octets == nil || int(r.Octets.Bodies) < r.Current {
		t.Errorf("the proof: %+v, %+v", r.Proof, r.Octets)
	}
}

// TestRehearsalWithoutAVault is the control: what has no second copy is lost, and it is said whose it was.
func TestRehearsalWithoutAVault(t *testing.T) {
	o := smallRehearsal(t)
	o.NoVault = true
	o.Pace.Speed, o.Pace.After, o.Pace.Edits = 36000, 5*time.Second, 40 // two days after the return: phones look for their collections once a day, and what fails in the outage is tried a day later
	r := rehearsed(t, o)
	if r.Good() || r.Lost < r.Before*9/10 || r.Before < 100 {
		t.Errorf("%d of %d are lost: %s", r.Lost, r.Before, r.Verdict())
	}
	if r.PhonesEmptied == 0 || r.DeletionsNoUserMade == 0 {
		t.Error("no phone was emptied: either the phones of the control do not follow their clients' rules, or a new service without any memory does no harm")
	}
	sum, named := 0, 0
	for _, p := range r.People {
		sum += p.Lost
		if p.Lost == 0 {
			t.Errorf("%s lost nothing", p.Login)
		}
	}
	for _, l := range r.Losses {
		if l.Account != "" && l.Seq > 0 && l.Because != "" && (l.Name != "" || l.Op == "delete") {
			named++
		}
	}
	if sum != r.Lost || len(r.Losses) != r.Lost || named != r.Lost {
		t.Errorf("%d are lost; by account %d, listed %d, with name and number %d", r.Lost, sum, len(r.Losses), named)
	}
}

// liar acknowledges one PUT of an item that was there, which it does not pass on: what a service would do that says "stored" and does not store.
type liar struct {
	http.RoundTripper
	told atomic.Int64
	href atomic.Value
}

func (l *liar) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != "PUT" || r.Header.Get("If-Match") == "" || !strings.Contains(r.URL.Path, "/addressbooks/") || l.told.Add(1) != 5 {
		return l.RoundTripper.RoundTrip(r)
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return nil, err
	}
	l.href.Store(r.URL.Path)
	h := http.Header{"Holdfast-Receipt": {`epoch=1, seq=40, hash=:AAAA:, copies=("engine" "local"), policy="engine+local"`}, "Etag": {`"x"`}}
	return &http.Response{StatusCode: 204, Header: h, Body: io.NopCloser(bytes.NewReader(nil)), Request: r, ProtoMajor: 1, ProtoMinor: 1}, nil
}

// TestRehearsalFindsALie: one change among hundreds that was acknowledged and never stored is found and named.
func TestRehearsalFindsALie(t *testing.T) {
	o := smallRehearsal(t)
	l := &liar{RoundTripper: http.DefaultTransport.(*http.Transport).Clone()}
	o.Network = l
	r := rehearsed(t, o)
	if l.href.Load() == nil {
		t.Fatal("nothing was lied about")
	}
	if r.Good() || r.Lost != 1 || r.Losses[0].Href != l.href.Load() || r.Losses[0].Seq != 40 {
		t.Errorf("%s %+v", r.Verdict(), r.Losses)
	}
}

// TestRehearsalOfPowerCuts kills the service in the midst of work.
func TestRehearsalOfPowerCuts(t *testing.T) {
	o := smallRehearsal(t)
	o.Fault = rehearse.PowerCut
	r := rehearsed(t, o)
	if !r.Good() || !r.Certain() || r.SyncsFailed == 0 || r.PhonesReset != 0 {
		t.Errorf("%s", r.Verdict())
	}
}

// TestRehearsalOfAnOlderCopy puts a data directory of a while ago back, while the vault's disk is away.
func TestRehearsalOfAnOlderCopy(t *testing.T) {
	o := smallRehearsal(t)
	o.Fault = rehearse.StaleRestore
	r := rehearsed(t, o)
	if !r.Good() || !r.Certain() || r.Before < 100 {
		t.Errorf("%s", r.Verdict())
	}
	if !slices.ContainsFunc(r.Timeline, func(m rehearse.Moment) bool { return strings.Contains(m.Text, "an answer 503") }) {
		t.Error("a store that does not know what it lacks did not answer 503")
	}
}

// TestRehearsalOfHalfAVault loses the engine and half of one of two vaults.
func TestRehearsalOfHalfAVault(t *testing.T) {
	o := smallRehearsal(t)
	o.Fault = rehearse.HalfAVault
	r := rehearsed(t, o)
	if !r.Good() || !r.Certain() || r.Before < 100 {
		t.Errorf("%s", r.Verdict())
	}
	if r.Alone == nil || r.Alone.Exit == 0 || r.Restored.Losses != 0 {
		t.Errorf("the damaged vault alone: %+v; both: %+v", r.Alone, r.Restored)
	}
}

// TestAnInterruptedRehearsalLeavesNothing: Ctrl-C in the midst of work ends every process that was started, and takes the directory away.
func TestAnInterruptedRehearsalLeavesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "rehearsal")
	cmd := exec.Command(program(t), "rehearse", "sidekick", "--accounts", "2", "--devices", "4", "--out", dir)
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.Contains(lines.Text(), "are at work") {
	}
	_, address, _ := strings.Cut(lines.Text(), "http://")
	if c, err := net.Dial("tcp", address); err != nil {
		t.Fatalf("nobody serves at %q: %v", address, err)
	} else {
		c.Close()
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
	}
	_ = cmd.Wait()
	if cmd.ProcessState.ExitCode() != 4 || !strings.Contains(said.String(), "nothing is left") {
		t.Errorf("it ends with %d and says %s", cmd.ProcessState.ExitCode(), said.String())
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory: %v", err)
	}
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Errorf("somebody still serves at %s", address)
	}
}
