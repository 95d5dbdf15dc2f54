package clients

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// python finds a Python that has the given modules.
func python(t *testing.T, how string, modules ...string) string {
	t.Helper()
	for _, p := range []string{"/usr/bin/python3", "python3"} {
		if exec.CommandContext(t.Context(), p, "-c", "import "+strings.Join(modules, ", ")).Run() == nil {
			return p
		}
	}
	missing(t, "no python3 has the modules %v (%s)", modules, how)
	return ""
}

// pycaldav is what testdata/pycaldav.py must say.
const pycaldav = `calendar-access: True
scheduling: False
addresses: True
name of the principal: True
calendars: ['Calendar', 'Notes', 'Tasks']
inbox: True
outbox: True
made: Team & friends
components: ['VEVENT', 'VJOURNAL', 'VTODO']
made twice: False
only: ['VTODO']
an event among to-dos: refused
properties: ['Team', '#ff00aaff', 'What we do']
events: ['Floating', 'Moved', 'Own zone', 'Single', 'Weekly', 'Whole day']
to-dos: ['Begun', 'Open', 'Waiting']
to-dos with those that are done: ['Begun', 'Done', 'Given up', 'Open', 'Waiting']
journals: ['Dear diary']
by UID: ['Done', 'Single']
march: ['Moved', 'Single', 'Weekly']
winter hour: ['Weekly']
summer hour: ['Weekly']
an hour late: []
taken out: []
moved from: []
moved to: ['Moved']
the day before the whole day: []
the whole day: ['Whole day']
own zone: ['Own zone']
own zone, wrong hour: []
floating: ['Floating']
expanded: ['DTSTART:20260310T090000Z', 'DTSTART:20260323T080000Z', 'DTSTART:20260330T070000Z', 'DTSTART:20260414T130000Z', 'DTSTART:20260420T070000Z', 'DTSTART:20260427T070000Z']
by text: ['Single']
by text of another case: []
by part of a text: ['Single']
by category: ['Single']
by nothing: []
to-dos by day: ['Done']
journals by day: ['Dear diary']
date_search: ['Single']
open end: ['Floating', 'Own zone']
multiget: ['Floating', 'Single']
busy: ['031009+1', '032308+1', '033007+1', '041413+1', '042007+1', '042707+1', '070109+1', '080112+1']
objects: 11
changed: ['journal.ics', 'single.ics', 'todo-waiting.ics']
unchanged: 0
collection sync: [2, 1]
edited: ['Single, edited']
to-dos left: ['Begun', 'Open']
moved again: ['Moved again']
a broken event: refused
a broken event is: not there
calendars: ['Calendar', 'Notes', 'Tasks', 'Team']
done: True
`

// TestPythonCaldav goes through what programs do that are written with python3-caldav: set-up, searches, to-dos, sync.
func TestPythonCaldav(t *testing.T) {
	thorough(t)
	py := python(t, "apt-get install --no-install-recommends python3-caldav", "caldav")
	script, err := filepath.Abs(filepath.Join("testdata", "pycaldav.py"))
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t)
	d := h.device("python-caldav")
	out, err := tool{dir: t.TempDir()}.run(t.Context(), py, script, h.url()+"/", alice, d.Password)
	said := map[string]int{}
	for line := range strings.Lines(out) {
		said[line]++
	}
	for line := range strings.Lines(pycaldav) {
		if said[line]--; said[line] < 0 {
			t.Errorf("python-caldav does not say %q (%v)", strings.TrimSpace(line), err)
		}
	}
	if t.Failed() || err != nil {
		t.Fatalf("%v\n%s", err, tail(out))
	}
}
