package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast"
)

// takenOver is the JSON of a takeover.
type takenOver struct {
	Accepted, Created, Already, Fetched, Verified, Unequal, Listed int
	Equal                                                          bool
	Collections                                                    []struct {
		From, Into, Label string
		Listed, Accepted  int
		Made              bool
	}
	Left    []struct{ Path, Why string }
	Mended  []struct{ File, What string }
	Refused []struct{ File, Precondition, Why string }
	Notes   []struct{ File, What string }
}

// takeOver runs the command against the other server.
func (h *house) takeOver(ctx context.Context, o *other, flags ...string) (x takenOver, code int) {
	h.t.Helper()
	args := append([]string{"import", alice, "--from-dav", o.url, "--user", o.user, "--password-stdin", "--data", h.Data, "--json"}, flags...)
	c := exec.CommandContext(ctx, h.Bin, args...)
	var out, said strings.Builder
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(o.password+"\n"), &out, &said
	err := c.Run()
	if code = c.ProcessState.ExitCode(); err != nil {
		h.t.Logf("import --from-dav: %v: %s", err, said.String())
	}
	if code > 1 || out.Len() == 0 {
		return x, code
	}
	if strings.Contains(out.String()+said.String(), o.password) || strings.Contains(h.LogTail(), o.password) {
		h.t.Error("the password of the other server was said")
	}
	if err := json.Unmarshal([]byte(out.String()), &x); err != nil {
		h.t.Fatalf("%v: %s", err, out.String())
	}
	return x, code
}

// exportAll is every file of an export, by its path, without the manifest.
func (h *house) exportAll() map[string]string {
	h.t.Helper()
	dir := filepath.Join(h.t.TempDir(), "all")
	var x struct{ Files int }
	h.command(&x, "export", alice, "--to", dir)
	out := map[string]string{}
	for _, top := range []string{holdfast.HomeAddressbooks, holdfast.HomeCalendars} {
		err := filepath.WalkDir(filepath.Join(dir, top), func(name string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(name)
			rel, _ := filepath.Rel(dir, name)
			out[rel] = string(b)
			return err
		})
		if err != nil {
			h.t.Fatal(err)
		}
	}
	return out
}

// compare holds that each of the other server's members is in the account, octet for octet as a GET there gives it, and so many more and no others.
func (h *house) compare(o *other, into map[string]string, members []string, more int) {
	h.t.Helper()
	here := h.exportAll()
	var all sync.WaitGroup
	var mu sync.Mutex
	bad, paths := 0, make(chan string)
	for range 4 {
		all.Go(func() {
			for p := range paths {
				dir, name := filepath.Split(p)
				code, there := o.ask("GET", p, "")
				mu.Lock()
				if got := here[into[dir]+"/"+name]; code != 200 || got != there {
					if bad++; bad < 4 {
						h.t.Errorf("%s (%d): stored %q, there is %q", p, code, got, there)
					}
				}
				mu.Unlock()
			}
		})
	}
	for _, p := range members {
		paths <- p
	}
	close(paths)
	all.Wait()
	if len(here) != len(members)+more || bad > 0 {
		h.t.Errorf("%d items are here, %d there; %d differ", len(here), len(members)+more, bad)
	}
}

func calendarObject(kind, uid, more string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example.org//test//EN\r\nBEGIN:" + kind + "\r\nUID:" + uid + "\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260301T100000Z\r\n" + more +
		"END:" + kind + "\r\nEND:VCALENDAR\r\n"
}

// family fills a server with what a family has: contacts, a calendar, to-dos and notes. It returns the paths of all.
func family(o *other, n int) (members []string) {
	var contacts strings.Builder
	texts := map[string]*strings.Builder{"VEVENT": {}, "VTODO": {}, "VJOURNAL": {}}
	for i := range n {
		fmt.Fprintf(&contacts, "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:person-%d@example.org\r\nFN:Ünï Person %d\r\nN:%d;Person;;;\r\nNOTE:<a> & \"b\"\\, c\r\nEND:VCARD\r\n", i, i, i)
		kind := []string{"VEVENT", "VEVENT", "VTODO", "VJOURNAL"}[i%4]
		rule := ""
		if kind == "VEVENT" {
			rule = fmt.Sprintf("RRULE:FREQ=WEEKLY;COUNT=%d\r\n", i%7+1)
		}
		fmt.Fprintf(texts[kind], "BEGIN:%s\r\nUID:%s-%d\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260301T100000Z\r\n%sSUMMARY:Dinner %d – bring wine\\; and <more> &c\r\nDESCRIPTION:%s\r\nEND:%s\r\n",
			kind, kind, i, rule, i, strings.Repeat("words ", i%30), kind)
	}
	comp := func(kind string) string {
		return `<C:supported-calendar-component-set><C:comp name="` + kind + `"/></C:supported-calendar-component-set>`
	}
	members = o.pour("/anna/contacts/", "text/vcard", contacts.String(), `<D:displayname>Everybody</D:displayname><CR:addressbook-description>Friends &amp; family</CR:addressbook-description>`)
	for _, c := range []struct{ path, kind, props string }{{"/anna/home/", "VEVENT", `<D:displayname>Home</D:displayname><A:calendar-color>#ff8800ff</A:calendar-color>`},
		{"/anna/todo/", "VTODO", `<D:displayname>To do</D:displayname>`}, {"/anna/diary/", "VJOURNAL", `<D:displayname>Diary</D:displayname>`}} {
		text := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example.org//test//EN\r\n" + texts[c.kind].String() + "END:VCALENDAR\r\n"
		members = append(members, o.pour(c.path, "text/calendar", text, c.props+comp(c.kind))...)
	}
	return members
}

// TestTakeOverRadicale takes over a whole Radicale by one command, through a server that is killed half-way.
func TestTakeOverRadicale(t *testing.T) {
	thorough(t)
	o, h := radicale(t), newHouse(t)
	members := family(o, 1000)
	if len(members) != 2000 {
		t.Fatalf("Radicale holds %d items", len(members))
	}

	// The command is ended in the middle, as by a lost terminal.
	ctx, end := context.WithCancel(t.Context())
	reports := 0
	o.onRequest(func(method, _ string) {
		if method == "REPORT" {
			if reports++; reports == 3 {
				end()
			}
		}
	})
	if _, code := h.takeOver(ctx, o); code == 0 {
		t.Error("the command was not ended")
	}

	// Killed after some multigets: what was stored stays.
	killed := make(chan struct{})
	o.onRequest(func(method, _ string) {
		if method == "REPORT" {
			if reports++; reports == 8 {
				if err := h.Kill(); err != nil {
					t.Error(err)
				}
				close(killed)
			}
		}
	})
	x, code := h.takeOver(t.Context(), o)
	if code != 4 {
		t.Errorf("the command ended with %d when the server was killed", code)
	}
	select {
	case <-killed:
	case <-time.After(10 * time.Second):
		t.Fatalf("nothing was killed: exit %d, %+v; %v", code, x, o.requests())
	}
	o.onRequest(nil)
	o.readOnly(o.requests())
	h.restart()
	half := len(h.exportAll())
	if half == 0 || half >= len(members) {
		t.Errorf("%d of %d items were here after the kill", half, len(members))
	}

	x, code = h.takeOver(t.Context(), o)
	if code != 0 || x.Accepted != len(members) || !x.Equal || x.Verified != len(members) || len(x.Refused) > 0 || len(x.Mended) > 0 || len(x.Collections) != 4 {
		t.Errorf("exit %d, %+v", code, x)
	}
	if want := len(members) - half; x.Fetched > want+100 || x.Created > want {
		t.Errorf("%d were here: %d of %d were asked for again, %d made", half, x.Fetched, len(members), x.Created)
	}
	asked := o.requests()
	o.readOnly(asked)
	if n := len(asked); n > 60 {
		t.Errorf("%d requests for what is 20 multigets", n)
	}
	into := map[string]string{"/anna/contacts/": "addressbooks/contacts", "/anna/home/": "calendars/home", "/anna/todo/": "calendars/todo", "/anna/diary/": "calendars/diary"}
	h.compare(o, into, members, 0)

	// Again: nothing is asked for but listings.
	x, code = h.takeOver(t.Context(), o)
	if code != 0 || x.Already != len(members) || x.Fetched != 0 || !x.Equal {
		t.Errorf("again: exit %d, %+v", code, x)
	}
	for _, r := range o.requests() {
		if !strings.HasPrefix(r, "PROPFIND ") {
			t.Errorf("again: %s", r)
		}
	}
	d := h.device("Phone")
	_, props := h.dav(d, "PROPFIND", "/dav/calendars/"+h.id+"/home/", `<propfind xmlns="DAV:" xmlns:A="http://apple.com/ns/ical/" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><displayname/>`+
		`<A:calendar-color/><C:supported-calendar-component-set/></prop></propfind>`, "Depth: 0")
	for _, want := range []string{">Home<", ">#ff8800ff<", `name="VEVENT"`} {
		if !strings.Contains(props, want) {
			t.Errorf("the calendar lacks %s: %s", want, props)
		}
	}
	// A phone that comes from a server like Nextcloud finds it under the path that it knows, on the new host.
	if code, said := h.dav(d, "PROPFIND", "/remote.php/dav/calendars/"+alice+"/home/", `<propfind xmlns="DAV:"><prop><displayname/></prop></propfind>`, "Depth: 0"); code != 207 || !strings.Contains(said, ">Home<") {
		t.Errorf("under the other server's path: %d %s", code, said)
	}
}

// TestTakeOverXandikos is the same with a server of another kind, and without passwords.
func TestTakeOverXandikos(t *testing.T) {
	thorough(t)
	o, h := xandikos(t), newHouse(t)
	members := map[string]string{}
	for i := range 60 {
		members[fmt.Sprintf("/anna/calendars/calendar/%d.ics", i)] = calendarObject("VEVENT", fmt.Sprintf("event-%d", i), "SUMMARY:x\r\n")
		members[fmt.Sprintf("/anna/contacts/addressbook/%d.vcf", i)] = fmt.Sprintf("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:p%d\r\nFN:P %d\r\nN:P;%d;;;\r\nEND:VCARD\r\n", i, i, i)
	}
	o.fill(members)
	x, code := h.takeOver(t.Context(), o)
	if code != 0 || x.Accepted != len(members) || !x.Equal {
		t.Errorf("exit %d, %+v", code, x)
	}
	o.readOnly(o.requests())
	h.compare(o, map[string]string{"/anna/calendars/calendar/": "calendars/calendar", "/anna/contacts/addressbook/": "addressbooks/addressbook"}, slices.Collect(maps.Keys(members)), 0)
}

// TestTakeOverCorpus takes over a Radicale that holds the calendars of many programs, as far as it takes them.
func TestTakeOverCorpus(t *testing.T) {
	thorough(t)
	files, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "corpus", "calendars", "*", "*.ics"))
	if len(files) == 0 {
		missing(t, "real calendars are not tried: the corpus is not there")
	}
	o, h := radicale(t), newHouse(t)
	held, members, into := 0, []string{}, map[string]string{}
	for i, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		at := fmt.Sprintf("/anna/corpus-%02d/", i)
		if code, _ := o.ask("PUT", at, string(b), "Content-Type: text/calendar"); code == 201 {
			held++
			members = append(members, o.members(at)...)
		}
	}
	x, code := h.takeOver(t.Context(), o)
	if code > 1 || !x.Equal || x.Listed != len(members) {
		t.Errorf("exit %d, %+v", code, x)
	}
	if held < 30 || x.Accepted != len(members) || len(x.Refused) > 0 || len(x.Mended) != 2 {
		t.Errorf("%d files, %d items: %d accepted, mended %+v, refused %+v", held, len(members), x.Accepted, x.Mended, x.Refused)
	}
	var verbatim []string
	for _, p := range members {
		into[path.Dir(p)+"/"] = strings.Replace(path.Dir(p), "/anna/", "calendars/", 1)
		if !slices.ContainsFunc(x.Mended, func(m struct{ File, What string }) bool { return m.File == p }) {
			verbatim = append(verbatim, p)
		}
	}
	h.compare(o, into, verbatim, len(x.Mended))
	o.readOnly(o.requests())
}
