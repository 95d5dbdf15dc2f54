package dav

import (
	"net/http"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davxml"
)

// addMember is the query of the URL at which a collection takes members by POST (RFC 5995).
const addMember = "add-member"

// missingParent refuses to make something below a collection that is not there.
//
// RFC 4918 wants 409. In an address book or a calendar a PUT is answered 404 instead: there a client takes 409 for a conflict with the server's version,
// drops its own edit and downloads; on 404 it keeps the edit. MKCOL, COPY and MOVE carry no edit and get 409.
func (q *request) missingParent(at *place) error {
	if q.verb == http.MethodPut && at.path.Area != holdfast.HomeFiles {
		return &holdfast.Error{Op: "dav.PUT", Kind: holdfast.NotFound, Ref: at.path.Href(), Text: "the collection that this belongs to is not there; what you sent was not stored"}
	}
	return Refuse(http.StatusConflict, davxml.Name{}, "the collection that this belongs to is not there; make it first")
}

// put stores a resource's octets, verbatim (RFC 4918 section 9.7, RFC 9110 section 9.3.4).
func (q *request) put() error {
	switch {
	case q.where == 0:
		return q.missingParent(&q.place)
	case q.where != AtMember:
		return q.notAllowed()
	case q.path.Slash:
		return &Refusal{Status: http.StatusMethodNotAllowed, Allow: "OPTIONS, MKCOL", Text: "a name that ends in a slash is a collection's; make those with MKCOL"}
	}
	put, err := q.putRequest(q.loc.Place())
	if err != nil {
		return err
	}
	r, etag, err := q.store(put)
	if err != nil {
		return err
	}
	q.h.o.Refused.Acknowledged(q.p, etag)
	q.receipt(r)
	q.w.Header().Set("ETag", etagText(etag))
	return q.done(madeOr(r.Created))
}

// putRequest reads what a PUT or POST says before its body. Everything that needs no body is refused before the body is read.
func (q *request) putRequest(at core.Place) (put core.PutRequest, err error) {
	if q.r.Header.Get("Content-Range") != "" {
		return put, Refuse(http.StatusBadRequest, davxml.Name{}, "a part of a resource cannot be put; send all of it without Content-Range")
	}
	if q.loc.Access < core.Writes {
		return put, readOnlyHere("dav."+q.r.Method, q.path.Href())
	}
	put = core.PutRequest{Place: at, ContentType: mediaTypeSent(q.r.Header.Get("Content-Type"))}
	if put.If, err = q.precondition(); err != nil {
		return put, err
	}
	if err = q.unmodified(&put.If); err != nil {
		return put, err
	}
	if put.Conditions, err = q.conditions(); err != nil {
		return put, err
	}
	return put, q.unlocked()
}

func readOnlyHere(op, href string) error {
	return &holdfast.Error{Op: op, Kind: holdfast.Forbidden, Ref: href, Rule: "need-privileges", Text: "this is shared with you to read, not to change; ask its owner. Nothing was changed"}
}

// store reads the body and puts it.
func (q *request) store(put core.PutRequest) (r holdfast.Receipt, etag holdfast.Hash, err error) {
	if q.holdsFile() {
		return q.putFile(put)
	}
	if put.Body, err = q.octets(q.h.o.Core.Limits().Resource); err != nil {
		return r, etag, err
	}
	return q.h.o.Core.Put(q.r.Context(), q.p, put)
}

// mediaTypeSent is the media type that a client sent, if it can stand in an answer again.
func mediaTypeSent(s string) string {
	if len(s) > 255 {
		return ""
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return ""
		}
	}
	return s
}

// post makes a member under a name of the server's choice (RFC 5995).
func (q *request) post() error {
	if q.where&(AtCollection|AtHome) == 0 || q.r.URL.RawQuery != addMember {
		return q.notAllowed()
	}
	q.posted = true
	at := q.loc.Place()
	at.Name = holdfast.NewID(nil).String()
	if x := q.extension(); x != nil {
		at.Name += x.MemberSuffix
	}
	put, err := q.putRequest(at)
	if err != nil {
		return err
	}
	put.If = holdfast.Precondition{Exists: holdfast.Absent}
	r, etag, err := q.store(put)
	if err != nil {
		return err
	}
	q.h.o.Refused.Acknowledged(q.p, etag)
	q.receipt(r)
	h := q.w.Header()
	h.Set("Location", q.path.Child(at.Name, false).Href())
	h.Set("ETag", etagText(etag))
	return q.done(http.StatusCreated)
}

// delete makes a resource, or a collection with all that is in it, a tombstone (RFC 4918 section 9.6). All versions are kept.
func (q *request) delete() error {
	if err := q.exists(); err != nil {
		return err
	}
	if q.where&(AtMember|AtCollection) == 0 {
		return Refuse(http.StatusForbidden, davxml.Name{}, "this is a part of every account and cannot be deleted")
	}
	if d, err := q.depth(davxml.DepthInfinity); err != nil {
		return err
	} else if q.where == AtCollection && d != davxml.DepthInfinity {
		return Refuse(http.StatusBadRequest, davxml.Name{}, "a collection is deleted with all that is in it: Depth is infinity or not said")
	}
	pre, err := q.precondition()
	if err != nil {
		return err
	}
	if err = q.unmodified(&pre); err != nil {
		return err
	}
	cond, err := q.conditions()
	if err != nil {
		return err
	}
	end, err := q.writing()
	if err != nil {
		return err
	}
	defer end()
	r, err := q.h.o.Core.Delete(q.r.Context(), q.p, q.loc.Place(), pre, cond)
	if err != nil {
		return err
	}
	q.gone()
	q.receipt(r)
	return q.done(http.StatusNoContent)
}
