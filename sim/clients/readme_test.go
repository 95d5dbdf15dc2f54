package clients

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readmeConfig returns vdirsyncer's configuration as README.md prints it, without its indentation.
func readmeConfig(t *testing.T) string {
	t.Helper()
	text := string(read(t, filepath.Join("..", "..", "README.md")))
	var out strings.Builder
	for line := range strings.Lines(text) {
		l := strings.TrimSpace(line)
		if l == "[general]" || out.Len() > 0 {
			out.WriteString(l + "\n")
		}
		if out.Len() > 0 && strings.HasPrefix(l, "password = ") {
			return out.String()
		}
	}
	t.Fatalf("README.md has no configuration of vdirsyncer from [general] to the last password")
	return ""
}

// TestReadme follows README.md to the letter on two devices: the printed configuration, with nothing changed but address, name and password.
func TestReadme(t *testing.T) {
	need(t, "vdirsyncer")
	h, m := newHouse(t), model{}
	config := readmeConfig(t)
	follow := func(name string) *syncer {
		t.Helper()
		s := &syncer{t: t, dir: t.TempDir(), device: h.device(name)}
		s.cards = filepath.Join(s.dir, "contacts", "default")
		mine := strings.NewReplacer("http://127.0.0.1:8420", h.url(), "you@example.org", alice, "the app password", s.Password).Replace(config)
		if strings.Count(mine, h.url()) != 1 || strings.Count(mine, alice) != 1 || strings.Count(mine, s.Password) != 1 {
			t.Fatalf("the README's configuration has other words for address, name or password:\n%s", config)
		}
		place := filepath.Join(s.dir, ".config", "vdirsyncer")
		if err := os.MkdirAll(place, 0o700); err != nil {
			t.Fatal(err)
		}
		put(t, place, "config", mine)
		return s
	}
	syncs := func(s *syncer, commands ...string) {
		t.Helper()
		for _, c := range commands {
			if out, err := (tool{dir: s.dir, stdin: "y\n"}).run(t.Context(), "vdirsyncer", c); err != nil {
				t.Fatalf("vdirsyncer %s: %v\n%s", c, err, tail(out))
			}
		}
	}
	one, two := follow("laptop"), follow("workstation")
	syncs(one, "discover", "sync")
	m.fill(one, 0, 30)
	syncs(one, "sync")
	syncs(two, "discover", "sync")
	m.everywhere(t, h, one, two)
}
