package dav

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davxml"
)

// Refusal is a status that a request is answered with, where no kind of holdfast.Error says it: a malformed header, a method that does not fit. Extensions
// may return one.
type Refusal struct {
	Status int
	Conds  []davxml.Condition // in the DAV:error of the body
	Text   string             // one sentence for a person
	Allow  string             // the Allow header of a 405
}

// Error gives the sentence.
func (r *Refusal) Error() string { return r.Text }

// Refuse makes a Refusal with at most one precondition, given by its XML name.
func Refuse(status int, cond davxml.Name, text string) *Refusal {
	r := &Refusal{Status: status, Text: text}
	if !cond.IsZero() {
		r.Conds = []davxml.Condition{{Name: cond}}
	}
	return r
}

// statusOf is the one table from kinds to statuses.
//
// Whatever may be a fault of ours or of the moment is 503 or 507, because phones keep what they hold on those (RFC 9110 section 15.6.4). A UID conflict is 403:
// on 409 some clients drop the edit and download over it. A violated precondition of an RFC is 403 as RFC 4918 section 16 says; other invalid input is 400.
func statusOf(e *holdfast.Error) int {
	switch e.Kind {
	case holdfast.NotFound:
		return http.StatusNotFound
	case holdfast.Exists: // a collection has the name, or a resource where a collection was to be made (RFC 4918 section 9.3.1)
		return http.StatusMethodNotAllowed
	case holdfast.PreconditionFailed:
		return http.StatusPreconditionFailed
	case holdfast.UIDConflict, holdfast.Forbidden, holdfast.BadToken:
		return http.StatusForbidden
	case holdfast.Invalid:
		if e.Rule != "" {
			return http.StatusForbidden
		}
		return http.StatusBadRequest
	case holdfast.TooLarge:
		return http.StatusRequestEntityTooLarge
	case holdfast.Quota, holdfast.Full:
		return http.StatusInsufficientStorage
	case holdfast.InDoubt, holdfast.Unavailable, holdfast.Busy, holdfast.Fenced, holdfast.Corrupt:
		return http.StatusServiceUnavailable
	case holdfast.Unauthorized:
		return http.StatusUnauthorized
	}
	return http.StatusInternalServerError
}

// NSHoldfast is the namespace of what error bodies say beyond the RFCs: message, a sentence with the request's id.
const NSHoldfast = "urn:holdfast:dav"

// davRules are the preconditions that core names without a prefix and that are DAV: whatever the collection.
var davRules = map[string]davxml.Name{
	"valid-sync-token":                 davxml.DValidSyncToken,
	"cannot-modify-protected-property": davxml.DCannotModifyProtectedProperty,
	"propfind-finite-depth":            davxml.DPropfindFiniteDepth,
	"valid-resourcetype":               davxml.DValidResourceType,
	"quota-not-exceeded":               davxml.DQuotaNotExceeded,
}

// answer is an error on its way to the client.
type answer struct {
	status int
	conds  []davxml.Condition
	text   string
	allow  string
	retry  time.Duration
}

// explain turns any error into what the client is told. Causes stay in the log.
func (q *request) explain(err error) answer {
	var r *Refusal
	var x *davxml.Error
	var e *holdfast.Error
	switch {
	case errors.As(err, &r):
		return answer{status: r.Status, conds: r.Conds, text: r.Text, allow: r.Allow}
	case errors.As(err, &x):
		a := answer{status: x.Kind.Status(), text: x.Error()}
		if x.Kind == davxml.ReadFailed {
			return q.explain(cutShort(x.Err))
		}
		if x.Kind == davxml.ForbiddenEntity {
			a.conds = []davxml.Condition{{Name: davxml.DNoExternalEntities}}
		}
		return a
	case errors.As(err, &e):
		a := answer{status: statusOf(e), text: e.Text, retry: e.Retry, conds: q.condition(e)}
		if e.Kind == holdfast.Exists {
			a.allow = q.allow()
		}
		return a
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return answer{status: http.StatusServiceUnavailable, text: "the request took too long and was given up; try again later"}
	}
	return answer{status: http.StatusInternalServerError}
}

// condition gives the precondition of an error its XML name: as the extension of the collection says, else in DAV:, else in our own namespace.
func (q *request) condition(e *holdfast.Error) []davxml.Condition {
	rule := e.Rule
	switch {
	case rule == "" && e.Kind == holdfast.UIDConflict:
		rule = "no-uid-conflict"
	case rule == "" && e.Kind == holdfast.Quota:
		rule = "quota-not-exceeded"
	case rule == "" || rule == holdfast.RuleBare:
		return nil
	case rule == "need-privileges":
		return []davxml.Condition{davxml.NeedPrivilege(q.lacking())}
	}
	c := davxml.Condition{Name: davxml.Name{Space: NSHoldfast, Local: rule}}
	if n, ok := davRules[rule]; ok {
		c.Name = n
	}
	if x := q.extension(); x != nil {
		if n, ok := x.Rules[rule]; ok {
			c.Name = n
		}
	}
	if e.Kind == holdfast.UIDConflict && e.Ref != "" && len(q.path.Names) > 0 {
		c.Hrefs = []string{q.sibling(e.Ref)}
	}
	return []davxml.Condition{c}
}

// lacking says which privilege a guest would need, and where (RFC 3744 section 7.1.1). It may look, because a guest may read what he may not write.
func (q *request) lacking() (href string, privilege davxml.Name) {
	at, privilege := &q.place, davxml.DBind
	if q.path.Area == areaUploads && q.dest != nil { // where the upload goes
		up, _ := q.dest.path.Parent()
		return up.Href(), privilege
	}
	switch q.verb {
	case "PROPPATCH":
		return at.path.Href(), davxml.DWriteProperties
	case http.MethodDelete:
		privilege = davxml.DUnbind
	case "MOVE":
		if q.loc.Bound() && q.loc.Access < core.Writes {
			privilege = davxml.DUnbind
		} else if q.dest != nil {
			at = q.dest
		}
	case "COPY":
		if q.dest != nil {
			at = q.dest
		}
	case http.MethodPut:
		if q.occupied(at) {
			return at.path.Href(), davxml.DWriteContent
		}
	}
	if at.where == AtMember && len(at.path.Names) > 0 {
		up, _ := at.path.Parent()
		return up.Href(), privilege
	}
	return at.path.Href(), privilege
}

// sibling is the href of another member of the collection that the request was to write to.
func (q *request) sibling(name string) string {
	at := q.path
	if q.dest != nil {
		at = q.dest.path
	}
	if q.posted {
		return at.Child(name, false).Href()
	}
	up, _ := at.Parent()
	return up.Child(name, false).Href()
}

// sentence is what is said where an error brings no sentence of its own.
func sentence(status int) string {
	switch status {
	case http.StatusNotFound:
		return "there is nothing at this address"
	case http.StatusPreconditionFailed:
		return "a condition of the request does not hold; nothing was changed"
	case http.StatusUnauthorized:
		return "sign in with your e-mail-like name and an app password of this device"
	case http.StatusServiceUnavailable:
		return "this server cannot answer safely now; nothing was changed, try again later"
	case http.StatusInsufficientStorage:
		return "there is no room left; nothing was changed"
	case http.StatusInternalServerError:
		return "the server made a mistake; it is in its log under this request id"
	}
	return http.StatusText(status)
}

// fail answers with an error. It must be called before anything else was written.
func (q *request) fail(err error) {
	a := q.explain(err)
	if a.text == "" {
		a.text = sentence(a.status)
	}
	q.log(a, err)
	q.keepRefused(a)
	h := q.w.Header()
	id := ""
	if q.h.o.RequestID != nil {
		id = q.h.o.RequestID(q.r)
	}
	switch a.status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Basic realm="Holdfast", charset="UTF-8"`)
	case http.StatusMethodNotAllowed:
		h.Set("Allow", a.allow)
	case http.StatusServiceUnavailable:
		if a.retry <= 0 {
			a.retry = q.h.o.RetryAfter
		}
		h.Set("Retry-After", strconv.FormatInt(int64((a.retry+time.Second-1)/time.Second), 10))
	}
	body := errorBody(a, id)
	h.Set("Content-Type", "application/xml; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	q.w.WriteHeader(a.status)
	if q.r.Method != http.MethodHead {
		q.w.Write(body)
	}
}

func errorBody(a answer, id string) []byte {
	w := davxml.NewWriter(nil)
	w.Document()
	w.Start(davxml.DError)
	for _, c := range a.conds {
		w.Start(c.Name)
		for _, href := range c.Hrefs {
			w.Element(davxml.DHref, href)
		}
		if c.Body != nil {
			c.Body(w)
		}
		w.End()
	}
	text := a.text
	if id != "" { // in the sentence: some programs show the text of the whole body to their user
		text += " (request " + id + ")"
	}
	w.Element(davxml.Name{Space: NSHoldfast, Local: "message"}, text)
	w.End()
	return w.Bytes()
}

// log notes an error once. What the client did wrong is for who looks closely; what we did wrong is for everybody.
func (q *request) log(a answer, err error) {
	log := q.h.o.Log.Debug
	if a.status >= 500 && a.status != http.StatusBadGateway {
		log = q.h.o.Log.Error
	}
	id := ""
	if q.h.o.RequestID != nil {
		id = q.h.o.RequestID(q.r)
	}
	log("dav request refused", "request", id, "method", q.r.Method, "status", a.status, "account", q.p.Account, "device", q.p.Device, "err", err)
}
