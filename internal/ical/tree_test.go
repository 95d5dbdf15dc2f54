package ical

import (
	"strings"
	"testing"
)

// small is an event as a phone writes it.
const small = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//EN\r\nBEGIN:VEVENT\r\nUID:1@example.org\r\nDTSTAMP:20261126T090000Z\r\n" +
	"DTSTART;TZID=Europe/Berlin:20261126T100000\r\nDURATION:PT1H\r\nSUMMARY:Tea\\, and a very long line that has to be folded because it is lon\r\n ger than that\r\n" +
	"BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

func tree(t *testing.T, s string) *Component {
	t.Helper()
	c, err := Parse([]byte(s), Limits{})
	if err != nil {
		t.Fatalf("%v in\n%s", err, s)
	}
	return c
}

func TestParseKeepsEveryOctet(t *testing.T) {
	for _, s := range []string{
		small,
		strings.ReplaceAll(small, "\r\n", "\n"),
		"\n \n" + small + "\n\t\r\n\n",
		strings.TrimSuffix(small, "\r\n"),
		strings.ToLower(small),
		strings.Replace(small, "END:VEVENT\r\n", "X-LATE:1\r\n\r\nX-LATER;A=b:2\r\nEND:VEVENT\r\nX-WR-CALNAME:late\r\n", 1),
		strings.Replace(small, "BEGIN:VALARM", "BEGIN:X-odd\r\nEND:X-ODD\r\nMID:1\r\nBEGIN:VALARM", 1),
		"BEGIN:VCALENDAR\nEND:VCALENDAR",
	} {
		c := tree(t, s)
		if got := string(c.Append(nil)); got != s {
			t.Errorf("got\n%q\nwant\n%q", got, s)
		}
		if got := string(c.Clone().Append(nil)); got != s {
			t.Errorf("a clone gives\n%q\nwant\n%q", got, s)
		}
	}
}
