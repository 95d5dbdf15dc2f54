package caldav

import (
	"net/http"
	"strings"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/dav"
	"holdfast/internal/davxml"
)

// properties are those of RFC 4791 sections 5.2, 6.2, 7.5 and 9.6, of RFC 6638 at principals, and what clients add. There is no limit to how many instances or
// attendees an object has, so that max-instances and max-attendees-per-instance are not there (sections 5.2.8, 5.2.9). What clients ask for beyond (CS:pushkey,
// CS:allowed-sharing-modes and their like) is not there until they set it: 404, which they all take.
func (o Options) properties() []dav.Property {
	return append(append([]dav.Property{
		{Name: davxml.CCalendarHomeSet, Where: dav.AtRoot | dav.AtPrincipals | dav.AtPrincipal | dav.AtHomes | dav.AtHome | dav.AtCollection, Has: hasHomeSet, Write: writeHomeSet},
		{Name: davxml.CSupportedCalendarComponentSets, Where: dav.AtHome, Write: raw(componentSets())},
		{Name: davxml.CSupportedCalendarComponentSet, Where: dav.AtCollection, Write: writeComponents},
		{Name: davxml.CSupportedCalendarData, Where: dav.AtCollection, Write: raw(supportedData)},
		{Name: davxml.CSupportedCollationSet, Where: dav.AtCollection | dav.AtHome, Write: raw(supportedCollations)},
		{Name: davxml.CMaxResourceSize, Where: dav.AtCollection, Write: o.writeMaxSize},
		{Name: davxml.CMinDateTime, Where: dav.AtCollection, Write: raw(`<C:min-date-time>` + minDateTime + `</C:min-date-time>`)},
		{Name: davxml.CMaxDateTime, Where: dav.AtCollection, Write: raw(`<C:max-date-time>` + maxDateTime + `</C:max-date-time>`)},
		{Name: davxml.CMaxInstances, Where: dav.AtCollection, Has: never},
		{Name: davxml.CMaxAttendeesPerInstance, Where: dav.AtCollection, Has: never},
		{Name: davxml.CCalendarTimezone, Where: dav.AtCollection, Has: hasDead(davxml.CCalendarTimezone), Write: writeDead(davxml.CCalendarTimezone), Accept: o.acceptTimezone,
			Replaces: []davxml.Name{davxml.CCalendarTimezoneID}},
		{Name: davxml.CCalendarTimezoneID, Where: dav.AtCollection, Has: o.hasTimezoneID, Write: o.writeTimezoneID, Accept: o.acceptTimezoneID,
			Replaces: []davxml.Name{davxml.CCalendarTimezone}},
		{Name: davxml.CScheduleCalendarTransp, Where: dav.AtCollection, Write: writeTransp, Accept: acceptTransp},
		{Name: davxml.CCalendarData, Where: dav.AtMember, Write: o.writeData, Needs: core.WithBody, InReports: true},
	}, looks()...), principalProperties()...)
}

// looks are how a calendar or a subscription looks: set by clients, kept as they set it.
func looks() []dav.Property {
	return []dav.Property{
		kept(davxml.CCalendarDescription, 10_000),
		kept(davxml.ACalendarColor, 100),
		kept(davxml.ACalendarOrder, 20),
	}
}

// kept is a property of plain text that is there once somebody set it.
func kept(n davxml.Name, most int) dav.Property {
	return dav.Property{Name: n, Where: dav.AtCollection, Has: hasDead(n), Write: writeDead(n), Accept: plainText(most)}
}

func never(*dav.Query, *dav.Target) bool { return false }

func hasDead(n davxml.Name) func(*dav.Query, *dav.Target) bool {
	return func(_ *dav.Query, t *dav.Target) bool { return t.Dead().Get(n.Space, n.Local) != nil }
}

func writeDead(n davxml.Name) func(*davxml.Writer, *dav.Query, *dav.Target, *davxml.Element) {
	return func(w *davxml.Writer, _ *dav.Query, t *dav.Target, _ *davxml.Element) {
		w.Raw(t.Dead().Get(n.Space, n.Local))
	}
}

// raw writes a property that never changes. The prefix C is declared by the document that it is written into.
func raw(fragment string) func(*davxml.Writer, *dav.Query, *dav.Target, *davxml.Element) {
	return func(w *davxml.Writer, _ *dav.Query, _ *dav.Target, _ *davxml.Element) { w.RawString(fragment) }
}

const (
	supportedData       = `<C:supported-calendar-data><C:calendar-data content-type="text/calendar" version="2.0"/></C:supported-calendar-data>`
	supportedCollations = `<C:supported-collation-set>` +
		`<C:supported-collation>i;ascii-casemap</C:supported-collation>` +
		`<C:supported-collation>i;octet</C:supported-collation>` +
		`<C:supported-collation>i;unicode-casemap</C:supported-collation>` +
		`</C:supported-collation-set>`
	minDateTime = "00010101T000000Z"
	maxDateTime = "99991231T235959Z"
)

// componentSets says that a calendar can be made for any choice of events, to-dos and journals (Apple's extension: its clients offer lists of to-dos only
// where they are told of such).
func componentSets() string {
	var b strings.Builder
	b.WriteString(`<C:supported-calendar-component-sets>`)
	for choice := 1; choice < 1<<usualKinds; choice++ {
		var some []string
		for i := range usualKinds {
			if choice&(1<<i) != 0 {
				some = append(some, kinds[i])
			}
		}
		b.WriteString(componentSetXML(some))
	}
	b.WriteString(`</C:supported-calendar-component-sets>`)
	return b.String()
}

func componentSetXML(components []string) string {
	var b strings.Builder
	b.WriteString(`<C:supported-calendar-component-set>`)
	for _, c := range components {
		b.WriteString(`<C:comp name="` + c + `"/>`)
	}
	b.WriteString(`</C:supported-calendar-component-set>`)
	return b.String()
}

// componentsOf are those that a calendar holds.
func componentsOf(c *holdfast.Collection) []string {
	if len(c.Components) == 0 {
		return kinds
	}
	return c.Components
}

func writeComponents(w *davxml.Writer, _ *dav.Query, t *dav.Target, _ *davxml.Element) {
	w.RawString(componentSetXML(componentsOf(t.Collection)))
}

// hasHomeSet: everybody is told of their own home, and from wherever they look, so that a client finds it from whatever address its user typed; the RFC asks
// for principals alone.
func hasHomeSet(q *dav.Query, t *dav.Target) bool {
	return t.Where != dav.AtPrincipal || t.Account.ID == q.Principal.Account
}

func writeHomeSet(w *davxml.Writer, q *dav.Query, _ *dav.Target, _ *davxml.Element) {
	w.Href(davxml.CCalendarHomeSet, dav.HomeHref(q.Principal.Account, holdfast.HomeCalendars))
}

func (o Options) writeMaxSize(w *davxml.Writer, _ *dav.Query, _ *dav.Target, _ *davxml.Element) {
	w.Start(davxml.CMaxResourceSize)
	w.Int(o.MaxResource)
	w.End()
}

// writeTransp says whether the calendar counts for who asks when its owner is free (RFC 6638 section 9.1). It does unless somebody said otherwise.
func writeTransp(w *davxml.Writer, _ *dav.Query, t *dav.Target, _ *davxml.Element) {
	n := davxml.CScheduleCalendarTransp
	if xml := t.Dead().Get(n.Space, n.Local); xml != nil {
		w.Raw(xml)
		return
	}
	w.Start(n)
	w.Empty(davxml.COpaque)
	w.End()
}

// transparent tells whether a calendar is left out of free-busy answers over a whole home.
func transparent(c *holdfast.Collection) bool {
	xml := c.Properties.Get(davxml.CScheduleCalendarTransp.Space, davxml.CScheduleCalendarTransp.Local)
	if xml == nil {
		return false
	}
	e, err := davxml.ParseBytes(xml, davxml.DefaultLimits())
	return err == nil && e.Child(davxml.CTransparent) != nil
}

func acceptTransp(_ *dav.Target, op davxml.PropOp) error {
	if op.Remove {
		return nil
	}
	if e := op.Element; len(e.Children) != 1 || e.Child(davxml.COpaque) == nil && e.Child(davxml.CTransparent) == nil {
		return dav.Refuse(http.StatusForbidden, davxml.Name{}, "schedule-calendar-transp is either opaque or transparent")
	}
	return nil
}
