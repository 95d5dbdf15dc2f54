package recur

import (
	"errors"
	"math"
	"testing"

	"holdfast/internal/ical/civil"
)

// What examples and random rules do not show: ends, odd parts, dates, SKIP.
func TestInstances(t *testing.T) {
	for _, c := range []struct {
		name, start, rule string
		allDay            bool
		want              string // as in examples
	}{
		{"leap day", "20240229T090000", "FREQ=YEARLY", false, "20240229 20280229 20320229 …"},
		{"leap day of 2100", "20960229T090000", "FREQ=YEARLY;COUNT=2", false, "20960229 21040229"},
		{"leap day, backward", "20240229T090000", "RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=BACKWARD;COUNT=5", false, "20240229 20250228 20260228 20270228 20280229"},
		{"leap day, forward", "20240229T090000", "RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=FORWARD;COUNT=5", false, "20240229 20250301 20260301 20270301 20280229"},
		{"the 31st", "20260131T090000", "FREQ=MONTHLY;COUNT=4", false, "20260131 20260331 20260531 20260731"},
		{"the 31st, backward", "20260131T090000", "RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=BACKWARD;COUNT=4", false, "20260131 20260228 20260331 20260430"},
		{"the 31st, forward", "20260131T090000", "RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=FORWARD;COUNT=4", false, "20260131 20260301 20260331 20260501"},
		{"two that fall together", "20260131T090000", "RSCALE=GREGORIAN;FREQ=MONTHLY;BYMONTHDAY=30,31;SKIP=BACKWARD;COUNT=5", false, "20260131 20260228 20260330 20260331 20260430"},
		{"into the next month's own", "20260130T090000", "RSCALE=GREGORIAN;FREQ=MONTHLY;BYMONTHDAY=1,30;SKIP=FORWARD;COUNT=5", false, "20260130 20260201 20260301 20260330 20260401"},
		{"the 366th day, forward", "20240101T090000", "RSCALE=GREGORIAN;FREQ=YEARLY;BYYEARDAY=366;SKIP=FORWARD", false, "20241231 20260101 20270101 20280101 20281231 …"},
		{"the 366th day from the end, backward", "20240101T090000", "RSCALE=GREGORIAN;FREQ=YEARLY;BYYEARDAY=-366,60;SKIP=BACKWARD", false, "20240101 20240229 20241231 20250301 20251231 …"},
		{"a moved day is held against BYDAY", "20020228T090000", "RSCALE=GREGORIAN;FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;BYDAY=SA,FR;SKIP=FORWARD", false, "20020301 20030301 20080301 …"},
		{"COUNT counts a start that the rule does not give", "20260101T090000", "FREQ=WEEKLY;BYDAY=MO;COUNT=3", false, "20260105 12"},
		{"COUNT of that start alone", "20260101T090000", "FREQ=WEEKLY;BYDAY=MO;COUNT=1", false, ""},
		{"UNTIL is included", "20260101T090000", "FREQ=DAILY;UNTIL=20260103T090000", false, "20260101 02 03"},
		{"UNTIL as a date is a whole day", "20260101T090000", "FREQ=DAILY;UNTIL=20260103", false, "20260101 02 03"},
		{"UNTIL before the start", "20260101T090000", "FREQ=DAILY;UNTIL=20251231", false, ""},
		{"COUNT and UNTIL: COUNT first", "20260101T090000", "FREQ=DAILY;UNTIL=20260103;COUNT=2", false, "20260101 02"},
		{"COUNT and UNTIL: UNTIL first", "20260101T090000", "FREQ=DAILY;UNTIL=20260102;COUNT=3", false, "20260101 02"},
		{"dates", "20260101T000000", "FREQ=DAILY;BYHOUR=9,10;BYMINUTE=30;BYSECOND=1;COUNT=2", true, "20260101 02"},
		{"dates until a time", "20260101T000000", "FREQ=DAILY;UNTIL=20260102T235959Z", true, "20260101 02"},
		{"hours of dates", "20260101T000000", "FREQ=HOURLY;INTERVAL=12;BYHOUR=3;COUNT=3", true, "20260101 02 03"},
		{"no day in a month rule but days of the year", "20260101T090000", "FREQ=MONTHLY;BYYEARDAY=1,32,40", false, "20260101 20260201 09 20270101 …"},
		{"days of the month limit weeks", "20260101T090000", "FREQ=WEEKLY;BYMONTHDAY=1", false, "20260101 20261001 …"},
		{"a number is nothing to weeks", "20260101T090000", "FREQ=WEEKLY;BYDAY=2TH", false, "20260101 08 15 …"},
		{"a number is nothing to weeks of the year", "20260101T090000", "FREQ=YEARLY;BYWEEKNO=2;BYDAY=3MO", false, "20260105 20270111 …"},
		{"weeks of the year without a day", "20260101T090000", "FREQ=YEARLY;BYWEEKNO=1,53", false, "20260101 20261231 20270107 …"},
		{"week 1 begins in December", "20241230T090000", "FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO", false, "20241230 20251229 20270104 …"},
		{"every second year counts weeks by their year", "20241230T090000", "FREQ=YEARLY;INTERVAL=2;BYWEEKNO=1;BYDAY=MO,TH", false, "20241230 20250102 20270104 07 …"},
		{"a leap second", "20260101T090000", "FREQ=MINUTELY;BYSECOND=60;COUNT=3", false, "20260101T090059 T090159"},
		{"the last second", "99991231T235958", "FREQ=SECONDLY", false, "99991231T235958 T235959"},
		{"the last year", "99991231T090000", "FREQ=YEARLY", false, "99991231"},
		{"the first", "00010101T000000", "FREQ=YEARLY;INTERVAL=2000", false, "00010101 20010101 40010101 60010101 80010101"},
		{"long intervals", "20260101T090000", "FREQ=YEARLY;INTERVAL=2147483647", false, "20260101"},
		{"long intervals of seconds", "20260101T090000", "FREQ=SECONDLY;INTERVAL=2147483647;COUNT=2", false, "20260101 20940119T121407"},
		{"February 30", "20260101T090000", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", false, ""},
		{"working days, the last", "20260130T170000", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", false, "20260130 20260227 20260331 20260430 …"},
		{"BYSETPOS and times", "20260130T080000", "FREQ=MONTHLY;BYMONTHDAY=-1,-2;BYHOUR=8,17;BYSETPOS=-1,1", false, "20260130 20260131T170000 20260227T080000 20260228T170000 …"},
	} {
		want, more := expand(t, c.start, c.want)
		it := rule(t, c.rule).Iter(Options{Start: at(t, c.start), AllDay: c.allDay})
		for i, w := range want {
			if got, ok := it.Next(); !ok || got != w {
				t.Errorf("%s: number %d is %v, %v, want %v", c.name, i+1, got, ok, w)
				break
			}
		}
		if got, ok := it.Next(); ok != more || it.Err() != nil {
			t.Errorf("%s: after the end %v, %v, %v", c.name, got, ok, it.Err())
		}
	}
}

// What stands in Options comes before what stands in the rule.
func TestOptions(t *testing.T) {
	start := at(t, "20260327T013000")
	r := rule(t, "FREQ=DAILY;UNTIL=20260101T000000Z")
	if got := until(r.Iter(Options{Start: start, Until: start + 2*civil.Day, HasUntil: true}), civil.Max); len(got) != 3 {
		t.Errorf("until: %v", got)
	}
	gone := func(t civil.Time) bool { return t != start && t != start+2*civil.Day } // the start as well
	r = rule(t, "FREQ=DAILY;COUNT=4")
	got := until(r.Iter(Options{Start: start, Exists: gone}), civil.Max)
	if len(got) != 3 || got[0] != start+civil.Day || got[1] != start+3*civil.Day || got[2] != start+4*civil.Day {
		t.Errorf("a time that does not exist is counted: %v", got)
	}
	r = rule(t, "FREQ=WEEKLY;BYDAY=FR,SA,SU;BYSETPOS=2")
	if got, ok := r.Iter(Options{Start: start, Exists: gone}).Next(); !ok || got != start+8*civil.Day {
		t.Errorf("a time that does not exist takes a position: %v", got)
	}
	for _, o := range []Options{{Start: civil.Min - 1}, {Start: civil.Max + 1}, {Start: math.MinInt64}, {Start: math.MaxInt64},
		{Start: start, Until: math.MinInt64, HasUntil: true}} {
		it := rule(t, "FREQ=SECONDLY").Iter(o)
		it.Seek(start)
		if got, ok := it.Next(); ok {
			t.Errorf("%v gives %v", o, got)
		}
	}
	it := rule(t, "FREQ=SECONDLY").Iter(Options{Start: start})
	for _, to := range []civil.Time{math.MaxInt64, math.MinInt64, civil.Max, start - 1} {
		it.Seek(to)
		got, ok := it.Next()
		if ok != (to <= civil.Max) || ok && got != max(start, to) {
			t.Errorf("at %d: %v, %v", to, got, ok)
		}
	}
	for _, r := range []*Rule{{}, {Freq: 99}, {Freq: Daily, Interval: -5, Count: -1, Month: []int{99}}, {Freq: Yearly, Day: []WeekdayNum{{1, 99}, {-1, -99}}, WeekStart: 99},
		{Freq: Weekly, Day: []WeekdayNum{{0, 7}}}, {Freq: Monthly, MonthDay: []int{-4000, 0, 4000}}, {Freq: Hourly, Hour: []int{-1}}} {
		if got, ok := r.Iter(Options{Start: start}).Next(); ok {
			t.Errorf("%#v gives %v", r, got)
		}
	}
}

// Rules that hardly ever match, or never, or match what does not exist: an end
// comes within the budget, and where arithmetic can see it, at once.
func TestHostileRules(t *testing.T) {
	never := func(civil.Time) bool { return false }
	for _, c := range []struct {
		rule   string
		exists func(civil.Time) bool
		steps  int // at most
		end    error
	}{
		{"FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30", nil, 0, nil},
		{"FREQ=MINUTELY;BYMONTH=4,6,9,11;BYMONTHDAY=31", nil, 0, nil},
		{"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-30", nil, 0, nil},
		{"FREQ=YEARLY;BYYEARDAY=1;BYMONTH=2", nil, 0, nil},
		{"FREQ=SECONDLY;INTERVAL=60;BYSECOND=30", nil, 0, nil},
		{"FREQ=MINUTELY;INTERVAL=720;BYHOUR=1", nil, 0, nil},
		{"FREQ=HOURLY;INTERVAL=24;BYHOUR=1", nil, 0, nil},
		{"FREQ=DAILY;INTERVAL=7;BYDAY=TU", nil, 0, nil},
		{"FREQ=HOURLY;INTERVAL=168;BYDAY=TU", nil, 0, nil},
		{"FREQ=SECONDLY;INTERVAL=604800;BYDAY=TU", nil, 0, nil},
		{"FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=29;BYYEARDAY=61", nil, 0, nil},
		{"FREQ=YEARLY;BYWEEKNO=20;BYMONTH=1", nil, DefaultSteps, nil},
		{"FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6", nil, DefaultSteps, nil},
		{"FREQ=YEARLY;BYDAY=1MO;BYMONTHDAY=8,9;BYMONTH=3", nil, DefaultSteps, nil},
		{"FREQ=MONTHLY;INTERVAL=12;BYMONTH=3", nil, DefaultSteps, nil},
		{"FREQ=MONTHLY;BYMONTHDAY=8;BYDAY=1MO", nil, DefaultSteps, nil},
		{"FREQ=WEEKLY;BYSETPOS=2", nil, DefaultSteps, ErrBudget},
		{"FREQ=SECONDLY;BYSETPOS=2", nil, DefaultSteps, ErrBudget},
		{"FREQ=SECONDLY", never, DefaultSteps, ErrBudget},
		{"FREQ=YEARLY;BYDAY=MO,TU,WE;BYHOUR=1,2,3;BYSETPOS=-366,366", never, DefaultSteps, ErrBudget},
		{"FREQ=SECONDLY;INTERVAL=86399;BYMONTH=2;BYMONTHDAY=29;BYHOUR=3;BYMINUTE=3;BYSECOND=3;BYDAY=MO;BYWEEKNO=9", nil, DefaultSteps, ErrBudget},
	} {
		b := NewBudget(DefaultSteps)
		it := rule(t, c.rule).Iter(Options{Start: at(t, "20260105T000000"), Budget: b, Exists: c.exists})
		got, ok := it.Next()
		spent := DefaultSteps - b.Left()
		if ok || spent > c.steps || !errors.Is(it.Err(), c.end) || b.Exhausted() != (c.end != nil) {
			t.Errorf("%s: %v, %v, %d steps, %v", c.rule, got, ok, spent, it.Err())
		}
		t.Logf("%6d steps, %v: %s", spent, it.Err(), c.rule)
		it.Seek(at(t, "21000101T000000"))
		if got, ok := it.Next(); ok {
			t.Errorf("%s gives %v after its end", c.rule, got)
		}
	}
}

// Far years cost little: the steps to an instance of 2026 of a rule from 1970, and what follows.
func TestSeekIsCheap(t *testing.T) {
	for _, c := range []struct {
		rule  string
		steps int
	}{
		{"FREQ=DAILY", 1},
		{"FREQ=DAILY;INTERVAL=3", 1},
		{"FREQ=WEEKLY;BYDAY=MO,WE,FR;INTERVAL=2", 10},
		{"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", 2},
		{"FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", 5},
		{"FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", 5},
		{"FREQ=HOURLY;INTERVAL=5", 1},
		{"FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=29", 100},
		{"FREQ=DAILY;COUNT=50000", 3},
		{"FREQ=WEEKLY;BYDAY=MO,WE,FR;COUNT=50000", 5},
		{"FREQ=SECONDLY;COUNT=2000000000", 3},
		{"FREQ=MONTHLY;BYDAY=2TU;COUNT=5000", 56 * 12 * 2},
		{"FREQ=YEARLY;COUNT=5000", 56 * 2},
	} {
		b := NewBudget(DefaultSteps)
		it := rule(t, c.rule).Iter(Options{Start: at(t, "19700101T090000"), Budget: b})
		it.Seek(at(t, "20260301T000000"))
		got, ok := it.Next()
		if spent := DefaultSteps - b.Left(); !ok || got < at(t, "20260301T000000") || spent > c.steps {
			t.Errorf("%s: %v, %v after %d steps", c.rule, got, ok, spent)
		}
	}
}

func TestBudgetIsShared(t *testing.T) {
	b := NewBudget(100)
	start := at(t, "20260101T000000")
	one, two := rule(t, "FREQ=DAILY").Iter(Options{Start: start, Budget: b}), rule(t, "FREQ=WEEKLY").Iter(Options{Start: start, Budget: b})
	n := 0
	for ; n < 1000; n++ {
		_, ok1 := one.Next()
		_, ok2 := two.Next()
		if !ok1 || !ok2 {
			break
		}
	}
	if n != 50 || one.Err() != ErrBudget || two.Err() != ErrBudget || !b.Exhausted() || b.Left() != 0 || b.Spend(1) {
		t.Errorf("%d rounds, %v, %v", n, one.Err(), two.Err())
	}
	var none *Budget
	if none.Spend(1) || none.Exhausted() || none.Left() != 0 || none.OrDefault().Left() != DefaultSteps {
		t.Error("no budget has steps")
	}
	if b.OrDefault() != b {
		t.Error("another budget")
	}
}

func TestNextAllocatesNothing(t *testing.T) {
	for _, text := range []string{"FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,WE", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", "FREQ=HOURLY"} {
		r, start := rule(t, text), at(t, "19700101T090000")
		it := r.Iter(Options{Start: start, Budget: NewBudget(1 << 30)})
		it.Next()
		if n := testing.AllocsPerRun(1000, func() { it.Next() }); n != 0 {
			t.Errorf("%s: %v allocations for an instance", text, n)
		}
		if n := testing.AllocsPerRun(100, func() { it.Seek(start + 50*365*civil.Day); it.Next() }); n != 0 {
			t.Errorf("%s: %v allocations to seek", text, n)
		}
	}
}

// Whatever the rule: instances ascend, lie within bounds, and an end comes.
func FuzzIter(f *testing.F) {
	for _, c := range examples {
		f.Add(c.rule, int64(852102000), int64(900000000), uint8(0))
	}
	f.Add("FREQ=SECONDLY;INTERVAL=86399;BYMONTH=2;BYSETPOS=-1", int64(civil.Min), int64(civil.Max), uint8(1))
	f.Add("RSCALE=GREGORIAN;FREQ=YEARLY;BYYEARDAY=-366,366;BYHOUR=1,2;BYSETPOS=1,-1;SKIP=FORWARD", int64(civil.Max-1), int64(0), uint8(2))
	f.Fuzz(func(t *testing.T, text string, start, to int64, flags uint8) {
		r, err := Parse(text)
		if err != nil {
			return
		}
		o := Options{Start: civil.Time(start), AllDay: flags&1 != 0, Budget: NewBudget(20_000)}
		if flags&2 != 0 {
			o.Exists = gaps
		}
		it := r.Iter(o)
		last := civil.Time(math.MinInt64)
		check := func(low civil.Time) {
			for range 50 {
				got, ok := it.Next()
				if !ok {
					return
				}
				if got <= last || got < low || got < o.Start.Midnight() || got < civil.Min || got > civil.Max || o.Exists != nil && !gaps(got) {
					t.Fatalf("%s from %v: %v after %v, at %v", text, o.Start, got, last, low)
				}
				last = got
			}
		}
		check(civil.Min)
		it.Seek(civil.Time(to))
		last = math.MinInt64
		if o.AllDay {
			to = int64(civil.Time(to).Midnight())
		}
		check(civil.Time(to))
	})
}

func BenchmarkIter(b *testing.B) {
	for _, text := range []string{"FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,WE,FR", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", "FREQ=DAILY;COUNT=30000"} {
		r, start := rule(b, text), at(b, "19700101T090000")
		b.Run("next/"+text, func(b *testing.B) {
			b.ReportAllocs()
			var it *Iter
			for i := range b.N {
				if i%1000 == 0 {
					it = r.Iter(Options{Start: start})
				}
				it.Next()
			}
		})
		b.Run("seek/"+text, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				it := r.Iter(Options{Start: start})
				it.Seek(start + 56*365*civil.Day)
				if _, ok := it.Next(); !ok {
					b.Fatal("no instance")
				}
			}
		})
	}
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			rule(b, "FREQ=MONTHLY;UNTIL=20261231T000000Z;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1")
		}
	})
}
