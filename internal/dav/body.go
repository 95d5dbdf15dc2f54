package dav

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/davxml"
)

// xmlBody reads the request's body as XML; nil for an empty one.
func (q *request) xmlBody() (*davxml.Element, error) {
	if err := q.identity(); err != nil {
		return nil, err
	}
	root, err := davxml.Parse(&counted{q: q, from: q.body(), weight: xmlWeight}, q.h.o.Limits)
	if errors.Is(err, davxml.ErrEmpty) {
		return nil, nil
	}
	return root, err
}

// identity refuses bodies that are compressed: nobody here would unpack them.
func (q *request) identity() error {
	if e := q.r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return Refuse(http.StatusUnsupportedMediaType, davxml.Name{}, "bodies are taken without a content encoding only")
	}
	return nil
}

// body reads the request's body under a deadline that moves on with each piece, so that a client that stops sending holds nothing for long. At
// the body's end net/http lifts the deadline itself.
type body struct {
	q    *request
	rc   *http.ResponseController
	last time.Time
	rate int64 // octets a second that lengthen the time for all; 0: none do
}

func (q *request) body() *body {
	return &body{q: q, rc: http.NewResponseController(q.w), last: q.h.o.Clock.Now().Add(q.h.o.BodyTotal)}
}

// watch sets the deadline before anything is read: net/http drains what a handler leaves unread, and would wait for it for ever.
func (q *request) watch() {
	if q.r.ContentLength != 0 {
		http.NewResponseController(q.w).SetReadDeadline(q.h.o.Clock.Now().Add(q.h.o.BodyIdle)) // a writer that knows no deadlines is a test's
	}
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	at := b.q.h.o.Clock.Now().Add(b.q.h.o.BodyIdle)
	if at.After(b.last) {
		at = b.last
	}
	b.rc.SetReadDeadline(at)
	b.q.opened = true
	n, err := b.q.r.Body.Read(p)
	b.grow(n)
	return n, err
}

// grow gives a stream of any length time for what has come of it.
func (b *body) grow(n int) {
	if b.rate > 0 {
		b.last = b.last.Add(time.Duration(int64(n) * int64(time.Second) / b.rate))
	}
}

// trusted is the length of a body up to which memory is taken before its octets came, and without a look at what others hold. Beyond it memory grows with what
// really comes, so that many who announce much and send nothing cost nothing, and all together are held to a budget.
const trusted = 64 << 10

// hold counts n octets more of the body of this request.
func (q *request) hold(n int64) error {
	if !q.h.bodies.take(n) {
		return crowded("dav."+q.r.Method, "too many large requests are under way by now; nothing was changed, try again later")
	}
	q.held += n
	return nil
}

// letGo counts n octets less.
func (q *request) letGo(n int64) {
	q.held -= n
	q.h.bodies.give(n)
}

// release counts nothing any more.
func (q *request) release() {
	if q.held != 0 {
		q.letGo(q.held)
	}
}

// gather reads up to most octets into memory that grows with them. What is allocated is counted, while it moves the old and the new.
func (q *request) gather(r io.Reader, most int64) ([]byte, error) {
	buf := make([]byte, 0, min(trusted, most))
	for {
		n, err := io.ReadFull(r, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case err == io.EOF, err == io.ErrUnexpectedEOF:
			return buf, nil
		case err != nil:
			return nil, err
		case int64(len(buf)) == most:
			return buf, nil
		}
		old, size := int64(cap(buf)), min(2*int64(cap(buf)), most)
		if err := q.hold(size); err != nil {
			return nil, err
		}
		buf = append(make([]byte, 0, size), buf...)
		if old > trusted {
			q.letGo(old)
		}
	}
}

// xmlWeight is how many octets one of XML counts for: what is made of it is larger than itself.
const xmlWeight = 4

// counted counts a body of XML, or of a file, while it is read.
type counted struct {
	q      *request
	from   io.Reader
	weight int64
	free   int64 // what was read uncounted
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	over := int64(n) - max(0, trusted-c.free)
	if over <= 0 {
		c.free += int64(n)
		return n, err
	}
	c.free = trusted
	if full := c.q.hold(over * c.weight); full != nil {
		return 0, full
	}
	return n, err
}

// octets reads a body of at most limit octets.
func (q *request) octets(limit int64) ([]byte, error) {
	if err := q.identity(); err != nil {
		return nil, err
	}
	tooLarge := &holdfast.Error{Op: "dav." + q.r.Method, Kind: holdfast.TooLarge, Rule: "max-resource-size",
		Text: "a resource has at most " + strconv.FormatInt(limit, 10) + " octets, and this one has more"}
	if q.r.ContentLength > limit {
		return nil, tooLarge
	}
	b := q.body()
	if n := q.r.ContentLength; n >= 0 && n <= trusted {
		buf := make([]byte, n)
		if _, err := io.ReadFull(b, buf); err != nil {
			return nil, cutShort(err)
		}
		q.sent = buf
		return buf, nil
	}
	most := limit + 1 // one more tells that it is too long
	if q.r.ContentLength >= 0 {
		most = q.r.ContentLength
	}
	buf, err := q.gather(b, most)
	switch {
	case err != nil:
		return nil, cutShort(err)
	case int64(len(buf)) > limit:
		return nil, tooLarge
	case int64(len(buf)) < q.r.ContentLength:
		return nil, cutShort(io.ErrUnexpectedEOF)
	}
	q.sent = buf
	return buf, nil
}

// cutShort says that a body did not come whole. Nothing of it is stored.
func cutShort(err error) error {
	var mbe *http.MaxBytesError
	var e *holdfast.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &mbe):
		return Refuse(http.StatusRequestEntityTooLarge, davxml.Name{}, "the body is larger than what is taken here")
	case isTimeout(err):
		return Refuse(http.StatusRequestTimeout, davxml.Name{}, "the body came too slowly and was cut; nothing was stored")
	}
	return Refuse(http.StatusBadRequest, davxml.Name{}, "the body did not come whole; nothing was stored")
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
