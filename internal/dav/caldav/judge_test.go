package caldav_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestJudge puts what is taken and what is not; each refusal names its precondition, as RFC 4791 section 5.3.2.1 has it.
func TestJudge(t *testing.T) {
	s := newServer(t)
	start := "DTSTART:20260102T100000Z"
	todo := comp("VTODO", "todo", "SUMMARY:x")
	for _, c := range []struct {
		name, at, body, kind string
		code                 int
		cond                 string
	}{
		{"an event", s.events, event("1", start), "text/calendar; charset=utf-8; component=VEVENT", 201, ""},
		{"without a type", s.events, event("2", start), "", 201, ""},
		{"as octets", s.events, event("3", start), "application/octet-stream", 201, ""},
		{"as an old type", s.events, event("4", start), "application/ics", 201, ""},
		{"as JSON", s.events, event("5", start), "application/calendar+json", 403, "C:supported-calendar-data"},
		{"as a card", s.events, event("5", start), "text/vcard", 403, "C:supported-calendar-data"},
		{"a card", s.events, "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nFN:x\r\nEND:VCARD\r\n", "text/calendar", 403, "C:supported-calendar-data"},
		{"nothing", s.events, "", "text/calendar", 403, "C:valid-calendar-data"},
		{"cut off", s.events, event("6", start)[:120], "text/calendar", 403, "C:valid-calendar-data"},
		{"no start that can be read", s.events, event("7", "DTSTART:yesterday"), "text/calendar", 403, "C:valid-calendar-data"},
		{"a rule that cannot be read", s.events, event("8", start, "RRULE:FREQ=SOMETIMES"), "text/calendar", 403, "C:valid-calendar-data"},
		{"the year 0", s.events, event("9", "DTSTART:00000101T000000Z"), "text/calendar", 403, "C:valid-calendar-data"},
		{"the year 9999", s.events, event("10", "DTSTART:99991231T235959Z", "DURATION:P1D"), "text/calendar", 201, ""},
		{"a METHOD", s.events, ics("METHOD:REQUEST", "BEGIN:VEVENT", "UID:11", "DTSTAMP:20260101T000000Z", start, "END:VEVENT"), "text/calendar", 403, "C:valid-calendar-object-resource"},
		{"several UIDs", s.events, ics("BEGIN:VEVENT", "UID:12", start, "END:VEVENT", "BEGIN:VEVENT", "UID:13", start, "END:VEVENT"), "text/calendar", 403, "C:valid-calendar-object-resource"},
		{"no UID", s.events, ics("BEGIN:VEVENT", start, "END:VEVENT"), "text/calendar", 403, "C:valid-calendar-object-resource"},
		{"mixed kinds", s.mixed, ics("BEGIN:VEVENT", "UID:14", start, "END:VEVENT", "BEGIN:VTODO", "UID:14", "END:VTODO"), "text/calendar", 403, "C:valid-calendar-object-resource"},
		{"no component", s.events, ics("X-NOTHING:1"), "text/calendar", 403, "C:valid-calendar-object-resource"},
		{"a time zone alone", s.events, vienna, "text/calendar", 403, "C:valid-calendar-object-resource"},
		{"a zone that nobody knows", s.events, event("15", "DTSTART;TZID=Mars/Base:20260102T100000"), "text/calendar", 403, "C:valid-calendar-object-resource"},
		{"a zone of a good name without its definition", s.events, event("16", "DTSTART;TZID=Europe/Vienna:20260102T100000"), "text/calendar", 201, ""},
		{"a zone of Windows", s.events, event("17", "DTSTART;TZID=W. Europe Standard Time:20260102T100000"), "text/calendar", 201, ""},
		{"a to-do among events", s.events, todo, "text/calendar", 403, "C:supported-calendar-component"},
		{"an event among notes", s.home + "notes/", event("18", start), "text/calendar", 403, "C:supported-calendar-component"},
		{"a to-do among to-dos", s.home + "tasks/", todo, "text/calendar", 201, ""},
		{"a note among notes", s.home + "notes/", comp("VJOURNAL", "note", "SUMMARY:x"), "text/calendar", 201, ""},
		{"busy time", s.mixed, comp("VFREEBUSY", "busy", "DTSTART:20260101T000000Z", "DTEND:20260102T000000Z"), "text/calendar", 201, ""},
		{"availability", s.mixed, comp("VAVAILABILITY", "available"), "text/calendar", 201, ""},
		{"too large", s.events, event("19", start, "DESCRIPTION:"+strings.Repeat("x", maxResource)), "text/calendar", 413, "C:max-resource-size"},
		{"a long line", s.events, event("20", start, "DESCRIPTION:"+strings.Repeat("x", maxResource/2)), "text/calendar", 201, ""},
	} {
		target := c.at + strings.ReplaceAll(c.name, " ", "-") + ".ics"
		a := s.Do("PUT", target, c.body, "Content-Type: "+c.kind)
		if a.Code != c.code || !a.Names(c.cond) {
			t.Errorf("%s: %d %s", c.name, a.Code, a.Body)
		}
		if c.code != http.StatusCreated {
			s.Refused(404, "", "GET", target, "")
			continue
		}
		if got := s.Do("GET", target, ""); got.Body != c.body || got.Header.Get("Content-Type") != "text/calendar; charset=utf-8" || got.Header.Get("ETag") != a.Header.Get("ETag") {
			t.Errorf("%s came back as %q, %v", c.name, got.Body, got.Header)
		}
	}
}

// TestUIDConflict: the other object is named; another calendar does not count.
func TestUIDConflict(t *testing.T) {
	s := newServer(t)
	body := event("same", "DTSTART:20260102T100000Z")
	s.put(s.events+"a.ics", body)
	a := s.Do("PUT", s.events+"b.ics", body)
	if a.Code != 403 || !strings.Contains(a.Body, `<C:no-uid-conflict><D:href>`+s.events+`a.ics</D:href></C:no-uid-conflict>`) {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	s.put(s.mixed+"b.ics", body)
	s.Refused(403, "C:no-uid-conflict", "COPY", s.mixed+"b.ics", "", "Destination: "+s.events+"c.ics")
	s.Refused(403, "C:supported-calendar-component", "MOVE", s.mixed+"b.ics", "", "Destination: "+s.home+"tasks/b.ics")
	s.Want(201, "MOVE", s.events+"a.ics", "", "Destination: "+s.events+"c.ics")
	// One event is not put over another one.
	other := event("other", "DTSTART:20260102T100000Z")
	a = s.Do("PUT", s.events+"c.ics", other)
	if a.Code != 403 || !strings.Contains(a.Body, `<C:no-uid-conflict><D:href>`+s.events+`c.ics</D:href></C:no-uid-conflict>`) {
		t.Errorf("over another event: %d %s", a.Code, a.Body)
	}
	s.put(s.mixed+"other.ics", other)
	s.Want(204, "MOVE", s.mixed+"other.ics", "", "Destination: "+s.events+"c.ics")
}

// TestConditionalPut: a second device does not overwrite what it has not seen.
func TestConditionalPut(t *testing.T) {
	s := newServer(t)
	first := s.put(s.events+"a.ics", event("a", "DTSTART:20260102T100000Z"), "If-None-Match: *")
	s.Refused(412, "", "PUT", s.events+"a.ics", event("a", "DTSTART:20260103T100000Z"), "If-None-Match: *")
	second := s.put(s.events+"a.ics", event("a", "DTSTART:20260103T100000Z"), "If-Match: "+first)
	if first == second {
		t.Error("two versions share an ETag")
	}
	s.Refused(412, "", "PUT", s.events+"a.ics", event("a", "DTSTART:20260104T100000Z"), "If-Match: "+first)
	s.Refused(404, "", "PUT", s.events+"gone.ics", event("gone", "DTSTART:20260104T100000Z"), "If-Match: "+first)
	a := s.Want(201, "POST", s.events+"?add-member", event("b", "DTSTART:20260102T100000Z"), "Content-Type: text/calendar")
	if l := a.Header.Get("Location"); !strings.HasPrefix(l, s.events) || !strings.HasSuffix(l, ".ics") {
		t.Errorf("a member was made at %q", l)
	}
}

// TestRefusalsSayWhatToDo: who meets a refusal by hand is told how it goes.
func TestRefusalsSayWhatToDo(t *testing.T) {
	s := newServer(t)
	const when = "DTSTART:20260102T100000Z"
	s.put(s.events+"a.ics", event("a", when))
	for _, c := range []struct {
		code                 int
		method, target, body string
		headers              []string
		say                  string
	}{
		{403, "PUT", s.events + "b.ics", event("a", when), nil, "has this UID; change that one, or give this one a UID of its own"},
		{403, "PUT", s.events + "a.ics", event("b", when), nil, "has another UID; put this one under another name"},
		{412, "PUT", s.events + "a.ics", event("a", "DTSTART:20260103T100000Z"), []string{`If-Match: "older"`}, "deleted meanwhile; fetch it, then send the change again"},
		{403, "MKCALENDAR", s.events + "b/", "", nil, "calendars stand right below calendars, under any name but inbox and outbox"},
		{403, "MKCALENDAR", "/dav/files/" + s.Ada.ID.String() + "/c/", "", nil, "cannot be made in files; calendars stand right below calendars"},
	} {
		if a := s.Do(c.method, c.target, c.body, c.headers...); a.Code != c.code || !strings.Contains(a.Body, c.say) {
			t.Errorf("%s %s: %d, want %d and %q\n%s", c.method, c.target, a.Code, c.code, c.say, a.Body)
		}
	}
}
