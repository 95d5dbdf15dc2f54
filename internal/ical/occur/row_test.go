package occur

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// The tables of RFC 4791, section 9.9, as it writes them: the oracle of all ranges around the times of a component.

const (
	t0  = 1_790_000_000 // some instant
	day = 86400
)

// stamp writes t0 plus seconds.
func stamp(seconds int64) string { return utc(t0 + seconds) }

// formula is a row: a condition on start and end.
type formula func(start, end int64) bool

func TestTables(t *testing.T) {
	midnight := int64(t0 - t0%day)
	date := strings.TrimSuffix(utc(midnight), "T000000Z")
	next := strings.TrimSuffix(utc(midnight+2*day), "T000000Z")
	for name, c := range map[string]struct {
		kind  string
		lines string
		want  formula
	}{
		"VEVENT DTEND":           {"VEVENT", "DTSTART:" + stamp(0) + "\nDTEND:" + stamp(60), func(s, e int64) bool { return s < t0+60 && e > t0 }},
		"VEVENT DURATION":        {"VEVENT", "DTSTART:" + stamp(0) + "\nDURATION:PT1M", func(s, e int64) bool { return s < t0+60 && e > t0 }},
		"VEVENT DURATION 0":      {"VEVENT", "DTSTART:" + stamp(0) + "\nDURATION:PT0S", func(s, e int64) bool { return s <= t0 && e > t0 }},
		"VEVENT date-time":       {"VEVENT", "DTSTART:" + stamp(0), func(s, e int64) bool { return s <= t0 && e > t0 }},
		"VEVENT date":            {"VEVENT", "DTSTART;VALUE=DATE:" + date, func(s, e int64) bool { return s < midnight+day && e > midnight }},
		"VEVENT dates":           {"VEVENT", "DTSTART;VALUE=DATE:" + date + "\nDTEND;VALUE=DATE:" + next, func(s, e int64) bool { return s < midnight+2*day && e > midnight }},
		"VTODO DTSTART DURATION": {"VTODO", "DTSTART:" + stamp(0) + "\nDURATION:PT1M", func(s, e int64) bool { return s <= t0+60 && (e > t0 || e >= t0+60) }},
		"VTODO DURATION 0":       {"VTODO", "DTSTART:" + stamp(0) + "\nDURATION:PT0S", func(s, e int64) bool { return s <= t0 && (e > t0 || e >= t0) }},
		"VTODO DTSTART DUE": {"VTODO", "DTSTART:" + stamp(0) + "\nDUE:" + stamp(60) + "\nCOMPLETED:" + stamp(900),
			func(s, e int64) bool { return (s < t0+60 || s <= t0) && (e > t0 || e >= t0+60) }},
		"VTODO due at the start":     {"VTODO", "DTSTART:" + stamp(0) + "\nDUE:" + stamp(0), func(s, e int64) bool { return (s < t0 || s <= t0) && (e > t0 || e >= t0) }},
		"VTODO due before the start": {"VTODO", "DTSTART:" + stamp(60) + "\nDUE:" + stamp(0), func(s, e int64) bool { return (s < t0 || s <= t0+60) && (e > t0+60 || e >= t0) }},
		"VTODO DTSTART":              {"VTODO", "DTSTART:" + stamp(0) + "\nCREATED:" + stamp(-900), func(s, e int64) bool { return s <= t0 && e > t0 }},
		"VTODO DUE":                  {"VTODO", "DUE:" + stamp(0) + "\nCREATED:" + stamp(-900), func(s, e int64) bool { return s < t0 && e >= t0 }},
		"VTODO COMPLETED CREATED": {"VTODO", "COMPLETED:" + stamp(60) + "\nCREATED:" + stamp(0),
			func(s, e int64) bool { return (s <= t0 || s <= t0+60) && (e >= t0 || e >= t0+60) }},
		"VTODO COMPLETED":         {"VTODO", "COMPLETED:" + stamp(0), func(s, e int64) bool { return s <= t0 && e >= t0 }},
		"VTODO CREATED":           {"VTODO", "CREATED:" + stamp(0), func(s, e int64) bool { return e > t0 }},
		"VTODO":                   {"VTODO", "SUMMARY:x", func(s, e int64) bool { return true }},
		"VJOURNAL date-time":      {"VJOURNAL", "DTSTART:" + stamp(0), func(s, e int64) bool { return s <= t0 && e > t0 }},
		"VJOURNAL date":           {"VJOURNAL", "DTSTART;VALUE=DATE:" + date, func(s, e int64) bool { return s < midnight+day && e > midnight }},
		"VJOURNAL":                {"VJOURNAL", "SUMMARY:x", func(s, e int64) bool { return false }},
		"VFREEBUSY DTSTART DTEND": {"VFREEBUSY", "DTSTART:" + stamp(0) + "\nDTEND:" + stamp(60) + "\nFREEBUSY:" + stamp(900) + "/PT1H", func(s, e int64) bool { return s <= t0+60 && e > t0 }},
		"VFREEBUSY FREEBUSY": {"VFREEBUSY", "FREEBUSY:" + stamp(0) + "/PT1M," + stamp(120) + "/" + stamp(180),
			func(s, e int64) bool { return s < t0+60 && e > t0 || s < t0+180 && e > t0+120 }},
		"VFREEBUSY":                   {"VFREEBUSY", "SUMMARY:x", func(s, e int64) bool { return false }},
		"VAVAILABILITY":               {"VAVAILABILITY", "SUMMARY:x", func(s, e int64) bool { return true }},
		"VAVAILABILITY DTSTART":       {"VAVAILABILITY", "DTSTART:" + stamp(0), func(s, e int64) bool { return e > t0 }},
		"VAVAILABILITY DTEND":         {"VAVAILABILITY", "DTEND:" + stamp(0), func(s, e int64) bool { return s < t0 }},
		"VAVAILABILITY DTSTART DTEND": {"VAVAILABILITY", "DTSTART:" + stamp(0) + "\nDTEND:" + stamp(60), func(s, e int64) bool { return s < t0+60 && e > t0 }},
	} {
		o := compile(t, "", fmt.Sprintf("BEGIN:%s\nUID:1\n%s\nEND:%s", c.kind, c.lines, c.kind))
		times := o.Times()
		for _, s := range edges(midnight) {
			for _, e := range edges(midnight) {
				if s >= e {
					continue
				}
				want := c.want(s, e)
				got, err := o.Overlaps(s, e, nil)
				if err != nil || got != want {
					t.Errorf("%s: [%d, %d): %v, %v; want %v", name, s-t0, e-t0, got, err, want)
				}
				if v := Covers(times, s, e); v == Yes && !want || v == No && want {
					t.Errorf("%s: [%d, %d): the index says %d; want %v", name, s-t0, e-t0, v, want)
				}
			}
		}
	}
}

// edges are instants where an answer may change, and those beside them.
func edges(midnight int64) []int64 {
	list := []int64{math.MinInt64, math.MaxInt64}
	for _, x := range []int64{t0, t0 + 60, t0 + 120, t0 + 180, t0 + 900, t0 - 900, midnight, midnight + day, midnight + 2*day} {
		list = append(list, x-1, x, x+1)
	}
	return list
}

// To-dos recur by the same rows.
func TestTodosRecur(t *testing.T) {
	vtodo := func(lines ...string) string {
		return "BEGIN:VTODO\nUID:1\n" + strings.Join(lines, "\n") + "\nEND:VTODO"
	}
	for _, c := range []struct {
		body, from, to string
		want           bool
	}{
		{vtodo("DTSTART:20261101T090000Z", "DUE:20261101T100000Z", "RRULE:FREQ=DAILY"), "20261126T093000Z", "20261126T094000Z", true},
		{vtodo("DTSTART:20261101T090000Z", "DUE:20261101T100000Z", "RRULE:FREQ=DAILY"), "20261126T100000Z", "20261127T090000Z", false},
		{vtodo("DTSTART:20261101T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY"), "20261126T100000Z", "20261127T090000Z", true},
		{vtodo("DUE:20261101T100000Z", "RRULE:FREQ=DAILY"), "20261126T095959Z", "20261126T100000Z", true},
		{vtodo("DUE:20261101T100000Z", "RRULE:FREQ=DAILY"), "20261126T100000Z", "20261127T095959Z", false},
		{vtodo("DUE:20261101T100000Z", "RRULE:FREQ=DAILY;COUNT=3"), "20261126T000000Z", "20261127T000000Z", false},
	} {
		got, err := compile(t, "", c.body).Overlaps(at(t, c.from), at(t, c.to), nil)
		if err != nil || got != c.want {
			t.Errorf("%q from %s to %s: %v, %v", c.body, c.from, c.to, got, err)
		}
	}
}

// Alarms: (start <= time) AND (end > time), for each time that one goes off.
func TestAlarms(t *testing.T) {
	const begin = "DTSTART;TZID=Europe/Berlin:20261126T090000\nDTEND;TZID=Europe/Berlin:20261126T100000\n"
	for _, c := range []struct {
		event, alarm string
		times        []string // when it goes off
		from, to     string
	}{
		{begin, "TRIGGER:-PT15M", []string{"20261126T074500Z"}, "20261125T000000Z", "20261128T000000Z"},
		{begin, "TRIGGER;RELATED=START:PT0S", []string{"20261126T080000Z"}, "20261125T000000Z", "20261128T000000Z"},
		{begin, "TRIGGER;RELATED=END:PT5M", []string{"20261126T090500Z"}, "20261125T000000Z", "20261128T000000Z"},
		{begin, "TRIGGER;VALUE=DATE-TIME:20261120T060000Z", []string{"20261120T060000Z"}, "20261119T000000Z", "20261128T000000Z"},
		{begin, "TRIGGER:-PT15M\nREPEAT:2\nDURATION:PT10M", []string{"20261126T074500Z", "20261126T075500Z", "20261126T080500Z"}, "20261125T000000Z", "20261128T000000Z"},
		{begin, "TRIGGER:-P30D", []string{"20261027T080000Z"}, "20261001T000000Z", "20261128T000000Z"},
		{begin, "TRIGGER:-P33D", []string{"20261024T070000Z"}, "20261001T000000Z", "20261128T000000Z"}, // days are nominal
		{begin + "RRULE:FREQ=DAILY;COUNT=2\n", "TRIGGER:-P1DT1H", []string{"20261125T070000Z", "20261126T070000Z"}, "20261120T000000Z", "20261128T000000Z"},
		{begin, "TRIGGER:soon", nil, "-", "+"},
		{begin, "ACTION:DISPLAY", nil, "-", "+"},
	} {
		o := compile(t, "", "BEGIN:VEVENT\nUID:1\n"+c.event+"BEGIN:VALARM\n"+c.alarm+"\nEND:VALARM\nEND:VEVENT")
		master := o.Calendar().Children[0]
		ask := func(from, to int64) bool {
			ok, err := o.AlarmOverlaps(master, master.Children[0], from, to, nil)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		last := at(t, c.from)
		for _, x := range c.times {
			now := at(t, x)
			if ask(last, now) || !ask(now, now+1) || !ask(last, now+1) || !ask(math.MinInt64, now+1) || !ask(now, math.MaxInt64) {
				t.Errorf("%q %q: not at %s, or before: %v %v %v", c.event, c.alarm, x, ask(last, now), ask(now, now+1), ask(last, now+1))
			}
			last = now + 1
		}
		if ask(last, at(t, c.to)) {
			t.Errorf("%q %q: goes off after %s", c.event, c.alarm, utc(last))
		}
	}
}
