package ical

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"holdfast/internal/content"
	"holdfast/internal/ical/civil"
)

// repair makes the properties of a component readable and agree with one another. What cannot stay is put aside under another name.
func (ob *object) repair(c *Component, z *zones) *Refusal {
	ob.repairAll(c, z)
	ob.first(c, "DTSTART", "DTEND", "DUE", "DURATION", "RECURRENCE-ID")
	if l := c.Prop("DURATION"); l != nil {
		if d, ok := ParseDuration(l.Value); !ok || d.Negative {
			ob.aside(l, "a DURATION that cannot be read")
		}
	}
	start, id := c.Prop("DTSTART"), c.Prop("RECURRENCE-ID")
	if start == nil && c.Name == "VEVENT" {
		if id == nil {
			return &Refusal{ValidCalendarData, c.No, fmt.Sprintf("The event %s has no DTSTART that can be read.", title(c))}
		}
		d, _ := id.DateTime()
		c.Add(d.Line("DTSTART"))
		ob.say("took a missing DTSTART from RECURRENCE-ID")
		start = c.Prop("DTSTART")
	}
	for _, name := range []string{"DTEND", "DUE"} {
		end := c.Prop(name)
		if end == nil {
			continue
		}
		if l := c.Prop("DURATION"); l != nil {
			ob.aside(l, "a DURATION beside "+name)
		}
		if name == "DTEND" && start != nil {
			from, _ := start.DateTime()
			if to, err := end.DateTime(); err == nil && before(to, from) {
				ob.aside(end, "a DTEND before DTSTART")
			}
		}
	}
	if c.Name == "VAVAILABILITY" {
		for _, k := range c.Children {
			if r := ob.repair(k, z); r != nil {
				return r
			}
		}
	}
	return nil
}

// repairAll mends each property by itself, those of components inside as well as far as zones are concerned.
func (ob *object) repairAll(c *Component, z *zones) {
	var former []Line
	for i := range c.Lines {
		l := &c.Lines[i]
		switch strings.ToUpper(l.Name) {
		case "DTSTART", "DTEND", "DUE", "RECURRENCE-ID":
			ob.repairTime(l)
		case "DTSTAMP", "CREATED", "LAST-MODIFIED", "COMPLETED":
			// Judge lets them pass, because they only inform; other programs may stumble over them.
			ob.repairTime(l)
		case "EXDATE", "RDATE", "FREEBUSY":
			if bad, ok := ob.repairList(l); !ok {
				former = append(former, bad)
			}
		case "RRULE", "EXRULE":
			if z.o.Rule != nil && !z.o.Rule(l.Value) {
				ob.aside(l, "a rule that cannot be read")
			}
		}
		z.repair(l, ob)
	}
	if len(former) > 0 {
		c.Lines = append(c.Lines[:len(c.Lines):len(c.Lines)], former...)
	}
	for _, k := range c.Children {
		if c.Name != "VAVAILABILITY" { // whose components are repaired one by one
			z.repairIn(k, ob)
		}
	}
}

// aside keeps a property under another name.
func (ob *object) aside(l *Line, what string) {
	name := strings.ToUpper(l.Name)
	setName(l, "X-FORMER-"+name)
	ob.say("put %s aside as X-FORMER-%s", what, name)
}

// first leaves the first of each of these properties.
func (ob *object) first(c *Component, names ...string) {
	for _, name := range names {
		for i, l := range c.Props(name) {
			if i > 0 {
				ob.aside(l, "a second "+name)
			}
		}
	}
}

// repairTime makes a single time readable, or puts it aside.
func (ob *object) repairTime(l *Line) {
	if _, err := l.DateTime(); err == nil {
		return
	}
	if v, ok := retime(l, l.Value); ok {
		l.SetValue(v)
		ob.say("corrected the time of %s", strings.ToUpper(l.Name))
		return
	}
	if content.IsBlank(l.Value) {
		ob.aside(l, "an empty "+strings.ToUpper(l.Name))
		return
	}
	ob.aside(l, fmt.Sprintf("a %s that cannot be read (%s)", strings.ToUpper(l.Name), clip(l.Value)))
}

// written are the ways in which programs write times: ISO 8601 with its separators, a missing second, an offset, white space.
var written = regexp.MustCompile(`^(\d{4})-?(\d\d)-?(\d\d)(?:[Tt ]+(\d\d):?(\d\d)(?::?(\d\d)(?:[.,]\d+)?)? ?(Z|z|[+-]\d\d:?(?:\d\d)?)?)?$`)

// retime writes a time as iCalendar does. The line's parameters are corrected where they contradict the value.
func retime(l *Line, value string) (string, bool) {
	s := strings.TrimSpace(value)
	if i := strings.LastIndexByte(s, ':'); i > 0 && l.tzid() != "" {
		// An unquoted zone with a colon in its name (GMT+01:00) spilled over into the value.
		if _, ok := parseDateTime(s[i+1:], false, ""); ok {
			zone := l.tzid() + ":" + strings.Trim(s[:i], `"`)
			l.DropParam("TZID")
			l.AddParam(NewParam("TZID", zone))
			return s[i+1:], true
		}
	}
	f := written.FindStringSubmatch(s)
	if f == nil {
		return "", false
	}
	n := func(i int) int { v, _ := strconv.Atoi(f[i]); return v }
	if !civil.Valid(n(1), n(2), n(3)) || n(4) > 24 || n(5) > 59 || n(6) > 60 {
		return "", false
	}
	t := civil.Of(n(1), n(2), n(3), n(4), n(5), min(n(6), 59))
	d := DateTime{Time: t, Form: Floating}
	switch {
	case f[4] == "":
		d.Form = Date
	case f[7] == "Z" || f[7] == "z":
		d.Form = UTC
	case f[7] != "":
		offset, ok := ParseUTCOffset((strings.ReplaceAll(f[7], ":", "") + "00")[:5])
		if !ok {
			return "", false
		}
		d.Form, d.Time = UTC, t-civil.Time(offset)
		l.DropParam("TZID")
	}
	if d.Form != Date && l.dateOnly() {
		l.DropParam("VALUE")
	}
	return d.String(), d.Time >= civil.Min && d.Time <= civil.Max
}

// repairList makes the times of a list readable; ok is false if some are not, which are taken out and returned under another name.
func (ob *object) repairList(l *Line) (former Line, ok bool) {
	if _, err := l.eachTime(nil, nil); err == nil || strings.Count(l.Value, ",") >= maxValues {
		return former, true // or the judge refuses it
	}
	dateOnly, tzid := l.dateOnly(), l.tzid()
	var good, bad []string
	for _, one := range strings.Split(l.Value, ",") {
		one = strings.TrimSpace(one)
		if strings.Contains(one, "/") {
			if _, ok := parsePeriod(one, tzid); ok {
				good = append(good, one)
				continue
			}
		} else if _, ok := parseDateTime(one, dateOnly, tzid); ok || one == "" {
			good = append(good, one)
			continue
		} else if v, ok := retime(l, one); ok {
			good = append(good, v)
			ob.say("corrected a time of %s", strings.ToUpper(l.Name))
			continue
		}
		bad = append(bad, one)
	}
	l.SetValue(strings.Join(good, ","))
	if len(bad) == 0 {
		return former, true
	}
	ob.say("put times of %s that cannot be read aside as X-FORMER-%[1]s", strings.ToUpper(l.Name))
	former = NewLine("X-FORMER-"+strings.ToUpper(l.Name), strings.Join(bad, ","), l.Params...)
	return former, false
}

// zones knows which zones an object may refer to.
type zones struct {
	o   MendOptions
	own map[string]*Component // the VTIMEZONEs by TZID, as written and unescaped
}

func newZones(list []*Component, o MendOptions) *zones {
	z := &zones{o: o, own: map[string]*Component{}}
	for _, c := range list {
		if l := c.Prop("TZID"); l != nil {
			for _, tzid := range []string{strings.TrimSpace(l.Value), strings.TrimSpace(l.Text())} {
				if z.own[tzid] == nil {
					z.own[tzid] = c
				}
			}
		}
	}
	return z
}

func (z *zones) known(tzid string) bool {
	return tzid == "" || z.own[tzid] != nil || z.o.Known != nil && z.o.Known(tzid)
}

// settled tells whether nothing of an object that Judge accepts needs mending.
func (z *zones) settled(c *Component) bool {
	rules := z.o.Rule != nil && c.Name != "STANDARD" && c.Name != "DAYLIGHT"
	for i := range c.Lines {
		l := &c.Lines[i]
		if rules && (l.Is("RRULE") || l.Is("EXRULE")) && !z.o.Rule(l.Value) || !z.known(l.tzid()) {
			return false
		}
	}
	return !slices.ContainsFunc(c.Children, func(k *Component) bool { return !z.settled(k) })
}

// used adds the VTIMEZONEs to which the components refer, each once.
func (z *zones) used(have []*Component, components []*Component) []*Component {
	for _, c := range components {
		for i := range c.Lines {
			if zone := z.own[c.Lines[i].tzid()]; zone != nil && !slices.Contains(have, zone) && len(have) < maxZones {
				have = append(have, zone)
			}
		}
		have = z.used(have, c.Children)
	}
	return have
}

// repair replaces a zone that nobody knows.
func (z *zones) repair(l *Line, ob *object) {
	tzid := l.tzid()
	if z.known(tzid) {
		return
	}
	l.DropParam("TZID")
	if d, err := l.DateTime(); err == nil && (d.Form == UTC || d.Form == Date) {
		ob.say("removed the zone %q, which the time does not need", clip(tzid))
		return
	}
	if z.o.Zone != "" && z.known(z.o.Zone) {
		l.AddParam(NewParam("TZID", z.o.Zone))
		ob.say("read times of the unknown zone %q as times of %s", clip(tzid), clip(z.o.Zone))
		return
	}
	ob.say("read times of the unknown zone %q as local wherever one is", clip(tzid))
}

func (z *zones) repairIn(c *Component, ob *object) {
	for i := range c.Lines {
		z.repair(&c.Lines[i], ob)
	}
	for _, k := range c.Children {
		z.repairIn(k, ob)
	}
}
