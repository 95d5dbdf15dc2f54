package main

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"holdfast"
	"holdfast/internal/auth"
	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/core"
	"holdfast/internal/dav"
	"holdfast/internal/dav/caldav"
	"holdfast/internal/dav/carddav"
	"holdfast/internal/doctor"
	"holdfast/internal/web"
)

// judges says what each type of collection takes.
func judges(c *config.Config) map[holdfast.CollectionType]core.Judge {
	return map[holdfast.CollectionType]core.Judge{
		holdfast.TypeAddressbook: carddav.Judge(carddav.Options{MaxResource: c.Limits.Resource}),
		holdfast.TypeCalendar:    caldav.Judge(caldav.Options{MaxResource: c.Limits.Resource}),
		holdfast.TypeFolder:      dav.JudgeFile,
		holdfast.TypeHome:        dav.JudgeFile,
	}
}

// extensions are what the types of collections add to WebDAV.
func extensions(c *config.Config) []dav.Extension {
	return append(caldav.Extensions(caldav.Options{MaxResource: c.Limits.Resource}), carddav.Extension(carddav.Options{MaxResource: c.Limits.Resource}))
}

func newAuth(c *config.Config, s *core.Service, p *auth.Proxy, log *slog.Logger) *auth.Service {
	return auth.New(auth.Options{Core: s, Proxy: p, Log: log, SessionFor: c.SessionFor,
		Params: auth.Params{KiB: uint32(c.SignIn.HashMemory >> 10), Passes: uint32(c.SignIn.HashPasses)},
		Slow:   auth.Slowdown{Free: c.SignIn.Free, First: c.SignIn.FirstDelay, Max: c.SignIn.MaxDelay, Forgive: c.SignIn.Forgive, Home: c.SignIn.KnownFor}})
}

// requestID is the header that carries a request's id, to the faces and back to the client.
const requestID = "X-Request-Id"

func idOf(r *http.Request) string { return r.Header.Get(requestID) }

// face joins the faces behind the one door that every request comes through.
func (s *server) face() (http.Handler, error) {
	var hosts []string
	if s.proxy.Public != nil {
		hosts = append(hosts, s.proxy.Public.Host)
	}
	spool, err := spoolDir(s.c, s.log)
	if err != nil {
		return nil, err
	}
	d := dav.New(dav.Options{SpoolDir: spool, Core: s.store.core, Authenticate: s.store.auth.Basic, Log: s.log, RequestID: idOf, RetryAfter: s.c.RetryAfter, Hosts: hosts,
		Host:     func(r *http.Request) string { return s.proxy.Client(r).Host },
		BodyIdle: s.c.Timeouts.Stall, BodyTotal: s.c.Timeouts.Body, WriteIdle: s.c.Timeouts.Write,
		Extensions: extensions(s.c), Uploads: s.store.uploads, MaxUploads: s.c.Limits.Uploads, MaxDownloads: s.c.Limits.Downloads, MaxListings: max(1, s.c.Engine.Readers-1), Room: leavesRoom(s.c.Data), Locks: s.store.locks, Refused: s.store.refused})
	place, err := filepath.Abs(s.c.Data)
	if err != nil {
		return nil, err
	}
	pages, err := web.New(web.Options{Core: s.store.core, Auth: s.store.auth, Setup: s.setup, Proxy: s.proxy, Log: s.log, RequestID: idOf,
		Place: place + " on this server", Copies: s.copyCards, Proofs: proofs{s.store.drills}, Recovery: s.store.keeper.firstRecovery, KeyNag: s.store.keeper.nag, Retry: s.c.RetryAfter, LinkFor: s.c.DeviceLink,
		Deadline: s.c.Incident.Deadline, Retention: s.c.Vault.Retention, Refused: s.store.refused.List, Returning: s.store.back.of})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	pages.Routes(mux)
	slow := s.bounded(mux)
	echo := doctor.Echo(func(r *http.Request) (string, bool) { c := s.proxy.Client(r); return c.Addr.String(), c.HTTPS })
	return s.front(func(r *http.Request) (http.Handler, string) {
		if doctor.Probes(r, s.probe) {
			return echo, "probe"
		}
		if s.gate.why() != nil {
			return &s.gate, "gate"
		}
		switch {
		case dav.Serves(r.URL.Path), r.URL.Path == "/" && (r.Method == "PROPFIND" || r.Method == "REPORT" || r.Method == http.MethodOptions),
			r.Method == http.MethodOptions && r.URL.Path == "*":
			return d, "dav"
		}
		return slow, "web"
	}), nil
}

// maxForm bounds what a page's form can send.
const maxForm = 64 << 10

// bounded gives a page's request and answer their time, and reads a form before any work is done for it; DAV bounds its own.
func (s *server) bounded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, now := http.NewResponseController(w), clock.System.Now()
		_ = c.SetReadDeadline(now.Add(s.c.Timeouts.Stall)) // a writer that knows no deadlines is a test's
		_ = c.SetWriteDeadline(now.Add(s.c.Timeouts.Stall + s.c.Timeouts.Write))
		defer func() { _ = c.SetWriteDeadline(time.Time{}) }()
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			code, text := formTrouble(err)
			w.Header().Set("Connection", "close")
			http.Error(w, text+" Request "+idOf(r)+".", code)
			return
		}
		_ = c.SetReadDeadline(time.Time{})
		h.ServeHTTP(w, r)
	})
}

// formTrouble says why a form could not be read.
func formTrouble(err error) (code int, text string) {
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return http.StatusRequestEntityTooLarge, "This form is too large."
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return http.StatusRequestTimeout, "This form came too slowly; nothing was changed."
	}
	return http.StatusBadRequest, "This form cannot be read; nothing was changed."
}

// front is the outermost handler: it names each request, counts it, and turns a panic into an error that is logged once.
func (s *server) front(route func(*http.Request) (http.Handler, string)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := clock.System.Now()
		s.people.begin()
		id := newRequestID()
		r.Header[requestID] = []string{id}
		w.Header()[requestID] = []string{id}
		h, face := route(r)
		out := &answer{ResponseWriter: w}
		defer func() {
			p, begun := recover(), out.code != 0
			if p != nil && p != http.ErrAbortHandler {
				s.metrics.panics.Inc()
				s.log.Error("a request made the server panic", "request", id, "method", r.Method, "path", web.LogPath(r.URL.Path), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				if !begun {
					http.Error(out, "Something went wrong in this server, request "+id+". Nothing that was acknowledged is lost.", http.StatusInternalServerError)
				}
			}
			s.finish(r, face, id, out, began)
			if p != nil && (begun || p == http.ErrAbortHandler) {
				panic(http.ErrAbortHandler) // the rest of an answer that was begun must not look whole
			}
		}()
		h.ServeHTTP(out, r)
	})
}

// finish counts a request, and logs it if somebody should look at it.
func (s *server) finish(r *http.Request, face, id string, out *answer, began time.Time) {
	now := clock.System.Now()
	s.people.end(now)
	took := now.Sub(began)
	code := out.code
	if code == 0 {
		code = http.StatusOK
	}
	s.metrics.request(face, r.Method, code, took)
	level := slog.LevelDebug
	if code >= 500 && code != http.StatusServiceUnavailable {
		level = slog.LevelWarn
	}
	if !s.log.Enabled(r.Context(), level) {
		return
	}
	s.log.Log(r.Context(), level, "request", "request", id, "method", r.Method, "path", web.LogPath(r.URL.Path), "status", code,
		"octets", out.octets, "ms", strconv.FormatFloat(float64(took.Microseconds())/1000, 'f', 3, 64), "client", s.proxy.Client(r).Addr)
}

var idText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newRequestID returns 13 characters, random: short enough to be read out on the telephone.
func newRequestID() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return idText.EncodeToString(b[:])
}

// answer remembers what was answered.
type answer struct {
	http.ResponseWriter
	code   int
	octets int64
}

func (a *answer) WriteHeader(code int) {
	if a.code == 0 && code >= 200 {
		a.code = code
	}
	a.ResponseWriter.WriteHeader(code)
}

func (a *answer) Write(p []byte) (int, error) {
	if a.code == 0 {
		a.code = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(p)
	a.octets += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// publicServer is the HTTP server for phones, programs and pages.
func (s *server) publicServer(h http.Handler) *http.Server {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: s.c.Timeouts.Headers, IdleTimeout: s.c.Timeouts.Idle, MaxHeaderBytes: int(s.c.Limits.Headers)}
	if s.tls != nil {
		srv.TLSConfig = s.tls.config
	}
	return srv
}

// logger returns the log of a command that runs a service: to standard error, as text to a person and as JSON to a machine.
func (a *app) logger(c *config.Config) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Log.Level)) // was checked
	o := &slog.HandlerOptions{Level: level}
	if c.Log.Format == "text" || c.Log.Format == "auto" && terminal(a.stderr) {
		return slog.New(slog.NewTextHandler(a.stderr, o))
	}
	return slog.New(slog.NewJSONHandler(a.stderr, o))
}
