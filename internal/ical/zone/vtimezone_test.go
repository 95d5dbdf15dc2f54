package zone

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"holdfast/internal/ical"
	"holdfast/internal/ical/civil"
	"holdfast/internal/ical/recur"
)

// definition reads a VTIMEZONE.
func definition(t testing.TB, text string) *ical.Component {
	t.Helper()
	cal, err := ical.Parse([]byte("BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:x\n"+strings.TrimSpace(text)+"\nEND:VTIMEZONE\nEND:VCALENDAR\n"), ical.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return cal.Children[0]
}

func part(kind, start, from, to string, lines ...string) string {
	return fmt.Sprintf("BEGIN:%s\nDTSTART:%s\nTZOFFSETFROM:%s\nTZOFFSETTO:%s\n%sEND:%s\n", kind, start, from, to, strings.Join(append(lines, ""), "\n"), kind)
}

var (
	berlin = part("DAYLIGHT", "19810329T020000", "+0100", "+0200", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU") +
		part("STANDARD", "19961027T030000", "+0200", "+0100", "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU")
	outlook = part("STANDARD", "16010101T030000", "+0200", "+0100", "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10") +
		part("DAYLIGHT", "16010101T020000", "+0100", "+0200", "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3")
	newYork = part("STANDARD", "20071104T020000", "-0400", "-0500", "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU") +
		part("DAYLIGHT", "20070311T020000", "-0500", "-0400", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU")
	newYorkHistory = part("DAYLIGHT", "19870405T020000", "-0500", "-0400", "RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU;UNTIL=20060402T070000Z") +
		part("STANDARD", "19671029T020000", "-0400", "-0500", "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU;UNTIL=20061029T060000Z") +
		newYork
	lordHowe = part("STANDARD", "20080406T020000", "+1100", "+1030", "RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU") +
		part("DAYLIGHT", "20081005T020000", "+1030", "+1100", "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=1SU")
	sydney = part("STANDARD", "20080406T030000", "+1100", "+1000", "RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU") +
		part("DAYLIGHT", "20081005T020000", "+1000", "+1100", "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=1SU")
	listed = part("DAYLIGHT", "20260329T020000", "+0100", "+0200", "RDATE:20270328T020000,20280326T020000") +
		part("STANDARD", "20261025T030000", "+0200", "+0100", "RDATE:20271031T030000", "RDATE;VALUE=PERIOD:20281029T010000Z/PT1H")
	southOfRussia = part("STANDARD", "19700101T000000", "+0300", "+0300")
)

// What a definition says is what the database says of the place, for the years that it speaks of.
func TestDefinitionsAgreeWithDatabase(t *testing.T) {
	for _, c := range []struct {
		name, text string
		from, to   int
	}{
		{"Europe/Berlin", berlin, 1997, 2040},
		{"Europe/Berlin", outlook, 1997, 2040},
		{"America/New_York", newYork, 2008, 2040},
		{"America/New_York", newYorkHistory, 1988, 2040},
		{"Australia/Lord_Howe", lordHowe, 2009, 2040},
		{"Australia/Sydney", sydney, 2009, 2040},
		{"Europe/Berlin", listed, 2026, 2029},
		{"Europe/Berlin", berlin, 2055, 2130},
		{"America/New_York", newYork, 2400, 2480},
		{"Europe/Berlin", outlook, 9800, 9990},
	} {
		z, err := Of(definition(t, c.text), nil)
		if err != nil {
			t.Fatal(c.name, err)
		}
		want, _ := Named(c.name)
		first, last := int64(civil.Of(c.from, 1, 2, 0, 0, 0)), int64(civil.Of(c.to, 1, 2, 0, 0, 0))
		for u := first; u < last; u += 3*3600 + 1800 {
			if got, want := z.Local(u), want.Local(u); got != want {
				t.Fatalf("%s: %v shows %v, want %v", c.name, civil.Time(u), got, want)
			}
			if local := civil.Time(u); z.Instant(local) != want.Instant(local) || z.Exists(local) != want.Exists(local) {
				t.Fatalf("%s: %v is %v %v, want %v %v", c.name, local, z.Instant(local), z.Exists(local), want.Instant(local), want.Exists(local))
			}
		}
	}
}

func TestDefinitions(t *testing.T) {
	for name, c := range map[string]struct{ text, local, utc string }{
		"fixed":                        {southOfRussia, "20260701T090000", "20260701T060000"},
		"before the first change":      {newYork, "19990701T090000", "19990701T140000"},
		"only summer time":             {part("DAYLIGHT", "20260329T020000", "+0100", "+0200", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU"), "20270101T090000", "20270101T070000"},
		"only summer time, before":     {part("DAYLIGHT", "20260329T020000", "+0100", "+0200"), "20260101T090000", "20260101T080000"},
		"no TZOFFSETFROM":              {"BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETTO:-0330\nEND:STANDARD", "20260101T090000", "20260101T123000"},
		"seconds":                      {part("STANDARD", "19700101T000000", "+000012", "+000012"), "20260101T090000", "20260101T085948"},
		"UNTIL ends summer time":       {part("DAYLIGHT", "20200101T000000", "+0000", "+0100", "RRULE:FREQ=YEARLY;UNTIL=20250101T000000Z") + part("STANDARD", "20200701T000000", "+0100", "+0000", "RRULE:FREQ=YEARLY;UNTIL=20250630T230000Z"), "20260201T090000", "20260201T090000"},
		"beyond all years":             {newYork, "99990701T090000", "99990701T130000"},
		"a change each second":         {part("STANDARD", "20260101T000000", "+0000", "+0100", "RRULE:FREQ=SECONDLY;COUNT=10"), "20260701T090000", "20260701T080000"},
		"a rule that begins far ahead": {part("STANDARD", "29990101T000000", "+0100", "+0200", "RRULE:FREQ=YEARLY"), "20260701T090000", "20260701T080000"},
	} {
		z, err := Of(definition(t, c.text), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		local, _, _ := civil.ParseDateTime(c.local)
		if got := civil.Time(z.Instant(local)); got.String() != c.utc {
			t.Errorf("%s: %s is %v, want %s", name, c.local, got, c.utc)
		}
	}
}

func TestDefinitionsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		line int
		why  string
	}{
		"nothing in it":            {"X-LIC-LOCATION:x", 2, "neither"},
		"99 hours":                 {part("STANDARD", "19700101T000000", "+0100", "+9900"), 7, "TZOFFSETTO"},
		"no offset":                {"BEGIN:STANDARD\nDTSTART:19700101T000000\nEND:STANDARD", 4, "TZOFFSETTO"},
		"no start":                 {"BEGIN:STANDARD\nTZOFFSETTO:+0100\nEND:STANDARD", 4, "DTSTART"},
		"a start in no time":       {part("STANDARD", "19701301T000000", "+0100", "+0100"), 5, "DTSTART"},
		"a rule that is none":      {part("STANDARD", "19700101T000000", "+0100", "+0100", "RRULE:FREQ=NEVER"), 8, "FREQ"},
		"a change each second":     {part("STANDARD", "19700101T000000", "+0100", "+0200", "RRULE:FREQ=SECONDLY"), 2, "too long"},
		"a rule that never agrees": {part("STANDARD", "19700101T000000", "+0100", "+0200", "RRULE:FREQ=SECONDLY;BYMONTH=2,4;BYMONTHDAY=31;BYSETPOS=2"), 0, ""},
		"thousands of parts":       {strings.Repeat(part("STANDARD", "19700101T000000", "+0100", "+0200"), 2001), 4 + 2000*5, "more than"},
		"many rules":               {strings.Repeat(part("STANDARD", "00010101T000000", "+0100", "+0200", "RRULE:FREQ=DAILY"), 100), 2, "too long"},
	} {
		_, err := Of(definition(t, c.text), nil)
		if c.why == "" && err == nil {
			continue
		}
		e, ok := err.(*Error)
		if !ok || c.line > 0 && e.Line != c.line || !strings.Contains(e.Why, c.why) {
			t.Errorf("%s: %v; want line %d, %q", name, err, c.line, c.why)
		}
	}
	if _, err := Of(definition(t, outlook), recur.NewBudget(10)); err == nil {
		t.Error("ten steps are enough")
	}
}

func TestTable(t *testing.T) {
	text := "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Europe/Berlin\n" + part("STANDARD", "20100101T000000", "+0300", "+0300") + part("DAYLIGHT", "20200101T000000", "+0300", "+0400", "RRULE:FREQ=YEARLY") + "END:VTIMEZONE\n" +
		"BEGIN:VTIMEZONE\nTZID:Australia/Lord_Howe\n" + southOfRussia + "END:VTIMEZONE\n" +
		"BEGIN:VTIMEZONE\nTZID:America/New_York\nEND:VTIMEZONE\nBEGIN:VTIMEZONE\nTZID:Custom\\, own\n" + southOfRussia + "END:VTIMEZONE\nEND:VCALENDAR\n"
	cal, err := ical.Parse([]byte(text), ical.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	noon := civil.Of(2026, 7, 1, 12, 0, 0)
	for _, cache := range []*Cache{nil, NewCache(1), NewCache(10)} {
		table := TableOf(cal, cache)
		for range 2 {
			for tzid, want := range map[string]int{
				"Europe/Berlin":           8,  // its own definition wins
				"Australia/Lord_Howe":     2,  // its own says nothing (10:30)
				"America/New_York":        16, // its own is of no use
				"Custom, own":             9,
				"W. Europe Standard Time": 10,
				"Australia/Sydney":        2,
				"Mars/Phobos":             -1,
			} {
				z, err := table.Zone(tzid, nil)
				if want < 0 {
					if e, ok := err.(*Error); !ok || !e.Unknown {
						t.Errorf("%s: %v", tzid, err)
					}
					continue
				}
				got := noon + civil.Time(want-12)*3600
				if tzid == "Australia/Lord_Howe" {
					got -= 1800
				}
				if err != nil || z.Instant(noon) != int64(got) {
					t.Errorf("%s: %v, %v", tzid, civil.Time(z.Instant(noon)), err)
				}
				if early := civil.Of(1985, 7, 1, 12, 0, 0); tzid == "Europe/Berlin" && z.Instant(early) != int64(early)-7200 {
					t.Errorf("%s: before its first change it shows %v", tzid, civil.Time(z.Instant(early)))
				}
			}
		}
	}
}

// A wall-clock time that exists is shown at its instant, one that does not exist is not shown at any.
func TestInstantAndLocalAgree(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, text := range []string{berlin, newYorkHistory, lordHowe, listed, part("STANDARD", "20260101T000000", "+0000", "+0100", "RRULE:FREQ=HOURLY;COUNT=500") + part("DAYLIGHT", "20260101T003000", "+0100", "-2300", "RRULE:FREQ=HOURLY;INTERVAL=3;COUNT=100")} {
		z, err := Of(definition(t, text), nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 20000 {
			local := civil.Of(2026, 1, 1, 0, 0, 0) + civil.Time(rnd.Int64N(3*366*civil.Day))
			unix := z.Instant(local)
			if shown := z.Local(unix); (shown == local) != z.Exists(local) {
				t.Fatalf("%v is %v, which shows %v; exists %v", local, civil.Time(unix), shown, z.Exists(local))
			}
		}
	}
}

func FuzzVTimezone(f *testing.F) {
	for _, s := range []string{berlin, outlook, newYorkHistory, listed, southOfRussia} {
		f.Add(s, int64(1790000000))
	}
	f.Add(part("STANDARD", "19700101T000000", "+0100", "+0200", "RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"), int64(-1<<40))
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		cal, err := ical.Parse([]byte("BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:x\n"+text+"\nEND:VTIMEZONE\nEND:VCALENDAR\n"), ical.Limits{})
		if err != nil || len(cal.Children) == 0 {
			return
		}
		z, err := Of(cal.Children[0], nil)
		if err != nil {
			return
		}
		unix = max(int64(civil.Min), min(unix, int64(civil.Max)))
		local := z.Local(unix)
		if d := int64(local) - unix; d <= -MaxOffset || d >= MaxOffset {
			t.Fatalf("an offset of %d", d)
		}
		if first := z.Instant(local); first > unix || z.Local(first) != local || !z.Exists(local) {
			t.Fatalf("%d shows %v, which is %d", unix, local, first)
		}
	})
}

func BenchmarkDefinition(b *testing.B) {
	for name, text := range map[string]string{"berlin": berlin, "outlook": outlook} {
		c := definition(b, text)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Of(c, nil)
			}
		})
		cache := NewCache(10)
		b.Run(name+"-cached", func(b *testing.B) {
			for b.Loop() {
				cache.Of(c, nil)
			}
		})
	}
}

// TestBulkyZonesAreNotRemembered: the memory is for what many objects carry.
func TestBulkyZonesAreNotRemembered(t *testing.T) {
	c := NewCache(10)
	for text, want := range map[string]int{part("STANDARD", "19700101T000000", "+0100", "+0200", "RRULE:FREQ=HOURLY;COUNT=9000") + part("DAYLIGHT", "19700101T003000", "+0200", "+0100", "RRULE:FREQ=HOURLY;COUNT=9000"): 0,
		newYorkHistory: 1} {
		c.texts = map[string]made{}
		if _, err := c.Of(definition(t, text), nil); err != nil {
			t.Fatal(err)
		}
		if len(c.texts) != want {
			t.Errorf("%d are remembered, want %d: %.80q", len(c.texts), want, text)
		}
	}
}
