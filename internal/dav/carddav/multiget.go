package carddav

import (
	"errors"
	"net/http"

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

// multiget answers CARDDAV:addressbook-multiget (section 8.7).
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
	return q.Multiget(m.Hrefs, ask, func(t *dav.Target) error { return f.respond(q, ask, t) })
}

// respond answers for one member. A card that cannot be given in the form is told so by name (section 5.1.1.1).
func (f *form) respond(q *dav.Query, ask *dav.Ask, t *dav.Target) error {
	if err := f.prepare(t.Resource); err != nil {
		q.Status(t.Href, http.StatusUnsupportedMediaType, davxml.Condition{Name: davxml.CRSupportedAddressDataConversion})
		return nil
	}
	return ask.Respond(t)
}

// errEnough ends a listing early.
var errEnough = errors.New("carddav: enough was found")
