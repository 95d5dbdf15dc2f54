package caldav

import (
	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/dav"
	"holdfast/internal/davxml"
	"holdfast/internal/ical"
	"holdfast/internal/ical/occur"
	"holdfast/internal/ical/zone"
)

// product is the PRODID of what is made here.
const product = "-//Holdfast//Holdfast//EN"

// maxFreeBusy is how long a free-busy answer may be about, in seconds: ten years and some days.
const maxFreeBusy = 10 * 366 * 24 * 3600

// freeBusy answers CALDAV:free-busy-query (section 7.10): when the owner is busy, by one calendar or, at their home, by all that are not transparent
// (RFC 6638 section 9.1). Unlike a listing it hides what it cannot read or work out: that takes no time that is known.
func (o Options) freeBusy(q *dav.Query) (string, []byte, error) {
	asked, err := davxml.ParseFreeBusyQuery(q.Body, q.Limits)
	if err != nil {
		return "", nil, err
	}
	s, err := spanOf(&asked)
	if err != nil {
		return "", nil, err
	}
	if s.to-s.from > maxFreeBusy {
		return "", nil, refuse("FreeBusy", ruleValidFilter, "a free-busy answer is about ten years at most")
	}
	calendars, err := askedCalendars(q)
	if err != nil {
		return "", nil, err
	}
	busy := occur.NewBusy(s.from, s.to)
	g := &gathering{o: o, q: q, busy: busy, span: s, patience: newPatience(o.Clock)}
	for i := range calendars {
		if err := g.calendar(&calendars[i]); err != nil {
			return "", nil, err
		}
	}
	return MediaType, busy.Calendar(o.Clock.Now().Unix(), product).Append(nil), nil
}

// askedCalendars are the calendar that the request names, or those of the home.
func askedCalendars(q *dav.Query) ([]holdfast.Collection, error) {
	if q.Target.Where == dav.AtCollection {
		return []holdfast.Collection{*q.Target.Collection}, nil
	}
	all, err := q.Reader.Collections()
	var out []holdfast.Collection
	for i := range all {
		if c := &all[i]; c.Type == holdfast.TypeCalendar && c.Parent == q.Target.Collection.ID && !transparent(c) {
			out = append(out, *c)
		}
	}
	return out, err
}

// gathering is a free-busy answer under way.
type gathering struct {
	o        Options
	q        *dav.Query
	busy     *occur.Busy
	span     span
	floating zone.Zone
	patience *patience
	seen     int
}

func (g *gathering) calendar(c *holdfast.Collection) (err error) {
	if g.floating, err = g.o.floating("", "", c); err != nil {
		return err
	}
	return g.q.Reader.Between(c.ID, g.span.from, g.span.to, core.WithBody, g.see)
}

func (g *gathering) see(r *holdfast.Resource) error {
	if g.seen++; g.seen%16 == 0 {
		if err := g.q.Overdue(); err != nil {
			return err
		}
	}
	if r.State == holdfast.Ghost || r.Kind == holdfast.KindTodo || r.Kind == holdfast.KindJournal || occur.Covers(occur.Times(r.Times), g.span.from, g.span.to) == occur.No {
		return nil
	}
	if err := dav.Present(r); err != nil {
		return err
	}
	cal, err := ical.Parse(r.Body, limitsFor(int64(len(r.Body))))
	if err != nil {
		return nil
	}
	budget := g.patience.object()
	object, err := occur.Compile(cal, occur.Options{Floating: g.floating, Zones: g.o.Zones, Budget: budget})
	if err == nil {
		_ = g.busy.Add(object, budget) // what is too much work is left out, as what cannot be read
	}
	return nil
}
