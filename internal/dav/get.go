package dav

import (
	"bytes"
	"fmt"
	"html"
	"net/http"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davxml"
)

// allow is the Allow header: what the resource of the request can be asked.
func (q *request) allow() string {
	out := q.allowed()
	if q.h.lockable(&q.place) {
		out += ", LOCK, UNLOCK"
	}
	return out
}

func (q *request) allowed() string {
	const always = "OPTIONS, GET, HEAD, PROPFIND, REPORT"
	if q.path.Area == areaUploads {
		return q.uploadsAllow()
	}
	switch q.where {
	case AtRoot, AtPrincipals, AtPrincipal, AtHomes:
		return always
	case AtHome:
		return always + ", PROPPATCH"
	case AtCollection:
		return always + ", PROPPATCH, POST, DELETE, COPY, MOVE"
	case AtMember:
		return always + ", PROPPATCH, PUT, DELETE, COPY, MOVE" + q.makers()
	}
	return always + ", PROPPATCH, PUT, POST, DELETE, COPY, MOVE" + q.makers()
}

// makers are the methods that make collections here.
func (q *request) makers() string {
	out := ", MKCOL"
	for i := range q.h.o.Extensions {
		if x := &q.h.o.Extensions[i]; x.Method != "" && (q.path.Area == x.Home || q.path.Area == "") {
			out += ", " + x.Method
		}
	}
	return out
}

// compliance is the DAV header. Class 2, locks, is said of files alone: elsewhere they are not needed, as every write names the version that it replaces.
func (q *request) compliance() string {
	if q.h.o.Locks != nil && q.path.Area == holdfast.HomeFiles {
		return q.h.locking
	}
	return q.h.davs
}

// options says what this is (RFC 9110 section 9.3.7, RFC 4918 section 10.1).
func (q *request) options() error {
	h := q.w.Header()
	h.Set("DAV", q.compliance())
	h.Set("Allow", q.allow())
	h.Set("MS-Author-Via", "DAV")
	h.Set("Cache-Control", "no-cache")
	return q.done(http.StatusOK)
}

// get answers GET and HEAD: a resource's octets verbatim, or a plain list of what a collection holds, for people with a browser.
func (q *request) get() error {
	if err := q.exists(); err != nil {
		return err
	}
	if q.where != AtMember {
		return q.index()
	}
	if q.holdsFile() {
		return q.getFile()
	}
	var res holdfast.Resource
	err := q.read(func(r *core.Reader) (err error) {
		if err = q.condition4918(r); err == nil {
			res, err = r.Resource(q.loc.Collection.ID, q.loc.Rest[0], core.WithBody|core.WithType)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := Present(&res); err != nil {
		return err
	}
	return q.sendResource(&res)
}

// Present refuses a resource that was read with its octets and came without them: they are not here now. It must come out neither as an empty one, nor as one that a
// search does not find, nor as 404.
func Present(r *holdfast.Resource) error {
	if r.State == holdfast.Ghost || r.Size > 0 && len(r.Body) == 0 {
		return &holdfast.Error{Op: "dav.Present", Kind: holdfast.Unavailable, Ref: r.Name, Text: "the octets of this resource are not here now; keep your copy"}
	}
	return nil
}

// sendResource answers with a resource. Ranges and conditions (RFC 9110) are net/http's.
func (q *request) sendResource(res *holdfast.Resource) error {
	kind, octets := q.h.mediaType(q.loc.Collection.Type, res), res.Body
	h := q.w.Header()
	if x := q.extension(); x != nil && x.Represent != nil {
		h.Set("Vary", "Accept")
		if k, b, ok := x.Represent(q.r.Header, res); ok {
			kind, octets = k, b
		}
	}
	h.Set("Content-Type", kind)
	h.Set("ETag", etagText(res.ETag))
	h.Set("Cache-Control", "private, no-cache")
	guard(h)
	out := q.patience(int64(len(octets)))
	out.rc.SetWriteDeadline(out.last)
	http.ServeContent(q.w, q.r, "", res.Modified, bytes.NewReader(octets))
	out.end() // an error has broken the connection already
	return nil
}

// guard keeps a browser from running what somebody stored, or from guessing that it could.
func guard(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
}

// index lists a collection as plain HTML. It is spooled as everything that lists.
func (q *request) index() error {
	s := q.newSpool()
	defer s.close()
	err := q.read(func(r *core.Reader) error {
		x := &Query{Context: q.r.Context(), Reader: r, Principal: q.p, req: q, h: q.h, until: q.h.o.Clock.Now().Add(SnapshotTime)}
		if err := q.condition4918(r); err != nil {
			return err
		}
		t, err := x.target(q.place)
		if err != nil {
			return err
		}
		x.Target = t
		return x.index(s)
	})
	if err != nil {
		return err
	}
	h := q.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "private, no-cache")
	h.Set("DAV", q.compliance())
	guard(h)
	return s.send(q, http.StatusOK)
}

func (q *Query) index(s *spool) error {
	fmt.Fprintf(s, "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>%[1]s</title><h1>%[1]s</h1><ul>\n", html.EscapeString(plainName(q.Target)))
	item := func(href, name string) error {
		if err := q.alive(); err != nil {
			return err
		}
		_, err := fmt.Fprintf(s, "<li><a href=\"%s\">%s</a>\n", html.EscapeString(href), html.EscapeString(name))
		return err
	}
	t := q.Target
	switch {
	case t.Where == AtRoot && q.req.path.form != formBare:
		for _, area := range []string{areaPrincipals, holdfast.HomeAddressbooks, holdfast.HomeCalendars, holdfast.HomeFiles} {
			if err := item(t.Href+area+"/", area); err != nil {
				return err
			}
		}
	case t.Where&(AtHome|AtCollection) != 0:
		all, err := q.Reader.Below(t.Collection)
		if err != nil {
			return err
		}
		slices.SortFunc(all, func(a, b holdfast.Collection) int { return strings.Compare(a.Name, b.Name) })
		for i := range all {
			if all[i].Parent == t.Collection.ID {
				if err := item(t.Href+encodeSegment(all[i].Name)+"/", plainName(&Target{Where: AtCollection, Collection: &all[i]})); err != nil {
					return err
				}
			}
		}
		err = q.Reader.List(t.Collection.ID, "", 0, 0, func(r *holdfast.Resource) error { return item(t.Href+encodeSegment(r.Name), r.Name) })
		if err != nil {
			return err
		}
	}
	_, err := fmt.Fprint(s, "</ul></html>\n")
	return err
}

// plainName is the text of a display name.
func plainName(t *Target) string {
	if xml := t.Dead().Get(davxml.NSDAV, "displayname"); xml != nil {
		if e, err := davxml.ParseBytes(xml, davxml.DefaultLimits()); err == nil && e.TrimText() != "" {
			return e.TrimText()
		}
	}
	return defaultName(t)
}
