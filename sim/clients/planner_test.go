package clients

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// planner is a device that runs vdirsyncer for calendars: a directory for each, and the program's own memory of both sides.
type planner struct {
	*syncer
	who   string   // the account
	lists []string // the calendars that it finds, sorted
}

// own are the calendars that every account has.
var own = []string{"default", "notes", "tasks"}

// newPlanner sets vdirsyncer up for Alice's calendars, told no more than the server's base URL. It must find lists; own if there are none.
func (h *house) newPlanner(name string, lists ...string) *planner {
	h.t.Helper()
	return h.newPlannerAt(h.url(), alice, name, lists...)
}

// newPlannerAt does so at another address, for any account.
func (h *house) newPlannerAt(url, who, name string, lists ...string) *planner {
	h.t.Helper()
	if lists == nil {
		lists = own
	}
	p := &planner{syncer: &syncer{t: h.t, dir: h.t.TempDir(), pair: "calendars", device: h.deviceOf(who, name)}, who: who, lists: lists}
	p.configure(url + "/")
	p.discover()
	return p
}

// configure writes vdirsyncer's configuration. Lines in pair are added to the pair.
func (p *planner) configure(url string, pair ...string) {
	p.t.Helper()
	p.configureAll(url, pair, nil)
}

// configureAll adds lines to the storage, too.
func (p *planner) configureAll(url string, pair, storage []string) {
	p.t.Helper()
	text := fmt.Sprintf(`[general]
status_path = "%[1]s/status/"

[pair calendars]
a = "here"
b = "there"
collections = ["from b"]
metadata = ["displayname", "color", "description", "order"]
%[5]s

[storage here]
type = "filesystem"
path = "%[1]s/calendars/"
fileext = ".ics"

[storage there]
type = "caldav"
url = "%[2]s"
username = "%[3]s"
password = "%[4]s"
%[6]s
`, p.dir, url, p.who, p.Password, strings.Join(pair, "\n"), strings.Join(storage, "\n"))
	if err := os.WriteFile(p.config(), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *planner) discover() {
	p.t.Helper()
	out := p.must("discover", "calendars")
	want := `Saved for calendars: collections = ["` + strings.Join(p.lists, `", "`) + `"]`
	if !strings.Contains(out, want) {
		p.t.Fatalf("discovery did not find %s:\n%s", want, out)
	}
}

// folder is the directory of a list.
func (p *planner) folder(list string) string { return filepath.Join(p.dir, "calendars", list) }

// heldIn is what the device holds in a list, by file name.
func (p *planner) heldIn(list string) map[string][]byte {
	return readFiles(p.t, p.folder(list), ".ics")
}

// find looks for the file of an entry: first under the names that we and vdirsyncer give, then everywhere.
func (p *planner) find(e entry) (string, bool) {
	for _, name := range []string{e.file(), e.uid() + ".ics"} {
		if _, err := os.Stat(filepath.Join(p.folder(e.list), name)); err == nil {
			return name, true
		}
	}
	for name, b := range p.heldIn(e.list) {
		for line := range strings.Lines(string(b)) {
			if strings.TrimRight(line, "\r\n") == "UID:"+e.uid() {
				return name, true
			}
		}
	}
	return "", false
}

// write writes an entry, as a calendar program would. A file that is there already keeps its name.
func (p *planner) write(e entry, octets []byte) {
	p.t.Helper()
	name, ok := p.find(e)
	if !ok {
		name = e.file()
	}
	if err := os.WriteFile(filepath.Join(p.folder(e.list), name), octets, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *planner) remove(e entry) {
	p.t.Helper()
	name, ok := p.find(e)
	if !ok {
		p.t.Fatalf("%v is not here", e)
	}
	if err := os.Remove(filepath.Join(p.folder(e.list), name)); err != nil {
		p.t.Fatal(err)
	}
}

// read returns an entry's octets, nil if it is not here.
func (p *planner) read(e entry) []byte {
	p.t.Helper()
	name, _ := p.find(e)
	return p.heldIn(e.list)[name]
}

// plans is what must be there at the end.
type plans map[entry][]byte

// hashes are those of what is in a list.
func (m plans) hashes(list string) []string {
	files := map[string][]byte{}
	for e, b := range m {
		if e.list == list {
			files[fmt.Sprint(e)] = b
		}
	}
	return hashes(files)
}

// everywhere checks that the server's export and all devices hold it, octet by octet.
func (m plans) everywhere(t *testing.T, h *house, devices ...*planner) {
	t.Helper()
	var paths []string
	for _, list := range devices[0].lists {
		paths = append(paths, "calendars/"+list)
	}
	exported := h.exportedFrom(paths...)
	for i, list := range devices[0].lists {
		same(t, "the export of "+list, hashTexts(exported[paths[i]]), m.hashes(list))
		for j, p := range devices {
			same(t, fmt.Sprintf("device %d, %s", j+1, list), hashes(p.heldIn(list)), m.hashes(list))
		}
	}
}

func (m plans) put(p *planner, e entry, version int) {
	p.t.Helper()
	m[e] = e.octets(version)
	p.write(e, m[e])
}

func (m plans) remove(p *planner, e entry) {
	p.t.Helper()
	delete(m, e)
	p.remove(e)
}

// fill puts new entries onto a device. Nothing is looked for, so a thousand take no time.
func (m plans) fill(p *planner, list, kind string, from, to int) {
	p.t.Helper()
	for n := from; n < to; n++ {
		e := entry{list, kind, n}
		m[e] = e.octets(0)
		if err := os.WriteFile(filepath.Join(p.folder(list), e.file()), m[e], 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
}

// mkcalendar makes a calendar for some kinds.
func (h *house) mkcalendar(d device, name string, kinds ...string) {
	h.t.Helper()
	var set strings.Builder
	for _, k := range kinds {
		fmt.Fprintf(&set, `<C:comp name=%q/>`, k)
	}
	body := `<C:mkcalendar xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:D="DAV:"><D:set><D:prop><D:displayname>` + name +
		`</D:displayname><C:supported-calendar-component-set>` + set.String() + `</C:supported-calendar-component-set></D:prop></D:set></C:mkcalendar>`
	if code, answer := h.dav(d, "MKCALENDAR", h.calendar(name), body, "Content-Type: application/xml"); code != 201 {
		h.t.Fatalf("MKCALENDAR %s: %d %s", name, code, answer)
	}
}

// meta reads or writes what vdirsyncer keeps of a calendar beside its entries: displayname, color, description, order. "" takes it away.
func (p *planner) meta(list, key string) string {
	p.t.Helper()
	b, err := os.ReadFile(filepath.Join(p.folder(list), key))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		p.t.Fatal(err)
	}
	return string(b)
}

func (p *planner) setMeta(list, key, text string) {
	p.t.Helper()
	name := filepath.Join(p.folder(list), key)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	if text == "" {
		if err := os.Remove(name); err != nil {
			p.t.Fatal(err)
		}
	}
}

func sorted(list ...string) []string {
	slices.Sort(list)
	return list
}

// agree syncs two devices, after which both and the export hold the same in one calendar, and so many.
func (h *house) agree(what string, one, two *planner, calendar string, count int) {
	h.t.Helper()
	one.sync()
	two.sync()
	one.sync()
	held, path := hashes(one.heldIn(calendar)), "calendars/"+calendar
	same(h.t, what+": the other device", hashes(two.heldIn(calendar)), held)
	same(h.t, what+": the export", hashTexts(h.exportedFrom(path)[path]), held)
	if n := len(one.heldIn(calendar)); n != count {
		h.t.Fatalf("%s: %d in %s, want %d", what, n, path, count)
	}
}
