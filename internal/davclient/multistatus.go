package davclient

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"holdfast"
)

// Bounds of one multistatus.
const (
	maxDepth     = 64
	maxNodes     = 20_000 // elements in one response
	maxResponses = 500_000
	textsOfOne   = 4 // how many of the largest texts all those of one response may take
)

// The namespaces that are asked for and understood.
const (
	nsDAV       = "DAV:"
	nsCalDAV    = "urn:ietf:params:xml:ns:caldav"
	nsCardDAV   = "urn:ietf:params:xml:ns:carddav"
	nsCS        = "http://calendarserver.org/ns/"
	nsApple     = "http://apple.com/ns/ical/"
	nsNextcloud = "http://nextcloud.com/ns"
)

// node is an element of an answer.
type node struct {
	name     xml.Name
	attrs    []xml.Attr
	text     string
	children []*node
}

// child returns the first child of a name; nil where there is none. It may be called on nil.
func (n *node) child(space, local string) *node {
	if n == nil {
		return nil
	}
	for _, c := range n.children {
		if c.name.Local == local && c.name.Space == space {
			return c
		}
	}
	return nil
}

func (n *node) trim() string {
	if n == nil {
		return ""
	}
	return strings.TrimSpace(n.text)
}

// href is the text of a child DAV:href.
func (n *node) href() string { return n.child(nsDAV, "href").trim() }

// response is what an answer says of one resource (RFC 4918 section 14.24).
type response struct {
	href   string
	status int     // of the resource as a whole; 0: see its properties
	props  []*node // those that were found
	err    *node   // DAV:error
}

// prop returns a property that was found; nil where it was not.
func (r *response) prop(space, local string) *node {
	for _, p := range r.props {
		if p.name.Local == local && p.name.Space == space {
			return p
		}
	}
	return nil
}

func (r *response) is(space, local string) bool {
	return r.prop(nsDAV, "resourcetype").child(space, local) != nil
}

// multistatus reads a multistatus as it comes and calls fn with each response. token is its DAV:sync-token. An answer that is cut short or malformed ends in an
// error: what fn was called with was whole, but there may have been more.
func multistatus(a *answer, maxText int64, fn func(*response) error) (token string, err error) {
	if a.status != 207 {
		return "", statusError(a)
	}
	s := newStream(a.body, maxText)
	if err := s.root(); err != nil {
		return "", err
	}
	for n := 0; ; {
		t, err := s.next()
		if err != nil {
			return "", err
		}
		start, ok := t.(xml.StartElement)
		if _, end := t.(xml.EndElement); end {
			return token, nil
		}
		if !ok {
			continue
		}
		x, err := s.tree(start)
		if err != nil {
			return "", err
		}
		switch {
		case x.name.Space == nsDAV && x.name.Local == "sync-token":
			token = x.trim()
		case x.name.Space == nsDAV && x.name.Local == "response":
			if n++; n > maxResponses {
				return "", fail(holdfast.TooLarge, a.url.Path, "the server lists more than can be taken in")
			}
			if err := each(x, fn); err != nil {
				return "", err
			}
		}
	}
}

// each calls fn for each href of a response; old servers put several into one.
func each(x *node, fn func(*response) error) error {
	r := &response{status: statusOf(x.child(nsDAV, "status")), err: x.child(nsDAV, "error")}
	for _, c := range x.children {
		if c.name.Space == nsDAV && c.name.Local == "propstat" {
			if s := statusOf(c.child(nsDAV, "status")); s == 0 || s/100 == 2 {
				if p := c.child(nsDAV, "prop"); p != nil {
					r.props = append(r.props, p.children...)
				}
			}
		}
	}
	for _, c := range x.children {
		if c.name.Space == nsDAV && c.name.Local == "href" {
			r.href = c.trim()
			if err := fn(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// statusOf reads "HTTP/1.1 200 OK"; 0 where it cannot be read.
func statusOf(n *node) int {
	f := strings.Fields(n.trim())
	if len(f) < 2 {
		return 0
	}
	code, err := strconv.Atoi(f[1])
	if err != nil || code < 100 || code > 599 {
		return 0
	}
	return code
}

func statusError(a *answer) error {
	text := fmt.Sprintf("the server answers %d", a.status)
	switch a.status {
	case 403:
		return fail(holdfast.Forbidden, a.url.Path, text+": it does not let this user read here")
	case 404, 410:
		return fail(holdfast.NotFound, a.url.Path, text+": there is nothing here")
	case 200, 405, 501:
		return fail(holdfast.Invalid, a.url.Path, text+": no CardDAV or CalDAV is spoken here; is the URL right?")
	}
	return fail(holdfast.Invalid, a.url.Path, text) // those that pass were waited for
}

// stream reads XML token by token. A single token is bounded, as is what stands below one element.
type stream struct {
	d     *xml.Decoder
	leash *leash
}

func newStream(r io.Reader, maxText int64) *stream {
	s := &stream{leash: &leash{r: r, max: maxText}}
	s.d = xml.NewDecoder(s.leash)
	s.d.CharsetReader = charset
	return s
}

// leash fails where more octets are read than one token may have.
type leash struct {
	r         io.Reader
	used, max int64
}

func (l *leash) Read(p []byte) (int, error) {
	if l.used > l.max {
		return 0, fail(holdfast.TooLarge, "", "a part of the server's answer is larger than a resource may be")
	}
	n, err := l.r.Read(p)
	l.used += int64(n)
	return n, err
}

// charset reads the encodings that are of one octet a character and the same as Unicode.
func charset(label string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "us-ascii", "ascii":
		return in, nil
	case "iso-8859-1", "latin1":
		return &latin1{r: in}, nil
	}
	return nil, fmt.Errorf("the encoding %.40q is not read here", label)
}

type latin1 struct {
	r   io.Reader
	buf [1024]byte
}

func (l *latin1) Read(p []byte) (int, error) {
	n, err := l.r.Read(l.buf[:min(len(l.buf), len(p)/2)])
	out := p[:0]
	for _, c := range l.buf[:n] {
		out = appendRune(out, c)
	}
	return len(out), err
}

func appendRune(b []byte, c byte) []byte {
	if c < 0x80 {
		return append(b, c)
	}
	return append(b, 0xc0|c>>6, 0x80|c&0x3f)
}

func (s *stream) next() (xml.Token, error) {
	s.leash.used = 0
	t, err := s.d.Token()
	if err == nil {
		if _, bad := t.(xml.Directive); bad {
			err = errors.New("it holds a document type declaration")
		}
	}
	if err != nil {
		if _, ours := errors.AsType[*holdfast.Error](err); ours {
			return nil, err
		}
		return nil, &holdfast.Error{Op: "davclient", Kind: holdfast.Corrupt, Text: "the server's answer is cut short, or no well-formed XML", Err: err}
	}
	return t, nil
}

// root passes over what stands before the multistatus.
func (s *stream) root() error {
	for {
		t, err := s.next()
		if err != nil {
			return err
		}
		if e, ok := t.(xml.StartElement); ok {
			if e.Name.Space != nsDAV || e.Name.Local != "multistatus" {
				return fail(holdfast.Corrupt, "", fmt.Sprintf("the server answers with %.60q where a multistatus belongs", e.Name.Local))
			}
			return nil
		}
	}
}

// tree reads an element to its end.
func (s *stream) tree(start xml.StartElement) (*node, error) {
	top := &node{name: start.Name, attrs: start.Attr}
	stack, nodes, octets := []*node{top}, 1, 0
	texts := []*strings.Builder{{}}
	for len(stack) > 0 {
		t, err := s.next()
		if err != nil {
			return nil, err
		}
		last := len(stack) - 1
		switch t := t.(type) {
		case xml.StartElement:
			for _, a := range t.Attr {
				octets += len(a.Value)
			}
			if nodes++; nodes > maxNodes || len(stack) >= maxDepth || octets > textsOfOne*int(s.leash.max) {
				return nil, fail(holdfast.TooLarge, "", "the server's answer is nested too deep, or has too many elements")
			}
			n := &node{name: t.Name, attrs: t.Attr}
			stack[last].children = append(stack[last].children, n)
			stack, texts = append(stack, n), append(texts, &strings.Builder{})
		case xml.CharData:
			if octets += len(t); texts[last].Len()+len(t) > int(s.leash.max) || octets > textsOfOne*int(s.leash.max) {
				return nil, fail(holdfast.TooLarge, "", "a part of the server's answer is larger than a resource may be")
			}
			texts[last].Write(t)
		case xml.EndElement:
			stack[last].text = texts[last].String()
			stack, texts = stack[:last], texts[:last]
		}
	}
	return top, nil
}
