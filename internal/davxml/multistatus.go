package davxml

import (
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Multistatus streams the body of a 207 (RFC 4918, section 13). Properties are written with the Writer that it embeds,
// after Response and Propstat. Elements that the calls below imply are opened and closed by themselves.
//
// Close is called only when the answer is complete. After any error do not call it, and abort the connection, so that
// the client sees a broken answer: clients delete what a well-formed listing leaves out.
type Multistatus struct {
	Writer
	at     place
	status int
	conds  []Condition // of the open propstat
	stats  int         // propstats of the open response
}

// place is the innermost element of its own that a Multistatus has open.
type place uint8

const (
	atStart place = iota
	inMultistatus
	inResponse
	inProp // inside DAV:propstat and DAV:prop
	closed
)

// depthOf says how many elements are open in each place, when nothing of the caller's is.
var depthOf = [...]int{atStart: 0, inMultistatus: 1, inResponse: 2, inProp: 4, closed: 0}

// NewMultistatus begins an answer. It writes nothing before the first 32 KiB or Flush or Close, so a caller that fails
// before may still send another status.
func NewMultistatus(out io.Writer) *Multistatus {
	m := &Multistatus{}
	m.Reset(out)
	return m
}

// Reset begins another answer and keeps the memory.
func (m *Multistatus) Reset(out io.Writer) {
	m.Writer.Reset(out)
	m.at, m.conds, m.stats = atStart, nil, 0
	m.Document()
	m.Start(DMultistatus)
	m.at = inMultistatus
}

// Response begins the answer for one resource. The href must be percent-encoded. A response that gets no Propstat
// says 200 with no properties, which is what RFC 8144 asks for where return=minimal leaves nothing.
func (m *Multistatus) Response(href string) {
	m.upTo(inMultistatus)
	m.startResponse(href)
	m.at, m.stats = inResponse, 0
}

// startResponse and what stands around properties are written as literals: a listing has little else in it.
func (m *Multistatus) startResponse(href string) {
	if m.err != nil {
		return
	}
	m.buf = append(m.buf, `<D:response><D:href>`...)
	m.buf = appendText(m.buf, href)
	m.buf = append(m.buf, `</D:href>`...)
	m.push(DResponse)
}

// push notes an element of DAV: that was written as a literal.
func (m *Multistatus) push(n Name) {
	m.open = append(m.open, openTag{n, "D", len(m.extra)})
}

// Propstat begins a group of properties that share a status; the properties are written next. The conditions become
// its DAV:error. It must stand inside a Response, and there only once for each status.
func (m *Multistatus) Propstat(status int, conds ...Condition) {
	m.upTo(inResponse)
	if m.err != nil {
		return
	}
	m.buf = append(m.buf, `<D:propstat><D:prop>`...)
	m.push(DPropstat)
	m.push(DProp)
	m.at, m.status = inProp, status
	m.conds = append(m.conds[:0], conds...)
	m.stats++
}

// Status writes a response that has one status for the whole resource, such as 404 for a href of a multiget or a
// member that a sync-collection reports as deleted, or 507 for a listing that is not complete (RFC 6578, section 3.6).
func (m *Multistatus) Status(href string, status int, conds ...Condition) {
	m.upTo(inMultistatus)
	m.startResponse(href)
	m.writeStatus(status)
	m.writeConditions(conds)
	m.End()
}

// SyncToken writes DAV:sync-token (RFC 6578, section 6.4), behind the last response.
func (m *Multistatus) SyncToken(token string) {
	m.upTo(inMultistatus)
	m.Element(DSyncToken, token)
}

// Description writes a DAV:responsedescription for the whole answer, behind the last response.
func (m *Multistatus) Description(text string) {
	m.upTo(inMultistatus)
	m.Element(DResponseDescription, text)
}

// Fail notes that the answer cannot be completed. Everything after it, Close included, writes nothing and Close
// returns the error.
func (m *Multistatus) Fail(err error) {
	if err == nil {
		err = errors.New("write multistatus: it was given up")
	}
	m.fail(err)
}

// Close completes the answer and flushes it. Call it only on success. It returns the first error of all, and then the
// answer was left open: abort the connection.
func (m *Multistatus) Close() error {
	m.upTo(inMultistatus)
	if m.err != nil {
		return m.err
	}
	m.End()
	m.at = closed
	return m.Flush()
}

// upTo closes what is open below a place. A caller that left an element open, or closed one too many, gets an error.
func (m *Multistatus) upTo(to place) {
	if m.err == nil && m.Depth() != depthOf[m.at] {
		m.fail(fmt.Errorf("write multistatus: %d elements are open where %d were expected", m.Depth(), depthOf[m.at]))
	}
	if m.err == nil && m.at < to || m.at == closed {
		m.fail(errors.New("write multistatus: a propstat outside a response, or a call after Close"))
	}
	if m.err != nil {
		return
	}
	if m.at == inProp {
		m.buf = append(m.buf, `</D:prop>`...)
		m.pop()
		m.writeStatus(m.status)
		m.writeConditions(m.conds)
		m.buf = append(m.buf, `</D:propstat>`...)
		m.pop()
		m.at = inResponse
	}
	if m.at == inResponse && to < inResponse {
		if m.stats == 0 {
			m.Propstat(200)
			m.upTo(inResponse)
		}
		m.End()
		m.at = inMultistatus
	}
}

func (m *Multistatus) writeStatus(code int) {
	if m.err != nil {
		return
	}
	if code == 200 {
		m.buf = append(m.buf, `<D:status>HTTP/1.1 200 OK</D:status>`...)
		return
	}
	m.buf = append(m.buf, `<D:status>HTTP/1.1 `...)
	m.buf = strconv.AppendInt(m.buf, int64(code), 10)
	m.buf = append(m.buf, ' ')
	m.buf = append(m.buf, reason(code)...)
	m.buf = append(m.buf, `</D:status>`...)
}

// reason gives the phrase of a status line; an empty one is allowed.
func reason(code int) string {
	switch code {
	case 201:
		return "Created"
	case 204:
		return "No Content"
	case 400:
		return "Bad Request"
	case 401:
		return "Unauthorized"
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 405:
		return "Method Not Allowed"
	case 409:
		return "Conflict"
	case 410:
		return "Gone"
	case 412:
		return "Precondition Failed"
	case 415:
		return "Unsupported Media Type"
	case 423:
		return "Locked"
	case 424:
		return "Failed Dependency"
	case 500:
		return "Internal Server Error"
	case 502:
		return "Bad Gateway"
	case 503:
		return "Service Unavailable"
	case 507:
		return "Insufficient Storage"
	}
	return ""
}

// Condition is a precondition or postcondition that failed (RFC 4918, section 16), as it stands in DAV:error.
type Condition struct {
	Name  Name
	Hrefs []string      // written as DAV:href inside it, for example the resource that already has the UID
	Body  func(*Writer) // writes further content; may be nil
}

func (m *Multistatus) writeConditions(conds []Condition) {
	if len(conds) > 0 {
		m.WriteError("", conds...)
	}
}

// WriteError writes a DAV:error with the conditions and, if there is one, a sentence for people in
// DAV:responsedescription.
func (w *Writer) WriteError(message string, conds ...Condition) {
	w.Start(DError)
	for i := range conds {
		c := &conds[i]
		if len(c.Hrefs) == 0 && c.Body == nil {
			w.Empty(c.Name)
			continue
		}
		w.Start(c.Name)
		for _, href := range c.Hrefs {
			w.Element(DHref, href)
		}
		if c.Body != nil {
			c.Body(w)
		}
		w.End()
	}
	if message != "" {
		w.Element(DResponseDescription, message)
	}
	w.End()
}

// ErrorBody gives the body of an answer with an error status: an XML document with DAV:error as its root.
func ErrorBody(message string, conds ...Condition) []byte {
	w := NewWriter(nil)
	w.Document()
	w.WriteError(message, conds...)
	return w.Bytes()
}

// NeedPrivilege makes the condition DAV:need-privileges for one resource (RFC 3744, section 7.1.1).
func NeedPrivilege(href string, privilege Name) Condition {
	return Condition{Name: DNeedPrivileges, Body: func(w *Writer) {
		w.Start(DResource)
		w.Element(DHref, href)
		w.Start(DPrivilege)
		w.Empty(privilege)
		w.End()
		w.End()
	}}
}
