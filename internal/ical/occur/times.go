package occur

import (
	"math"
	"slices"

	"holdfast/internal/ical/civil"
	"holdfast/internal/ical/recur"
	"holdfast/internal/ical/zone"
)

// Times is what a store indexes of an object. All that it says is certain,
// whatever zone floating times are read in.
type Times struct {
	Timed       bool   // false: the object overlaps no range of time
	First, Last int64  // no instance overlaps [from, to) unless First < to and Last >= from
	Months      []byte // what Covers needs beyond that; opaque
}

// The work that Times may do: instances looked at, and steps of rules.
const (
	timesInstances = 1500
	timesSteps     = 20000
)

// horizon is how far from the first instance of an endless rule a map goes: 20 years.
const horizon = 7305 * civil.Day

// Times gives what an index keeps. It never fails: where the work would be too
// much, the answer says less.
func (o *Object) Times() Times {
	if o.floats {
		if o = o.In(zone.UTC); o.floating != zone.Zone(zone.UTC) {
			return Times{true, math.MinInt64, math.MaxInt64, (&index{recurring: true}).encode(true)}
		}
	}
	first, last, ok := o.bounds()
	if !ok {
		return Times{}
	}
	switch {
	case o.single() && !o.floats:
		return Times{Timed: true, First: first, Last: last}
	case o.single():
		return dilated(first, last, &index{})
	}
	x := index{recurring: true}
	if m := o.master; m != nil && m.anchored && !(o.floats && o.mixed) {
		if x.gap, x.gapFrom, x.gapTo, ok = o.regular(); !ok || last != math.MaxInt64 {
			if first, last = o.survey(&x, first, last); first > last {
				return Times{} // exceptions took every instance out
			}
		}
	}
	if o.floats {
		return dilated(first, last, &x)
	}
	return Times{true, first, last, x.encode(false)}
}

// single tells whether all that counts is one interval.
func (o *Object) single() bool {
	m := o.master
	switch {
	case m == nil:
		return len(o.overrides) == 1
	case m.anchored:
		return !o.recurs()
	}
	return len(m.fixed)+len(o.overrides) == 1
}

// dilated gives the times of an object with floating times: in any zone they lie within a day of what they are in UTC.
func dilated(first, last int64, x *index) Times {
	t := Times{Timed: true, First: first, Last: last, Months: x.encode(true)}
	if first > -far {
		t.First -= zone.MaxOffset
	}
	if last < far {
		t.Last += zone.MaxOffset
	}
	return t
}

// bounds gives the least and the greatest second that counts, or more. It is false if none does.
func (o *Object) bounds() (first, last int64, ok bool) {
	first, last = math.MaxInt64, math.MinInt64
	see := func(lo, hi int64) { first, last = min(first, lo), max(last, hi) }
	span := func(p *part, local civil.Time, at int64) {
		see(p.row.interval(at, p.length.end(p.anchor.zone, local, at)))
	}
	for _, p := range o.overrides {
		span(p, p.anchor.Time, p.anchor.at)
	}
	m := o.master
	switch {
	case m == nil:
	case !m.anchored:
		for _, x := range m.fixed {
			see(x.lo, x.hi)
		}
	case !o.recurs() && o.except.has(&candidate{local: m.anchor.Time, at: m.anchor.at}):
	default:
		span(m, m.anchor.Time, m.anchor.at)
		for i := range o.dates {
			d := &o.dates[i]
			span(m, d.local, d.at)
			if d.end != noEnd {
				see(m.row.interval(d.at, d.end))
			}
		}
		for i := range o.rules {
			if end := o.rules[i].end(&m.anchor); end == math.MaxInt64 {
				last = end
			} else {
				before, after := m.reach()
				see(m.anchor.at-before, end+after)
			}
		}
		if len(o.futures) > 0 {
			first, last = o.moved(first, last)
		}
	}
	return first, last, first <= last
}

// moved widens bounds by what overrides of "this and future" may move.
func (o *Object) moved(first, last int64) (int64, int64) {
	for _, p := range o.futures {
		shift := int64(o.segment(p).shift)
		before, after := p.reach()
		const slack = 2*zone.MaxOffset + civil.Day
		first = min(first, p.id.at+shift-before-slack)
		if last < far {
			last = max(last, last+shift+after+slack)
		}
	}
	return first, last
}

// end bounds the start of the last instance that a rule makes: math.MaxInt64 if it goes on.
func (r *rule) end(start *moment) int64 {
	switch {
	case r.hasUntil:
		return r.until
	case r.o.HasUntil:
		return r.zone.Instant(min(r.o.Until, civil.Max))
	case r.r.Count == 0:
		return math.MaxInt64
	}
	// COUNT is followed if that is not much work.
	if r.r.Count <= timesInstances {
		o := r.o
		o.Budget = recur.NewBudget(timesSteps)
		it, last := r.r.Iter(o), start.Time
		for t, ok := it.Next(); ok; t, ok = it.Next() {
			last = t
		}
		if it.Err() == nil {
			return max(r.zone.Instant(last), start.at)
		}
	}
	return math.MaxInt64
}

// regular tells of an endless simple rule how far its instances lie apart at most,
// so that nothing has to be listed: every range of that length between the two
// instants holds one.
func (o *Object) regular() (gap, from, to int64, ok bool) {
	if len(o.rules) != 1 || len(o.exRules)+len(o.futures)+len(o.rules[0].r.SetPos) > 0 || o.rules[0].r.Count > 0 {
		return 0, 0, 0, false
	}
	r := o.rules[0].r
	if len(r.Month)+len(r.MonthDay)+len(r.YearDay)+len(r.WeekNo) > 0 || r.Interval > 60 {
		return 0, 0, 0, false
	}
	n := int64(r.Interval)
	switch {
	case r.Freq == recur.Weekly:
		n *= 7 * civil.Day
	case r.Freq == recur.Daily && len(r.Day) == 0:
		n *= civil.Day
	case r.Freq == recur.Daily && n == 1:
		n = 7 * civil.Day
	case r.Freq < recur.Daily && len(r.Day)+len(r.Hour)+len(r.Minute)+len(r.Second) == 0:
		n = civil.Day
	default:
		return 0, 0, 0, false
	}
	// Each exception, and a change of the clocks, may take one out of the row; so may the way from DTSTART to the first.
	gap = n*int64(3+len(o.except.at)+len(o.except.days)) + 2*civil.Day
	to = min(o.rules[0].end(&o.master.anchor), int64(civil.Max)-2*civil.Day)
	return gap, o.master.anchor.at, to, gap <= 60*civil.Day
}

// survey lists the days that instances touch, and gives what it finds to be the bounds.
func (o *Object) survey(x *index, first, last int64) (int64, int64) {
	base := o.master.anchor.at - mod(o.master.anchor.at, civil.Day)
	end := base + horizon
	if last < end {
		end = last + 1
	}
	if slices.ContainsFunc(append(o.overrides[:len(o.overrides):len(o.overrides)], o.master), func(p *part) bool { return p.length.days < 0 || p.length.seconds < 0 }) {
		return first, last // to-dos that are due before they begin come in no useful order
	}
	n, lo1, hi1 := 0, int64(math.MaxInt64), int64(math.MinInt64)
	var runs []run
	err := o.each(-far, end, recur.NewBudget(timesSteps), func(i *Instance, lo, hi int64) bool {
		lo1, hi1 = min(lo1, lo), max(hi1, hi)
		if n++; n > timesInstances {
			if i.Start < end {
				end = i.Start - mod(i.Start, civil.Day) - civil.Day
			}
			return false
		}
		runs = append(runs, run{floorDiv(lo-base, civil.Day), floorDiv(min(hi, far)-base, civil.Day)})
		return true
	})
	switch {
	case err != nil || len(o.futures) > 0 && n > timesInstances:
		return first, last
	case n <= timesInstances && last < base+horizon:
		if n == 0 {
			return math.MaxInt64, math.MinInt64
		}
		first, last, end = lo1, hi1, hi1+1 // nothing was left out: this is exact
	}
	x.runs, x.base, x.days = merge(runs, (end-base+civil.Day-1)/civil.Day), base, (end-base)/civil.Day
	if last == end-1 {
		x.days = (end - base + civil.Day - 1) / civil.Day
	}
	return first, last
}

// run is a row of days, or of larger units, from the base on: the first and the last.
type run struct{ from, to int64 }

// merge sorts runs, joins those that touch, and cuts off what lies outside of the days 0 to n-1.
func merge(runs []run, n int64) []run {
	slices.SortFunc(runs, func(a, b run) int { return compare(a.from, b.from) })
	out := runs[:0]
	for _, r := range runs {
		r.from, r.to = max(r.from, 0), min(r.to, n-1)
		if r.from > r.to {
			continue
		}
		if k := len(out) - 1; k >= 0 && r.from <= out[k].to+1 {
			out[k].to = max(out[k].to, r.to)
		} else {
			out = append(out, r)
		}
	}
	return out
}

func floorDiv(a, b int64) int64 { return (a - mod(a, b)) / b }

func mod(a, b int64) int64 {
	if m := a % b; m >= 0 {
		return m
	} else {
		return m + b
	}
}
