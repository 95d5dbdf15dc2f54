package carddav_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/internal/davxml"
)

// TestQueryFilters runs every kind of filter over a few cards; want names those that must be found.
func TestQueryFilters(t *testing.T) {
	s := newServer(t, davxml.Limits{})
	cards := map[string][]byte{
		"ada":  vcf("3.0", "UID:1", "N:Lovelace;Ada;;;", "FN:Ada Lovelace", "EMAIL;TYPE=work:ada@example.org", "EMAIL;TYPE=home:al@example.net", "NICKNAME:Countess,Enchantress", "item1.TEL:+44 1", "item1.X-ABLabel:boat"),
		"zoe":  vcf("4.0", "UID:2", "N:Müller;Zoë;;;", "FN:Zoë Müller", "EMAIL;TYPE=home:zoe@example.org", "CATEGORIES:friends,chess", "NOTE:a\\, b\\nc"),
		"anon": vcf("3.0", "UID:3", "N:;;;;", "FN:STRASSE", "TEL;TYPE=\"cell\",voice:+49 2"),
	}
	for name, body := range cards {
		s.put(s.book+name+".vcf", body)
	}
	prop := func(name, test, inner string) string {
		return `<CR:prop-filter name="` + name + `"` + test + `>` + inner + `</CR:prop-filter>`
	}
	text := func(attr, s string) string { return `<CR:text-match ` + attr + `>` + s + `</CR:text-match>` }
	param := func(name, inner string) string {
		return `<CR:param-filter name="` + name + `">` + inner + `</CR:param-filter>`
	}
	const absent, all = `<CR:is-not-defined/>`, ` test="allof"`
	for _, c := range []struct{ attr, filter, want string }{
		{"", ``, "ada anon zoe"},
		{"", prop("EMAIL", "", ""), "ada zoe"},
		{"", prop("email", "", absent), "anon"},
		{"", prop("X-NONE", "", ""), ""},
		{"", prop("X-NONE", "", absent), "ada anon zoe"},
		// Match types.
		{"", prop("FN", "", text("", "love")), "ada"},
		{"", prop("FN", "", text(`match-type="contains"`, "a")), "ada anon"},
		{"", prop("FN", "", text(`match-type="equals"`, "ada lovelace")), "ada"},
		{"", prop("FN", "", text(`match-type="equals"`, "ada")), ""},
		{"", prop("FN", "", text(`match-type="starts-with"`, "ADA")), "ada"},
		{"", prop("FN", "", text(`match-type="ends-with"`, "lace")), "ada"},
		{"", prop("FN", "", text(`match-type="ends-with"`, "ada")), ""},
		{"", prop("N", "", text(`match-type="equals"`, "lovelace")), "ada"},
		{"", prop("CATEGORIES", "", text(`match-type="equals"`, "chess")), "zoe"},
		{"", prop("NOTE", "", text(`match-type="equals"`, "a, b\nc")), "zoe"},
		// Collations.
		{"", prop("FN", "", text("", "ZOË müller")), "zoe"},
		{"", prop("FN", "", text(`collation="i;unicode-casemap"`, "MÜLLER")), "zoe"},
		{"", prop("FN", "", text(`collation="i;ascii-casemap"`, "zoë")), "zoe"},
		{"", prop("FN", "", text(`collation="i;ascii-casemap"`, "MÜLLER")), ""},
		{"", prop("FN", "", text(`collation="i;octet"`, "Ada")), "ada"},
		{"", prop("FN", "", text(`collation="i;octet"`, "ada")), ""},
		// Negation is of one text: some instance does not hold it.
		{"", prop("FN", "", text(`negate-condition="yes"`, "a")), "zoe"},
		{"", prop("EMAIL", "", text(`negate-condition="yes"`, "example.org")), "ada"},
		// Several conditions.
		{"", prop("EMAIL", "", text("", "ada@")+text("", "zoe@")), "ada zoe"},
		{"", prop("EMAIL", all, text("", "ada@")+text("", "zoe@")), ""},
		{"", prop("EMAIL", all, text("", "example.org")+param("TYPE", text("", "home"))), "zoe"},
		{"", prop("EMAIL", "", text("", "example.net")+param("TYPE", text("", "home"))), "ada zoe"},
		{"", prop("FN", "", text("", "ada")) + prop("CATEGORIES", "", ""), "ada zoe"},
		{all, prop("EMAIL", "", "") + prop("CATEGORIES", "", absent), "ada"},
		{` test="anyof"`, prop("EMAIL", "", absent) + prop("CATEGORIES", "", ""), "anon zoe"},
		// Parameters.
		{"", prop("TEL", "", param("TYPE", "")), "anon"},
		{"", prop("TEL", "", param("TYPE", absent)), "ada"},
		{"", prop("TEL", "", param("type", text(`match-type="equals"`, "VOICE"))), "anon"},
		{"", prop("TEL", "", param("TYPE", text(`negate-condition="yes"`, "voice"))), ""},
		// A group.
		{"", prop("item1.TEL", "", ""), "ada"},
		{"", prop("item2.TEL", "", ""), ""},
	} {
		var got []string
		for _, r := range s.Report(s.book, query(plain, `<CR:filter`+c.attr+`>`+c.filter+`</CR:filter>`), "Depth: 1") {
			name := strings.TrimSuffix(strings.TrimPrefix(r.Href, s.book), ".vcf")
			if got = append(got, name); r.Data() != string(cards[name]) {
				t.Errorf("%s%s: %s is not as it was put", c.attr, c.filter, name)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s %s finds %v, want %s", c.attr, c.filter, got, c.want)
		}
		if n := len(s.Report(s.book, query(`<prop><getetag/></prop>`, `<CR:filter`+c.attr+`>`+c.filter+`</CR:filter>`))); n != len(got) {
			t.Errorf("%s %s finds %d without data, %d with", c.attr, c.filter, n, len(got))
		}
	}
	for _, c := range []struct {
		filter string
		code   int
		rule   string
	}{
		{prop("FN", "", text(`collation="i;klingon"`, "x")), http.StatusForbidden, "CR:supported-collation"},
		{prop("FN", "", param("TYPE", text(`collation="default"`, "x"))), http.StatusForbidden, "CR:supported-collation"},
		{prop("F N", "", ""), http.StatusForbidden, "CR:supported-filter"},
		{prop(".FN", "", ""), http.StatusForbidden, "CR:supported-filter"},
		{prop("FN", "", param("a.b", "")), http.StatusForbidden, "CR:supported-filter"},
		{prop("", "", ""), http.StatusBadRequest, ""},
		{prop("FN", ` test="most"`, ""), http.StatusBadRequest, ""},
		{prop("FN", "", text(`match-type="sounds-like"`, "x")), http.StatusBadRequest, ""},
		{prop("FN", "", absent+text("", "x")), http.StatusBadRequest, ""},
		{strings.Repeat(prop("FN", "", ""), 501), http.StatusRequestEntityTooLarge, ""},
	} {
		a := s.Do("REPORT", s.book, query(plain, `<CR:filter>`+c.filter+`</CR:filter>`))
		if a.Code != c.code || c.rule != "" && !strings.Contains(a.Body, "<"+c.rule) {
			t.Errorf("%.80s: %d %s, want %d %s", c.filter, a.Code, a.Body, c.code, c.rule)
		}
	}
}

// TestSearchEnds: a search that finds nothing for too long, or that nobody waits for, lets go of its snapshot, and is answered as a fault of the moment.
func TestSearchEnds(t *testing.T) {
	s := newServer(t, davxml.Limits{})
	for i := range 200 {
		s.put(fmt.Sprintf("%s%03d.vcf", s.book, i), vcf("3.0", fmt.Sprintf("UID:%d", i), "FN:Ada"))
	}
	nothing := query(plain, `<CR:filter><CR:prop-filter name="X-NONE"/></CR:filter>`)
	rows := 0
	s.Engine.Row = func() {
		rows++
		s.Clock.Advance(50 * time.Millisecond)
	}
	a := s.Do("REPORT", s.book, nothing)
	if a.Code != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || rows == 200 {
		t.Errorf("a slow search: %d after %d rows, %s", a.Code, rows, a.Body)
	}
	ctx, cancel := context.WithCancel(t.Context())
	rows = 0
	s.Engine.Row = func() {
		rows++
		cancel()
	}
	s.Handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("REPORT", s.book, strings.NewReader(nothing)).WithContext(ctx))
	if rows == 0 || rows == 200 {
		t.Errorf("a search that nobody waits for looked at %d of 200 cards", rows)
	}
	s.Engine.Row = nil
	if got := s.Report(s.book, nothing); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}
