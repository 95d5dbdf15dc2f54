package carddav

import (
	"errors"
	"net/http"

	"holdfast"
	"holdfast/internal/dav"
	"holdfast/internal/davxml"
)

// reports are those of RFC 6352 section 8.
func (o Options) reports() []dav.Report {
	return []dav.Report{
		{Name: davxml.CRAddressbookMultiget, Where: dav.AtCollection | dav.AtMember, Serve: o.multiget},
		{Name: davxml.CRAddressbookQuery, Where: dav.AtCollection | dav.AtMember, Serve: o.query},
	}
}

// multiget answers CARDDAV:addressbook-multiget (section 8.7): each href under the very text that the client sent. What is not a live member of the address
// book that the request names is 404, whatever else it is: strangers learn nothing.
func (o Options) multiget(q *dav.Query) error {
	m, err := davxml.ParseAddressbookMultiget(q.Body, q.Limits)
	if err != nil {
		return err
	}
	f, err := o.formOf(m.Data, q.Header)
	if err != nil {
		return err
	}
	q.Data = f
	ask := q.Ask(m.Props)
	needs := ask.Needs(holdfast.TypeAddressbook)
	book := q.Target.Collection.ID
	for _, href := range m.Hrefs {
		name, ok, err := q.Name(href)
		if err != nil {
			return err
		}
		if !ok || q.Target.Resource != nil && q.Target.Resource.Name != name { // of a card one can ask for that card alone
			q.Status(href, http.StatusNotFound)
			continue
		}
		r, err := q.Reader.Resource(book, name, needs)
		if holdfast.IsKind(err, holdfast.NotFound) {
			q.Status(href, http.StatusNotFound)
			continue
		}
		if err != nil {
			return err
		}
		if err := f.respond(q, ask, &r, href); err != nil {
			return err
		}
	}
	return nil
}

// respond answers for one member, under href where it is not empty. A card that cannot be given in the form is told so by name (section 5.1.1.1).
func (f *form) respond(q *dav.Query, ask *dav.Ask, r *holdfast.Resource, href string) error {
	t := q.Target
	if t.Where == dav.AtMember {
		t.Resource = r
	} else {
		t = q.Member(r)
	}
	if href != "" {
		t.Href = href
	}
	if err := f.prepare(r); err != nil {
		q.Status(t.Href, http.StatusUnsupportedMediaType, davxml.Condition{Name: davxml.CRSupportedAddressDataConversion})
		return nil
	}
	return ask.Respond(t)
}

// errEnough ends a listing early.
var errEnough = errors.New("carddav: enough was found")
