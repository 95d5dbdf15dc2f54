package carddav_test

import (
	"net/http"
	"strings"
	"testing"

	"holdfast/internal/dav/davtest"
	"holdfast/internal/davxml"
)

func TestPutPreconditions(t *testing.T) {
	s := newServer(t, davxml.Limits{})
	s.put(s.book+"first%20one.vcf", vcf("3.0", "UID:1", "FN:Ada"))
	home := "/dav/addressbooks/" + s.Ada.ID.String() + "/"
	good := string(vcf("3.0", "UID:new", "FN:Ada"))
	for _, c := range []struct {
		name, target, media, body string
		code                      int
		want                      string
	}{
		{"broken", s.book + "x.vcf", "text/vcard", "BEGIN:VCARD\r\nUID:2\r\n", 403, "<CR:valid-address-data"},
		{"no UID", s.book + "x.vcf", "text/vcard", string(vcf("3.0", "FN:Ada")), 403, "<CR:valid-address-data"},
		{"2.1", s.book + "x.vcf", "text/vcard", string(vcf("2.1", "UID:2", "FN:Ada")), 403, "<CR:supported-address-data"},
		{"picture", s.book + "x.vcf", "image/png", good, 403, "<CR:supported-address-data"},
		{"taken UID", s.book + "x.vcf", "text/vcard", string(vcf("3.0", "UID:1", "FN:Bea")), 403, "<CR:no-uid-conflict><D:href>" + s.book + "first%20one.vcf</D:href></CR:no-uid-conflict>"},
		{"too large", s.book + "x.vcf", "text/vcard", string(vcf("3.0", "UID:2", "FN:Ada", "NOTE:"+strings.Repeat("x", 100_000))), 413, "<CR:max-resource-size"},
		{"in the home", home + "x.vcf", "text/vcard", good, 0, ""},
		{"no book", home + "nowhere/x.vcf", "text/vcard", good, 404, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.Do("PUT", c.target, c.body, "Content-Type: "+c.media)
			if c.code != 0 && a.Code != c.code || a.Code < 400 || !strings.Contains(a.Body, c.want) {
				t.Errorf("%d %s, want %d %s", a.Code, a.Body, c.code, c.want)
			}
			if a := s.Do("GET", c.target, ""); a.Code == http.StatusOK {
				t.Error("it is stored nevertheless")
			}
		})
	}
}

func TestMoveAndCopyJudge(t *testing.T) {
	s := newServer(t, davxml.Limits{})
	s.put(s.book+"a.vcf", vcf("3.0", "UID:1", "FN:Ada"))
	a := s.Do("COPY", s.book+"a.vcf", "", "Destination: "+s.book+"b.vcf")
	if a.Code != http.StatusForbidden || !strings.Contains(a.Body, "<CR:no-uid-conflict><D:href>"+s.book+"a.vcf</D:href>") {
		t.Errorf("a copy in the same book: %d %s", a.Code, a.Body)
	}
	if a := s.Do("MOVE", s.book+"a.vcf", "", "Destination: "+s.book+"b.vcf"); a.Code != http.StatusCreated {
		t.Errorf("a move in the same book: %d %s", a.Code, a.Body)
	}
}

func TestMkcol(t *testing.T) {
	s := newServer(t, davxml.Limits{})
	home := "/dav/addressbooks/" + s.Ada.ID.String() + "/"
	ext := func(types, props string) string {
		return `<mkcol ` + space + `><set><prop><resourcetype>` + types + `</resourcetype>` + props + `</prop></set></mkcol>`
	}
	const book = `<collection/><CR:addressbook/>`
	for _, c := range []struct {
		name, target, body string
		code               int
		want               string
	}{
		{"extended", home + "work/", ext(book, `<displayname>Work</displayname><CR:addressbook-description>At the office</CR:addressbook-description>`), 201, ""},
		{"plain", home + "plain/", "", 201, ""},
		{"exists", home + "work/", ext(book, ""), 405, ""},
		{"inside a book", s.book + "inner/", ext(book, ""), 403, "<CR:addressbook-collection-location-ok"},
		{"in calendars", "/dav/calendars/" + s.Ada.ID.String() + "/book/", ext(book, ""), 403, ""},
		{"a protected property", home + "bad/", ext(book, `<CR:supported-address-data/>`), 0, "cannot-modify-protected-property"},
		{"a description that is none", home + "bad/", ext(book, `<CR:addressbook-description><b xmlns=""/></CR:addressbook-description>`), 0, ""},
		{"another type", home + "bad/", ext(`<collection/><n:x xmlns:n="urn:x"/>`, ""), 403, "valid-resourcetype"},
	} {
		a := s.Do("MKCOL", c.target, c.body, "Content-Type: application/xml")
		if c.code != 0 && a.Code != c.code || c.code == 0 && a.Code < 207 || !strings.Contains(a.Body, c.want) {
			t.Errorf("%s: %d %s, want %d %s", c.name, a.Code, a.Body, c.code, c.want)
		}
	}
	a := s.Do("PROPFIND", home, `<propfind `+space+`><prop><displayname/><resourcetype/><CR:addressbook-description/></prop></propfind>`, "Depth: 1")
	for _, want := range []string{`<D:href>` + home + `work/</D:href>`, `Work</`, `At the office</`, `<CR:addressbook/>`, `<D:href>` + home + `plain/</D:href>`} {
		if !strings.Contains(a.Body, want) {
			t.Errorf("%s is not in %s", want, a.Body)
		}
	}
	if strings.Contains(a.Body, "bad/") {
		t.Errorf("a refused book is there: %s", a.Body)
	}
}

func TestProperties(t *testing.T) {
	s := newServer(t, davxml.Limits{})
	find := func(target, props string) string {
		a := s.Do("PROPFIND", target, `<propfind `+space+`><prop>`+props+`</prop></propfind>`, "Depth: 0")
		if a.Code != http.StatusMultiStatus {
			t.Fatalf("PROPFIND %s: %d %s", target, a.Code, a.Body)
		}
		return a.Body
	}
	id := s.Ada.ID.String()
	home := "<CR:addressbook-home-set><D:href>/dav/addressbooks/" + id + "/</D:href></CR:addressbook-home-set>"
	for _, target := range []string{"/", "/dav/", "/dav/principals/" + id + "/", "/dav/principals/ada@example.org/", "/dav/addressbooks/" + id + "/", s.book,
		"/dav/addressbooks/ada@example.org/default/"} {
		if body := find(target, `<CR:addressbook-home-set/>`); !strings.Contains(body, home) {
			t.Errorf("%s: %s", target, body)
		}
	}
	body := find(s.book, `<CR:supported-address-data/><CR:supported-collation-set/><CR:max-resource-size/><supported-report-set/><CR:max-image-size/>`)
	for _, want := range []string{
		`<CR:address-data-type content-type="text/vcard" version="3.0"/>`, `<CR:address-data-type content-type="text/vcard" version="4.0"/>`,
		`<CR:supported-collation>i;ascii-casemap</CR:supported-collation>`, `<CR:supported-collation>i;unicode-casemap</CR:supported-collation>`,
		`<CR:max-resource-size>100000</CR:max-resource-size>`, `<CR:addressbook-query/>`, `<CR:addressbook-multiget/>`, `<D:sync-collection/>`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is not in %s", want, body)
		}
	}
	if a := s.Do("OPTIONS", s.book, ""); !strings.Contains(a.Header.Get("DAV"), "addressbook") || !strings.Contains(a.Header.Get("Allow"), "REPORT") {
		t.Errorf("OPTIONS: %v", a.Header)
	}
	// Nobody else's.
	if a := s.Do("PROPFIND", "/dav/principals/"+id+"/", "", "Depth: 0", "Test-As: bob"); a.Code != http.StatusForbidden {
		t.Errorf("another's principal: %d %s", a.Code, a.Body)
	}
	if a := s.Do("REPORT", s.book, query(plain, ""), "Test-As: bob"); a.Code != http.StatusForbidden {
		t.Errorf("another's book: %d %s", a.Code, a.Body)
	}
	// allprop holds none of these (RFC 6352 section 6.2).
	if a := s.Do("PROPFIND", s.book, "", "Depth: 0"); strings.Contains(a.Body, "supported-address-data") || strings.Contains(a.Body, "max-resource-size") {
		t.Errorf("allprop: %s", a.Body)
	}
}

func TestDescription(t *testing.T) {
	s := newServer(t, davxml.Limits{})
	patch := func(value string) davtest.Answer {
		return s.Do("PROPPATCH", s.book, `<propertyupdate `+space+`><set><prop>`+value+`</prop></set></propertyupdate>`)
	}
	find := func() string {
		return s.Do("PROPFIND", s.book, `<propfind `+space+`><prop><CR:addressbook-description/></prop></propfind>`, "Depth: 0").Body
	}
	if b := find(); !strings.Contains(b, "404 Not Found") {
		t.Errorf("before it was set: %s", b)
	}
	if a := patch(`<CR:addressbook-description xml:lang="de">Freunde &amp; Verwandte</CR:addressbook-description>`); !strings.Contains(a.Body, "200 OK") {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	if b := find(); !strings.Contains(b, "Freunde &amp; Verwandte") || !strings.Contains(b, `xml:lang="de"`) {
		t.Errorf("after it was set: %s", b)
	}
	for _, protected := range []string{`<CR:supported-address-data/>`, `<CR:max-resource-size>5</CR:max-resource-size>`, `<CR:supported-collation-set/>`} {
		if a := patch(protected); !strings.Contains(a.Body, "403 Forbidden") || !strings.Contains(a.Body, "cannot-modify-protected-property") {
			t.Errorf("%s: %d %s", protected, a.Code, a.Body)
		}
	}
}

func TestGetByAccept(t *testing.T) {
	s := newServer(t, davxml.Limits{})
	card := vcf("3.0", "UID:1", "N:Lovelace;Ada;;;", "FN:Ada Lovelace")
	etag := s.put(s.book+"a.vcf", card)
	for _, c := range []struct{ accept, media, version string }{
		{"", "text/vcard; charset=utf-8", "3.0"},
		{"*/*", "text/vcard; charset=utf-8", "3.0"},
		{"text/vcard; version=3.0", "text/vcard; charset=utf-8", "3.0"},
		{"text/vcard; version=4.0", "text/vcard; version=4.0; charset=utf-8", "4.0"},
	} {
		var headers []string
		if c.accept != "" {
			headers = []string{"Accept: " + c.accept}
		}
		a := s.Do("GET", s.book+"a.vcf", "", headers...)
		if a.Code != 200 || a.Header.Get("ETag") != etag || a.Header.Get("Content-Type") != c.media || !strings.Contains(a.Body, "VERSION:"+c.version+"\r\n") {
			t.Errorf("Accept %q: %d %v %s", c.accept, a.Code, a.Header, a.Body)
		}
		if !strings.Contains(a.Header.Get("Vary"), "Accept") {
			t.Errorf("Accept %q: Vary is %q", c.accept, a.Header.Get("Vary"))
		}
		if c.version == "3.0" && a.Body != string(card) {
			t.Errorf("Accept %q: the octets changed", c.accept)
		}
	}
	// The ETag of a converted answer edits the stored card.
	if a := s.Do("PUT", s.book+"a.vcf", string(vcf("4.0", "UID:1", "FN:Ada")), "If-Match: "+etag, "Content-Type: text/vcard"); a.Code != http.StatusNoContent {
		t.Errorf("If-Match: %d %s", a.Code, a.Body)
	}
}
