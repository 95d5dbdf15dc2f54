package dav

import (
	"net/http"

	"holdfast"
)

// Multiget answers for each href under the very text that the client sent, as the multigets of CardDAV (RFC 6352 section 8.7) and CalDAV (RFC 4791 section 7.9)
// do: answer is called for each live member of the collection that the request names, read with what ask needs. Anything else is 404, whatever it is: strangers
// learn nothing. A ghost whose octets are asked for is 503. Of a request that names a member one can ask for that member alone.
func (q *Query) Multiget(hrefs []string, ask *Ask, answer func(*Target) error) error {
	c := q.Target.Collection
	needs := ask.Needs(c.Type)
	for _, href := range hrefs {
		name, ok, err := q.Name(href)
		if err != nil {
			return err
		}
		if !ok || q.Target.Resource != nil && q.Target.Resource.Name != name {
			q.Status(href, http.StatusNotFound)
			continue
		}
		r, err := q.Reader.Resource(c.ID, name, needs)
		if holdfast.IsKind(err, holdfast.NotFound) {
			q.Status(href, http.StatusNotFound)
			continue
		}
		if holdfast.IsKind(err, holdfast.Unavailable) && q.Reader.Ghost(c.ID, name) { // the others are not kept from whoever asks
			q.Status(href, http.StatusServiceUnavailable)
			continue
		}
		if err != nil {
			return err
		}
		t := q.Found(&r)
		t.Href = href
		if err := answer(t); err != nil {
			return err
		}
	}
	return nil
}

// Found returns the target for a member that a report has read: what the request's URL names, with r, where that is a member; otherwise as Member does.
func (q *Query) Found(r *holdfast.Resource) *Target {
	if q.Target.Where != AtMember {
		return q.Member(r)
	}
	q.Target.Resource = r
	return q.Target
}
