package occur

import (
	"math"

	"holdfast/internal/ical"
	"holdfast/internal/ical/civil"
	"holdfast/internal/ical/recur"
	"holdfast/internal/ical/zone"
)

// Instance is one occurrence of a component.
type Instance struct {
	Component  *ical.Component // the master, or the override that holds for this instance
	Start, End int64           // Unix seconds; equal for what has no duration
	Local      civil.Time      // Start on the clock of the zone that the component names
	AllDay     bool            // the component's times are dates
	Recurring  bool            // it belongs to a recurrence set, and Original is there
	Original   int64           // the start before any override moved it: RECURRENCE-ID
	OrigLocal  civil.Time      // the same on the clock of the master's zone
	zone       zone.Zone
}

// Overlaps tells whether some instance overlaps [from, to) by the table of RFC
// 4791, section 9.9, for the object's kind. The error is recur.ErrBudget.
func (o *Object) Overlaps(from, to int64, b *recur.Budget) (bool, error) {
	found := false
	err := o.Instances(from, to, b, func(*Instance) bool {
		found = true
		return false
	})
	return found, err
}

// Instances calls fn for each instance that overlaps [from, to), mostly in order
// of their starts, until fn returns false. fn must not keep its argument. A nil
// budget is recur.DefaultSteps. The error is recur.ErrBudget.
//
// What has no start, such as a VTODO without dates, is one instance if it
// overlaps; its times are those of the range that counts, math.MinInt64 and
// math.MaxInt64 where that has no end.
func (o *Object) Instances(from, to int64, b *recur.Budget, fn func(*Instance) bool) error {
	return o.each(from, to, b, func(i *Instance, _, _ int64) bool { return fn(i) })
}

// far bounds instants so that sums stay sums.
const far = 1 << 60

// each is Instances, with the interval that counts.
func (o *Object) each(from, to int64, b *recur.Budget, fn func(i *Instance, lo, hi int64) bool) error {
	if from >= to {
		return nil
	}
	from, to = max(from, -far), min(to, far)
	if b == nil {
		b = recur.NewBudget(recur.DefaultSteps)
	}
	e := emitter{o: o, from: from, to: to, fn: fn, over: o.overrides}
	if m := o.master; m != nil {
		if err := e.series(m, b); err != nil || e.done {
			return err
		}
	}
	e.overridesBefore(math.MaxInt64)
	return nil
}

// emitter hands out the instances of one evaluation.
type emitter struct {
	o        *Object
	from, to int64
	fn       func(i *Instance, lo, hi int64) bool
	over     []*part // overrides that were not handed out yet
	done     bool
	i        Instance
}

// recurs tells whether the set has more than its master.
func (s *set) recurs() bool { return len(s.rules)+len(s.dates)+len(s.overrides) > 0 }

// series hands out the instances of the master, and of the overrides that change those after them.
func (e *emitter) series(m *part, b *recur.Budget) error {
	if !m.anchored {
		for _, x := range m.fixed {
			if e.hit(x.lo, x.hi) {
				e.i = Instance{Component: m.comp, Start: x.lo, End: x.hi}
				if x.hi != math.MaxInt64 {
					e.i.End++
				}
				e.emit(x.lo, x.hi)
			}
			if e.done {
				return nil
			}
		}
		return nil
	}
	if !e.o.recurs() {
		c := candidate{m.anchor.Time, m.anchor.at, noEnd}
		if !e.o.except.has(&c) {
			e.candidate(&segment{part: m}, &c)
		}
		return nil
	}
	for k := -1; k < len(e.o.futures) && !e.done; k++ {
		s := segment{part: m, from: -far, to: far}
		if k >= 0 {
			s = e.o.segment(e.o.futures[k])
		}
		if k+1 < len(e.o.futures) {
			s.to = e.o.futures[k+1].id.at
		}
		if err := e.segment(&s, b); err != nil {
			return err
		}
	}
	return nil
}

// segment is a stretch of a recurrence set in which the same component holds.
type segment struct {
	part     *part
	from, to int64      // the candidates that it is about
	shift    civil.Time // how far it moves them
	moved    bool       // part is an override
}

func (o *Object) segment(p *part) segment {
	return segment{part: p, from: p.id.at, to: far, shift: p.anchor.Time - o.master.anchor.zone.Local(p.id.at), moved: true}
}

func (e *emitter) segment(s *segment, b *recur.Budget) error {
	before, after := s.part.reach()
	slack := int64(2)
	if s.moved {
		slack = 2*zone.MaxOffset + civil.Day
	}
	low := max(s.from, e.from-after-int64(s.shift)-slack)
	if n := len(e.o.dates); n > 0 {
		low = min(low, max(s.from, e.from-e.o.longest-int64(s.shift)-slack))
	}
	high := min(s.to, e.to+before-int64(s.shift)+slack)
	if low >= high {
		return nil
	}
	if !b.Spend(1 + len(e.o.rules) + len(e.o.exRules)) {
		return recur.ErrBudget
	}
	w := e.o.walk(low, b)
	for c, ok := w.next(); ok && c.at < high; c, ok = w.next() {
		if e.candidate(s, &c); e.done {
			return nil
		}
	}
	return w.err()
}

// reach bounds how far what counts of an instance lies before and after its start.
func (p *part) reach() (before, after int64) {
	n := p.length.days*civil.Day + p.length.seconds
	slack := int64(2)
	if p.length.days != 0 {
		slack += 2 * zone.MaxOffset
	}
	return max(-n, 0) + slack, max(n, 0) + slack
}

// candidate hands out an instance if it overlaps.
func (e *emitter) candidate(s *segment, c *candidate) {
	p, z := s.part, s.part.anchor.zone
	local, start := c.local, c.at
	if s.moved {
		local += s.shift
		if p.anchor.Form == ical.Date {
			local = local.Midnight()
		}
		start = z.Instant(local)
	}
	end := c.end
	if end == noEnd || s.moved {
		end = p.length.end(z, local, start)
	}
	lo, hi := p.row.interval(start, end)
	if !e.hit(lo, hi) {
		return
	}
	if e.overridesBefore(start); e.done {
		return
	}
	e.i = Instance{Component: p.comp, Start: start, End: max(start, end), Local: local, AllDay: p.anchor.Form == ical.Date,
		Recurring: e.o.recurs(), Original: c.at, OrigLocal: c.local, zone: z}
	e.emit(lo, hi)
}

func (e *emitter) hit(lo, hi int64) bool { return lo < e.to && hi >= e.from }

func (e *emitter) emit(lo, hi int64) { e.done = !e.fn(&e.i, lo, hi) }

// overridesBefore hands out the overrides that begin before an instant.
func (e *emitter) overridesBefore(at int64) {
	for len(e.over) > 0 && !e.done && e.over[0].anchor.at < at {
		p := e.over[0]
		e.over = e.over[1:]
		a := &p.anchor
		end := p.length.end(a.zone, a.Time, a.at)
		if lo, hi := p.row.interval(a.at, end); e.hit(lo, hi) {
			e.i = Instance{Component: p.comp, Start: a.at, End: max(a.at, end), Local: a.Time, AllDay: a.Form == ical.Date,
				Recurring: true, Original: p.id.at, OrigLocal: e.o.originally(p), zone: a.zone}
			e.emit(lo, hi)
		}
	}
}

// originally gives what an override replaces on the clock of the master's zone.
func (o *Object) originally(p *part) civil.Time {
	if m := o.master; m != nil && m.anchored && p.id.zone != m.anchor.zone {
		return m.anchor.zone.Local(p.id.at)
	}
	return p.id.Time
}

// ComponentOverlaps is Overlaps for the instances of one component of the object.
func (o *Object) ComponentOverlaps(c *ical.Component, from, to int64, b *recur.Budget) (bool, error) {
	found := false
	err := o.eachOf(c, from, to, b, func(*Instance, int64, int64) bool {
		found = true
		return false
	})
	return found, err
}

// eachOf is each for the instances of one component. It looks at no others, which may go on for ever.
func (o *Object) eachOf(c *ical.Component, from, to int64, b *recur.Budget, fn func(i *Instance, lo, hi int64) bool) error {
	for _, a := range o.available {
		if a.has(c) {
			return a.eachOf(c, from, to, b, fn)
		}
	}
	if from >= to {
		return nil
	}
	if b == nil {
		b = recur.NewBudget(recur.DefaultSteps)
	}
	e := emitter{o: o, from: max(from, -far), to: min(to, far), fn: fn}
	if m := o.master; m != nil && m.comp == c {
		if !m.anchored || !o.recurs() {
			return e.series(m, b)
		}
		s := segment{part: m, from: -far, to: far}
		if len(o.futures) > 0 {
			s.to = o.futures[0].id.at
		}
		return e.segment(&s, b)
	}
	p := o.find(c)
	if p == nil || !b.Spend(1) {
		return nil
	}
	e.over = []*part{p}
	e.overridesBefore(math.MaxInt64)
	for k, f := range o.futures {
		if f != p || e.done {
			continue
		}
		s := o.segment(p)
		if k+1 < len(o.futures) {
			s.to = o.futures[k+1].id.at
		}
		return e.segment(&s, b)
	}
	return nil
}

// has tells whether the set is made of this component, too.
func (s *set) has(c *ical.Component) bool {
	return s.master != nil && s.master.comp == c || s.find(c) != nil
}

// find gives the override that a component is.
func (s *set) find(c *ical.Component) *part {
	if s.byComponent != nil {
		return s.byComponent[c]
	}
	for _, p := range s.overrides {
		if p.comp == c {
			return p
		}
	}
	return nil
}
