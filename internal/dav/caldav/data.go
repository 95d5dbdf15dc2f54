package caldav

import (
	"math"
	"net/http"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/dav"
	"holdfast/internal/davxml"
	"holdfast/internal/ical"
	"holdfast/internal/ical/civil"
	"holdfast/internal/ical/occur"
	"holdfast/internal/ical/recur"
	"holdfast/internal/ical/zone"
)

// form is how a client wants its calendar objects (RFC 4791 section 9.6). Without any choice it is: as they are stored.
type form struct {
	o           Options
	sel         *davxml.CompSel
	expand      *span
	recurrences *span
	freeBusy    *span
	floating    zone.Zone
	patience    *patience

	made *holdfast.Resource // the member that body was made of, by a report that had to know beforehand whether it can be made
	body []byte
}

// span is a range of time in Unix seconds, [from, to).
type span struct{ from, to int64 }

// formOf reads what CALDAV:calendar-data asks for; nil data is not asked for, and gives the form of what is stored. Floating times are read in floating; nil: as
// the calendar says. The error names the precondition.
func (o Options) formOf(data *davxml.CalendarData, floatingIn zone.Zone, q *dav.Query) (*form, error) {
	f := &form{o: o, floating: floatingIn, patience: newPatience(o.Clock)}
	if data == nil {
		return f, nil
	}
	media, _, _ := strings.Cut(data.ContentType, ";")
	if media = strings.TrimSpace(media); media != "" && !strings.EqualFold(media, "text/calendar") || data.Version != "" && data.Version != "2.0" {
		return nil, refuse("Report", ruleSupportedData, "calendar data are given as text/calendar of version 2.0 only")
	}
	f.sel = data.Comp
	if f.sel != nil && !strings.EqualFold(f.sel.Name, "VCALENDAR") {
		return nil, dav.Refuse(http.StatusBadRequest, davxml.Name{}, "the outermost component of calendar-data is VCALENDAR")
	}
	for _, r := range []struct {
		asked *davxml.TimeRange
		into  **span
	}{{data.Expand, &f.expand}, {data.LimitRecurrence, &f.recurrences}, {data.LimitFreeBusy, &f.freeBusy}} {
		if r.asked == nil {
			continue
		}
		s, err := spanOf(r.asked)
		if err != nil {
			return nil, err
		}
		*r.into = &s
	}
	if f.floating == nil && (f.expand != nil || f.recurrences != nil) {
		var err error
		f.floating, err = o.floating("", "", q.Target.Collection)
		return f, err
	}
	return f, nil
}

// spanOf reads a range of UTC times (RFC 4791 section 9.9). The error names the precondition.
func spanOf(r *davxml.TimeRange) (span, error) {
	s := span{math.MinInt64, math.MaxInt64}
	for _, end := range []struct {
		text string
		into *int64
	}{{r.Start, &s.from}, {r.End, &s.to}} {
		if end.text == "" {
			continue
		}
		t, utc, ok := civil.ParseDateTime(end.text)
		switch {
		case !ok || !utc:
			return s, refuse("Report", ruleValidFilter, "a range of time has ends like 20260101T000000Z, in UTC")
		case t < civil.Min:
			return s, refuse("Report", ruleMinTime, "a range of time begins in the year 1 or later")
		}
		*end.into = int64(t)
	}
	if s.to <= s.from {
		return s, refuse("Report", ruleValidFilter, "a range of time ends after it begins")
	}
	return s, nil
}

// verbatim tells whether every stored object is given as it is, whatever it holds.
func (f *form) verbatim() bool {
	return f.sel == nil && f.expand == nil && f.recurrences == nil && f.freeBusy == nil
}

// maxExpanded is how many instances of one object are given at once.
const maxExpanded = 10_000

// render gives an object in the form. The result shares the body's memory where nothing has to change. An object that cannot be read is given as it is. So is one that
// would be too much work, where the form only leaves something out: that harms nobody, and a client might take an object that failed for one that is gone. Of an
// expansion the error says that there are more instances than are given at once, or that it costs too much.
func (f *form) render(body []byte) ([]byte, error) {
	if f.verbatim() {
		return body, nil
	}
	made, err := f.make(body)
	if err != nil && f.expand == nil {
		return body, nil
	}
	return made, err
}

func (f *form) make(body []byte) ([]byte, error) {
	if f.patience.over() {
		return nil, recur.ErrBudget
	}
	cal, err := ical.Parse(body, limitsFor(int64(len(body))))
	if err != nil {
		return body, nil
	}
	if f.expand != nil || f.recurrences != nil || f.freeBusy != nil {
		budget := f.patience.object()
		object, err := occur.Compile(cal, occur.Options{Floating: f.floating, Zones: f.o.Zones, Budget: budget})
		if err != nil && !budget.Exhausted() {
			return body, nil
		}
		if err != nil {
			return nil, recur.ErrBudget
		}
		if cal, err = f.limited(object, budget); err != nil {
			return nil, err
		}
	}
	if f.sel != nil {
		cal = choose(cal, f.sel)
	}
	return cal.Append(make([]byte, 0, len(body))), nil
}

// limited gives what of an object lies in the ranges that were asked for.
func (f *form) limited(object *occur.Object, budget *recur.Budget) (cal *ical.Component, err error) {
	switch {
	case f.expand != nil:
		cal, err = object.Expand(f.expand.from, f.expand.to, maxExpanded, budget)
		if err == nil && cal == nil { // nothing of it is in the range
			cal = object.Calendar().Bare()
			for _, name := range []string{"VERSION", "PRODID", "CALSCALE"} {
				if l := object.Calendar().Prop(name); l != nil {
					cal.Add(*l)
				}
			}
		}
	case f.recurrences != nil:
		cal, err = object.LimitRecurrenceSet(f.recurrences.from, f.recurrences.to, budget)
	case f.freeBusy != nil:
		cal = object.LimitFreebusySet(f.freeBusy.from, f.freeBusy.to)
	}
	return cal, err
}

// choose leaves out of a component what is not asked for (section 9.6.1). Where neither properties nor components are named, all of it is asked for, as the
// RFC's own example has it; where no property is named, all are.
func choose(c *ical.Component, sel *davxml.CompSel) *ical.Component {
	if len(sel.Props)+len(sel.Comps) == 0 && !sel.AllProps && !sel.AllComps {
		return c
	}
	out := c.Bare()
	for i := range c.Lines {
		l := &c.Lines[i]
		if len(sel.Props) == 0 {
			out.Lines = append(out.Lines, *l)
			continue
		}
		for _, p := range sel.Props {
			if !l.Is(p.Name) {
				continue
			}
			kept := *l
			if p.NoValue {
				kept.SetValue("")
			}
			out.Lines = append(out.Lines, kept)
			break
		}
	}
	for _, child := range c.Children {
		if sel.AllComps {
			out.Children = append(out.Children, child)
			continue
		}
		for i := range sel.Comps {
			if child.Is(sel.Comps[i].Name) {
				out.Children = append(out.Children, choose(child, &sel.Comps[i]))
				break
			}
		}
	}
	return out
}

// respond answers for one member. An object that cannot be given in the form is told so.
func (f *form) respond(q *dav.Query, ask *dav.Ask, t *dav.Target) error {
	if err := f.prepare(t.Resource); err != nil {
		q.Status(t.Href, http.StatusInsufficientStorage, davxml.Condition{Name: davxml.DNumberOfMatchesWithinLimits})
		return nil
	}
	return ask.Respond(t)
}

// prepare renders a member beforehand, so that a report can answer for it with a condition where that is impossible.
func (f *form) prepare(r *holdfast.Resource) (err error) {
	f.made, f.body = nil, nil
	if r.Body != nil && !f.verbatim() {
		f.body, err = f.render(r.Body)
		f.made = r
	}
	return err
}

// writeData writes CALDAV:calendar-data. Reports of this package have put the form into q.Data; in the ground's sync-collection it is read here, from the
// element that asks.
func (o Options) writeData(w *davxml.Writer, q *dav.Query, t *dav.Target, ask *davxml.Element) {
	f, ours := q.Data.(*form)
	if !ours {
		var err error
		if f, err = o.formOfElement(ask, q); err != nil {
			q.Fail(err)
			return
		}
		if q.Data == nil {
			q.Data = f // for the members that follow
		}
	}
	if err := dav.Present(t.Resource); err != nil {
		q.Fail(err)
		return
	}
	body := t.Resource.Body
	if f.made == t.Resource && f.body != nil {
		body = f.body
	} else if made, err := f.render(body); err == nil {
		body = made // what cannot be made in the form is given as it is: here the client cannot be told otherwise without losing all of the answer
	}
	w.Start(davxml.CCalendarData)
	w.TextBytes(body)
	w.End()
}

func (o Options) formOfElement(ask *davxml.Element, q *dav.Query) (*form, error) {
	if ask == nil {
		return o.formOf(nil, nil, q)
	}
	data, err := davxml.ParseCalendarData(ask, q.Limits)
	if err != nil {
		return nil, err
	}
	return o.formOf(data, nil, q)
}

// What one object and one request may cost, in steps of recurrences, and how long a request may look into objects: half of what it has in all, so that the rest
// is answered as it must be where nobody looks.
const (
	objectSteps  = 200_000
	requestSteps = 20_000_000
	lookTime     = dav.SnapshotTime / 2
)

// patience is what a request may still cost.
type patience struct {
	left  int
	last  *recur.Budget
	given int
	clock clock.Clock
	until time.Time
}

func newPatience(c clock.Clock) *patience {
	return &patience{left: requestSteps, clock: c, until: c.Now().Add(lookTime)}
}

// over tells whether no object may be looked into any more.
func (p *patience) over() bool { return p.left <= 0 || p.clock.Now().After(p.until) }

// object gives the budget for one object, until the next is given.
func (p *patience) object() *recur.Budget {
	if p.last != nil {
		p.left -= p.given - p.last.Left()
	}
	p.given = min(objectSteps, p.left)
	p.last = recur.NewBudget(p.given)
	return p.last
}
