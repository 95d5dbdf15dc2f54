package ical

import (
	"fmt"
	"strings"
	"testing"
)

// cal wraps components into a VCALENDAR.
func cal(components string) string {
	return "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n" + components + "END:VCALENDAR\n"
}

// event is a VEVENT with a UID, a DTSTART and what else is given.
func event(uid, more string) string {
	return "BEGIN:VEVENT\nUID:" + uid + "\nDTSTART:20261126T090000Z\n" + more + "END:VEVENT\n"
}

func TestJudgeAccepts(t *testing.T) {
	for name, c := range map[string]struct {
		data string
		want Index
	}{
		"an event":                    {small, Index{"1@example.org", "VEVENT"}},
		"lower case":                  {strings.ToLower(small), Index{"1@example.org", "VEVENT"}},
		"bare LF, blank lines":        {"\n" + strings.ReplaceAll(small, "\r\n", "\n") + "\n\n", Index{"1@example.org", "VEVENT"}},
		"no last line end":            {strings.TrimSpace(small), Index{"1@example.org", "VEVENT"}},
		"no PRODID, no DTSTAMP":       {"BEGIN:VCALENDAR\nVERSION:2.0\n" + event("a", "") + "END:VCALENDAR", Index{"a", "VEVENT"}},
		"an escaped UID":              {cal(event(` a\,b `, "")), Index{"a,b", "VEVENT"}},
		"a UID at the bound":          {cal(event(strings.Repeat("a", MaxUID), "")), Index{strings.Repeat("a", MaxUID), "VEVENT"}},
		"a date without VALUE":        {cal("BEGIN:VEVENT\nUID:a\nDTSTART:20261126\nDTEND:20261127\nEND:VEVENT\n"), Index{"a", "VEVENT"}},
		"a bare to-do":                {cal("BEGIN:VTODO\nUID:a\nRRULE:FREQ=DAILY\nDUE:20261126\nCOMPLETED:now\nEND:VTODO\n"), Index{"a", "VTODO"}},
		"due before it starts":        {cal("BEGIN:VTODO\nUID:a\nDTSTART:20261127\nDUE:20261126\nEND:VTODO\n"), Index{"a", "VTODO"}},
		"a note":                      {cal("BEGIN:VJOURNAL\nUID:a\nEND:VJOURNAL\n"), Index{"a", "VJOURNAL"}},
		"free and busy":               {cal("BEGIN:VFREEBUSY\nUID:a\nFREEBUSY:20261126T090000Z/PT1H,20261126T110000Z/20261126T120000Z\nEND:VFREEBUSY\n"), Index{"a", "VFREEBUSY"}},
		"availability":                {cal("BEGIN:VAVAILABILITY\nUID:a\nBEGIN:AVAILABLE\nUID:b\nDTSTART:20261126T090000Z\nEND:AVAILABLE\nEND:VAVAILABILITY\n"), Index{"a", "VAVAILABILITY"}},
		"overrides":                   {cal(event("a", "RRULE:FREQ=DAILY\n") + event("a", "RECURRENCE-ID:20261126T090000Z\n") + event("a", "RECURRENCE-ID:20261127T090000Z\n")), Index{"a", "VEVENT"}},
		"an override alone":           {cal(event("a", "RECURRENCE-ID:20261126T090000Z\n")), Index{"a", "VEVENT"}},
		"the same time, other zone":   {cal(event("a", "RECURRENCE-ID;TZID=A:20261126T090000\n") + event("a", "RECURRENCE-ID;TZID=B:20261126T090000\n")), Index{"a", "VEVENT"}},
		"a strange component":         {cal("BEGIN:X-ODD\nX:1\nEND:X-ODD\n" + event("a", "BEGIN:X-IN\nBEGIN:X-IN\nEND:X-IN\nEND:X-IN\n")), Index{"a", "VEVENT"}},
		"zones":                       {cal("BEGIN:VTIMEZONE\nTZID:\nEND:VTIMEZONE\nBEGIN:VTIMEZONE\nTZID:A\nEND:VTIMEZONE\n" + event("a", "")), Index{"a", "VEVENT"}},
		"no duration":                 {cal(event("a", "DTEND:20261126T090000Z\n")), Index{"a", "VEVENT"}},
		"an end in another zone":      {cal(event("a", "DTEND;TZID=Asia/Tokyo:20261126T080000\n")), Index{"a", "VEVENT"}},
		"empty lists":                 {cal(event("a", "EXDATE:\nRDATE;VALUE=DATE:\n")), Index{"a", "VEVENT"}},
		"an empty zone":               {cal(event("a", "EXDATE;TZID=:20261126T090000\n")), Index{"a", "VEVENT"}},
		"odd parameters":              {cal(event("a", "ATTENDEE;CN=O'Brien \"Bob\" (x=y);X-A=:mailto:a@example.org\nX-A;B=\"c\" d:e\n")), Index{"a", "VEVENT"}},
		"years 1 and 9999":            {cal("BEGIN:VEVENT\nUID:a\nDTSTART:00010101T000000Z\nDTEND:99991231T235959Z\nEND:VEVENT\n"), Index{"a", "VEVENT"}},
		"both versions":               {strings.Replace(small, "VERSION:2.0", "VERSION:1.0;2.0", 1), Index{"1@example.org", "VEVENT"}},
		"a leap second":               {cal(event("a", "RDATE:20161231T235960Z\n")), Index{"a", "VEVENT"}},
		"VALUE=DATE before midnight":  {cal("BEGIN:VEVENT\nUID:a\nDTSTART;VALUE=DATE:20261126T000000\nEND:VEVENT\n"), Index{"a", "VEVENT"}},
		"the alarm's own DURATION":    {cal(event("a", "DTEND:20261126T093000Z\nBEGIN:VALARM\nTRIGGER:-PT5M\nDURATION:PT5M\nREPEAT:2\nEND:VALARM\n")), Index{"a", "VEVENT"}},
		"CALSCALE":                    {strings.Replace(small, "VERSION:2.0", "CALSCALE:gregorian\r\nVERSION:2.0", 1), Index{"1@example.org", "VEVENT"}},
		"a lower-case mixture in END": {cal("BEGIN:vEvent\nUID:a\nDTSTART:20261126T090000Z\nEND:Vevent\n"), Index{"a", "VEVENT"}},
	} {
		tree, ix, r := Judge([]byte(c.data), Limits{})
		if r != nil || ix != c.want {
			t.Errorf("%s: %+v, %v", name, ix, r)
			continue
		}
		if got := string(tree.Append(nil)); got != c.data {
			t.Errorf("%s: the tree gives %q", name, got)
		}
	}
}

func TestJudgeRefuses(t *testing.T) {
	flood := "RDATE:" + strings.Repeat("20261126T090000Z,", 19999) + "20261126T090000Z\n"
	for name, c := range map[string]struct {
		data string
		want Precondition
		line int
		why  string
	}{
		"nothing":                 {"", ValidCalendarData, 0, "no calendar"},
		"blank":                   {" \r\n\n", ValidCalendarData, 0, "no calendar"},
		"a web page":              {"<!DOCTYPE html>\n<html>", SupportedCalendarData, 1, "not iCalendar"},
		"JSON":                    {`["vcalendar",[],[]]`, SupportedCalendarData, 1, "not iCalendar"},
		"binary":                  {"\xff\xd8\xff\xe0", SupportedCalendarData, 1, "not iCalendar"},
		"a contact":               {"BEGIN:VCARD\nVERSION:3.0\nEND:VCARD\n", SupportedCalendarData, 1, "contact"},
		"version 1.0":             {strings.Replace(small, "VERSION:2.0", "VERSION:1.0", 1), SupportedCalendarData, 2, "1.0"},
		"version 1.0, broken":     {"BEGIN:VCALENDAR\nVERSION: 1.0\nBEGIN:VEVENT\nSUMMARY;QUOTED-PRINTABLE:a=\nb\nEND:VEVENT\nEND:VCALENDAR", SupportedCalendarData, 0, "1.0"},
		"version 3":               {strings.Replace(small, "VERSION:2.0", "VERSION:3.0", 1), SupportedCalendarData, 2, "2.0"},
		"no version":              {strings.Replace(small, "VERSION:2.0\r\n", "", 1), ValidCalendarData, 1, "VERSION is missing"},
		"two versions":            {strings.Replace(small, "VERSION:2.0", "VERSION:2.0\r\nVERSION:2.0", 1), ValidCalendarData, 1, "more than once"},
		"a Hebrew calendar":       {strings.Replace(small, "VERSION:2.0", "VERSION:2.0\r\nCALSCALE:HEBREW", 1), SupportedCalendarData, 3, "GREGORIAN"},
		"a message":               {strings.Replace(small, "VERSION:2.0", "VERSION:2.0\r\nMETHOD:REQUEST", 1), ValidCalendarObjectResource, 3, "METHOD"},
		"a byte order mark":       {"\uFEFF" + small, ValidCalendarData, 1, "byte order mark"},
		"no calendar around":      {event("a", ""), ValidCalendarData, 1, "VEVENT and no VCALENDAR"},
		"two calendars":           {small + small, ValidCalendarObjectResource, 17, "more than one VCALENDAR"},
		"a line behind":           {small + "X:1\n", ValidCalendarData, 17, "behind END:VCALENDAR"},
		"cut off":                 {strings.TrimSuffix(small, "END:VEVENT\r\nEND:VCALENDAR\r\n"), ValidCalendarData, 4, "END:VEVENT is missing"},
		"an END too many":         {cal(event("a", "END:VALARM\n")), ValidCalendarData, 7, "does not end VEVENT"},
		"nothing begins":          {cal(event("a", "BEGIN: \n")), ValidCalendarData, 7, "what begins"},
		"an event in an event":    {cal("BEGIN:VEVENT\nUID:a\n" + event("b", "") + "END:VEVENT\n"), ValidCalendarData, 6, "inside"},
		"a calendar in it":        {cal(cal(event("b", ""))), ValidCalendarData, 7, "inside"},
		"no component":            {cal(""), ValidCalendarObjectResource, 1, "no event"},
		"only a zone":             {cal("BEGIN:VTIMEZONE\nTZID:A\nEND:VTIMEZONE\n"), ValidCalendarObjectResource, 1, "no event"},
		"a zone without name":     {cal("BEGIN:VTIMEZONE\nEND:VTIMEZONE\n" + event("a", "")), ValidCalendarData, 4, "TZID"},
		"only a strange one":      {cal("BEGIN:X-ODD\nEND:X-ODD\n"), SupportedCalendarComponent, 4, "X-ODD"},
		"only an alarm":           {cal("BEGIN:VALARM\nEND:VALARM\n"), SupportedCalendarComponent, 4, "VALARM"},
		"mixed kinds":             {cal(event("a", "") + "BEGIN:VTODO\nUID:a\nEND:VTODO\n"), ValidCalendarObjectResource, 8, "beside"},
		"several UIDs":            {cal(event("a", "") + event("b", "RECURRENCE-ID:20261126T090000Z\n")), ValidCalendarObjectResource, 9, "different UIDs"},
		"UIDs in another case":    {cal(event("a", "") + event("A", "RECURRENCE-ID:20261126T090000Z\n")), ValidCalendarObjectResource, 9, "different UIDs"},
		"no UID":                  {cal("BEGIN:VEVENT\nDTSTART:20261126\nEND:VEVENT\n"), ValidCalendarObjectResource, 4, "no UID"},
		"an empty UID":            {cal(event(" ", "")), ValidCalendarObjectResource, 5, "no UID"},
		"a long UID":              {cal(event(strings.Repeat("a", 2000), "")), ValidCalendarObjectResource, 5, "longer"},
		"a UID of two lines":      {cal(event(`a\nb`, "")), ValidCalendarObjectResource, 5, "line break"},
		"two UIDs in one":         {cal(event("a", "UID:a\n")), ValidCalendarData, 7, "more than once"},
		"two masters":             {cal(event("a", "") + event("a", "")), ValidCalendarObjectResource, 8, "RECURRENCE-ID"},
		"an override twice":       {cal(event("a", "RECURRENCE-ID:20261126T090000Z\n") + event("a", "RECURRENCE-ID;X=1:20261126T090000Z\n")), ValidCalendarObjectResource, 12, "this RECURRENCE-ID"},
		"an event without start":  {cal("BEGIN:VEVENT\nUID:a\nEND:VEVENT\n"), ValidCalendarData, 4, "DTSTART"},
		"two starts":              {cal(event("a", "DTSTART:20261126\n")), ValidCalendarData, 7, "more than once"},
		"an odd time":             {cal(event("a", "DTEND:2006717T080000Z\n")), ValidCalendarData, 7, "cannot be read"},
		"an empty time":           {cal(event("a", "DTEND:\n")), ValidCalendarData, 7, "cannot be read"},
		"the year 0":              {cal(event("a", "RDATE:00001231T000000Z\n")), ValidCalendarData, 7, "cannot be read"},
		"the 30th of February":    {cal(event("a", "EXDATE;VALUE=DATE:20260230\n")), ValidCalendarData, 7, "cannot be read"},
		"a time as a date":        {cal("BEGIN:VEVENT\nUID:a\nDTSTART;VALUE=DATE:20261126T090000\nEND:VEVENT\n"), ValidCalendarData, 6, "cannot be read"},
		"an end before the start": {cal(event("a", "DTEND:20261126T085959Z\n")), ValidCalendarData, 7, "before"},
		"an end and a duration":   {cal(event("a", "DTEND:20261126T100000Z\nDURATION:PT1H\n")), ValidCalendarData, 8, "beside DTEND"},
		"a negative duration":     {cal(event("a", "DURATION:-PT1H\n")), ValidCalendarData, 7, "DURATION"},
		"an odd duration":         {cal(event("a", "DURATION:1H\n")), ValidCalendarData, 7, "DURATION"},
		"an odd period":           {cal(event("a", "RDATE;VALUE=PERIOD:20261126T090000Z/-PT1H\n")), ValidCalendarData, 7, "cannot be read"},
		"a flood":                 {cal(event("a", flood+flood+flood)), ValidCalendarData, 4, "recurrence rule"},
		"a flood in a line":       {cal(event("a", strings.TrimSpace(flood)+",20261126T090000Z\n")), ValidCalendarData, 7, "20000"},
		"a control character":     {cal(event("a", "SUMMARY:a\x0bb\n")), ValidCalendarData, 7, "U+000B"},
		"NUL":                     {cal(event("a", "SUMMARY:a\x00b\n")), ValidCalendarData, 7, "U+0000"},
		"no character":            {cal(event("a", "SUMMARY:\uFFFE\n")), ValidCalendarData, 7, "no character"},
		"Latin-1":                 {cal(event("a", "SUMMARY:M\xfcll\n")), ValidCalendarData, 7, "UTF-8"},
		"line ends of old Macs":   {strings.ReplaceAll(small, "\r\n", "\r"), ValidCalendarData, 1, "carriage return"},
		"stray text":              {cal(event("a", "SUMMARY:a\nand more\n")), ValidCalendarData, 8, "no colon"},
		"no property name":        {cal(event("a", "and so: on\n")), ValidCalendarData, 7, "property name"},
		"a nameless parameter":    {cal(event("a", "SUMMARY;QUOTED:a\n")), ValidCalendarData, 7, "parameter"},
		"an open quote":           {cal(event("a", "X;CN=\"a:b;c\n")), ValidCalendarData, 7, "quote"},
		"an ambiguous quote":      {cal(event("a", "X;CN=\"a:b\"c:d\n")), ValidCalendarData, 7, "quote"},
		"a fold at the begin":     {" " + small, ValidCalendarData, 1, "white space"},
		"too deep":                {cal(event("a", strings.Repeat("BEGIN:X\n", 9)+strings.Repeat("END:X\n", 9))), ValidCalendarData, 13, "deep"},
		"many parameters":         {cal(event("a", "X"+strings.Repeat(";A=1", 129)+":1\n")), ValidCalendarData, 7, "parameters"},
	} {
		_, ix, r := Judge([]byte(c.data), Limits{})
		if r == nil || r.Precondition != c.want || r.Line != c.line || !strings.Contains(r.Why, c.why) || ix != (Index{}) {
			t.Errorf("%s: %v, want %s in line %d with %q", name, r, c.want, c.line, c.why)
		}
	}
}

func TestJudgeObeysItsLimits(t *testing.T) {
	many := cal(event("a", "") + strings.Repeat("BEGIN:X\nEND:X\n", 50))
	for _, lim := range []Limits{{Octets: 100}, {LineOctets: 20}, {Lines: 10}, {Components: 20}, {Depth: 1}} {
		if _, _, r := Judge([]byte(many), lim); r == nil || r.Precondition != ValidCalendarData {
			t.Errorf("%+v: %v", lim, r)
		}
	}
	if _, _, r := Judge([]byte(many), Limits{}); r != nil {
		t.Error(r)
	}
}

func FuzzJudge(f *testing.F) {
	for _, s := range nastySeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, ix, r := Judge(data, Limits{})
		if r != nil {
			if r.Why == "" || ix != (Index{}) || c != nil {
				t.Fatalf("%+v, %+v, %v", r, ix, c)
			}
			return
		}
		if string(c.Append(nil)) != string(data) || ix.UID == "" || len(ix.UID) > MaxUID || isKind(ix.Kind) == "" {
			t.Fatalf("%+v", ix)
		}
	})
}

// event1K is an event of about 1 KB as phones write them.
var event1K = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example Corp.//Example 4.2//EN\r\nCALSCALE:GREGORIAN\r\nBEGIN:VEVENT\r\nCREATED:20261101T081512Z\r\n" +
	"UID:0F6C7E3A-7B1D-4E57-9C1F-2D5F0A6B3C4D\r\nDTSTAMP:20261101T081512Z\r\nLAST-MODIFIED:20261101T081512Z\r\nDTSTART;TZID=Europe/Berlin:20261126T090000\r\n" +
	"DTEND;TZID=Europe/Berlin:20261126T100000\r\nSUMMARY:Standing around and talking\r\nLOCATION:Room 4\\, second floor\r\nSTATUS:CONFIRMED\r\nTRANSP:OPAQUE\r\nSEQUENCE:3\r\n" +
	"ORGANIZER;CN=Ann:mailto:ann@example.org\r\nATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;CN=Ann:mailto:ann@example.or\r\n g\r\n" +
	"ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;CN=Bob:mailto:bob@exampl\r\n e.org\r\nRRULE:FREQ=WEEKLY;BYDAY=TH\r\n" +
	"EXDATE;TZID=Europe/Berlin:20261203T090000\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:Reminder\r\nTRIGGER:-PT15M\r\nUID:5B1D0B1C-8C0C-4F56-8E8B-8C3E6F3C2D11\r\n" +
	"END:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

func BenchmarkParse(b *testing.B) {
	data := []byte(event1K)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(data, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkJudge(b *testing.B) {
	data := []byte(event1K)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, r := Judge(data, Limits{}); r != nil {
			b.Fatal(r)
		}
	}
}

func ExampleJudge() {
	_, ix, _ := Judge([]byte(small), Limits{})
	fmt.Println(ix.Kind, ix.UID)
	_, _, refusal := Judge([]byte("BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:REQUEST\nEND:VCALENDAR\n"), Limits{})
	fmt.Println(refusal)
	// Output:
	// VEVENT 1@example.org
	// valid-calendar-object-resource: line 3: METHOD makes this a message; remove it to store the object.
}
