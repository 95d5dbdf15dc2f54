package web

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"holdfast"
	"holdfast/internal/auth"
)

// statusOf is the one table from kinds of errors to the statuses of pages.
var statusOf = map[holdfast.ErrorKind]int{
	holdfast.Internal:           http.StatusInternalServerError,
	holdfast.NotFound:           http.StatusNotFound,
	holdfast.Exists:             http.StatusConflict,
	holdfast.PreconditionFailed: http.StatusConflict,
	holdfast.UIDConflict:        http.StatusConflict,
	holdfast.Quota:              http.StatusInsufficientStorage,
	holdfast.Forbidden:          http.StatusForbidden,
	holdfast.Invalid:            http.StatusUnprocessableEntity,
	holdfast.TooLarge:           http.StatusUnprocessableEntity,
	holdfast.BadToken:           http.StatusUnprocessableEntity,
	holdfast.InDoubt:            http.StatusServiceUnavailable,
	holdfast.Unavailable:        http.StatusServiceUnavailable,
	holdfast.Busy:               http.StatusServiceUnavailable,
	holdfast.Full:               http.StatusInsufficientStorage,
	holdfast.Fenced:             http.StatusServiceUnavailable,
	holdfast.Corrupt:            http.StatusInternalServerError,
	holdfast.Unauthorized:       http.StatusUnauthorized,
}

// titles are the headings of error pages.
var titles = map[int]string{
	http.StatusForbidden:           "You may not do that",
	http.StatusNotFound:            "There is nothing here",
	http.StatusGone:                "This link was used",
	http.StatusConflict:            "Something else changed at the same time",
	http.StatusUnprocessableEntity: "That cannot be taken",
	http.StatusInsufficientStorage: "There is no space left",
	http.StatusServiceUnavailable:  "Not just now",
	http.StatusMethodNotAllowed:    "This page does not take that",
}

// trouble is the data of an error page.
type trouble struct {
	Text      string
	RequestID string
	Link      string // where to go on
	LinkText  string
}

// fail answers with an error page. The cause goes to the log only.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, text := s.describe(w, r, err)
	s.problem(w, r, status, "", trouble{Text: text})
}

// heldData is the data of the page that stands for all others while an account is in doubt.
type heldData struct {
	Text      string
	Waits     []waitCard
	RequestID string
}

// failAbout is fail for who is signed in: where the account waits, or a device of it, it says why, and what to do.
func (s *Server) failAbout(w http.ResponseWriter, r *http.Request, x auth.Session, err error) {
	waiting, e := s.Core.Waiting(r.Context(), x.Person.ID)
	if !holdfast.IsKind(err, holdfast.InDoubt) || e != nil || !waiting.Any() {
		s.fail(w, r, err)
		return
	}
	status, text := s.describe(w, r, err)
	s.show(w, r, status, "held", view{Title: "Your account waits", Email: x.Person.Email, Data: heldData{text, s.waits(x.Person.Email, &waiting, s.Now()), s.requestID(r)}})
}

// describe returns an error's status and its sentence for a person, sets Retry-After, and logs what is a fault of ours.
func (s *Server) describe(w http.ResponseWriter, r *http.Request, err error) (status int, text string) {
	var e *holdfast.Error
	if !errors.As(err, &e) {
		e = &holdfast.Error{Kind: holdfast.Internal, Err: err}
	}
	status = statusOf[e.Kind]
	switch status {
	case http.StatusInternalServerError:
		s.Log.Error("a page failed", "path", LogPath(r.URL.Path), "request", s.requestID(r), "err", err)
		return status, "Something went wrong on the server. Nothing that was stored is changed by that. Please try again; if it stays so, ask the operator."
	case http.StatusServiceUnavailable:
		retry := e.Retry
		if retry <= 0 {
			retry = s.Retry
		}
		w.Header().Set("Retry-After", strconv.Itoa(int((retry+time.Second-1)/time.Second)))
	}
	if e.Text == "" {
		return status, sentence(e.Kind.String())
	}
	return status, sentence(e.Text)
}

// problem answers with an error page of a status. An empty title means the status's own.
func (s *Server) problem(w http.ResponseWriter, r *http.Request, status int, title string, t trouble) {
	if title == "" {
		if title = titles[status]; title == "" {
			title = "That did not work"
		}
	}
	if t.RequestID = s.requestID(r); t.Link == "" {
		t.Link, t.LinkText = "/", "To the overview"
	}
	s.show(w, r, status, "error", view{Title: title, Data: t})
}

func (s *Server) requestID(r *http.Request) string {
	if s.RequestID == nil {
		return ""
	}
	return s.RequestID(r)
}

func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, HEAD, POST")
		s.problem(w, r, http.StatusMethodNotAllowed, "", trouble{Text: "Pages are for browsers. Programs that sync find their address at /.well-known/caldav and /.well-known/carddav, or at /dav/."})
		return
	}
	s.problem(w, r, http.StatusNotFound, "", trouble{Text: "The address may be mistyped, or the thing that it named was removed."})
}

func (s *Server) crossOrigin(w http.ResponseWriter, r *http.Request) {
	s.Log.Warn("a form that came from another site was refused", "path", LogPath(r.URL.Path), "request", s.requestID(r))
	s.problem(w, r, http.StatusForbidden, "This did not come from our page", trouble{
		Text: "Your browser says that another site sent this form, so nothing was done. If you did mean it, open the page here and try again."})
}
