package recur

import (
	"math/bits"
	"slices"

	"holdfast/internal/ical/civil"
)

// makeSet lists the days of period u, in order, each once. Where there are none
// it says from which period on there may be some. The second result counts the
// candidates that were looked at in vain.
func (it *Iter) makeSet(u int64) (next int64, vain int) {
	it.days, it.looked = it.days[:0], 0
	next = u + 1
	switch it.freq {
	case Yearly:
		it.year(int(u))
	case Monthly:
		if m := int(u - floor(u, 12)*12); it.has&byMonth != 0 && it.months>>(m+1)&1 == 0 {
			return u + it.toMonth(m+1), 1
		}
		it.month(int(floor(u, 12)), int(u-floor(u, 12)*12)+1)
	case Weekly:
		first := it.weekStart(u)
		for i := range int64(7) {
			if it.weekdays>>civil.WeekdayOf(first+i)&1 != 0 {
				it.add(first + i)
			}
		}
		if len(it.days) == 0 && it.rest&byMonth != 0 {
			next = max(next, it.weekOf(it.nextMonth(first+6)))
		}
	case Daily:
		it.looked = 1
		ok, day := it.limit(u)
		if !ok {
			return day, 1
		}
		it.days = append(it.days, int32(u))
	default:
		return it.clock(u)
	}
	if it.freq >= Monthly && len(it.days) > 1 {
		slices.Sort(it.days)
		it.days = slices.Compact(it.days)
	}
	return next, max(it.looked-len(it.days), 0)
}

// add takes a day that the other parts do not rule out.
func (it *Iter) add(day int64) {
	it.looked++
	if it.rest == 0 || it.keeps(day, it.rest) {
		it.days = append(it.days, int32(day))
	}
}

// addMoved takes a day that SKIP put in the place of one that does not exist:
// of the parts only BYDAY comes after SKIP (RFC 7529, section 4.1).
func (it *Iter) addMoved(before, after int64) {
	it.looked++
	day := before
	switch it.skip {
	case Omit:
		return
	case Forward:
		day = after
	}
	if it.keeps(day, it.rest&byDay) {
		it.days = append(it.days, int32(day))
	}
}

// year makes the days of a year.
func (it *Iter) year(y int) {
	first, last := civil.DayNumber(y, 1, 1), civil.DayNumber(y, 12, 31)
	switch it.gen {
	case byYearDay:
		size := int(last-first) + 1
		for _, n := range it.yearDays {
			switch {
			case n > size:
				it.addMoved(last, last+1)
			case n < -size:
				it.addMoved(first-1, first)
			case n > 0:
				it.add(first + int64(n) - 1)
			case n < 0:
				it.add(last + int64(n) + 1)
			}
		}
	case byWeekNo:
		week := it.firstWeek(y)
		weeks := int(it.firstWeek(y+1)-week) / 7
		for n := range weeks {
			if !it.weekNo.has(n+1, weeks) {
				continue
			}
			for i := range int64(7) {
				if day := week + 7*int64(n) + i; it.has&byDay == 0 || it.weekdays>>civil.WeekdayOf(day)&1 != 0 {
					it.add(day)
				}
			}
		}
	case byMonthDay, byDay:
		if it.gen == byDay && it.has&byMonth == 0 {
			it.weekdaysIn(first, last)
			return
		}
		for m := 1; m <= 12; m++ {
			if it.has&byMonth == 0 || it.months>>m&1 != 0 {
				it.month(y, m)
			}
		}
	}
}

// month makes the days of a month.
func (it *Iter) month(y, m int) {
	size := civil.DaysIn(y, m)
	first := civil.DayNumber(y, m, 1)
	last := first + int64(size) - 1
	switch it.gen {
	case byMonthDay:
		for set := it.monthDay.front[0]; set != 0; set &= set - 1 {
			if n := bits.TrailingZeros64(set); n <= size {
				it.add(first + int64(n) - 1)
			} else {
				it.addMoved(last, last+1)
			}
		}
		for set := it.monthDay.back[0]; set != 0; set &= set - 1 {
			if n := bits.TrailingZeros64(set); n <= size {
				it.add(last - int64(n) + 1)
			} else {
				it.addMoved(first-1, first)
			}
		}
	case byDay:
		it.weekdaysIn(first, last)
	default:
		for day := first; day <= last; day++ {
			it.add(day)
		}
	}
}

// weekdaysIn makes the days of BYDAY in a month or year.
func (it *Iter) weekdaysIn(first, last int64) {
	if it.weekdays != 0 {
		for day := first; day <= last; day++ {
			if it.weekdays>>civil.WeekdayOf(day)&1 != 0 {
				it.add(day)
			}
		}
	}
	for _, d := range it.nth {
		var day int64
		switch {
		case d.N > 0:
			day = first + int64((d.Weekday-civil.WeekdayOf(first)+7)%7+7*(d.N-1))
		case d.N < 0:
			day = last - int64((civil.WeekdayOf(last)-d.Weekday+7)%7+7*(-d.N-1))
		default:
			continue // in weekdays
		}
		if day >= first && day <= last && d.Weekday >= 0 && d.Weekday <= 6 {
			it.add(day)
		} else {
			it.looked++
		}
	}
}

// keeps tells whether a day fulfils those parts.
func (p *plan) keeps(day int64, parts part) bool {
	if parts&byDay != 0 && p.nth == nil && p.weekdays>>civil.WeekdayOf(day)&1 == 0 {
		return false
	}
	if parts&^byDay == 0 && p.nth == nil {
		return true
	}
	y, m, d := civil.DateOf(day)
	if parts&byMonth != 0 && p.months>>m&1 == 0 {
		return false
	}
	if parts&byMonthDay != 0 && !p.monthDay.has(d, civil.DaysIn(y, m)) {
		return false
	}
	if parts&byYearDay != 0 && !p.yearDay.has(int(day-civil.DayNumber(y, 1, 1))+1, daysInYear(y)) {
		return false
	}
	if parts&byWeekNo != 0 && !p.inWeeks(day, y) {
		return false
	}
	return parts&byDay == 0 || p.nth == nil || p.isNth(day, y, m, d)
}

// isNth tells whether BYDAY names a day by its number in the month, or in the
// year where the rule is one for years and names no months.
func (p *plan) isNth(day int64, y, m, d int) bool {
	w := civil.WeekdayOf(day)
	if p.weekdays>>w&1 != 0 {
		return true
	}
	size := civil.DaysIn(y, m)
	if p.freq == Yearly && p.has&byMonth == 0 {
		d, size = int(day-civil.DayNumber(y, 1, 1))+1, daysInYear(y)
	}
	front, back := (d-1)/7+1, -((size-d)/7 + 1)
	for _, n := range p.nth {
		if n.Weekday == w && (n.N == front || n.N == back) {
			return true
		}
	}
	return false
}

// firstWeek is the first day of the first week of a year: of the first that has
// four days or more in it (BYWEEKNO, as ISO 8601, but from WKST on).
func (p *plan) firstWeek(y int) int64 { return p.weekStart(p.weekOf(civil.DayNumber(y, 1, 4))) }

// inWeeks tells whether a day of year y is in one of the weeks of BYWEEKNO.
func (p *plan) inWeeks(day int64, y int) bool {
	from, to := p.firstWeek(y), p.firstWeek(y+1)
	if day < from {
		from, to = p.firstWeek(y-1), from
	} else if day >= to {
		from, to = to, p.firstWeek(y+2)
	}
	return p.weekNo.has(int(day-from)/7+1, int(to-from)/7)
}

// limit tells whether a day fulfils all parts, and if not, which is the next
// that may.
func (p *plan) limit(day int64) (ok bool, next int64) {
	if p.has == 0 || p.keeps(day, p.has) {
		return true, day
	}
	if p.has&byMonth != 0 {
		return false, p.nextMonth(day)
	}
	return false, day + 1
}

// nextMonth gives the first day after a day that is in a month of BYMONTH.
func (p *plan) nextMonth(day int64) int64 {
	y, m, _ := civil.DateOf(day + 1)
	if p.months>>m&1 != 0 {
		return day + 1
	}
	n := int64(y)*12 + int64(m) - 1 + p.toMonth(m)
	return civil.DayNumber(int(floor(n, 12)), int(n-floor(n, 12)*12)+1, 1)
}

// toMonth counts the months from month m to the next one of BYMONTH, 1 to 12.
func (p *plan) toMonth(m int) int64 {
	for i := range 12 {
		if p.months>>((m+i)%12+1)&1 != 0 {
			return int64(i) + 1
		}
	}
	return 12
}

func daysInYear(y int) int {
	if civil.Leap(y) {
		return 366
	}
	return 365
}
