package sim

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/library"
	"holdfast/sim/load"
	"holdfast/sim/server"
)

// TestTheUnitLetsItWork watches the program do all kinds of its work, and compares what it asks the kernel for with what deploy/holdfast.service leaves it: system calls, kinds of sockets, memory, places to write to.
func TestTheUnitLetsItWork(t *testing.T) {
	needStrace(t)
	unit, err := os.ReadFile("../deploy/holdfast.service")
	if err != nil {
		t.Fatal(err)
	}
	allowed := systemCalls(t, setting(t, string(unit), "SystemCallFilter"))
	families := strings.Fields(setting(t, string(unit), "RestrictAddressFamilies"))
	dir := t.TempDir()
	list := working(t, dir)
	names, wrote, compiled, refused := map[string]bool{}, 0, 0, false
	for i, c := range list {
		if c.name == "execve" && i == 0 {
			continue // the supervisor's
		}
		names[c.name] = true
		switch {
		case !allowed[c.name]:
			t.Errorf("%s(%.100s) is not in SystemCallFilter", c.name, c.args)
			allowed[c.name] = true // said once
		case c.name == "socket" && !slices.Contains(families, strings.SplitN(c.args, ",", 2)[0]):
			t.Errorf("socket(%s) is not in RestrictAddressFamilies", c.args)
		case (c.name == "mmap" || c.name == "mprotect" || c.name == "pkey_mprotect") && strings.Contains(c.args, "PROT_EXEC"):
			if compiled++; strings.Contains(string(unit), "\nMemoryDenyWriteExecute=yes") {
				t.Errorf("%s(%s): MemoryDenyWriteExecute may refuse it", c.name, c.args)
			}
		case c.name == "prctl" && (strings.Contains(c.args, "PR_SET_MDWE") || strings.HasPrefix(c.args, "0x41 ")): // as an older strace says it
			refused = true
		}
		path := c.opensToWrite()
		if strings.HasPrefix(path, dir) {
			wrote++
		}
		if path != "" && !strings.HasPrefix(path, dir) && !strings.HasPrefix(path, os.TempDir()) && path != "/dev/null" && !strings.HasPrefix(path, "/proc/self/") {
			t.Errorf("%s(%s): ProtectSystem=strict refuses it", c.name, c.args)
		}
	}
	if len(names) < 30 || !names["fdatasync"] || !names["bind"] || wrote < 10 {
		t.Errorf("only %d kinds of system calls and %d files that are written to: the program was not watched", len(names), wrote)
	}
	if !refused || compiled == 0 && len(heics(t)) > 0 {
		t.Errorf("the service took the right to run what it wrote from itself: %v; its decoders used it %d times", refused, compiled)
	}
	t.Logf("%d system calls of %d kinds, all of which the unit allows", len(list), len(names))
}

// setting returns what a unit says, without the mark of a set that is allowed.
func setting(t *testing.T, unit, name string) string {
	t.Helper()
	for line := range strings.Lines(unit) {
		if v, ok := strings.CutPrefix(line, name+"="); ok {
			return strings.TrimSpace(v)
		}
	}
	t.Fatalf("the unit has no %s", name)
	return ""
}

// systemCalls are those that are named, and what systemd says is in the sets among them.
func systemCalls(t *testing.T, set string) map[string]bool {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		passOver(t, "systemd-analyze is not there (Debian: systemd), so that it is not known what the unit allows")
	}
	out := map[string]bool{}
	for todo := strings.Fields(set); len(todo) > 0; todo = todo[1:] {
		if !strings.HasPrefix(todo[0], "@") {
			out[todo[0]] = true
			continue
		}
		b, err := exec.CommandContext(t.Context(), "systemd-analyze", "--no-pager", "syscall-filter", todo[0]).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(b), "\n")[1:] {
			switch line = strings.TrimSpace(line); {
			case strings.HasPrefix(line, "@"):
				todo = append(todo, line)
			case line != "" && !strings.HasPrefix(line, "#"):
				out[line] = true
			}
		}
	}
	return out
}

var opening = regexp.MustCompile(`^[A-Z_a-z0-9<>/.]*, ?"([^"]*)", ([A-Z_|0-9]*)`)

// opensToWrite returns the path that a call opens to write to; empty if it opens none.
func (c *call) opensToWrite() string {
	m := opening.FindStringSubmatch(c.args)
	if c.name != "openat" || m == nil || !filepath.IsAbs(m[1]) || strings.HasPrefix(c.result, "-") {
		return ""
	}
	for _, flag := range []string{"O_WRONLY", "O_RDWR", "O_CREAT"} {
		if strings.Contains(m[2], flag) {
			return m[1]
		}
	}
	return ""
}

// heics is a photo of the corpus of a kind whose decoder is compiled; none where that is not there.
func heics(t *testing.T) map[string][]byte {
	for name, octets := range corpus(t) {
		if strings.HasSuffix(name, ".HEIC") {
			return map[string][]byte{name: octets}
		}
	}
	return nil
}

// working runs the program under strace, has it do what it does in a year, and returns its system calls.
func working(t *testing.T, dir string) []*call {
	t.Helper()
	trace := filepath.Join(dir, "trace")
	s := start(t, server.Options{Data: filepath.Join(dir, "data"), Wrap: []string{"strace", "-f", "-qq", "-s", "256", "-e", "trace=all", "-e", "signal=none", "-o", trace},
		Env: map[string]string{"HOLDFAST_VAULT_SEGMENT_AGE": "1s", "HOLDFAST_VAULT_SEAL": "200ms", "HOLDFAST_VAULT_HEAD": "200ms"}})
	a := people(t, s, 1)[0]
	c := &camera{t, s, a}
	c.put("a.jpg", picture(t, 300, 200, 1))
	photos := heics(t)
	for name, octets := range photos {
		c.put(name, octets)
	}
	w := load.NewWriter(dial(t, s), a, 1, 1)
	w.Strict, w.Guarded = true, true
	if r := load.Run(t.Context(), []*load.Writer{w}, load.Bounds{Count: 100}); len(r.Errors) > 0 || r.Done != 100 {
		t.Fatal(r.Done, r.Errors, r.Refused)
	}
	for _, args := range [][]string{
		{"key", "init", "--out", filepath.Join(dir, "recovery.txt")},
		{"vault", "add", "attic", "dir", filepath.Join(dir, "attic"), "--domain", "attic"},
		{"vault", "verify", "local"},
		{"vault", "scrub", "local"},
		{"key", "rotate", "--out", filepath.Join(dir, "next.txt")},
		{"status"},
	} {
		var out any
		if err := s.Run(t.Context(), &out, args...); err != nil {
			t.Fatal(err)
		}
	}
	c.settle(1 + len(photos))
	for _, p := range c.list().Photos {
		if p.State != library.Ready {
			t.Errorf("%s is %s: %s", p.Name, p.State, p.Why)
		}
	}
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
	return list
}
