package recur

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"holdfast/internal/ical/civil"
)

// Error says why a text is no recurrence rule.
type Error struct {
	Part string // the part at fault, "FREQ" say; may be empty
	Text string // a sentence for the person who looks into it
}

func (e *Error) Error() string { return e.Text }

// MaxText bounds the length of a rule's text in octets. Every value that RFC
// 5545 allows, in every list, takes less.
const MaxText = 32 << 10

// maxNumber bounds COUNT and INTERVAL; what is greater reaches beyond the year
// 9999 either way, or beyond any budget, and is taken for this.
const maxNumber = math.MaxInt32

// Parse reads a value of RECUR (RFC 5545, section 3.3.10, and RFC 7529).
//
// It reads what calendars in use write and what has one meaning only: any order
// of the parts, lower case, space around them, empty parts as a ";" at the end
// leaves them, values that stand twice in a list, an UNTIL of any form, and
// parts that are of no use with this FREQ (how they count is said at Rule.Iter).
// A rule with both COUNT and UNTIL ends where the first of the two ends it: RFC
// 5545 forbids it, but calendars write it and other servers keep it, and a
// refusal would lose the event.
//
// What cannot be read, what is out of its range, what nobody knows and calendar
// scales other than GREGORIAN are refused with an *Error.
func Parse(s string) (*Rule, error) {
	if len(s) > MaxText {
		return nil, &Error{Text: "the recurrence rule is longer than " + strconv.Itoa(MaxText) + " octets"}
	}
	r := &Rule{Interval: 1}
	seen := map[string]string{}
	for part := range strings.SplitSeq(s, ";") {
		part = strings.ToUpper(strings.TrimSpace(part))
		if part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok {
			return nil, &Error{name, "a part of the recurrence rule has no value: " + short(part)}
		}
		if was, ok := seen[name]; ok && was != value {
			return nil, &Error{name, "the recurrence rule has " + short(name) + " twice"}
		}
		seen[name] = value
		if err := r.part(name, value); err != nil {
			return nil, err
		}
	}
	if r.Freq == 0 {
		return nil, &Error{"FREQ", "the recurrence rule has no FREQ"}
	}
	return r, nil
}

// part reads one part into its field.
func (r *Rule) part(name, value string) error {
	ok := true
	switch name {
	case "FREQ":
		i := slices.Index(freqNames[1:], value)
		r.Freq, ok = Freq(i+1), i >= 0
	case "UNTIL":
		if r.Until, r.UntilDate = civil.ParseDate(value); !r.UntilDate {
			r.Until, r.UntilUTC, ok = civil.ParseDateTime(value)
		}
		r.HasUntil = true
	case "COUNT":
		r.Count, ok = positive(value)
	case "INTERVAL":
		r.Interval, ok = positive(value)
	case "BYSECOND":
		r.Second, ok = list(value, 0, 60)
	case "BYMINUTE":
		r.Minute, ok = list(value, 0, 59)
	case "BYHOUR":
		r.Hour, ok = list(value, 0, 23)
	case "BYDAY":
		r.Day, ok = days(value)
	case "BYMONTHDAY":
		r.MonthDay, ok = list(value, -31, 31)
	case "BYYEARDAY":
		r.YearDay, ok = list(value, -366, 366)
	case "BYWEEKNO":
		r.WeekNo, ok = list(value, -53, 53)
	case "BYMONTH":
		r.Month, ok = list(value, 1, 12)
	case "BYSETPOS":
		r.SetPos, ok = list(value, -366, 366)
	case "WKST":
		r.WeekStart = slices.Index(dayNames[:], value)
		ok = r.WeekStart >= 0
	case "RSCALE":
		if r.Gregorian = value == "GREGORIAN"; !r.Gregorian {
			return &Error{name, "the calendar scale " + short(value) + " is not supported, only GREGORIAN"}
		}
	case "SKIP":
		i := slices.Index(skipNames[:], value)
		r.Skip, ok = Skip(max(i, 0)), i >= 0
	default:
		return &Error{name, "a recurrence rule has no part " + short(name)}
	}
	if !ok {
		return &Error{name, name + " of the recurrence rule cannot be " + short(value)}
	}
	return nil
}

// positive reads a number from 1 on.
func positive(s string) (int, bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	s = strings.TrimLeft(s, "0")
	if len(s) > 9 {
		return maxNumber, true
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n > 0
}

// list reads a list of numbers, sorted and each once. Where negative numbers
// are allowed, they count from the end and there is no 0.
func list(s string, low, high int) (list []int, ok bool) {
	for v := range strings.SplitSeq(s, ",") {
		n, ok := number(strings.TrimSpace(v), low < 0)
		if !ok || n < low || n > high || n == 0 && low < 0 {
			return nil, false
		}
		list = append(list, n)
	}
	slices.Sort(list)
	return slices.Compact(list), true
}

// number reads up to three digits, with a sign where one is allowed.
func number(s string, sign bool) (int, bool) {
	digits := s
	if sign && s != "" && (s[0] == '+' || s[0] == '-') {
		digits = s[1:]
	}
	if digits == "" || len(digits) > 3 || digits[0] < '0' || digits[0] > '9' {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// days reads the list of BYDAY, sorted and each once.
func days(s string) (list []WeekdayNum, ok bool) {
	for v := range strings.SplitSeq(s, ",") {
		v = strings.TrimSpace(v)
		if len(v) < 2 {
			return nil, false
		}
		d := WeekdayNum{Weekday: slices.Index(dayNames[:], v[len(v)-2:])}
		if d.Weekday < 0 {
			return nil, false
		}
		if v = strings.TrimSpace(v[:len(v)-2]); v != "" {
			n, ok := number(v, true)
			if !ok || n == 0 || n < -53 || n > 53 {
				return nil, false
			}
			d.N = n
		}
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b WeekdayNum) int { return cmp.Or(cmp.Compare(a.N, b.N), cmp.Compare(a.Weekday, b.Weekday)) })
	return slices.Compact(list), true
}

// short quotes what a client sent so that it fits into a sentence.
func short(s string) string {
	if len(s) > 40 {
		s = s[:40] + "…"
	}
	return strconv.Quote(s)
}
