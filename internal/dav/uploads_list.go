package dav

import (
	"net/http"
	"time"

	"holdfast/internal/davxml"
	"holdfast/internal/uploads"
)

// arriving is one resource below uploads/USER, as a PROPFIND tells of it. Where it is no chunk it is a collection.
type arriving struct {
	href  string
	chunk *uploads.Chunk
	made  time.Time
}

// arrivingProperties are all that such a resource has.
var arrivingProperties = []davxml.Name{davxml.DResourceType, davxml.DGetContentLength, davxml.DGetETag, davxml.DGetLastModified}

// listUploads answers PROPFIND: which uploads there are, or which chunks of one, so that who was cut off knows what need not be sent again.
func (q *request) listUploads() error {
	depth, err := q.depth(davxml.DepthOne) // there is nothing below that
	if err != nil {
		return err
	}
	root, err := q.xmlBody()
	if err != nil {
		return err
	}
	set := davxml.PropSet{Mode: davxml.AllProp}
	if root != nil {
		if set, err = davxml.ParsePropFind(root, q.h.o.Limits); err != nil {
			return err
		}
	}
	list, err := q.arriving(depth != davxml.DepthZero)
	if err != nil {
		return err
	}
	s := q.newSpool()
	defer s.close()
	m := writers.Get().(*davxml.Multistatus)
	defer writers.Put(m)
	m.Reset(s)
	for i := range list {
		list[i].write(m, &set)
	}
	if err := m.Close(); err != nil {
		return err
	}
	q.w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	q.w.Header().Set("Cache-Control", "no-cache")
	q.w.Header().Set("DAV", q.compliance())
	return s.send(q, http.StatusMultiStatus)
}

// arriving lists what a PROPFIND tells of.
func (q *request) arriving(deep bool) ([]arriving, error) {
	self := arriving{href: q.path.Href()}
	dir := q.path
	dir.Slash = true
	switch q.level() {
	case atUploads:
		self.href = dir.Href()
		out := []arriving{self}
		if deep {
			for _, u := range q.h.o.Uploads.List(q.owner) {
				out = append(out, arriving{href: dir.Child(u.Name, true).Href(), made: u.Made})
			}
		}
		return out, nil
	case atUpload:
		u, err := q.h.o.Uploads.Get(q.owner, q.path.Names[0])
		if err != nil {
			return nil, err
		}
		self.href, self.made = dir.Href(), u.Made
		out := []arriving{self}
		if deep {
			for i := range u.Chunks {
				out = append(out, arriving{href: dir.Child(u.Chunks[i].Name, false).Href(), chunk: &u.Chunks[i], made: u.Chunks[i].At})
			}
		}
		return out, nil
	}
	c, err := q.chunk()
	self.chunk, self.made = &c, c.At
	return []arriving{self}, err
}

// has tells whether it has a property.
func (a *arriving) has(n davxml.Name) bool {
	switch n {
	case davxml.DResourceType:
		return true
	case davxml.DGetContentLength, davxml.DGetETag:
		return a.chunk != nil
	case davxml.DGetLastModified:
		return !a.made.IsZero()
	}
	return false
}

func (a *arriving) write(m *davxml.Multistatus, set *davxml.PropSet) {
	m.Response(a.href)
	var has, lacks []davxml.Name
	for _, n := range arrivingProperties {
		if (set.Mode != davxml.NamedProps || set.Asks(n)) && a.has(n) {
			has = append(has, n)
		}
	}
	for _, n := range set.Names {
		if !a.has(n) {
			lacks = append(lacks, n)
		}
	}
	if len(has) > 0 {
		m.Propstat(http.StatusOK)
		for _, n := range has {
			if set.Mode == davxml.PropNames {
				m.Empty(n)
			} else {
				a.property(&m.Writer, n)
			}
		}
	}
	if len(lacks) > 0 {
		m.Propstat(http.StatusNotFound)
		for _, n := range lacks {
			m.Empty(n)
		}
	}
}

func (a *arriving) property(w *davxml.Writer, n davxml.Name) {
	switch n {
	case davxml.DResourceType:
		w.Start(n)
		if a.chunk == nil {
			w.Empty(davxml.DCollection)
		}
		w.End()
	case davxml.DGetContentLength:
		w.Start(n)
		w.Int(a.chunk.Size)
		w.End()
	case davxml.DGetETag:
		w.Element(n, etagText(a.chunk.Hash))
	case davxml.DGetLastModified:
		w.Element(n, a.made.UTC().Format(http.TimeFormat))
	}
}
