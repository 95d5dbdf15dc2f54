package clients

import (
	"strings"
	"testing"

	"holdfast"
)

// TestCadaverCalendars uses calendars as folders of files.
func TestCadaverCalendars(t *testing.T) {
	need(t, "cadaver")
	h := newHouse(t)
	dir := t.TempDir()
	event := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//EN\r\nBEGIN:VEVENT\r\nUID:one\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260310T090000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	put(t, dir, "one.ics", event)
	put(t, dir, "todo.ics", strings.NewReplacer("VEVENT", "VTODO", "UID:one", "UID:todo").Replace(event))
	put(t, dir, "hello.txt", "hello\n")
	h.script(h.device("cadaver"), dir, "/dav/calendars/"+h.id+"/", `
> ls
Listing collection `+"`/dav/calendars/ID/'"+`: succeeded.
Coll: default (0 octets)
Coll: inbox (0 octets)
Coll: notes (0 octets)
Coll: outbox (0 octets)
Coll: tasks (0 octets)
> mkcol work
Creating `+"`work'"+`: succeeded.
> mkcol work
Creating `+"`work'"+`: failed:
405 Method Not Allowed
> put one.ics default/one.ics
Uploading one.ics to `+"`/dav/calendars/ID/default/one.ics'"+`: succeeded.
> put todo.ics default/todo.ics
Uploading todo.ics to `+"`/dav/calendars/ID/default/todo.ics'"+`: failed:
403 Forbidden
> put todo.ics tasks/todo.ics
Uploading todo.ics to `+"`/dav/calendars/ID/tasks/todo.ics'"+`: succeeded.
> put hello.txt default/hello.txt
Uploading hello.txt to `+"`/dav/calendars/ID/default/hello.txt'"+`: failed:
403 Forbidden
> put one.ics inbox/one.ics
Uploading one.ics to `+"`/dav/calendars/ID/inbox/one.ics'"+`: failed:
403 Forbidden
> cd work
> put one.ics
Uploading one.ics to `+"`/dav/calendars/ID/work/one.ics'"+`: succeeded.
> put todo.ics
Uploading todo.ics to `+"`/dav/calendars/ID/work/todo.ics'"+`: succeeded.
> ls
Listing collection `+"`/dav/calendars/ID/work/'"+`: succeeded.
File: one.ics (155 octets)
File: todo.ics (154 octets)
> get one.ics back.ics
Downloading `+"`/dav/calendars/ID/work/one.ics' to back.ics"+`: succeeded.
> copy one.ics two.ics
Copying `+"`/dav/calendars/ID/work/one.ics' to `/dav/calendars/ID/work/two.ics'"+`:  failed:
403 Forbidden
> copy one.ics ../tasks/one.ics
Copying `+"`/dav/calendars/ID/work/one.ics' to `/dav/calendars/ID/tasks/one.ics'"+`:  failed:
403 Forbidden
> move todo.ics moved.ics
Moving `+"`/dav/calendars/ID/work/todo.ics' to `/dav/calendars/ID/work/moved.ics'"+`:  succeeded.
> propget one.ics
Fetching properties for `+"`one.ics'"+`:
DAV: creationdate = TIME
DAV: displayname = one.ics
DAV: getcontentlength = 155
DAV: getcontenttype = text/calendar; charset=utf-8
DAV: getetag = "`+holdfast.HashOf([]byte(event)).String()+`"
DAV: getlastmodified = TIME
DAV: resourcetype =
> set namespace http://apple.com/ns/ical/
> propset . calendar-color '#ff8800ff'
Setting property on `+"`.'"+`: succeeded.
> propget . calendar-color
Fetching properties for `+"`.'"+`:
Value of calendar-color is: #ff8800ff
> set namespace urn:ietf:params:xml:ns:caldav
> propset . calendar-description 'What I do'
Setting property on `+"`.'"+`: succeeded.
> propset . supported-calendar-component-set VEVENT
Setting property on `+"`.'"+`: failed:
http://HOST/dav/calendars/ID/work/: 403 Forbidden

> propset . calendar-timezone nonsense
Setting property on `+"`.'"+`: failed:
http://HOST/dav/calendars/ID/work/: 403 Forbidden

> set namespace DAV:
> propset . displayname Work
Setting property on `+"`.'"+`: succeeded.
> cd ..
> move work office
Moving `+"`/dav/calendars/ID/work' to `/dav/calendars/ID/office'"+`:  succeeded.
> ls office
Listing collection `+"`/dav/calendars/ID/office/'"+`: succeeded.
File: moved.ics (154 octets)
File: one.ics (155 octets)
> rmcol inbox
Deleting collection `+"`inbox'"+`: failed:
403 Forbidden
> rmcol office
Deleting collection `+"`office'"+`: succeeded.
`)
	same(t, "what was got", hashes(map[string][]byte{"": read(t, dir+"/back.ics")}), hashes(map[string][]byte{"": []byte(event)}))
}

// TestCurlCalendar asks with curl for what people ask for by hand: a calendar, and when somebody is busy.
func TestCurlCalendar(t *testing.T) {
	need(t, "curl")
	h := newHouse(t)
	d, dir := h.device("curl"), t.TempDir()
	curl := func(want string, args ...string) string {
		t.Helper()
		out, err := tool{dir: dir}.run(t.Context(), "curl", append([]string{"-sS", "-w", "\n%{http_code}", "-u", alice + ":" + d.Password}, args...)...)
		if err != nil || !strings.HasSuffix(out, "\n"+want) {
			t.Fatalf("curl %v: %v, want %s\n%s", args, err, want, out)
		}
		return strings.TrimSuffix(out, "\n"+want)
	}
	put(t, dir, "busy.ics", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//EN\r\nBEGIN:VEVENT\r\nUID:busy\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;TZID=Europe/Berlin:20260327T090000\r\n"+
		"DTEND;TZID=Europe/Berlin:20260327T100000\r\nRRULE:FREQ=DAILY;COUNT=4\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
	put(t, dir, "maybe.ics", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//EN\r\nBEGIN:VEVENT\r\nUID:maybe\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260327T120000Z\r\n"+
		"DURATION:PT30M\r\nSTATUS:TENTATIVE\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
	put(t, dir, "query.xml", `<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav"><C:time-range start="20260327T000000Z" end="20260330T000000Z"/></C:free-busy-query>`)

	at := h.url() + h.calendar("team")
	curl("201", "-X", "MKCALENDAR", at)
	curl("403", "-X", "MKCALENDAR", at)
	curl("409", "-X", "MKCALENDAR", h.url()+h.calendar("no/where"))
	curl("403", "-X", "MKCALENDAR", h.url()+h.book()+"calendar/")
	curl("201", "-T", "busy.ics", at+"busy.ics")
	curl("201", "-T", "maybe.ics", at+"maybe.ics")
	out := strings.ReplaceAll(curl("200", "-X", "REPORT", "-H", "Depth: 1", "-H", "Content-Type: application/xml", "--data-binary", "@query.xml", at), "\r\n", "\n")
	for _, want := range []string{"BEGIN:VFREEBUSY\n", "20260327T080000Z/", "20260328T080000Z/", "20260329T070000Z/", "FBTYPE=BUSY-TENTATIVE:20260327T120000Z/"} {
		if !strings.Contains(out, want) {
			t.Errorf("free and busy times lack %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "20260330T07") {
		t.Errorf("free and busy times go beyond the question:\n%s", out)
	}
	if head := curl("200", "-I", at+"busy.ics"); !strings.Contains(strings.ToLower(head), "content-type: text/calendar") {
		t.Errorf("the head of an event is\n%s", head)
	}
	put(t, dir, "search.xml", `<D:principal-property-search xmlns:D="DAV:"><D:property-search><D:prop><D:displayname/></D:prop><D:match>alice</D:match></D:property-search><D:prop><D:displayname/></D:prop></D:principal-property-search>`)
	for _, where := range []string{"/", "/dav/", "/dav/principals/"} { // programs that were given nothing but a host ask there
		if found := curl("207", "-X", "REPORT", "-H", "Content-Type: application/xml", "--data-binary", "@search.xml", h.url()+where); !strings.Contains(found, "/dav/principals/"+h.id+"/") {
			t.Errorf("at %s, Alice finds\n%s", where, found)
		}
	}
	curl("204", "-X", "DELETE", at)
	curl("404", at+"busy.ics")
}
