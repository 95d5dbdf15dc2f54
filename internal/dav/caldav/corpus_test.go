package caldav_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// TestCorpus puts what real programs exported. Each file is either taken, and then comes back octet for octet by every way; or it is refused by the name of a
// precondition, with one sentence: most hold several events, and are for import.
func TestCorpus(t *testing.T) {
	const dir = "../../../../shared/corpus/calendars"
	files, err := filepath.Glob(dir + "/*/*.ics")
	if err != nil || len(files) == 0 {
		if os.Getenv("CI") != "" {
			t.Fatalf("the corpus of calendars was not found at %s: %v", dir, err)
		}
		t.Skipf("the corpus of calendars was not found at %s: %v", dir, err)
	}
	s := newServer(t)
	count := map[string]int{}
	for i, f := range files {
		body, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		target := fmt.Sprintf("%s%d.ics", s.mixed, i)
		a := s.Do("PUT", target, string(body), "Content-Type: text/calendar")
		verdict := "taken"
		for _, rule := range []string{"supported-calendar-data", "valid-calendar-data", "valid-calendar-object-resource", "supported-calendar-component", "no-uid-conflict"} {
			if a.Names("C:" + rule) {
				verdict = rule
			}
		}
		switch {
		case a.Code == http.StatusForbidden && verdict != "taken":
		case a.Code == http.StatusCreated:
			s.comesBack(target, string(body), a.Header.Get("ETag"))
		default:
			t.Errorf("%s: %d %s", f, a.Code, a.Body)
		}
		count[filepath.Base(filepath.Dir(f))+" "+verdict]++
	}
	if got := fmt.Sprint(count); got != corpusCounts {
		t.Errorf("counts are %s, want %s", got, corpusCounts)
	}
}

const corpusCounts = "map[invalid taken:4 invalid valid-calendar-data:3 invalid valid-calendar-object-resource:4 " +
	"valid supported-calendar-component:1 valid taken:11 valid valid-calendar-data:1 valid valid-calendar-object-resource:27]"

// comesBack checks that an object is given as it was put, by GET and by reports.
func (s *server) comesBack(target, body, etag string) {
	s.T.Helper()
	if a := s.Do("GET", target, ""); a.Body != body || a.Header.Get("ETag") != etag {
		s.T.Errorf("%s: GET changed it", target)
	}
	if got := s.Report(s.mixed, multiget(plain, target)); len(got) != 1 || got[0].Data() != body || got[0].ETag() != etag {
		s.T.Errorf("%s: a multiget changed it", target)
	}
}
