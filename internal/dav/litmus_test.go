package dav

import (
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
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

// installed finds a program of Debian that a test needs. Where the tests are run in earnest it must be there.
func installed(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("%[1]s is not installed: apt-get install %[1]s", name)
	}
	if err != nil {
		t.Skipf("%[1]s is not installed (apt-get install %[1]s): %[2]v", name, err)
	}
	return path
}

// TestCadaver drives the command-line client of that name through what a person does with it.
func TestCadaver(t *testing.T) {
	program := installed(t, "cadaver")
	g, s := served(t)
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(".netrc", "machine 127.0.0.1 login alice@example.org password secret\n")
	write("note one.txt", "hello\n")
	c := exec.CommandContext(t.Context(), program, s.URL+g.files())
	c.Env = append(os.Environ(), "HOME="+dir, "LC_ALL=C")
	c.Dir = dir
	c.Stdin = strings.NewReader("mkcol box\ncd box\nput \"note one.txt\"\nls\npropset \"note one.txt\" mood sunny\npropget \"note one.txt\" mood\n" +
		"copy \"note one.txt\" two.txt\nmove two.txt three.txt\nget three.txt back.txt\ndelete three.txt\nls\ndelete \"note one.txt\"\nls\ncd ..\nrmcol box\nls\nquit\n")
	out, err := c.CombinedOutput()
	text := string(out)
	if err != nil || strings.Contains(text, "failed") {
		t.Fatalf("%v\n%s", err, text)
	}
	if back, err := os.ReadFile(filepath.Join(dir, "back.txt")); err != nil || string(back) != "hello\n" {
		t.Errorf("what came back is %q, %v\n%s", back, err, text)
	}
	for _, want := range []string{"note one.txt", "Value of mood is: sunny", "collection is empty"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in what cadaver says:\n%s", want, text)
		}
	}
}

// TestLitmus runs the five suites of that program.
func TestLitmus(t *testing.T) {
	program := installed(t, "litmus")
	g := newRig(t, locking)
	s := httptest.NewServer(g.handler)
	defer s.Close()
	for _, suite := range []string{"basic", "copymove", "props", "locks", "http"} {
		t.Run(suite, func(t *testing.T) {
			c := exec.CommandContext(t.Context(), program, "-k", s.URL+g.files(), "alice@example.org", "secret")
			c.Env = append(os.Environ(), "TESTS="+suite)
			c.Dir = t.TempDir()
			out, err := c.CombinedOutput()
			warnings := strings.Count(string(out), "WARNING")
			if err != nil || !strings.Contains(string(out), "100.0%") || warnings > 0 {
				t.Fatalf("%v, %d warnings\n%s", err, warnings, out)
			}
			t.Log(string(out[strings.LastIndex(string(out), "<-"):]))
		})
	}
}
