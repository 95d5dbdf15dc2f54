package caldav

import (
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

// multiget answers CALDAV:calendar-multiget (section 7.9).
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
	return q.Multiget(m.Hrefs, ask, func(t *dav.Target) error { return f.respond(q, ask, t) })
}
