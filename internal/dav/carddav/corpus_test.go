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
		a := s.do("PUT", target, string(body), "Content-Type: text/vcard")
		switch {
		case a.code == http.StatusForbidden && strings.Contains(a.body, "<CR:valid-address-data"):
			count["valid-address-data"]++
		case a.code == http.StatusForbidden && strings.Contains(a.body, "<CR:supported-address-data"):
			count["supported-address-data"]++
		case a.code == http.StatusCreated:
			count["taken"]++
			s.comesBack(target, string(body), a.header.Get("ETag"))
		default:
			t.Errorf("%s: %d %s", f.Name(), a.code, a.body)
		}
	}
	if got, want := fmt.Sprint(count), "map[supported-address-data:3 taken:2 valid-address-data:6]"; got != want {
		t.Errorf("counts are %s, want %s", got, want)
	}
}

// comesBack checks that a card is given as it was put by GET and by reports, and in either version.
func (s *server) comesBack(target, body, etag string) {
	s.t.Helper()
	if a := s.do("GET", target, ""); a.body != body || a.header.Get("ETag") != etag {
		s.t.Errorf("%s: GET changed it", target)
	}
	for _, attr := range []string{"", ` version="3.0"`, ` version="4.0"`} {
		got := s.report(s.book, multiget(`<prop><getetag/><CR:address-data`+attr+`/></prop>`, target))
		if len(got) != 1 || got[0].data() == "" || got[0].etag() != etag {
			s.t.Fatalf("%s%s: %+v", target, attr, got)
		}
		same := attr == "" || strings.Contains(body, "VERSION:"+attr[10:13])
		if data := got[0].data(); same && data != body || !same && !strings.Contains(data, "VERSION:"+attr[10:13]) {
			s.t.Errorf("%s%s: %q", target, attr, data)
		}
	}
}
