package fleet

import (
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/davxml"
)

// fake is a small server that does all right, until wrong answers a request in its place.
type fake struct {
	*httptest.Server
	mu    sync.Mutex
	cols  map[string]*fakeCol
	wrong func(w http.ResponseWriter, r *http.Request, body string) bool // true: it has answered
	log   []string                                                       // method, path, and for REPORT what was asked
}

type fakeCol struct {
	contacts bool
	readOnly bool
	seq      int
	items    map[string]fakeItem
	gone     map[string]int
}

type fakeItem struct {
	body string
	seq  int
}

const (
	book     = "/dav/addressbooks/1/default/"
	calendar = "/dav/calendars/1/default/"
)

func newFake(t *testing.T) *fake {
	f := &fake{cols: map[string]*fakeCol{
		book:     {contacts: true, items: map[string]fakeItem{}, gone: map[string]int{}},
		calendar: {items: map[string]fakeItem{}, gone: map[string]int{}},
	}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func etagOf(it fakeItem) string { return fmt.Sprintf(`"%d"`, it.seq) }

// set stores an item as somebody else would.
func (f *fake) set(col, name, body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.cols[col]
	c.seq++
	c.items[name] = fakeItem{body, c.seq}
	delete(c.gone, name)
}

// unset deletes one as somebody else would; forget, as a server that loses data: nothing tells of it.
func (f *fake) unset(col, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.cols[col]
	c.seq++
	delete(c.items, name)
	c.gone[name] = c.seq
}

func (f *fake) forget(col, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.cols[col].items, name)
	f.cols[col].seq++
}

func (f *fake) asked(what string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range f.log {
		if strings.HasPrefix(l, what) {
			n++
		}
	}
	return n
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	line := r.Method + " " + r.URL.Path
	root, err := davxml.ParseBytes(b, davxml.Limits{})
	if err == nil && r.Method == "REPORT" {
		line = root.Name.Local + " " + r.URL.Path
	}
	f.log = append(f.log, line)
	if f.wrong != nil && f.wrong(w, r, string(b)) {
		return
	}
	switch r.Method {
	case "PROPFIND":
		f.propfind(w, r)
	case "REPORT":
		f.report(w, r, root)
	case "PUT", "DELETE", "GET":
		f.item(w, r, string(b))
	}
}

func multi(w http.ResponseWriter, inner string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(207)
	io.WriteString(w, `<?xml version="1.0"?><multistatus`+spaces+`>`+inner+`</multistatus>`)
}

func member(href, props string) string {
	return "<response><href>" + href + "</href><propstat><prop>" + props + "</prop><status>HTTP/1.1 200 OK</status></propstat></response>"
}

func notFound(href string) string {
	return "<response><href>" + href + "</href><status>HTTP/1.1 404 Not Found</status></response>"
}

func (f *fake) propfind(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if c := f.cols[path]; c != nil {
		inner := member(path, c.props(path))
		if r.Header.Get("Depth") == "1" {
			inner += c.list(path)
		}
		multi(w, inner)
		return
	}
	switch path {
	case "/":
		multi(w, member("/", "<current-user-principal><href>/dav/principals/1/</href></current-user-principal>"))
	case "/dav/principals/1/":
		multi(w, member(path, "<CARD:addressbook-home-set><href>/dav/addressbooks/1/</href></CARD:addressbook-home-set><CAL:calendar-home-set><href>/dav/calendars/1/</href></CAL:calendar-home-set>"))
	case "/dav/addressbooks/1/", "/dav/calendars/1/":
		inner := member(path, "<resourcetype><collection/></resourcetype>")
		for _, href := range slices.Sorted(maps.Keys(f.cols)) {
			if strings.HasPrefix(href, path) {
				inner += member(href, f.cols[href].props(href))
			}
		}
		multi(w, inner)
	default:
		w.WriteHeader(404)
	}
}

func (c *fakeCol) token() string { return fmt.Sprintf("token-%d", c.seq) }

func (c *fakeCol) props(string) string {
	kind, right := "<CAL:calendar/>", "<privilege><write/></privilege>"
	if c.contacts {
		kind = "<CARD:addressbook/>"
	}
	if c.readOnly {
		right = ""
	}
	return "<resourcetype><collection/>" + kind + "</resourcetype><current-user-privilege-set><privilege><read/></privilege>" + right + "</current-user-privilege-set><CS:getctag>" +
		c.token() + "</CS:getctag><sync-token>" + c.token() + "</sync-token>"
}

func (c *fakeCol) list(path string) (s string) {
	for _, name := range slices.Sorted(maps.Keys(c.items)) {
		s += member(path+name, "<resourcetype/><getetag>"+etagOf(c.items[name])+"</getetag>")
	}
	return s
}

func data(c *fakeCol, it fakeItem) string {
	tag := "CAL:calendar-data"
	if c.contacts {
		tag = "CARD:address-data"
	}
	return "<getetag>" + etagOf(it) + "</getetag><" + tag + ">" + html.EscapeString(it.body) + "</" + tag + ">"
}

func (f *fake) report(w http.ResponseWriter, r *http.Request, root *davxml.Element) {
	c := f.cols[r.URL.Path]
	if c == nil {
		w.WriteHeader(404)
		return
	}
	switch root.Name.Local {
	case "sync-collection":
		c.changes(w, r.URL.Path, root.Child(davxml.DSyncToken).TrimText())
	case "calendar-query":
		multi(w, c.list(r.URL.Path))
	default:
		inner := ""
		for h := range root.All(davxml.DHref) {
			href := h.TrimText()
			if it, ok := c.items[strings.TrimPrefix(href, r.URL.Path)]; ok {
				inner += member(href, data(c, it))
			} else {
				inner += notFound(href)
			}
		}
		multi(w, inner)
	}
}

func (c *fakeCol) changes(w http.ResponseWriter, path, token string) {
	since := 0
	if token != "" {
		if n, err := fmt.Sscanf(token, "token-%d", &since); n != 1 || err != nil || since > c.seq {
			w.WriteHeader(403)
			io.WriteString(w, `<error xmlns="DAV:"><valid-sync-token/></error>`)
			return
		}
	}
	inner := ""
	for _, name := range slices.Sorted(maps.Keys(c.items)) {
		if it := c.items[name]; it.seq > since {
			inner += member(path+name, data(c, it))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.gone)) {
		if since > 0 && c.gone[name] > since {
			inner += notFound(path + name)
		}
	}
	multi(w, inner+"<sync-token>"+c.token()+"</sync-token>")
}

func (f *fake) item(w http.ResponseWriter, r *http.Request, body string) {
	i := strings.LastIndexByte(r.URL.Path, '/') + 1
	c, name := f.cols[r.URL.Path[:i]], r.URL.Path[i:]
	it, ok := c.items[name]
	match, none := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
	switch {
	case r.Method == "GET" && ok:
		w.Header().Set("ETag", etagOf(it))
		io.WriteString(w, it.body)
	case (match != "" || r.Method != "PUT") && !ok:
		w.WriteHeader(404)
	case match != "" && match != etagOf(it), none == "*" && ok && it.body != body:
		w.WriteHeader(412)
	case r.Method == "DELETE":
		c.seq++
		delete(c.items, name)
		c.gone[name] = c.seq
		w.WriteHeader(204)
	default:
		c.seq++
		c.items[name] = fakeItem{body, c.seq}
		delete(c.gone, name)
		w.Header().Set("ETag", etagOf(c.items[name]))
		w.Header().Set("Holdfast-Receipt", fmt.Sprintf(`epoch=1, seq=%d, copies=("engine")`, c.seq))
		w.WriteHeader(204)
	}
}

// heard is a witness that writes down.
type heard struct {
	dropped, overwritten []string
	acknowledged         int
}

func (h *heard) Sending(*Device, *Item) {}
func (h *heard) Answered(_ *Device, _ *Item, r Receipt) {
	if r.Outcome == Acknowledged {
		h.acknowledged++
	}
}
func (h *heard) Dropped(_ *Device, it *Item, because string) {
	h.dropped = append(h.dropped, it.Href+": "+because)
}
func (h *heard) Overwritten(_ *Device, it *Item, because string) {
	h.overwritten = append(h.overwritten, it.Href+": "+because)
}

// rig is one device beside a fake server that holds three items in the collection which the device syncs.
type rig struct {
	*testing.T
	*fake
	heard
	d     *Device
	clock *clock.Fake
	col   string
}

func newRig(t *testing.T, k Kind) *rig { return newRigIn(t, k, k != ThunderbirdCalendar) }

func newRigIn(t *testing.T, k Kind, contacts bool) *rig {
	r := &rig{T: t, fake: newFake(t), clock: clock.NewFake(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)), col: calendar}
	if contacts {
		r.col = book
	}
	for _, name := range []string{"a", "b", "c"} {
		r.set(r.col, name, "first of "+name)
	}
	base, err := url.Parse(r.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	r.d = NewDevice("phone", k, Wire{Base: base, Login: "u", Password: "p", Transport: r.Client().Transport, Clock: r.clock}, &r.heard)
	r.sync(true)
	r.holds("a", "b", "c")
	return r
}

// sync syncs; well says whether it is to go well.
func (r *rig) sync(well bool) {
	r.Helper()
	if _, err := r.d.Sync(r.Context()); (err == nil) != well {
		r.Errorf("sync: %v", err)
	}
}

func (r *rig) c() *Collection {
	for _, c := range r.d.cols {
		if c.Href == r.col {
			return c
		}
	}
	return nil
}

func (r *rig) item(name string) *Item {
	r.Helper()
	it := r.c().Items[r.col+name]
	if it == nil {
		r.Fatalf("the device has no %s", name)
	}
	return it
}

// holds checks which items are on the device.
func (r *rig) holds(names ...string) {
	r.Helper()
	var have []string
	if c := r.c(); c != nil {
		for _, it := range c.sorted() {
			have = append(have, strings.TrimPrefix(it.Href, r.col))
		}
	}
	if !slices.Equal(have, names) {
		r.Errorf("the device holds %q, not %q; dropped: %q", have, names, r.dropped)
	}
}

// answers has requests whose line begins with one of lines answered by fn.
func (r *rig) answers(fn func(w http.ResponseWriter, r *http.Request), lines ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrong = func(w http.ResponseWriter, q *http.Request, _ string) bool {
		line := r.log[len(r.log)-1]
		if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(line, l) }) {
			return false
		}
		fn(w, q)
		return true
	}
}

func (r *rig) rightAgain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrong = nil
}

// status is an answer without a body.
func status(code int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}
