package dav

import (
	"net/http"
	"strconv"

	"holdfast/internal/core"
	"holdfast/internal/davxml"
)

// maxExpanded bounds the responses of one expand-property, because each level multiplies the one above.
const maxExpanded = 1000

// serveExpand answers RFC 3253 section 3.8: properties, with the resources that their hrefs name in place of the hrefs. Live properties are expanded;
// dead ones are given as they are.
func serveExpand(q *Query) error {
	list, err := davxml.ParseExpandProperty(q.Body, q.Limits)
	if err != nil {
		return err
	}
	e := &expansion{q: q}
	q.m.Response(q.Target.Href)
	if err := e.properties(q.Target, list, propstats{q.m}); err != nil {
		return err
	}
	return q.err
}

type expansion struct {
	q     *Query
	count int
}

// properties writes those that the target has, then those that it lacks.
func (e *expansion) properties(t *Target, list []davxml.Expand, out statWriter) error {
	props := e.q.h.tableFor(placeOf(t)).props
	var absent []davxml.Name
	w := out.group(http.StatusOK)
	for _, x := range list {
		p := props[x.Name]
		if p != nil && p.Needs&core.WithBody != 0 {
			p = nil // made from octets, in other reports alone; here nobody reads them
		}
		switch {
		case p != nil && e.q.has(p, t) && len(x.Expand) > 0:
			if err := e.expand(w, t, p, x); err != nil {
				return err
			}
		case p != nil && e.q.has(p, t):
			p.Write(w, e.q, t, nil)
		case t.Dead().Get(x.Name.Space, x.Name.Local) != nil:
			w.Raw(t.Dead().Get(x.Name.Space, x.Name.Local))
		default:
			absent = append(absent, x.Name)
		}
	}
	out.end()
	if len(absent) > 0 && !e.q.Prefer.Minimal {
		w = out.group(http.StatusNotFound)
		for _, n := range absent {
			w.Empty(n)
		}
		out.end()
	}
	return nil
}

// expand writes one property with a response for each href in it.
func (e *expansion) expand(w *davxml.Writer, t *Target, p *Property, x davxml.Expand) error {
	hrefs, err := e.q.hrefsIn(t, p)
	if err != nil {
		return err
	}
	if len(hrefs) == 0 { // there is nothing to follow, and its value is not to be lost
		p.Write(w, e.q, t, nil)
		return nil
	}
	w.Start(x.Name)
	for _, href := range hrefs {
		if e.count++; e.count > maxExpanded {
			return Refuse(http.StatusInsufficientStorage, davxml.DNumberOfMatchesWithinLimits, "this expansion has too many results")
		}
		if err := e.response(w, href, x.Expand); err != nil {
			return err
		}
	}
	w.End()
	return nil
}

func (e *expansion) response(w *davxml.Writer, href string, list []davxml.Expand) error {
	w.Start(davxml.DResponse)
	w.Element(davxml.DHref, href)
	t, err := e.q.follow(href)
	switch {
	case err == nil:
		err = e.properties(t, list, &nested{w: w})
	case nowhere(err):
		w.Element(davxml.DStatus, statusLine(http.StatusNotFound))
		err = nil
	}
	w.End()
	return err
}

// follow returns the target of a href, if it is in the tree of who asks, above trees, or a principal that may be seen.
func (q *Query) follow(href string) (*Target, error) {
	at, err := q.refer(href)
	if err != nil {
		return nil, err
	}
	return q.target(at)
}

// nested writes propstats inside of a property.
type nested struct {
	w      *davxml.Writer
	status int
}

func (n *nested) group(status int) *davxml.Writer {
	n.status = status
	n.w.Start(davxml.DPropstat)
	n.w.Start(davxml.DProp)
	return n.w
}

func (n *nested) end() {
	n.w.End()
	n.w.Element(davxml.DStatus, statusLine(n.status))
	n.w.End()
}

func statusLine(code int) string {
	return "HTTP/1.1 " + strconv.Itoa(code) + " " + http.StatusText(code)
}

// value makes a live property and reads it back, for who wants to look into it.
func (q *Query) value(t *Target, p *Property) (*davxml.Element, error) {
	w := davxml.NewWriter(nil)
	w.Document()
	w.Start(davxml.DProp) // some values are fragments, which stand in an element and use its prefixes
	p.Write(w, q, t, nil)
	w.End()
	if q.err != nil {
		return nil, q.err
	}
	prop, err := davxml.ParseBytes(w.Bytes(), davxml.DefaultLimits())
	if err != nil {
		return nil, err
	}
	if len(prop.Children) == 0 {
		return &davxml.Element{Name: p.Name}, nil
	}
	return prop.Children[0], nil
}

// hrefsIn gives the hrefs that a live property holds, at any depth of it.
func (q *Query) hrefsIn(t *Target, p *Property) ([]string, error) {
	root, err := q.value(t, p)
	if err != nil {
		return nil, err
	}
	var out []string
	var walk func(*davxml.Element)
	walk = func(e *davxml.Element) {
		if e.Name == davxml.DHref {
			out = append(out, e.TrimText())
		}
		for _, c := range e.Children {
			walk(c)
		}
	}
	walk(root)
	return out, nil
}
