package clients

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// evolution is Evolution's data server of one person, set up for some collections.
type evolution struct {
	t      *testing.T
	tool   tool
	python string
	who    string
	device
}

// newEvolution sets Evolution's data server up for a calendar, to-dos and notes at these paths.
func (h *house) newEvolution(who, events, tasks, memos string) *evolution {
	h.t.Helper()
	py := needEvolution(h.t)
	if _, err := os.Stat("/usr/libexec/evolution-calendar-factory"); err != nil {
		missing(h.t, "Evolution's data server has no calendars: %v", err)
	}
	const ask = "import gi; gi.require_version('ECal', '2.0'); gi.require_version('ICalGLib', '3.0')"
	if out, err := (tool{dir: h.t.TempDir()}).run(h.t.Context(), py, "-c", ask); err != nil {
		missing(h.t, "no python3 speaks to Evolution's calendars (apt-get install --no-install-recommends gir1.2-ecal-2.0): %v %s", err, out)
	}
	dir := h.t.TempDir()
	host, port, err := net.SplitHostPort(h.Addr)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, sub := range []string{".config/evolution/sources", "run"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			h.t.Fatal(err)
		}
	}
	for _, x := range []struct{ name, kind, path string }{{"events", "Calendar", events}, {"tasks", "Task List", tasks}, {"memos", "Memo List", memos}} {
		put(h.t, dir, ".config/evolution/sources/holdfast-"+x.name+".source", fmt.Sprintf(source, "caldav", x.kind, host, port, who, x.path))
	}
	env := []string{"XDG_RUNTIME_DIR=" + filepath.Join(dir, "run"), "GSETTINGS_BACKEND=memory", "GIO_USE_PROXY_RESOLVER=dummy"}
	return &evolution{t: h.t, tool: tool{dir: dir, env: env}, python: py, who: who, device: h.deviceOf(who, "Evolution")}
}

// run runs testdata/evocal.py, which must say these lines.
func (e *evolution) run(want []string, args ...any) {
	e.t.Helper()
	script, err := filepath.Abs(filepath.Join("testdata", "evocal.py"))
	if err != nil {
		e.t.Fatal(err)
	}
	line := []string{"--", e.python, script, e.who, e.Password}
	for _, a := range args {
		line = append(line, fmt.Sprint(a))
	}
	out, err := e.tool.run(e.t.Context(), "dbus-run-session", line...)
	for _, w := range want {
		if !strings.Contains(out, "\n"+w+"\n") {
			e.t.Fatalf("Evolution's data server does not say %q (%v):\n%s", w, err, tail(out))
		}
	}
}

// TestEvolutionCalendars reads, adds, edits and deletes events, to-dos and notes with Evolution's data server, and moves one instance of a series; a device with
// vdirsyncer sees it all.
func TestEvolutionCalendars(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer")
	h, m := newHouse(t), plans{}
	one := h.newPlanner("Laptop")
	m.fill(one, "default", "VEVENT", 0, 60)
	m.fill(one, "tasks", "VTODO", 0, 20)
	m.fill(one, "notes", "VJOURNAL", 0, 10)
	one.sync()

	edited, deleted, series := entry{"default", "VEVENT", 3}, entry{"default", "VEVENT", 8}, entry{"default", "VEVENT", 10} // weekly in Berlin, on Sundays from 2026-01-11
	e := h.newEvolution(alice, h.calendar("default"), h.calendar("tasks"), h.calendar("notes"))
	e.run([]string{"events: 60", "events writable: True", "event added: True", "event edited: True", "event deleted: True", "instance moved: True",
		"tasks: 20", "tasks writable: True", "task added: True", "task done: True", "memos: 10", "memos writable: True", "memo added: True", "in the end: 60 21 11", "done"},
		60, 20, 10, edited.uid(), deleted.uid(), series.uid(), day(17)+"T090000")

	one.sync()
	count := func(list, text string) (n int) {
		for _, b := range one.heldIn(list) {
			n += bytes.Count(b, []byte(text))
		}
		return n
	}
	for _, c := range []struct {
		list, text string
		want       int
	}{
		{"default", "SUMMARY:Made in Evolution", 1}, {"default", "SUMMARY:Edited in Evolution", 1}, {"default", "SUMMARY:Moved in Evolution", 1},
		{"tasks", "SUMMARY:To do in Evolution", 1}, {"notes", "SUMMARY:Noted in Evolution", 1}, {"notes", "DESCRIPTION:Žluť", 1},
	} {
		if n := count(c.list, c.text); n != c.want {
			t.Errorf("%s has %d times %q, want %d", c.list, n, c.text, c.want)
		}
	}
	if one.read(deleted) != nil {
		t.Error("an event that was deleted in Evolution is still on the device")
	}
	if b := one.read(series); !bytes.Contains(b, []byte("RRULE:FREQ=WEEKLY")) || !bytes.Contains(b, []byte("Europe/Berlin:"+day(17)+"T140000")) || bytes.Count(b, []byte("BEGIN:VEVENT")) != 2 {
		t.Errorf("the moved instance is not beside its series on the device:\n%s", b)
	}
	h.sees(one.device, day(17)+"T130000Z", day(17)+"T140000Z", "VEVENT", "Moved in Evolution", true)
	h.sees(one.device, day(17)+"T080000Z", day(17)+"T090000Z", "VEVENT", "Moved in Evolution", false)
	for _, x := range []entry{edited, deleted, series} {
		delete(m, x)
	}
	for _, list := range own {
		if lost := without(m.hashes(list), hashTexts(h.exportedFrom("calendars/" + list)["calendars/"+list])); len(lost) != 0 {
			t.Errorf("%d entries of %s that Evolution did not touch have changed", len(lost), list)
		}
	}
}

// TestEvolutionDiscovers lets Evolution find out by itself what Bob has: his own, and what Alice shares with him. Then it makes calendars for him.
func TestEvolutionDiscovers(t *testing.T) {
	thorough(t)
	py := needEvolution(t)
	script, err := filepath.Abs(filepath.Join("testdata", "evodiscover.py"))
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t)
	var b struct{ ID string }
	h.command(&b, "account", "add", bob, "--no-password")
	const colour = `<D:propertyupdate xmlns:D="DAV:" xmlns:A="http://apple.com/ns/ical/"><D:set><D:prop><A:calendar-color>#FF2968</A:calendar-color></D:prop></D:set></D:propertyupdate>`
	if code, body := h.dav(h.device("curl"), "PROPPATCH", h.calendar("default"), colour, "Content-Type: application/xml"); code != 207 {
		t.Fatal(code, body)
	}
	id := h.share("calendars/default", bob, "write")
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	p := tool{dir: dir, env: []string{"XDG_RUNTIME_DIR=" + filepath.Join(dir, "run"), "GSETTINGS_BACKEND=memory", "GIO_USE_PROXY_RESOLVER=dummy"}}
	home := "dav/calendars/" + b.ID + "/"
	out, err := p.run(t.Context(), "dbus-run-session", "--", py, script, h.url()+"/", bob, h.deviceOf(bob, "Evolution").Password, "/"+home)
	for _, want := range []string{
		"dav/addressbooks/" + b.ID + "/default/ | Contacts | None | contacts", home + "default/ | Calendar | None | events", home + "notes/ | Notes | None | memos",
		home + "tasks/ | Tasks | None | tasks", home + id + "/ | Calendar (" + alice + ") | #FF2968 | events", "addresses: " + bob,
		"made: Team & friends | What we do | #ff00aa | events", "made: Lists | None | #00ff00 | tasks memos", "may be written: True", "deleted: True", "done",
	} {
		if !strings.Contains(out, "\n"+want+"\n") {
			t.Errorf("Evolution does not find %q (%v)", want, err)
		}
	}
	if t.Failed() || strings.Count(out, " | ") != 5*3+2*3 {
		t.Errorf("Evolution finds\n%s", tail(out))
	}
}
