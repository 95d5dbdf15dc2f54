package caldav_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/dav"
	"holdfast/internal/dav/caldav"
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
	home     string      // of ada's calendars, canonical
	events   string      // of ada's calendar, which holds VEVENT
	mixed    string      // a calendar that holds every kind
}

const maxResource = 1_000_000

func newServer(t testing.TB) *server {
	return newServerWith(t, davxml.Limits{}, caldav.Judge(caldav.Options{MaxResource: maxResource}))
}

func newServerWith(t testing.TB, limits davxml.Limits, judge core.Judge) *server {
	t.Helper()
	s := &server{t: t, engine: newEngine(), clock: clock.NewFake(time.Date(2026, 2, 1, 8, 0, 0, 0, time.UTC))}
	o := caldav.Options{MaxResource: maxResource, Clock: s.clock}
	single := &onesnap.Engine{Engine: s.engine, Nested: func() { t.Error("a request that holds a snapshot asks for another one") }}
	judges := map[holdfast.CollectionType]core.Judge{holdfast.TypeCalendar: judge, holdfast.TypeHome: dav.JudgeFile, holdfast.TypeFolder: dav.JudgeFile}
	s.core = core.New(core.Options{Engine: single, Judges: judges, Clock: s.clock, Limits: core.Limits{Resource: maxResource, DirectoryTTL: 1}}) // nothing is known by heart
	s.ada, s.bob = s.account("ada@example.org"), s.account("bob@example.org")
	s.h = onesnap.Handler(dav.New(dav.Options{Core: s.core, Extensions: append(caldav.Extensions(o), carddav.Extension(carddav.Options{})), SpoolDir: t.TempDir(), Limits: limits,
		Authenticate: func(r *http.Request) (holdfast.Principal, error) {
			if r.Header.Get("Test-As") == "bob" {
				return holdfast.Principal{Account: s.bob.ID}, nil
			}
			return s.principal(), nil
		}}))
	s.home = "/dav/calendars/" + s.ada.ID.String() + "/"
	s.events, s.mixed = s.home+"default/", s.home+"mixed/"
	s.want(http.StatusCreated, "MKCALENDAR", s.mixed, mkcalendar(`<C:supported-calendar-component-set>`+
		`<C:comp name="VEVENT"/><C:comp name="VTODO"/><C:comp name="VJOURNAL"/><C:comp name="VFREEBUSY"/><C:comp name="VAVAILABILITY"/></C:supported-calendar-component-set>`))
	return s
}

func (s *server) account(login string) holdfast.Account {
	a, _, err := s.core.CreateAccount(context.Background(), holdfast.Actor{}, login, "")
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *server) principal() holdfast.Principal {
	return holdfast.Principal{Account: s.ada.ID, Device: s.device}
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

// want sends a request that must be answered so.
func (s *server) want(code int, method, target, body string, headers ...string) answer {
	s.t.Helper()
	a := s.do(method, target, body, headers...)
	if a.code != code {
		s.t.Fatalf("%s %s: %d, want %d: %s", method, target, a.code, code, a.body)
	}
	return a
}

// names tells whether a precondition, "C:name" or "D:name", stands in the answer. "" always does.
func (a answer) names(cond string) bool {
	return cond == "" || strings.Contains(a.body, "<"+cond+"/>") || strings.Contains(a.body, "<"+cond+">")
}

// refused sends a request that must be answered with a status and a precondition, "C:name" or "D:name".
func (s *server) refused(code int, cond, method, target, body string, headers ...string) {
	s.t.Helper()
	if a := s.do(method, target, body, headers...); a.code != code || !a.names(cond) {
		s.t.Errorf("%s %s %.200q: %d, want %d with %s: %s", method, target, body, a.code, code, cond, a.body)
	}
}

// put stores an object and returns its ETag.
func (s *server) put(target, body string, headers ...string) string {
	s.t.Helper()
	a := s.do("PUT", target, body, append(headers, "Content-Type: text/calendar; charset=utf-8")...)
	if a.code != http.StatusCreated && a.code != http.StatusNoContent {
		s.t.Fatalf("PUT %s: %d %s\n%s", target, a.code, a.body, body)
	}
	return a.header.Get("ETag")
}

// ics makes an object of the lines, with CRLF.
func ics(lines ...string) string {
	all := append([]string{"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example.org//test//EN"}, lines...)
	return strings.Join(append(all, "END:VCALENDAR"), "\r\n") + "\r\n"
}

// comp makes an object of one component.
func comp(kind, uid string, lines ...string) string {
	all := append([]string{"BEGIN:" + kind, "UID:" + uid, "DTSTAMP:20260101T000000Z"}, lines...)
	return ics(append(all, "END:"+kind)...)
}

func event(uid string, lines ...string) string { return comp("VEVENT", uid, lines...) }

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
				Text string `xml:",chardata"`
			} `xml:"urn:ietf:params:xml:ns:caldav calendar-data"`
			Inner string `xml:",innerxml"`
		} `xml:"DAV: prop"`
	} `xml:"DAV: propstat"`
}

// data gives the calendar data of a response with status 200.
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

// props gives what stands in the prop of a status.
func (r response) props(status int) string {
	for _, s := range r.Stats {
		if strings.HasPrefix(s.Status, fmt.Sprintf("HTTP/1.1 %d ", status)) {
			return s.Prop.Inner
		}
	}
	return ""
}

// report sends a REPORT that must be answered 207, and reads it.
func (s *server) report(target, body string, headers ...string) []response {
	s.t.Helper()
	return s.parse(s.want(http.StatusMultiStatus, "REPORT", target, body, headers...).body)
}

// propfind asks one resource for properties: those that it has, and those that it lacks.
func (s *server) propfind(target, props string, headers ...string) (has, lacks string) {
	s.t.Helper()
	rs := s.parse(s.want(http.StatusMultiStatus, "PROPFIND", target, `<propfind `+space+`><prop>`+props+`</prop></propfind>`, append(headers, "Depth: 0")...).body)
	if len(rs) != 1 {
		s.t.Fatalf("PROPFIND %s: %v", target, rs)
	}
	return rs[0].props(200), rs[0].props(404)
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

// names gives the last segments of the responses' hrefs, in order of the alphabet, and "!" with the status for those that have one.
func names(rs []response) string {
	var out []string
	for _, r := range rs {
		name := r.Href[strings.LastIndexByte(strings.TrimSuffix(r.Href, "/"), '/')+1:]
		if r.Status != "" {
			name = "!" + strings.Fields(r.Status)[1] + " " + name
		}
		out = append(out, strings.TrimSuffix(name, ".ics"))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

const (
	space = `xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CS="http://calendarserver.org/ns/" xmlns:A="http://apple.com/ns/ical/"`
	plain = `<prop><getetag/><C:calendar-data/></prop>`
)

func mkcalendar(props string) string {
	return `<C:mkcalendar ` + space + `><set><prop>` + props + `</prop></set></C:mkcalendar>`
}

func proppatch(what string) string {
	return `<propertyupdate ` + space + `>` + what + `</propertyupdate>`
}

func multiget(prop string, hrefs ...string) string {
	var b strings.Builder
	for _, h := range hrefs {
		b.WriteString("<href>")
		xml.EscapeText(&b, []byte(h))
		b.WriteString("</href>")
	}
	return fmt.Sprintf(`<C:calendar-multiget %s>%s%s</C:calendar-multiget>`, space, prop, b.String())
}

func query(prop, filter string) string {
	return fmt.Sprintf(`<C:calendar-query %s>%s<C:filter>%s</C:filter></C:calendar-query>`, space, prop, filter)
}

// within makes a filter for components of a kind with conditions.
func within(kind, conditions string) string {
	return `<C:comp-filter name="VCALENDAR"><C:comp-filter name="` + kind + `">` + conditions + `</C:comp-filter></C:comp-filter>`
}

// during makes a filter for components of a kind in a range.
func during(kind, start, end string) string {
	return within(kind, `<C:time-range start="`+start+`" end="`+end+`"/>`)
}
