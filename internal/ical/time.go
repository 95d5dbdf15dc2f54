package ical

import (
	"fmt"
	"strings"

	"holdfast/internal/ical/civil"
)

// Form says how a time is bound to the world (RFC 5545, sections 3.3.4 and 3.3.5).
type Form uint8

// The forms of a time.
const (
	Date     Form = iota // a day, not a moment
	Floating             // the same wall-clock time everywhere
	UTC                  // written with a Z
	Zoned                // with a TZID
)

// DateTime is a DATE or DATE-TIME value. Two of them are the same written time if they are equal.
type DateTime struct {
	Time civil.Time // midnight for a Date
	Form Form
	TZID string // for Zoned: as written, without a leading slash's meaning being looked at
}

// String writes the value without its parameters.
func (d DateTime) String() string {
	var b [16]byte
	switch d.Form {
	case Date:
		return string(d.Time.AppendDate(b[:0]))
	case UTC:
		return string(append(d.Time.AppendDateTime(b[:0]), 'Z'))
	}
	return string(d.Time.AppendDateTime(b[:0]))
}

// Line makes a property of the value, with VALUE or TZID as it needs.
func (d DateTime) Line(name string) Line {
	l := NewLine(name, d.String())
	switch d.Form {
	case Date:
		l.Params = []Param{{"VALUE", "DATE"}}
	case Zoned:
		l.Params = []Param{NewParam("TZID", d.TZID)}
	}
	return l
}

// Duration is a DURATION value (RFC 5545, section 3.3.6).
type Duration struct {
	Negative bool
	Days     int64 // weeks included; nominal: a day is as long as the zone makes it
	Seconds  int64 // hours, minutes and seconds; exact
}

// String writes the value.
func (d Duration) String() string {
	s := "P"
	if d.Negative {
		s = "-P"
	}
	if d.Days != 0 {
		s += fmt.Sprintf("%dD", d.Days)
	}
	if d.Seconds == 0 && d.Days != 0 {
		return s
	}
	s += "T"
	if h := d.Seconds / 3600; h != 0 {
		s += fmt.Sprintf("%dH", h)
	}
	if m := d.Seconds / 60 % 60; m != 0 {
		s += fmt.Sprintf("%dM", m)
	}
	if sec := d.Seconds % 60; sec != 0 || d.Seconds == 0 {
		s += fmt.Sprintf("%dS", sec)
	}
	return s
}

// Period is a PERIOD value (RFC 5545, section 3.3.9): from Start to End, or for Duration where HasEnd is false.
type Period struct {
	Start, End DateTime
	Duration   Duration
	HasEnd     bool
}

// maxValues is how many values one line may list.
const maxValues = 20000

// DateTime reads a single DATE or DATE-TIME with its VALUE and TZID. The value's own form decides: a date without VALUE=DATE is a date, a Z wins
// over a TZID, and an empty TZID is none (floating). VALUE=DATE before a time is taken if the time is midnight. The error is a *SyntaxError.
func (l *Line) DateTime() (DateTime, error) {
	d, ok := parseDateTime(strings.Trim(l.Value, " \t"), l.dateOnly(), l.tzid())
	if !ok {
		return DateTime{}, l.unreadable()
	}
	return d, nil
}

func (l *Line) tzid() string { return strings.Trim(l.First("TZID"), " \t") }

func (l *Line) dateOnly() bool { return strings.EqualFold(l.First("VALUE"), "DATE") }

func (l *Line) unreadable() *SyntaxError {
	return &SyntaxError{Line: l.No, Fault: BadValue, Why: fmt.Sprintf("%s holds a time that cannot be read (%q); write it as 20261126T090000Z or 20261126.", strings.ToUpper(clip(l.Name)), clip(l.Value))}
}

func parseDateTime(s string, dateOnly bool, tzid string) (d DateTime, ok bool) {
	if len(s) == 8 {
		d.Time, ok = civil.ParseDate(s)
		return d, ok && d.Time >= civil.Min
	}
	t, utc, ok := civil.ParseDateTime(s)
	if !ok && len(s) < 20 {
		t, utc, ok = civil.ParseDateTime(strings.ToUpper(s)) // T and Z are letters of ABNF, hence of any case
	}
	switch d.Time = t; {
	case !ok || t < civil.Min || t > civil.Max:
		return d, false
	case dateOnly:
		return d, t == t.Midnight()
	case utc:
		d.Form = UTC
	case tzid != "":
		d.Form, d.TZID = Zoned, tzid
	default:
		d.Form = Floating
	}
	return d, true
}

// DateTimes reads a list of times and periods, as RDATE, EXDATE and FREEBUSY have. An empty value is an empty list. The error is a *SyntaxError.
func (l *Line) DateTimes() ([]DateTime, []Period, error) {
	times := make([]DateTime, 0, min(maxValues, 1+strings.Count(l.Value, ",")))
	var periods []Period
	_, err := l.eachTime(func(d DateTime) { times = append(times, d) }, func(p Period) { periods = append(periods, p) })
	if err != nil {
		return nil, nil, err
	}
	return times, periods, nil
}

// eachTime reads a list of times and periods and counts them; a function that is nil is not called.
func (l *Line) eachTime(time func(DateTime), period func(Period)) (n int, err *SyntaxError) {
	dateOnly, tzid := l.dateOnly(), l.tzid()
	for one, rest, more := "", l.Value, true; more; {
		one, rest, more = strings.Cut(rest, ",")
		if one = strings.Trim(one, " \t"); one == "" {
			continue
		}
		if n++; n > maxValues {
			return n, &SyntaxError{Line: l.No, Fault: BadValue, Why: fmt.Sprintf("%s lists more than %d times.", strings.ToUpper(clip(l.Name)), maxValues)}
		}
		if strings.IndexByte(one, '/') >= 0 {
			p, ok := parsePeriod(one, tzid)
			if !ok {
				return n, l.unreadable()
			}
			if period != nil {
				period(p)
			}
			continue
		}
		d, ok := parseDateTime(one, dateOnly, tzid)
		if !ok {
			return n, l.unreadable()
		}
		if time != nil {
			time(d)
		}
	}
	return n, nil
}

func parsePeriod(s, tzid string) (p Period, ok bool) {
	from, to, _ := strings.Cut(s, "/")
	if p.Start, ok = parseDateTime(from, false, tzid); !ok || p.Start.Form == Date {
		return p, false
	}
	if p.Duration, ok = ParseDuration(to); ok {
		return p, !p.Duration.Negative
	}
	p.End, ok = parseDateTime(to, false, tzid)
	p.HasEnd = true
	return p, ok && p.End.Form != Date
}

// String writes the value without its parameters.
func (p Period) String() string {
	if p.HasEnd {
		return p.Start.String() + "/" + p.End.String()
	}
	return p.Start.String() + "/" + p.Duration.String()
}

// maxDuration bounds a duration's parts: 10,000 years, more than any two times are apart.
const maxDuration = 10000 * 366 * civil.Day

// ParseDuration reads a DURATION (RFC 5545, section 3.3.6). Parts may be left out and repeated orders are refused, but weeks beside days, and
// a T with nothing behind it, which programs write, are taken.
func ParseDuration(s string) (d Duration, ok bool) {
	s = strings.Trim(s, " \t")
	if s != "" && (s[0] == '+' || s[0] == '-') {
		d.Negative, s = s[0] == '-', s[1:]
	}
	if len(s) < 2 || s[0]|0x20 != 'p' {
		return d, false
	}
	parts, last, inTime := 0, -1, false
	for s = s[1:]; s != ""; {
		if s[0]|0x20 == 't' {
			if inTime {
				return d, false
			}
			inTime, s = true, s[1:]
			continue
		}
		n, digits := int64(0), 0
		for ; digits < len(s) && s[digits] >= '0' && s[digits] <= '9'; digits++ {
			if n = n*10 + int64(s[digits]-'0'); n > maxDuration {
				return d, false
			}
		}
		if digits == 0 || digits == len(s) {
			return d, false
		}
		order, days, seconds := unit(s[digits]|0x20, inTime)
		if order <= last {
			return d, false
		}
		last, s = order, s[digits+1:]
		d.Days += n * days
		d.Seconds += n * seconds
		parts++
	}
	return d, parts > 0 && d.Days <= maxDuration/civil.Day && d.Seconds <= maxDuration
}

// unit gives the place of a part's letter in the order, and what one of it is worth.
func unit(c byte, inTime bool) (order int, days, seconds int64) {
	switch {
	case c == 'w' && !inTime:
		return 0, 7, 0
	case c == 'd' && !inTime:
		return 1, 1, 0
	case c == 'h' && inTime:
		return 2, 0, 3600
	case c == 'm' && inTime:
		return 3, 0, 60
	case c == 's' && inTime:
		return 4, 0, 1
	}
	return -1, 0, 0
}

// ParseUTCOffset reads a UTC-OFFSET (RFC 5545, section 3.3.14) and returns seconds east of Greenwich; less than 24 hours either way. The sign
// may be missing, as some programs leave out the plus.
func ParseUTCOffset(s string) (seconds int, ok bool) {
	s = strings.Trim(s, " \t")
	sign := 1
	if s != "" && (s[0] == '+' || s[0] == '-') {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	if len(s) != 4 && len(s) != 6 {
		return 0, false
	}
	var part [3]int
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		part[i/2] = part[i/2]*10 + int(s[i]-'0')
	}
	if part[0] > 23 || part[1] > 59 || part[2] > 59 {
		return 0, false
	}
	return sign * (part[0]*3600 + part[1]*60 + part[2]), true
}
