package clients

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// calendarCorpus returns the calendars that real programs exported.
func calendarCorpus(t *testing.T) []string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "corpus", "calendars")
	if _, err := os.Stat(dir); err != nil {
		missing(t, "the calendars corpus not found at %s: %v", dir, err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.ics"))
	if err != nil || len(files) != 51 {
		t.Fatalf("%d files in %s, want 51: %v", len(files), dir, err)
	}
	return files
}

// TestCalendarCorpusByPut puts each file as it is. What is accepted is returned octet by octet, by GET and to a device; what is not names the precondition, and
// leaves nothing.
func TestCalendarCorpusByPut(t *testing.T) {
	need(t, "vdirsyncer")
	files := calendarCorpus(t)
	h := newHouse(t)
	d := h.device("curl")
	h.mkcalendar(d, "corpus", "VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY")
	count, accepted := map[string]int{}, map[string][]byte{}
	for _, f := range files {
		b := read(t, f)
		path := h.calendar("corpus") + escape(filepath.Base(f))
		code, body := h.dav(d, "PUT", path, string(b), "Content-Type: text/calendar; charset=utf-8")
		if code == 201 {
			accepted[filepath.Base(f)] = b
			if code, got := h.dav(d, "GET", path, ""); code != 200 || got != string(b) {
				t.Errorf("%s: GET answers %d with other octets", f, code)
			}
			continue
		}
		precondition := ""
		for _, name := range []string{"supported-calendar-data", "valid-calendar-data", "valid-calendar-object-resource", "supported-calendar-component", "no-uid-conflict"} {
			if strings.Contains(body, name+"/>") || strings.Contains(body, name+">") {
				precondition = name
			}
		}
		if code != 403 || precondition == "" {
			t.Errorf("%s: %d %s", f, code, body)
		}
		count[precondition]++
		if code, _ := h.dav(d, "GET", path, ""); code != 404 {
			t.Errorf("%s was refused, and GET answers %d", f, code)
		}
	}
	count["accepted"] = len(accepted)
	want := map[string]int{"accepted": 15, "valid-calendar-data": 4, "valid-calendar-object-resource": 31, "supported-calendar-component": 1}
	if !maps.Equal(count, want) {
		t.Errorf("%v, want %v", count, want)
	}
	p := h.newPlanner("Laptop", sorted(append([]string{"corpus"}, own...)...)...)
	p.sync()
	same(t, "the device", hashes(p.heldIn("corpus")), hashes(accepted))
	same(t, "the export", hashTexts(h.exportedFrom("calendars/corpus")["calendars/corpus"]), hashes(accepted))
}

// TestCalendarCorpusByImport imports all files by the command, and wants everything on a device, octet by octet as the export has it. How many are mended and refused is
// counted by the tests of package transfer.
func TestCalendarCorpusByImport(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer")
	files := calendarCorpus(t)
	h := newHouse(t)
	type report struct {
		Items, Accepted, Created, Already int
		Refused                           []struct{ File, Precondition, Why string }
	}
	imported := func() (r report) {
		t.Helper()
		out, err := tool{dir: t.TempDir()}.run(t.Context(), h.Bin, append([]string{"import", alice, "--data", h.Data, "--json"}, absolute(t, files)...)...)
		// The exit status is 1, for some are refused.
		if i := strings.Index(out, "{"); i < 0 || json.Unmarshal([]byte(out[i:]), &r) != nil {
			t.Fatalf("import: %v\n%s", err, tail(out))
		}
		return r
	}
	first := imported()
	if first.Accepted < 1400 || first.Created != first.Accepted || first.Accepted+len(first.Refused) < first.Items {
		t.Errorf("%d items, %d accepted, %d created, %d refused", first.Items, first.Accepted, first.Created, len(first.Refused))
	}
	before := h.exportedFrom("calendars/default", "calendars/tasks", "calendars/notes")
	if again := imported(); again.Created != 0 || again.Already != first.Accepted {
		t.Errorf("the second import created %d and found %d; want 0 and %d", again.Created, again.Already, first.Accepted)
	}
	p := h.newPlanner("Laptop")
	p.sync()
	total := 0
	for path, want := range before {
		same(t, "the device, "+path, hashes(p.heldIn(filepath.Base(path))), hashTexts(want))
		total += len(want)
	}
	if total != first.Created {
		t.Errorf("%d items were created, and %d are there", first.Created, total)
	}
	if done := p.sync(); len(done) != 0 {
		t.Errorf("nothing was changed, and vdirsyncer did %q", done)
	}
}

func absolute(t *testing.T, files []string) (out []string) {
	t.Helper()
	for _, f := range files {
		a, err := filepath.Abs(f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, a)
	}
	return out
}
