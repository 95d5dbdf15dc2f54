package caldav_test

import (
	"strings"
	"testing"

	"holdfast"
)

// TestSharedCalendar: a guest finds an owner's calendar in the guest's own home, asks it as any other, and writes to it as the rights say.
func TestSharedCalendar(t *testing.T) {
	s := newServer(t)
	s.put(s.events+"a.ics", event("a", "DTSTART:20260102T100000Z", "DURATION:PT1H", "ORGANIZER:mailto:ada@example.org"))
	l, err := s.Core.Locate(t.Context(), s.Principal(), s.Ada.ID, []string{"calendars", "default"})
	if err != nil {
		t.Fatal(err)
	}
	share := func(r holdfast.Right) {
		if err := s.Core.Share(t.Context(), holdfast.Actor{Account: s.Ada.ID}, s.Ada.ID, l.Collection.ID, s.Bob.ID, r); err != nil {
			t.Fatal(err)
		}
	}
	share("read")
	const bob = "Test-As: bob"
	at := "/dav/calendars/" + s.Bob.ID.String() + "/" + l.Collection.ID.String() + "/"
	has, _ := s.propfind(at, `<resourcetype/><C:supported-calendar-component-set/><C:supported-calendar-data/><C:calendar-home-set/><A:calendar-color/>`, bob)
	if !strings.Contains(has, `<C:calendar/>`) || !strings.Contains(has, `<C:comp name="VEVENT"/>`) || !strings.Contains(has, "/dav/calendars/"+s.Bob.ID.String()+"/<") {
		t.Errorf("the guest sees %s", has)
	}
	day := query(plain, during("VEVENT", "20260102T000000Z", "20260103T000000Z"))
	if rs := s.Report(at, day, bob, "Depth: 1"); names(rs) != "a" || rs[0].Href != at+"a.ics" {
		t.Errorf("a query by the guest: %+v", rs)
	}
	if rs := s.Report(at, multiget(plain, at+"a.ics"), bob); rs[0].Data() == "" {
		t.Errorf("a multiget by the guest: %+v", rs)
	}
	ask := `<C:free-busy-query ` + space + `><C:time-range start="20260102T000000Z" end="20260103T000000Z"/></C:free-busy-query>`
	if a := s.Want(200, "REPORT", at, ask, bob, "Depth: 1"); !strings.Contains(a.Body, "20260102T100000Z/") {
		t.Errorf("free-busy for the guest: %s", a.Body)
	}
	s.Refused(403, "D:need-privileges", "PUT", at+"b.ics", event("b", "DTSTART:20260102T120000Z"), bob)
	share("write")
	s.put(at+"b.ics", event("b", "DTSTART:20260102T120000Z"), bob)
	s.Refused(403, "C:supported-calendar-component", "PUT", at+"c.ics", comp("VTODO", "c"), bob)
	a := s.Do("PUT", at+"d.ics", event("b", "DTSTART:20260102T120000Z"), bob)
	if a.Code != 403 || !strings.Contains(a.Body, "<C:no-uid-conflict><D:href>"+at+"b.ics<") {
		t.Errorf("a UID conflict of the guest: %d %s", a.Code, a.Body)
	}
	if rs := s.Report(s.events, day, "Depth: 1"); names(rs) != "a b" {
		t.Errorf("the owner finds %s", names(rs))
	}
	owner := "/dav/principals/" + s.Ada.ID.String() + "/"
	if has, _ := s.propfind(owner, `<C:calendar-home-set/><C:schedule-inbox-URL/>`, bob); has != "" {
		t.Errorf("the guest is told %s", has)
	}
	s.Refused(403, "", "MKCALENDAR", at+"x/", "", bob)
	s.Refused(403, "", "REPORT", s.events, day, bob)
}
