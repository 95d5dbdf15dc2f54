package carddav_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/dav"
	"holdfast/internal/dav/carddav"
	"holdfast/internal/dav/onesnap"
	"holdfast/internal/davxml"
)

// server is a real handler over a core, with two accounts. Who asks is said by the header Test-As; ada where it is not there.
type server struct {
	t        testing.TB
	h        http.Handler
	core     *core.Service
	engine   *strict
	clock    *clock.Fake
	ada, bob holdfast.Account
	device   holdfast.ID // of ada; zero: none
	book     string      // of ada, canonical
}

func newServer(t testing.TB, limits davxml.Limits) *server {
	return newServerWith(t, limits, carddav.Judge(carddav.Options{MaxResource: 100_000}))
}

func newServerWith(t testing.TB, limits davxml.Limits, judge core.Judge) *server {
	t.Helper()
	s := &server{t: t, engine: newEngine(), clock: clock.NewFake(time.Date(2026, 2, 1, 8, 0, 0, 0, time.UTC))}
	o := carddav.Options{MaxResource: 100_000, Clock: s.clock}
	single := &onesnap.Engine{Engine: s.engine, Nested: func() { t.Error("a request that holds a snapshot asks for another one") }}
	s.core = core.New(core.Options{Engine: single, Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judge},
		Limits: core.Limits{Resource: 100_000, DirectoryTTL: 1}}) // nothing is known by heart
	s.ada, s.bob = s.account("ada@example.org"), s.account("bob@example.org")
	s.h = onesnap.Handler(dav.New(dav.Options{Core: s.core, Extensions: []dav.Extension{carddav.Extension(o)}, SpoolDir: t.TempDir(), Limits: limits,
		Authenticate: func(r *http.Request) (holdfast.Principal, error) {
			if r.Header.Get("Test-As") == "bob" {
				return holdfast.Principal{Account: s.bob.ID}, nil
			}
			return s.principal(), nil
		}}))
	s.book = "/dav/addressbooks/" + s.ada.ID.String() + "/default/"
	return s
}

func (s *server) account(login string) holdfast.Account {
	a, _, err := s.core.CreateAccount(context.Background(), holdfast.Actor{}, login, "")
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// answer is what came back.
type answer struct {
	code   int
	header http.Header
	body   string
}

// do sends a request; headers are "Name: value".
func (s *server) do(method, target, body string, headers ...string) answer {
	s.t.Helper()
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	req.Host = "cloud.example.org"
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	rec := httptest.NewRecorder()
	s.h.ServeHTTP(rec, req)
	return answer{rec.Code, rec.Header(), rec.Body.String()}
}

// put stores a card and returns its ETag.
func (s *server) put(target string, card []byte, headers ...string) string {
	s.t.Helper()
	a := s.do("PUT", target, string(card), append(headers, "Content-Type: text/vcard")...)
	if a.code != http.StatusCreated && a.code != http.StatusNoContent {
		s.t.Fatalf("PUT %s: %d %s", target, a.code, a.body)
	}
	return a.header.Get("ETag")
}

// vcf makes a card of the lines, with CRLF.
func vcf(version string, lines ...string) []byte {
	all := append([]string{"BEGIN:VCARD", "VERSION:" + version}, lines...)
	return []byte(strings.Join(append(all, "END:VCARD"), "\r\n") + "\r\n")
}

// response is a DAV:response as a client reads it.
type response struct {
	Href   string `xml:"DAV: href"`
	Status string `xml:"DAV: status"`
	Error  struct {
		Inner string `xml:",innerxml"`
	} `xml:"DAV: error"`
	Stats []struct {
		Status string `xml:"DAV: status"`
		Prop   struct {
			ETag string `xml:"DAV: getetag"`
			Data *struct {
				Text    string `xml:",chardata"`
				Version string `xml:"version,attr"`
			} `xml:"urn:ietf:params:xml:ns:carddav address-data"`
			Inner string `xml:",innerxml"`
		} `xml:"DAV: prop"`
	} `xml:"DAV: propstat"`
}

// data gives the address data of a response with status 200.
func (r response) data() string {
	for _, s := range r.Stats {
		if s.Prop.Data != nil && s.Status == "HTTP/1.1 200 OK" {
			return s.Prop.Data.Text
		}
	}
	return ""
}

func (r response) etag() string {
	for _, s := range r.Stats {
		if s.Prop.ETag != "" {
			return s.Prop.ETag
		}
	}
	return ""
}

// report sends a REPORT that must be answered 207, and reads it.
func (s *server) report(target, body string, headers ...string) []response {
	s.t.Helper()
	a := s.do("REPORT", target, body, headers...)
	if a.code != http.StatusMultiStatus {
		s.t.Fatalf("REPORT %s: %d %s", target, a.code, a.body)
	}
	return s.parse(a.body)
}

func (s *server) parse(body string) []response {
	s.t.Helper()
	var m struct {
		XMLName   xml.Name   `xml:"DAV: multistatus"`
		Responses []response `xml:"DAV: response"`
	}
	if err := xml.NewDecoder(bytes.NewReader([]byte(body))).Decode(&m); err != nil {
		s.t.Fatalf("%v in %s", err, body)
	}
	return m.Responses
}

const (
	space = `xmlns="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"`
	plain = `<prop><getetag/><CR:address-data/></prop>`
)

func multiget(prop string, hrefs ...string) string {
	var b strings.Builder
	for _, h := range hrefs {
		b.WriteString("<href>")
		xml.EscapeText(&b, []byte(h))
		b.WriteString("</href>")
	}
	return fmt.Sprintf(`<CR:addressbook-multiget %s>%s%s</CR:addressbook-multiget>`, space, prop, b.String())
}

func query(prop, rest string) string {
	return fmt.Sprintf(`<CR:addressbook-query %s>%s%s</CR:addressbook-query>`, space, prop, rest)
}

func (s *server) principal() holdfast.Principal {
	return holdfast.Principal{Account: s.ada.ID, Device: s.device}
}
