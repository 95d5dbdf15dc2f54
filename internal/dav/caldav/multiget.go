package caldav

import (
	"net/http"

	"holdfast"
	"holdfast/internal/dav"
	"holdfast/internal/davxml"
)

// reports are those of RFC 4791 section 7.
func (o Options) reports() []dav.Report {
	return []dav.Report{
		{Name: davxml.CCalendarMultiget, Where: dav.AtCollection | dav.AtMember, Serve: o.multiget},
		{Name: davxml.CCalendarQuery, Where: dav.AtCollection | dav.AtMember, Serve: o.query},
		{Name: davxml.CFreeBusyQuery, Where: dav.AtHome | dav.AtCollection, Plain: o.freeBusy},
	}
}

// multiget answers CALDAV:calendar-multiget (section 7.9): each href under the very text that the client sent. What is not a live member of the calendar
// that the request names is 404, whatever else it is: strangers learn nothing.
func (o Options) multiget(q *dav.Query) error {
	m, err := davxml.ParseCalendarMultiget(q.Body, q.Limits)
	if err != nil {
		return err
	}
	f, err := o.formOf(m.Data, nil, q)
	if err != nil {
		return err
	}
	q.Data = f
	ask := q.Ask(m.Props)
	needs := ask.Needs(holdfast.TypeCalendar)
	calendar := q.Target.Collection.ID
	for _, href := range m.Hrefs {
		name, ok, err := q.Name(href)
		if err != nil {
			return err
		}
		if !ok || q.Target.Resource != nil && q.Target.Resource.Name != name { // of an object one can ask for that object alone
			q.Status(href, http.StatusNotFound)
			continue
		}
		r, err := q.Reader.Resource(calendar, name, needs)
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
