package transcripts

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// prefixes are those of paths in transcripts.
var prefixes = map[string]string{
	"D":  "DAV:",
	"CR": "urn:ietf:params:xml:ns:carddav",
	"C":  "urn:ietf:params:xml:ns:caldav",
	"CS": "http://calendarserver.org/ns/",
	"A":  "http://apple.com/ns/ical/",
	"ME": "http://me.com/_namespace/",
	"MM": "urn:mobileme:davservices",
}

// node is an element of an answer. It is read with encoding/xml and not with the server's own reader, so that the two check each other.
type node struct {
	name  xml.Name
	attrs []xml.Attr
	text  string
	kids  []*node
}

// answer is what a server sent.
type answer struct {
	status int
	header http.Header
	body   []byte
	target string // the path of the request that it answers
	root   *node  // of an XML body
}

// readXML reads a whole document, to its end.
func readXML(body []byte) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	top := &node{}
	open := []*node{top}
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		at := open[len(open)-1]
		switch t := tok.(type) {
		case xml.StartElement:
			n := &node{name: t.Name, attrs: append([]xml.Attr(nil), t.Attr...)}
			at.kids = append(at.kids, n)
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			at.text += string(t)
		}
	}
	if len(top.kids) != 1 || len(open) != 1 {
		return nil, errors.New("the body is not one XML document")
	}
	return top.kids[0], nil
}

// find follows a path; it gives every element that fits.
func (n *node) find(path string) ([]*node, error) {
	found := []*node{n}
	for step := range strings.SplitSeq(path, "/") {
		step, want, hasAttr := strings.Cut(strings.TrimSuffix(step, "]"), "[")
		prefix, local, ok := strings.Cut(step, ":")
		if !ok || prefixes[prefix] == "" {
			return nil, fmt.Errorf("the step %q of a path has no known prefix", step)
		}
		var next []*node
		for _, f := range found {
			for _, k := range f.kids {
				if k.name.Space == prefixes[prefix] && k.name.Local == local && (!hasAttr || k.hasAttr(want)) {
					next = append(next, k)
				}
			}
		}
		found = next
	}
	return found, nil
}

func (n *node) hasAttr(want string) bool {
	name, value, _ := strings.Cut(want, "=")
	for _, a := range n.attrs {
		if a.Name.Local == name && a.Value == value {
			return true
		}
	}
	return false
}

func (n *node) first(path string) *node {
	if f, _ := n.find(path); len(f) > 0 {
		return f[0]
	}
	return nil
}

// response gives the DAV:response for a href, nil where there is none. Clients match hrefs by their text.
func (a *answer) response(href string) *node {
	for _, r := range a.responses() {
		if hrefOf(r) == href {
			return r
		}
	}
	return nil
}

func (a *answer) responses() []*node {
	if a.root == nil {
		return nil
	}
	list, _ := a.root.find("D:response")
	return list
}

// hrefOf gives a response's href as a path, as clients resolve it.
func hrefOf(r *node) string {
	h := r.first("D:href")
	if h == nil {
		return ""
	}
	text := strings.TrimSpace(h.text)
	if u, err := url.Parse(text); err == nil && u.IsAbs() {
		return u.EscapedPath()
	}
	return text
}

// members are the responses that are not for the request's target.
func (a *answer) members() []*node {
	var list []*node
	for _, r := range a.responses() {
		if h := hrefOf(r); strings.TrimSuffix(h, "/") != strings.TrimSuffix(a.target, "/") {
			list = append(list, r)
		}
	}
	return list
}

// prop gives what stands at a path in the propstats of a response that say 200.
func (a *answer) prop(href, path string) ([]*node, error) {
	r := a.response(href)
	if r == nil {
		return nil, fmt.Errorf("there is no response for %s", href)
	}
	stats, _ := r.find("D:propstat")
	var found []*node
	for _, s := range stats {
		if st := s.first("D:status"); st == nil || strings.TrimSpace(st.text) != "HTTP/1.1 200 OK" {
			continue
		}
		if p := s.first("D:prop"); p != nil {
			f, err := p.find(path)
			if err != nil {
				return nil, err
			}
			found = append(found, f...)
		}
	}
	return found, nil
}
