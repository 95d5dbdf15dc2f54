package ical

import (
	"reflect"
	"strings"
	"testing"

	"holdfast/internal/ical/civil"
)

// line reads one content line.
func line(t *testing.T, s string) *Line {
	t.Helper()
	c := tree(t, "BEGIN:VCALENDAR\n"+s+"\nEND:VCALENDAR\n")
	return &c.Lines[0]
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "a": "a", `a\nb\Nc`: "a\nb\nc", `a\,b\;c\\d`: `a,b;c\d`, `a\:b\"c`: `a:b"c`, `a\`: `a\`, `\\n`: `\n`, "a,b": "a,b",
	} {
		if got := Unescape(in); got != want {
			t.Errorf("%q gives %q", in, got)
		}
	}
	if got := Escape("a,b;c\\d\r\ne\nf\rg:"); got != `a\,b\;c\\d\ne\nf\ng:` {
		t.Errorf("%q", got)
	}
	l := line(t, `CATEGORIES;LANGUAGE="a,b",c^nd,"e^'f^^g^h":A\,\\,\,\\\,B,,c`)
	if got := l.Texts(); !reflect.DeepEqual(got, []string{`A,\`, `,\,B`, "", "c"}) {
		t.Errorf("%q", got)
	}
	if got := l.Param("language"); !reflect.DeepEqual(got, []string{"a,b", "c\nd", `e"f^g^h`}) || l.First("Language") != "a,b" || l.First("X") != "" {
		t.Errorf("%q", got)
	}
	if p := NewParam("X", "a,b", `c"d`, "e\nf", ""); p.Raw != `"a,b",c^'d,e^nf,` || !reflect.DeepEqual(p.Values(), []string{"a,b", `c"d`, "e\nf", ""}) {
		t.Errorf("%q, %q", p.Raw, p.Values())
	}
}

func TestDateTime(t *testing.T) {
	nine := civil.Of(2026, 11, 26, 9, 0, 0)
	for in, want := range map[string]DateTime{
		"DTSTART:20261126T090000":                                 {nine, Floating, ""},
		"DTSTART:20261126T090000Z":                                {nine, UTC, ""},
		"DTSTART:20261126t090000z":                                {nine, UTC, ""},
		"DTSTART;TZID=Europe/Berlin:20261126T090000":              {nine, Zoned, "Europe/Berlin"},
		"DTSTART;tzid=\"a, b\":20261126T090000":                   {nine, Zoned, "a, b"},
		"DTSTART;TZID=Europe/Berlin:20261126T090000Z":             {nine, UTC, ""},
		"DTSTART;TZID=:20261126T090000":                           {nine, Floating, ""},
		"DTSTART;VALUE=DATE:20261126":                             {nine.Midnight(), Date, ""},
		"DTSTART;VALUE=DATE;TZID=Europe/Berlin:20261126":          {nine.Midnight(), Date, ""},
		"DTSTART:20261126":                                        {nine.Midnight(), Date, ""},
		"DTSTART;VALUE=DATE-TIME:20261126T090000":                 {nine, Floating, ""},
		"DTSTART;VALUE=DATE:20261126T000000Z":                     {nine.Midnight(), Date, ""},
		"DTSTART: 20261126T090000 ":                               {nine, Floating, ""},
		"DTSTART:00010101T000000":                                 {civil.Min, Floating, ""},
		"DTSTART:99991231T235959":                                 {civil.Max, Floating, ""},
		"DTSTART:20161231T235960Z":                                {civil.Of(2016, 12, 31, 23, 59, 59), UTC, ""},
		"X-ANY;TZID=/example.org/1/Europe/Berlin:20261126T090000": {nine, Zoned, "/example.org/1/Europe/Berlin"},
	} {
		l := line(t, in)
		got, err := l.DateTime()
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", in, got, err)
		}
		again := got.Line("DTSTART")
		if d, err := again.DateTime(); err != nil || d != got {
			t.Errorf("%s written: %+v, %v", in, d, err)
		}
	}
	for _, in := range []string{"", "soon", "20261126T", "20261126T0900", "20261126T250000", "20260229", "20261301", "00000101", "00001231T235959", "2026-11-26", "20261126T090000+0100", "20261126,20261127",
		"20261126T090000Z/PT1H", "T090000", "２0261126"} {
		l := line(t, "DTSTART:"+in)
		if d, err := l.DateTime(); err == nil {
			t.Errorf("%q: %+v", in, d)
		}
	}
	l := line(t, "DTSTART;VALUE=DATE:20261126T090000")
	if d, err := l.DateTime(); err == nil {
		t.Errorf("%+v", d)
	}
}

func TestDateTimes(t *testing.T) {
	nine := civil.Of(2026, 11, 26, 9, 0, 0)
	l := line(t, "RDATE;TZID=A:20261126T090000, 20261126T090000Z,,20261126,20261126T090000/PT1H,20261126T090000Z/20261126T100000Z")
	times, periods, err := l.DateTimes()
	if err != nil || !reflect.DeepEqual(times, []DateTime{{nine, Zoned, "A"}, {nine, UTC, ""}, {nine.Midnight(), Date, ""}}) {
		t.Errorf("%+v, %v", times, err)
	}
	if !reflect.DeepEqual(periods, []Period{
		{Start: DateTime{nine, Zoned, "A"}, Duration: Duration{Seconds: 3600}},
		{Start: DateTime{nine, UTC, ""}, End: DateTime{nine + 3600, UTC, ""}, HasEnd: true},
	}) || periods[0].String() != "20261126T090000/PT1H" || periods[1].String() != "20261126T090000Z/20261126T100000Z" {
		t.Errorf("%+v", periods)
	}
	for _, in := range []string{"20261126/P1D", "20261126T090000Z/", "/PT1H", "20261126T090000Z/-PT1H", "20261126T090000Z/20261126", "soon", "20261126T090000Z;20261126T090000Z"} {
		if _, _, err := line(t, "RDATE:"+in).DateTimes(); err == nil {
			t.Errorf("%q is taken", in)
		}
	}
	if times, periods, err := line(t, "EXDATE:").DateTimes(); err != nil || len(times)+len(periods) > 0 {
		t.Errorf("%v, %v, %v", times, periods, err)
	}
	if _, _, err := line(t, "EXDATE:"+strings.Repeat("20261126,", maxValues+1)).DateTimes(); err == nil {
		t.Error("a flood is taken")
	}
}

func TestDurations(t *testing.T) {
	for in, want := range map[string]Duration{
		"PT0S": {}, "P1W": {Days: 7}, "P15DT5H0M20S": {Days: 15, Seconds: 5*3600 + 20}, "-PT15M": {Negative: true, Seconds: 900}, "+P1D": {Days: 1}, "pt1h": {Seconds: 3600},
		"P1W2D": {Days: 9}, "P1DT": {Days: 1}, " PT1H ": {Seconds: 3600}, "PT36H": {Seconds: 36 * 3600}, "PT1H30S": {Seconds: 3630}, "P0D": {}, "PT2880M": {Seconds: 2880 * 60},
	} {
		got, ok := ParseDuration(in)
		if !ok || got != want {
			t.Errorf("%q: %+v, %v", in, got, ok)
		}
		if again, ok := ParseDuration(got.String()); !ok || again != got {
			t.Errorf("%q written as %q: %+v", in, got, again)
		}
	}
	for _, in := range []string{"", "P", "PT", "-", "1H", "P1H", "PT1D", "P1M", "P1Y", "PT1H1H", "PT1M1H", "P1D1W", "PT", "P1DT1D", "PTT1H", "PT-1H", "PT1", "P1.5D", "PT99999999999999999999S", "P9999999W", "-+PT1H"} {
		if d, ok := ParseDuration(in); ok {
			t.Errorf("%q: %+v", in, d)
		}
	}
}

func TestUTCOffsets(t *testing.T) {
	for in, want := range map[string]int{"+0100": 3600, "-0330": -12600, "+053020": 19820, "0200": 7200, "+0000": 0, "-0000": 0, " +2359 ": 86340, "-235959": -86399} {
		if got, ok := ParseUTCOffset(in); !ok || got != want {
			t.Errorf("%q: %d, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "+", "+1", "+01", "+01:00", "+2400", "+9900", "+0160", "+010060", "--100", "Z", "+01000"} {
		if got, ok := ParseUTCOffset(in); ok {
			t.Errorf("%q: %d", in, got)
		}
	}
}

func FuzzValues(f *testing.F) {
	for _, s := range []string{"20261126T090000Z", "20261126", "20261126T090000/PT1H,20261126T090000Z/20261126T100000Z", "P15DT5H0M20S", "-PT15M", "+0100", `a\,b\nc`, "00000101", "2026-11-26 09:00"} {
		f.Add(s, "Europe/Berlin")
	}
	f.Fuzz(func(t *testing.T, value, tzid string) {
		l := NewLine("RDATE", value, NewParam("TZID", tzid))
		if d, err := l.DateTime(); err == nil {
			again := d.Line("RDATE")
			if e, err := again.DateTime(); err != nil || d != e && !strings.ContainsAny(tzid, "^\"\r\n") || d.Time < civil.Min || d.Time > civil.Max {
				t.Fatalf("%+v became %+v, %v", d, e, err)
			}
		}
		times, periods, err := l.DateTimes()
		if err != nil && len(times)+len(periods) > 0 {
			t.Fatal("both times and an error")
		}
		for _, p := range periods {
			if q, ok := parsePeriod(p.String(), l.tzid()); !ok || q != p {
				t.Fatalf("%+v became %+v", p, q)
			}
		}
		if d, ok := ParseDuration(value); ok {
			if e, ok := ParseDuration(d.String()); !ok || d.Days != e.Days || d.Seconds != e.Seconds {
				t.Fatalf("%+v became %+v", d, e)
			}
		}
		if n, ok := ParseUTCOffset(value); ok && (n <= -86400 || n >= 86400) {
			t.Fatal(n)
		}
		if got := Unescape(Escape(value)); !strings.Contains(value, "\r") && got != value {
			t.Fatalf("%q became %q", value, got)
		}
		retime(&l, value)
	})
}
