package dav

import (
	"net/http"
	"slices"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davxml"
)

// transfer answers COPY and MOVE (RFC 4918 sections 9.8, 9.9), within one account.
func (q *request) transfer() error {
	if err := q.exists(); err != nil {
		return err
	}
	t, err := q.transferRequest()
	if err != nil {
		return err
	}
	do := q.h.o.Core.Copy
	if q.r.Method == "MOVE" {
		do = q.h.o.Core.Move
	}
	end, err := q.writing()
	if err != nil {
		return err
	}
	defer end()
	r, err := do(q.r.Context(), q.p, t)
	if err != nil {
		return err
	}
	if q.r.Method == "MOVE" {
		q.gone()
	}
	q.receipt(r)
	if r.Created {
		path := q.dest.path
		path.Slash = t.From.Name == ""
		q.w.Header().Set("Location", path.Href())
	}
	return q.done(madeOr(r.Created))
}

func (q *request) transferRequest() (t core.Transfer, err error) {
	if q.where&(AtMember|AtCollection) == 0 {
		return t, Refuse(http.StatusForbidden, davxml.Name{}, "this is a part of every account and cannot be copied or moved")
	}
	t.From = q.loc.Place()
	if t.Overwrite, err = davxml.ParseOverwrite(q.r.Header.Get("Overwrite")); err != nil {
		return t, err
	}
	depth, err := q.depth(davxml.DepthInfinity)
	switch {
	case err != nil:
		return t, err
	case depth == davxml.DepthOne, depth == davxml.DepthZero && q.r.Method == "MOVE" && q.where == AtCollection:
		return t, Refuse(http.StatusBadRequest, davxml.Name{}, "the Depth of a COPY is 0 or infinity, that of the MOVE of a collection infinity")
	}
	t.Shallow = depth == davxml.DepthZero
	if t.To, err = q.destination(); err != nil {
		return t, err
	}
	t.Conditions, err = q.allConditions()
	return t, err
}

// destinationPath reads the Destination header.
func (q *request) destinationPath() (Path, error) {
	u, err := davxml.ParseDestination(q.r.Header.Get("Destination"))
	if err != nil {
		return Path{}, err
	}
	if u.Host != "" && !q.ours(u.Host) {
		return Path{}, Refuse(http.StatusBadGateway, davxml.Name{}, "the destination is on another server; this one reaches only itself")
	}
	return ParsePath(u.EscapedPath())
}

// destination looks up where a COPY or MOVE goes.
func (q *request) destination() (core.Place, error) {
	path, err := q.destinationPath()
	if err != nil {
		return core.Place{}, err
	}
	at, err := q.lookup(nil, path)
	if err != nil {
		return core.Place{}, err
	}
	q.dest = &at
	switch {
	case at.where == 0:
		return core.Place{}, q.missingParent(&at)
	case at.where&(AtMember|AtCollection) == 0:
		return core.Place{}, Refuse(http.StatusForbidden, davxml.Name{}, "nothing can be put in the place of the destination")
	case at.loc.Binding && at.where == AtCollection:
		return core.Place{}, Refuse(http.StatusForbidden, davxml.Name{}, "nothing can be put in the place of what is shared with you")
	case q.around(&at):
		return core.Place{}, Refuse(http.StatusForbidden, davxml.Name{}, "source and destination are the same, or one is inside of the other")
	}
	if at.where == AtMember {
		return at.loc.Place(), nil
	}
	return core.Place{Owner: at.loc.Owner, Collection: at.loc.Collection.Parent, Name: at.loc.Collection.Name}, nil
}

// around tells whether source and destination are one place, or one is inside of the other.
func (q *request) around(at *place) bool {
	a, b := q.path, at.path
	if q.owner != at.owner || a.Area != b.Area {
		return false
	}
	n := min(len(a.Names), len(b.Names))
	return slices.Equal(a.Names[:n], b.Names[:n])
}

// placeOfNew says where a collection is made.
func (q *request) placeOfNew(how making) (parent holdfast.ID, name string, err error) {
	switch {
	case q.where == 0:
		return parent, "", q.missingParent(&q.place)
	case q.where != AtMember:
		return parent, "", q.taken(how)
	}
	return q.loc.Collection.ID, q.loc.Rest[0], nil
}
