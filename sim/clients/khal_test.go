package clients

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// khal works on the directories of a device that runs vdirsyncer.
type khal struct{ *planner }

func newKhal(p *planner) khal {
	p.t.Helper()
	var calendars strings.Builder
	for _, list := range p.lists {
		fmt.Fprintf(&calendars, "[[%s]]\npath = %s\n", list, p.folder(list))
	}
	put(p.t, p.dir, "khal.conf", fmt.Sprintf(`[calendars]
%[2]s
[locale]
timeformat = %%H:%%M
dateformat = %%Y-%%m-%%d
longdateformat = %%Y-%%m-%%d
datetimeformat = %%Y-%%m-%%d %%H:%%M
longdatetimeformat = %%Y-%%m-%%d %%H:%%M
local_timezone = Europe/Berlin
default_timezone = Europe/Berlin
[default]
default_calendar = default
[sqlite]
path = %[1]s/khal.db
`, p.dir, calendars.String()))
	return khal{p}
}

// do runs khal; it must succeed.
func (k khal) do(typed string, args ...string) string {
	k.t.Helper()
	out, err := tool{dir: k.dir, stdin: typed}.run(k.t.Context(), "khal", append([]string{"-c", filepath.Join(k.dir, "khal.conf")}, args...)...)
	// Asked to delete, it ends with "Aborted!" when nothing is left to ask about.
	if err != nil && !strings.Contains(out, "Aborted!") {
		k.t.Fatalf("khal %s: %v\n%s", args[0], err, tail(out))
	}
	return out
}

// list is what khal lists from a day to another, a line for each instance.
func (k khal) list(from, to string) string {
	k.t.Helper()
	return k.do("", "list", "-f", "{start-long} {end-long} {title}", "--day-format", "", from, to)
}

// TestKhal makes a weekly event with khal on one device, over the change of the clocks; khal on the other sees it at the same time of day, edits it, and deletes it.
func TestKhal(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer", "khal")
	h, m := newHouse(t), plans{}
	one, two := h.newPlanner("Laptop"), h.newPlanner("Workstation")
	m.fill(one, "default", "VEVENT", 0, 6)
	one.sync()
	two.sync()
	here, there := newKhal(one), newKhal(two)
	agree := func(what string, count int) { t.Helper(); h.agree(what, one, two, "default", count) }
	const weekly = "2026-03-23 09:00 2026-03-23 10:00 Týdně\n2026-03-30 09:00 2026-03-30 10:00 Týdně\n2026-04-06 09:00 2026-04-06 10:00 Týdně\n2026-04-13 09:00 2026-04-13 10:00 Týdně\n"
	sees := func(k khal, from, to, title, want string) {
		t.Helper()
		var got strings.Builder
		for line := range strings.Lines(k.list(from, to)) {
			if strings.Contains(line, title) {
				got.WriteString(strings.TrimSpace(line) + "\n")
			}
		}
		if got.String() != want {
			t.Errorf("khal lists\n%s\nwant\n%s", got.String(), want)
		}
	}

	here.do("", "new", "-a", "default", "-r", "weekly", "-u", "2026-04-20", "-m", "15m", "2026-03-23", "09:00", "10:00", "Týdně", "::", "Bring it; & more")
	agree("after khal new", 7)
	sees(there, "2026-03-20", "2026-04-30", "Týdně", weekly)
	if out := there.do("", "at", "2026-03-30", "09:30"); !strings.Contains(out, "Týdně") {
		t.Errorf("khal on the other device sees nothing at that time:\n%s", out)
	}
	if out := there.do("", "at", "2026-03-30", "10:30"); strings.Contains(out, "Týdně") {
		t.Errorf("khal on the other device sees the event an hour late:\n%s", out)
	}
	h.sees(one.device, "20260330T070000Z", "20260330T080000Z", "VEVENT", "Týdně", true) // 9:00 in summer
	h.sees(one.device, "20260330T080000Z", "20260330T090000Z", "VEVENT", "Týdně", false)
	h.sees(one.device, "20260323T080000Z", "20260323T090000Z", "VEVENT", "Týdně", true) // 9:00 in winter

	there.do("s\nJednou týdně\nn\n", "edit", "--show-past", "Týdně")
	two.sync()
	agree("after khal edit", 7)
	sees(here, "2026-03-20", "2026-04-30", "Jednou týdně", strings.ReplaceAll(weekly, "Týdně", "Jednou týdně"))

	here.do("", "new", "-a", "default", "2026-05-01", "2026-05-03", "Tři dny")
	agree("after an event of whole days", 8)
	sees(there, "2026-05-02", "2026-05-03", "Tři dny", "2026-05-01 2026-05-03 Tři dny\n2026-05-01 2026-05-03 Tři dny\n")

	// khal lists the clocks of one year alone in what it writes, and means the zone.
	here.do("", "new", "-a", "default", "-r", "weekly", "2026-03-24", "09:00", "10:00", "Navždy")
	agree("after an event for ever", 9)
	h.sees(one.device, "20261103T080000Z", "20261103T090000Z", "VEVENT", "Navždy", true)
	h.sees(one.device, "20261103T070000Z", "20261103T080000Z", "VEVENT", "Navždy", false)

	here.do("D\ny\n", "edit", "--show-past", "Navždy")
	here.do("D\ny\n", "edit", "--show-past", "Jednou")
	here.do("D\ny\n", "edit", "--show-past", "Tři")
	agree("after khal deletes", 6)
	m.everywhere(t, h, one, two)
}

// sees asks the server which events, or to-dos, are in a time.
func (h *house) sees(d device, from, to, kind, title string, want bool) {
	h.t.Helper()
	list := map[string]string{"VEVENT": "default", "VTODO": "tasks", "VJOURNAL": "notes"}[kind]
	code, body := h.dav(d, "REPORT", h.calendar(list), `<C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:D="DAV:"><D:prop><D:getetag/><C:calendar-data/></D:prop>`+
		`<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="`+kind+`"><C:time-range start="`+from+`" end="`+to+`"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`,
		"Content-Type: application/xml", "Depth: 1")
	if code != 207 || strings.Contains(body, title) != want {
		h.t.Errorf("%s from %s to %s: %d, want it to be there: %t\n%s", title, from, to, code, want, tail(body))
	}
}
