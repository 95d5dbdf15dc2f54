package caldav_test

import (
	"net/http"
	"strings"
	"testing"

	"holdfast"
)

const vienna = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example.org//test//EN\r\nBEGIN:VTIMEZONE\r\nTZID:Europe/Vienna\r\n" +
	"BEGIN:DAYLIGHT\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nDTSTART:19810329T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT\r\n" +
	"BEGIN:STANDARD\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nDTSTART:19961027T030000\r\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\n" +
	"END:VTIMEZONE\r\nEND:VCALENDAR\r\n"

// TestMkCalendar makes calendars as RFC 4791 section 5.3.1 has it.
func TestMkCalendar(t *testing.T) {
	s := newServer(t)
	s.Want(http.StatusCreated, "MKCALENDAR", s.home+"bare/", "")
	if has, _ := s.propfind(s.home+"bare/", `<resourcetype/><C:supported-calendar-component-set/>`); has !=
		`<D:resourcetype><D:collection/><C:calendar/></D:resourcetype><C:supported-calendar-component-set><C:comp name="VEVENT"/><C:comp name="VTODO"/><C:comp name="VJOURNAL"/></C:supported-calendar-component-set>` {
		t.Errorf("a bare calendar: %s", has)
	}
	a := s.Want(http.StatusCreated, "MKCALENDAR", s.home+"all", mkcalendar(`<displayname>Work &amp; so on</displayname><C:calendar-description xml:lang="en">About</C:calendar-description>`+
		`<C:supported-calendar-component-set><C:comp name="vevent"/><C:comp name="VTIMEZONE"/></C:supported-calendar-component-set><C:calendar-timezone><![CDATA[`+vienna+`]]></C:calendar-timezone>`+
		`<A:calendar-color>#FF0000FF</A:calendar-color><A:calendar-order>3</A:calendar-order><x xmlns="urn:x">y</x><resourcetype><collection/><C:calendar/></resourcetype>`))
	if a.Header.Get("Cache-Control") != "no-cache" || a.Header.Get("Holdfast-Receipt") == "" {
		t.Errorf("headers %v", a.Header)
	}
	has, lacks := s.propfind(s.home+"all/", `<displayname/><C:calendar-description/><C:supported-calendar-component-set/><C:calendar-timezone-id/><A:calendar-color/><A:calendar-order/><x xmlns="urn:x"/>`+
		`<C:schedule-calendar-transp/><C:max-instances/>`)
	for _, want := range []string{`>Work &amp; so on<`, `>About<`, `set><C:comp name="VEVENT"/></C`, `<C:calendar-timezone-id>Europe/Vienna<`, `>#FF0000FF<`, `>3<`, `>y<`, `<C:opaque/>`} {
		if !strings.Contains(has, want) {
			t.Errorf("no %s in %s", want, has)
		}
	}
	if lacks != `<C:max-instances/>` {
		t.Errorf("lacks %s", lacks)
	}
}

// TestMkCalendarRefused names what keeps a calendar from being made.
func TestMkCalendarRefused(t *testing.T) {
	s := newServer(t)
	s.put(s.events+"a.ics", event("a", "DTSTART:20260101T000000Z"))
	for _, c := range []struct {
		target, body string
		code         int
		cond         string
	}{
		{s.events, "", 403, "D:resource-must-be-null"},
		{s.home, "", 403, "D:resource-must-be-null"},
		{s.events + "a.ics", "", 403, "D:resource-must-be-null"},
		{s.events + "b/", "", 403, "C:calendar-collection-location-ok"},
		{"/dav/addressbooks/" + s.Ada.ID.String() + "/c/", "", 403, "C:calendar-collection-location-ok"},
		{"/dav/files/" + s.Ada.ID.String() + "/c/", "", 403, "C:calendar-collection-location-ok"},
		{s.home + "no/c/", "", 409, ""},
		{s.home + "c/", `<x/>`, 415, ""},
		{s.home + "c/", `<mkcol xmlns="DAV:"/>`, 415, ""},
		{s.home + "c/", `<C:mkcalendar ` + space + `><remove><prop/></remove></C:mkcalendar>`, 400, ""},
		{s.home + "c/", mkcalendar(`<C:supported-calendar-component-set><C:comp name="VPOLL"/></C:supported-calendar-component-set>`), 403, "C:supported-calendar-component"},
		{s.home + "c/", mkcalendar(`<C:calendar-timezone>BEGIN:VCALENDAR</C:calendar-timezone><displayname>x</displayname>`), 403, "C:valid-calendar-data"},
		{s.home + "c/", mkcalendar(`<C:calendar-timezone-id>Mars/Base</C:calendar-timezone-id>`), 403, "C:valid-timezone"},
		{s.home + "c/", mkcalendar(`<getetag>x</getetag>`), 403, "D:cannot-modify-protected-property"},
		{s.home + "c/", mkcalendar(`<resourcetype><collection/><C:nothing/></resourcetype>`), 403, "D:valid-resourcetype"},
		{"/dav/calendars/" + s.Bob.ID.String() + "/c/", "", 403, ""},
	} {
		s.Refused(c.code, c.cond, "MKCALENDAR", c.target, c.body)
	}
	s.Refused(404, "", "PROPFIND", s.home+"c/", "")
	a := s.Do("MKCALENDAR", s.home+"c/", mkcalendar(`<getetag>x</getetag><displayname>x</displayname>`))
	if !strings.Contains(a.Body, "<C:mkcalendar-response") || !strings.Contains(a.Body, "424") {
		t.Errorf("which property it was: %s", a.Body)
	}
	a = s.Do("OPTIONS", s.home+"c/", "")
	if !strings.Contains(a.Header.Get("Allow"), "MKCALENDAR") || !strings.Contains(a.Header.Get("DAV"), "calendar-access") || strings.Contains(a.Header.Get("DAV"), "schedule") {
		t.Errorf("OPTIONS: %v", a.Header)
	}
	if a := s.Do("OPTIONS", "/dav/files/"+s.Ada.ID.String()+"/c/", ""); strings.Contains(a.Header.Get("Allow"), "MKCALENDAR") {
		t.Errorf("OPTIONS among files: %v", a.Header)
	}
}

// TestMkCol makes calendars and subscriptions by extended MKCOL, and a calendar for everything by a plain one.
func TestMkCol(t *testing.T) {
	s := newServer(t)
	mkcol := func(kind, props string) string {
		return `<mkcol ` + space + `><set><prop><resourcetype><collection/>` + kind + `</resourcetype>` + props + `</prop></set></mkcol>`
	}
	s.Want(http.StatusCreated, "MKCOL", s.home+"plain/", "")
	s.Want(http.StatusCreated, "MKCOL", s.home+"tasks2/", mkcol(`<C:calendar/>`, `<C:supported-calendar-component-set><C:comp name="VTODO"/></C:supported-calendar-component-set>`))
	s.Want(http.StatusCreated, "MKCOL", s.home+"moon/", mkcol(`<CS:subscribed/>`, `<displayname>Moon</displayname><CS:source><href>https://example.org/moon.ics</href></CS:source><CS:subscribed-strip-alarms/><A:refreshrate>P1D</A:refreshrate>`))
	s.Want(http.StatusCreated, "MKCALENDAR", s.home+"sun/", mkcalendar(`<resourcetype><collection/><CS:subscribed/></resourcetype>`))
	if has, _ := s.propfind(s.home+"plain/", `<C:supported-calendar-component-set/>`); !strings.Contains(has, "VTODO") || !strings.Contains(has, "VEVENT") {
		t.Errorf("a plain MKCOL: %s", has)
	}
	if has, _ := s.propfind(s.home+"tasks2/", `<C:supported-calendar-component-set/>`); !strings.Contains(has, "VTODO") || strings.Contains(has, "VEVENT") {
		t.Errorf("a list of tasks: %s", has)
	}
	has, lacks := s.propfind(s.home+"moon/", `<resourcetype/><CS:source/><CS:subscribed-strip-alarms/><A:refreshrate/><C:supported-calendar-component-set/>`)
	if !strings.Contains(has, `<D:collection/><CS:subscribed/>`) || !strings.Contains(has, "https://example.org/moon.ics") || !strings.Contains(has, "P1D") || !strings.Contains(lacks, "component-set") {
		t.Errorf("a subscription has %s and lacks %s", has, lacks)
	}
	s.Refused(403, "", "PUT", s.home+"moon/a.ics", event("a", "DTSTART:20260101T000000Z"))
	if rs := s.Parse(s.Want(207, "PROPFIND", s.home, "", "Depth: 1", "Prefer: depth-noroot").Body); names(rs) != "default/ inbox/ mixed/ moon/ notes/ outbox/ plain/ sun/ tasks/ tasks2/" {
		t.Errorf("the home holds %s", names(rs))
	}
	s.Want(204, "DELETE", s.home+"moon/", "")
}

// TestScheduling: the inbox and the outbox are there as clients look for them, and nothing comes of them.
func TestScheduling(t *testing.T) {
	s := newServer(t)
	principal := "/dav/principals/" + s.Ada.ID.String() + "/"
	has, _ := s.propfind(principal, `<C:calendar-home-set/><C:calendar-user-address-set/><C:calendar-user-type/><C:schedule-inbox-URL/><C:schedule-outbox-URL/>`)
	for _, want := range []string{s.home + "<", ">mailto:ada@example.org<", ">" + principal + "<", ">urn:uuid:", ">INDIVIDUAL<", s.home + "inbox/<", s.home + "outbox/<"} {
		if !strings.Contains(has, want) {
			t.Errorf("no %s in %s", want, has)
		}
	}
	if has, _ = s.propfind(s.home+"inbox/", `<resourcetype/><C:schedule-default-calendar-URL/>`); !strings.Contains(has, "<C:schedule-inbox/>") || !strings.Contains(has, s.events+"<") {
		t.Errorf("the inbox: %s", has)
	}
	if has, _ = s.propfind(s.home+"outbox/", `<resourcetype/>`); !strings.Contains(has, "<C:schedule-outbox/>") {
		t.Errorf("the outbox: %s", has)
	}
	for _, box := range []string{"inbox", "outbox"} {
		at := s.home + box + "/"
		s.Refused(403, "", "PUT", at+"a.ics", event("a", "DTSTART:20260101T000000Z"))
		s.Refused(403, "", "DELETE", at, "")
		s.Refused(403, "", "MOVE", at, "", "Destination: "+s.home+"other/")
		s.Refused(403, "", "COPY", at, "", "Destination: "+s.home+"other/")
		s.Refused(403, "", "MOVE", s.mixed, "", "Destination: "+at, "Overwrite: T")
		s.Refused(405, "", "MKCOL", at, "")
	}
	if rs := s.Parse(s.Want(207, "PROPFIND", s.home+"inbox/", "", "Depth: 1").Body); len(rs) != 1 {
		t.Errorf("the inbox holds %v", names(rs))
	}
	available := `<C:calendar-availability>` + ics("BEGIN:VAVAILABILITY", "UID:1", "DTSTAMP:20260101T000000Z", "END:VAVAILABILITY") + `</C:calendar-availability>`
	if a := s.Do("PROPPATCH", s.home+"inbox/", proppatch(`<set><prop>`+available+`</prop></set>`)); !strings.Contains(a.Body, "200 OK") {
		t.Errorf("availability: %s", a.Body)
	}
	if a := s.Do("PROPPATCH", s.home+"inbox/", proppatch(`<set><prop><C:calendar-availability>x</C:calendar-availability></prop></set>`)); !strings.Contains(a.Body, "403") {
		t.Errorf("bad availability: %s", a.Body)
	}
}

// TestProperties are those of a calendar.
func TestProperties(t *testing.T) {
	s := newServer(t)
	has, lacks := s.propfind(s.events, `<C:calendar-home-set/><C:supported-calendar-data/><C:supported-collation-set/><C:max-resource-size/><C:min-date-time/><C:max-date-time/><CS:getctag/>`+
		`<C:max-attendees-per-instance/><C:calendar-timezone/><C:calendar-timezone-id/><A:calendar-color/><CS:pushkey/><CS:allowed-sharing-modes/><C:calendar-data/><supported-report-set/>`)
	for _, want := range []string{s.home, `version="2.0"`, ">i;ascii-casemap<", ">i;octet<", ">1000000<", ">00010101T000000Z<", ">99991231T235959Z<", "<CS:getctag>urn:holdfast:sync:",
		"<C:calendar-query/>", "<C:calendar-multiget/>", "<C:free-busy-query/>", "<D:sync-collection/>"} {
		if !strings.Contains(has, want) {
			t.Errorf("no %s in %s", want, has)
		}
	}
	if lacks != `<C:max-attendees-per-instance/><C:calendar-timezone/><C:calendar-timezone-id/><A:calendar-color/><CS:pushkey/><CS:allowed-sharing-modes/><C:calendar-data/>` {
		t.Errorf("lacks %s", lacks)
	}
	if has, _ = s.propfind(s.home, `<C:supported-calendar-component-sets/>`); strings.Count(has, "<C:supported-calendar-component-set>") != 7 {
		t.Errorf("sets: %s", has)
	}
	if _, lacks = s.propfind("/dav/addressbooks/"+s.Ada.ID.String()+"/default/", `<C:supported-calendar-data/>`); lacks == "" {
		t.Error("an address book has calendar data")
	}
}

// TestPropPatch sets what can be set, and refuses the rest by its name.
func TestPropPatch(t *testing.T) {
	s := newServer(t)
	for _, c := range []struct{ prop, want string }{
		{`<A:calendar-color>#00FF00</A:calendar-color>`, "200 OK"},
		{`<A:calendar-color><x/></A:calendar-color>`, "403"},
		{`<A:calendar-order>7</A:calendar-order>`, "200 OK"},
		{`<A:calendar-order>` + strings.Repeat("7", 100) + `</A:calendar-order>`, "403"},
		{`<C:calendar-description>D</C:calendar-description>`, "200 OK"},
		{`<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>`, "200 OK"},
		{`<C:schedule-calendar-transp>x</C:schedule-calendar-transp>`, "403"},
		{`<C:calendar-timezone>` + vienna + `</C:calendar-timezone>`, "200 OK"},
		{"<C:calendar-timezone>\n   " + vienna + "\n  </C:calendar-timezone>", "200 OK"},
		{`<C:calendar-timezone>` + event("a", "DTSTART:20260101T000000Z") + `</C:calendar-timezone>`, "<C:valid-calendar-data/>"},
		{`<C:calendar-timezone-id>Nowhere</C:calendar-timezone-id>`, "<C:valid-timezone/>"},
		{`<C:supported-calendar-component-set><C:comp name="VTODO"/></C:supported-calendar-component-set>`, "<D:cannot-modify-protected-property/>"},
		{`<C:max-instances>5</C:max-instances>`, "<D:cannot-modify-protected-property/>"},
		{`<CS:getctag>5</CS:getctag>`, "<D:cannot-modify-protected-property/>"},
	} {
		if a := s.Do("PROPPATCH", s.events, proppatch(`<set><prop>`+c.prop+`</prop></set>`)); a.Code != 207 || !strings.Contains(a.Body, c.want) {
			t.Errorf("%.80s: %d %s", c.prop, a.Code, a.Body)
		}
	}
	if has, _ := s.propfind(s.events, `<C:schedule-calendar-transp/>`); !strings.Contains(has, "<C:transparent/>") {
		t.Errorf("transparency: %s", has)
	}
}

// TestTimezoneIsOne: the text and the name of a calendar's zone are one thing (RFC 7809 section 5.2): setting one replaces the other.
func TestTimezoneIsOne(t *testing.T) {
	s := newServer(t)
	const ask = `<C:calendar-timezone/><C:calendar-timezone-id/>`
	patch := func(what string) {
		t.Helper()
		if a := s.Do("PROPPATCH", s.events, proppatch(what)); !strings.Contains(a.Body, "200 OK") {
			t.Fatal(a.Body)
		}
	}
	patch(`<set><prop><C:calendar-timezone>` + vienna + `</C:calendar-timezone></prop></set>`)
	if has, _ := s.propfind(s.events, ask); !strings.Contains(has, ">Europe/Vienna<") || !strings.Contains(has, "BEGIN:VTIMEZONE") {
		t.Errorf("by the text: %s", has)
	}
	patch(`<set><prop><C:calendar-timezone-id>Asia/Tokyo</C:calendar-timezone-id></prop></set>`)
	if has, lacks := s.propfind(s.events, ask); !strings.Contains(has, "Asia/Tokyo<") || lacks != "<C:calendar-timezone/>" {
		t.Errorf("by the name: %s, lacks %s", has, lacks)
	}
	patch(`<set><prop><C:calendar-timezone-id>Europe/Vienna</C:calendar-timezone-id><C:calendar-timezone>` + vienna + `</C:calendar-timezone></prop></set>`)
	if has, lacks := s.propfind(s.events, ask); lacks != "" || !strings.Contains(has, "BEGIN:VTIMEZONE") {
		t.Errorf("by both: %s, lacks %s", has, lacks)
	}
	patch(`<remove><prop><C:calendar-timezone-id/></prop></remove>`)
	if _, lacks := s.propfind(s.events, ask); lacks != "<C:calendar-timezone/><C:calendar-timezone-id/>" {
		t.Errorf("removed: lacks %s", lacks)
	}
}

// TestCloudForm: a phone that comes from Nextcloud finds its calendar under the address that it knows, once the calendar is there; hrefs echo that form.
func TestCloudForm(t *testing.T) {
	s := newServer(t)
	const at = "/remote.php/dav/calendars/ada@example.org/personal/"
	s.Refused(404, "", "PROPFIND", at, "", "Depth: 0")
	s.Want(201, "MKCALENDAR", at, "")
	s.put(at+"a.ics", event("a", "DTSTART:20260102T100000Z"))
	rs := s.Report(at, query(plain, during("VEVENT", "20260102T000000Z", "20260103T000000Z")), "Depth: 1")
	if len(rs) != 1 || rs[0].Href != at+"a.ics" {
		t.Errorf("hrefs: %+v", rs)
	}
	if has, _ := s.propfind("/remote.php/dav/principals/users/ada@example.org/", `<C:calendar-home-set/>`); !strings.Contains(has, s.home+"<") {
		t.Errorf("the home-set holds the id: %s", has)
	}
	s.Want(200, "GET", s.home+"personal/a.ics", "")
}

// TestOldAccount: an account from before there was an inbox has none, and nothing breaks; a fault while it is looked for is a fault.
func TestOldAccount(t *testing.T) {
	s := newServer(t)
	principal := "/dav/principals/" + s.Ada.ID.String() + "/"
	const ask = `<C:calendar-home-set/><C:schedule-inbox-URL/><C:schedule-outbox-URL/>`
	s.Engine.Child = &holdfast.Error{Op: "test", Kind: holdfast.NotFound}
	if has, lacks := s.propfind(principal, ask); !strings.Contains(has, s.home) || lacks != "<C:schedule-inbox-URL/><C:schedule-outbox-URL/>" {
		t.Errorf("has %s, lacks %s", has, lacks)
	}
	s.Engine.Child = &holdfast.Error{Op: "test", Kind: holdfast.Unavailable}
	s.Refused(503, "", "PROPFIND", principal, `<propfind `+space+`><prop>`+ask+`</prop></propfind>`, "Depth: 0")
}

// TestSearchByKindOfUser is how a program of a large vendor looks for people to invite.
func TestSearchByKindOfUser(t *testing.T) {
	s := newServer(t)
	for match, want := range map[string]int{"INDIVIDUAL": 1, "ROOM": 0} {
		rs := s.Report("/dav/principals/", `<principal-property-search `+space+`><property-search><prop><C:calendar-user-type/></prop><match>`+match+
			`</match></property-search><prop><displayname/></prop></principal-property-search>`)
		if len(rs) != want {
			t.Errorf("%s: %s", match, names(rs))
		}
	}
}

// TestExpandingData: what is made from an object's octets is not there for an expansion, which is no reason to call it a fault.
func TestExpandingData(t *testing.T) {
	s := newServer(t)
	s.put(s.events+"1.ics", event("1", "DTSTART:20260101T000000Z"))
	for _, inner := range []string{"", `<property name="owner"/>`} {
		a := s.Want(207, "REPORT", s.events+"1.ics", `<expand-property `+space+`><property name="getetag"/><property name="calendar-data" namespace="urn:ietf:params:xml:ns:caldav">`+inner+`</property></expand-property>`)
		if rs := s.Parse(a.Body); len(rs) != 1 || rs[0].ETag() == "" || rs[0].Props(404) != "<C:calendar-data/>" {
			t.Error(a.Body)
		}
	}
}
