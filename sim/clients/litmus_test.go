package clients

import (
	"regexp"
	"strings"
	"testing"
)

// result is a line of litmus: " 3. put_get............... pass". A warning breaks it: what came of the test then stands on a line without its name.
var result = regexp.MustCompile(`^(?: *\d+\. (\w+))?\.* (pass|FAIL|SKIPPED|WARNING: .*)`)

// judge reads what litmus said. Its messages may hold any octets (it prints paths that it has freed), and it overwrites lines.
func judge(said string) (ran int, failed, warned []string) {
	name := ""
	for line := range strings.FieldsFuncSeq(said, func(r rune) bool { return r == '\n' || r == '\r' }) {
		m := result.FindStringSubmatch(strings.TrimLeft(line, " "))
		if m == nil {
			continue
		}
		if m[1] != "" {
			name = m[1]
		}
		switch {
		case m[2] == "pass":
			ran++
		case m[2] == "FAIL", m[2] == "SKIPPED":
			ran++
			failed = append(failed, name)
		default:
			warned = append(warned, m[2])
		}
	}
	return ran, failed, warned
}

// TestLitmus runs all suites of litmus against the real program.
func TestLitmus(t *testing.T) {
	need(t, "litmus")
	h := newHouse(t)
	d := h.device("litmus")
	for suite, tests := range map[string]int{"basic": 16, "copymove": 13, "props": 30, "locks": 41, "http": 4} {
		t.Run(suite, func(t *testing.T) {
			h.litmus(t, suite, tests, "/dav/files/"+h.id+"/", alice, d)
		})
	}
}

func (h *house) litmus(t *testing.T, suite string, tests int, at, email string, d device) {
	t.Helper()
	p := tool{dir: t.TempDir(), env: []string{"TESTS=" + suite}}
	out, err := p.run(t.Context(), "litmus", "-k", h.url()+at, email, d.Password)
	ran, failed, warned := judge(out)
	if ran != tests || len(warned) > 0 || len(failed) > 0 {
		t.Errorf("%d tests (want %d), warned of %q, %v\nnot passed: %q\n%q", ran, tests, warned, err, failed, out)
	}
}

// TestLitmusAsGuest runs them in a folder that another shares.
func TestLitmusAsGuest(t *testing.T) {
	need(t, "litmus")
	h := newHouse(t)
	var b struct{ ID string }
	h.command(&b, "account", "add", bob, "--no-password")
	d := h.device("litmus")
	if code, answer := h.dav(d, "MKCOL", "/dav/files/"+h.id+"/top/", ""); code != 201 {
		t.Fatal(code, answer)
	}
	if code, answer := h.dav(d, "MKCOL", "/dav/files/"+h.id+"/top/box/", ""); code != 201 {
		t.Fatal(code, answer)
	}
	h.share("files/top/box", bob, "write")
	his := h.deviceOf(bob, "litmus")
	for suite, tests := range map[string]int{"basic": 16, "copymove": 13, "props": 30, "locks": 41, "http": 4} {
		t.Run(suite, func(t *testing.T) { h.litmus(t, suite, tests, "/dav/files/"+b.ID+"/box/", bob, his) })
	}
}
