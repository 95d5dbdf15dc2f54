// Package civil holds wall-clock times: what a calendar and a clock on a wall
// show, without a time zone.
//
// A calendar says "nine o'clock, every Monday", and which instant that is
// depends on a time zone that may change its mind. Recurrence rules are worked
// out in wall-clock time and only their results become instants. A Time is a
// number, so that rules can compute and compare without calendars in between.
// The calendar is the Gregorian one, also before its time. There are no leap
// seconds.
package civil

// Time is a wall-clock time: seconds since 1970-01-01T00:00:00 on that clock.
type Time int64

// Day is a number of seconds.
const Day = 24 * 60 * 60

// Min and Max are the ends of what iCalendar can write with four digits,
// without the year 0: 0001-01-01T00:00:00 and 9999-12-31T23:59:59.
const (
	Min Time = -62135596800
	Max Time = 253402300799
)

// Of gives the wall-clock time of a date and a time of day. A day, hour, minute
// or second out of its range counts on into what follows; the month must be 1 to 12.
func Of(year, month, day, hour, min, sec int) Time {
	return Time(DayNumber(year, month, day)*Day + int64(hour)*3600 + int64(min)*60 + int64(sec))
}

// Valid tells whether there is such a date, in the years 0 to 9999.
func Valid(year, month, day int) bool {
	return year >= 0 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 && day <= DaysIn(year, month)
}

// Leap tells whether a year has a 29 February.
func Leap(year int) bool {
	return year%4 == 0 && (year%100 != 0 || year%400 == 0)
}

// DaysIn gives the length of a month in days.
func DaysIn(year, month int) int {
	switch {
	case month == 2 && Leap(year):
		return 29
	case month == 2:
		return 28
	}
	return 30 + (month+(month>>3))&1
}

// DayNumber counts the days from 1970-01-01 to a date.
func DayNumber(year, month, day int) int64 {
	y, m := int64(year), int64(month)
	if m <= 2 { // years that begin in March end with their leap day
		y--
		m += 12
	}
	era := floor(y, 400)
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + int64(day) - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}

// DateOf is the inverse of DayNumber.
func DateOf(n int64) (year, month, day int) {
	n += 719468
	era := floor(n, 146097)
	doe := n - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day = int(doy - (153*mp+2)/5 + 1)
	month = int(mp) + 3
	year = int(yoe + era*400)
	if month > 12 {
		month -= 12
		year++
	}
	return year, month, day
}

// WeekdayOf gives the weekday of a day number: 0 is Monday, 6 is Sunday.
func WeekdayOf(n int64) int {
	return int(n + 3 - 7*floor(n+3, 7))
}

// floor divides and rounds down; b is positive.
func floor(a, b int64) int64 {
	if a < 0 {
		return -((b - 1 - a) / b)
	}
	return a / b
}

// DayNumber counts the days from 1970-01-01 to the date of t.
func (t Time) DayNumber() int64 { return floor(int64(t), Day) }

// SecondOfDay counts the seconds since midnight: 0 to 86,399.
func (t Time) SecondOfDay() int { return int(int64(t) - t.DayNumber()*Day) }

// Date gives the date of t.
func (t Time) Date() (year, month, day int) { return DateOf(t.DayNumber()) }

// Clock gives the time of day of t.
func (t Time) Clock() (hour, min, sec int) {
	s := t.SecondOfDay()
	return s / 3600, s / 60 % 60, s % 60
}

// Weekday gives the weekday of t: 0 is Monday, 6 is Sunday.
func (t Time) Weekday() int { return WeekdayOf(t.DayNumber()) }

// Midnight gives the begin of the day of t.
func (t Time) Midnight() Time { return Time(t.DayNumber() * Day) }

// AddDays moves t by days; the time of day stays.
func (t Time) AddDays(n int) Time { return t + Time(n)*Day }
