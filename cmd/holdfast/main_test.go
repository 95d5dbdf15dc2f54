package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"holdfast/internal/s3test"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"holdfast": main}) }

// TestScripts runs the sessions of testdata. Beside the commands of testscript they have:
//
//	start ARGS...          holdfast serve ARGS..., on free ports, in the background; sets $URL, $LISTEN, $SETUP and $ADMIN once it is ready;
//	                       with the first argument SETUP, once it has printed the set-up link too
//	finish [SIGNAL]        ends it and waits; its output is in serve.out and serve.err. ! finish wants it to have failed
//	signal STOP|CONT       has it hang, and go on
//	exits CODE CMD...      runs a command that must end with this exit status
//	http METHOD URL [-u USER:PASSWORD] [-f FILE] [-o FILE] [STATUS]    asks a server; the body is on stdout, or in a file
//	line good|bad|cut      changes the line to the object store, see [TestScriptsInBuckets]
//	field VAR NAME         sets $VAR to a field of the JSON object on stdout
func TestScripts(t *testing.T) { scripts(t, "testdata", false, func(*testscript.Env) {}) }

// TestScriptsInBuckets runs those that need an object store: $S3 is its URL, $S3DATA where it keeps what it is given, $BUCKET an empty bucket, and $LOCKING one in which objects can be locked.
func TestScriptsInBuckets(t *testing.T) {
	srv := s3test.Start(t)
	scripts(t, filepath.Join("testdata", "bucket"), srv.Versions, func(e *testscript.Env) {
		e.Setenv("S3", srv.URL)
		e.Setenv("S3DATA", srv.Data)
		e.Setenv("BUCKET", srv.Bucket(t))
		if srv.Versions {
			e.Setenv("LOCKING", srv.Locking(t))
		}
		e.Values["line"] = srv.Front
	})
}

// setLine makes the line to $BUCKET good, bad or cut, for one script of all.
func setLine(ts *testscript.TestScript, neg bool, args []string) {
	front, is := ts.Value("line").(*s3test.Front)
	if neg || !is || len(args) != 1 {
		ts.Fatalf("usage: line good|bad|cut, in scripts of testdata/bucket")
	}
	switch args[0] {
	case "good":
		front.Plan(nil)
	case "bad":
		front.Plan(s3test.Bad(ts.Getenv("BUCKET")))
	case "cut":
		front.Plan(s3test.Cut(ts.Getenv("BUCKET")))
	}
}

func scripts(t *testing.T, dir string, locking bool, setup func(*testscript.Env)) {
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		Deadline:            time.Now().Add(2 * patience), // a serve that should have been refused would run for ever
		Setup: func(e *testscript.Env) error {
			e.Values["server"] = &background{vars: e.Vars}
			e.Setenv("HOLDFAST_DATA", filepath.Join(e.WorkDir, "data"))
			setup(e)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"start": start, "signal": send, "finish": finish, "exits": exits, "http": request, "field": field, "downgrade": downgrade, "line": setLine},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			if cond == "locking" { // a file system on which the object store for tests locks objects
				return locking, nil
			}
			if cond == "shm" { // memory that the test may write to
				st, err := os.Stat("/dev/shm")
				return err == nil && st.IsDir(), nil
			}
			return false, fmt.Errorf("the condition %q is not known", cond)
		},
	})
}

// background is the server that a script started.
type background struct {
	vars []string
	cmd  *exec.Cmd
	out  lockedBuffer
	err  lockedBuffer
	done chan error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// patience is how long a server may take to be ready, or to end, on a busy machine.
const patience = 60 * time.Second

func start(ts *testscript.TestScript, neg bool, args []string) {
	b := ts.Value("server").(*background)
	if neg || b.cmd != nil {
		ts.Fatalf("usage: start ARGS..., once at a time")
	}
	setup := len(args) > 0 && args[0] == "SETUP"
	if setup {
		args = args[1:]
	}
	path := ""
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if p := filepath.Join(dir, "holdfast"); path == "" {
			if _, err := os.Stat(p); err == nil {
				path = p
			}
		}
	}
	b.out, b.err, b.done = lockedBuffer{}, lockedBuffer{}, make(chan error, 1)
	b.cmd = exec.Command(path, append([]string{"serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}, args...)...)
	b.cmd.Env = append(b.vars[:len(b.vars):len(b.vars)], "HOLDFAST_DATA="+ts.Getenv("HOLDFAST_DATA"), "NOTIFY_SOCKET="+ts.Getenv("NOTIFY_SOCKET"))
	for _, k := range []string{"HOLDFAST_LOG_LEVEL", "HOLDFAST_RETRY_AFTER", "HOLDFAST_LIMITS_QUOTA", "HOLDFAST_VAULT_HEAD", "HOLDFAST_VAULT_SEAL", "HOLDFAST_VAULT_SEGMENT_AGE", "HOLDFAST_VAULT_SCRUB", "HOLDFAST_DRILL_FIRST", "HOLDFAST_POLICY_ON_FAILURE", "HOLDFAST_GUARD_ITEMS", "HOLDFAST_NOTIFY_EVERY", "HOLDFAST_ERASE_WAIT", "HOLDFAST_ERASE_EVERY", "HOLDFAST_BLOBS_STORE", "HOLDFAST_BLOBS_URL", "HOLDFAST_BLOBS_CREDENTIAL"} {
		if v := ts.Getenv(k); v != "" {
			b.cmd.Env = append(b.cmd.Env, k+"="+v)
		}
	}
	b.cmd.Dir, b.cmd.Stdout, b.cmd.Stderr = ts.MkAbs("."), &b.out, &b.err
	ts.Check(b.cmd.Start())
	go func(c *exec.Cmd) { b.done <- c.Wait() }(b.cmd)
	ts.Defer(func() {
		if b.cmd != nil {
			_ = b.cmd.Process.Kill()
			<-b.done
			b.cmd = nil // a script that starts several has this done several times
		}
	})
	for until := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-b.done:
			b.cmd = nil
			ts.Fatalf("serve ended: %v\n%s", err, b.err.String())
		default:
		}
		if b.ready(ts) && (!setup || ts.Getenv("SETUP") != "") {
			return
		}
		if time.Now().After(until) {
			ts.Fatalf("serve is not ready:\n%s", b.err.String())
		}
	}
}

// ready looks for the ready line, and for the set-up link where the script wants one.
func (b *background) ready(ts *testscript.TestScript) bool {
	ready, said := false, ts.Getenv("HOLDFAST_LOG_LEVEL") != "" // the two streams come by two ways
	sc := bufio.NewScanner(strings.NewReader(b.out.String()))
	for sc.Scan() {
		if url, ok := strings.CutPrefix(sc.Text(), "holdfast: ready "); ok {
			ts.Setenv("URL", url)
			ts.Setenv("LISTEN", strings.TrimPrefix(url, "http://"))
			ready = true
		}
		if url, ok := strings.CutPrefix(sc.Text(), "holdfast: setup "); ok {
			ts.Setenv("SETUP", url)
		}
	}
	for line := range strings.Lines(b.err.String()) {
		var entry struct{ Msg, Admin string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "ready" {
			ts.Setenv("ADMIN", "http://"+entry.Admin)
			said = true
		}
	}
	return ready && said
}

func send(ts *testscript.TestScript, neg bool, args []string) {
	b := ts.Value("server").(*background)
	s, ok := map[string]syscall.Signal{"STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT}[args[0]]
	if neg || !ok || b.cmd == nil {
		ts.Fatalf("usage: signal STOP|CONT, while a server runs")
	}
	ts.Check(b.cmd.Process.Signal(s))
}

func finish(ts *testscript.TestScript, neg bool, args []string) {
	b := ts.Value("server").(*background)
	if b.cmd == nil {
		ts.Fatalf("no server was started")
	}
	signal := syscall.SIGTERM
	if len(args) > 0 {
		signal = map[string]syscall.Signal{"INT": syscall.SIGINT, "KILL": syscall.SIGKILL, "TERM": syscall.SIGTERM}[args[0]]
	}
	ts.Check(b.cmd.Process.Signal(signal))
	var err error
	select {
	case err = <-b.done:
	case <-time.After(patience):
		ts.Fatalf("serve does not end:\n%s", b.err.String())
	}
	b.cmd = nil
	ts.Check(os.WriteFile(ts.MkAbs("serve.out"), []byte(b.out.String()), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("serve.err"), []byte(b.err.String()), 0o600))
	if neg != (err != nil) {
		ts.Fatalf("serve ended with %v:\n%s", err, b.err.String())
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if neg || err != nil || len(args) < 2 {
		ts.Fatalf("usage: exits CODE CMD ARGS...")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var x *exec.ExitError
		if !errors.As(err, &x) {
			ts.Fatalf("%v", err)
		}
		got = x.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

func request(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: http METHOD URL [-u USER:PASSWORD] [-f FILE] [-o FILE] [-H 'NAME: VALUE'] [STATUS]")
	}
	method, url, want := args[0], args[1], 0
	var body io.Reader
	user, header, into := "", http.Header{}, ts.Stdout()
	for i := 2; i < len(args); i++ {
		switch {
		case args[i] == "-u" && i+1 < len(args):
			i++
			user = args[i]
		case args[i] == "-f" && i+1 < len(args):
			i++
			body = strings.NewReader(ts.ReadFile(args[i]))
		case args[i] == "-o" && i+1 < len(args):
			i++
			f, err := os.Create(ts.MkAbs(args[i]))
			ts.Check(err)
			defer f.Close()
			into = f
		case args[i] == "-H" && i+1 < len(args):
			i++
			name, value, _ := strings.Cut(args[i], ": ")
			header.Add(name, value)
		default:
			var err error
			want, err = strconv.Atoi(args[i])
			ts.Check(err)
		}
	}
	r, err := http.NewRequest(method, url, body)
	ts.Check(err)
	if name, password, ok := strings.Cut(user, ":"); ok {
		r.SetBasicAuth(name, password)
	}
	if method == "PROPFIND" {
		r.Header.Set("Depth", "0")
	}
	if body != nil {
		r.Header.Set("Content-Type", "text/vcard")
	}
	for name, values := range header {
		r.Header[name] = values
	}
	client := &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	ts.Check(err)
	defer resp.Body.Close()
	_ = resp.Header.Write(ts.Stderr())
	_, err = io.Copy(into, resp.Body)
	ts.Check(err)
	if want != 0 && resp.StatusCode != want {
		ts.Fatalf("%s %s: %s, want %d\n%s", method, url, resp.Status, want, ts.ReadFile("stdout"))
	}
}

// downgrade makes the database what the version before last left: of schema 2.
func downgrade(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: downgrade DATA")
	}
	c, err := sqlite.OpenConn(filepath.Join(ts.MkAbs(args[0]), "holdfast.db"), sqlite.OpenReadWrite)
	ts.Check(err)
	ts.Check(sqlitex.ExecuteScript(c, `CREATE TABLE marks(vault TEXT PRIMARY KEY, batch INTEGER NOT NULL) STRICT, WITHOUT ROWID;
		DROP TABLE erased; DROP TABLE erased_logins; DROP TABLE erased_batches; DROP INDEX res_ghost; DROP INDEX changes_blob;`, nil))
	ts.Check(sqlitex.ExecuteTransient(c, "PRAGMA user_version=2", nil))
	ts.Check(c.Close())
}

func field(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: field VAR NAME")
	}
	var object map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &object))
	v, ok := object[args[1]]
	if !ok {
		ts.Fatalf("there is no field %q", args[1])
	}
	ts.Setenv(args[0], fmt.Sprint(v))
}
