package clients

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

// entry is something in a calendar: the nth of its kind in a list.
type entry struct {
	list string // the calendar's name
	kind string // VEVENT, VTODO, VJOURNAL
	n    int
}

// uid returns an entry's UID. Some are no file names.
func (e entry) uid() string { return strings.ToLower(e.kind) + "-" + uid(e.n) }

// file is the name that a device gives to an entry that it makes.
func (e entry) file() string { return fmt.Sprintf("%s-%d.ics", strings.ToLower(e.kind), e.n) }

// octets returns the entry in its given version: octets that follow from both alone. As with cards, the forms differ as those of real programs do.
func (e entry) octets(version int) []byte {
	eol := "\r\n"
	if e.n%10 == 7 {
		eol = "\n"
	}
	lines := []string{"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Example//A program//EN"}
	times := map[string]func(int) []string{"VEVENT": eventTimes, "VTODO": todoTimes, "VJOURNAL": journalTimes}[e.kind](e.n)
	if strings.Contains(strings.Join(times, "\n"), "TZID=Europe/Berlin") {
		lines = append(lines, berlin...)
	}
	body := append([]string{"BEGIN:" + e.kind, "UID:" + e.uid(), "DTSTAMP:20260101T120000Z", fmt.Sprintf("SUMMARY:%s %d", e.kind, e.n), fmt.Sprintf("X-EDITED:%d", version)}, times...)
	lines = append(append(lines, append(body, more(e.n)...)...), "END:"+e.kind)
	if e.kind == "VEVENT" && e.n%12 == 4 { // one instance is elsewhere
		lines = append(lines, "BEGIN:VEVENT", "UID:"+e.uid(), "DTSTAMP:20260101T120000Z", "RECURRENCE-ID;TZID=Europe/Berlin:"+day(e.n+7)+"T090000",
			"DTSTART;TZID=Europe/Berlin:"+day(e.n+8)+"T140000", "DTEND;TZID=Europe/Berlin:"+day(e.n+8)+"T150000", fmt.Sprintf("SUMMARY:moved %d", version), "END:VEVENT")
	}
	text := strings.Join(append(lines, "END:VCALENDAR"), eol)
	if e.n%10 != 8 {
		text += eol
	}
	return []byte(text)
}

var berlin = []string{
	"BEGIN:VTIMEZONE", "TZID:Europe/Berlin",
	"BEGIN:DAYLIGHT", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", "TZNAME:CEST", "DTSTART:19700329T020000", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", "END:DAYLIGHT",
	"BEGIN:STANDARD", "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "TZNAME:CET", "DTSTART:19701025T030000", "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU", "END:STANDARD",
	"END:VTIMEZONE",
}

// day is the nth day of 2026, from 0.
func day(n int) string {
	return time.Date(2026, time.January, 1+n, 0, 0, 0, 0, time.UTC).Format("20060102")
}

// eventTimes are the times of event n, which begins on day n of 2026.
func eventTimes(n int) []string {
	d, next := day(n), day(n+1)
	switch n % 6 {
	case 0: // all day
		return []string{"DTSTART;VALUE=DATE:" + d, "DTEND;VALUE=DATE:" + next}
	case 1:
		return []string{"DTSTART:" + d + "T100000Z", "DURATION:PT1H30M"}
	case 2: // the device's own time
		return []string{"DTSTART:" + d + "T120000", "DTEND:" + d + "T130000"}
	case 4:
		return []string{"DTSTART;TZID=Europe/Berlin:" + d + "T090000", "DTEND;TZID=Europe/Berlin:" + d + "T100000", "RRULE:FREQ=WEEKLY", "EXDATE;TZID=Europe/Berlin:" + day(n+14) + "T090000",
			"RDATE;TZID=Europe/Berlin:" + day(n+1) + "T180000"}
	case 5: // a zone that is not defined
		return []string{"DTSTART;TZID=America/New_York:" + d + "T090000", "DTEND;TZID=America/New_York:" + d + "T170000", "RRULE:FREQ=MONTHLY;COUNT=4;BYDAY=-1FR"}
	}
	return []string{"DTSTART;TZID=Europe/Berlin:" + d + "T200000", "DTEND;TZID=Europe/Berlin:" + next + "T020000"}
}

func todoTimes(n int) []string {
	switch n % 4 {
	case 0:
		return []string{"STATUS:NEEDS-ACTION"}
	case 1:
		return []string{"DTSTART;VALUE=DATE:" + day(n), "DUE;VALUE=DATE:" + day(n+3), "STATUS:IN-PROCESS", "PERCENT-COMPLETE:40"}
	case 2:
		return []string{"DUE:" + day(n) + "T170000Z", "STATUS:COMPLETED", "COMPLETED:" + day(n) + "T090000Z", "PERCENT-COMPLETE:100"}
	}
	return []string{"DTSTART;TZID=Europe/Berlin:" + day(n) + "T080000", "DURATION:P1D", "RRULE:FREQ=DAILY;INTERVAL=3;COUNT=10", "PRIORITY:1"}
}

func journalTimes(n int) []string {
	if n%3 == 0 {
		return nil
	}
	return []string{"DTSTART;VALUE=DATE:" + day(n), "STATUS:FINAL"}
}

// more are further lines of entry n.
func more(n int) []string {
	switch n % 10 {
	case 2:
		return []string{"DESCRIPTION:Zoë Přiklad Ñandú 例 \U0001F98A\\, a comma\\; a semicolon\\n<second> & \"line\" ]]>"}
	case 3:
		return fold("DESCRIPTION:" + strings.Repeat("A long text in many words. ", 40))
	case 4:
		if n%100 == 4 {
			return fold("ATTACH;ENCODING=BASE64;VALUE=BINARY;FMTTYPE=image/jpeg:" + base64.StdEncoding.EncodeToString(picture(n, 20_000)))
		}
	case 5:
		return []string{"ORGANIZER;CN=\"Ada: \\, ^n\":mailto:ada@example.org", "ATTENDEE;CN=Grace;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:grace@example.org", "X-SOMETHING-OF-OURS;P=\"a:b;c\": value with blanks "}
	case 6:
		return []string{"BEGIN:VALARM", "TRIGGER:-PT15M", "ACTION:DISPLAY", "DESCRIPTION:Soon", "X-ALARM: \t", "END:VALARM"}
	case 9:
		return []string{"CATEGORIES:One,Two\\,still two", "CLASS:PRIVATE", "URL;VALUE=URI:https://example.org/a?b=c&d=e;f"}
	}
	return nil
}
