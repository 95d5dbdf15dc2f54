package caldav

import (
	"holdfast"
	"holdfast/internal/dav"
	"holdfast/internal/davxml"
	"holdfast/internal/ical"
)

// principalProperties are what clients ask a principal for who might be invited (RFC 6638 sections 2.1.1, 2.2.1, 2.4). Accounts that were made before there was an
// inbox and an outbox have none, and then the properties are not there.
func principalProperties() []dav.Property {
	return []dav.Property{
		{Name: davxml.CCalendarUserAddressSet, Where: dav.AtPrincipal, Write: writeAddresses},
		{Name: davxml.CCalendarUserType, Where: dav.AtPrincipal, Write: raw(`<C:calendar-user-type>INDIVIDUAL</C:calendar-user-type>`)},
		place(davxml.CScheduleInboxURL, dav.AtPrincipal, holdfast.NameInbox, holdfast.TypeInbox),
		place(davxml.CScheduleOutboxURL, dav.AtPrincipal, holdfast.NameOutbox, holdfast.TypeOutbox),
	}
}

// inboxProperties are those of an inbox: where invitations would go, and when the owner is to be had (RFC 7953 section 7.2).
func inboxProperties() []dav.Property {
	availability := func(n davxml.Name) dav.Property {
		return dav.Property{Name: n, Where: dav.AtCollection, Has: hasDead(n), Write: writeDead(n), Accept: acceptAvailability}
	}
	return []dav.Property{
		place(davxml.CScheduleDefaultCalendarURL, dav.AtCollection, "default", holdfast.TypeCalendar),
		availability(davxml.CCalendarAvailability),
		availability(davxml.CSCalendarAvailability),
	}
}

// place is a property that holds the href of a collection in the owner's home of calendars, if there is one of that name and type.
func place(n davxml.Name, where dav.Where, name string, ct holdfast.CollectionType) dav.Property {
	return dav.Property{Name: n, Where: where,
		Has: func(q *dav.Query, t *dav.Target) bool {
			if t.Account.ID != q.Principal.Account {
				return false // how somebody's home is furnished is not told to those who share a calendar with them
			}
			at, err := q.Reader.Locate([]string{holdfast.HomeCalendars, name})
			q.Fail(err)
			return err == nil && len(at.Rest) == 0 && at.Collection.Type == ct
		},
		Write: func(w *davxml.Writer, _ *dav.Query, t *dav.Target, _ *davxml.Element) {
			w.Href(n, dav.HomeHref(t.Account.ID, holdfast.HomeCalendars)+name+"/")
		}}
}

// writeAddresses gives what a client may find in ORGANIZER and ATTENDEE and take for its user.
func writeAddresses(w *davxml.Writer, _ *dav.Query, t *dav.Target, _ *davxml.Element) {
	w.Start(davxml.CCalendarUserAddressSet)
	w.Element(davxml.DHref, "mailto:"+t.Account.Email, davxml.Attr{Name: davxml.Name{Local: "preferred"}, Value: "1"})
	w.Element(davxml.DHref, dav.PrincipalHref(t.Account.ID))
	w.Element(davxml.DHref, dav.URN(t.Account.ID))
	w.End()
}

// acceptAvailability: the value is an iCalendar object with VAVAILABILITY components.
func acceptAvailability(_ *dav.Target, op davxml.PropOp) error {
	if op.Remove {
		return nil
	}
	cal, err := ical.Parse([]byte(op.Element.TrimText()), textLimits())
	if err != nil || len(op.Element.Children) > 0 || len(cal.Each("VAVAILABILITY")) == 0 {
		return forbidden(davxml.CValidCalendarData, "the value of calendar-availability is a VCALENDAR with VAVAILABILITY components")
	}
	return nil
}

// textLimits bound an iCalendar object that stands in a property or in a request.
func textLimits() ical.Limits {
	return ical.Limits{Octets: 200_000, LineOctets: 10_000, Lines: 5_000, Components: 1_000}
}

func forbidden(cond davxml.Name, text string) error { return dav.Refuse(403, cond, text) }
