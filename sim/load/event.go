package load

import (
	"strconv"
	"time"
)

// EventSize is the size of a usual event with its time zone, in octets.
const EventSize = 800

// Event is when an event takes place: what it is made from, and what [Event.Touches] works out by looking at each of its instances.
type Event struct {
	AllDay bool
	Start  time.Time // as a wall clock: its zone is UTC, what it means is a time in Berlin, or a day
	Length time.Duration
	Freq   string // of RRULE: "" for a single event, DAILY, WEEKLY, MONTHLY, YEARLY
	Count  int    // instances; 0: it goes on for ever, or to Until
	Until  time.Time
}

// firstDay begins the ten years that events start in.
var firstDay = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// Decade returns the ten years in which events start.
func Decade() (from, to time.Time) { return firstDay, firstDay.AddDate(10, 0, 0) }

// EventOf returns when the version of an event takes place. It follows from the UID: one of ten recurs, one of ten takes whole days. Every second version moves it
// by a quarter of an hour.
func EventOf(uid string, version int) Event {
	h := mix(hash(uid))
	e := Event{Start: firstDay.AddDate(0, 0, int(h>>8%3653)), Length: time.Duration(h>>20%8+1) * 30 * time.Minute}
	switch h % 10 {
	case 0:
		e.recur(h)
	case 1:
		e.AllDay = true
	}
	if e.AllDay {
		e.Length = time.Duration(h>>20%3+1) * 24 * time.Hour
		return e
	}
	quarter := int(h>>24%52) + version/2
	e.Start = e.Start.Add(7*time.Hour + time.Duration(quarter%52)*15*time.Minute) // no later than 20:00: no clock is ever changed then
	return e
}

// recur makes it one of the rules that people have: most of them go on for ever, birthdays among them.
func (e *Event) recur(h uint64) {
	if e.Start.Day() > 28 {
		e.Start = e.Start.AddDate(0, 0, -3)
	}
	switch h >> 4 % 8 {
	case 0:
		e.Freq, e.Count = "DAILY", int(h>>28%20)+2
	case 1, 2:
		e.Freq, e.Count = "WEEKLY", int(h>>28%30)+2
	case 3, 4:
		e.Freq = "WEEKLY"
	case 5:
		e.Freq, e.Until = "WEEKLY", e.Start.AddDate(0, 0, int(h>>28%700)).Add(time.Hour*20) // in Berlin it is later than any start of that day
	case 6:
		e.Freq = "MONTHLY"
	default:
		e.Freq, e.AllDay = "YEARLY", true
	}
}

// instance returns the nth instance's start, as a wall clock, and whether there is one.
func (e *Event) instance(n int) (at time.Time, ok bool) {
	switch e.Freq {
	case "":
		return e.Start, n == 0
	case "DAILY":
		at = e.Start.AddDate(0, 0, n)
	case "WEEKLY":
		at = e.Start.AddDate(0, 0, 7*n)
	case "MONTHLY":
		at = e.Start.AddDate(0, n, 0)
	case "YEARLY":
		at = e.Start.AddDate(n, 0, 0)
	}
	return at, (e.Count == 0 || n < e.Count) && (e.Until.IsZero() || !e.Until.Before(at))
}

// Touches tells whether an instance of the event takes place in part between two moments (RFC 4791 section 9.9). berlin is the time zone of that name; whole
// days are days of UTC, as they are where a calendar says nothing else.
func (e *Event) Touches(from, to time.Time, berlin *time.Location) bool {
	for n := 0; ; n++ {
		at, ok := e.instance(n)
		if !ok {
			return false
		}
		if !e.AllDay {
			at = time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), 0, 0, berlin)
		}
		if !at.Before(to) {
			return false
		}
		if at.Add(e.Length).After(from) { // as long as it is, whatever the clocks do
			return true
		}
	}
}

// AppendEvent appends the octets of an event's version: a calendar object of EventSize octets with CRLF and its time zone, as phones write them.
func AppendEvent(b []byte, uid string, version int) []byte {
	start := len(b)
	e := EventOf(uid, version)
	h := mix(uint64(version)*0x9e3779b97f4a7c15 + hash(uid))
	b = append(b, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//Phone 1.0//EN\r\n"...)
	if !e.AllDay {
		b = append(b, berlinZone...)
	}
	b = append(append(append(b, "BEGIN:VEVENT\r\nUID:"...), uid...), "\r\nDTSTAMP:20260101T000000Z\r\nSEQUENCE:"...)
	b = append(strconv.AppendInt(b, int64(version), 10), "\r\nDTSTART"...)
	b = append(e.appendTime(b, e.Start), "\r\nDTEND"...)
	b = append(e.appendTime(b, e.Start.Add(e.Length)), "\r\n"...)
	b = e.appendRule(b)
	b = append(append(append(b, "SUMMARY:Meeting with "...), given[h%uint64(len(given))]...), ' ')
	b = append(append(b, family[h>>8%uint64(len(family))]...), "\r\nLOCATION:Room "...)
	b = append(strconv.AppendUint(b, h>>16%900, 10), "\r\nSTATUS:CONFIRMED\r\nTRANSP:OPAQUE\r\n"...)
	const end = "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	return append(pad(append(b, "DESCRIPTION:"...), len("DESCRIPTION:"), start+EventSize-len(end)), end...)
}

func (e *Event) appendTime(b []byte, at time.Time) []byte {
	if e.AllDay {
		return at.AppendFormat(append(b, ";VALUE=DATE:"...), "20060102")
	}
	return at.AppendFormat(append(b, ";TZID=Europe/Berlin:"...), "20060102T150405")
}

func (e *Event) appendRule(b []byte) []byte {
	if e.Freq == "" {
		return b
	}
	b = append(append(b, "RRULE:FREQ="...), e.Freq...)
	if e.Count > 0 {
		b = strconv.AppendInt(append(b, ";COUNT="...), int64(e.Count), 10)
	}
	if !e.Until.IsZero() {
		b = e.Until.AppendFormat(append(b, ";UNTIL="...), "20060102T150405Z")
	}
	return append(b, "\r\n"...)
}

const berlinZone = "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\n" +
	"BEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nTZNAME:CET\r\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\n" +
	"BEGIN:DAYLIGHT\r\nDTSTART:19700329T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nTZNAME:CEST\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT\r\n" +
	"END:VTIMEZONE\r\n"
