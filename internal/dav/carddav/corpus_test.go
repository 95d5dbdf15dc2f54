package carddav_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/davxml"
)

// TestCorpus puts what real programs exported. Each file is either taken, and then comes back octet for octet and in the other version too; or it is refused
// by the name of a precondition, with one sentence.
func TestCorpus(t *testing.T) {
	const dir = "../../../../shared/corpus/contacts"
	files, err := os.ReadDir(dir)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("the corpus of contacts was not found at %s: %v", dir, err)
		}
		t.Skipf("the corpus not found at %s: %v", dir, err)
	}
	s := newServer(t, davxml.Limits{})
	count := map[string]int{}
	for i, f := range files {
		if filepath.Ext(f.Name()) != ".vcf" {
			continue
		}
		body, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		target := fmt.Sprintf("%s%d.vcf", s.book, i)
		a := s.Do("PUT", target, string(body), "Content-Type: text/vcard")
		switch {
		case a.Code == http.StatusForbidden && strings.Contains(a.Body, "<CR:valid-address-data"):
			count["valid-address-data"]++
		case a.Code == http.StatusForbidden && strings.Contains(a.Body, "<CR:supported-address-data"):
			count["supported-address-data"]++
		case a.Code == http.StatusCreated:
			count["taken"]++
			s.comesBack(target, string(body), a.Header.Get("ETag"))
		default:
			t.Errorf("%s: %d %s", f.Name(), a.Code, a.Body)
		}
	}
	if got, want := fmt.Sprint(count), "map[supported-address-data:3 taken:2 valid-address-data:6]"; got != want {
		t.Errorf("counts are %s, want %s", got, want)
	}
}

// comesBack checks that a card is given as it was put by GET and by reports, and in either version.
func (s *server) comesBack(target, body, etag string) {
	s.T.Helper()
	if a := s.Do("GET", target, ""); a.Body != body || a.Header.Get("ETag") != etag {
		s.T.Errorf("%s: GET changed it", target)
	}
	for _, attr := range []string{"", ` version="3.0"`, ` version="4.0"`} {
		got := s.Report(s.book, multiget(`<prop><getetag/><CR:address-data`+attr+`/></prop>`, target))
		if len(got) != 1 || got[0].Data() == "" || got[0].ETag() != etag {
			s.T.Fatalf("%s%s: %+v", target, attr, got)
		}
		same := attr == "" || strings.Contains(body, "VERSION:"+attr[10:13])
		if data := got[0].Data(); same && data != body || !same && !strings.Contains(data, "VERSION:"+attr[10:13]) {
			s.T.Errorf("%s%s: %q", target, attr, data)
		}
	}
}
