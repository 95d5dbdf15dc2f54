package zone

import (
	"strings"
	"testing"

	"holdfast/internal/ical"
	"holdfast/internal/ical/civil"
)

// khal lists the changes of one winter and one summer. Its summer begins an hour late.
const oneYear = `BEGIN:VTIMEZONE
TZID:NAME
BEGIN:STANDARD
DTSTART:20251026T020000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:20260329T030000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE
`

const forEver = `BEGIN:VTIMEZONE
TZID:NAME
BEGIN:STANDARD
DTSTART:20251026T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:20260329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
END:VTIMEZONE
`

const onePart = "BEGIN:VTIMEZONE\nTZID:NAME\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE\n"

func TestCompleted(t *testing.T) {
	for _, c := range []struct {
		name, zone, tzid string
		at               civil.Time
		offset           int64 // in hours
	}{
		{"what is listed holds", oneYear, "Europe/Berlin", civil.Of(2026, 1, 5, 9, 0, 0), 1},
		{"even if it is late", oneYear, "Europe/Berlin", civil.Of(2026, 3, 29, 2, 30, 0), 1},
		{"the summer that is listed", oneYear, "Europe/Berlin", civil.Of(2026, 7, 5, 9, 0, 0), 2},
		{"the winter after it", oneYear, "Europe/Berlin", civil.Of(2026, 11, 2, 9, 0, 0), 1},
		{"a later summer", oneYear, "Europe/Berlin", civil.Of(2031, 7, 5, 9, 0, 0), 2},
		{"a winter far away", oneYear, "Europe/Berlin", civil.Of(2400, 1, 5, 9, 0, 0), 1},
		{"with a prefix", oneYear, "/example.org/Europe/Berlin", civil.Of(2026, 11, 2, 9, 0, 0), 1},
		{"what nobody knows stays as it ends", oneYear, "Somewhere", civil.Of(2026, 11, 2, 9, 0, 0), 2},
		{"rules for ever are believed", forEver, "Europe/Berlin", civil.Of(2030, 10, 29, 9, 0, 0), 2},
		{"one offset says nothing", onePart, "Europe/Berlin", civil.Of(2026, 7, 5, 9, 0, 0), 2},
		{"one offset is all that is known", onePart, "Somewhere", civil.Of(2026, 7, 5, 9, 0, 0), 1},
		{"before the first change", oneYear, "Europe/Berlin", civil.Of(1985, 7, 5, 9, 0, 0), 2},
		{"a zone without changes goes on", oneYear, "UTC", civil.Of(2026, 11, 2, 9, 0, 0), 0},
	} {
		text := "BEGIN:VCALENDAR\n" + strings.ReplaceAll(c.zone, "NAME", c.tzid) + "END:VCALENDAR\n"
		cal, err := ical.Parse([]byte(text), ical.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		z, err := TableOf(cal, NewCache(10)).Zone(c.tzid, nil)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		unix := z.Instant(c.at)
		if got := int64(c.at) - unix; got != c.offset*3600 || z.Local(unix) != c.at || !z.Exists(c.at) {
			t.Errorf("%s: offset %d, want %d hours; read back %v", c.name, got, c.offset, z.Local(unix))
		}
	}
}
