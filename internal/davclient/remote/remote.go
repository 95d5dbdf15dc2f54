// Package remote is another server in a test's hand: it has address books and calendars, and the faults that servers have.
package remote

import (
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"

	"holdfast"
)

// Where things are. User stands in all of them.
const (
	User      = "alice"
	Password  = "correct horse"
	Principal = "/p/alice/"
	Calendars = "/cal/alice/"
	Books     = "/card/alice/"
)

// Collection is one of the server's.
type Collection struct {
	Path  string
	Types string // inside of DAV:resourcetype, beside DAV:collection: "<C:calendar/>"
	Props string // more properties, as XML
	Items map[string]string
}

// Server is the handler. Its fields are set before it is asked anything, or between requests.
type Server struct {
	mu          sync.Mutex
	Collections []*Collection
	Log         []string // method and path of each request

	Before     func(w http.ResponseWriter, r *http.Request) bool // answers in the server's place where it returns true
	Root       bool                                              // PROPFIND is answered at / too; otherwise only from /.well-known on
	CalHome    string                                            // instead of Calendars: a whole URL
	NoMultiget bool                                              // answers 501
	NoSize     bool
	NoSync     bool
	Absolute   string          // hrefs begin with this: "http://internal:80"
	Missing    map[string]bool // names that a multiget leaves out
	Altered    bool            // a multiget gives other octets than GET
	Cut        int             // listings end after so many octets
	Page       int             // members in one listing
	Broken     map[string]bool // names whose GET answers 500
	Failing    map[string]int  // names, and paths of collections, that listings have with a status alone
}

// New returns a server with an empty calendar and an empty address book.
func New() *Server {
	return &Server{Collections: []*Collection{
		{Path: Calendars + "personal/", Types: "<C:calendar/>", Items: map[string]string{}, Props: `<C:supported-calendar-component-set><C:comp name="VEVENT"/><C:comp name="VTODO"/></C:supported-calendar-component-set>` +
			`<D:displayname>Alice's &lt;days&gt;</D:displayname><A:calendar-color>#3366CCFF</A:calendar-color><A:calendar-order>3</A:calendar-order>` +
			`<D:owner><D:href>` + Principal + `</D:href></D:owner>`},
		{Path: Books + "contacts/", Types: "<CR:addressbook/>", Items: map[string]string{}, Props: `<D:displayname>Contacts</D:displayname><D:owner><D:href>` + Principal + `</D:href></D:owner>`},
	}}
}

// Change runs fn while nothing is answered.
func (s *Server) Change(fn func()) { s.mu.Lock(); defer s.mu.Unlock(); fn() }

// Requests returns the log.
func (s *Server) Requests() []string { s.mu.Lock(); defer s.mu.Unlock(); return slices.Clone(s.Log) }

const head = `<?xml version="1.0" encoding="utf-8"?>` + "\n" + `<D:multistatus xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CR="urn:ietf:params:xml:ns:carddav" ` +
	`xmlns:CS="http://calendarserver.org/ns/" xmlns:A="http://apple.com/ns/ical/" xmlns:NC="http://nextcloud.com/ns">`

// ServeHTTP answers as a server of calendars and contacts does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Log = append(s.Log, r.Method+" "+r.URL.Path)
	if s.Before != nil && s.Before(w, r) {
		return
	}
	if u, p, ok := r.BasicAuth(); !ok || u != User || p != Password {
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	switch {
	case strings.HasPrefix(r.URL.Path, "/.well-known/"):
		http.Redirect(w, r, "/dav/", http.StatusMovedPermanently)
	case r.Method == http.MethodGet:
		s.get(w, r)
	case r.Method == "PROPFIND":
		s.propfind(w, r)
	case r.Method == "REPORT":
		s.report(w, r, string(body))
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (s *Server) at(p string) *Collection {
	for _, c := range s.Collections {
		if c.Path == p {
			return c
		}
	}
	return nil
}

func (s *Server) get(w http.ResponseWriter, r *http.Request) {
	c := s.at(path.Dir(r.URL.Path) + "/")
	name := path.Base(r.URL.Path)
	if c == nil || c.Items[name] == "" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if s.Broken[name] {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("ETag", `"`+Tag(c.Items[name])+`"`)
	io.WriteString(w, c.Items[name])
}

// Tag is the ETag of octets.
func Tag(body string) string { return holdfast.HashOf([]byte(body)).String()[:16] }

func (s *Server) href(p string) string {
	return s.Absolute + (&url.URL{Path: p}).EscapedPath()
}

func (s *Server) response(p, props string) string {
	return "<D:response><D:href>" + s.href(p) + "</D:href><D:propstat><D:prop>" + props + "</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>" +
		"<D:propstat><D:prop><D:quota-used-bytes/></D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat></D:response>\n"
}

func (s *Server) failed(p string, status int) string {
	return fmt.Sprintf("<D:response><D:href>%s</D:href><D:status>HTTP/1.1 %d %s</D:status></D:response>", s.href(p), status, http.StatusText(status))
}

func (s *Server) propfind(w http.ResponseWriter, r *http.Request) {
	p := r.URL.Path
	switch {
	case p == "/dav/" || p == "/" && s.Root:
		s.answer(w, s.response(p, `<D:resourcetype><D:collection/></D:resourcetype><D:current-user-principal><D:href>`+Principal+`</D:href></D:current-user-principal>`), "")
	case p == Principal:
		home := s.CalHome
		if home == "" {
			home = Calendars
		}
		s.answer(w, s.response(p, `<D:resourcetype><D:principal/></D:resourcetype><C:calendar-home-set><D:href>`+home+`</D:href></C:calendar-home-set><CR:addressbook-home-set><D:href>`+
			Books+`</D:href></CR:addressbook-home-set>`), "")
	case p == Calendars || p == Books:
		out := s.response(p, "<D:resourcetype><D:collection/></D:resourcetype>")
		for _, c := range s.Collections {
			if status := s.Failing[c.Path]; status != 0 {
				out += s.failed(c.Path, status)
			} else if strings.HasPrefix(c.Path, p) {
				out += s.response(c.Path, "<D:resourcetype><D:collection/>"+c.Types+"</D:resourcetype>"+c.Props)
			}
		}
		s.answer(w, out, "")
	default:
		s.members(w, r, 0)
	}
}

func (s *Server) members(w http.ResponseWriter, r *http.Request, from int) {
	c := s.at(r.URL.Path)
	if c == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	out := s.response(c.Path, "<D:resourcetype><D:collection/>"+c.Types+"</D:resourcetype>"+c.Props)
	token := ""
	for i, name := range slices.Sorted(maps.Keys(c.Items)) {
		if i < from || r.Header.Get("Depth") == "0" && r.Method == "PROPFIND" {
			continue
		}
		if s.Page > 0 && i >= from+s.Page {
			out += s.failed(c.Path, http.StatusInsufficientStorage)
			token = fmt.Sprint(i)
			break
		}
		if status := s.Failing[name]; status != 0 {
			out += s.failed(c.Path+name, status)
			continue
		}
		size := fmt.Sprintf("<D:getcontentlength>%d</D:getcontentlength>", len(c.Items[name]))
		if s.NoSize {
			size = ""
		}
		out += s.response(c.Path+name, "<D:resourcetype/><D:getetag>\""+Tag(c.Items[name])+"\"</D:getetag>"+size)
	}
	s.answer(w, out, token)
}

func (s *Server) report(w http.ResponseWriter, r *http.Request, body string) {
	if strings.Contains(body, "sync-collection") {
		if s.NoSync {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		from := 0
		_, rest, _ := strings.Cut(body, "<D:sync-token>")
		fmt.Sscan(rest, &from)
		s.members(w, r, from)
		return
	}
	c := s.at(r.URL.Path)
	if s.NoMultiget || c == nil {
		w.WriteHeader(http.StatusNotImplemented)
		return
	}
	var q struct {
		Href []string `xml:"DAV: href"`
	}
	if err := xml.Unmarshal([]byte(body), &q); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	data := "C:calendar-data"
	if strings.Contains(body, "addressbook-multiget") {
		data = "CR:address-data"
	}
	out := ""
	for _, h := range slices.Backward(q.Href) { // no order is promised
		u, err := url.Parse(h)
		if err != nil || s.Missing[path.Base(u.Path)] || c.Items[path.Base(u.Path)] == "" {
			continue
		}
		text := c.Items[path.Base(u.Path)]
		props := "<D:getetag>\"" + Tag(text) + "\"</D:getetag>"
		if s.Altered {
			text = strings.Replace(text, "BEGIN:V", "begin:V", 1)
		}
		out += s.response(u.Path, props+"<"+data+">"+strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(text)+"</"+data+">")
	}
	s.answer(w, out, "")
}

func (s *Server) answer(w http.ResponseWriter, out, token string) {
	if token != "" {
		out += "<D:sync-token>" + token + "</D:sync-token>"
	}
	out = head + out + "</D:multistatus>"
	w.Header().Set("Content-Type", "text/plain") // nobody may go by it
	w.WriteHeader(http.StatusMultiStatus)
	if s.Cut > 0 && len(out) > s.Cut {
		out = out[:s.Cut]
	}
	io.WriteString(w, out)
}
