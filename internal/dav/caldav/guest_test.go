package caldav_test

import (
	"net/http"
	"strings"
	"testing"

	"holdfast"
)

const asBob = "Test-As: bob"

// share shares ada's calendar of events with bob, and returns where it hangs in his home.
func (s *server) share(rights holdfast.Right) string {
	s.T.Helper()
	at, err := s.Core.Locate(s.T.Context(), s.Principal(), s.Ada.ID, []string{holdfast.HomeCalendars, "default"})
	if err == nil {
		err = s.Core.Share(s.T.Context(), holdfast.Actor{}, s.Ada.ID, at.Collection.ID, s.Bob.ID, rights)
	}
	if err != nil {
		s.T.Fatal(err)
	}
	return "/dav/calendars/" + s.Bob.ID.String() + "/" + at.Collection.ID.String() + "/"
}

func TestASharedCalendar(t *testing.T) {
	s := newServer(t)
	s.Want(http.StatusMultiStatus, "PROPPATCH", s.events, proppatch(`<set><prop><A:calendar-color>#111111</A:calendar-color><C:calendar-timezone-id>Europe/Berlin</C:calendar-timezone-id></prop></set>`))
	s.put(s.events+"a.ics", event("a", "DTSTART:20260210T100000", "DTEND:20260210T110000", "SUMMARY:ada's"))
	at := s.share(holdfast.RightWrite)
	home := "/dav/calendars/" + s.Bob.ID.String() + "/"

	// It is listed as a calendar like another, under the guest's own hrefs.
	found := false
	for _, r := range s.Parse(s.Want(http.StatusMultiStatus, "PROPFIND", home, `<propfind `+space+`><prop><resourcetype/><displayname/><C:supported-calendar-component-set/><C:schedule-default-calendar-URL/><A:calendar-color/></prop></propfind>`,
		asBob, "Depth: 1").Body) {
		if r.Href == at {
			found = true
			for _, x := range []string{"calendar", "Calendar (ada@example.org)", `name="VEVENT"`, "#111111"} {
				if !strings.Contains(r.Props(200), x) {
					t.Errorf("%s is not in %s", x, r.Props(200))
				}
			}
		}
	}
	if !found {
		t.Error("the calendar is not in the guest's home")
	}

	// A query, with the owner's time zone for floating times until the guest has his own.
	ask := query(plain, during("VEVENT", "20260210T090000Z", "20260210T093000Z"))
	if got := names(s.Report(at, ask, asBob, "Depth: 1")); got != "a" {
		t.Errorf("in Berlin: %s", got)
	}
	s.Want(http.StatusMultiStatus, "PROPPATCH", at, proppatch(`<set><prop><A:calendar-color>#222222</A:calendar-color><C:calendar-timezone-id>America/New_York</C:calendar-timezone-id></prop></set>`), asBob)
	if got := names(s.Report(at, ask, asBob, "Depth: 1")); got != "" {
		t.Errorf("in New York: %s", got)
	}
	if got := names(s.Report(s.events, ask, "Depth: 1")); got != "a" {
		t.Errorf("the owner's: %s", got)
	}
	if has, _ := s.propfind(at, `<A:calendar-color/><C:calendar-timezone-id/>`, asBob); !strings.Contains(has, "#222222") || !strings.Contains(has, "New_York") {
		t.Errorf("the guest's: %s", has)
	}
	if has, _ := s.propfind(s.events, `<A:calendar-color/><C:calendar-timezone-id/>`); !strings.Contains(has, "#111111") || !strings.Contains(has, "Berlin") {
		t.Errorf("the owner's: %s", has)
	}

	// A guest writes what the calendar takes, and hears the same refusals.
	s.put(at+"b.ics", event("b", "DTSTART:20260211T100000Z", "SUMMARY:bob's"), asBob)
	s.Refused(http.StatusForbidden, "C:supported-calendar-component", "PUT", at+"t.ics", comp("VTODO", "t"), asBob)
	s.Refused(http.StatusForbidden, "C:no-uid-conflict", "PUT", at+"c.ics", event("b", "DTSTART:20260211T100000Z"), asBob)
	if got := names(s.Report(at, multiget(plain, at+"a.ics", at+"b.ics", s.events+"a.ics", at+"none.ics"), asBob)); got != "!404 a !404 none a b" {
		t.Errorf("multiget: %s", got)
	}
	for _, r := range s.Report(at, multiget(plain, at+"a.ics", s.events+"a.ics"), asBob) {
		if own := strings.HasPrefix(r.Href, at); own != (r.ETag() != "") {
			t.Errorf("%s: %+v", r.Href, r)
		}
	}
	if got := s.Want(http.StatusOK, "GET", s.events+"b.ics", "").Body; !strings.Contains(got, "SUMMARY:bob's") {
		t.Errorf("the owner gets %s", got)
	}
	busy := `<C:free-busy-query ` + space + `><C:time-range start="20260201T000000Z" end="20260301T000000Z"/></C:free-busy-query>`
	if got := s.Want(http.StatusOK, "REPORT", at, busy, asBob, "Depth: 1").Body; !strings.Contains(got, "FREEBUSY") {
		t.Errorf("free-busy: %s", got)
	}
	// What shows in the guest's own home is what he is busy with himself.
	if got := s.Want(http.StatusOK, "REPORT", home, busy, asBob, "Depth: 1").Body; strings.Contains(got, "\nFREEBUSY") {
		t.Errorf("the guest's own: %s", got)
	}

	// With the right to read.
	at = s.share(holdfast.RightRead)
	s.Refused(http.StatusForbidden, "D:need-privileges", "PUT", at+"b.ics", event("b", "DTSTART:20260211T100000Z"), asBob)
	s.Refused(http.StatusForbidden, "", "MKCALENDAR", at+"new/", "", asBob)
	s.Want(http.StatusMultiStatus, "PROPPATCH", at, proppatch(`<set><prop><displayname>Ours</displayname><A:calendar-order>3</A:calendar-order></prop></set>`), asBob)
	if has, _ := s.propfind(at, `<displayname/><A:calendar-order/>`, asBob); !strings.Contains(has, "Ours") || !strings.Contains(has, ">3<") {
		t.Errorf("the guest's: %s", has)
	}

	// Another's principal tells how to invite him, and nothing of what he has.
	has, lacks := s.propfind("/dav/principals/"+s.Ada.ID.String()+"/", `<C:calendar-user-address-set/><C:calendar-home-set/><C:schedule-inbox-URL/><C:schedule-outbox-URL/>`, asBob)
	if !strings.Contains(has, "mailto:ada@example.org") || strings.Contains(has, "calendars") || !strings.Contains(lacks, "calendar-home-set") || !strings.Contains(lacks, "schedule-inbox-URL") {
		t.Errorf("the owner's principal has %s and lacks %s", has, lacks)
	}
	for _, name := range []string{"inbox", "outbox"} {
		x, err := s.Core.Locate(t.Context(), s.Principal(), s.Ada.ID, []string{holdfast.HomeCalendars, name})
		if err != nil || len(x.Rest) > 0 {
			t.Fatal(x, err)
		}
		if err := s.Core.Share(t.Context(), holdfast.Actor{}, s.Ada.ID, x.Collection.ID, s.Bob.ID, holdfast.RightRead); !holdfast.IsKind(err, holdfast.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
