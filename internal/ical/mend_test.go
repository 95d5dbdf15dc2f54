package ical

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func known(tzid string) bool { return tzid == "Europe/Berlin" || tzid == "GMT+01:00" }

func rule(s string) bool { return !strings.Contains(s, "SOMETIMES") }

var opts = MendOptions{Known: known, Rule: rule}

// mended gives the only object, and its mends in one text.
func mended(t *testing.T, name, data string, o MendOptions) (string, string) {
	t.Helper()
	out, r := Mend([]byte(data), o)
	if r != nil || len(out) != 1 {
		t.Errorf("%s: %d objects, %v", name, len(out), r)
		return "", ""
	}
	return string(out[0].Octets), strings.Join(out[0].Mends, "; ")
}

func TestMend(t *testing.T) {
	ev := event("a", "")
	for name, c := range map[string]struct {
		data  string
		mends string
		want  string // part of the octets, with bare line feeds
	}{
		"nothing to do":           {cal(ev), "", cal(ev)},
		"METHOD":                  {cal("METHOD:REQUEST\n" + ev), "removed METHOD:REQUEST, which makes it a message", cal(ev)},
		"no VERSION":              {strings.Replace(small, "VERSION:2.0\r\n", "", 1), "added VERSION:2.0", small},
		"no PRODID and METHOD":    {strings.Replace(small, "PRODID:-//Example//EN", "METHOD:X", 1), "removed METHOD:X, which makes it a message; added a PRODID", "BEGIN:VCALENDAR\nPRODID:-//Holdfast//Import//EN\nVERSION:2.0\nBEGIN:VEVENT"},
		"another VERSION":         {strings.Replace(small, "VERSION:2.0", "VERSION:3.0", 1), `replaced the version "3.0" by 2.0; added VERSION:2.0`, small},
		"two VERSIONs":            {strings.Replace(small, "VERSION:2.0", "VERSION:2.0\r\nVERSION:2.0", 1), "removed a repeated VERSION", small},
		"no UID":                  {"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nDTSTART:20261126\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", "added a UID", "BEGIN:VEVENT\nUID:ffa1add1-d560-5a4f-a77e-41be9507f9cc\n"},
		"an empty UID":            {crlf(cal(event("", ""))), "added a UID", ""},
		"a long UID":              {crlf(cal(event(strings.Repeat("x", 2000), ""))), "put a UID that cannot stay aside as X-FORMER-UID", "X-FORMER-UID:xxxx"},
		"two UIDs":                {crlf(cal(event("a", "UID:b\n"))), "put the second of two UIDs aside as X-FORMER-UID", "UID:a\nDTSTART:20261126T090000Z\nX-FORMER-UID:b\n"},
		"a byte order mark":       {"\uFEFF" + small, "removed a byte order mark", small},
		"old line ends":           {strings.ReplaceAll(small, "\r\n", "\r"), "ended lines with CR LF", small},
		"bare line feeds":         {strings.ReplaceAll(cal("METHOD:X\n"+ev), "\n", "\n"), "removed METHOD:X, which makes it a message", "VERSION:2.0\nPRODID:x\n"},
		"doubled returns":         {strings.ReplaceAll(small, "\r\n", "\r\r\n"), "ended lines with CR LF", small},
		"Latin-1":                 {crlf(cal(event("a", "SUMMARY:M\xfcll \x80\n"))), "read octets that were not UTF-8 as windows-1252", "SUMMARY:Müll €\n"},
		"a fold in a character":   {crlf(cal(event("a", "SUMMARY:M\xc3\n \xbcll\n"))), "folded lines between characters", "SUMMARY:Müll\n"},
		"control characters":      {crlf(cal(event("a", "SUMMARY:a\x00b\x0bc\uFFFE\n"))), "removed control characters", "SUMMARY:abc\n"},
		"a broken line":           {crlf(cal(event("a", "DESCRIPTION:one\ntwo and three\n\nfour\nSUMMARY:s\n"))), "joined a line without a property name to the text before it", "DESCRIPTION:one\\ntwo and three\\nfour\nSUMMARY:s\n"},
		"broken prose":            {crlf(cal(event("a", "DESCRIPTION:one\nTime: nine\nand\nPlace: here\nX-b: 1\nGEO:1;2\nOdd: 1\n"))), "joined a line without a property name to the text before it", "DESCRIPTION:one\\nTime: nine\\nand\\nPlace: here\\nX-b: 1\nGEO:1;2\nOdd: 1\n"},
		"text of nobody":          {crlf(cal(event("a", "GEO:1;2\ntwo, three\n"))), "kept a line without a property name as COMMENT", "GEO:1;2\nCOMMENT:two\\, three\n"},
		"text in an alarm":        {crlf(cal(event("a", "BEGIN:VALARM\ntwo\nEND:VALARM\n"))), "kept a line without a property name as X-STRAY-TEXT", "X-STRAY-TEXT:two\n"},
		"a bare parameter":        {crlf(cal(event("a", "SUMMARY;QUOTED;;X=1:s\n"))), "corrected broken parameters", "SUMMARY;X-BARE=QUOTED;X=1:s\n"},
		"an open quote":           {crlf(cal(event("a", "ATTENDEE;CN=\"Bob;ROLE=CHAIR:mailto:b@example.org\n"))), "corrected broken parameters", "ATTENDEE;CN=Bob;ROLE=CHAIR:mailto:b@example.org\n"},
		"lost ENDs":               {"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTART:20261126\r\nBEGIN:VALARM\r\nTRIGGER:PT0S\r\n", "added a missing END:VALARM; added a missing END:VEVENT; added a missing END:VCALENDAR", "TRIGGER:PT0S\nEND:VALARM\nEND:VEVENT\nEND:VCALENDAR\n"},
		"an END too many":         {crlf(cal(event("a", "END:VALARM\n"))), "removed an END that ends nothing", cal(ev)},
		"a BEGIN of nothing":      {crlf(cal(event("a", "BEGIN:\n"))), "removed a BEGIN of nothing", cal(ev)},
		"no calendar around":      {crlf(ev), "put a VCALENDAR around what stood alone; added a missing END:VCALENDAR; added a PRODID; added VERSION:2.0", ev},
		"a zone without name":     {crlf(cal("BEGIN:VTIMEZONE\nEND:VTIMEZONE\n" + ev)), "removed a VTIMEZONE without TZID", cal(ev)},
		"an end and a duration":   {crlf(cal(event("a", "DURATION:PT1H\nDTEND:20261126T100000Z\n"))), "put a DURATION beside DTEND aside as X-FORMER-DURATION", "X-FORMER-DURATION:PT1H\nDTEND:20261126T100000Z\n"},
		"an end before the start": {crlf(cal(event("a", "DTEND:20261126T080000Z\n"))), "put a DTEND before DTSTART aside as X-FORMER-DTEND", "X-FORMER-DTEND:20261126T080000Z\n"},
		"an odd end":              {crlf(cal(event("a", "DTEND:noon\n"))), "put a DTEND that cannot be read (noon) aside as X-FORMER-DTEND", "X-FORMER-DTEND:noon\n"},
		"an empty end":            {crlf(cal(event("a", "DTEND:\n"))), "put an empty DTEND aside as X-FORMER-DTEND", "X-FORMER-DTEND:\n"},
		"two starts":              {crlf(cal(event("a", "DTSTART:20261127\n"))), "put a second DTSTART aside as X-FORMER-DTSTART", "X-FORMER-DTSTART:20261127\n"},
		"an odd duration":         {crlf(cal(event("a", "DURATION:-PT1H\n"))), "put a DURATION that cannot be read aside as X-FORMER-DURATION", "X-FORMER-DURATION:-PT1H\n"},
		"an odd rule":             {crlf(cal(event("a", "RRULE:FREQ=SOMETIMES\n"))), "put a rule that cannot be read aside as X-FORMER-RRULE", "X-FORMER-RRULE:FREQ=SOMETIMES\n"},
		"a start from its id":     {crlf(cal("BEGIN:VEVENT\nUID:a\nRECURRENCE-ID;VALUE=DATE:20261126\nEND:VEVENT\n")), "took a missing DTSTART from RECURRENCE-ID", "DTSTART;VALUE=DATE:20261126\n"},
		"ISO 8601":                {crlf(cal(event("a", "DTEND:2026-11-26T10:00:00Z\n"))), "corrected the time of DTEND", "DTEND:20261126T100000Z\n"},
		"an offset":               {crlf(cal(event("a", "DTEND;TZID=Nowhere:20261126T100000+0030\n"))), "corrected the time of DTEND", "DTEND:20261126T093000Z\n"},
		"no seconds":              {crlf(cal(event("a", "DTEND:20261126T1000\n"))), "corrected the time of DTEND", "DTEND:20261126T100000\n"},
		"a date with a time":      {crlf(cal(event("a", "DTEND;VALUE=DATE:20261126T100000Z\n"))), "corrected the time of DTEND", "DTEND:20261126T100000Z\n"},
		"24 o'clock":              {crlf(cal(event("a", "DTEND:20261126T240000Z\n"))), "corrected the time of DTEND", "DTEND:20261127T000000Z\n"},
		"a zone with a colon":     {crlf(cal(event("a", "DTEND;TZID=GMT+01:00:20261126T110000\n"))), "corrected the time of DTEND", "DTEND;TZID=\"GMT+01:00\":20261126T110000\n"},
		"odd times in a list":     {crlf(cal(event("a", "EXDATE:20261126T090000Z,2026-11-27T09:00:00Z,soon\n"))), "corrected a time of EXDATE; put times of EXDATE that cannot be read aside as X-FORMER-EXDATE", "EXDATE:20261126T090000Z,20261127T090000Z\nX-FORMER-EXDATE:soon\n"},
		"a to-do's odd start":     {crlf(cal("BEGIN:VTODO\nUID:a\nDTSTART:soon\nEND:VTODO\n")), "put a DTSTART that cannot be read (soon) aside as X-FORMER-DTSTART", "X-FORMER-DTSTART:soon\n"},
		"a known zone":            {crlf(cal(event("a", "DTEND;TZID=Europe/Berlin:20261126T110000\n"))), "", ""},
		"a zone of its own":       {crlf(cal(zone("A\\, b") + event("a", "DTEND;TZID=\"A, b\":20261126T110000\n"))), "", ""},
		"an unknown zone":         {crlf(cal(event("a", "DTEND;TZID=Nowhere:20261126T110000\n"))), `read times of the unknown zone "Nowhere" as local wherever one is`, "DTEND:20261126T110000\n"},
		"the calendar's zone":     {crlf(cal("X-WR-TIMEZONE:Europe/Berlin\n" + event("a", "EXDATE;TZID=Nowhere:20261126T110000\nBEGIN:VALARM\nX;TZID=Nowhere:1\nEND:VALARM\n"))), `read times of the unknown zone "Nowhere" as times of Europe/Berlin`, "EXDATE;TZID=Europe/Berlin:20261126T110000\nBEGIN:VALARM\nX;TZID=Europe/Berlin:1\n"},
		"a zone without need":     {crlf(cal(event("a", "DTEND;TZID=Nowhere:20261126T110000Z\n"))), `removed the zone "Nowhere", which the time does not need`, "DTEND:20261126T110000Z\n"},
		"an availability":         {crlf(cal("BEGIN:VAVAILABILITY\nUID:a\nBEGIN:AVAILABLE\nUID:b\nDTSTART:2026-11-26\nEND:AVAILABLE\nEND:VAVAILABILITY\n")), "corrected the time of DTSTART", "DTSTART:20261126\n"},
		"the same twice":          {crlf(cal(ev + ev)), "removed a repeated copy", cal(ev)},
		"a newer version":         {crlf(cal(event("a", "SEQUENCE:2\nSUMMARY:new\n") + event("a", "SUMMARY:old\n"))), `left out an older version: "old" of 20261126T090000Z`, cal(event("a", "SEQUENCE:2\nSUMMARY:new\n"))},
		"a later change":          {crlf(cal(event("a", "LAST-MODIFIED:20261126T090000Z\n") + event("a", "LAST-MODIFIED:20261126T080000Z\n"))), "left out an older version: without a title of 20261126T090000Z", cal(event("a", "LAST-MODIFIED:20261126T090000Z\n"))},
		"an override twice":       {crlf(cal(event("a", "RECURRENCE-ID:20261126T090000Z\nX:1\n") + event("a", "RECURRENCE-ID:20261126T090000Z\nX:2\n"))), "left out an older version: without a title of 20261126T090000Z", "X:2\n"},
		"a stranger beside it":    {crlf(cal("METHOD:X\nBEGIN:X-A\nEND:X-A\n" + ev)), "removed METHOD:X, which makes it a message", ev + "BEGIN:X-A\nEND:X-A\nEND:VCALENDAR\n"},
	} {
		got, mends := mended(t, name, c.data, opts)
		if mends != c.mends || !strings.Contains(strings.ReplaceAll(got, "\r\n", "\n"), strings.ReplaceAll(c.want, "\r\n", "\n")) {
			t.Errorf("%s: %q\n%s", name, mends, got)
		}
		again, mends := mended(t, name, got, opts)
		if mends != "" || again != got {
			t.Errorf("%s: mended twice: %q\n%s", name, mends, again)
		}
		if mends == "" && c.mends == "" && got != c.data {
			t.Errorf("%s: changed without a mend", name)
		}
	}
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func TestMendRefuses(t *testing.T) {
	flood := "RDATE:" + strings.Repeat("20261126T090000Z,", 20001) + "x\n"
	for name, c := range map[string]struct {
		data string
		want Precondition
		why  string
	}{
		"nothing":                {"", ValidCalendarObjectResource, "no event"},
		"text":                   {"hello\n", ValidCalendarObjectResource, "no event"},
		"an empty version 1.0":   {"BEGIN:VCALENDAR\nVERSION:1.0\nEND:VCALENDAR\n", ValidCalendarObjectResource, "no event"},
		"a contact":              {"BEGIN:VCARD\nFN:a\nEND:VCARD\n", SupportedCalendarData, "address book"},
		"a Hebrew calendar":      {cal("CALSCALE:HEBREW\n" + event("a", "")), SupportedCalendarData, "GREGORIAN"},
		"no component":           {cal(zone("A")), ValidCalendarObjectResource, "no event"},
		"only strangers":         {cal("BEGIN:X-A\nEND:X-A\n"), SupportedCalendarComponent, "X-A"},
		"an event without start": {cal("BEGIN:VEVENT\nUID:a\nSUMMARY:Tea\nEND:VEVENT\n"), ValidCalendarData, `"Tea" has no DTSTART`},
		"an odd start":           {cal("BEGIN:VEVENT\nUID:a\nDTSTART:2006717T080000Z\nEND:VEVENT\n"), ValidCalendarData, "no DTSTART that can be read"},
		"a flood":                {cal(event("a", flood)), ValidCalendarData, "20000"},
		"too deep":               {cal(event("a", strings.Repeat("BEGIN:X\n", 9))), ValidCalendarData, "deep"},
		"too large":              {cal(event("a", "X:"+strings.Repeat("x", 11<<20)+"\n")), ValidCalendarData, "larger"},
		"too many lines":         {strings.Repeat("\n", 500000), ValidCalendarData, "lines"},
	} {
		out, r := Mend([]byte(c.data), opts)
		if r == nil || len(out) != 0 || r.Precondition != c.want || !strings.Contains(r.Why, c.why) {
			t.Errorf("%s: %d objects, %v", name, len(out), r)
		}
	}
}

// One file that is several objects gives them all, and tells of those that it does not.
func TestMendDivides(t *testing.T) {
	out, r := Mend([]byte(cal("METHOD:PUBLISH\n"+zone("A")+zone("B")+event("a", "RRULE:FREQ=DAILY\n")+event("b", "X;TZID=B:1\n")+"BEGIN:VEVENT\nUID:c\nEND:VEVENT\nBEGIN:VTODO\nUID:a\nEND:VTODO\n"+
		event("a", "RECURRENCE-ID:20261126T090000Z\n"))), opts)
	var got []string
	for _, m := range out {
		got = append(got, uids(string(m.Octets)))
	}
	if r == nil || r.Precondition != ValidCalendarData || !slices.Equal(got, []string{"VEVENT a, VEVENT a", "zone B, VEVENT b", "VTODO a"}) {
		t.Errorf("%q, %v", got, r)
	}
	// One UID for different things.
	party, tea := event("1", "SUMMARY:Tea\n"), "BEGIN:VEVENT\nUID:1\nDTSTART:20261127T090000Z\nSUMMARY:Party\nEND:VEVENT\n"
	out, r = Mend([]byte(cal(party+tea)), opts)
	if r != nil || len(out) != 2 || uids(string(out[0].Octets)) != "VEVENT 1" || !strings.Contains(string(out[1].Octets), "X-FORMER-UID:1") {
		t.Errorf("%d, %v", len(out), r)
	}
	again, _ := Mend([]byte(cal(party+tea)), opts)
	if string(out[1].Octets) != string(again[1].Octets) {
		t.Error("the new UID is not the same again")
	}
	// As messages, the later one counts.
	out, r = Mend([]byte(cal("METHOD:REQUEST\n"+party+tea)), opts)
	if r != nil || len(out) != 1 || !strings.Contains(string(out[0].Octets), "Party") || !slices.Contains(out[0].Mends, `left out an older version: "Tea" of 20261126T090000Z`) {
		t.Errorf("%d, %v", len(out), r)
	}
}

// The UID of an event without one depends on what it says, not on when it was exported.
func TestMendGivesTheSameUIDAgain(t *testing.T) {
	const ev = "BEGIN:VEVENT\nDTSTAMP:20261126T090000Z\nDTSTART:20261126\nEND:VEVENT\n"
	a, _ := mended(t, "a", cal(ev), opts)
	b, _ := mended(t, "b", cal(strings.Replace(ev, "26T09", "27T10", 1)), opts)
	c, _ := mended(t, "c", cal(strings.Replace(ev, "DTSTART:20261126", "DTSTART:20261127", 1)), opts)
	uid := func(s string) string { _, ix, _ := Judge([]byte(s), Limits{}); return ix.UID }
	if uid(a) == "" || uid(a) != uid(b) || uid(a) == uid(c) {
		t.Errorf("%s %s %s", uid(a), uid(b), uid(c))
	}
}

func FuzzMend(f *testing.F) {
	for _, s := range nastySeeds {
		f.Add([]byte(s), "Europe/Berlin")
	}
	f.Fuzz(func(t *testing.T, data []byte, zone string) {
		o := MendOptions{Zone: zone, Known: known, Rule: rule}
		out, r := Mend(data, o)
		if len(out) == 0 && r == nil {
			t.Fatal("neither objects nor a refusal")
		}
		seen := map[string]bool{}
		for _, m := range out {
			_, ix, r := Judge(m.Octets, Limits{})
			if r != nil {
				t.Fatalf("%v in %q", r, m.Octets)
			}
			if seen[ix.Kind+ix.UID] {
				t.Fatalf("%+v twice", ix)
			}
			seen[ix.Kind+ix.UID] = true
			if len(m.Mends) == 0 && string(m.Octets) != string(data) {
				t.Fatalf("changed without a mend: %q", m.Octets)
			}
			again, r := Mend(m.Octets, o)
			if r != nil || len(again) != 1 || len(again[0].Mends) != 0 || string(again[0].Octets) != string(m.Octets) {
				t.Fatalf("mended again: %v, %+v", r, again)
			}
		}
	})
}

func TestMendConvertsVersion1(t *testing.T) {
	data := "BEGIN:VCALENDAR\r\nVERSION:1.0\r\nPRODID:-//Example//Phone//EN\r\nTZ:+01\r\nDAYLIGHT:TRUE;+02;20260329T020000;20261025T030000;;\r\n" +
		"BEGIN:VEVENT\r\nUID:1\r\nDTSTART:20261126T090000\r\nDTEND:20261126T100000\r\nSUMMARY;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:M=FCller, =\r\nKaffee; Tee=0D=0Aum zehn=\r\n\r\n" +
		"DESCRIPTION;QUOTED-PRINTABLE:=C3=BC=zz\r\nCATEGORIES:MEETING;PHONE CALL\r\nSTATUS:NEEDS ACTION\r\nTRANSP:0\r\nRRULE:W2 MO TH #8\r\nEXDATE:20261207T090000;20261210T090000\r\n" +
		"AALARM:20261126T084500;;;x.wav\r\nDALARM:20261126T074500Z;;;go\r\nATTENDEE;ROLE=OWNER;STATUS=SENT:Ann <ann@example.org>\r\nATTENDEE:Bob\r\nLOCATION:a\\;b\r\nEND:VEVENT\r\n" +
		"BEGIN:VTODO\r\nUID:2\r\nDUE:20261126T090000Z\r\nRRULE:D1 M5 #2\r\nTRANSP:1\r\nPALARM:soon\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
	out, r := Mend([]byte(data), opts)
	if r != nil || len(out) != 2 || out[0].Index != (Index{"1", "VEVENT"}) || out[1].Index != (Index{"2", "VTODO"}) {
		t.Fatalf("%+v, %v", out, r)
	}
	for i, want := range [][]string{
		{"VERSION:2.0", "X-FORMER-TZ:+01", `SUMMARY:Müller\, Kaffee\; Tee\num zehn`, "DESCRIPTION:ü=zz", "CATEGORIES:MEETING,PHONE CALL", "STATUS:NEEDS-ACTION", "TRANSP:OPAQUE",
			"RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH;COUNT=8", "EXDATE:20261207T090000,20261210T090000", "TRIGGER:-PT15M", "TRIGGER;VALUE=DATE-TIME:20261126T074500Z",
			"ATTENDEE;CN=Ann:mailto:ann@example.org", "X-FORMER-ATTENDEE:Bob", "X-FORMER-AALARM:20261126T084500;;;x.wav", `LOCATION:a\;b`, `DESCRIPTION:Müller\, Kaffee\; Teeum zehn`},
		{"VERSION:2.0", "DUE:20261126T090000Z", "X-FORMER-RRULE:D1 M5 #2", "TRANSP:TRANSPARENT", "X-FORMER-PALARM:soon"},
	} {
		lines := slices.Collect(logical(string(out[i].Octets)))
		for _, w := range want {
			if !slices.Contains(lines, w) {
				t.Errorf("no %q in\n%s", w, out[i].Octets)
			}
		}
	}
	if out[0].Mends[0] != "converted vCalendar 1.0 to iCalendar 2.0" {
		t.Errorf("%q", out[0].Mends)
	}
}

func TestRulesOfVersion1(t *testing.T) {
	for in, want := range map[string]string{
		"D1 #10": "FREQ=DAILY;COUNT=10", "d3 #0": "FREQ=DAILY;INTERVAL=3", "D1": "FREQ=DAILY;COUNT=2", "D1 20261224T000000Z": "FREQ=DAILY;UNTIL=20261224T000000Z",
		"W1 #0": "FREQ=WEEKLY", "W2 TU TH 20261224": "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;UNTIL=20261224",
		"MP1 1+ FR #0": "FREQ=MONTHLY;BYDAY=1FR", "MP2 2+ MO WE 1- SU #4": "FREQ=MONTHLY;INTERVAL=2;BYDAY=2MO,2WE,-1SU;COUNT=4", "MD1 15 LD 7- #0": "FREQ=MONTHLY;BYMONTHDAY=15,-1,-7",
		"YM1 6 #0": "FREQ=YEARLY;BYMONTH=6", "YM1 #0": "FREQ=YEARLY", "YD1 100 200 #0": "FREQ=YEARLY;BYYEARDAY=100,200", "FREQ=DAILY": "FREQ=DAILY",
	} {
		if got, ok := rule1(in); !ok || got != want {
			t.Errorf("%q: %q, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "#3", "D", "D0 #1", "D1 M5 #2", "W1 XX", "MP1 FR", "MP1 6+ FR", "MP1 1+", "MD1 32", "YM1 13", "D1 2026122x", "X1 #0", "D1 #x", "D99999999 #0", "MD1 1++"} {
		if got, ok := rule1(in); ok {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// What is hostile may cost no more than its length: each of these would take minutes if something were done again for every line of it.
func TestMendIsLinear(t *testing.T) {
	n := 20000
	var zones, events, same strings.Builder
	for i := range n {
		s := strconv.Itoa(i)
		if i < 5000 {
			zones.WriteString("BEGIN:VTIMEZONE\nTZID:" + s + "\nEND:VTIMEZONE\n")
			events.WriteString(event(s, "X;TZID="+s+":1\n"))
		}
		same.WriteString("BEGIN:VEVENT\nUID:1\nSUMMARY:" + s + "\nDTSTART:20261126\nEND:VEVENT\n")
	}
	for name, data := range map[string]string{
		"stray lines":     cal(event("a", "DESCRIPTION:x\n"+strings.Repeat("stray\n", 90000))),
		"odd lists":       cal(event("a", strings.Repeat("RDATE:soon\n", 40000))),
		"odd parameters":  cal(event("a", strings.Repeat("X;;;A;B=\"c:d\n", 90000))),
		"properties":      cal(strings.Repeat("X-A:1\n", 80000) + events.String()),
		"zones":           cal(zones.String() + events.String()),
		"versions":        cal(same.String()[:len(same.String())/2]),
		"odd ENDs":        cal(strings.Repeat("BEGIN:X\nEND:Y\n", 10000) + event("a", "")),
		"lost ENDs":       cal(strings.Repeat("BEGIN:VEVENT\nUID:1\nDTSTART:20261126\n", 15000)),
		"version 1.0":     "BEGIN:VCALENDAR\nVERSION:1.0\n" + event("a", "SUMMARY;QUOTED-PRINTABLE:"+strings.Repeat("a=\n", 90000)) + "END:VCALENDAR\n",
		"a large product": "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:" + strings.Repeat("x", 1<<20) + "\n" + events.String() + "END:VCALENDAR\n",
	} {
		start := time.Now()
		out, r := Mend([]byte(data), opts)
		t.Log(name, len(out), r, time.Since(start))
		if took := time.Since(start); took > time.Minute || len(out) == 0 && r == nil {
			t.Errorf("%s: %d objects, %v after %v", name, len(out), r, took)
		}
	}
}
