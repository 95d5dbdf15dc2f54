package sim

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/sim/server"
)

// told is a notice as it arrives.
type told struct {
	Schema, ID, What, Key, Severity, Title, Text string
	came                                         time.Time
}

// hook is where the program posts its notices to.
type hook struct {
	*httptest.Server
	mu  sync.Mutex
	all []told
}

func newHook(t *testing.T) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n := told{came: time.Now()}
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil || n.Schema != "holdfast.notice/1" {
			t.Errorf("posted: %+v, %v", n, err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.all = append(h.all, n)
	}))
	t.Cleanup(h.Close)
	return h
}

// count returns how many came about a condition, and the last of them.
func (h *hook) count(what, key string) (n int, last told) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range h.all {
		if x.What == what && x.Key == key {
			n, last = n+1, x
		}
	}
	return n, last
}

// await waits for the nth notice on a condition and returns it.
func (h *hook) await(t *testing.T, nth int, what, key string, within time.Duration) told {
	t.Helper()
	for until := time.Now().Add(within); ; time.Sleep(20 * time.Millisecond) {
		if n, x := h.count(what, key); n >= nth {
			return x
		}
		if time.Now().After(until) {
			h.mu.Lock()
			defer h.mu.Unlock()
			t.Fatalf("nothing was told within %v: %s %s; but %+v", within, what, key, h.all)
		}
	}
}

// TestAVaultThatStopsIsTold takes vaults away from the built program in the ways that nothing which it writes shows: the message comes before the vault is late, once, also over a restart, and the all-clear when it is back.
func TestAVaultThatStopsIsTold(t *testing.T) {
	const late = 8 * time.Second
	h := newHook(t)
	dir := t.TempDir()
	local, attic := filepath.Join(dir, "holdfast-vault"), filepath.Join(dir, "attic")
	o := server.Options{Data: filepath.Join(dir, "data"), Env: map[string]string{"HOLDFAST_VAULT_LATE": late.String(), "HOLDFAST_NOTIFY_QUIET": "1s", "HOLDFAST_NOTIFY_WEBHOOK_URL": h.URL}}
	s := start(t, o)
	ada := people(t, s, 1)[0]
	device := 0
	write := func() error { // a change that is acknowledged, or refused
		device++
		return s.Run(t.Context(), &struct{}{}, "app-password", "add", ada.Email, "--name", fmt.Sprint("phone ", device))
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.Run(t.Context(), &struct{}{}, "vault", "add", "attic", "dir", attic, "--domain", "attic"))
	must(write())
	h.await(t, 1, "begins", "key", late) // there is none

	// An asynchronous vault that goes while nothing is written: nobody waits for it, and nothing fails.
	time.Sleep(late / 4)
	away := time.Now()
	must(os.Rename(attic, attic+".away"))
	x := h.await(t, 1, "begins", "vault.attic", late)
	t.Logf("a vault that was taken away was told of after %v: %s", x.came.Sub(away).Round(time.Millisecond), x.Title)
	must(s.Kill())
	s = start(t, o)
	must(write())
	time.Sleep(late + late/2)
	must(os.Rename(attic+".away", attic))
	x = h.await(t, 1, "over", "vault.attic", 12*late) // it is looked for after pauses of up to 45 s
	if n, _ := h.count("begins", "vault.attic"); n != 1 || x.came.Sub(away) < late {
		t.Errorf("told %d times", n)
	}

	// The vault that changes wait for lies elsewhere now: it is written to as before, and what is written is not in it.
	must(exec.Command("cp", "-a", local, local+".copy").Run())
	must(os.Rename(local, local+".away"))
	must(os.Rename(local+".copy", local))
	swapped := time.Now()
	_ = write() // it may be acknowledged: that is what is to be noticed
	x = h.await(t, 1, "begins", "vault.local", late)
	t.Logf("a vault that stores nothing was told of after %v: %s", x.came.Sub(swapped).Round(time.Millisecond), x.Title)
	if x.Severity != "critical" || x.Title != "The vault local does not have what it is to have" {
		t.Errorf("%+v", x)
	}
	h.await(t, 1, "over", "vault.local", 4*late)
	must(write())
	must(os.RemoveAll(local + ".away"))
	must(s.Run(t.Context(), &struct{}{}, "vault", "verify", "local")) // what it lacked was written again
}

var metricName = regexp.MustCompile(`holdfast_[a-z_]+`)

// TestRules has Debian's promtool judge the alert rules, and compares the metrics that they name with those that the built program shows.
func TestRules(t *testing.T) {
	const rules = "../deploy/prometheus/holdfast.rules.yml"
	text, err := os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	admin := l.Addr().String()
	l.Close()
	s := start(t, server.Options{Flags: []string{"--admin-listen", admin}, Env: map[string]string{"HOLDFAST_NOTIFY_EVERY": "100ms", "HOLDFAST_NOTIFY_COMMAND": "true"}})
	shown := func() string {
		r, err := http.Get("http://" + admin + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		missing := ""
		now := "\n" + shown()
		for line := range strings.Lines(string(text)) {
			if !strings.Contains(line, "expr:") {
				continue
			}
			for _, name := range metricName.FindAllString(line, -1) {
				if !strings.Contains(now, "\n"+name+"{") && !strings.Contains(now, "\n"+name+" ") {
					missing += " " + name
				}
			}
		}
		if missing == "" {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("the rules name metrics that the program does not show:%s", missing)
		}
	}
	if r, err := http.Get("http://" + admin + "/readyz?verbose"); err != nil || r.StatusCode != http.StatusOK {
		t.Errorf("what is wrong with the recovery key keeps the service from being ready: %v", err)
	} else if b, _ := io.ReadAll(r.Body); !strings.Contains(string(b), `"name":"key","ok":false`) {
		t.Errorf("/readyz?verbose does not show what the notices do: %s", b)
	}
	var list struct {
		Conditions []struct{ Key string }
		Ways       []struct{ Name string }
	}
	if err := s.Run(t.Context(), &list, "notice", "list"); err == nil || len(list.Ways) != 1 && len(list.Conditions) != 0 {
		t.Errorf("%+v, %v", list, err) // the exit status says that something is wrong
	}
	var test struct{ Ways []struct{ OK bool } }
	if err := s.Run(t.Context(), &test, "notice", "test"); err != nil || len(test.Ways) != 1 || !test.Ways[0].OK {
		t.Errorf("%+v, %v", test, err)
	}
	for _, line := range [][]string{{"check", "rules", rules}, {"test", "rules", strings.Replace(rules, ".rules.", ".test.", 1)}} {
		if _, err := exec.LookPath("promtool"); err != nil {
			passOver(t, "promtool is not installed, which judges the alert rules: apt-get install prometheus")
		}
		if out, err := exec.Command("promtool", line...).CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", line, err, out)
		}
	}
}
