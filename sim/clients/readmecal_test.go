package clients

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readmeBlock returns a configuration as README.md prints it, without its indentation: from the line that is first to the line that begins with last.
func readmeBlock(t *testing.T, first, last string) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.Lines(string(read(t, filepath.Join("..", "..", "README.md")))) {
		l := strings.TrimSpace(line)
		if l == first || out.Len() > 0 {
			out.WriteString(l + "\n")
		}
		if out.Len() > 0 && strings.HasPrefix(l, last) {
			return out.String()
		}
	}
	t.Fatalf("README.md has no configuration from %s to %s", first, last)
	return ""
}

// TestReadmeCalendars follows README.md on two devices: the printed configurations of vdirsyncer, khal and todoman, with nothing changed but address, name and
// password.
func TestReadmeCalendars(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer", "khal", "todoman")
	h := newHouse(t)
	vdirsyncer := readmeBlock(t, "[general]", "status_path") + readmeBlock(t, "[pair calendars]", "password = ")
	khal := readmeBlock(t, "[calendars]", "longdatetimeformat")
	todoman := readmeBlock(t, `path = "~/calendars/*"`, "default_list")
	follow := func(name string) tool {
		t.Helper()
		p := tool{dir: t.TempDir()}
		d := h.device(name)
		for file, text := range map[string]string{
			"vdirsyncer/config": strings.NewReplacer("http://127.0.0.1:8420", h.url(), "you@example.org", alice, "the app password", d.Password).Replace(vdirsyncer),
			"khal/config":       khal, "todoman/config.py": todoman,
		} {
			name := filepath.Join(p.dir, ".config", filepath.FromSlash(file))
			if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
				t.Fatal(err)
			}
			put(t, filepath.Dir(name), filepath.Base(name), text)
		}
		return p
	}
	do := func(p tool, line ...string) string {
		t.Helper()
		p.stdin = strings.Repeat("y\n", 5)
		out, err := p.run(t.Context(), line[0], line[1:]...)
		if err != nil {
			t.Fatalf("%v: %v\n%s", line, err, tail(out))
		}
		return out
	}
	one, two := follow("laptop"), follow("workstation")
	for _, p := range []tool{one, two} {
		do(p, "vdirsyncer", "discover")
		do(p, "vdirsyncer", "metasync")
		do(p, "vdirsyncer", "sync")
	}
	do(one, "khal", "new", "2026-12-24", "18:00", "20:00", "Christmas Eve")
	do(one, "todoman", "new", "Buy a tree")
	do(one, "vdirsyncer", "sync")
	do(two, "vdirsyncer", "sync")
	if out := do(two, "khal", "list", "2026-12-20", "10d"); !strings.Contains(out, "18:00-20:00 Christmas Eve") {
		t.Errorf("khal on the other device lists\n%s", out)
	}
	if out := do(two, "todoman", "list"); !strings.Contains(out, "Buy a tree") {
		t.Errorf("todoman on the other device lists\n%s", out)
	}
}
