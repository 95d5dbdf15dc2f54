package clients

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// TestTwoPlanners brings a thousand events, to-dos and notes from one device to another, changes both, and wants both, and the export, to be the same. One
// calendar is of all kinds, one of to-dos and notes.
func TestTwoPlanners(t *testing.T) {
	need(t, "vdirsyncer")
	size := 1000
	if testing.Short() {
		size = 100
	}
	h, m := newHouse(t), plans{}
	curl := h.device("curl")
	h.mkcalendar(curl, "garden", "VTODO", "VJOURNAL")
	h.mkcalendar(curl, "mixed", "VEVENT", "VTODO", "VJOURNAL")
	all := sorted("default", "tasks", "notes", "mixed", "garden")
	one := h.newPlanner("Laptop", all...)
	tenth := size / 10
	m.fill(one, "default", "VEVENT", 0, 4*tenth)
	m.fill(one, "tasks", "VTODO", 0, 2*tenth)
	m.fill(one, "notes", "VJOURNAL", 0, 2*tenth)
	m.fill(one, "mixed", "VEVENT", 1000, 1000+tenth/2)
	m.fill(one, "mixed", "VTODO", 2000, 2000+tenth/4)
	m.fill(one, "mixed", "VJOURNAL", 3000, 3000+tenth/2-tenth/4)
	m.fill(one, "garden", "VTODO", 4000, 4000+tenth/2)
	m.fill(one, "garden", "VJOURNAL", 5000, 5000+tenth-tenth/2)
	if done := one.sync(); len(done) != len(m) {
		t.Fatalf("%d uploads for %d entries", len(done), len(m))
	}
	two := h.newPlanner("Workstation", all...)
	if done := two.sync(); len(done) != len(m) {
		t.Fatalf("%d downloads for %d entries", len(done), len(m))
	}
	m.everywhere(t, h, one, two)
	if done := append(one.sync(), two.sync()...); len(done) != 0 {
		t.Fatalf("nothing was changed, and vdirsyncer did: %q", done)
	}

	// Both are changed in the same round, each elsewhere.
	changes := 0
	for list, kind := range map[string]string{"default": "VEVENT", "tasks": "VTODO", "notes": "VJOURNAL"} {
		for i := range 3 {
			m.put(one, entry{list, kind, i}, 1)
			m.put(two, entry{list, kind, 4 + i}, 1)
			m.remove(one, entry{list, kind, 8 + i})
			m.remove(two, entry{list, kind, 12 + i})
			m.put(one, entry{list, kind, 500 + i}, 0)
			m.put(two, entry{list, kind, 510 + i}, 0)
			changes += 3
		}
	}
	one.sync()
	if done := two.sync(); len(done) != 2*changes {
		t.Errorf("the second device had %d changes to send and as many to take, and did %d", changes, len(done))
	}
	one.sync()
	m.everywhere(t, h, one, two)
	if done := append(one.sync(), two.sync()...); len(done) != 0 {
		t.Fatalf("nothing was changed, and vdirsyncer did: %q", done)
	}
}

// TestPlannerConflicts edits one event on two devices in the same round, and lets the second settle it in each way that vdirsyncer knows.
func TestPlannerConflicts(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer")
	e, other := entry{"default", "VEVENT", 3}, entry{"tasks", "VTODO", 5}
	for _, c := range []struct {
		name, line string
		winner     int // the version that wins; 0: none, both stay
	}{
		{"the device wins", `conflict_resolution = "a wins"`, 2},
		{"the server wins", `conflict_resolution = "b wins"`, 1},
		{"nobody wins", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, m := newHouse(t), plans{}
			one, two := h.newPlanner("Laptop"), h.newPlanner("Workstation")
			two.configure(h.url()+"/", c.line)
			m.fill(one, "default", "VEVENT", 0, 8)
			m.fill(one, "tasks", "VTODO", 0, 8)
			one.sync()
			two.sync()

			one.write(e, e.octets(1))
			two.write(e, e.octets(2))
			m.put(two, other, 1) // what is in no conflict goes on
			one.sync()
			if c.winner == 0 {
				two.failing("One item changed on both sides")
				if !bytes.Equal(one.read(e), e.octets(1)) || !bytes.Equal(two.read(e), e.octets(2)) {
					t.Fatal("a conflict that nobody settled changed a device's event")
				}
				two.configure(h.url()+"/", `conflict_resolution = "a wins"`)
				c.winner = 2
			}
			two.sync()
			one.sync()
			m[e] = e.octets(c.winner)
			m.everywhere(t, h, one, two)

			// An edit comes out against a deletion, whoever is first.
			m[e] = e.octets(3)
			one.remove(e)
			two.write(e, m[e])
			m.put(one, other, 4)
			two.remove(other)
			one.sync()
			two.sync()
			one.sync()
			m.everywhere(t, h, one, two)
		})
	}
}

// TestPlannerMetasync carries name, colour, description and order of calendars from one device to another.
func TestPlannerMetasync(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer")
	h := newHouse(t)
	one, two := h.newPlanner("Laptop"), h.newPlanner("Workstation")
	for _, p := range []*planner{one, two} {
		p.must("metasync", "calendars")
		if got := p.meta("default", "displayname"); got != "Calendar" {
			t.Errorf("the calendar is called %q", got)
		}
	}
	for _, round := range []struct {
		from, to        *planner
		list, key, text string
	}{
		{one, two, "default", "displayname", "Família & přátelé <例> \U0001F98A"},
		{one, two, "default", "color", "#FF2968"},
		{two, one, "tasks", "color", "#0e61b9ff"},
		{two, one, "default", "color", "#00AA00"},
		{one, two, "notes", "description", "What I think; \"quotes\" too"},
		{two, one, "notes", "description", ""}, // takes it away
		{one, two, "tasks", "order", "3"},
	} {
		round.from.setMeta(round.list, round.key, round.text)
		round.from.must("metasync", "calendars")
		round.to.must("metasync", "calendars")
		if got := round.to.meta(round.list, round.key); got != round.text {
			t.Errorf("%s of %s: %q, want %q", round.key, round.list, got, round.text)
		}
	}
}

// TestServerIsKilledAmongEvents kills the server in the middle of a sync in each direction, starts it again, and syncs again: nothing is lost, nothing doubled.
func TestServerIsKilledAmongEvents(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer")
	const size = 300
	h, m := newHouse(t), plans{}
	p := newProxy(t, h.url())
	one, two := h.newPlannerAt(p.url, alice, "Laptop"), h.newPlannerAt(p.url, alice, "Workstation")
	m.fill(one, "default", "VEVENT", 0, size)
	m.fill(one, "tasks", "VTODO", 0, size/3)
	there := 0
	for _, at := range []int{size / 5, size / 4} {
		h.killedDuring(p, one.syncer, at)
		now := 0
		for _, files := range h.exportedFrom("calendars/default", "calendars/tasks") {
			now += len(files)
		}
		// Several collections are synced at once, but the proxy lets one edit through at a time.
		if made := now - there; made < at-1 || made > at {
			t.Fatalf("%d entries were acknowledged, one more was on its way when the server was killed, and %d are there", at-1, made)
		}
		there = now
	}
	one.sync()
	two.sync()
	m.everywhere(t, h, one, two)

	// Now with edits and deletions of the other device on their way.
	for n := range size / 2 {
		switch e := (entry{"default", "VEVENT", n}); n % 4 {
		case 1:
			m.put(two, e, 1)
		case 3:
			m.remove(two, e)
		}
	}
	h.killedDuring(p, two.syncer, size/8)
	two.sync()
	one.sync()
	m.everywhere(t, h, one, two)
	if done := append(one.sync(), two.sync()...); len(done) != 0 {
		t.Fatalf("nothing was changed, and vdirsyncer did: %q", done)
	}
}

// TestPlannerDiscovery watches how vdirsyncer gets from the base URL to the calendars: boxes for scheduling and subscriptions are none.
func TestPlannerDiscovery(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer")
	h := newHouse(t)
	const subscription = `<C:mkcalendar xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/"><D:set><D:prop>` +
		`<D:resourcetype><D:collection/><CS:subscribed/></D:resourcetype><CS:source><D:href>https://example.org/holidays.ics</D:href></CS:source></D:prop></D:set></C:mkcalendar>`
	if code, body := h.dav(h.device("curl"), "MKCALENDAR", h.calendar("holidays"), subscription, "Content-Type: application/xml"); code != 201 {
		t.Errorf("a subscription: %d %s", code, body)
	}
	for _, start := range []struct{ path, first string }{
		{"/", "207 PROPFIND /"},
		{"/.well-known/caldav", "301 PROPFIND /.well-known/caldav/"},
		{"/dav/", "207 PROPFIND /dav/"},
		{"/remote.php/dav/", "207 PROPFIND /remote.php/dav/"},
		{"/dav/principals/" + alice + "/", "207 PROPFIND /dav/principals/" + alice + "/"},
		{"/dav/calendars/" + alice + "/", "207 PROPFIND /dav/calendars/" + alice + "/"},
	} {
		p := newProxy(t, h.url())
		s := &planner{syncer: &syncer{t: t, dir: t.TempDir(), pair: "calendars", device: h.device("Laptop at " + start.path)}, who: alice, lists: own}
		s.configure(p.url + start.path)
		s.discover()
		s.sync()
		log := p.log()
		if log[0] != start.first {
			t.Errorf("from %s, want to begin with %q:\n%s", start.path, start.first, strings.Join(log, "\n"))
		}
		for _, l := range log {
			if l[0] > '3' {
				t.Errorf("from %s: %s", start.path, l)
			}
		}
	}
}

// TestPlannerRange syncs the events of a time, and no to-dos, which vdirsyncer asks for by calendar-query.
func TestPlannerRange(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer")
	h, m := newHouse(t), plans{}
	h.mkcalendar(h.device("curl"), "mixed", "VEVENT", "VTODO", "VJOURNAL")
	all := sorted(append([]string{"mixed"}, own...)...)
	one, two := h.newPlanner("Laptop", all...), h.newPlanner("Watch", all...)
	m.fill(one, "mixed", "VEVENT", 0, 60)
	m.fill(one, "mixed", "VTODO", 100, 110)
	one.sync()
	two.configureAll(h.url()+"/", nil, []string{`start_date = "datetime(2026, 1, 21)"`, `end_date = "datetime(2026, 1, 26, 9, 0)"`, `item_types = ["VEVENT"]`})
	two.discover()
	two.sync()
	// 2026-01-01 is day 0, so that time is from day 20 to the morning of day 25. Events 20 to 24 begin in it, 25 an hour after it. Event 4 repeats weekly for ever, with an
	// instance that morning; 10 would have one on day 24, which is taken out; the instance of 16 on day 23 is moved to day 24. Those that repeat monthly do so on day 29.
	want := []string{}
	for _, n := range []int{4, 16, 20, 21, 22, 23, 24} {
		want = append(want, hashes(map[string][]byte{"": m[entry{"mixed", "VEVENT", n}]})...)
	}
	same(t, "the events of that time", sorted(hashes(two.heldIn("mixed"))...), sorted(want...))
}

// TestEntriesVary makes sure that the entries of these tests are as many and as different as they are meant to be.
func TestEntriesVary(t *testing.T) {
	seen := map[string]bool{}
	for _, kind := range []string{"VEVENT", "VTODO", "VJOURNAL"} {
		for n := range 120 {
			e := entry{"x", kind, n}
			text := string(e.octets(0))
			if seen[e.uid()] || text == string(e.octets(1)) || !strings.Contains(text, "BEGIN:"+kind) {
				t.Errorf("%s", fmt.Sprint(e))
			}
			seen[e.uid()] = true
		}
	}
}
