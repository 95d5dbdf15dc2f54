package occur

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"holdfast/internal/ical"
	"holdfast/internal/ical/civil"
	"holdfast/internal/ical/recur"
	"holdfast/internal/ical/zone"
)

// object makes a calendar of components that are written with semicolon-free short lines, one a line.
func calendar(t testing.TB, body string) *ical.Component {
	t.Helper()
	text := "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//\n" + strings.TrimSpace(body) + "\nEND:VCALENDAR\n"
	cal, err := ical.Parse([]byte(text), ical.Limits{})
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return cal
}

func compile(t testing.TB, floating, body string) *Object {
	t.Helper()
	var z zone.Zone
	if floating != "" {
		var ok bool
		if z, ok = zone.Named(floating); !ok {
			t.Fatal(floating)
		}
	}
	o, err := Compile(calendar(t, body), Options{Floating: z})
	if err != nil {
		t.Fatalf("%v in\n%s", err, body)
	}
	return o
}

// at reads "20261126T090000Z", and "-" and "+" as the ends of time.
func at(t testing.TB, s string) int64 {
	t.Helper()
	switch s {
	case "-":
		return math.MinInt64
	case "+":
		return math.MaxInt64
	}
	c, utc, ok := civil.ParseDateTime(s)
	if !ok || !utc {
		t.Fatalf("%q is no time", s)
	}
	return int64(c)
}

func utc(unix int64) string { return civil.Time(unix).String() + "Z" }

// starts lists the starts and ends of instances.
func instances(t testing.TB, o *Object, from, to string) string {
	t.Helper()
	var b strings.Builder
	err := o.Instances(at(t, from), at(t, to), nil, func(i *Instance) bool {
		fmt.Fprintf(&b, "%s/%s ", utc(i.Start), utc(i.End))
		return b.Len() < 100000
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

func vevent(lines ...string) string {
	return "BEGIN:VEVENT\nUID:1\n" + strings.Join(lines, "\n") + "\nEND:VEVENT"
}

func TestInstances(t *testing.T) {
	for name, c := range map[string]struct{ floating, body, from, to, want string }{
		"one": {"", vevent("DTSTART:20261126T090000Z", "DTEND:20261126T100000Z"), "20261101T000000Z", "20261201T000000Z", "20261126T090000Z/20261126T100000Z"},
		"weekly over summer time": {"", vevent("DTSTART;TZID=Europe/Berlin:20260323T090000", "DTEND;TZID=Europe/Berlin:20260323T100000", "RRULE:FREQ=WEEKLY;COUNT=3"),
			"-", "+", "20260323T080000Z/20260323T090000Z 20260330T070000Z/20260330T080000Z 20260406T070000Z/20260406T080000Z"},
	} {
		if got := instances(t, compile(t, c.floating, c.body), c.from, c.to); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
	_ = recur.DefaultSteps
}
