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
		"DTEND is exact over a change": {"", vevent("DTSTART;TZID=Europe/Berlin:20260327T220000", "DTEND;TZID=Europe/Berlin:20260328T060000", "RRULE:FREQ=DAILY;COUNT=3"),
			"-", "+", "20260327T210000Z/20260328T050000Z 20260328T210000Z/20260329T050000Z 20260329T200000Z/20260330T040000Z"},
		"days of DURATION are nominal": {"", vevent("DTSTART;TZID=Europe/Berlin:20260328T090000", "DURATION:P1D", "RRULE:FREQ=DAILY;COUNT=2"),
			"-", "+", "20260328T080000Z/20260329T070000Z 20260329T070000Z/20260330T070000Z"},
		"hours of DURATION are exact": {"", vevent("DTSTART;TZID=Europe/Berlin:20260328T090000", "DURATION:PT24H"),
			"-", "+", "20260328T080000Z/20260329T080000Z"},
		"a rule skips a gap": {"", vevent("DTSTART;TZID=Europe/Berlin:20260328T023000", "RRULE:FREQ=DAILY;COUNT=3"),
			"-", "+", "20260328T013000Z/20260328T013000Z 20260330T003000Z/20260330T003000Z 20260331T003000Z/20260331T003000Z"},
		"a start in a gap":           {"", vevent("DTSTART;TZID=America/New_York:20070311T023000", "DURATION:PT1H"), "-", "+", "20070311T073000Z/20070311T083000Z"},
		"a time that is shown twice": {"", vevent("DTSTART;TZID=America/New_York:20071104T013000", "DURATION:PT1H"), "-", "+", "20071104T053000Z/20071104T063000Z"},
		"the southern hemisphere": {"", vevent("DTSTART;TZID=Australia/Sydney:20260401T090000", "RRULE:FREQ=WEEKLY;COUNT=2"),
			"-", "+", "20260331T220000Z/20260331T220000Z 20260407T230000Z/20260407T230000Z"},
		"half an hour of summer time": {"", vevent("DTSTART;TZID=Australia/Lord_Howe:20260930T090000", "RRULE:FREQ=WEEKLY;COUNT=2"),
			"-", "+", "20260929T223000Z/20260929T223000Z 20261006T220000Z/20261006T220000Z"},
		"a whole day":             {"Europe/Berlin", vevent("DTSTART;VALUE=DATE:20261126"), "-", "+", "20261125T230000Z/20261126T230000Z"},
		"two days over a change":  {"Europe/Berlin", vevent("DTSTART;VALUE=DATE:20260328", "DTEND;VALUE=DATE:20260330"), "-", "+", "20260327T230000Z/20260329T220000Z"},
		"an end at the start":     {"", vevent("DTSTART;VALUE=DATE:20261126", "DTEND;VALUE=DATE:20261126"), "-", "+", "20261126T000000Z/20261127T000000Z"},
		"an end before the start": {"", vevent("DTSTART:20261126T090000Z", "DTEND:20261126T080000Z"), "-", "+", "20261126T090000Z/20261126T090000Z"},
		"floating":                {"America/New_York", vevent("DTSTART:20261126T090000", "DTEND:20261126T100000"), "-", "+", "20261126T140000Z/20261126T150000Z"},
		"blank TZID is floating":  {"America/New_York", vevent("DTSTART;TZID=:20261126T090000"), "-", "+", "20261126T140000Z/20261126T140000Z"},
		"birthdays":               {"", vevent("DTSTART;VALUE=DATE:20000229", "RRULE:FREQ=YEARLY"), "20010101T000000Z", "20090101T000000Z", "20040229T000000Z/20040301T000000Z 20080229T000000Z/20080301T000000Z"},
		"UNTIL in UTC": {"", vevent("DTSTART;TZID=Europe/Berlin:20261123T090000", "RRULE:FREQ=DAILY;UNTIL=20261125T080000Z"),
			"-", "+", "20261123T080000Z/20261123T080000Z 20261124T080000Z/20261124T080000Z 20261125T080000Z/20261125T080000Z"},
		"UNTIL in UTC, a second less": {"", vevent("DTSTART;TZID=Europe/Berlin:20261123T090000", "RRULE:FREQ=DAILY;UNTIL=20261125T075959Z"),
			"-", "+", "20261123T080000Z/20261123T080000Z 20261124T080000Z/20261124T080000Z"},
		"UNTIL as a date": {"", vevent("DTSTART;TZID=Europe/Berlin:20261123T090000", "RRULE:FREQ=DAILY;UNTIL=20261124"),
			"-", "+", "20261123T080000Z/20261123T080000Z 20261124T080000Z/20261124T080000Z"},
		"UNTIL with a time beside dates": {"", vevent("DTSTART;VALUE=DATE:20261123", "RRULE:FREQ=DAILY;UNTIL=20261124T000000Z"),
			"-", "+", "20261123T000000Z/20261124T000000Z 20261124T000000Z/20261125T000000Z"},
		"UNTIL in an hour that is shown twice": {"", vevent("DTSTART;TZID=Europe/Berlin:20261025T014500", "RRULE:FREQ=HOURLY;UNTIL=20261025T013000Z"),
			"-", "+", "20261024T234500Z/20261024T234500Z 20261025T004500Z/20261025T004500Z"},
		"a start that the rule does not make": {"", vevent("DTSTART:20261126T090000Z", "RRULE:FREQ=WEEKLY;BYDAY=MO;UNTIL=20261201T000000Z"),
			"-", "+", "20261126T090000Z/20261126T090000Z 20261130T090000Z/20261130T090000Z"},
		"EXDATE in UTC": {"", vevent("DTSTART;TZID=Europe/Berlin:20261123T090000", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20261124T080000Z"),
			"-", "+", "20261123T080000Z/20261123T080000Z 20261125T080000Z/20261125T080000Z"},
		"EXDATE in another zone": {"", vevent("DTSTART;TZID=Europe/Berlin:20261123T090000", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE;TZID=America/New_York:20261124T030000,20261125T030000"),
			"-", "+", "20261123T080000Z/20261123T080000Z"},
		"EXDATE as a date": {"", vevent("DTSTART;TZID=Europe/Berlin:20261123T090000", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE;VALUE=DATE:20261123"),
			"-", "+", "20261124T080000Z/20261124T080000Z 20261125T080000Z/20261125T080000Z"},
		"EXDATE with a time beside dates": {"", vevent("DTSTART;VALUE=DATE:20261123", "RRULE:FREQ=DAILY;COUNT=2", "EXDATE:20261123T000000"),
			"-", "+", "20261124T000000Z/20261125T000000Z"},
		"EXDATE that floats beside a zone": {"", vevent("DTSTART;TZID=Europe/Berlin:20261123T090000", "RRULE:FREQ=DAILY;COUNT=2", "EXDATE:20261123T090000"),
			"-", "+", "20261124T080000Z/20261124T080000Z"},
		"EXDATE takes the only instance": {"", vevent("DTSTART:20261123T090000Z", "EXDATE:20261123T090000Z"), "-", "+", ""},
		"EXRULE": {"", vevent("DTSTART:20261123T090000Z", "RRULE:FREQ=DAILY;COUNT=5", "EXRULE:FREQ=DAILY;INTERVAL=2"),
			"-", "+", "20261124T090000Z/20261124T090000Z 20261126T090000Z/20261126T090000Z"},
		"RDATE": {"", vevent("DTSTART;TZID=Europe/Berlin:20261123T090000", "DURATION:PT1H", "RDATE;TZID=Europe/Berlin:20261125T100000,20261124T100000", "RDATE:20261124T090000Z"),
			"-", "+", "20261123T080000Z/20261123T090000Z 20261124T090000Z/20261124T100000Z 20261125T090000Z/20261125T100000Z"},
		"RDATE as a date": {"", vevent("DTSTART;TZID=Europe/Berlin:20260323T090000", "RDATE;VALUE=DATE:20260330"),
			"-", "+", "20260323T080000Z/20260323T080000Z 20260330T070000Z/20260330T070000Z"},
		"RDATE as periods": {"", vevent("DTSTART:20261123T090000Z", "DURATION:PT1H", "RDATE;VALUE=PERIOD:20261124T090000Z/PT3H,20261125T090000Z/20261125T093000Z"),
			"-", "+", "20261123T090000Z/20261123T100000Z 20261124T090000Z/20261124T120000Z 20261125T090000Z/20261125T093000Z"},
		"a long RDATE reaches into the range": {"", vevent("DTSTART:20261123T090000Z", "DURATION:PT1H", "RDATE;VALUE=PERIOD:20261001T090000Z/20261125T000000Z"),
			"20261124T000000Z", "20261201T000000Z", "20261001T090000Z/20261125T000000Z"},
		"two rules": {"", vevent("DTSTART:20261123T090000Z", "RRULE:FREQ=DAILY;COUNT=2", "RRULE:FREQ=WEEKLY;COUNT=2"),
			"-", "+", "20261123T090000Z/20261123T090000Z 20261124T090000Z/20261124T090000Z 20261130T090000Z/20261130T090000Z"},
		"an override moves an instance": {"", vevent("DTSTART:20261123T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3") + "\n" +
			vevent("RECURRENCE-ID:20261124T090000Z", "DTSTART:20261124T150000Z", "DURATION:PT2H"),
			"-", "+", "20261123T090000Z/20261123T100000Z 20261124T150000Z/20261124T170000Z 20261125T090000Z/20261125T100000Z"},
		"an override moves an instance out of the range": {"", vevent("DTSTART:20261123T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3") + "\n" +
			vevent("RECURRENCE-ID:20261124T090000Z", "DTSTART:20271124T150000Z", "DURATION:PT2H"),
			"20261124T000000Z", "20261125T000000Z", ""},
		"an override by date": {"", vevent("DTSTART;TZID=Europe/Berlin:20261123T090000", "RRULE:FREQ=DAILY;COUNT=2") + "\n" +
			vevent("RECURRENCE-ID;VALUE=DATE:20261124", "DTSTART:20261124T150000Z"),
			"-", "+", "20261123T080000Z/20261123T080000Z 20261124T150000Z/20261124T150000Z"},
		"an override by time beside dates": {"", vevent("DTSTART;VALUE=DATE:20261123", "RRULE:FREQ=DAILY;COUNT=2") + "\n" +
			vevent("RECURRENCE-ID:20261124T000000Z", "DTSTART;VALUE=DATE:20261201"),
			"-", "+", "20261123T000000Z/20261124T000000Z 20261201T000000Z/20261202T000000Z"},
		"an override that floats": {"", vevent("DTSTART;TZID=Europe/Berlin:20261123T090000", "RRULE:FREQ=DAILY;COUNT=2") + "\n" +
			vevent("RECURRENCE-ID:20261124T090000", "DTSTART:20261124T150000Z"),
			"-", "+", "20261123T080000Z/20261123T080000Z 20261124T150000Z/20261124T150000Z"},
		"an override of nothing": {"", vevent("DTSTART:20261123T090000Z", "RRULE:FREQ=DAILY;COUNT=1") + "\n" +
			vevent("RECURRENCE-ID:20261130T090000Z", "DTSTART:20261130T150000Z"),
			"-", "+", "20261123T090000Z/20261123T090000Z 20261130T150000Z/20261130T150000Z"},
		"overrides without a master": {"", vevent("RECURRENCE-ID:20261130T090000Z", "DTSTART:20261130T150000Z") + "\n" +
			vevent("RECURRENCE-ID:20261123T090000Z", "DTSTART:20261123T150000Z"),
			"-", "+", "20261123T150000Z/20261123T150000Z 20261130T150000Z/20261130T150000Z"},
		"an override without a start": {"", vevent("DTSTART:20261123T090000Z", "RRULE:FREQ=DAILY;COUNT=2") + "\n" + vevent("RECURRENCE-ID:20261124T090000Z", "SUMMARY:x"),
			"-", "+", "20261123T090000Z/20261123T090000Z 20261124T090000Z/20261124T090000Z"},
		"this and future": {"", vevent("DTSTART;TZID=Europe/Berlin:20260323T090000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=4") + "\n" +
			vevent("RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260330T090000", "DTSTART;TZID=Europe/Berlin:20260331T110000", "DURATION:PT3H"),
			"-", "+", "20260323T080000Z/20260323T090000Z 20260331T090000Z/20260331T120000Z 20260407T090000Z/20260407T120000Z 20260414T090000Z/20260414T120000Z"},
		"this and future, twice, and one more": {"", vevent("DTSTART:20261101T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=6") + "\n" +
			vevent("RECURRENCE-ID;RANGE=THISANDFUTURE:20261105T090000Z", "DTSTART:20261105T070000Z", "DURATION:PT2H") + "\n" +
			vevent("RECURRENCE-ID;RANGE=THISANDFUTURE:20261103T090000Z", "DTSTART:20261103T110000Z", "DURATION:PT3H") + "\n" +
			vevent("RECURRENCE-ID:20261104T090000Z", "DTSTART:20261104T200000Z", "DURATION:PT4H"),
			"-", "+", "20261101T090000Z/20261101T100000Z 20261102T090000Z/20261102T100000Z 20261103T110000Z/20261103T140000Z " +
				"20261104T200000Z/20261105T000000Z 20261105T070000Z/20261105T090000Z 20261106T070000Z/20261106T090000Z"},
		"this and future, from far": {"", vevent("DTSTART:20200101T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY") + "\n" +
			vevent("RECURRENCE-ID;RANGE=THISANDFUTURE:20200110T090000Z", "DTSTART:20210110T090000Z", "DURATION:PT1H"),
			"20261101T000000Z", "20261102T000000Z", "20261101T090000Z/20261101T100000Z"},
	} {
		if got := instances(t, compile(t, c.floating, c.body), c.from, c.to); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

// Which component an instance is of, and what it is called.
func TestInstanceFields(t *testing.T) {
	o := compile(t, "", vevent("DTSTART;TZID=Europe/Berlin:20261123T090000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3")+"\n"+
		vevent("RECURRENCE-ID:20261124T080000Z", "DTSTART;TZID=America/New_York:20261124T150000", "DURATION:PT2H"))
	var got []string
	err := o.Instances(math.MinInt64, math.MaxInt64, nil, func(i *Instance) bool {
		got = append(got, fmt.Sprintf("%v %v %v %v %v", i.Component == o.Calendar().Children[0], i.Local, i.Recurring, utc(i.Original), i.OrigLocal))
		return true
	})
	want := []string{"true 20261123T090000 true 20261123T080000Z 20261123T090000", "false 20261124T150000 true 20261124T080000Z 20261124T090000",
		"true 20261125T090000 true 20261125T080000Z 20261125T090000"}
	if err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%v\n%s", err, strings.Join(got, "\n"))
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, c := range []struct {
		body string
		pre  ical.Precondition
		line int
		why  string
	}{
		{vevent("DTSTART;TZID=Mars/Phobos:20261126T090000"), ical.ValidCalendarObjectResource, 6, "Mars/Phobos"},
		{vevent("DTSTART:20261326T090000"), ical.ValidCalendarData, 6, "DTSTART"},
		{vevent("DTSTART:20261126T090000", "DURATION:1 hour"), ical.ValidCalendarData, 7, "DURATION"},
		{vevent("DTSTART:20261126T090000", "RRULE:FREQ=SOMETIMES"), ical.ValidCalendarData, 7, "FREQ"},
		{vevent("DTSTART:20261126T090000", "EXDATE:yesterday"), ical.ValidCalendarData, 7, "EXDATE"},
		{vevent("DTSTART:20261126T090000", "RDATE:20261126T090000/20261126"), ical.ValidCalendarData, 7, "RDATE"},
		{vevent("DTSTART:20261126T090000") + "\n" + vevent("DTSTART:20261126T090000"), ical.ValidCalendarObjectResource, 8, "RECURRENCE-ID"},
		{vevent("DTSTART:20261126T090000") + "\nBEGIN:VTODO\nEND:VTODO", ical.ValidCalendarObjectResource, 8, "VTODO"},
		{"BEGIN:VTIMEZONE\nTZID:x\nEND:VTIMEZONE", ical.ValidCalendarObjectResource, 0, "no event"},
		{"BEGIN:VTIMEZONE\nTZID:x\nEND:VTIMEZONE\n" + vevent("DTSTART;TZID=x:20261126T090000"), ical.ValidCalendarData, 4, "STANDARD"},
		{vevent("DTSTART:20261126T090000", "EXDATE:"+strings.Repeat("20261126T090000,", 30000)), ical.ValidCalendarData, 7, "more than"},
	} {
		_, err := Compile(calendar(t, c.body), Options{})
		r, ok := err.(*ical.Refusal)
		if !ok || r.Precondition != c.pre || r.Line != c.line || !strings.Contains(r.Why, c.why) {
			t.Errorf("%.80q: %v; want %s, line %d, %q", c.body, err, c.pre, c.line, c.why)
		}
	}
}

// A zone's own definition wins over its name, and a broken one gives way to it.
func TestZonesOfAnObject(t *testing.T) {
	own := "BEGIN:VTIMEZONE\nTZID:Europe/Berlin\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0400\nTZOFFSETTO:+0500\nRRULE:FREQ=YEARLY\nEND:STANDARD\nEND:VTIMEZONE\n"
	o := compile(t, "", own+vevent("DTSTART;TZID=Europe/Berlin:20261126T090000"))
	if got := instances(t, o, "-", "+"); got != "20261126T040000Z/20261126T040000Z" {
		t.Error(got)
	}
	o = compile(t, "", strings.ReplaceAll(own, "TZOFFSETTO:+0500", "TZOFFSETTO:+9900")+vevent("DTSTART;TZID=Europe/Berlin:20261126T090000"))
	if got := instances(t, o, "-", "+"); got != "20261126T080000Z/20261126T080000Z" {
		t.Error(got)
	}
}

// Rules that never end, or never match, are given up or answered within the budget.
func TestHostile(t *testing.T) {
	for _, c := range []struct {
		body string
		want error
	}{
		{vevent("DTSTART:00010101T000000Z", "RRULE:FREQ=SECONDLY"), nil},                  // it seeks
		{vevent("DTSTART:19000101T000000Z", "RRULE:FREQ=SECONDLY;COUNT=2000000000"), nil}, // it counts in bulk,
		{vevent("DTSTART:20260101T000000Z", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), nil},
		{vevent("DTSTART:20260101T000000Z", "RRULE:FREQ=SECONDLY", "EXRULE:FREQ=SECONDLY"), recur.ErrBudget},
		{vevent("DTSTART:99991231T235959Z", "DURATION:P9999D", "RRULE:FREQ=DAILY"), nil},
		{vevent("DTSTART:00010101T000000Z", "DURATION:P3660000D", "RRULE:FREQ=DAILY"), nil},
	} {
		b := recur.NewBudget(100000)
		o, err := Compile(calendar(t, c.body), Options{Budget: b})
		if err != nil {
			t.Errorf("%q: %v", c.body, err)
			continue
		}
		o.Times()
		_, err = o.Overlaps(at(t, "20270101T000000Z"), at(t, "20270102T000000Z"), b)
		if err != c.want {
			t.Errorf("%q: %v, want %v", c.body, err, c.want)
		}
	}
}
