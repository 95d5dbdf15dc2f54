package sim

import (
	"bufio"
	"encoding/json"
	"fmt"
	"mime"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/sim/server"
)

// post is a real SMTP server, and the subjects of what it took.
type post struct {
	addr string
	mu   sync.Mutex
	all  []string
}

// openPost starts the server. Where the machine lacks it, it says so.
func openPost(t *testing.T) *post {
	t.Helper()
	if err := exec.Command("/usr/bin/python3", "-c", "import aiosmtpd").Run(); err != nil {
		passOver(t, "the SMTP server of the tests is not installed: apt-get install python3-aiosmtpd")
	}
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "-W", "ignore", "../internal/notice/testdata/smtpd.py", "none", "", "")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was ended
	})
	lines := bufio.NewReaderSize(out, 1<<20)
	var first struct{ Port int }
	if line, err := lines.ReadBytes('\n'); err != nil || json.Unmarshal(line, &first) != nil {
		t.Fatalf("the SMTP server said %q, %v", line, err)
	}
	p := &post{addr: fmt.Sprintf("localhost:%d", first.Port)}
	go func() {
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			p.take(line)
		}
	}()
	return p
}

// take notes a mail that the server took.
func (p *post) take(line []byte) {
	var letter struct{ Mail string }
	_ = json.Unmarshal(line, &letter)
	subject := "not a mail: " + string(line)
	if m, err := mail.ReadMessage(strings.NewReader(letter.Mail)); err == nil {
		subject, _ = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, subject)
}

// await waits for a mail whose subject has all words.
func (p *post) await(t *testing.T, within time.Duration, words ...string) {
	t.Helper()
	for until := time.Now().Add(within); ; time.Sleep(20 * time.Millisecond) {
		p.mu.Lock()
		all := slices.Clone(p.all)
		p.mu.Unlock()
		if slices.ContainsFunc(all, func(s string) bool {
			return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(s, w) })
		}) {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("no mail within %v of %q, but %q", within, words, all)
		}
	}
}

// TestARefusedStartIsTold: people are told of a start that comes to nothing before it ends, once for each reason and not once for each try of a supervisor, and that it is over once a start succeeds. A mail comes by a true event, through the built program.
func TestARefusedStartIsTold(t *testing.T) {
	h, p := newHook(t), openPost(t)
	dir := t.TempDir()
	data, local := filepath.Join(dir, "data"), filepath.Join(dir, "holdfast-vault")
	env := map[string]string{"HOLDFAST_VAULT_LATE": "4s", "HOLDFAST_NOTIFY_QUIET": "1s", "HOLDFAST_NOTIFY_WEBHOOK_URL": h.URL,
		"HOLDFAST_NOTIFY_MAIL_SERVER": p.addr, "HOLDFAST_NOTIFY_MAIL_TLS": "none", "HOLDFAST_NOTIFY_MAIL_FROM": "holdfast@example.org", "HOLDFAST_NOTIFY_MAIL_TO": "admin@example.org"}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const soon = 15 * time.Second
	refuse := func(dir string, code int, more ...string) {
		t.Helper()
		cmd := exec.Command(program(t), "serve", "--data", dir, "--listen", "127.0.0.1:0", "--admin-listen", "none")
		cmd.Env = os.Environ()
		for k, v := range env {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
		cmd.Env = append(cmd.Env, more...)
		began := time.Now()
		out, err := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != code || time.Since(began) > soon {
			t.Fatalf("a start in %s ended with %d, %v after %v: %s", dir, got, err, time.Since(began), out)
		}
	}
	total := 0
	told := func(n int, severity, says string) { // n times more than before
		t.Helper()
		total += n
		x := h.await(t, total, "begins", "refused", soon)
		if got, _ := h.count("begins", "refused"); got != total || x.Severity != severity || !strings.Contains(x.Title+". "+x.Text, says) {
			t.Fatalf("told %d times, want %d: %+v", got, total, x)
		}
	}

	s := start(t, server.Options{Data: data, Env: env})
	refuse(data, 4)
	told(1, "warning", "The service was started a second time, and that was refused. A server works on these data already, and goes on.")
	refuse(data, 4)
	told(0, "warning", "second time")
	p.await(t, soon, "started a second time")

	must(os.Rename(local, local+".away"))
	p.await(t, soon, "The vault local ")
	must(os.Rename(local+".away", local))
	p.await(t, soon, "Over: ", "The vault local ")
	must(s.Stop())

	identity := filepath.Join(data, "identity")
	marker, err := os.ReadFile(identity)
	must(err)
	must(os.Rename(identity, identity+".away"))
	for i := range 2 {
		refuse(data, 3)
		told(1-i, "critical", "The service does not start. Phones are not served, and keep what they have. Nothing was changed by this start. It said: "+data+" holds a database but no identity marker")
	}
	must(os.WriteFile(identity, []byte(strings.Replace(string(marker), `"format": 1`, `"format": 99`, 1)), 0o600))
	refuse(data, 3)
	told(1, "critical", "later version")
	must(os.Remove(identity))
	must(os.Rename(identity+".away", identity))
	restoring := filepath.Join(data, "restoring.json")
	must(os.WriteFile(restoring, []byte(`{"format": 1}`), 0o600))
	for i := range 2 {
		refuse(data, 3, "HOLDFAST_NOTIFY_WEBHOOK_URL=http://127.0.0.1:1", "HOLDFAST_NOTIFY_MAIL_SERVER=") // nobody takes it: it is not remembered
		if i == 0 {
			told(0, "critical", "later version")
			refuse(data, 3)
		}
		told(1-i, "critical", "is being restored")
	}
	p.await(t, soon, "The service does not start")
	must(os.Remove(restoring))

	foreign := filepath.Join(dir, "foreign")
	must(os.Mkdir(foreign, 0o700))
	must(os.WriteFile(filepath.Join(foreign, "letter.txt"), []byte("Dear reader"), 0o600))
	for range 2 { // nothing is written there, so nothing is remembered
		refuse(foreign, 3)
		told(1, "critical", "This is told at each start")
	}
	refuse(filepath.Join(foreign, "none"), 3, "HOLDFAST_FIRST_VAULT="+local)
	told(1, "critical", "but a vault stands at")
	if list, err := os.ReadDir(foreign); err != nil || len(list) != 1 {
		t.Errorf("in another's directory lies %v, %v", list, err)
	}

	s = start(t, server.Options{Data: data, Env: env})
	h.await(t, 1, "over", "refused", soon)
	if _, err := os.Stat(filepath.Join(data, "refused.json")); !os.IsNotExist(err) {
		t.Errorf("it is remembered after it is over: %v", err)
	}
	must(s.Stop())
}
