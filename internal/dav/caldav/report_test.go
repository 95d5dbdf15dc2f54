package caldav_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/dav/davtest"
)

// newYork defines a zone of the rules that held in the spring of 2006 and before.
var newYork = []string{"BEGIN:VTIMEZONE", "TZID:US/Eastern",
	"BEGIN:STANDARD", "DTSTART:20001026T020000", "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", "TZOFFSETFROM:-0400", "TZOFFSETTO:-0500", "END:STANDARD",
	"BEGIN:DAYLIGHT", "DTSTART:20000404T020000", "RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=4", "TZOFFSETFROM:-0500", "TZOFFSETTO:-0400", "END:DAYLIGHT", "END:VTIMEZONE"}

func eastern(lines ...string) string {
	return ics(append(append([]string(nil), newYork...), lines...)...)
}

// fill puts objects of the times and kinds of RFC 4791 Appendix B into the calendar for everything.
func (s *server) fill() {
	for name, body := range map[string]string{
		"1": eastern("BEGIN:VEVENT", "UID:one", "DTSTAMP:20060206T001102Z", "DTSTART;TZID=US/Eastern:20060102T100000", "DURATION:PT1H", "SUMMARY:First", "END:VEVENT"),
		"2": eastern("BEGIN:VEVENT", "UID:two", "DTSTAMP:20060206T001121Z", "DTSTART;TZID=US/Eastern:20060102T120000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=5", "SUMMARY:Second", "END:VEVENT",
			"BEGIN:VEVENT", "UID:two", "DTSTAMP:20060206T001121Z", "RECURRENCE-ID;TZID=US/Eastern:20060104T120000", "DTSTART;TZID=US/Eastern:20060104T140000", "DURATION:PT1H", "SUMMARY:Second\\, later", "END:VEVENT"),
		"3": eastern("BEGIN:VEVENT", "UID:three@example.org", "DTSTAMP:20060206T001220Z", "DTSTART;TZID=US/Eastern:20060104T100000", "DURATION:PT1H", "STATUS:TENTATIVE", "SUMMARY:Third",
			"ORGANIZER:mailto:ada@example.org", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:ada@example.org", "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:bob@example.org", "END:VEVENT"),
		"4": comp("VTODO", "four", "DUE;VALUE=DATE:20060104", "STATUS:NEEDS-ACTION", "SUMMARY:Fourth", "BEGIN:VALARM", "ACTION:AUDIO", "TRIGGER;RELATED=START:-PT10M", "END:VALARM"),
		"5": comp("VTODO", "five", "DUE:20060106T170000Z", "SUMMARY:Fifth", "BEGIN:VALARM", "ACTION:AUDIO", "TRIGGER;VALUE=DATE-TIME:20060106T120000Z", "END:VALARM"),
		"6": comp("VTODO", "six", "COMPLETED:20051222T000000Z", "DUE;VALUE=DATE:20051222", "STATUS:COMPLETED", "SUMMARY:Sixth"),
		"7": comp("VTODO", "seven", "DUE;VALUE=DATE:20060101", "STATUS:CANCELLED", "SUMMARY:Seventh"),
		"8": comp("VFREEBUSY", "eight", "DTSTART:20060101T000000Z", "DTEND:20060108T000000Z", "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20060102T100000Z/20060102T120000Z",
			"FREEBUSY:20060103T100000Z/20060103T120000Z,20060104T100000Z/PT2H", "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20060105T100000Z/20060105T120000Z"),
	} {
		s.put(s.mixed+name+".ics", body)
	}
}

// TestQuery asks what RFC 4791 section 7.8 has as examples, and around them.
func TestQuery(t *testing.T) {
	s := newServer(t)
	s.fill()
	prop := func(name, conditions string) string {
		return `<C:prop-filter name="` + name + `">` + conditions + `</C:prop-filter>`
	}
	text := func(s string) string { return `<C:text-match>` + s + `</C:text-match>` }
	const absent = `<C:is-not-defined/>`
	for _, c := range []struct{ about, filter, want string }{
		{"a day (7.8.1)", during("VEVENT", "20060104T000000Z", "20060105T000000Z"), "2 3"},
		{"before", during("VEVENT", "20060101T000000Z", "20060102T150000Z"), ""},
		{"the first second", during("VEVENT", "20060102T150000Z", "20060102T150001Z"), "1"},
		{"the last second", during("VEVENT", "20060102T155959Z", "20060102T160000Z"), "1"},
		{"an instance of a rule", during("VEVENT", "20060106T170000Z", "20060106T180000Z"), "2"},
		{"the place that an override left", during("VEVENT", "20060104T170000Z", "20060104T180000Z"), ""},
		{"the place that it went to", during("VEVENT", "20060104T190000Z", "20060104T200000Z"), "2"},
		{"behind the last", during("VEVENT", "20060106T180000Z", "20060107T000000Z"), ""},
		{"an open end", within("VEVENT", `<C:time-range start="20060104T200000Z"/>`), "2"},
		{"an open start", within("VEVENT", `<C:time-range end="20060102T170000Z"/>`), "1"},
		{"alarms (7.8.5)", within("VTODO", `<C:comp-filter name="VALARM"><C:time-range start="20060106T100000Z" end="20060107T100000Z"/></C:comp-filter>`), "5"},
		{"a UID (7.8.6)", within("VEVENT", prop("UID", `<C:text-match collation="i;octet">three@example.org</C:text-match>`)), "3"},
		{"an attendee (7.8.7)", within("VEVENT", prop("ATTENDEE", text("mailto:bob@example.org")+`<C:param-filter name="PARTSTAT">`+text("NEEDS-ACTION")+`</C:param-filter>`)), "3"},
		{"an attendee's answer that another gave", within("VEVENT", prop("ATTENDEE", text("mailto:bob@example.org")+`<C:param-filter name="PARTSTAT">`+text("ACCEPTED")+`</C:param-filter>`)), ""},
		{"all events (7.8.8)", within("VEVENT", ""), "1 2 3"},
		{"pending to-dos (7.8.9)", within("VTODO", prop("COMPLETED", absent)+prop("STATUS", `<C:text-match negate-condition="yes">CANCELLED</C:text-match>`)), "4"},
		{"a property of nobody (7.8.10)", within("VEVENT", prop("X-ABC-GUID", text("ABC"))), ""},
		{"to-dos of a day", during("VTODO", "20060106T000000Z", "20060107T000000Z"), "5"},
		{"busy time", during("VFREEBUSY", "20060104T000000Z", "20060105T000000Z"), "8"},
		{"busy time elsewhere", during("VFREEBUSY", "20070104T000000Z", "20070105T000000Z"), ""},
		{"a kind that is not there", within("VJOURNAL", ""), ""},
		{"what is no event", `<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">` + absent + `</C:comp-filter></C:comp-filter>`, "4 5 6 7 8"},
		{"two kinds at once", `<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"/><C:comp-filter name="VTODO"/></C:comp-filter>`, ""},
		{"a kind of nobody", within("X-KIND", ""), ""},
		{"a zone", within("VTIMEZONE", ""), "1 2 3"},
		{"all", `<C:comp-filter name="VCALENDAR"/>`, "1 2 3 4 5 6 7 8"},
		{"what is no calendar", `<C:comp-filter name="VCALENDAR">` + absent + `</C:comp-filter>`, ""},
		{"the escaped comma", within("VEVENT", prop("SUMMARY", text("second, later"))), "2"},
		{"a case that counts", within("VEVENT", prop("SUMMARY", `<C:text-match collation="i;octet">first</C:text-match>`)), ""},
		{"a time of a property", within("VTODO", prop("COMPLETED", `<C:time-range start="20051221T000000Z" end="20051223T000000Z"/>`)), "6"},
		{"a day and a text", within("VEVENT", `<C:time-range start="20060104T000000Z" end="20060105T000000Z"/>`+prop("SUMMARY", text("third"))), "3"},
	} {
		if got := names(s.Report(s.mixed, query(plain, c.filter), "Depth: 1")); got != c.want {
			t.Errorf("%s: got %q, want %q", c.about, got, c.want)
		}
		if got := names(s.Report(s.mixed, query(`<prop><getetag/></prop>`, c.filter))); got != c.want {
			t.Errorf("%s, ETags alone and without Depth: got %q, want %q", c.about, got, c.want)
		}
	}
	rs := s.Report(s.mixed+"3.ics", query(plain, within("VEVENT", "")))
	if names(rs) != "3" || rs[0].Data() == "" {
		t.Errorf("one object asked: %v", names(rs))
	}
	if rs := s.Report(s.mixed, strings.Replace(query(plain, ""), "<C:filter></C:filter>", "", 1)); len(rs) != 8 {
		t.Errorf("no filter: %s", names(rs))
	}
}

// TestQueryRefused: each refusal names its precondition (section 7.8).
func TestQueryRefused(t *testing.T) {
	s := newServer(t)
	s.fill()
	for _, c := range []struct{ about, body, cond string }{
		{"no component", query(plain, ""), "C:valid-filter"},
		{"two components", query(plain, `<C:comp-filter name="VCALENDAR"/><C:comp-filter name="VCALENDAR"/>`), "C:valid-filter"},
		{"no name", query(plain, `<C:comp-filter/>`), "C:valid-filter"},
		{"not UTC", query(plain, during("VEVENT", "20060104T000000", "20060105T000000Z")), "C:valid-filter"},
		{"a date", query(plain, during("VEVENT", "20060104", "20060105")), "C:valid-filter"},
		{"backwards", query(plain, during("VEVENT", "20060105T000000Z", "20060104T000000Z")), "C:valid-filter"},
		{"empty", query(plain, during("VEVENT", "20060105T000000Z", "20060105T000000Z")), "C:valid-filter"},
		{"the year 0", query(plain, during("VEVENT", "00000105T000000Z", "20060105T000000Z")), "C:min-date-time"},
		{"no collation", query(plain, within("VEVENT", `<C:prop-filter name="SUMMARY"><C:text-match collation="i;no">x</C:text-match></C:prop-filter>`)), "C:supported-collation"},
		{"a bad zone", strings.Replace(query(plain, within("VEVENT", "")), "</C:calendar-query>", "<C:timezone>x</C:timezone></C:calendar-query>", 1), "C:valid-calendar-data"},
		{"a zone of no name", strings.Replace(query(plain, within("VEVENT", "")), "</C:calendar-query>", "<C:timezone-id>x/y</C:timezone-id></C:calendar-query>", 1), "C:valid-timezone"},
		{"data of another type", query(`<prop><C:calendar-data content-type="application/calendar+json"/></prop>`, within("VEVENT", "")), "C:supported-calendar-data"},
		{"data of another version", query(`<prop><C:calendar-data version="1.0"/></prop>`, within("VEVENT", "")), "C:supported-calendar-data"},
	} {
		a := s.Do("REPORT", s.mixed, c.body, "Depth: 1")
		if a.Code != http.StatusForbidden || !a.Names(c.cond) {
			t.Errorf("%s: %d %s", c.about, a.Code, a.Body)
		}
	}
	s.Refused(400, "", "REPORT", s.mixed, query(`<prop><C:calendar-data><C:expand start="20060104T000000Z"/></C:calendar-data></prop>`, within("VEVENT", "")))
	s.Refused(413, "", "REPORT", s.mixed, query(plain, within("VEVENT", strings.Repeat(`<C:prop-filter name="A"/>`, 1000))))
	s.Refused(403, "D:supported-report", "REPORT", s.home, query(plain, within("VEVENT", "")))
	s.Refused(403, "D:supported-report", "REPORT", s.home+"inbox/", query(plain, within("VEVENT", "")))
	s.Refused(403, "", "REPORT", s.mixed, query(plain, within("VEVENT", "")), "Test-As: bob")
}

// TestFloating: floating and all-day times are read in the zone of the request, else of the calendar, else UTC (section 7.3).
func TestFloating(t *testing.T) {
	s := newServer(t)
	s.put(s.events+"day.ics", event("day", "DTSTART;VALUE=DATE:20260110"))
	s.put(s.events+"noon.ics", event("noon", "DTSTART:20260110T120000", "DTEND:20260110T130000"))
	ask := func(start, end, zone string) string {
		t.Helper()
		body := query(plain, during("VEVENT", start, end))
		return names(s.Report(s.events, strings.Replace(body, "</C:calendar-query>", zone+"</C:calendar-query>", 1), "Depth: 1"))
	}
	tokyo := `<C:timezone-id>Asia/Tokyo</C:timezone-id>`
	text := `<C:timezone>` + ics("BEGIN:VTIMEZONE", "TZID:Elsewhere", "BEGIN:STANDARD", "DTSTART:19700101T000000", "TZOFFSETFROM:+0900", "TZOFFSETTO:+0900", "END:STANDARD", "END:VTIMEZONE") + `</C:timezone>`
	for _, c := range []struct{ start, end, zone, want string }{
		{"20260110T120000Z", "20260110T130000Z", "", "day noon"},
		{"20260110T030000Z", "20260110T040000Z", "", "day"},
		{"20260110T030000Z", "20260110T040000Z", tokyo, "day noon"},
		{"20260110T030000Z", "20260110T040000Z", text, "day noon"},
		{"20260109T150000Z", "20260109T160000Z", tokyo, "day"},
		{"20260110T150000Z", "20260110T160000Z", tokyo, ""},
		{"20260109T150000Z", "20260109T160000Z", "", ""},
	} {
		if got := ask(c.start, c.end, c.zone); got != c.want {
			t.Errorf("%s to %s in %.40q: %q, want %q", c.start, c.end, c.zone, got, c.want)
		}
	}
	s.Do("PROPPATCH", s.events, proppatch(`<set><prop><C:calendar-timezone-id>Asia/Tokyo</C:calendar-timezone-id></prop></set>`))
	if got := ask("20260110T030000Z", "20260110T040000Z", ""); got != "day noon" {
		t.Errorf("by the calendar's own zone: %q", got)
	}
	s.Do("PROPPATCH", s.events, proppatch(`<set><prop><C:calendar-timezone>`+vienna+`</C:calendar-timezone></prop></set>`))
	if got := ask("20260110T110000Z", "20260110T120000Z", ""); got != "day noon" {
		t.Errorf("by the calendar's own definition: %q", got)
	}
}

// TestLimit: what does not fit is told, so that nobody takes the rest for gone.
func TestLimit(t *testing.T) {
	s := newServer(t)
	s.fill()
	body := strings.Replace(query(plain, `<C:comp-filter name="VCALENDAR"/>`), "</C:calendar-query>", `<C:limit><C:nresults>3</C:nresults></C:limit></C:calendar-query>`, 1)
	rs := s.Report(s.mixed, body)
	if len(rs) != 4 || rs[3].Href != s.mixed || !strings.Contains(rs[3].Status, "507") || !strings.Contains(rs[3].Error.Inner, "number-of-matches-within-limits") {
		t.Errorf("%+v", rs)
	}
}

// TestMultiget: hrefs come back as they were sent; what is not a member is 404.
func TestMultiget(t *testing.T) {
	s := newServer(t)
	s.fill()
	etag := s.put(s.mixed+"a%20b.ics", event("space", "DTSTART:20260101T000000Z"))
	hrefs := []string{s.mixed + "a%20b.ics", "https://cloud.example.org" + s.mixed + "1.ics", s.mixed + "none.ics", s.mixed, s.events + "1.ics", "nonsense",
		"/dav/calendars/" + s.Bob.ID.String() + "/default/1.ics", "/dav/calendars/ada@example.org/mixed/2.ics", "/remote.php/dav/calendars/ada@example.org/mixed/3.ics"}
	rs := s.Report(s.mixed, multiget(plain, hrefs...))
	if len(rs) != len(hrefs) {
		t.Fatalf("%d responses", len(rs))
	}
	for i, want := range []bool{true, true, false, false, false, false, false, true, true} {
		if rs[i].Href != hrefs[i] || (rs[i].Data() != "") != want || strings.Contains(rs[i].Status, "404") == want {
			t.Errorf("%s: %+v", hrefs[i], rs[i])
		}
	}
	if rs[0].ETag() != etag {
		t.Errorf("ETag %s, want %s", rs[0].ETag(), etag)
	}
	if rs := s.Report(s.mixed+"1.ics", multiget(plain, s.mixed+"1.ics", s.mixed+"2.ics")); rs[0].Data() == "" || !strings.Contains(rs[1].Status, "404") {
		t.Errorf("of one object: %+v", rs)
	}
}

// TestSync: calendar data come with sync-collection too (RFC 6578), in the form that was asked for.
func TestSync(t *testing.T) {
	s := newServer(t)
	s.fill()
	sync := func(token, prop string) (davtest.Answer, []davtest.Response) {
		a := s.Want(207, "REPORT", s.mixed, `<sync-collection `+space+`><sync-token>`+token+`</sync-token><sync-level>1</sync-level><prop>`+prop+`</prop></sync-collection>`)
		return a, s.Parse(a.Body)
	}
	a, rs := sync("", `<getetag/><C:calendar-data><C:comp name="VCALENDAR"><C:comp name="VEVENT"><C:prop name="UID"/></C:comp></C:comp></C:calendar-data>`)
	if len(rs) != 8 {
		t.Fatalf("%s", names(rs))
	}
	for _, r := range rs {
		if d := r.Data(); !strings.Contains(d, "BEGIN:VCALENDAR") || strings.Contains(d, "SUMMARY") {
			t.Errorf("%s: %q", r.Href, d)
		}
	}
	_, token, _ := strings.Cut(a.Body, "<D:sync-token>")
	token, _, _ = strings.Cut(token, "<")
	s.Want(204, "DELETE", s.mixed+"1.ics", "")
	s.put(s.mixed+"9.ics", event("nine", "DTSTART:20260101T000000Z"))
	if _, rs = sync(token, `<getetag/>`); names(rs) != "!404 1 9" {
		t.Errorf("changes: %s", names(rs))
	}
	s.Refused(403, "C:supported-calendar-data", "REPORT", s.mixed, `<sync-collection `+space+`><sync-token/><sync-level>1</sync-level><prop><C:calendar-data version="3"/></prop></sync-collection>`)
}

// TestSawListing: a query for all that a calendar holds counts as a full listing of it; one that leaves something out does not.
func TestSawListing(t *testing.T) {
	s := newServer(t)
	s.fill()
	s.put(s.events+"a.ics", event("a", "DTSTART:20260101T000000Z"))
	for _, c := range []struct {
		at, filter string
		want       bool
	}{
		{s.mixed, within("VEVENT", ""), false},
		{s.mixed, during("VEVENT", "20060104T000000Z", "20060105T000000Z"), false},
		{s.mixed, `<C:comp-filter name="VCALENDAR"/>`, true},
		{s.events, during("VEVENT", "20060104T000000Z", "20060105T000000Z"), false},
		{s.events, within("VEVENT", `<C:prop-filter name="UID"/>`), false},
		{s.events, within("VEVENT", ""), true},
	} {
		d, _, err := s.Core.AddDevice(t.Context(), holdfast.Actor{Account: s.Ada.ID}, s.Ada.ID, c.at+c.filter[len(c.filter)/2:len(c.filter)/2+5]+fmt.Sprint(c.want), holdfast.Hash{byte(len(c.filter)), c.at[len(c.at)-2]})
		if err != nil {
			t.Fatal(err)
		}
		s.Device = d.ID
		s.Report(c.at, query(plain, c.filter), "Depth: 1")
		devices, err := s.Core.Devices(t.Context(), s.Ada.ID)
		if err != nil {
			t.Fatal(err)
		}
		full := false
		for _, x := range devices {
			for _, seen := range x.Seen {
				full = full || x.ID == d.ID && seen.Full
			}
		}
		if full != c.want {
			t.Errorf("%s %s: counted as a full listing is %v, want %v", c.at, c.filter, full, c.want)
		}
	}
}

// TestTiredSearch: a search that takes too long is 503, never a shorter listing.
func TestTiredSearch(t *testing.T) {
	s := newServer(t)
	for i := range 40 {
		s.put(fmt.Sprintf("%s%d.ics", s.events, i), event(fmt.Sprint(i), "DTSTART:20260101T000000Z"))
	}
	s.Engine.Row = func() { s.Clock.Advance(time.Second) }
	a := s.Do("REPORT", s.events, query(plain, within("VEVENT", `<C:prop-filter name="SUMMARY"/>`)))
	if a.Code != 503 || a.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	s.Engine.Row = nil
	s.Engine.Lost = true
	s.Refused(503, "", "REPORT", s.events, query(plain, within("VEVENT", "")))
	s.Refused(503, "", "REPORT", s.events, multiget(plain, s.events+"1.ics"))
	s.Refused(503, "", "REPORT", s.events, query(`<prop><getetag/></prop>`, within("VEVENT", `<C:prop-filter name="SUMMARY"/>`)))
}

// TestFreeBusy answers what section 7.10 has as an example, by a calendar and by the home.
func TestFreeBusy(t *testing.T) {
	s := newServer(t)
	s.fill()
	ask := `<C:free-busy-query ` + space + `><C:time-range start="20060104T140000Z" end="20060105T220000Z"/></C:free-busy-query>`
	a := s.Want(200, "REPORT", s.mixed, ask, "Depth: 1")
	if a.Header.Get("Content-Type") != "text/calendar; charset=utf-8" {
		t.Errorf("headers %v", a.Header)
	}
	for _, want := range []string{"BEGIN:VFREEBUSY", "DTSTART:20060104T140000Z", "DTEND:20060105T220000Z", "DTSTAMP:20260201T080000Z",
		"FBTYPE=BUSY-TENTATIVE:20060104T150000Z/", "20060104T190000Z/", "20060105T170000Z/", "FBTYPE=BUSY-UNAVAILABLE:20060105T100000Z/"} {
		if !strings.Contains(a.Body, want) {
			t.Errorf("no %s in %s", want, a.Body)
		}
	}
	if strings.Contains(a.Body, "Second") || strings.Contains(a.Body, "20060103") {
		t.Errorf("too much is told: %s", a.Body)
	}
	s.put(s.events+"x.ics", event("x", "DTSTART:20060105T200000Z", "DTEND:20060105T210000Z"))
	if a := s.Want(200, "REPORT", s.home, ask, "Depth: infinity"); !strings.Contains(a.Body, "20060105T170000Z/") || !strings.Contains(a.Body, "20060105T200000Z/") {
		t.Errorf("the home: %s", a.Body)
	}
	s.Do("PROPPATCH", s.events, proppatch(`<set><prop><C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp></prop></set>`))
	if a := s.Want(200, "REPORT", s.home, ask, "Depth: infinity"); strings.Contains(a.Body, "20060105T200000Z/") {
		t.Errorf("a transparent calendar makes busy: %s", a.Body)
	}
	for _, c := range []struct{ rng, cond string }{
		{`<C:time-range start="20060104T140000" end="20060105T220000Z"/>`, "C:valid-filter"},
		{`<C:time-range start="20060104T140000Z" end="20960105T220000Z"/>`, "C:valid-filter"},
	} {
		s.Refused(403, c.cond, "REPORT", s.mixed, `<C:free-busy-query `+space+`>`+c.rng+`</C:free-busy-query>`)
	}
	s.Refused(400, "", "REPORT", s.mixed, `<C:free-busy-query `+space+`/>`)
	s.Refused(403, "D:supported-report", "REPORT", s.mixed+"1.ics", ask)
	s.Refused(403, "", "REPORT", s.mixed, ask, "Test-As: bob")
}

// TestIndexFollows: properties and copies keep when an object takes place.
func TestIndexFollows(t *testing.T) {
	s := newServer(t)
	s.fill()
	s.Want(207, "PROPPATCH", s.mixed+"2.ics", proppatch(`<set><prop><x xmlns="urn:x">y</x></prop></set>`))
	s.Want(201, "COPY", s.mixed, "", "Destination: "+s.home+"copy/")
	for _, at := range []string{s.mixed, s.home + "copy/"} {
		if got := names(s.Report(at, query(plain, during("VEVENT", "20060104T000000Z", "20060105T000000Z")), "Depth: 1")); got != "2 3" {
			t.Errorf("%s: %q", at, got)
		}
	}
	l, err := s.Core.Locate(t.Context(), s.Principal(), s.Ada.ID, []string{"calendars", "copy"})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Core.Read(t.Context(), s.Principal(), s.Ada.ID, func(r *core.Reader) error {
		x, err := r.Resource(l.Collection.ID, "2.ics", 0)
		if want := (holdfast.Times{Timed: true, First: 1136221200, Last: 1136570400 - 1}); x.Times.First != want.First || x.Times.Last < want.Last || x.Times.Last > want.Last+1 {
			t.Errorf("times %+v, want about %+v", x.Times, want)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestUndated: a to-do without any time is found whatever the range, a note without one never (section 9.9), by the index as by the octets.
func TestUndated(t *testing.T) {
	s := newServer(t)
	s.put(s.mixed+"todo.ics", comp("VTODO", "todo"))
	s.put(s.mixed+"note.ics", comp("VJOURNAL", "note"))
	s.put(s.mixed+"dated.ics", comp("VJOURNAL", "dated", "DTSTART;VALUE=DATE:20260105"))
	const summary = `<C:prop-filter name="SUMMARY"><C:is-not-defined/></C:prop-filter>`
	for _, c := range []struct{ kind, rng, want string }{
		{"VTODO", `start="20260105T000000Z" end="20260106T000000Z"`, "todo"},
		{"VTODO", `end="00020106T000000Z"`, "todo"},
		{"VJOURNAL", `start="20260105T000000Z" end="20260106T000000Z"`, "dated"},
		{"VJOURNAL", `start="20260106T000000Z"`, ""},
	} {
		for _, more := range []string{"", summary} {
			if got := names(s.Report(s.mixed, query(plain, within(c.kind, `<C:time-range `+c.rng+`/>`+more)))); got != c.want {
				t.Errorf("%s %s %s: %q, want %q", c.kind, c.rng, more, got, c.want)
			}
		}
	}
}
