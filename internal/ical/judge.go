package ical

import (
	"fmt"
	"slices"
	"strings"
)

// Precondition is the local name of a precondition element of RFC 4791, section 5.3.2.1, in the namespace urn:ietf:params:xml:ns:caldav.
type Precondition string

// The preconditions that this package judges. no-uid-conflict, max-resource-size and the others are judged where collections are known.
const (
	SupportedCalendarData       Precondition = "supported-calendar-data"        // this is not iCalendar 2.0
	ValidCalendarData           Precondition = "valid-calendar-data"            // it is, but cannot be read
	ValidCalendarObjectResource Precondition = "valid-calendar-object-resource" // it can be read, but is no object for a calendar (section 4.1)
	SupportedCalendarComponent  Precondition = "supported-calendar-component"   // no calendar takes components of this kind
)

// Refusal says why an object is not taken.
type Refusal struct {
	Precondition Precondition
	Line         int    // number of the line of text, from 1; 0 where no single line is at fault
	Why          string // one or two sentences that say what to do
}

// Error gives precondition, line and sentence.
func (r *Refusal) Error() string {
	if r.Line > 0 {
		return fmt.Sprintf("%s: line %d: %s", r.Precondition, r.Line, r.Why)
	}
	return fmt.Sprintf("%s: %s", r.Precondition, r.Why)
}

// Index is what a store needs to know of an object.
type Index struct {
	UID  string // unescaped, white space at the ends removed
	Kind string // VEVENT, VTODO, VJOURNAL, VFREEBUSY or VAVAILABILITY
}

// MaxUID is the longest UID that is taken, in octets. The longest seen in real calendars have about 300; indexes of database engines want a bound.
const MaxUID = 1024

// kinds are the components of which a calendar object resource may consist (RFC 4791, section 4.1; RFC 7953).
var kinds = []string{"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"}

// isKind returns the kind as one of the constants above, so that it does not hold on to the input; "" if the component is of no kind.
func isKind(name string) string {
	if i := slices.Index(kinds, name); i >= 0 {
		return kinds[i]
	}
	return ""
}

// Judge decides whether octets may be stored as a calendar object resource (RFC 4791, sections 4.1 and 5.3.2.1). It returns the object cut into
// components, so that nobody has to parse it again, and its index. The refusal is nil if and only if the octets are accepted.
//
// Accepted is one VCALENDAR of version 2.0 without METHOD that holds components of one kind, all with the same UID, beside VTIMEZONEs: at most
// one master and no two overrides with the same RECURRENCE-ID. Overrides without their master are taken (section 4.1 has them for guests who
// were invited to single instances). Components of unknown names are kept beside the others, but are not enough alone.
//
// What real clients leave out or write otherwise is taken as far as its meaning is certain: no PRODID, no DTSTAMP, to-dos with a rule but no
// DTSTART, dates without VALUE=DATE, unreadable times where they only inform (DTSTAMP, CREATED, LAST-MODIFIED, COMPLETED), a DUE before DTSTART.
// Refused is what would have to be guessed: an event without DTSTART, a DTEND before it, DTEND beside DURATION, times that cannot be read, the
// year 0.
//
// Zones and rules are not looked at here. vCalendar 1.0 is refused with supported-calendar-data as soon as it is seen, whatever else is wrong:
// that is what its sender has to change.
func Judge(data []byte, lim Limits) (*Component, Index, *Refusal) {
	c, err := parse(data, lim)
	if err != nil {
		return nil, Index{}, refuseSyntax(data, err)
	}
	if r := checkCalendar(c); r != nil {
		return nil, Index{}, r
	}
	var j judgement
	for _, k := range c.Children {
		if r := j.see(k); r != nil {
			return nil, Index{}, r
		}
	}
	if r := j.verdict(c); r != nil {
		return nil, Index{}, r
	}
	return c, Index{UID: strings.Clone(j.uid), Kind: j.kind}, nil
}

// refuseSyntax says which precondition is violated by data that is not one VCALENDAR.
func refuseSyntax(data []byte, err *SyntaxError) *Refusal {
	head := strings.ToUpper(strings.TrimSpace(string(data[:min(len(data), 200)])))
	switch {
	case isVersion1(data):
		return &Refusal{SupportedCalendarData, 0, "vCalendar 1.0 is not supported; send iCalendar, version 2.0."}
	case head == "":
		return &Refusal{ValidCalendarData, 0, "The body holds no calendar; send one that begins with BEGIN:VCALENDAR."}
	case strings.HasPrefix(head, "BEGIN:VCARD"):
		return &Refusal{SupportedCalendarData, 1, "This is a contact; a calendar takes iCalendar."}
	case !strings.HasPrefix(head, "BEGIN:") && !strings.HasPrefix(head, "\uFEFFBEGIN:"):
		return &Refusal{SupportedCalendarData, 1, "This is not iCalendar; send data that begins with BEGIN:VCALENDAR."}
	case err.Fault == SeveralCalendars:
		return &Refusal{ValidCalendarObjectResource, err.Line, err.Why}
	}
	return &Refusal{ValidCalendarData, err.Line, err.Why}
}

// isVersion1 finds VERSION:1.0 in data that need not be iCalendar otherwise. It stands near the begin of what is one calendar.
func isVersion1(data []byte) bool {
	for n := 0; n < 50 && len(data) > 0; n++ {
		line, rest, _ := strings.Cut(string(data[:min(len(data), 1000)]), "\n")
		if strings.EqualFold(strings.ReplaceAll(strings.TrimSpace(line), " ", ""), "VERSION:1.0") {
			return true
		}
		if rest == "" && len(line) < len(data) {
			return false // a long line
		}
		data = data[min(len(data), len(line)+1):]
	}
	return false
}

// checkCalendar judges the properties of the VCALENDAR itself.
func checkCalendar(c *Component) *Refusal {
	versions := 0
	for i := range c.Lines {
		l := &c.Lines[i]
		switch {
		case l.Is("VERSION"):
			versions++
			if v := strings.Trim(l.Value, " \t"); v == "1.0" {
				return &Refusal{SupportedCalendarData, l.No, "vCalendar 1.0 is not supported; send iCalendar, version 2.0."}
			} else if v != "2.0" && !strings.HasSuffix(v, ";2.0") {
				return &Refusal{SupportedCalendarData, l.No, "This version of iCalendar is not supported; send version 2.0."}
			}
		case l.Is("METHOD"):
			return &Refusal{ValidCalendarObjectResource, l.No, "METHOD makes this a message; remove it to store the object."}
		case l.Is("CALSCALE"):
			if !strings.EqualFold(strings.Trim(l.Value, " \t"), "GREGORIAN") {
				return &Refusal{SupportedCalendarData, l.No, "Only CALSCALE:GREGORIAN is supported."}
			}
		}
	}
	switch versions {
	case 0:
		return &Refusal{ValidCalendarData, c.No, "VERSION is missing; add VERSION:2.0 behind BEGIN:VCALENDAR."}
	case 1:
		return nil
	}
	return &Refusal{ValidCalendarData, c.No, "VERSION stands more than once; keep one."}
}

// judgement gathers what has been seen of the components.
type judgement struct {
	kind, uid string
	first     *Component // the first component of the kind
	other     *Component // a component of an unknown name
	master    *Component
	overrides int
	id        DateTime              // the RECURRENCE-ID of the first override
	ids       map[DateTime]struct{} // all of them, once there are two
	times     int                   // values in lists
}

// see takes one component of the VCALENDAR in.
func (j *judgement) see(c *Component) *Refusal {
	for _, k := range c.Children {
		if isKind(k.Name) != "" || k.Name == "VTIMEZONE" || k.Name == "VCALENDAR" {
			return &Refusal{ValidCalendarData, k.No, fmt.Sprintf("A %s stands inside a %s; its END may be missing.", k.Name, clip(c.Name))}
		}
	}
	kind := isKind(c.Name)
	switch {
	case c.Name == "VTIMEZONE":
		if c.Prop("TZID") == nil { // an empty one, which Exchange writes, is one to which nothing refers
			return &Refusal{ValidCalendarData, c.No, "A VTIMEZONE has no TZID; add it, or remove the VTIMEZONE."}
		}
		return nil
	case c.Name == "VCALENDAR":
		return &Refusal{ValidCalendarData, c.No, "A VCALENDAR stands inside another one; an END may be missing."}
	case kind == "":
		j.other = c
		return nil
	case j.kind == "":
		j.kind, j.first = kind, c
	case j.kind != kind:
		return &Refusal{ValidCalendarObjectResource, c.No, fmt.Sprintf("A %s stands beside a %s; send each in a request of its own, or use import.", kind, j.kind)}
	}
	p, r := check(c)
	if r != nil {
		return r
	}
	if j.times += p.times; j.times > maxTimes {
		return &Refusal{ValidCalendarData, c.No, fmt.Sprintf("The object lists more than %d times; use a recurrence rule.", maxTimes)}
	}
	return j.identify(c, &p)
}

// identify checks that the component belongs to the others and differs from them.
func (j *judgement) identify(c *Component, p *parts) *Refusal {
	refuse := func(l *Line, why string) *Refusal {
		line := c.No
		if l != nil {
			line = l.No
		}
		return &Refusal{ValidCalendarObjectResource, line, why}
	}
	uid := ""
	if p.uid != nil {
		uid = strings.TrimSpace(p.uid.Text())
	}
	switch {
	case uid == "":
		return refuse(p.uid, fmt.Sprintf("The %s has no UID; add one that never changes.", c.Name))
	case len(uid) > MaxUID:
		return refuse(p.uid, fmt.Sprintf("The UID is longer than %d octets; use a shorter one.", MaxUID))
	case hasControl(uid):
		return refuse(p.uid, "The UID holds a line break or another control character; remove it.")
	case j.uid == "":
		j.uid = uid
	case j.uid != uid:
		return refuse(p.uid, "There are components with different UIDs; send each in a request of its own, or use import.")
	}
	if p.id == nil {
		if j.master != nil {
			return refuse(nil, fmt.Sprintf("The UID stands in two components without RECURRENCE-ID (the other in line %d); keep one.", j.master.No))
		}
		j.master = c
		return nil
	}
	if j.overrides++; j.overrides == 1 {
		j.id = p.idTime
		return nil
	}
	if j.ids == nil {
		j.ids = map[DateTime]struct{}{j.id: {}}
	}
	if _, twice := j.ids[p.idTime]; twice {
		return refuse(p.id, "Two components have this RECURRENCE-ID; keep one.")
	}
	j.ids[p.idTime] = struct{}{}
	return nil
}

// verdict judges the whole once every component was seen.
func (j *judgement) verdict(c *Component) *Refusal {
	switch {
	case j.kind != "":
		return nil
	case j.other != nil:
		return &Refusal{SupportedCalendarComponent, j.other.No, fmt.Sprintf("A calendar does not take a %s alone.", clip(j.other.Name))}
	}
	return &Refusal{ValidCalendarObjectResource, c.No, "The VCALENDAR holds no event, to-do or journal entry; add one."}
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 })
}
