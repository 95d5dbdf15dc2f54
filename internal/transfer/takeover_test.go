package transfer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davclient"
	"holdfast/internal/davclient/remote"
)

func component(kind, uid, summary string) string {
	start := ""
	if kind == kindEvent {
		start = "DTSTART:20260101T100000Z\r\n"
	}
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example.org//x//EN\r\nBEGIN:" + kind + "\r\nUID:" + uid + "\r\nDTSTAMP:20260101T000000Z\r\n" + start + "SUMMARY:" + summary +
		"\r\nEND:" + kind + "\r\nEND:VCALENDAR\r\n"
}

// far is another server, with what it holds.
func far(events, cards int) *remote.Server {
	s := remote.New()
	for i := range events {
		kind := kindEvent
		if i%10 == 9 {
			kind = kindTodo
		}
		s.Collections[0].Items[fmt.Sprintf("E%04d.ics", i)] = component(kind, fmt.Sprintf("uid-%d", i), "x")
	}
	for i := range cards {
		s.Collections[1].Items[fmt.Sprintf("c %04d@x.vcf", i)] = card(fmt.Sprintf("c%d", i))
	}
	return s
}

type report struct {
	left    []Left
	notes   []Note
	mended  []Mended
	refused []RefusedOne
	colls   []TakenCollection
	done    *TakeoverTotals
}

// takeOver takes a server over into the account. hear may stop it.
func (h *house) takeOver(t testing.TB, ctx context.Context, s http.Handler, q TakeoverRequest, hear func(TakeoverEvent) error) (report, error) {
	t.Helper()
	at := httptest.NewServer(s)
	defer at.Close()
	q.Account = h.a.ID
	q.Remote.URL, q.Remote.User, q.Remote.Password = at.URL, remote.User, remote.Password
	q.Remote.Retries, q.Remote.MaxWait = 2, time.Millisecond
	q.Remote.Transport = anyHost{at.Listener.Addr().String()}
	q.Remote.URL = "http://localhost" // the same name each time, as a server has
	var out report
	err := TakeOver(ctx, h.s, q, func(e TakeoverEvent) error {
		switch {
		case e.Left != nil:
			out.left = append(out.left, *e.Left)
		case e.Note != nil:
			out.notes = append(out.notes, *e.Note)
		case e.Mended != nil:
			out.mended = append(out.mended, *e.Mended)
		case e.Refused != nil:
			out.refused = append(out.refused, *e.Refused)
		case e.Collection != nil:
			out.colls = append(out.colls, *e.Collection)
		case e.Done != nil:
			out.done = e.Done
		}
		if hear != nil {
			return hear(e)
		}
		return nil
	})
	return out, err
}

// anyHost brings every request to one server.
type anyHost struct{ addr string }

func (a anyHost) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Host = a.addr
	return http.DefaultTransport.RoundTrip(r)
}

// holds is what a collection has, by name; nil where it is not there.
func (h *house) holds(t testing.TB, path string) map[string]string {
	t.Helper()
	at, err := h.s.Locate(t.Context(), h.p, h.a.ID, strings.Split(path, "/"))
	if err != nil {
		t.Fatal(err)
	}
	if len(at.Rest) > 0 {
		return nil
	}
	out := map[string]string{}
	err = h.s.Read(t.Context(), h.p, h.a.ID, func(r *core.Reader) error {
		return r.List(at.Collection.ID, "", 0, core.WithBody, func(m *holdfast.Resource) error { out[m.Name] = string(m.Body); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func sameItems(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d items, want %d", what, len(got), len(want))
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s: %s is %q, want %q", what, k, got[k], v)
			return
		}
	}
}

func TestTakeOver(t *testing.T) {
	h, s, dir := newHouse(t), far(230, 120), t.TempDir()
	s.Collections = append(s.Collections, &remote.Collection{Path: remote.Calendars + "trash/", Types: "<NC:trash-bin/>"},
		&remote.Collection{Path: remote.Calendars + "team/", Types: "<C:calendar/>", Props: "<D:owner><D:href>/p/bob/</D:href></D:owner>"})

	dry, err := h.takeOver(t, t.Context(), s, TakeoverRequest{Dir: dir, DryRun: true}, nil)
	if err != nil || dry.done.Accepted != 350 || dry.done.Created != 350 || h.holds(t, "calendars/personal") != nil {
		t.Errorf("dry run: %+v, %v", dry.done, err)
	}
	got, err := h.takeOver(t, t.Context(), s, TakeoverRequest{Dir: dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Sums{Listed: 350, Accepted: 350, Created: 350, Fetched: 350, Verified: 350}
	if got.done.Sums != want || !got.done.Equal || len(got.colls) != 2 || len(got.left) != 2 || len(got.refused)+len(got.notes) > 0 {
		t.Errorf("%+v", got)
	}
	sameItems(t, "calendar", h.holds(t, "calendars/personal"), s.Collections[0].Items)
	sameItems(t, "address book", h.holds(t, "addressbooks/contacts"), s.Collections[1].Items)
	at, _ := h.s.Locate(t.Context(), h.p, h.a.ID, []string{"calendars", "personal"})
	c := at.Collection
	if fmt.Sprint(c.Components) != "[VEVENT VTODO]" || !strings.Contains(string(c.Properties.Get(nsDAV, "displayname")), ">Alice&#39;s &lt;days&gt;<") ||
		!strings.Contains(string(c.Properties.Get(nsApple, "calendar-color")), ">#3366CCFF<") || !strings.Contains(string(c.Properties.Get(nsApple, "calendar-order")), ">3<") {
		t.Errorf("collection: %+v", c)
	}
	for _, r := range s.Requests() {
		if m, _, _ := strings.Cut(r, " "); m != "PROPFIND" && m != "REPORT" && m != "GET" {
			t.Errorf("it wrote over there: %s", r)
		}
	}
	// Again: nothing is fetched, nothing doubled. Without the notebook all is fetched, and nothing doubled either.
	again, err := h.takeOver(t, t.Context(), s, TakeoverRequest{Dir: dir}, nil)
	if want := (Sums{Listed: 350, Accepted: 350, Already: 350, Verified: 350}); err != nil || again.done.Sums != want || !again.done.Equal {
		t.Errorf("again: %+v, %v", again.done, err)
	}
	again, err = h.takeOver(t, t.Context(), s, TakeoverRequest{Dir: t.TempDir()}, nil)
	if want := (Sums{Listed: 350, Accepted: 350, Already: 350, Fetched: 350, Verified: 350}); err != nil || again.done.Sums != want || !again.done.Equal {
		t.Errorf("without notes: %+v, %v", again.done, err)
	}
	shared, err := h.takeOver(t, t.Context(), s, TakeoverRequest{Dir: dir, Shared: true}, nil)
	if err != nil || len(shared.colls) != 3 || h.holds(t, "calendars/team") == nil {
		t.Errorf("shared: %+v, %v", shared, err)
	}
}

// TestTakeOverGoesOn stops it after each of many steps, and runs it again.
func TestTakeOverGoesOn(t *testing.T) {
	h, s, dir := newHouse(t), far(450, 0), t.TempDir()
	stopped := errors.New("stopped")
	fetched := 0
	for step := 0; ; step++ {
		if step > 50 {
			t.Fatal("it never ends")
		}
		last := TakeoverTotals{}
		r, err := h.takeOver(t, t.Context(), s, TakeoverRequest{Dir: dir}, func(e TakeoverEvent) error {
			if e.Progress != nil {
				last = *e.Progress
				if last.Fetched >= 100 && !strings.HasPrefix(last.Now, "comparing") {
					return stopped
				}
			}
			return nil
		})
		fetched += last.Fetched
		if err == nil {
			if r.done.Accepted != 450 || !r.done.Equal {
				t.Errorf("%+v", r.done)
			}
			break
		}
		if !errors.Is(err, stopped) {
			t.Fatal(err)
		}
		if step == 1 { // torn, as a power cut leaves it
			list, _ := filepath.Glob(filepath.Join(dir, "*.jsonl"))
			b, err := os.ReadFile(list[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(list[0], b[:len(b)-7], 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if fetched > 450+1 {
		t.Errorf("%d items were fetched for 450", fetched)
	}
	sameItems(t, "calendar", h.holds(t, "calendars/personal"), s.Collections[0].Items)
}

// TestTakeOverKeepsWhatIsHere edits on both sides between two runs.
func TestTakeOverKeepsWhatIsHere(t *testing.T) {
	h, s, dir := newHouse(t), far(8, 0), t.TempDir()
	if _, err := h.takeOver(t, t.Context(), s, TakeoverRequest{Dir: dir}, nil); err != nil {
		t.Fatal(err)
	}
	at, _ := h.s.Locate(t.Context(), h.p, h.a.ID, []string{"calendars", "personal"})
	here := func(name, body string) {
		t.Helper()
		q := core.PutRequest{Place: core.Place{Owner: h.a.ID, Collection: at.Collection.ID, Name: name}, Body: []byte(body)}
		if _, _, err := h.s.Put(t.Context(), h.p, q); err != nil {
			t.Fatal(err)
		}
	}
	there := s.Collections[0].Items
	here("E0000.ics", component(kindEvent, "uid-0", "edited here"))
	here("E0001.ics", component(kindEvent, "uid-1", "edited here"))
	there["E0001.ics"] = component(kindEvent, "uid-1", "edited there too")
	there["E0002.ics"] = component(kindEvent, "uid-2", "edited there")
	there["new.ics"] = component(kindEvent, "new", "made there")
	delete(there, "E0003.ics")
	if _, err := h.s.Delete(t.Context(), h.p, core.Place{Owner: h.a.ID, Collection: at.Collection.ID, Name: "E0004.ics"}, holdfast.Precondition{}, nil); err != nil {
		t.Fatal(err)
	}
	r, err := h.takeOver(t, t.Context(), s, TakeoverRequest{Dir: dir}, nil)
	want := Sums{Listed: 8, Accepted: 7, Created: 2, Already: 3, Replaced: 1, Kept: 1, Refused: 1, Fetched: 4, Verified: 6}
	if err != nil || r.done.Sums != want || !r.done.Equal || len(r.refused) != 1 || r.refused[0].Precondition != "no-uid-conflict" ||
		!strings.HasSuffix(r.refused[0].Why, "; it stays, and --replace puts this one in its place") {
		t.Errorf("%+v, %v, %v", r.done, r.refused, err)
	}
	for _, c := range r.colls {
		if alone := map[bool]int{true: 1}[c.Into == "calendars/personal"]; c.Alone != alone { // E0003.ics
			t.Errorf("%s: %d are here alone, want %d", c.Into, c.Alone, alone)
		}
	}
	got := h.holds(t, "calendars/personal")
	for name, word := range map[string]string{"E0000.ics": "edited here", "E0001.ics": "edited here", "E0002.ics": "edited there", "new.ics": "made there", "E0003.ics": "SUMMARY:x", "E0004.ics": "SUMMARY:x"} {
		if !strings.Contains(got[name], word+"\r\n") {
			t.Errorf("%s: %q", name, got[name])
		}
	}
	if r, err = h.takeOver(t, t.Context(), s, TakeoverRequest{Dir: dir, Replace: true}, nil); err != nil || r.done.Replaced != 2 || r.done.Refused != 0 {
		t.Errorf("replace: %+v, %v", r.done, err)
	}
	delete(there, "none")
	got = h.holds(t, "calendars/personal")
	for name, v := range there {
		if got[name] != v {
			t.Errorf("replaced %s: %q", name, got[name])
		}
	}
}

// TestTakeOverSeesChanges changes the other server while it is taken over.
func TestTakeOverSeesChanges(t *testing.T) {
	for name, always := range map[string]bool{"once": false, "again and again": true} {
		h, s := newHouse(t), far(20, 0)
		lists := 0
		s.Before = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == "PROPFIND" && strings.HasSuffix(r.URL.Path, "/personal/") {
				if lists++; lists == 2 || always && lists > 1 {
					s.Collections[0].Items["E0000.ics"] = component(kindEvent, "uid-0", fmt.Sprint("changed ", lists))
					delete(s.Collections[0].Items, "E0001.ics")
					s.Collections[0].Items["late.ics"] = component(kindEvent, "late", "late")
				}
			}
			return false
		}
		r, err := h.takeOver(t, t.Context(), s, TakeoverRequest{Dir: t.TempDir()}, nil)
		if err != nil {
			t.Fatal(err)
		}
		moving := map[bool]int{false: 1, true: 2}[always]
		if r.done.Moving != moving || r.done.Accepted != 21 || r.done.Listed != 20 || !r.done.Equal {
			t.Errorf("%s: %+v", name, r.done)
		}
		if got := h.holds(t, "calendars/personal"); len(got) != 21 || !always && !strings.Contains(got["E0000.ics"], "changed 2") {
			t.Errorf("%s: %d items, %q", name, len(got), got["E0000.ics"])
		}
	}
}

func TestTakeOverNames(t *testing.T) {
	h, s := newHouse(t), remote.New()
	todo := map[string]string{"t.ics": component(kindTodo, "t", "x")}
	s.Collections = []*remote.Collection{
		{Path: remote.Books + "default/", Types: "<CR:addressbook/>", Items: map[string]string{"a.vcf": card("a")}, Props: "<D:displayname>Everybody</D:displayname>"},
		{Path: remote.Calendars + "default/", Types: "<C:calendar/>", Items: todo, Props: "<A:calendar-color>red</A:calendar-color>"},
		{Path: remote.Calendars + "inbox/", Types: "<C:calendar/>", Items: map[string]string{}},
		{Path: remote.Calendars + "a\\b/", Types: "<C:calendar/>", Items: map[string]string{"x\\y.ics": component(kindEvent, "e", "x")}},
		{Path: remote.Calendars + "tasks/", Types: "<C:calendar/>", Items: map[string]string{}, Props: `<C:supported-calendar-component-set><C:comp name="VTODO"/></C:supported-calendar-component-set>`},
		{Path: remote.Calendars + "of_bob/", Types: "<C:calendar/>", Items: map[string]string{}, Props: "<D:displayname>Bob's days</D:displayname><D:owner><D:href>/p/bob/</D:href></D:owner>"},
	}
	r, err := h.takeOver(t, t.Context(), s, TakeoverRequest{}, nil)
	if err != nil || r.done.Accepted != 3 || !r.done.Equal {
		t.Fatalf("%+v, %v", r, err)
	}
	if len(r.left) != 1 || r.left[0].Name != "Bob's days" {
		t.Errorf("left: %+v", r.left)
	}
	var into []string
	for _, c := range r.colls {
		into = append(into, c.Into)
	}
	slices.Sort(into)
	if got := strings.Join(into, " "); got != "addressbooks/default calendars/a-b calendars/default-2 calendars/inbox-2 calendars/tasks" {
		t.Errorf("into %s", got)
	}
	if len(r.notes) != 5 { // four names, and a colour that is none
		t.Errorf("notes: %v", r.notes)
	}
	at, _ := h.s.Locate(t.Context(), h.p, h.a.ID, []string{"addressbooks", "default"})
	if !strings.Contains(string(at.Collection.Properties.Get(nsDAV, "displayname")), "Everybody") {
		t.Error("an empty address book that nobody named kept its name")
	}
	if again, err := h.takeOver(t, t.Context(), s, TakeoverRequest{}, nil); err != nil || again.done.Created != 0 || len(again.colls) != 5 {
		t.Errorf("again: %+v, %v", again, err)
	}
}

func TestTakeOverTellsWhatFails(t *testing.T) {
	h, s := newHouse(t), far(5, 0)
	items := s.Collections[0].Items
	items["junk.ics"] = "this is no calendar"
	items["twin.ics"] = component(kindEvent, "uid-1", "the same UID, other octets")
	items["note.ics"] = component(kindJournal, "a-note", "in a calendar that takes none")
	items["E0002.ics"] = strings.Replace(items["E0002.ics"], "UID:uid-2\r\n", "", 1)
	s.Broken = map[string]bool{"E0003.ics": true}
	s.Missing = map[string]bool{"E0003.ics": true}
	s.Collections = append(s.Collections, &remote.Collection{Path: remote.Calendars + "away/", Types: "<C:calendar/>"}, &remote.Collection{Path: remote.Calendars + "theirs/", Types: "<C:calendar/>"})
	s.Failing = map[string]int{remote.Calendars + "away/": 500, remote.Calendars + "theirs/": 403}
	r, err := h.takeOver(t, t.Context(), s, TakeoverRequest{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for _, x := range r.refused {
		rules = append(rules, filepath.Base(x.File)+" "+x.Precondition)
	}
	slices.Sort(rules)
	if got := strings.Join(rules, ", "); got != "E0003.ics not-fetched, away not-fetched, junk.ics supported-calendar-data, twin.ics no-uid-conflict" {
		t.Errorf("refused: %s", got)
	}
	if len(r.mended) != 2 || h.holds(t, "calendars/notes")["note.ics"] != items["note.ics"] || r.done.Accepted != 5 || !r.done.Equal {
		t.Errorf("%+v %+v", r.mended, r.done)
	}
}

func TestTakeOverNeedsTheServer(t *testing.T) {
	h, s := newHouse(t), far(5, 0)
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == "REPORT" || r.Method == "GET" {
			w.WriteHeader(503)
			return true
		}
		return false
	}
	_, err := h.takeOver(t, t.Context(), s, TakeoverRequest{}, nil)
	if !holdfast.IsKind(err, holdfast.Unavailable) || !strings.Contains(err.Error(), "personal") || strings.Contains(err.Error(), remote.Password) {
		t.Errorf("got %v", err)
	}
	if err := TakeOver(t.Context(), h.s, TakeoverRequest{Account: h.a.ID, Remote: davclient.Options{URL: "http://dav.example.org"}}, nil); !holdfast.IsKind(err, holdfast.Forbidden) {
		t.Errorf("got %v", err)
	}
}

// TestTakeOverGoesOnBesideABrokenCollection holds that what concerns one collection keeps no other back.
func TestTakeOverGoesOnBesideABrokenCollection(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter){
		"500": func(w http.ResponseWriter) { w.WriteHeader(500) }, "403": func(w http.ResponseWriter) { w.WriteHeader(403) }, "404": func(w http.ResponseWriter) { w.WriteHeader(404) },
		"cut short": func(w http.ResponseWriter) { w.WriteHeader(207); fmt.Fprint(w, `<multistatus xmlns="DAV:"><response>`) },
		"no XML":    func(w http.ResponseWriter) { w.WriteHeader(207); fmt.Fprint(w, "hello") },
	} {
		h, s := newHouse(t), far(5, 5)
		s.Before = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/contacts/") {
				return false
			}
			answer(w)
			return true
		}
		r, err := h.takeOver(t, t.Context(), s, TakeoverRequest{}, nil)
		if err != nil || r.done.Accepted != 5 || r.done.Refused != 1 || len(r.refused) != 1 || !strings.HasSuffix(r.refused[0].File, "/contacts/") || len(r.colls) != 2 {
			t.Errorf("%s: %+v, %+v, %v", name, r.done, r.refused, err)
		}
	}
}

// TestTakeOverFollowsARename holds that a collection that was moved here since is found again.
func TestTakeOverFollowsARename(t *testing.T) {
	h, s, dir := newHouse(t), far(5, 0), t.TempDir()
	if _, err := h.takeOver(t, t.Context(), s, TakeoverRequest{Dir: dir}, nil); err != nil {
		t.Fatal(err)
	}
	home, _ := h.s.Locate(t.Context(), h.p, h.a.ID, []string{"calendars"})
	at, _ := h.s.Locate(t.Context(), h.p, h.a.ID, []string{"calendars", "personal"})
	move := core.Transfer{From: core.Place{Owner: h.a.ID, Collection: at.Collection.ID}, To: core.Place{Owner: h.a.ID, Collection: home.Collection.ID, Name: "mine"}}
	if _, err := h.s.Move(t.Context(), h.p, move); err != nil {
		t.Fatal(err)
	}
	s.Collections[0].Items["new.ics"] = component(kindEvent, "new", "x")
	r, err := h.takeOver(t, t.Context(), s, TakeoverRequest{Dir: dir}, nil)
	if err != nil || r.done.Created != 1 || r.done.Already != 5 || h.holds(t, "calendars/personal") != nil || len(h.holds(t, "calendars/mine")) != 6 {
		t.Errorf("%+v, %v", r.done, err)
	}
}
