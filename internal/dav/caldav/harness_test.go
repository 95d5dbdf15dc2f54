package caldav_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/dav"
	"holdfast/internal/dav/caldav"
	"holdfast/internal/dav/carddav"
	"holdfast/internal/dav/davtest"
	"holdfast/internal/davxml"
)

// server has calendars.
type server struct {
	*davtest.Server
	home   string // of Ada's calendars, canonical
	events string // of Ada's calendar, which holds VEVENT
	mixed  string // a calendar that holds every kind
}

const maxResource = 1_000_000

func newServer(t testing.TB) *server {
	return newServerWith(t, davxml.Limits{}, caldav.Judge(caldav.Options{MaxResource: maxResource}))
}

func newServerWith(t testing.TB, limits davxml.Limits, judge core.Judge) *server {
	t.Helper()
	s := &server{Server: davtest.NewServer(t, davtest.Options{Limits: limits, MaxResource: maxResource,
		Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeCalendar: judge, holdfast.TypeHome: dav.JudgeFile, holdfast.TypeFolder: dav.JudgeFile},
		Extensions: func(c *clock.Fake) []dav.Extension {
			return append(caldav.Extensions(caldav.Options{MaxResource: maxResource, Clock: c}), carddav.Extension(carddav.Options{}))
		}})}
	s.home = "/dav/calendars/" + s.Ada.ID.String() + "/"
	s.events, s.mixed = s.home+"default/", s.home+"mixed/"
	s.Want(http.StatusCreated, "MKCALENDAR", s.mixed, mkcalendar(`<C:supported-calendar-component-set>`+
		`<C:comp name="VEVENT"/><C:comp name="VTODO"/><C:comp name="VJOURNAL"/><C:comp name="VFREEBUSY"/><C:comp name="VAVAILABILITY"/></C:supported-calendar-component-set>`))
	return s
}

// put stores an object and returns its ETag.
func (s *server) put(target, body string, headers ...string) string {
	s.T.Helper()
	return s.Put("text/calendar; charset=utf-8", target, body, headers...)
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

// propfind asks one resource for properties: those that it has, and those that it lacks.
func (s *server) propfind(target, props string, headers ...string) (has, lacks string) {
	s.T.Helper()
	rs := s.Parse(s.Want(http.StatusMultiStatus, "PROPFIND", target, `<propfind `+space+`><prop>`+props+`</prop></propfind>`, append(headers, "Depth: 0")...).Body)
	if len(rs) != 1 {
		s.T.Fatalf("PROPFIND %s: %v", target, rs)
	}
	return rs[0].Props(200), rs[0].Props(404)
}

// names gives the last segments of the responses' hrefs, in order of the alphabet, and "!" with the status for those that have one.
func names(rs []davtest.Response) string {
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
	return fmt.Sprintf(`<C:calendar-multiget %s>%s%s</C:calendar-multiget>`, space, prop, davtest.Hrefs(hrefs...))
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
