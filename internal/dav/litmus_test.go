package dav

import (
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// parseURL reads a request target as net/http does.
func parseURL(target string) *url.URL {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return &url.URL{Path: target}
	}
	return u
}

// TestLitmus runs the suite of the same name, without its tests of locks, which this server does not have.
func TestLitmus(t *testing.T) {
	program, err := exec.LookPath("litmus")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("litmus is not installed: apt-get install litmus")
		}
		t.Skipf("litmus is not installed (apt-get install litmus): %v", err)
	}
	g := newRig(t)
	s := httptest.NewServer(g.handler)
	defer s.Close()
	for _, suite := range []string{"basic", "copymove", "props", "http"} {
		t.Run(suite, func(t *testing.T) {
			c := exec.CommandContext(t.Context(), program, "-k", s.URL+g.files(), "alice@example.org", "secret")
			c.Env = append(os.Environ(), "TESTS="+suite)
			c.Dir = t.TempDir()
			out, err := c.CombinedOutput()
			// The one warning that may be: there are no locks, and the server does not say that there were.
			warnings := strings.Count(strings.ReplaceAll(string(out), "WARNING: server does not claim Class 2 compliance", ""), "WARNING")
			if err != nil || !strings.Contains(string(out), "100.0%") || warnings > 0 {
				t.Fatalf("%v, %d warnings\n%s", err, warnings, out)
			}
			t.Log(string(out[strings.LastIndex(string(out), "<-"):]))
		})
	}
}
