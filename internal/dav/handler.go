package dav

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/davxml"
	"holdfast/internal/locks"
	"holdfast/internal/uploads"
)

// Options wires a Handler. Core and Authenticate must be given.
type Options struct {
	Core *core.Service
	// Authenticate says who asks. An error of kind Unauthorized is answered 401; any other by the table, so that a store that cannot be read never
	// looks like a wrong password.
	Authenticate func(*http.Request) (holdfast.Principal, error)
	Extensions   []Extension
	Refused      Refused // nil: nothing is kept of what is refused

	Uploads    *uploads.Store             // of files that arrive in chunks; nil: they do not
	Locks      *locks.Table               // of files; nil: there are none, and no class 2
	SpoolDir   string                     // where answers over 1 MiB wait; "" is the system's directory for temporary files
	MaxAnswer  int64                      // octets of one answer that is spooled; a longer one is refused with 507; default 256 MiB
	SpoolTotal int64                      // octets of all answers that wait to be sent; beyond: 503; default 1 GiB
	Log        *slog.Logger               // nil: nothing is logged
	RequestID  func(*http.Request) string // nil: answers carry none
	RetryAfter time.Duration              // of a 503 that does not say better; default 300 s
	Limits     davxml.Limits              // of request bodies in XML; zero fields are davxml's defaults, but for Props: 200
	Hosts      []string                   // names of this server in Destination and If beside the request's own Host: those of a public URL
	// Host, if set, is the name that the client calls this server by, as a proxy that is trusted tells it; "" where none does. It counts beside Hosts.
	Host func(*http.Request) string
	// BodyBudget is how many octets of bodies over 64 KiB are held at once, over all requests; beyond: 503. XML counts fourfold, for what is made of
	// it. Default 128 MiB.
	BodyBudget int64
	// MaxUploads is how many files and chunks over 64 KiB come at once; of one account as many as there are places left. Beyond: 503. Default 256.
	MaxUploads int
	// MaxDownloads is how many files over 64 KiB are read at once, likewise. Default 256.
	MaxDownloads int
	// MaxListings is how many listings are made at once: fewer than the store can be read by, so that whoever asks for one thing finds a place. Of one account one fewer, if that is any. Others wait for ten seconds; beyond: 503. Default 3.
	MaxListings int
	Room        func(octets int64) bool // tells whether the disk has room for so many octets more; nil: it is found out by writing
	BodyIdle    time.Duration           // a body that stops for so long is cut; default 30 s
	BodyTotal   time.Duration           // a body that takes so long in all is cut; default 10 min
	WriteIdle   time.Duration           // a client that does not read for so long is cut; default 60 s
	WriteRate   int64                   // octets that a client must read in a second, after WriteIdle, over the whole answer; default 16 KiB
	Clock       clock.Clock             // of deadlines; nil: the system's
}

func (o Options) withDefaults() Options {
	def := func(p *time.Duration, v time.Duration) {
		if *p <= 0 {
			*p = v
		}
	}
	def(&o.RetryAfter, 300*time.Second)
	def(&o.BodyIdle, 30*time.Second)
	def(&o.BodyTotal, 10*time.Minute)
	def(&o.WriteIdle, time.Minute)
	size := func(p *int64, v int64) {
		if *p <= 0 {
			*p = v
		}
	}
	size(&o.MaxAnswer, 256<<20)
	size(&o.SpoolTotal, 1<<30)
	size(&o.WriteRate, 16<<10)
	size(&o.BodyBudget, 128<<20)
	if o.MaxUploads <= 0 {
		o.MaxUploads = 256
	}
	if o.MaxDownloads <= 0 {
		o.MaxDownloads = 256
	}
	if o.MaxListings <= 0 {
		o.MaxListings = 3
	}
	if o.Limits.Props <= 0 {
		o.Limits.Props = 200 // each is answered for each member, also where there is none
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Refused == nil {
		o.Refused = nobody{}
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	return o
}

// Handler serves /dav/, /remote.php/dav/, /remote.php/webdav/, /.well-known/carddav, /.well-known/caldav, and PROPFIND and OPTIONS of "/". It must get
// paths as they were sent: not through an http.ServeMux, which answers "//" and ".." with redirects of its own.
type Handler struct {
	o         Options
	davs      string // the DAV header
	locking   string // … where there are locks
	tables    map[kindOfPlace]*table
	spools    budget
	bodies    budget
	uploads   gate
	downloads gate
	listings  turns
	seen      sightings
	flights   flights
}

// New makes a Handler.
func New(o Options) *Handler {
	h := &Handler{o: o.withDefaults()}
	h.spools.most, h.bodies.most, h.uploads.most, h.downloads.most, h.listings.most = h.o.SpoolTotal, h.o.BodyBudget, h.o.MaxUploads, h.o.MaxDownloads, h.o.MaxListings
	h.o.Extensions = append(slices.Clip(h.o.Extensions), files(h.o.Locks != nil))
	tokens := []string{"1", "3", "extended-mkcol", "access-control", "sync-collection"}
	for _, x := range o.Extensions {
		tokens = append(tokens, x.Compliance...)
	}
	h.davs = strings.Join(tokens, ", ")
	h.locking = strings.Join(slices.Insert(slices.Clone(tokens), 1, "2"), ", ")
	h.makeTables()
	return h
}

// Serves tells whether a path is one of this handler's, so that a router can be written without knowing them. "/" is not among them: the router
// decides by method (see [Handler]).
func Serves(path string) bool {
	for _, p := range []string{"/dav", "/remote.php/dav", "/remote.php/webdav", "/.well-known/carddav", "/.well-known/caldav"} {
		if rest, ok := strings.CutPrefix(path, p); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := &request{h: h, w: w, r: r}
	defer q.release()
	q.watch()
	if h.o.RequestID != nil {
		w.Header().Set("X-Request-Id", h.o.RequestID(r))
	}
	if strings.HasPrefix(r.URL.Path, "/.well-known/") {
		q.redirect()
		return
	}
	if err := q.serve(); err != nil {
		q.fail(err)
	}
}

// redirect sends discovery to where collections are (RFC 6764 section 5), whatever the method and whoever asks. 301 is what servers have sent here since the RFC,
// so every client follows it with its PROPFIND unchanged; 308 is unknown to some.
func (q *request) redirect() {
	h := q.w.Header()
	h.Set("Location", "/dav/")
	h.Set("Cache-Control", "max-age=3600")
	h.Set("Content-Length", "0")
	q.w.WriteHeader(http.StatusMovedPermanently)
}

// methods are those that this server knows. Others are 501, known ones that do not fit the resource 405.
var methods = map[string]func(*request) error{
	http.MethodOptions: (*request).options,
	http.MethodGet:     (*request).get,
	http.MethodHead:    (*request).get,
	http.MethodPut:     (*request).put,
	http.MethodPost:    (*request).post,
	http.MethodDelete:  (*request).delete,
	"COPY":             (*request).transfer,
	"MOVE":             (*request).transfer,
	"MKCOL":            (*request).mkcol,
	"PROPFIND":         (*request).propfind,
	"PROPPATCH":        (*request).proppatch,
	"REPORT":           (*request).report,
	"ACL":              (*request).acl,
	"LOCK":             (*request).lock,
	"UNLOCK":           (*request).unlock,
	"MKCALENDAR":       (*request).mkcol,
	"SEARCH":           (*request).notAllowed,
	http.MethodPatch:   (*request).notAllowed,
	http.MethodTrace:   (*request).notAllowed,
}

func (q *request) serve() error {
	method, known := methods[q.r.Method]
	if !known {
		return Refuse(http.StatusNotImplemented, davxml.Name{}, "the method "+short(q.r.Method)+" is not known here")
	}
	if strings.ContainsRune(q.r.RequestURI, '#') {
		return Refuse(http.StatusBadRequest, davxml.Name{}, "a request names no fragment")
	}
	if q.r.Method == http.MethodOptions && q.r.URL.Path == "*" {
		return q.options()
	}
	var err error
	if q.path, err = ParsePath(q.r.URL.EscapedPath()); err != nil {
		return err
	}
	if q.r.Method == http.MethodOptions && q.r.Header.Get("Authorization") == "" {
		return q.options() // some clients ask what this is before they ask for a password; the answer is the same for every account
	}
	if q.p, err = q.h.o.Authenticate(q.r); err != nil {
		return err
	}
	q.h.seen.note(q.h, q.p)
	q.verb = q.r.Method
	if q.path.Area == areaUploads {
		return q.uploads()
	}
	if err = q.locate(); err != nil {
		return err
	}
	return method(q)
}

func (q *request) notAllowed() error {
	return &Refusal{Status: http.StatusMethodNotAllowed, Allow: q.allow(), Text: "the method " + short(q.r.Method) + " is not allowed for this resource"}
}

// acl refuses the ACL method: who may do what is said elsewhere (RFC 3744 section 8.1 lets a server hold all its ACEs protected).
func (q *request) acl() error {
	return Refuse(http.StatusForbidden, davxml.Name{Space: davxml.NSDAV, Local: "no-ace-conflict"}, "rights cannot be changed by WebDAV; the operator of this server gives and takes them")
}

func short(s string) string {
	if len(s) > 40 {
		s = s[:40] + "…"
	}
	return s
}

// sightings keeps last-seen from being noted more often than once a minute for each device.
type sightings struct {
	mu   sync.Mutex
	last map[holdfast.ID]int64 // minute
}

// maxSeen bounds what is remembered; forgetting costs a note too many, nothing else.
const maxSeen = 100_000

func (s *sightings) note(h *Handler, p holdfast.Principal) {
	if p.Device.IsZero() {
		return
	}
	minute := h.o.Core.Now().Unix() / 60
	s.mu.Lock()
	known := s.last[p.Device] == minute
	if !known {
		if s.last == nil || len(s.last) >= maxSeen {
			s.last = map[holdfast.ID]int64{}
		}
		s.last[p.Device] = minute
	}
	s.mu.Unlock()
	if !known {
		h.o.Core.Saw(holdfast.Sighting{Account: p.Account, Device: p.Device})
	}
}
