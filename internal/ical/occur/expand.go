package occur

import (
	"errors"
	"strings"

	"holdfast/internal/ical"
	"holdfast/internal/ical/civil"
	"holdfast/internal/ical/recur"
)

// ErrTooMany says that an answer would hold more than was allowed.
var ErrTooMany = errors.New("the range holds more instances than are allowed")

// Expand gives the instances that overlap [from, to) as components of their own,
// in UTC, without recurrence rules and time zones (RFC 4791, section 9.6.5).
// Dates stay dates; floating times become UTC, too. It gives nil if there is no
// instance. More than limit instances are ErrTooMany; the other error is
// recur.ErrBudget.
func (o *Object) Expand(from, to int64, limit int, b *recur.Budget) (*ical.Component, error) {
	if b == nil {
		b = recur.NewBudget(recur.DefaultSteps)
	}
	cal := o.cal.Bare()
	cal.Lines = o.cal.Lines
	x := expander{o: o, b: b, moulds: map[*ical.Component]*mould{}}
	many, spent := false, false
	err := o.Instances(from, to, b, func(i *Instance) bool {
		m := x.mould(i.Component)
		if many = len(cal.Children) >= limit; many {
			return false
		}
		if spent = !b.Spend(1 + m.octets/octetsPerStep); spent {
			return false
		}
		cal.Children = append(cal.Children, x.instance(i, m))
		return true
	})
	switch {
	case err != nil:
		return nil, err
	case many:
		return nil, ErrTooMany
	case spent:
		return nil, recur.ErrBudget
	case len(cal.Children) == 0:
		return nil, nil
	}
	return cal, nil
}

// octetsPerStep is how much of an expansion costs a step: a large object may not come thousands of times.
const octetsPerStep = 256

// expander makes the components of instances.
type expander struct {
	o      *Object
	b      *recur.Budget
	moulds map[*ical.Component]*mould
}

// mould is what all instances of a component have in common.
type mould struct {
	lines    []ical.Line // in UTC, without what makes it recur
	children []*ical.Component
	octets   int
}

func (x *expander) mould(c *ical.Component) *mould {
	m := x.moulds[c]
	if m != nil {
		return m
	}
	m = &mould{}
	for _, l := range c.Lines {
		switch strings.ToUpper(l.Name) {
		case "RRULE", "EXRULE", "RDATE", "EXDATE":
			continue
		case "DTSTART", "DTEND", "DUE", "RECURRENCE-ID":
		default:
			x.o.toUTC(&l, x.b)
		}
		l.No = 0
		m.lines = append(m.lines, l)
		m.octets += 40 + len(l.Raw)
	}
	for _, k := range c.Children {
		k = x.o.unbound(k, x.b)
		m.children = append(m.children, k)
		m.octets += len(k.Append(nil))
	}
	x.moulds[c] = m
	return m
}

// instance makes a component of an instance. Its lines have no numbers, so that they are written in their order.
func (x *expander) instance(i *Instance, m *mould) *ical.Component {
	out := i.Component.Bare()
	out.No = 0
	out.Lines = make([]ical.Line, 0, len(m.lines)+2)
	out.Children = m.children
	identified, ends := false, false
	for _, l := range m.lines {
		switch name := strings.ToUpper(l.Name); name {
		case "DTSTART":
			l = absolute(name, i.Start, i.Local, i.AllDay)
		case "DTEND", "DUE":
			l, ends = x.o.end(&l, i), true
		case "DURATION":
			l, ends = exact(l, i), true
		case "RECURRENCE-ID":
			l, identified = x.o.identity(i), true
		}
		out.Lines = append(out.Lines, l)
	}
	if i.Recurring && !identified {
		out.Lines = append(out.Lines, x.o.identity(i))
	}
	if i.Recurring && !ends && !i.AllDay && i.End > i.Start && x.o.kind == event { // an RDATE that is a period
		out.Lines = append(out.Lines, absolute("DTEND", i.End, 0, false))
	}
	return out
}

// absolute writes a time in UTC, or as a date; what the four digits of a year cannot tell, as the end of time that they can.
func absolute(name string, at int64, local civil.Time, date bool) ical.Line {
	d := ical.DateTime{Time: civil.Time(at), Form: ical.UTC}
	if date {
		d = ical.DateTime{Time: local, Form: ical.Date}
	}
	d.Time = max(civil.Min, min(d.Time, civil.Max))
	return d.Line(name)
}

// identity writes the RECURRENCE-ID of an instance, in the form of the master.
func (o *Object) identity(i *Instance) ical.Line {
	date := i.AllDay
	if m := o.master; m != nil && m.anchored {
		date = m.anchor.Form == ical.Date
	}
	return absolute("RECURRENCE-ID", i.Original, i.OrigLocal, date)
}

// end writes the DTEND or DUE of an instance.
func (o *Object) end(l *ical.Line, i *Instance) ical.Line {
	d, err := l.DateTime()
	if err != nil {
		return *l
	}
	local := civil.Time(i.End)
	if i.zone != nil {
		local = i.zone.Local(i.End)
	}
	return absolute(strings.ToUpper(l.Name), i.End, local, d.Form == ical.Date && i.AllDay)
}

// exact writes a DURATION so that it is right in UTC: days that a change of the clocks made longer or shorter become seconds. The
// length of an RDATE that is a period is its own.
func exact(l ical.Line, i *Instance) ical.Line {
	d, ok := ical.ParseDuration(l.Value)
	if ok && !i.AllDay && (d.Days != 0 || i.Recurring) && d.Days*civil.Day+d.Seconds != i.End-i.Start {
		l = ical.NewLine("DURATION", ical.Duration{Seconds: i.End - i.Start}.String())
	}
	return l
}

// unbound copies a component inside of one, such as an alarm, with its times in UTC.
func (o *Object) unbound(c *ical.Component, b *recur.Budget) *ical.Component {
	out := c.Clone()
	out.No = 0
	for i := range out.Lines {
		out.Lines[i].No = 0
		o.toUTC(&out.Lines[i], b)
	}
	for i, k := range out.Children {
		out.Children[i] = o.unbound(k, b)
	}
	return out
}

// toUTC rewrites a property that names a time zone, which the answer does not define.
func (o *Object) toUTC(l *ical.Line, b *recur.Budget) {
	if l.First("TZID") == "" {
		return
	}
	d, err := l.DateTime()
	if err != nil || d.Form != ical.Zoned {
		return
	}
	m, err := o.reader(b).bind(d, nil, l.No)
	if err != nil {
		return
	}
	l.DropParam("TZID")
	l.SetValue(ical.DateTime{Time: civil.Time(m.at), Form: ical.UTC}.String())
}

// LimitRecurrenceSet gives the object with only those overrides that overlap
// [from, to), or whose instance would if it were not overridden, or that change
// later instances (RFC 4791, section 9.6.6). The components are shared with the
// object. The error is recur.ErrBudget.
func (o *Object) LimitRecurrenceSet(from, to int64, b *recur.Budget) (*ical.Component, error) {
	if b != nil && !b.Spend(len(o.overrides)) {
		return nil, recur.ErrBudget
	}
	drop := map[*ical.Component]bool{}
	for _, p := range o.overrides {
		if !o.matters(p, max(from, -far), min(to, far)) {
			drop[p.comp] = true
		}
	}
	if len(drop) == 0 {
		return o.cal, nil
	}
	cal := o.cal.Bare()
	cal.Lines = o.cal.Lines
	for _, c := range o.cal.Children {
		if !drop[c] {
			cal.Children = append(cal.Children, c)
		}
	}
	return cal, nil
}

func (o *Object) matters(p *part, from, to int64) bool {
	a := &p.anchor
	lo, hi := p.row.interval(a.at, p.length.end(a.zone, a.Time, a.at))
	if lo < to && hi >= from || p.future && p.id.at < to {
		return true
	}
	m := o.master
	if m == nil || !m.anchored {
		return false
	}
	local := o.originally(p)
	lo, hi = m.row.interval(p.id.at, m.length.end(m.anchor.zone, local, p.id.at))
	return lo < to && hi >= from
}

// LimitFreebusySet gives the object with only those periods of FREEBUSY that
// overlap [from, to) (RFC 4791, section 9.6.7).
func (o *Object) LimitFreebusySet(from, to int64) *ical.Component {
	if o.kind != freeBusy {
		return o.cal
	}
	cal := o.cal.Bare()
	cal.Lines = o.cal.Lines
	for _, c := range o.cal.Children {
		if c.Is(freeBusy) {
			c = limitPeriods(c, from, to)
		}
		cal.Children = append(cal.Children, c)
	}
	return cal
}

func limitPeriods(c *ical.Component, from, to int64) *ical.Component {
	out := c.Bare()
	out.Children = c.Children
	for _, l := range c.Lines {
		if l.Is("FREEBUSY") {
			if v, ok := limitValue(&l, from, to); !ok {
				continue
			} else if v != "" {
				l.SetValue(v)
			}
		}
		out.Lines = append(out.Lines, l)
	}
	return out
}

// limitValue gives the periods of a line that overlap; "" leaves the line as it is, false leaves nothing of it.
func limitValue(l *ical.Line, from, to int64) (string, bool) {
	_, periods, err := l.DateTimes()
	if err != nil {
		return "", true
	}
	var kept []string
	for i := range periods {
		s, e, ok := utcPeriod(&periods[i])
		if lo, hi := rowSpan.interval(s, e); !ok || lo < to && hi >= from {
			kept = append(kept, periods[i].String())
		}
	}
	if len(kept) == len(periods) {
		return "", true
	}
	return strings.Join(kept, ","), len(kept) > 0
}
