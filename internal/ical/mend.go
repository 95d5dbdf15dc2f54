package ical

import (
	"crypto/sha1"
	"fmt"
	"slices"
	"strings"
)

// MendOptions say what Mend cannot know from the octets.
type MendOptions struct {
	Zone  string                 // the zone of times whose own is not known: X-WR-TIMEZONE, from Piece.Zone; the object's own one wins
	Known func(tzid string) bool // whether a TZID without a VTIMEZONE is known; nil: none is
	Rule  func(rule string) bool // whether an RRULE or EXRULE can be read; nil: all can
}

// Mended is one object fit to be stored.
type Mended struct {
	Octets []byte   // an object that Judge accepts
	Index  Index    // what Judge says of it
	Mends  []string // what was done to it, in short sentences; none: the octets are those given
}

// Mend makes what Split yields fit to be stored: mostly one object, several where the data holds several UIDs or one UID stands for different
// things. What can be stored is in the first result even if a refusal tells of the rest. An object that Judge accepts and whose zones and
// rules are known comes back as the very octets given, with no mend, so mending twice changes nothing more.
//
// Mended are: line ends, control characters, octets that are not UTF-8, broken parameters, lines without a name (joined to the text before
// them, or kept as a COMMENT), missing and superfluous ENDs, METHOD (dropped), VERSION, PRODID and UID (added); times written in another way;
// zones that nobody knows (replaced by the calendar's zone, or left out); several versions of one thing (the newest stays). A new UID is a
// hash of the component's text, so importing a file twice gives the same objects. What contradicts itself or cannot be read is kept under
// another name: DTEND as X-FORMER-DTEND. vCalendar 1.0 is rewritten as version 2.0. Lines that need no mending keep their text, with CR LF for what
// ended them. The lines of a refusal are not
// told, as they would be those of the piece and not of the file.
//
// Refused are events without DTSTART, components that no calendar takes, and what exceeds the limits.
func Mend(raw []byte, o MendOptions) ([]Mended, *Refusal) {
	if c, ix, r := Judge(raw, Limits{}); r == nil && newZones(c.Each("VTIMEZONE"), o).settled(c) {
		return []Mended{{Octets: raw, Index: ix}}, nil
	}
	lim := DefaultLimits()
	switch head := strings.ToUpper(strings.TrimSpace(string(raw[:min(len(raw), 200)]))); {
	case len(raw) > lim.Octets:
		return nil, &Refusal{ValidCalendarData, 0, fmt.Sprintf("The object is larger than %d octets.", lim.Octets)}
	case strings.HasPrefix(head, "BEGIN:VCARD"):
		return nil, &Refusal{SupportedCalendarData, 0, "This is a contact and belongs into an address book."}
	}
	m := mender{o: o}
	r, refusal := newLaxReader(string(raw), func(s string) { m.common = add(m.common, s) })
	if refusal == nil {
		m.r, r.v1 = r, isVersion1(raw)
		refusal = r.read()
	}
	if refusal == nil && r.v1 {
		m.from1()
	}
	if refusal == nil {
		refusal = m.head()
	}
	if refusal == nil {
		refusal = m.gather()
	}
	if refusal != nil {
		refusal.Line = 0
		return nil, refusal
	}
	var out []Mended
	for _, ob := range m.objects {
		done, refused := m.finish(ob)
		out = append(out, done...)
		if refused != nil && refusal == nil {
			refused.Line = 0
			refusal = refused
		}
	}
	return out, refusal
}

// mender holds the data of one call.
type mender struct {
	o       MendOptions
	r       *laxReader
	common  []string     // the mends that concern all objects
	top     []Line       // the properties of the VCALENDAR
	few     []Line       // those of them that every object needs
	message bool         // there was a METHOD
	list    []*Component // the VTIMEZONEs
	zones   *zones
	others  []*Component // of unknown names
	objects []*object
	written int // octets of all objects
}

// object is what shares kind and UID.
type object struct {
	kind, uid  string
	components []*Component
	mends      []string
}

// maxMends is how many sentences are told of one object.
const maxMends = 100

// add appends a sentence once.
func add(mends []string, s string) []string {
	switch {
	case slices.Contains(mends, s):
		return mends
	case len(mends) == maxMends:
		return append(mends, "mended more of this sort")
	case len(mends) > maxMends:
		return mends
	}
	return append(mends, s)
}

func (ob *object) say(format string, args ...any) {
	ob.mends = add(ob.mends, fmt.Sprintf(format, args...))
}

// head settles the properties of the VCALENDAR: those of the first that has them.
func (m *mender) head() *Refusal {
	say := func(s string) { m.common = add(m.common, s) }
	version, prodid := false, false
	for i, c := range m.r.roots {
		for _, l := range c.Lines {
			v := strings.TrimSpace(l.Value)
			switch {
			case l.Is("VERSION"):
				if v != "2.0" && !strings.HasSuffix(v, ";2.0") {
					say(fmt.Sprintf("replaced the version %q by 2.0", clip(v)))
					continue
				} else if version {
					say("removed a repeated VERSION")
					continue
				}
				version = true
			case l.Is("METHOD"):
				m.message = true
				say(fmt.Sprintf("removed METHOD:%s, which makes it a message", clip(v)))
				continue
			case l.Is("CALSCALE") && !strings.EqualFold(v, "GREGORIAN"):
				return &Refusal{SupportedCalendarData, l.No, "Only CALSCALE:GREGORIAN is supported."}
			case l.Is("PRODID"):
				if prodid {
					say("removed a repeated PRODID")
					continue
				}
				prodid = true
			case l.Is("X-WR-TIMEZONE"):
				m.o.Zone = strings.TrimSpace(l.Text())
			}
			if i == 0 || !l.Is("CALSCALE") {
				m.top = append(m.top, l)
			}
		}
	}
	if !prodid {
		m.top = append([]Line{NewLine("PRODID", "-//Holdfast//Import//EN")}, m.top...)
		say("added a PRODID")
	}
	if !version {
		m.top = append([]Line{NewLine("VERSION", "2.0")}, m.top...)
		say("added VERSION:2.0")
	}
	for i := range m.top {
		l := &m.top[i]
		if l.No = 0; l.Is("VERSION") || l.Is("PRODID") || l.Is("CALSCALE") {
			m.few = append(m.few, *l)
		}
	}
	return nil
}

// gather sorts the components into objects.
func (m *mender) gather() *Refusal {
	byKey := map[string]*object{}
	for _, root := range m.r.roots {
		for _, c := range root.Children {
			kind := isKind(c.Name)
			switch {
			case c.Name == "VTIMEZONE" && c.Prop("TZID") == nil:
				m.common = add(m.common, "removed a VTIMEZONE without TZID")
			case c.Name == "VTIMEZONE":
				m.list = append(m.list, c)
			case kind == "":
				m.others = append(m.others, c)
			default:
				ob := &object{kind: kind}
				key := kind + "\x00" + ob.fixUID(c, m.r)
				if have := byKey[key]; have != nil {
					have.components = append(have.components, c)
					for _, s := range ob.mends {
						have.mends = add(have.mends, s)
					}
					continue
				}
				ob.components = append(ob.components, c)
				byKey[key] = ob
				m.objects = append(m.objects, ob)
			}
		}
	}
	m.zones = newZones(m.list, m.o)
	switch {
	case len(m.objects) > 0:
		return nil
	case len(m.others) > 0:
		return &Refusal{SupportedCalendarComponent, m.others[0].No, fmt.Sprintf("A calendar does not take a %s alone.", clip(m.others[0].Name))}
	}
	return &Refusal{ValidCalendarObjectResource, 0, "There is no event, to-do or journal entry."}
}

// fixUID leaves exactly one usable UID in a component and returns it.
func (ob *object) fixUID(c *Component, r *laxReader) string {
	c.Lines = slices.DeleteFunc(c.Lines, func(l Line) bool { return l.Is("UID") && strings.TrimSpace(l.Text()) == "" })
	var uid *Line
	for i := range c.Lines {
		l := &c.Lines[i]
		if !l.Is("UID") {
			continue
		}
		v := strings.TrimSpace(l.Text())
		switch {
		case uid != nil:
			setName(l, "X-FORMER-UID")
			ob.say("put the second of two UIDs aside as X-FORMER-UID")
		case len(v) > MaxUID || hasControl(v):
			setName(l, "X-FORMER-UID")
			ob.say("put a UID that cannot stay aside as X-FORMER-UID")
			if ob.uid == "" {
				ob.uid = hashUID([]string{v}) // the same for all components with this one
			}
		default:
			uid = l
		}
	}
	if uid != nil {
		ob.uid = strings.TrimSpace(uid.Text())
		return ob.uid
	}
	if ob.uid == "" {
		ob.uid = hashUID(r.textOf(c))
		ob.say("added a UID")
	}
	c.Lines = append([]Line{NewLine("UID", ob.uid)}, c.Lines...)
	return ob.uid
}

func setName(l *Line, name string) { l.Name, l.Raw = name, "" }

// hashUID gives a name-based UUID (RFC 9562, version 5) of a component's text. When it was written out does not count, so that the same event
// exported again gets the same.
func hashUID(lines []string) string {
	h := sha1.New()
	h.Write([]byte("holdfast ical import 1\n"))
	for _, l := range lines {
		if name := strings.ToUpper(l[:min(len(l), 8)]); name != "DTSTAMP:" {
			h.Write([]byte(l))
			h.Write([]byte("\n"))
		}
	}
	u := h.Sum(nil)[:16]
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// finish repairs and writes one object, and those that have to leave it.
func (m *mender) finish(ob *object) (out []Mended, refusal *Refusal) {
	kept := ob.components[:0]
	for _, c := range ob.components {
		if r := ob.repair(c, m.zones); r != nil {
			refusal = r
			continue
		}
		kept = append(kept, c)
	}
	if ob.components = kept; len(kept) == 0 {
		return nil, refusal
	}
	for _, one := range append([]*object{ob}, m.choose(ob)...) {
		octets, ix, r := m.write(one)
		if r != nil {
			refusal = r
			continue
		}
		mends := slices.Clone(m.common)
		for _, s := range one.mends {
			mends = add(mends, s)
		}
		if len(mends) == 0 {
			mends = append(mends, "wrote the calendar anew") // blank lines, the case of BEGIN: nothing that says anything
		}
		out = append(out, Mended{octets, ix, mends})
	}
	return out, refusal
}

// write composes one object and judges it.
func (m *mender) write(ob *object) ([]byte, Index, *Refusal) {
	c := NewComponent("VCALENDAR")
	// What belongs to none of several objects in particular goes with the first.
	first := ob == m.objects[0]
	if c.Lines = m.few; first {
		c.Lines = m.top
	}
	if first && len(m.objects) == 1 {
		c.Children = append(c.Children, m.list...)
	} else {
		c.Children = m.zones.used(nil, ob.components)
	}
	c.Children = append(c.Children, ob.components...)
	if first {
		c.Children = append(c.Children, m.others...)
	}
	octets := c.Append(nil)
	if m.written += len(octets); m.written > 16*DefaultLimits().Octets {
		return nil, Index{}, &Refusal{ValidCalendarData, 0, "The data holds too many objects that share too much; divide it into several files."}
	}
	_, ix, r := Judge(octets, Limits{})
	return octets, ix, r
}
