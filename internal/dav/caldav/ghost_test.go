package caldav_test

import (
	"strings"
	"testing"

	"holdfast"
)

// TestAGhostIsInEveryWindow: when an event takes place whose octets are lost, nobody knows. A phone that lists a window of time drops what is not in it, so the event is in each, with the ETag that the phone knows. It keeps nobody busy.
func TestAGhostIsInEveryWindow(t *testing.T) {
	s := newServer(t)
	d, _, err := s.Core.AddDevice(t.Context(), s.Principal().Actor(), s.Ada.ID, "Phone", holdfast.HashOf([]byte("x")))
	if err != nil {
		t.Fatal(err)
	}
	s.Device = d.ID // it had the event before it was lost
	tag := s.put(s.events+"a.ics", event("a", "DTSTART:20260110T100000Z", "DTEND:20260110T110000Z"))
	if err := s.Engine.Hollow(t.Context()); err != nil {
		t.Fatal(err)
	}
	for what, filter := range map[string]string{
		"its own month": during("VEVENT", "20260101T000000Z", "20260201T000000Z"),
		"another":       during("VEVENT", "20300101T000000Z", "20300201T000000Z"),
		"of a property": within("VEVENT", `<C:prop-filter name="SUMMARY"/>`),
		"all":           within("VEVENT", ""),
	} {
		if got := s.Report(s.events, query("<prop><getetag/></prop>", filter)); len(got) != 1 || got[0].ETag() != tag {
			t.Errorf("%s: %+v", what, got)
		}
	}
	if got := s.Report(s.events, query("<prop><getetag/></prop>", during("VTODO", "20260101T000000Z", "20300201T000000Z"))); len(got) != 0 {
		t.Errorf("among tasks: %+v", got)
	}
	if got := s.Report(s.events, multiget("<prop><getetag/></prop>", s.events+"a.ics")); len(got) != 1 || got[0].ETag() != tag {
		t.Errorf("asked for its ETag: %+v", got)
	}
	a := s.Want(200, "REPORT", s.events, `<C:free-busy-query `+space+`><C:time-range start="20260101T000000Z" end="20260201T000000Z"/></C:free-busy-query>`, "Depth: 1")
	if strings.Contains(a.Body, "FREEBUSY:") {
		t.Errorf("busy: %s", a.Body)
	}
}
