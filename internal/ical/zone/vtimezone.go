package zone

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"holdfast/internal/ical"
	"holdfast/internal/ical/civil"
	"holdfast/internal/ical/recur"
)

// Bounds of a definition. A real one has two observances, or a few hundred where it lists history; and two changes a year.
const (
	maxObservances = 2000
	maxOnsets      = 20000
	maxSteps       = 60000 // of recurrence rules
)

// cycle is the length of 400 years, after which the Gregorian calendar repeats itself, weekdays included.
const cycle = 146097 * civil.Day

// defined is a zone by its own definition: a table up to near; where rules go on
// behind that, another one for the 400 years after, and those over and over again.
type defined struct {
	near spans
	more bool
	last func() spans // made when somebody asks for it
}

// Of works out a VTIMEZONE (RFC 5545, section 3.6.5). The error is a *Error.
//
// The clocks are changed at the DTSTART of each observance, at its RDATEs and by
// its RRULEs, all read with its TZOFFSETFROM. Before the first change the
// TZOFFSETFROM of that change holds. Rules are followed for 400 years beyond
// 2060 and repeated from there on, which is exact for all that repeat each year.
func Of(vtimezone *ical.Component, b *recur.Budget) (Zone, error) {
	list, err := observances(vtimezone)
	if err != nil {
		return nil, err
	}
	if b == nil {
		b = recur.NewBudget(recur.DefaultSteps)
	}
	mine := recur.NewBudget(min(b.Left(), maxSteps))
	had := mine.Left()
	table, more, err := follow(list, near, mine)
	if mine.Exhausted() && had < maxSteps {
		b.Spend(b.Left() + 1) // it was not the definition that had too much: nobody else may be told so
	}
	if !b.Spend(had-mine.Left()) || err != nil {
		return nil, &Error{Line: vtimezone.No, Why: "The time zone takes too long to work out; its rules must be simpler."}
	}
	d := &defined{near: table, more: more}
	d.last = sync.OnceValue(func() spans {
		far, _, err := follow(list, near+cycle, recur.NewBudget(2*maxSteps))
		if err != nil || len(far) > 2*maxSpans {
			return d.near // the last offset holds on
		}
		return far
	})
	return clocks{d}, nil
}

func (d *defined) at(unix int64) (from, to, offset int64) {
	if unix < near || !d.more {
		from, to, offset = d.near.at(unix)
		if d.more {
			to = min(to, near)
		}
		return from, to, offset
	}
	skip := (unix - near) / cycle * cycle
	from, to, offset = d.last().at(unix - skip)
	return max(from, near) + skip, min(to, near+cycle) + skip, offset
}

// completed adds to a definition what the well-known zone of its name knows. The
// definition holds from its first change of the clocks on, and for ever if it has
// rules that go on; otherwise it was cut down to some years, and holds up to its
// last change. One with a single offset says nothing: it was cut down to less.
func completed(own, named Zone) Zone {
	c, ok := own.(clocks)
	if !ok {
		return own
	}
	d, ok := c.source.(*defined)
	if !ok {
		return own
	}
	l := &completion{own: d, known: named.(source), first: near, last: ever}
	if len(d.near) > 1 {
		l.first = d.near[1].from
	}
	if !d.more {
		l.last = d.near[len(d.near)-1].from
	}
	if l.first >= l.last {
		return named
	}
	return clocks{l}
}

// completion is a definition between two instants, and a well-known zone before and behind.
type completion struct {
	own, known  source
	first, last int64
}

func (l *completion) at(unix int64) (from, to, offset int64) {
	switch {
	case unix < l.first:
		from, to, offset = l.known.at(unix)
		return from, min(to, l.first), offset
	case unix < l.last:
		from, to, offset = l.own.at(unix)
		return max(from, l.first), min(to, l.last), offset
	}
	from, to, offset = l.known.at(unix)
	return max(from, l.last), to, offset
}

// observance is a STANDARD or DAYLIGHT part of a definition.
type observance struct {
	start    civil.Time // by the clocks before the change
	from, to int64      // offsets before and after it
	rules    []*recur.Rule
	dates    []civil.Time
}

// observances reads the parts of a definition; there is at least one.
func observances(vtimezone *ical.Component) ([]observance, error) {
	var list []observance
	for _, c := range vtimezone.Children {
		if !c.Is("STANDARD") && !c.Is("DAYLIGHT") {
			continue
		}
		if len(list) == maxObservances {
			return nil, &Error{Line: c.No, Why: fmt.Sprintf("The time zone has more than %d parts.", maxObservances)}
		}
		ob, err := readObservance(c)
		if err != nil {
			return nil, err
		}
		list = append(list, ob)
	}
	if len(list) == 0 {
		return nil, &Error{Line: vtimezone.No, Why: "The time zone has neither a STANDARD nor a DAYLIGHT part."}
	}
	return list, nil
}

func readObservance(c *ical.Component) (ob observance, err error) {
	if ob.to, err = offsetOf(c, "TZOFFSETTO"); err != nil {
		return ob, err
	}
	ob.from = ob.to
	if c.Prop("TZOFFSETFROM") != nil {
		if ob.from, err = offsetOf(c, "TZOFFSETFROM"); err != nil {
			return ob, err
		}
	}
	l := c.Prop("DTSTART")
	if l == nil {
		return ob, &Error{Line: c.No, Why: "A part of a time zone has no DTSTART."}
	}
	start, err := l.DateTime()
	if err != nil {
		return ob, unreadable(l, err)
	}
	ob.start = ob.wall(start)
	for i := range c.Lines {
		switch l := &c.Lines[i]; {
		case l.Is("RRULE"):
			r, err := recur.Parse(l.Value)
			if err != nil {
				return ob, unreadable(l, err)
			}
			ob.rules = append(ob.rules, r)
		case l.Is("RDATE"):
			times, periods, err := l.DateTimes()
			if err != nil {
				return ob, unreadable(l, err)
			}
			for _, p := range periods {
				times = append(times, p.Start)
			}
			for _, d := range times {
				ob.dates = append(ob.dates, ob.wall(d))
			}
		}
	}
	return ob, nil
}

// wall reads a time by the clocks before the change. Those times have neither Z nor TZID; if there is a Z, it is believed.
func (ob *observance) wall(d ical.DateTime) civil.Time {
	if d.Form == ical.UTC {
		return d.Time + civil.Time(ob.from)
	}
	return d.Time
}

func offsetOf(c *ical.Component, name string) (int64, error) {
	l := c.Prop(name)
	if l == nil {
		return 0, &Error{Line: c.No, Why: "A part of a time zone has no " + name + "."}
	}
	n, ok := ical.ParseUTCOffset(l.Value)
	if !ok {
		return 0, &Error{Line: l.No, Why: fmt.Sprintf("%s cannot be read: %q.", name, short(l.Value))}
	}
	return int64(n), nil
}

func unreadable(l *ical.Line, err error) *Error {
	why := err.Error()
	if e, ok := err.(*ical.SyntaxError); ok {
		why = e.Why
	}
	if !strings.HasSuffix(why, ".") {
		why += "."
	}
	return &Error{Line: l.No, Why: strings.ToUpper(why[:1]) + why[1:]}
}

// onset is a change of the clocks.
type onset struct{ at, from, to int64 }

// follow lists the changes up to an instant, and tells whether there are any beyond it.
func follow(list []observance, until int64, b *recur.Budget) (table spans, more bool, err error) {
	var changes []onset
	for i := range list {
		goesOn, err := list[i].changes(&changes, until, b)
		if err != nil {
			return nil, false, err
		}
		more = more || goesOn
	}
	slices.SortStableFunc(changes, func(a, b onset) int { return cmp.Compare(a.at, b.at) })
	first := slices.MinFunc(list, func(a, b observance) int { return cmp.Compare(int64(a.start)-a.from, int64(b.start)-b.from) })
	table = append(make(spans, 0, len(changes)+1), span{never, first.from})
	if len(changes) > 0 {
		table[0].offset = changes[0].from
	}
	for _, c := range changes {
		last := &table[len(table)-1]
		switch {
		case last.offset == c.to:
		case last.from == c.at:
			last.offset = c.to
		default:
			table = append(table, span{c.at, c.to})
		}
	}
	return table, more, nil
}

// changes appends the onsets of one observance.
func (ob *observance) changes(list *[]onset, until int64, b *recur.Budget) (more bool, err error) {
	see := func(t civil.Time) error {
		at := int64(t) - ob.from
		if at >= until {
			more = true
			return nil
		}
		if len(*list) >= maxOnsets {
			return recur.ErrBudget
		}
		*list = append(*list, onset{at, ob.from, ob.to})
		return nil
	}
	if err = see(ob.start); err != nil {
		return false, err
	}
	for _, t := range ob.dates {
		if err = see(t); err != nil {
			return false, err
		}
	}
	for _, r := range ob.rules {
		o := recur.Options{Start: ob.start, Until: r.Until, HasUntil: r.HasUntil, Budget: b}
		switch {
		case r.UntilUTC:
			o.Until += civil.Time(ob.from)
		case r.UntilDate:
			o.Until += civil.Day - 1
		}
		it := r.Iter(o)
		for t, ok := it.Next(); ok; t, ok = it.Next() {
			if err = see(t); err != nil {
				return false, err
			}
			if int64(t)-ob.from >= until {
				break
			}
		}
		if it.Err() != nil {
			return false, it.Err()
		}
	}
	return more, nil
}
