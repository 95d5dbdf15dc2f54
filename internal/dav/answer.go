package dav

import (
	"cmp"
	"net/http"
	"sync"

	"holdfast/internal/core"
	"holdfast/internal/davxml"
)

// writers keeps the memory of multistatus bodies from one answer to the next.
var writers = sync.Pool{New: func() any { return davxml.NewMultistatus(nil) }}

// multistatus runs fn in one snapshot, spools what it answers, and sends it as a 207 after the snapshot was closed. Where anything fails, nothing
// of it is sent, and the error becomes the status.
func (q *request) multistatus(depth davxml.Depth, body *davxml.Element, fn func(*Query) error) error {
	s := q.newSpool()
	defer s.close()
	prefer := q.prefer()
	m := writers.Get().(*davxml.Multistatus)
	defer writers.Put(m)
	m.Reset(s)
	err := q.inTurn(depth, func() error {
		return q.read(func(r *core.Reader) error {
			x, err := q.query(r, depth, body)
			if err != nil {
				return err
			}
			x.m = m
			if err = fn(x); err == nil {
				err = x.err
			}
			if err == nil {
				err = x.m.Close()
			}
			return err
		})
	})
	if err != nil {
		return err
	}
	h := q.w.Header()
	h.Set("Content-Type", "application/xml; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Brief, Prefer")
	prefer.Representation = false
	if depth == davxml.DepthZero || q.r.Method != "PROPFIND" {
		prefer.DepthNoRoot = false
	}
	if a := prefer.Applied(); a != "" {
		h.Set("Preference-Applied", a)
	}
	h.Set("DAV", q.compliance())
	return s.send(q, http.StatusMultiStatus)
}

// plainly runs fn in one snapshot and answers 200 with what it returns, after the snapshot was closed.
func (q *request) plainly(depth davxml.Depth, root *davxml.Element, fn func(*Query) (string, []byte, error)) error {
	var kind string
	var octets []byte
	err := q.inTurn(depth, func() error {
		return q.read(func(r *core.Reader) error {
			x, err := q.query(r, depth, root)
			if err == nil {
				kind, octets, err = fn(x)
			}
			return cmp.Or(err, x.err)
		})
	})
	if err != nil {
		return err
	}
	s := q.newSpool()
	defer s.close()
	if _, err := s.Write(octets); err != nil {
		return err
	}
	h := q.w.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "private, no-cache")
	guard(h)
	return s.send(q, http.StatusOK)
}

// query begins a query at the request's place, once the request's If header holds.
func (q *request) query(r *core.Reader, depth davxml.Depth, body *davxml.Element) (*Query, error) {
	x := &Query{Context: q.r.Context(), Reader: r, Principal: q.p, Header: q.r.Header, Depth: depth, Prefer: q.prefer(), Limits: q.h.o.Limits, Body: body,
		req: q, h: q.h, until: q.h.o.Clock.Now().Add(SnapshotTime)}
	if err := q.condition4918(r); err != nil {
		return x, err
	}
	t, err := x.target(q.place)
	x.Target = t
	return x, err
}

// target makes the target for a place. Members are looked up with what a PROPFIND may want of one.
func (q *Query) target(at place) (*Target, error) {
	path := at.path
	path.Slash = at.where != AtMember // a collection is told with its slash, however it was asked for (RFC 4918 section 5.2)
	t := &Target{Where: at.where, Href: path.Href()}
	var err error
	switch {
	case at.where == 0, at.where == AtMember && at.path.Slash:
		return nil, q.req.nothing()
	case at.where == AtPrincipal:
		t.Account, err = q.Reader.Principal(at.owner)
		return t, err
	case at.where&InTree == 0:
		return t, nil
	}
	c, err := q.Reader.At(&at.loc)
	if err != nil {
		return nil, err
	}
	t.Collection = &c
	if t.Account, err = q.Reader.OwnerOf(&c); err != nil {
		return nil, err
	}
	if at.where != AtMember {
		return t, nil
	}
	r, err := q.Reader.Resource(c.ID, at.loc.Rest[0], core.WithProps|core.WithType)
	if err != nil {
		return nil, err
	}
	t.Resource = &r
	return t, nil
}

// fill reads what more a set needs of a single member.
func (q *Query) fill(t *Target, a *Ask) error {
	if t.Resource == nil {
		return nil
	}
	if need := a.Needs(t.Collection.Type); need&core.WithBody != 0 && t.Resource.Body == nil {
		r, err := q.Reader.Resource(t.Collection.ID, t.Resource.Name, need|core.WithProps|core.WithType)
		if err != nil {
			return err
		}
		t.Resource = &r
	}
	return nil
}

// refer looks up a href of the request's body, inside of the query's read. [nowhere] tells which errors mean that it leads nowhere.
func (q *Query) refer(href string) (place, error) {
	p, err := parseRef(href, nil)
	if err != nil {
		return place{}, err
	}
	return q.req.lookup(q.Reader, p)
}

// whereOf says what a location in the tree is.
func whereOf(loc core.Location, p Path) Where {
	switch {
	case len(loc.Rest) == 1:
		return AtMember
	case len(loc.Rest) > 1:
		return 0
	case len(p.Names) == 0:
		return AtHome
	}
	return AtCollection
}
