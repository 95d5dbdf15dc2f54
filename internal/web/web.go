// Package web shows the pages that people see in a browser: set-up, sign-in, an overview, how safe the data are, what happened and its undoing, the devices, and the page that a device opens to be set up.
//
// The pages are rendered here and work without any script. They say what is true and since when; what is weak or not known is never shown as good.
// Everything goes through core and auth; nothing is kept here but the links for devices that are being added, for ten minutes, in memory.
package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/auth"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/refused"
)

// Options wires a [Server]. Core and Auth must be given.
type Options struct {
	Core      *core.Service
	Auth      *auth.Service
	Setup     *auth.Setup // nil: the set-up page is off
	Proxy     *auth.Proxy // nil: no proxy is trusted
	Clock     clock.Clock
	Random    io.Reader // nil: the system's
	Log       *slog.Logger
	RequestID func(*http.Request) string // nil: pages name none

	Place  string        // where the data lies, as the set-up page tells it to the operator: "/srv/holdfast-data on this server"; empty: "the data directory on this server"
	Copies func() []Copy // where copies lie; nil: one, on this server's disk, never verified
	Proofs Proofs        // what drills have proven; nil: nothing ever is
	// Recovery makes the store's recovery key, where it has none: it is shown once, after the first account was made. It returns nil where there is one. nil: none is made here.
	Recovery  func(context.Context) (*RecoveryKey, error)
	KeyNag    func() string                                   // what should be done about the recovery key; empty: nothing. nil: nothing is known of it
	Deadline  time.Duration                                   // by when somebody is to decide of who waits because more was seen than the store has; 0: no page says one
	Retention time.Duration                                   // how long ago a version was replaced whose octets may be let go of; 0: all are kept
	Refused   func(account holdfast.ID) []refused.Kept        // what devices sent and were refused; nil: nothing is kept of it
	Returning func(account holdfast.ID) (files, octets int64) // what a restored store lacks still of the octets of large files, and copies back; nil: nothing
	Retry     time.Duration                                   // Retry-After of a 503 whose error says none; default 5 minutes
	LinkFor   time.Duration                                   // how long a device's link is good; default 10 minutes
	Now       func() time.Time                                // nil: the clock's; only examples need another
}

// Server answers for the pages.
type Server struct {
	Options
	pages  map[string]*template.Template
	assets map[string]asset // by path
	css    string           // the style sheet's path: it changes with its content
	links  *links
	guard  *http.CrossOriginProtection
}

//go:embed templates static
var files embed.FS

type asset struct {
	contentType string
	body        []byte
}

// New wires a server. It fails only if its own templates do.
func New(o Options) (*Server, error) {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Proxy == nil {
		o.Proxy = &auth.Proxy{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Retry <= 0 {
		o.Retry = 5 * time.Minute
	}
	if o.LinkFor <= 0 {
		o.LinkFor = 10 * time.Minute
	}
	if o.Place == "" {
		o.Place = "the data directory on this server"
	}
	if o.Now == nil {
		o.Now = func() time.Time { return o.Clock.Now().UTC() }
	}
	s := &Server{Options: o, links: newLinks(o.Now, o.Random, o.LinkFor), guard: http.NewCrossOriginProtection()}
	s.guard.SetDenyHandler(http.HandlerFunc(s.crossOrigin))
	if p := o.Proxy.Public; p != nil {
		if err := s.guard.AddTrustedOrigin(p.Scheme + "://" + p.Host); err != nil {
			return nil, fmt.Errorf("web: public URL: %w", err)
		}
	}
	if err := s.loadAssets(); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	return s, s.loadPages()
}

func (s *Server) loadAssets() error {
	body, err := files.ReadFile("static/holdfast.css")
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	s.css = "/assets/holdfast-" + hex.EncodeToString(sum[:6]) + ".css"
	s.assets = map[string]asset{s.css: {"text/css; charset=utf-8", body}}
	return nil
}

func (s *Server) loadPages() error {
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return err
	}
	s.pages = map[string]*template.Template{}
	for _, n := range names {
		t, err := template.New("layout.html").Funcs(s.words()).ParseFS(files, "templates/layout.html", "templates/parts.html", n)
		if err != nil {
			return fmt.Errorf("web: %w", err)
		}
		s.pages[strings.TrimSuffix(strings.TrimPrefix(n, "templates/"), ".html")] = t
	}
	return nil
}

// Routes mounts the pages. "/" takes what no other pattern of the mux takes, and answers 404.
func (s *Server) Routes(mux *http.ServeMux) {
	page := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, s.wrap(h)) }
	page("GET /{$}", s.home)
	page("GET /setup/{token}", s.setupForm)
	page("POST /setup/{token}", s.setupDo)
	page("GET /signin", s.signInForm)
	page("POST /signin", s.signInDo)
	page("POST /signout", s.signOut)
	page("GET /password", s.passwordForm)
	page("POST /password", s.passwordDo)
	page("GET /safety", s.safety)
	page("POST /safety/check", s.safetyCheck)
	page("GET /activity", s.activity)
	page("POST /activity/undo", s.undo)
	page("POST /activity/known", s.burstKnown)
	page("GET /devices", s.devices)
	page("GET /devices/new", s.deviceForm)
	page("POST /devices/new", s.deviceDo)
	page("GET /devices/{id}/added", s.deviceAdded)
	page("GET /devices/{id}/revoke", s.revokeForm)
	page("POST /devices/{id}/revoke", s.revokeDo)
	page("GET /d/{token}", s.devicePage)
	page("GET /d/{token}/holdfast.mobileconfig", s.profile)
	page("/", s.notFound)
	mux.Handle("GET /assets/{file}", http.HandlerFunc(s.asset))
}

// maxForm is the most octets of a form.
const maxForm = 64 << 10

// csp allows the style sheet, our own forms and pictures; no script from anywhere.
const csp = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// wrap gives a page its headers and keeps other sites' forms out.
func (s *Server) wrap(h http.HandlerFunc) http.Handler {
	inner := s.guard.Handler(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		inner.ServeHTTP(w, r)
	})
}

func secure(h http.Header) {
	h.Set("Content-Security-Policy", csp)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Cache-Control", "no-store")
	// Not no-referrer: browsers then send "Origin: null" with our own forms, which is how another site's form looks where Sec-Fetch-Site is missing.
	h.Set("Referrer-Policy", "same-origin")
}

func (s *Server) asset(w http.ResponseWriter, r *http.Request) {
	a, ok := s.assets[r.URL.Path]
	if !ok {
		secure(w.Header())
		s.notFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
}

// View is what every page gets. Data is the page's own.
type view struct {
	Title   string
	CSS     string
	Email   string // of who is signed in; empty: nobody
	Here    string // the path, for the navigation
	State   *stateLine
	Problem string // what was wrong with the form
	Data    any
}

// show renders a page, whole, before its first octet leaves.
func (s *Server) show(w http.ResponseWriter, r *http.Request, status int, page string, v view) {
	v.CSS, v.Here = s.css, r.URL.Path
	var b bytes.Buffer
	if err := s.pages[page].ExecuteTemplate(&b, "layout.html", v); err != nil {
		s.Log.Error("a page could not be rendered", "page", page, "err", err)
		http.Error(w, "This page could not be made. That is a fault of the server.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(bytes.Map(straight, b.Bytes()))
}

// straight leaves out what turns the direction of text around, or ends such a turn: in a name, which may be another one's, it would turn the sentence around it too. What is written from right to left is by itself.
func straight(r rune) rune {
	if r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
		return -1
	}
	return r
}

// signedIn returns who is signed in. If nobody is, it has already answered.
func (s *Server) signedIn(w http.ResponseWriter, r *http.Request) (auth.Session, bool) {
	x, err := s.Auth.Session(r)
	switch {
	case err == nil:
		return x, true
	case !holdfast.IsKind(err, holdfast.Unauthorized):
		s.fail(w, r, err)
	case r.Method == http.MethodGet && r.URL.Path != "/":
		http.Redirect(w, r, "/signin?next="+template.URLQueryEscaper(r.URL.Path), http.StatusSeeOther)
	default:
		http.Redirect(w, r, "/signin", http.StatusSeeOther)
	}
	return x, false
}

// private begins the view of a page for who is signed in.
func (s *Server) private(r *http.Request, x auth.Session, title string, data any) view {
	return view{Title: title, Email: x.Person.Email, State: s.state(r.Context(), x), Data: data}
}

// LogPath returns a request's path as a log may hold it: without the secrets that links hold.
func LogPath(path string) string {
	for _, prefix := range []string{"/setup/", "/d/"} {
		if rest, ok := strings.CutPrefix(path, prefix); ok {
			if _, tail, more := strings.Cut(rest, "/"); more {
				return prefix + "…/" + tail
			}
			return prefix + "…"
		}
	}
	return path
}
