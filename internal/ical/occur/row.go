package occur

import (
	"fmt"
	"math"

	"holdfast/internal/ical"
	"holdfast/internal/ical/civil"
	"holdfast/internal/ical/recur"
	"holdfast/internal/ical/zone"
)

// row says which row of the tables of RFC 4791, section 9.9, holds for a component.
type row uint8

const (
	rowSpan     row = iota // from start to end, the end exclusive; a point if it has no length
	rowTodoSpan            // DTSTART and DURATION of a VTODO: the end counts, too
	rowTodoDue             // DTSTART and DUE of a VTODO
	rowDue                 // DUE alone
	rowClosed              // DTSTART and DTEND of a VFREEBUSY: the end counts, too
)

// interval gives the seconds that count for an instance from s to e: it overlaps
// [from, to) if lo < to and hi >= from.
func (r row) interval(s, e int64) (lo, hi int64) {
	switch r {
	case rowTodoSpan: // (start <= e) AND ((end > s) OR (end >= e))
		if e > s {
			return s, e
		}
		return s - 1, s
	case rowTodoDue: // ((start < e) OR (start <= s)) AND ((end > s) OR (end >= e))
		if e > s {
			return s, e - 1
		}
		return e - 1, s
	case rowDue: // (start < e) AND (end >= e)
		return s - 1, s - 1
	case rowClosed: // (start <= e) AND (end > s)
		return s, max(s, e)
	}
	if e > s { // (start < e) AND (end > s)
		return s, e - 1
	}
	return s, s // (start <= s) AND (end > s)
}

// interval is one of those, for components whose times make no instances.
type interval struct{ lo, hi int64 }

// part is a component with its times.
type part struct {
	comp     *ical.Component
	anchored bool   // it has a start, or what stands for it
	anchor   moment // DTSTART; DUE of a VTODO without it; RECURRENCE-ID of an override without either
	length   length // from the anchor to the end
	row      row
	fixed    []interval // what counts where there is no anchor

	isOverride bool
	id         moment // RECURRENCE-ID
	future     bool   // RANGE=THISANDFUTURE
}

// length is the time from a start to an end. Days are nominal.
type length struct{ days, seconds int64 }

func lengthOf(d ical.Duration) length {
	if d.Negative {
		return length{-d.Days, -d.Seconds}
	}
	return length{d.Days, d.Seconds}
}

// end gives the end of what begins at an instant, which is local on the clocks of z.
func (l length) end(z zone.Zone, local civil.Time, at int64) int64 {
	if l.days == 0 {
		return at + l.seconds
	}
	return z.Instant(local+civil.Time(l.days)*civil.Day) + l.seconds
}

// part reads the times of a component.
func (c *compiler) part(k *ical.Component) (*part, error) {
	p := &part{comp: k}
	if l := k.Prop("RECURRENCE-ID"); l != nil {
		id, err := c.moment(l, nil)
		if err != nil {
			return nil, err
		}
		p.isOverride, p.id, p.future = true, id, equalFold(l.First("RANGE"), "THISANDFUTURE")
	}
	start := k.Prop("DTSTART")
	if start != nil {
		var err error
		if p.anchor, err = c.moment(start, nil); err != nil {
			return nil, err
		}
		p.anchored = true
	}
	if err := c.times(p); err != nil {
		return nil, err
	}
	if !p.anchored && p.isOverride {
		p.anchored, p.anchor, p.fixed, p.length = true, p.id, nil, length{}
		p.plain()
	}
	return p, nil
}

// times reads what a kind of component has beside DTSTART.
func (c *compiler) times(p *part) error {
	switch p.comp.Name {
	case todo:
		return c.todo(p)
	case journal:
		p.plain()
		return nil
	case freeBusy:
		return c.freeBusy(p)
	case availability:
		return c.availability(p)
	}
	return c.length(p, "DTEND", rowSpan, rowSpan)
}

// plain makes a part that has a start alone: a date is a day long.
func (p *part) plain() {
	if p.anchor.Form == ical.Date && p.comp.Name != todo {
		p.length = length{days: 1}
	}
}

// length reads the end of a part: the property of that name, or DURATION. The row depends on which.
func (c *compiler) length(p *part, end string, byEnd, byDuration row) error {
	p.plain()
	if l := p.comp.Prop(end); l != nil && p.anchored {
		e, err := c.moment(l, &p.anchor)
		if err != nil {
			return err
		}
		p.row = byEnd
		if a := &p.anchor; a.Form == ical.Date && e.Form == ical.Date {
			p.length = length{days: int64(e.Time-a.Time) / civil.Day}
		} else {
			p.length = length{seconds: e.at - a.at}
		}
	} else if l := p.comp.Prop("DURATION"); l != nil && p.anchored {
		d, ok := ical.ParseDuration(l.Value)
		if !ok {
			return refuse(ical.ValidCalendarData, l.No, "DURATION cannot be read.")
		}
		p.row, p.length = byDuration, lengthOf(d)
	}
	if p.row != rowTodoDue && p.length.days*civil.Day+p.length.seconds <= 0 {
		// An end before the start: the start alone counts.
		p.length = length{}
		p.plain()
	}
	return nil
}

func (c *compiler) todo(p *part) error {
	due := p.comp.Prop("DUE")
	if due == nil || p.anchored {
		if p.anchored {
			return c.length(p, "DUE", rowTodoDue, rowTodoSpan)
		}
		return c.undated(p)
	}
	var err error
	p.anchor, err = c.moment(due, nil)
	p.anchored, p.row = true, rowDue
	return err
}

// undated reads the row of a VTODO without a start and an end. CREATED and COMPLETED that cannot be read are as good as none.
func (c *compiler) undated(p *part) error {
	read := func(name string) (int64, bool) {
		l := p.comp.Prop(name)
		if l == nil {
			return 0, false
		}
		m, err := c.moment(l, nil)
		return m.at, err == nil
	}
	created, isCreated := read("CREATED")
	completed, isCompleted := read("COMPLETED")
	one := interval{math.MinInt64, math.MaxInt64}
	switch {
	case isCreated && isCompleted: // ((start <= created) OR (start <= completed)) AND ((end >= created) OR (end >= completed))
		one = interval{min(created, completed) - 1, max(created, completed)}
	case isCompleted: // (start <= completed) AND (end >= completed)
		one = interval{completed - 1, completed}
	case isCreated: // (end > created)
		one = interval{created, math.MaxInt64}
	}
	p.fixed = []interval{one}
	return nil
}

func (c *compiler) freeBusy(p *part) error {
	if p.anchored && p.comp.Prop("DTEND") != nil {
		return c.length(p, "DTEND", rowClosed, rowClosed)
	}
	p.anchored = false
	for _, b := range p.periods() {
		lo, hi := rowSpan.interval(b.from, b.to)
		if p.fixed = append(p.fixed, interval{lo, hi}); len(p.fixed) > maxDates {
			return refuse(ical.ValidCalendarData, p.comp.No, fmt.Sprintf("More than %d periods are listed.", maxDates))
		}
		if !c.b.Spend(1) {
			return recur.ErrBudget
		}
	}
	return nil
}

// busyPeriod is a period of FREEBUSY with its FBTYPE.
type busyPeriod struct {
	from, to int64
	kind     string
}

// periods reads the FREEBUSY lines. They are in UTC; what is not, or cannot be read, is passed over.
func (p *part) periods() (list []busyPeriod) {
	for i := range p.comp.Lines {
		l := &p.comp.Lines[i]
		if !l.Is("FREEBUSY") {
			continue
		}
		_, periods, err := l.DateTimes()
		if err != nil {
			continue
		}
		kind := l.First("FBTYPE")
		for j := range periods {
			if from, to, ok := utcPeriod(&periods[j]); ok {
				list = append(list, busyPeriod{from, to, kind})
			}
		}
	}
	return list
}

func utcPeriod(p *ical.Period) (from, to int64, ok bool) {
	from = int64(p.Start.Time)
	if p.HasEnd {
		return from, int64(p.End.Time), p.Start.Form == ical.UTC && p.End.Form == ical.UTC
	}
	return from, lengthOf(p.Duration).end(zone.UTC, p.Start.Time, from), p.Start.Form == ical.UTC
}

// availability reads VAVAILABILITY: each end may be open (RFC 7953, section 3.1).
func (c *compiler) availability(p *part) error {
	if p.anchored && (p.comp.Prop("DTEND") != nil || p.comp.Prop("DURATION") != nil) {
		return c.length(p, "DTEND", rowSpan, rowSpan)
	}
	one := interval{math.MinInt64, math.MaxInt64}
	if p.anchored {
		one.lo = p.anchor.at
	} else if l := p.comp.Prop("DTEND"); l != nil {
		e, err := c.moment(l, nil)
		if err != nil {
			return err
		}
		one.hi = e.at - 1
	}
	p.anchored, p.fixed = false, []interval{one}
	return nil
}
