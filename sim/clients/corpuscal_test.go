package clients

import (
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
