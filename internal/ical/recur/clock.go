package recur

import (
	"math/bits"

	"holdfast/internal/ical/civil"
)

// clock makes the set of an hour, minute or second, as makeSet does. A whole
// day, hour or minute that cannot match is left in one step.
func (it *Iter) clock(u int64) (next int64, vain int) {
	size := it.size()
	t := u * size
	day := floor(t, civil.Day)
	if day != it.day {
		ok, to := it.limit(day)
		if !ok {
			return ceil(to*civil.Day, size), 1
		}
		it.day = day
	}
	tod := int(t - day*civil.Day)
	if to := it.clockLimit(tod); to > tod {
		return ceil(day*civil.Day+int64(to), size), 1
	}
	it.days, it.base = append(it.days, int32(day)), tod
	return u, 0
}

// clockLimit gives the first second of the day from tod on at which BYHOUR,
// BYMINUTE and BYSECOND can be fulfilled as far as they limit; tod itself if they are.
func (p *plan) clockLimit(tod int) int {
	if h := tod / 3600; p.limits[0] != 0 && p.limits[0]>>h&1 == 0 {
		return from(p.limits[0], h, 24) * 3600
	}
	if m := tod / 60 % 60; p.limits[1] != 0 && p.limits[1]>>m&1 == 0 {
		return tod/3600*3600 + from(p.limits[1], m, 60)*60
	}
	if s := tod % 60; p.limits[2] != 0 && p.limits[2]>>s&1 == 0 {
		return tod/60*60 + from(p.limits[2], s, 60)
	}
	return tod
}

// from gives the first member of a set from n on, or what lies behind them all.
func from(set uint64, n, size int) int {
	if set >>= n; set != 0 {
		return n + bits.TrailingZeros64(set)
	}
	return size
}

func ceil(a, b int64) int64 { return -floor(-a, b) }

// impossible finds rules that can never match, where little arithmetic shows
// it, so that nobody searches ten thousand years for 30 February.
func (p *plan) impossible(start civil.Time) bool {
	switch {
	case p.freq < Secondly || p.freq > Yearly:
		return true
	case p.skip == Omit && p.has&byMonth != 0 && p.has&byMonthDay != 0 && !p.anyMonthDay():
		return true
	case p.has&byYearDay != 0 && p.has&(byMonth|byMonthDay) != 0 && p.skip == Omit && !p.anyYearDay():
		return true
	case p.freq <= Daily && p.has&byDay != 0 && p.interval*p.size()%(7*civil.Day) == 0 && p.weekdays>>start.Weekday()&1 == 0:
		return true
	}
	return p.freq < Daily && !p.reaches(start)
}

// anyMonthDay tells whether one of the months has one of the days.
func (p *plan) anyMonthDay() bool {
	for m := 1; m <= 12; m++ {
		days := uint64(1)<<(civil.DaysIn(2000, m)+1) - 1
		if p.months>>m&1 != 0 && (p.monthDay.front[0]|p.monthDay.back[0])&days != 0 {
			return true
		}
	}
	return false
}

// anyYearDay tells whether one of the days of the year can be in one of the
// months, and one of the days of the month.
func (p *plan) anyYearDay() bool {
	for _, y := range []int{2000, 2001} {
		first := civil.DayNumber(y, 1, 1)
		for i := range int64(daysInYear(y)) {
			if p.keeps(first+i, p.has&(byMonth|byMonthDay|byYearDay)) {
				return true
			}
		}
	}
	return false
}

// reaches tells whether the interval ever leads to a time of day that BYHOUR,
// BYMINUTE and BYSECOND let through: it leads to every one that differs from the
// start's by a multiple of what it has in common with a day.
func (p *plan) reaches(start civil.Time) bool {
	step := int(gcd(p.interval*p.size(), civil.Day))
	if p.limits == [3]uint64{} || step == int(p.size()) {
		return true
	}
	size := int(p.size())
	for tod := start.SecondOfDay() / size * size % step; tod < civil.Day; tod += step {
		if p.clockLimit(tod) == tod {
			return true
		}
	}
	return false
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
