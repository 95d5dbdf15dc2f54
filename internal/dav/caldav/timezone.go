package caldav

import (
	"strings"

	"holdfast"
	"holdfast/internal/dav"
	"holdfast/internal/davxml"
	"holdfast/internal/ical"
	"holdfast/internal/ical/recur"
	"holdfast/internal/ical/zone"
)

// zoneSteps bound the reading of one VTIMEZONE.
const zoneSteps = 100_000

// zoneOfText reads a time zone from an iCalendar object with exactly one VTIMEZONE (RFC 4791 section 5.2.2), and its TZID.
func (o Options) zoneOfText(text string) (zone.Zone, string, bool) {
	cal, err := ical.Parse([]byte(strings.TrimSpace(text)), textLimits()) // in XML white space stands around it easily
	if err != nil || len(cal.Children) != 1 || !cal.Children[0].Is("VTIMEZONE") {
		return nil, "", false
	}
	tz := cal.Children[0]
	id := tz.Prop("TZID")
	if id == nil || id.Value == "" {
		return nil, "", false
	}
	z, err := o.Zones.Of(tz, recur.NewBudget(zoneSteps))
	if err != nil {
		var known bool
		if z, known = o.Zones.Named(id.Value); !known {
			return nil, "", false
		}
	}
	return z, id.Value, true
}

func (o Options) acceptTimezone(_ *dav.Target, op davxml.PropOp) error {
	if op.Remove {
		return nil
	}
	if _, _, ok := o.zoneOfText(op.Element.Text); !ok || len(op.Element.Children) > 0 {
		return forbidden(davxml.CValidCalendarData, "the value of calendar-timezone is a VCALENDAR with one VTIMEZONE and nothing else")
	}
	return nil
}

func (o Options) acceptTimezoneID(_ *dav.Target, op davxml.PropOp) error {
	if op.Remove {
		return nil
	}
	if _, ok := o.Zones.Named(op.Element.TrimText()); !ok {
		return forbidden(davxml.CValidTimezone, "the value of calendar-timezone-id is not the name of a time zone that is known here")
	}
	return nil
}

// hasTimezoneID: it was set, or the zone that was set as a text has a name that is known.
func (o Options) hasTimezoneID(_ *dav.Query, t *dav.Target) bool {
	return hasDead(davxml.CCalendarTimezoneID)(nil, t) || o.timezoneID(t.Collection) != ""
}

func (o Options) writeTimezoneID(w *davxml.Writer, _ *dav.Query, t *dav.Target, _ *davxml.Element) {
	n := davxml.CCalendarTimezoneID
	if xml := t.Dead().Get(n.Space, n.Local); xml != nil {
		w.Raw(xml)
		return
	}
	w.Element(n, o.timezoneID(t.Collection))
}

// timezoneID gives the known name of the zone in calendar-timezone; "" where there is none.
func (o Options) timezoneID(c *holdfast.Collection) string {
	_, id, ok := o.zoneOfText(textOf(c, davxml.CCalendarTimezone))
	if _, known := o.Zones.Named(id); !ok || !known {
		return ""
	}
	return id
}

// textOf gives the text of a dead property.
func textOf(c *holdfast.Collection, n davxml.Name) string {
	xml := c.Properties.Get(n.Space, n.Local)
	if xml == nil {
		return ""
	}
	e, err := davxml.ParseBytes(xml, davxml.DefaultLimits())
	if err != nil {
		return ""
	}
	return e.Text
}

// floating is the zone in which floating times are read (RFC 4791 section 7.3): the request's, else the calendar's, else UTC. The error names the
// precondition.
func (o Options) floating(text, id string, c *holdfast.Collection) (zone.Zone, error) {
	if text != "" {
		z, _, ok := o.zoneOfText(text)
		if !ok {
			return nil, refuse("Query", ruleValidData, "the timezone of the request is not a VCALENDAR with one VTIMEZONE")
		}
		return z, nil
	}
	if id != "" {
		z, ok := o.Zones.Named(id)
		if !ok {
			return nil, refuse("Query", ruleTimezone, "the timezone-id of the request is not the name of a time zone that is known here")
		}
		return z, nil
	}
	if id := strings.TrimSpace(textOf(c, davxml.CCalendarTimezoneID)); id != "" {
		if z, ok := o.Zones.Named(id); ok {
			return z, nil
		}
	}
	if z, _, ok := o.zoneOfText(textOf(c, davxml.CCalendarTimezone)); ok {
		return z, nil
	}
	return zone.UTC, nil
}
