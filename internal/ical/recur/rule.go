package recur

import (
	"strconv"

	"holdfast/internal/ical/civil"
)

// Freq is a unit of time that a rule repeats in: the part FREQ.
type Freq uint8

// The frequencies, from the shortest unit to the longest.
const (
	Secondly Freq = iota + 1
	Minutely
	Hourly
	Daily
	Weekly
	Monthly
	Yearly
)

var freqNames = [...]string{Secondly: "SECONDLY", Minutely: "MINUTELY", Hourly: "HOURLY", Daily: "DAILY", Weekly: "WEEKLY", Monthly: "MONTHLY", Yearly: "YEARLY"}

func (f Freq) String() string {
	if int(f) < len(freqNames) {
		return freqNames[f]
	}
	return ""
}

// Skip says what becomes of a date that does not exist, such as 30 February
// (RFC 7529, section 4).
type Skip uint8

// Omit leaves it out, which is what rules without SKIP do; Backward takes the
// last day before it that exists, Forward the first day after it.
const (
	Omit Skip = iota
	Backward
	Forward
)

var skipNames = [...]string{Omit: "OMIT", Backward: "BACKWARD", Forward: "FORWARD"}

// Rule is a recurrence rule: a value of RECUR (RFC 5545, section 3.3.10). Its
// lists hold what the parts of those names list; a nil list is a part that is
// not there. Parse sorts them and takes repetitions out.
type Rule struct {
	Freq     Freq
	Interval int // 1 where the rule names none
	Count    int // 0: no COUNT

	// Until is the last time that an instance may have. It is UTC where
	// UntilUTC says so, and a date without time where UntilDate does.
	Until                         civil.Time
	HasUntil, UntilUTC, UntilDate bool

	Second, Minute, Hour []int
	MonthDay             []int // 1 to 31, or -1 to -31 from the end of the month
	YearDay              []int // 1 to 366, or -1 to -366 from the end of the year
	WeekNo               []int // 1 to 53, or -1 to -53 from the end of the year
	Month                []int
	SetPos               []int
	Day                  []WeekdayNum
	WeekStart            int // 0 is Monday, 6 is Sunday

	Gregorian bool // RSCALE=GREGORIAN is written: RFC 7529 is meant
	Skip      Skip
}

// WeekdayNum is one value of BYDAY. Weekday 0 is Monday and 6 is Sunday. N is 0
// for every such day, n for the nth in the month or year, -n for the nth from its end.
type WeekdayNum struct{ N, Weekday int }

var dayNames = [...]string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}

// String writes the rule in its canonical form: the parts in the order of RFC
// 5545 and upper case, without those that say what holds anyway.
func (r *Rule) String() string {
	var b []byte
	if r.Gregorian || r.Skip != Omit {
		b = append(b, "RSCALE=GREGORIAN;"...)
	}
	b = append(append(b, "FREQ="...), r.Freq.String()...)
	if r.HasUntil {
		b = append(b, ";UNTIL="...)
		if r.UntilDate {
			b = r.Until.AppendDate(b)
		} else {
			b = r.Until.AppendDateTime(b)
		}
		if r.UntilUTC {
			b = append(b, 'Z')
		}
	}
	if r.Count > 0 {
		b = strconv.AppendInt(append(b, ";COUNT="...), int64(r.Count), 10)
	}
	if r.Interval > 1 {
		b = strconv.AppendInt(append(b, ";INTERVAL="...), int64(r.Interval), 10)
	}
	b = appendList(b, ";BYSECOND=", r.Second)
	b = appendList(b, ";BYMINUTE=", r.Minute)
	b = appendList(b, ";BYHOUR=", r.Hour)
	for i, d := range r.Day {
		if i == 0 {
			b = append(b, ";BYDAY="...)
		} else {
			b = append(b, ',')
		}
		if d.N != 0 {
			b = strconv.AppendInt(b, int64(d.N), 10)
		}
		b = append(b, dayNames[d.Weekday]...)
	}
	b = appendList(b, ";BYMONTHDAY=", r.MonthDay)
	b = appendList(b, ";BYYEARDAY=", r.YearDay)
	b = appendList(b, ";BYWEEKNO=", r.WeekNo)
	b = appendList(b, ";BYMONTH=", r.Month)
	b = appendList(b, ";BYSETPOS=", r.SetPos)
	if r.WeekStart != 0 {
		b = append(append(b, ";WKST="...), dayNames[r.WeekStart]...)
	}
	if r.Skip != Omit {
		b = append(append(b, ";SKIP="...), skipNames[r.Skip]...)
	}
	return string(b)
}

func appendList(b []byte, name string, list []int) []byte {
	for i, n := range list {
		if i == 0 {
			b = append(b, name...)
		} else {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	return b
}
