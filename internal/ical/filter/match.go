package filter

import (
	"strings"

	"holdfast/internal/ical"
	"holdfast/internal/ical/occur"
	"holdfast/internal/ical/recur"
	"holdfast/internal/textmatch"
)

// Match tells whether the object matches. A nil budget is recur.DefaultSteps. The
// error is recur.ErrBudget.
func (m *Matcher) Match(o *occur.Object, b *recur.Budget) (bool, error) {
	if b == nil {
		b = recur.NewBudget(recur.DefaultSteps)
	}
	r := run{o: o, b: b}
	ok := !m.calendar.notDefined && r.component(&m.calendar, o.Calendar(), nil)
	return ok && r.err == nil, r.err
}

// run is the matching of one object.
type run struct {
	o   *occur.Object
	b   *recur.Budget
	err error // the first; then nothing more is asked
}

// comps judges a comp-filter on the components in one.
func (r *run) comps(m *compMatcher, parent *ical.Component) bool {
	if !r.pay(len(parent.Children) / looksPerStep) {
		return false
	}
	for _, c := range parent.Children {
		if c.Name != m.name {
			continue
		}
		if m.notDefined {
			return false
		}
		if r.component(m, c, parent) {
			return true
		}
	}
	return m.notDefined
}

// component judges the conditions of a comp-filter on one component.
func (r *run) component(m *compMatcher, c, parent *ical.Component) bool {
	if m.span == nil && len(m.props)+len(m.comps) == 0 {
		return true
	}
	// The cheap conditions come first. Under "any" one that holds decides, under "all" one that does not.
	for i := range m.props {
		if r.prop(&m.props[i], c) == m.any {
			return m.any
		}
	}
	for i := range m.comps {
		if r.comps(&m.comps[i], c) == m.any {
			return m.any
		}
	}
	if m.span != nil && r.overlaps(m, c, parent) == m.any {
		return m.any
	}
	return !m.any
}

func (r *run) overlaps(m *compMatcher, c, parent *ical.Component) bool {
	if r.err != nil {
		return false
	}
	var ok bool
	if m.name == "VALARM" {
		ok, r.err = r.o.AlarmOverlaps(parent, c, m.span.From, m.span.To, r.b)
	} else {
		ok, r.err = r.o.ComponentOverlaps(c, m.span.From, m.span.To, r.b)
	}
	return ok
}

// prop judges a prop-filter: one instance of the property must satisfy it.
func (r *run) prop(m *propMatcher, c *ical.Component) bool {
	if !r.pay(len(c.Lines) / looksPerStep) {
		return false
	}
	for i := range c.Lines {
		l := &c.Lines[i]
		if !l.Is(m.name) {
			continue
		}
		if m.notDefined {
			return false
		}
		if r.line(m, l) {
			return true
		}
	}
	return m.notDefined
}

func (r *run) line(m *propMatcher, l *ical.Line) bool {
	if m.span == nil && m.text == nil && len(m.params) == 0 {
		return true
	}
	if m.span != nil && r.holds(m.span, l) == m.any {
		return m.any
	}
	if m.text != nil && r.reads(m.text, l.Value) && value(m.text, l) == m.any {
		return m.any
	}
	for i := range m.params {
		if r.param(&m.params[i], l) == m.any {
			return m.any
		}
	}
	return !m.any
}

// holds tells whether a time of a property lies in a range.
func (r *run) holds(span *TimeRange, l *ical.Line) bool {
	if r.err != nil {
		return false
	}
	var ok bool
	ok, r.err = r.o.PropertyOverlaps(l, span.From, span.To, r.b)
	return ok
}

// param judges a param-filter on a line.
func (r *run) param(m *paramMatcher, l *ical.Line) bool {
	if !r.pay(1 + len(l.Params)/looksPerStep) {
		return false
	}
	for i := range l.Params {
		if m.text != nil && !r.reads(m.text, l.Params[i].Raw) {
			return false
		}
	}
	return m.match(l)
}

// What is done for one step of the budget: lines or components looked at by their names, octets of text compared, and those that have to be decomposed first.
const (
	looksPerStep  = 64
	octetsPerStep = 1024
	foldsPerStep  = 128
)

// reads pays for looking into a text; false ends the matching.
func (r *run) reads(t *textmatch.Matcher, s string) bool {
	if t.Decomposes(s) {
		return r.pay(1 + len(s)/foldsPerStep)
	}
	return r.pay(1 + len(s)/octetsPerStep)
}

// pay takes steps from the budget; false ends the matching.
func (r *run) pay(n int) bool {
	if r.err == nil && !r.b.Spend(n) {
		r.err = recur.ErrBudget
	}
	return r.err == nil
}

// match judges a param-filter. A negated text matches when no value holds the text.
func (m *paramMatcher) match(l *ical.Line) bool {
	defined, found := false, false
	for i := range l.Params {
		if !strings.EqualFold(l.Params[i].Name, m.name) {
			continue
		}
		defined = true
		if m.text == nil || m.notDefined {
			break
		}
		for _, v := range l.Params[i].Values() {
			found = found || m.text.Holds(v)
		}
	}
	switch {
	case m.notDefined:
		return !defined
	case m.text == nil:
		return defined
	}
	return defined && found != m.text.Negate
}

// value judges a property's value.
func value(t *textmatch.Matcher, l *ical.Line) bool {
	found := t.Holds(l.Text())
	if !found && t.Match != textmatch.Contains && (l.Is("CATEGORIES") || l.Is("RESOURCES")) {
		for _, v := range l.Texts() {
			found = found || t.Holds(v)
		}
	}
	return found != t.Negate
}
