package caldav_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// hang is what nothing takes on any machine that is fit to test on; what each may cost is its budget's to say.
const hang = time.Minute

// TestHostile puts objects that are made to hurt, and then asks everything about a calendar that holds those that were taken. Each gets an answer in time; what is
// refused is refused by the name of a precondition.
func TestHostile(t *testing.T) {
	s := newServer(t)
	const start = "DTSTART:20260102T100000Z"
	many := func(n int, line func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(line(i))
		}
		return strings.TrimSuffix(b.String(), "\r\n")
	}
	zone := func(lines string) string {
		return ics(append([]string{"BEGIN:VTIMEZONE", "TZID:Z"}, lines, "END:VTIMEZONE", "BEGIN:VEVENT", "UID:z", "DTSTART;TZID=Z:20260102T100000", "RRULE:FREQ=DAILY", "END:VEVENT")...)
	}
	observance := func(kind, at, rule string) string {
		return "BEGIN:" + kind + "\r\nDTSTART:" + at + "\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n" + rule + "END:" + kind + "\r\n"
	}
	objects := map[string]string{
		"a rule by the second":      event("1", start, "RRULE:FREQ=SECONDLY"),
		"a rule of everything":      event("2", start, "RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"),
		"a rule that never comes":   event("3", start, "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31"),
		"a rule with many parts":    event("4", start, "RRULE:FREQ=YEARLY;BYSECOND=0,1,2,3,4,5,6,7,8,9;BYMINUTE=0,1,2,3,4,5,6,7,8,9;BYHOUR=0,1,2,3,4,5,6,7,8,9;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=-1"),
		"a count without an end":    event("5", start, "RRULE:FREQ=SECONDLY;COUNT=2000000000"),
		"an interval without sense": event("6", start, "RRULE:FREQ=DAILY;INTERVAL=2000000000"),
		"an interval too large":     event("7", start, "RRULE:FREQ=DAILY;INTERVAL=99999999999999999999"),
		"many rules":                event("8", start, many(2000, func(i int) string { return fmt.Sprintf("RRULE:FREQ=MINUTELY;BYSECOND=%d\r\n", i%60) })),
		"a flood of dates": event("9", start, many(20000, func(i int) string {
			return time.Date(2026, 1, 1, 0, i, 0, 0, time.UTC).Format("RDATE:20060102T150405Z") + "\r\n"
		})),
		"many times a flood": event("9a", start, "RDATE:20260103T000000Z"+strings.Repeat(",20260103T000000Z", maxResource/17-100)),
		"a flood of exceptions": event("10", start, "RRULE:FREQ=MINUTELY", many(20000, func(i int) string {
			return time.Date(2026, 1, 2, 10, i, 0, 0, time.UTC).Format("EXDATE:20060102T150405Z") + "\r\n"
		})),
		"a flood of periods": event("11", start, "RDATE;VALUE=PERIOD:"+strings.TrimSuffix(many(20000, func(i int) string {
			return time.Date(2026, 1, 1, 0, i, 0, 0, time.UTC).Format("20060102T150405Z") + "/PT1H,"
		}), ",")),
		"many overrides": ics("BEGIN:VEVENT\r\nUID:12\r\n" + start + "\r\nRRULE:FREQ=MINUTELY\r\nEND:VEVENT\r\n" + many(3000, func(i int) string {
			at := time.Date(2026, 1, 2, 10, i, 0, 0, time.UTC).Format("20060102T150405Z")
			return "BEGIN:VEVENT\r\nUID:12\r\nRECURRENCE-ID;RANGE=THISANDFUTURE:" + at + "\r\nDTSTART:" + at + "\r\nEND:VEVENT\r\n"
		})),
		"the same override twice": ics("BEGIN:VEVENT", "UID:13", "RECURRENCE-ID:20260102T100000Z", start, "END:VEVENT", "BEGIN:VEVENT", "UID:13", "RECURRENCE-ID:20260102T100000Z", start, "END:VEVENT"),
		"two masters":             ics("BEGIN:VEVENT", "UID:14", start, "END:VEVENT", "BEGIN:VEVENT", "UID:14", start, "END:VEVENT"),
		"the first year":          event("15", "DTSTART:00010101T000000Z", "RRULE:FREQ=YEARLY"),
		"the year 0":              event("16", "DTSTART:00000101T000000Z"),
		"the last second":         event("17", "DTSTART:99991231T235959Z", "DURATION:P99999999W", "RRULE:FREQ=DAILY"),
		"a duration without end":  event("18", start, "DURATION:P999999999999999999999W"),
		"a long duration":         event("19", start, "DURATION:P2000000W", "RRULE:FREQ=SECONDLY"),
		"an end before the start": event("20", start, "DTEND:20250102T100000Z"),
		"an alarm without end":    event("21", start, "RRULE:FREQ=MINUTELY", "BEGIN:VALARM", "ACTION:AUDIO", "TRIGGER:-P99999W", "REPEAT:2000000000", "DURATION:PT1S", "END:VALARM"),
		"many alarms": event("22", start, "RRULE:FREQ=HOURLY", many(2000, func(int) string {
			return "BEGIN:VALARM\r\nACTION:AUDIO\r\nTRIGGER:-PT1M\r\nREPEAT:50\r\nDURATION:PT1M\r\nEND:VALARM\r\n"
		})),
		"a zone by the second":   zone(observance("STANDARD", "19700101T000000", "RRULE:FREQ=SECONDLY\r\n")),
		"a zone of many dates":   strings.Replace(zone(observance("STANDARD", "19700101T000000", many(20000, func(i int) string { return time.Unix(int64(i)*86400, 0).UTC().Format("RDATE:20060102T150405") + "\r\n" })+"\r\n")), "UID:z", "UID:z1", 1),
		"a zone of many parts":   strings.Replace(zone(strings.Repeat(observance("DAYLIGHT", "19700101T000000", "RRULE:FREQ=DAILY\r\n"), 500)), "UID:z", "UID:z2", 1),
		"a zone in another zone": strings.Replace(zone("BEGIN:STANDARD\r\nDTSTART;TZID=Z:19700101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nRDATE;TZID=Z:19800101T000000\r\nEND:STANDARD"), "UID:z", "UID:z3", 1),
		"a zone far away":        strings.Replace(zone("BEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+9900\r\nTZOFFSETTO:-9900\r\nEND:STANDARD"), "UID:z", "UID:z4", 1),
		"a zone of nothing":      strings.Replace(zone("X-NOTHING:1"), "UID:z", "UID:z5", 1),
		"deep nesting":           ics(strings.Repeat("BEGIN:X\r\n", 100) + strings.Repeat("END:X\r\n", 100) + "BEGIN:VEVENT\r\nUID:23\r\n" + start + "\r\nEND:VEVENT"),
		"many components":        event("24", start, strings.TrimSuffix(strings.Repeat("BEGIN:VALARM\r\nEND:VALARM\r\n", 30000), "\r\n")),
		"a long UID":             event(strings.Repeat("u", 5000), start),
		"a control character":    event("25", start, "SUMMARY:a\x01b"),
		"broken UTF-8":           event("26", start, "SUMMARY:\xff"),
		"a journal":              comp("VJOURNAL", "27", "RRULE:FREQ=SECONDLY", start),
		"a to-do":                comp("VTODO", "28", "RRULE:FREQ=SECONDLY", start, "DUE:20260102T110000Z"),
		"busy time":              comp("VFREEBUSY", "29", "FREEBUSY:"+strings.TrimSuffix(many(20000, func(i int) string { return "20260102T100000Z/PT1H," }), ",")),
	}
	taken, n := 0, 0
	for about, body := range objects {
		n++
		began := time.Now()
		a := s.Do("PUT", fmt.Sprintf("%s%d.ics", s.mixed, n), body, "Content-Type: text/calendar")
		if took := time.Since(began); took > hang {
			t.Errorf("%s: the PUT took %v", about, took)
		}
		named := a.Names("C:valid-calendar-data") || a.Names("C:valid-calendar-object-resource") || a.Names("C:supported-calendar-data")
		switch {
		case a.Code == 201:
			taken++
		case a.Code != 403 || !named:
			t.Errorf("%s: %d %.300s", about, a.Code, a.Body)
		}
	}
	if taken < 10 {
		t.Fatalf("only %d were taken", taken)
	}
	s.put(s.mixed+"good.ics", event("good", "DTSTART:20300101T100000Z", "DURATION:PT1H"))
	for _, ask := range []string{
		query(plain, during("VEVENT", "20300101T100000Z", "20300101T110000Z")),
		query(`<prop><getetag/></prop>`, during("VEVENT", "20300101T103000Z", "20300101T104000Z")),
		query(plain, within("VEVENT", `<C:time-range start="20300101T100000Z"/>`)),
		query(plain, within("VEVENT", `<C:comp-filter name="VALARM"><C:time-range start="20300101T100000Z" end="20300101T110000Z"/></C:comp-filter>`)),
		query(plain, during("VTODO", "20300101T100000Z", "20300101T110000Z")),
		query(`<prop><C:calendar-data><C:expand start="20300101T100000Z" end="20300101T110000Z"/></C:calendar-data></prop>`, during("VEVENT", "20300101T100000Z", "20300101T110000Z")),
		query(`<prop><C:calendar-data><C:limit-recurrence-set start="20300101T100000Z" end="20300101T110000Z"/></C:calendar-data></prop>`, within("VEVENT", "")),
		`<C:free-busy-query ` + space + `><C:time-range start="20300101T100000Z" end="20300102T110000Z"/></C:free-busy-query>`,
	} {
		began := time.Now()
		a := s.Do("REPORT", s.mixed, ask, "Depth: 1")
		took := time.Since(began)
		if a.Code != 207 && a.Code != 200 || took > hang {
			t.Errorf("%.400s: %d in %v", ask, a.Code, took)
		}
		if strings.Contains(ask, `name="VEVENT"><C:time`) && !strings.Contains(a.Body, "good.ics") {
			t.Errorf("%.400s does not find what is there", ask)
		}
	}
}

// TestManyHostile: a calendar full of objects that take long to look into is still listed, whole, in time.
func TestManyHostile(t *testing.T) {
	s := newServer(t)
	for i := range 60 {
		s.put(fmt.Sprintf("%s%d.ics", s.events, i), event(fmt.Sprint(i), "DTSTART:20260101T000000Z", "RRULE:FREQ=MINUTELY"))
	}
	s.put(s.events+"good.ics", event("good", "DTSTART:20300101T100000Z", "DURATION:PT1H"))
	s.Engine.Row = func() { s.Clock.Advance(80 * time.Millisecond) } // as long as one of the worst of them takes
	rs := s.Report(s.events, query(plain, within("VEVENT", `<C:prop-filter name="SUMMARY"/><C:time-range start="20300101T100000Z" end="20300101T110000Z"/>`)))
	if len(rs) < 20 || len(rs) > 40 { // those that were not looked into any more; the others have no SUMMARY
		t.Errorf("found %s", names(rs))
	}
	rs = s.Report(s.events, query(`<prop><C:calendar-data><C:expand start="20300101T100000Z" end="20300101T110000Z"/></C:calendar-data></prop>`, within("VEVENT", "")))
	if len(rs) != 61 || !strings.Contains(names(rs), "!507") {
		t.Errorf("expanded: %s", names(rs))
	}
	// What only leaves something out is given whole where there is no time for it: an object that failed might be taken for one that is gone.
	for _, form := range []string{`<C:limit-recurrence-set start="20300101T100000Z" end="20300101T110000Z"/>`, `<C:comp name="VCALENDAR"><C:comp name="VEVENT"><C:prop name="UID"/></C:comp></C:comp>`} {
		rs = s.Report(s.events, query(`<prop><C:calendar-data>`+form+`</C:calendar-data></prop>`, within("VEVENT", "")))
		for _, r := range rs {
			if !strings.Contains(r.Data(), "UID:") {
				t.Errorf("%s: %s is answered with %q", form, r.Href, r.Status)
			}
		}
		if len(rs) != 61 {
			t.Errorf("%s: %s", form, names(rs))
		}
	}
}
