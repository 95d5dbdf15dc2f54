package caldav_test

import (
	"strings"
	"testing"
)

// dataOf asks for one object in a form.
func (s *server) dataOf(name, form string) string {
	s.T.Helper()
	rs := s.Report(s.mixed, multiget(`<prop><C:calendar-data>`+form+`</C:calendar-data></prop>`, s.mixed+name+".ics"))
	if len(rs) != 1 {
		s.T.Fatalf("%s: %v", form, rs)
	}
	return rs[0].Data()
}

// lines gives the content lines of a kind of component in calendar data, without what all have, joined by spaces; components are parted by a bar.
func lines(data, kind string) string {
	var out []string
	in := false
	for l := range strings.SplitSeq(data, "\r\n") {
		switch {
		case l == "BEGIN:"+kind:
			in = true
			if len(out) > 0 {
				out = append(out, "|")
			}
		case l == "END:"+kind:
			in = false
		case in && !strings.HasPrefix(l, "DTSTAMP:") && !strings.HasPrefix(l, "UID:"):
			out = append(out, l)
		}
	}
	return strings.Join(out, " ")
}

// TestVerbatim: without a choice the octets come as they are stored, by every way.
func TestVerbatim(t *testing.T) {
	s := newServer(t)
	body := "begin:vcalendar\nVERSION:2.0\nX-ODD;A=b;C=\"d:e\":&<>\n\nBEGIN:VEVENT\nUID:odd\nDTSTART:20260101T000000Z\nDESCRIPTION:one\n  two\nEND:VEVENT\nend:vcalendar"
	s.put(s.mixed+"odd.ics", body)
	for _, form := range []string{"", `<C:comp name="VCALENDAR"><C:allprop/><C:allcomp/></C:comp>`, `<C:comp name="VCALENDAR"/>`, `<C:comp name="vcalendar"><C:allcomp/></C:comp>`} {
		if got := s.dataOf("odd", form); got != body {
			t.Errorf("%s: %q", form, got)
		}
	}
	if got := s.Do("GET", s.mixed+"odd.ics", "", "Accept: application/calendar+json, text/calendar;q=0.1"); got.Body != body {
		t.Errorf("GET: %q", got.Body)
	}
}

// TestPartialData is RFC 4791 section 9.6.1, with the choice of its example 7.8.1.
func TestPartialData(t *testing.T) {
	s := newServer(t)
	s.fill()
	got := s.dataOf("2", `<C:comp name="VCALENDAR"><C:prop name="VERSION"/><C:comp name="VEVENT"><C:prop name="summary"/><C:prop name="RRULE"/><C:prop name="DTSTART" novalue="yes"/></C:comp><C:comp name="VTIMEZONE"/></C:comp>`)
	if strings.Contains(got, "PRODID") || !strings.Contains(got, "VERSION:2.0\r\n") || !strings.Contains(got, "TZOFFSETFROM:-0400") {
		t.Errorf("the outside: %q", got)
	}
	if l := lines(got, "VEVENT"); l != `DTSTART;TZID=US/Eastern: RRULE:FREQ=DAILY;COUNT=5 SUMMARY:Second | DTSTART;TZID=US/Eastern: SUMMARY:Second\, later` {
		t.Errorf("the inside: %s", l)
	}
	got = s.dataOf("4", `<C:comp name="VCALENDAR"><C:allprop/><C:comp name="VTODO"><C:prop name="SUMMARY"/></C:comp></C:comp>`)
	if l := lines(got, "VTODO"); l != "SUMMARY:Fourth" || !strings.Contains(got, "PRODID") {
		t.Errorf("without alarms: %q", got)
	}
	got = s.dataOf("4", `<C:comp name="VCALENDAR"><C:comp name="VTODO"><C:prop name="SUMMARY"/><C:allcomp/></C:comp></C:comp>`)
	if l := lines(got, "VALARM"); l != "ACTION:AUDIO TRIGGER;RELATED=START:-PT10M" {
		t.Errorf("with alarms: %q", got)
	}
	s.Refused(400, "", "REPORT", s.mixed, multiget(`<prop><C:calendar-data><C:comp name="VEVENT"/></C:calendar-data></prop>`, s.mixed+"1.ics"))
}

// TestExpand is section 9.6.5, with the times of its example 7.8.3.
func TestExpand(t *testing.T) {
	s := newServer(t)
	s.fill()
	const form = `<C:expand start="20060103T000000Z" end="20060105T000000Z"/>`
	got := s.dataOf("2", form)
	want := "DTSTART:20060103T170000Z DURATION:PT1H SUMMARY:Second RECURRENCE-ID:20060103T170000Z"
	for _, l := range strings.Fields(want) {
		if !strings.Contains(lines(got, "VEVENT"), l) {
			t.Errorf("no %s in %s", l, got)
		}
	}
	for _, l := range []string{"DTSTART:20060104T190000Z", "RECURRENCE-ID:20060104T170000Z"} {
		if !strings.Contains(got, l+"\r\n") {
			t.Errorf("no %s in %s", l, got)
		}
	}
	if strings.Count(got, "BEGIN:VEVENT") != 2 || strings.Contains(got, "RRULE") || strings.Contains(got, "VTIMEZONE") || strings.Contains(got, "TZID") {
		t.Errorf("expanded: %s", got)
	}
	if got = s.dataOf("1", form); strings.Contains(got, "VEVENT") || !strings.HasPrefix(got, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n") {
		t.Errorf("outside of the range: %q", got)
	}
	if got = s.dataOf("3", form); !strings.Contains(got, "DTSTART:20060104T150000Z\r\n") || strings.Contains(got, "RECURRENCE-ID") {
		t.Errorf("one that does not recur: %s", got)
	}
	got = s.dataOf("2", `<C:comp name="VCALENDAR"><C:comp name="VEVENT"><C:prop name="DTSTART"/></C:comp></C:comp>`+form)
	if l := lines(got, "VEVENT"); l != "DTSTART:20060103T170000Z | DTSTART:20060104T190000Z" {
		t.Errorf("expanded in part: %s", l)
	}
}

// TestLimitRecurrenceSet is section 9.6.6, with the times of its example 7.8.2: the master stays, overrides go that do not matter.
func TestLimitRecurrenceSet(t *testing.T) {
	s := newServer(t)
	s.fill()
	if got := s.dataOf("2", `<C:limit-recurrence-set start="20060103T000000Z" end="20060105T000000Z"/>`); strings.Count(got, "BEGIN:VEVENT") != 2 || !strings.Contains(got, "RRULE") {
		t.Errorf("in the range: %s", got)
	}
	if got := s.dataOf("2", `<C:limit-recurrence-set start="20060105T000000Z" end="20060106T000000Z"/>`); strings.Count(got, "BEGIN:VEVENT") != 1 || !strings.Contains(got, "RRULE") {
		t.Errorf("outside of it: %s", got)
	}
}

// TestLimitFreebusySet is section 9.6.7, with the times of its example 7.8.4.
func TestLimitFreebusySet(t *testing.T) {
	s := newServer(t)
	s.fill()
	got := s.dataOf("8", `<C:limit-freebusy-set start="20060102T000000Z" end="20060103T000000Z"/>`)
	if !strings.Contains(got, "20060102T100000Z/20060102T120000Z") || strings.Contains(got, "20060103T100000Z") || strings.Contains(got, "20060105T100000Z") {
		t.Errorf("%s", got)
	}
}

// TestExpandTooMuch: an object with more instances than are given at once is told apart; the others come.
func TestExpandTooMuch(t *testing.T) {
	s := newServer(t)
	s.put(s.mixed+"much.ics", event("much", "DTSTART:20260101T000000Z", "RRULE:FREQ=MINUTELY"))
	s.put(s.mixed+"few.ics", event("few", "DTSTART:20260101T000000Z", "RRULE:FREQ=DAILY;COUNT=3"))
	rs := s.Report(s.mixed, query(`<prop><C:calendar-data><C:expand start="20260101T000000Z" end="20270101T000000Z"/></C:calendar-data></prop>`, within("VEVENT", "")))
	if names(rs) != "!507 much few" {
		t.Errorf("%s", names(rs))
	}
}
