package recur

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"holdfast/internal/ical/civil"
)

// The oracle: the table of section 3.3.10 in its simplest form. It walks over
// every day (or second) of a window, asks package time for its date, tests one
// condition after the other, and knows nothing of the package but the fields of Rule.

// brute lists the instances of a rule before a time.
func brute(r *Rule, o Options, before civil.Time) []civil.Time {
	start := o.Start
	if o.AllDay {
		start = start.Midnight()
	}
	var out []civil.Time
	if r.Freq >= Daily {
		out = bruteDays(r, o, start, before)
	} else {
		out = bruteClock(r, o, start, before)
	}
	n := 0
	if r.Count > 0 && (len(out) == 0 || out[0] != start) {
		n = 1
	}
	for i, t := range out {
		if n++; r.Count > 0 && n > r.Count || r.HasUntil && t > r.Until {
			return out[:i]
		}
	}
	return out
}

func unix(t civil.Time) time.Time { return time.Unix(int64(t), 0).UTC() }

// bruteDays walks over whole periods, from the one that start is in.
func bruteDays(r *Rule, o Options, start, before civil.Time) (out []civil.Time) {
	s := unix(start)
	hours, minutes, seconds := orOwn(r.Hour, s.Hour()), orOwn(r.Minute, s.Minute()), orOwn(r.Second, s.Second())
	if o.AllDay {
		hours, minutes, seconds = []int{0}, []int{0}, []int{0}
	}
	var set []civil.Time
	var period int
	flush := func() {
		for _, t := range picked(r, set) {
			if t >= start && t < before {
				out = append(out, t)
			}
		}
		set = set[:0]
	}
	for day := time.Date(s.Year()-1, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() <= unix(before).Year()+1; day = day.AddDate(0, 0, 1) {
		if p := periodOf(r, day); p != period {
			flush()
			period = p
		}
		if (period-periodOf(r, s))%r.Interval != 0 || !dayMatches(r, day, s) {
			continue
		}
		for _, h := range hours {
			for _, m := range minutes {
				for _, c := range seconds {
					t := civil.Time(day.Unix() + int64(h*3600+m*60+min(c, 59)))
					if (o.Exists == nil || o.Exists(t)) && !slices.Contains(set, t) {
						set = append(set, t)
					}
				}
			}
		}
	}
	flush()
	return out
}

// bruteClock walks over the seconds from the begin of the period that start is in.
func bruteClock(r *Rule, o Options, start, before civil.Time) (out []civil.Time) {
	size := map[Freq]int{Hourly: 3600, Minutely: 60, Secondly: 1}[r.Freq]
	s := unix(start)
	begin := start - civil.Time(start.SecondOfDay()%size)
	var set []civil.Time
	for t := begin; t < before; t++ {
		if n := int(t - begin); n%size == 0 {
			for _, p := range picked(r, set) {
				if p >= start {
					out = append(out, p)
				}
			}
			set = set[:0]
			if n/size%r.Interval != 0 {
				t += civil.Time(size) - 1
				continue
			}
		}
		c, m, h := int(t%60), int(t/60%60), int(t/3600%24)
		hourOK := len(r.Hour) == 0 || slices.Contains(r.Hour, h)
		minuteOK := slices.Contains(r.Minute, m) || len(r.Minute) == 0 && (r.Freq < Hourly || m == s.Minute())
		secondOK := slices.Contains(r.Second, c) || c == 59 && slices.Contains(r.Second, 60) || len(r.Second) == 0 && (r.Freq == Secondly || c == s.Second())
		if hourOK && minuteOK && secondOK && dayMatches(r, unix(t), s) && (o.Exists == nil || o.Exists(t)) {
			set = append(set, t)
		}
	}
	for _, p := range picked(r, set) {
		if p >= start {
			out = append(out, p)
		}
	}
	return out
}

func orOwn(list []int, own int) []int {
	if len(list) == 0 {
		return []int{own}
	}
	return list
}

// periodOf numbers the period of a day.
func periodOf(r *Rule, t time.Time) int {
	switch r.Freq {
	case Yearly:
		if r.WeekNo != nil && r.YearDay == nil {
			y, _, _ := weekNumber(r, t)
			return y
		}
		return t.Year()
	case Monthly:
		return t.Year()*12 + int(t.Month())
	case Weekly:
		for (int(t.Weekday())+6)%7 != r.WeekStart {
			t = t.AddDate(0, 0, -1)
		}
		return int(t.Unix()+7*civil.Day*2000*53) / (7 * civil.Day)
	}
	return int((t.Unix() + 1e12*civil.Day) / civil.Day)
}

// weekNumber counts weeks by their Thursday, or whichever day is the fourth from WKST.
func weekNumber(r *Rule, t time.Time) (year, n, of int) {
	fourth := func(t time.Time) time.Time {
		for (int(t.Weekday())+6)%7 != r.WeekStart {
			t = t.AddDate(0, 0, -1)
		}
		return t.AddDate(0, 0, 3)
	}
	t = fourth(t)
	year = t.Year()
	for d := t; d.Year() == year; d = d.AddDate(0, 0, -7) {
		n++
	}
	of = n - 1
	for d := t; d.Year() == year; d = d.AddDate(0, 0, 7) {
		of++
	}
	return year, n, of
}

func dayMatches(r *Rule, t, start time.Time) bool {
	has := func(list []int, n, of int) bool { return slices.Contains(list, n) || slices.Contains(list, n-of-1) }
	monthEnd := time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
	yearEnd := time.Date(t.Year(), 12, 31, 0, 0, 0, 0, time.UTC).YearDay()
	if r.Month != nil && !slices.Contains(r.Month, int(t.Month())) ||
		r.MonthDay != nil && !has(r.MonthDay, t.Day(), monthEnd) ||
		r.YearDay != nil && !has(r.YearDay, t.YearDay(), yearEnd) {
		return false
	}
	if r.WeekNo != nil {
		if _, n, of := weekNumber(r, t); !has(r.WeekNo, n, of) {
			return false
		}
	}
	noDay := r.MonthDay == nil && r.YearDay == nil && r.Day == nil
	switch {
	case r.Day != nil:
		return dayNamed(r, t)
	case r.Freq == Yearly && r.WeekNo != nil && noDay, r.Freq == Weekly:
		return t.Weekday() == start.Weekday()
	case r.Freq == Yearly && noDay:
		return t.Day() == start.Day() && (r.Month != nil || t.Month() == start.Month())
	case r.Freq == Monthly && noDay:
		return t.Day() == start.Day()
	}
	return true
}

// dayNamed lists the days of that weekday in the month or year, and looks where t is.
func dayNamed(r *Rule, t time.Time) bool {
	for _, d := range r.Day {
		if (int(t.Weekday())+6)%7 != d.Weekday {
			continue
		}
		if d.N == 0 || r.Freq < Monthly || r.Freq == Yearly && r.WeekNo != nil {
			return true
		}
		first := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
		last := first.AddDate(0, 1, -1)
		if r.Freq == Yearly && r.Month == nil {
			first, last = time.Date(t.Year(), 1, 1, 0, 0, 0, 0, time.UTC), time.Date(t.Year(), 12, 31, 0, 0, 0, 0, time.UTC)
		}
		var all []int
		for day := first; !day.After(last); day = day.AddDate(0, 0, 1) {
			if day.Weekday() == t.Weekday() {
				all = append(all, day.YearDay())
			}
		}
		i := slices.Index(all, t.YearDay())
		if i+1 == d.N || i-len(all) == d.N {
			return true
		}
	}
	return false
}

// picked applies BYSETPOS.
func picked(r *Rule, set []civil.Time) []civil.Time {
	slices.Sort(set)
	if r.SetPos == nil {
		return set
	}
	var out []civil.Time
	for i, t := range set {
		if slices.Contains(r.SetPos, i+1) || slices.Contains(r.SetPos, i-len(set)) {
			out = append(out, t)
		}
	}
	return out
}

// random makes a rule and a start. Odd combinations are as likely as sensible ones.
func random(rng *rand.Rand) (*Rule, Options) {
	r := &Rule{Freq: Freq(rng.IntN(7) + 1), Interval: 1, WeekStart: rng.IntN(7)}
	if rng.IntN(2) == 0 {
		r.Interval = 1 + rng.IntN(6)
	}
	some := func(chance, low, high, most int) (list []int) {
		if rng.IntN(chance) > 0 {
			return nil
		}
		for range 1 + rng.IntN(most) {
			if n := low + rng.IntN(high-low+1); n != 0 || low == 0 {
				list = append(list, n)
			}
		}
		slices.Sort(list)
		return slices.Compact(list)
	}
	r.Month = some(3, 1, 12, 4)
	r.MonthDay = some(4, -31, 31, 6)
	r.YearDay = some(8, -366, 366, 30)
	r.WeekNo = some(8, -53, 53, 10)
	if rng.IntN(3) == 0 {
		for range 1 + rng.IntN(4) {
			d := WeekdayNum{Weekday: rng.IntN(7)}
			if rng.IntN(3) == 0 {
				d.N = rng.IntN(11) - 5
			}
			if r.Freq == Yearly && r.Month == nil && rng.IntN(4) == 0 {
				d.N = rng.IntN(107) - 53
			}
			r.Day = append(r.Day, d)
		}
	}
	few := 5
	if r.Freq < Daily {
		few = 3
	}
	r.Hour = some(few, 0, 23, 3)
	r.Minute = some(few, 0, 59, 3)
	r.Second = some(few, 0, 60, 3)
	if r.Freq < Daily && rng.IntN(3) > 0 { // else they hardly ever match within a window
		r.Month, r.MonthDay, r.YearDay, r.WeekNo = nil, nil, nil, nil
	}
	r.SetPos = some(4, -5, 5, 3)
	o := Options{Start: civil.Of(1990+rng.IntN(60), 1+rng.IntN(12), 1+rng.IntN(28), rng.IntN(24), rng.IntN(60), rng.IntN(60))}
	if rng.IntN(4) == 0 {
		y, m, _ := o.Start.Date()
		o.Start = civil.Of(y, m, civil.DaysIn(y, m), 9, 0, 0)
	}
	if rng.IntN(4) == 0 {
		r.Count = 1 + rng.IntN(20)
	} else if rng.IntN(4) == 0 {
		r.Until, r.HasUntil = o.Start+civil.Time(rng.Int64N(int64(window(r.Freq)))), true
	}
	return r, o
}

// window is how far the oracle walks.
func window(f Freq) civil.Time {
	return map[Freq]civil.Time{Secondly: civil.Day / 4, Minutely: 2 * civil.Day, Hourly: 12 * civil.Day, Daily: 700 * civil.Day, Weekly: 1500 * civil.Day,
		Monthly: 2500 * civil.Day, Yearly: 12 * 366 * civil.Day}[f]
}

// gaps is a zone without the hour from one to two on two days of each year, and
// without the last day of March in even ones.
func gaps(t civil.Time) bool {
	at := unix(t)
	gone := at.Hour() == 1 && (at.YearDay() == 87 || at.YearDay() == 300)
	return !gone && !(at.Month() == 3 && at.Day() == 31 && at.Year()%2 == 0)
}

// until lists what an iterator gives before a time.
func until(it *Iter, before civil.Time) (out []civil.Time) {
	for t, ok := it.Next(); ok && t < before; t, ok = it.Next() {
		out = append(out, t)
	}
	return out
}

// ruleCount says how many random rules to try: HOLDFAST_RULES, or what a quick run needs.
func ruleCount(t *testing.T, quick int) int {
	if n, err := strconv.Atoi(os.Getenv("HOLDFAST_RULES")); err == nil && n > 0 {
		return n
	}
	if testing.Short() {
		return quick / 4
	}
	return quick
}

func describe(r *Rule, o Options) string {
	return fmt.Sprintf("%v from %v, all day %v, gaps %v", r, o.Start, o.AllDay, o.Exists != nil)
}

func TestRandomRulesAgreeWithBruteForce(t *testing.T) {
	rules := ruleCount(t, 500)
	rng := rand.New(rand.NewPCG(3, 5545))
	instances, empty := 0, 0
	for range rules {
		r, o := random(rng)
		if r.Freq >= Daily && rng.IntN(4) == 0 {
			o.AllDay = true
			r.Until = r.Until.Midnight()
		} else if rng.IntN(4) == 0 {
			o.Exists = gaps
		}
		before := o.Start + window(r.Freq)
		if r.Freq < Daily {
			before -= civil.Time(before.SecondOfDay() % 3600) // a whole period, for BYSETPOS
		}
		want := brute(r, o, before)
		o.Budget = NewBudget(1 << 20)
		got := until(r.Iter(o), before)
		if !slices.Equal(got, want) {
			t.Fatalf("%s:\ngot  %v\nwant %v", describe(r, o), got, want)
		}
		instances += len(want)
		if len(want) == 0 {
			empty++
		}
	}
	t.Logf("%d rules, %d instances, %d rules without any", rules, instances, empty)
	if instances < 10*rules || empty > rules/2 {
		t.Error("the random rules hardly ever match")
	}
}

// A place found by Seek is the place that Next comes to.
func TestSeekAgreesWithNext(t *testing.T) {
	rules := ruleCount(t, 500)
	rng := rand.New(rand.NewPCG(4, 7529))
	seeks := 0
	for range rules {
		r, o := random(rng)
		if rng.IntN(4) == 0 {
			o.Exists = gaps
		}
		if r.Freq >= Monthly {
			r.Skip = Skip(rng.IntN(3))
		}
		span := window(r.Freq)
		o.Budget = NewBudget(100_000)
		it := r.Iter(o)
		all := until(it, o.Start+span)
		if it.Err() != nil {
			continue // too seldom to be of use here
		}
		o.Budget = NewBudget(1 << 20)
		it = r.Iter(o)
		for range 8 { // the same iterator, forth and back
			to := o.Start - 1000 + civil.Time(rng.Int64N(int64(span)))
			if len(all) > 0 && rng.IntN(2) == 0 {
				to = all[rng.IntN(len(all))] + civil.Time(rng.IntN(3)-1)
			}
			i, _ := slices.BinarySearch(all, to)
			it.Seek(to)
			for _, want := range all[i:min(i+3, len(all))] {
				if got, ok := it.Next(); !ok || got != want {
					t.Fatalf("%s: at %v got %v, %v, want %v", describe(r, o), to, got, ok, want)
				}
				seeks++
			}
		}
	}
	t.Logf("%d rules, %d instances found again", rules, seeks)
	if seeks < 10*rules {
		t.Error("hardly any rule was sought in")
	}
}
