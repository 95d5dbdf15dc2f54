package caldav

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/davxml"
	"holdfast/internal/ical"
	"holdfast/internal/ical/occur"
	"holdfast/internal/ical/recur"
	"holdfast/internal/ical/zone"
)

// fuzzObjects are objects to begin from.
var fuzzObjects = []string{
	"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260102T100000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=WEEKLY;BYDAY=MO\r\nEXDATE:20260112T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
	"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=Europe/Vienna:20260102T100000\r\nRRULE:FREQ=DAILY;COUNT=9\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:1\r\nRECURRENCE-ID;TZID=Europe/Vienna:20260103T100000\r\nDTSTART;TZID=Europe/Vienna:20260104T110000\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
	"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTODO\r\nUID:1\r\nDUE;VALUE=DATE:20260102\r\nBEGIN:VALARM\r\nACTION:AUDIO\r\nTRIGGER:-PT15M\r\nREPEAT:2\r\nDURATION:PT5M\r\nEND:VALARM\r\nEND:VTODO\r\nEND:VCALENDAR\r\n",
	"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VFREEBUSY\r\nUID:1\r\nFREEBUSY;FBTYPE=BUSY:20260102T100000Z/PT1H,20260103T100000Z/20260103T110000Z\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n",
	"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VJOURNAL\r\nUID:1\r\nDTSTART;VALUE=DATE:20260102\r\nRDATE;VALUE=DATE:20260105\r\nEND:VJOURNAL\r\nEND:VCALENDAR\r\n",
}

// FuzzQuery takes any filter to any object: never a panic; a refusal names its rule; and what the index says is what the object says.
func FuzzQuery(f *testing.F) {
	const wrap = `<C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav"><C:filter>`
	for i, seed := range []string{
		`<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="20260101T000000Z" end="20260201T000000Z"/></C:comp-filter></C:comp-filter>`,
		`<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:prop-filter name="SUMMARY"><C:text-match collation="i;octet" negate-condition="yes">x</C:text-match></C:prop-filter></C:comp-filter></C:comp-filter>`,
		`<C:comp-filter name="VCALENDAR"><C:comp-filter name="VTODO"><C:comp-filter name="VALARM"><C:time-range start="20260101T000000Z"/></C:comp-filter></C:comp-filter></C:comp-filter>`,
		`<C:comp-filter name="VCALENDAR"><C:comp-filter name="VFREEBUSY"><C:time-range end="20260102T103000Z"/></C:comp-filter></C:comp-filter>`,
		`<C:comp-filter name="VCALENDAR" test="anyof"><C:comp-filter name="VJOURNAL"><C:is-not-defined/></C:comp-filter><C:prop-filter name="X"><C:param-filter name="Y"/></C:prop-filter></C:comp-filter>`,
	} {
		f.Add(wrap+seed+`</C:filter></C:calendar-query>`, fuzzObjects[i])
	}
	f.Fuzz(func(t *testing.T, request, body string) {
		root, err := davxml.Parse(strings.NewReader(request), davxml.Limits{Octets: 10_000})
		if err != nil {
			return
		}
		ask, err := davxml.ParseCalendarQuery(root, davxml.Limits{})
		if err != nil {
			return
		}
		m, err := matcherOf(ask.Filter, davxml.Limits{})
		if err != nil {
			var e *holdfast.Error
			var x *davxml.Error
			if !errors.As(err, &x) && (!errors.As(err, &e) || e.Kind != holdfast.Invalid || e.Rule == "" || e.Text == "") {
				t.Fatalf("refused without its rule: %#v", err)
			}
			return
		}
		cal, ix, refusal := ical.Judge([]byte(body), ical.Limits{Octets: 10_000})
		if refusal != nil {
			return
		}
		budget := recur.NewBudget(50_000)
		object, err := occur.Compile(cal, occur.Options{Floating: zone.Fixed(3600), Budget: budget})
		if err != nil {
			return
		}
		got, err := m.Match(object, budget)
		from, to, ranged := m.Range()
		if err != nil || budget.Exhausted() || !ranged {
			return
		}
		if kinds := kindsOf(m); kinds != nil && !slices.Contains(kinds, kindOf(ix.Kind)) {
			if got {
				t.Fatal("it matches, though it is of another kind")
			}
			return
		}
		switch v := occur.Covers(object.Times(), from, to); {
		case v == occur.No && got:
			t.Fatalf("it matches, though the index says that it is not between %d and %d", from, to)
		case v == occur.Yes && m.Certain() && !got:
			t.Fatalf("it does not match, though the index says that it is between %d and %d", from, to)
		}
	})
}

// FuzzForm asks for any form of any object: never a panic; what comes out can be read, and asking for nothing gives the octets.
func FuzzForm(f *testing.F) {
	for i, seed := range []string{
		``, `<C:comp name="VCALENDAR"><C:comp name="VEVENT"><C:prop name="UID"/><C:prop name="DTSTART" novalue="yes"/></C:comp></C:comp>`,
		`<C:expand start="20260101T000000Z" end="20260201T000000Z"/>`, `<C:limit-freebusy-set start="20260101T000000Z" end="20260102T120000Z"/>`,
		`<C:comp name="VCALENDAR"><C:allprop/></C:comp><C:limit-recurrence-set start="20260101T000000Z" end="20260102T120000Z"/>`,
	} {
		f.Add(`<C:calendar-data xmlns:C="urn:ietf:params:xml:ns:caldav">`+seed+`</C:calendar-data>`, fuzzObjects[i])
	}
	o := Options{}.withDefaults()
	f.Fuzz(func(t *testing.T, request, body string) {
		root, err := davxml.Parse(strings.NewReader(request), davxml.Limits{Octets: 10_000})
		if err != nil {
			return
		}
		data, err := davxml.ParseCalendarData(root, davxml.Limits{})
		if err != nil {
			return
		}
		form, err := o.formOf(data, zone.UTC, nil)
		if err != nil {
			return
		}
		if _, _, refusal := ical.Judge([]byte(body), ical.Limits{Octets: 10_000}); refusal != nil {
			return
		}
		form.patience.left = 50_000
		out, err := form.render([]byte(body))
		switch {
		case err != nil:
			return
		case form.verbatim() && string(out) != body:
			t.Fatalf("changed without being asked: %q", out)
		}
		if _, err := ical.Parse(out, ical.Limits{}); err != nil {
			t.Fatalf("what came out cannot be read: %v in %q", err, out)
		}
	})
}
