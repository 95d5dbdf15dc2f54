package recur

import (
	"math/bits"

	"holdfast/internal/ical/civil"
)

// part names a BYxxx part in a set of them.
type part uint8

const (
	byMonth part = 1 << iota
	byMonthDay
	byYearDay
	byWeekNo
	byDay
)

// positions are numbers that count from the front or from the back, 1 to 383.
type positions struct{ front, back [6]uint64 }

func (p *positions) add(n int) {
	if n > 0 && n < 384 {
		p.front[n>>6] |= 1 << (n & 63)
	} else if n < 0 && n > -384 {
		p.back[-n>>6] |= 1 << (-n & 63)
	}
}

// has tells whether the nth of so many is meant.
func (p *positions) has(n, of int) bool {
	back := of - n + 1
	return p.front[n>>6]>>(n&63)&1 != 0 || p.back[back>>6]>>(back&63)&1 != 0
}

// ticks are hours, minutes or seconds: as a set, and in order.
type ticks struct {
	set  uint64
	n    int
	list [60]uint8
}

func (t *ticks) fill(list []int, size int) {
	for _, v := range list {
		if v == 60 {
			v = 59 // a leap second (section 3.3.12)
		}
		if v >= 0 && v < size {
			t.set |= 1 << v
		}
	}
	for set := t.set; set != 0; set &= set - 1 {
		t.list[t.n] = uint8(bits.TrailingZeros64(set))
		t.n++
	}
}

// one makes t the one value v.
func (t *ticks) one(v int) { t.list[0], t.n = uint8(v), 1 }

// plan is a rule with what its start adds, in the form that answers questions fast.
type plan struct {
	freq      Freq
	skip      Skip
	wkst      int
	interval  int64
	first     int64 // the period that start is in; see unit
	back      int64 // so many periods back may hold a given time
	ahead     int64 // so many periods ahead may hold a given time
	has       part  // parts that there are, of the rule or from its start
	rest      part  // those of them that the days of a period are held against after they were made
	gen       part  // that one which makes them
	months    uint16
	monthDay  positions
	yearDay   positions
	weekNo    positions
	weekdays  uint8        // of any number
	nth       []WeekdayNum // BYDAY, where its numbers count
	yearDays  []int        // BYYEARDAY as listed
	setPos    positions
	hasSetPos bool
	never     bool // found without a search: there is no instance

	hours, minutes, seconds ticks
	limits                  [3]uint64 // BYHOUR, BYMINUTE, BYSECOND where they limit; 0: no limit
}

// make fills the plan of r for a start.
func (p *plan) make(r *Rule, start civil.Time, allDay bool) {
	p.freq, p.skip, p.wkst, p.interval = r.Freq, r.Skip, min(max(r.WeekStart, 0), 6), int64(max(r.Interval, 1))
	for _, m := range r.Month {
		if m >= 1 && m <= 12 {
			p.months |= 1 << m
		}
		p.has |= byMonth
	}
	for _, n := range r.MonthDay {
		p.monthDay.add(n)
		p.has |= byMonthDay
	}
	for _, n := range r.YearDay {
		p.yearDay.add(n)
		p.has |= byYearDay
	}
	for _, n := range r.WeekNo {
		p.weekNo.add(n)
		p.has |= byWeekNo
	}
	for _, n := range r.SetPos {
		p.setPos.add(n)
		p.hasSetPos = true
	}
	p.yearDays = r.YearDay
	p.makeDays(r)
	p.fromStart(start)
	p.generator()
	p.makeTimes(r, start, allDay)
	p.first = p.unit(start)
	p.never = p.never || p.impossible(start)
}

// makeDays reads BYDAY. Numbers count in months and years only; elsewhere
// RFC 5545 forbids them, and they are read as if they were not there.
func (p *plan) makeDays(r *Rule) {
	numbered := r.Freq == Monthly || r.Freq == Yearly && p.has&byWeekNo == 0
	for _, d := range r.Day {
		p.has |= byDay
		switch {
		case d.Weekday < 0 || d.Weekday > 6:
		case d.N == 0 || !numbered:
			p.weekdays |= 1 << d.Weekday
		default:
			p.nth = r.Day
		}
	}
}

// fromStart adds what the rule leaves open: "the second", "on the 26th", "on Thursdays".
func (p *plan) fromStart(start civil.Time) {
	_, m, d := start.Date()
	switch {
	case p.freq == Yearly && p.has&^byMonth == 0:
		if p.has == 0 {
			p.months, p.has = 1<<m, byMonth
		}
		p.monthDay.add(d)
		p.has |= byMonthDay
	case p.freq == Yearly && p.has&^byMonth == byWeekNo, p.freq == Weekly && p.has&byDay == 0:
		p.weekdays = 1 << start.Weekday()
		p.has |= byDay
	case p.freq == Monthly && p.has&(byYearDay|byMonthDay|byDay) == 0:
		p.monthDay.add(d)
		p.has |= byMonthDay
	}
}

// generator chooses the part that makes the days of a period: the one that
// makes the fewest. The others then only limit, as in the table of section 3.3.10.
func (p *plan) generator() {
	choose := func(order ...part) {
		for _, by := range order {
			if p.has&by != 0 {
				p.gen = by
				return
			}
		}
	}
	p.rest = p.has
	switch p.freq {
	case Yearly:
		choose(byYearDay, byWeekNo, byMonthDay, byDay)
		if p.gen == byMonthDay || p.gen == byDay {
			p.rest &^= byMonth
		}
		if p.gen == byWeekNo {
			p.rest &^= byDay
		}
	case Monthly:
		choose(byMonthDay, byDay) // BYYEARDAY alone: all days, limited
		p.rest &^= byMonth
	case Weekly:
		p.gen = byDay
	}
	p.rest &^= p.gen
	if p.freq >= Monthly && p.skip != Omit {
		p.back, p.ahead = 1, 1
	}
}

// makeTimes settles the times of day. Units below FREQ are listed; those from
// FREQ on limit.
func (p *plan) makeTimes(r *Rule, start civil.Time, allDay bool) {
	h, m, s := start.Clock()
	lists := [3][]int{r.Hour, r.Minute, r.Second}
	if allDay {
		lists = [3][]int{}
		if p.freq < Daily { // of the hours of a day only midnight can be meant
			lists = [3][]int{{0}, {0}, {0}}
		}
	}
	sizes, own := [3]int{24, 60, 60}, [3]int{h, m, s}
	for i, t := range []*ticks{&p.hours, &p.minutes, &p.seconds} {
		t.fill(lists[i], sizes[i])
		switch limit := p.freq <= Hourly-Freq(i); {
		case limit:
			p.limits[i] = t.set
			p.never = p.never || t.set == 0 && len(lists[i]) > 0
			t.one(0)
		case len(lists[i]) == 0:
			t.one(own[i])
		}
	}
}

// size is the length of a period of a frequency below a week in seconds.
func (p *plan) size() int64 {
	switch p.freq {
	case Daily:
		return civil.Day
	case Hourly:
		return 3600
	case Minutely:
		return 60
	}
	return 1
}

// unit numbers the period that a time is in, whatever the interval: years, months, weeks, days …
func (p *plan) unit(t civil.Time) int64 {
	switch p.freq {
	case Yearly:
		y, _, _ := t.Date()
		if p.gen == byWeekNo { // the first and last weeks of a year reach into its neighbours
			if day := t.DayNumber(); day < p.firstWeek(y) {
				y--
			} else if day >= p.firstWeek(y+1) {
				y++
			}
		}
		return int64(y)
	case Monthly:
		y, m, _ := t.Date()
		return int64(y)*12 + int64(m) - 1
	case Weekly:
		return p.weekOf(t.DayNumber())
	}
	return floor(int64(t), p.size())
}

// weekOf numbers the week of a day; weeks begin with WKST. The day 0 is a Thursday.
func (p *plan) weekOf(day int64) int64 { return floor(day+3-int64(p.wkst), 7) }

// weekStart is the first day of a week.
func (p *plan) weekStart(week int64) int64 { return week*7 - 3 + int64(p.wkst) }

// align gives the first period from u on that the interval lets through.
func (p *plan) align(u int64) int64 {
	if u <= p.first {
		return p.first
	}
	return p.first + (u-p.first+p.interval-1)/p.interval*p.interval
}

func floor(a, b int64) int64 {
	if a < 0 {
		return -((b - 1 - a) / b)
	}
	return a / b
}
