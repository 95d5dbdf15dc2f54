package occur

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"holdfast/internal/ical"
	"holdfast/internal/ical/recur"
)

// The example of RFC 4791, appendix B and section 7.8.3: an event at noon in New York, five days, the third one moved.
const abcd2 = `
BEGIN:VTIMEZONE
TZID:US/Eastern
BEGIN:DAYLIGHT
DTSTART:20000404T020000
RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=4
TZNAME:EDT
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:20001026T020000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
TZNAME:EST
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
DTSTAMP:20060206T001121Z
DTSTART;TZID=US/Eastern:20060102T120000
DURATION:PT1H
RRULE:FREQ=DAILY;COUNT=5
SUMMARY:Event #2
UID:00959BC664CA650E933C892C@example.com
END:VEVENT
BEGIN:VEVENT
DTSTAMP:20060206T001121Z
DTSTART;TZID=US/Eastern:20060104T140000
DURATION:PT1H
RECURRENCE-ID;TZID=US/Eastern:20060104T120000
SUMMARY:Event #2 bis
UID:00959BC664CA650E933C892C@example.com
END:VEVENT
BEGIN:VEVENT
DTSTAMP:20060206T001121Z
DTSTART;TZID=US/Eastern:20060106T140000
DURATION:PT1H
RECURRENCE-ID;TZID=US/Eastern:20060106T120000
SUMMARY:Event #2 bis bis
UID:00959BC664CA650E933C892C@example.com
END:VEVENT`

// lines gives the lines of a component that have one of these names.
func lines(c *ical.Component, names ...string) string {
	var b []string
	for line := range strings.SplitSeq(strings.NewReplacer("\r\n ", "", "\r\n", "\n").Replace(string(c.Append(nil))), "\n") {
		for _, n := range names {
			if strings.HasPrefix(line, n) && (len(line) == len(n) || strings.ContainsAny(line[len(n):len(n)+1], ":;")) {
				b = append(b, line)
			}
		}
	}
	return strings.Join(b, "\n")
}

func TestExpand(t *testing.T) {
	for name, c := range map[string]struct{ floating, body, from, to, want string }{
		"the RFC's example": {"", abcd2, "20060103T000000Z", "20060105T000000Z",
			"DTSTART:20060103T170000Z\nDURATION:PT1H\nSUMMARY:Event #2\nRECURRENCE-ID:20060103T170000Z\n" +
				"DTSTART:20060104T190000Z\nDURATION:PT1H\nRECURRENCE-ID:20060104T170000Z\nSUMMARY:Event #2 bis"},
		"nothing in the range": {"", abcd2, "20060201T000000Z", "20060205T000000Z", ""},
		"a single event": {"", vevent("DTSTART;TZID=Europe/Berlin:20261126T090000", "DTEND;TZID=America/New_York:20261126T050000"), "-", "+",
			"DTSTART:20261126T080000Z\nDTEND:20261126T100000Z"},
		"whole days": {"Europe/Berlin", vevent("DTSTART;VALUE=DATE:20260328", "DTEND;VALUE=DATE:20260330", "RRULE:FREQ=WEEKLY;COUNT=2", "EXDATE;VALUE=DATE:20270101"), "-", "+",
			"DTSTART;VALUE=DATE:20260328\nDTEND;VALUE=DATE:20260330\nRECURRENCE-ID;VALUE=DATE:20260328\n" +
				"DTSTART;VALUE=DATE:20260404\nDTEND;VALUE=DATE:20260406\nRECURRENCE-ID;VALUE=DATE:20260404"},
		"floating times": {"Europe/Berlin", vevent("DTSTART:20260701T090000", "DTEND:20260701T100000"), "-", "+", "DTSTART:20260701T070000Z\nDTEND:20260701T080000Z"},
		"days over a change": {"", vevent("DTSTART;TZID=Europe/Berlin:20260328T090000", "DURATION:P1D", "RRULE:FREQ=DAILY;COUNT=2"), "-", "+",
			"DTSTART:20260328T080000Z\nDURATION:PT23H\nRECURRENCE-ID:20260328T080000Z\nDTSTART:20260329T070000Z\nDURATION:P1D\nRECURRENCE-ID:20260329T070000Z"},
		"a to-do": {"", "BEGIN:VTODO\nDTSTART;TZID=Europe/Berlin:20261126T090000\nDUE;TZID=Europe/Berlin:20261127T090000\nRRULE:FREQ=WEEKLY;COUNT=1\nEND:VTODO", "-", "+",
			"DTSTART:20261126T080000Z\nDUE:20261127T080000Z\nRECURRENCE-ID:20261126T080000Z"},
		"this and future": {"", vevent("DTSTART:20261101T090000Z", "RRULE:FREQ=DAILY;COUNT=3", "SUMMARY:a") + "\n" +
			vevent("RECURRENCE-ID;RANGE=THISANDFUTURE:20261102T090000Z", "DTSTART:20261102T100000Z", "SUMMARY:b"), "-", "+",
			"DTSTART:20261101T090000Z\nSUMMARY:a\nRECURRENCE-ID:20261101T090000Z\nRECURRENCE-ID:20261102T090000Z\nDTSTART:20261102T100000Z\nSUMMARY:b\n" +
				"RECURRENCE-ID:20261103T090000Z\nDTSTART:20261103T100000Z\nSUMMARY:b"},
		"a period with a length of its own": {"", vevent("DTSTART:20261126T090000Z", "DURATION:PT1H", "RDATE;VALUE=PERIOD:20261127T090000Z/PT3H"), "-", "+",
			"DTSTART:20261126T090000Z\nDURATION:PT1H\nRECURRENCE-ID:20261126T090000Z\nDTSTART:20261127T090000Z\nDURATION:PT3H\nRECURRENCE-ID:20261127T090000Z"},
		"a period beside a start without an end": {"", vevent("DTSTART:20261126T090000Z", "RDATE;VALUE=PERIOD:20261127T090000Z/20261127T100000Z"), "-", "+",
			"DTSTART:20261126T090000Z\nRECURRENCE-ID:20261126T090000Z\nDTSTART:20261127T090000Z\nRECURRENCE-ID:20261127T090000Z\nDTEND:20261127T100000Z"},
		"other times": {"", "BEGIN:VEVENT\nDTSTART:20261126T090000Z\nX-TIME;TZID=Europe/Berlin:20261126T090000\nBEGIN:VALARM\nTRIGGER;VALUE=DATE-TIME;TZID=Europe/Berlin:20261126T090000\nEND:VALARM\nEND:VEVENT", "-", "+",
			"DTSTART:20261126T090000Z\nX-TIME:20261126T080000Z\nTRIGGER;VALUE=DATE-TIME:20261126T080000Z"},
	} {
		cal, err := compile(t, c.floating, c.body).Expand(at(t, c.from), at(t, c.to), 100, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := ""
		if cal != nil {
			got = lines(cal, "DTSTART", "DTEND", "DUE", "DURATION", "RECURRENCE-ID", "SUMMARY", "X-TIME", "TRIGGER")
			for _, p := range []string{"RRULE", "RDATE", "EXDATE", "TZID", "VTIMEZONE"} {
				if strings.Contains(string(cal.Append(nil)), p) {
					t.Errorf("%s: there is a %s", name, p)
				}
			}
			if again, err := ical.Parse(cal.Append(nil), ical.Limits{}); err != nil || lines(again, "VERSION", "PRODID") != "VERSION:2.0\nPRODID:-//test//" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
	endless := compile(t, "", vevent("DTSTART:20261126T090000Z", "RRULE:FREQ=DAILY"))
	if _, err := endless.Expand(math.MinInt64, math.MaxInt64, 100, nil); err != ErrTooMany {
		t.Error(err)
	}
	if _, err := endless.Expand(math.MinInt64, math.MaxInt64, 1000000, recur.NewBudget(1000)); err != recur.ErrBudget {
		t.Error(err)
	}
}

// A large object does not come as often as a small one.
func TestExpandIsBounded(t *testing.T) {
	o := compile(t, "", vevent("DTSTART:20261126T090000Z", "RRULE:FREQ=DAILY", "DESCRIPTION:"+strings.Repeat("x", 1<<20)))
	if _, err := o.Expand(at(t, "20261126T000000Z"), at(t, "20261206T000000Z"), 10000, nil); err != nil {
		t.Error(err)
	}
	if _, err := o.Expand(at(t, "20261126T000000Z"), at(t, "20361206T000000Z"), 10000, nil); err != recur.ErrBudget {
		t.Error(err)
	}
}

func TestLimitRecurrenceSet(t *testing.T) {
	for name, c := range map[string]struct{ body, from, to, want string }{
		"the RFC's example":   {abcd2, "20060103T000000Z", "20060105T000000Z", "SUMMARY:Event #2\nSUMMARY:Event #2 bis"},
		"all":                 {abcd2, "20060101T000000Z", "20060201T000000Z", "SUMMARY:Event #2\nSUMMARY:Event #2 bis\nSUMMARY:Event #2 bis bis"},
		"none":                {abcd2, "20060201T000000Z", "20060301T000000Z", "SUMMARY:Event #2"},
		"where it was before": {abcd2, "20060104T170000Z", "20060104T180000Z", "SUMMARY:Event #2\nSUMMARY:Event #2 bis"},
		"this and future": {vevent("DTSTART:20261101T090000Z", "RRULE:FREQ=DAILY", "SUMMARY:a") + "\n" +
			vevent("RECURRENCE-ID;RANGE=THISANDFUTURE:20261102T090000Z", "DTSTART:20261102T100000Z", "SUMMARY:b"), "20271101T090000Z", "20271102T090000Z", "SUMMARY:a\nSUMMARY:b"},
	} {
		o := compile(t, "", c.body)
		before := string(o.Calendar().Append(nil))
		cal, err := o.LimitRecurrenceSet(at(t, c.from), at(t, c.to), nil)
		if err != nil || lines(cal, "SUMMARY") != c.want || string(o.Calendar().Append(nil)) != before {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, lines(cal, "SUMMARY"), c.want)
		}
	}
}

func TestLimitFreebusySet(t *testing.T) {
	o := compile(t, "", "BEGIN:VFREEBUSY\nUID:1\nFREEBUSY:20261101T090000Z/PT1H,20261102T090000Z/20261102T100000Z\nFREEBUSY;FBTYPE=FREE:20261103T090000Z/PT1H\nEND:VFREEBUSY")
	for _, c := range []struct{ from, to, want string }{
		{"20261102T093000Z", "20261102T094500Z", "FREEBUSY:20261102T090000Z/20261102T100000Z"},
		{"20261101T000000Z", "20261201T000000Z", "FREEBUSY:20261101T090000Z/PT1H,20261102T090000Z/20261102T100000Z\nFREEBUSY;FBTYPE=FREE:20261103T090000Z/PT1H"},
		{"20261103T100000Z", "20261201T000000Z", ""},
	} {
		if got := lines(o.LimitFreebusySet(at(t, c.from), at(t, c.to)), "FREEBUSY"); got != c.want {
			t.Errorf("%s to %s:\n%s\nwant\n%s", c.from, c.to, got, c.want)
		}
	}
}

func busyOf(t *testing.T, from, to string, bodies ...string) string {
	t.Helper()
	b := NewBusy(at(t, from), at(t, to))
	for _, body := range bodies {
		if err := b.Add(compile(t, "Europe/Berlin", body), nil); err != nil {
			t.Fatal(err)
		}
	}
	cal := b.Calendar(at(t, "20261126T000000Z"), "-//test//")
	if _, _, r := ical.Judge(cal.Append(nil), ical.Limits{}); r != nil {
		t.Error(r)
	}
	return lines(cal, "DTSTART", "DTEND", "FREEBUSY")
}

func TestBusy(t *testing.T) {
	for name, c := range map[string]struct {
		bodies []string
		want   string
	}{
		"nothing":                     {nil, ""},
		"an event":                    {[]string{vevent("DTSTART:20261102T090000Z", "DURATION:PT1H")}, "FREEBUSY:20261102T090000Z/20261102T100000Z"},
		"what reaches in and out":     {[]string{vevent("DTSTART:20261031T090000Z", "DTEND:20261101T100000Z"), vevent("DTSTART:20261107T230000Z", "DURATION:PT2H")}, "FREEBUSY:20261101T000000Z/20261101T100000Z,20261107T230000Z/20261108T000000Z"},
		"transparent, cancelled":      {[]string{vevent("DTSTART:20261102T090000Z", "DURATION:PT1H", "TRANSP:TRANSPARENT"), vevent("DTSTART:20261102T090000Z", "DURATION:PT1H", "STATUS:CANCELLED")}, ""},
		"tentative":                   {[]string{vevent("DTSTART:20261102T090000Z", "DURATION:PT1H", "STATUS:TENTATIVE")}, "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20261102T090000Z/20261102T100000Z"},
		"the stronger one":            {[]string{vevent("DTSTART:20261102T090000Z", "DURATION:PT3H", "STATUS:TENTATIVE"), vevent("DTSTART:20261102T100000Z", "DURATION:PT1H")}, "FREEBUSY:20261102T100000Z/20261102T110000Z\nFREEBUSY;FBTYPE=BUSY-TENTATIVE:20261102T090000Z/20261102T100000Z,20261102T110000Z/20261102T120000Z"},
		"what touches":                {[]string{vevent("DTSTART:20261102T090000Z", "DURATION:PT1H"), vevent("DTSTART:20261102T100000Z", "DURATION:PT1H")}, "FREEBUSY:20261102T090000Z/20261102T110000Z"},
		"a day in the zone":           {[]string{vevent("DTSTART;VALUE=DATE:20261102")}, "FREEBUSY:20261101T230000Z/20261102T230000Z"},
		"a series with a cancelled":   {[]string{vevent("DTSTART:20261102T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3") + "\n" + vevent("RECURRENCE-ID:20261103T090000Z", "DTSTART:20261103T090000Z", "DURATION:PT1H", "STATUS:CANCELLED")}, "FREEBUSY:20261102T090000Z/20261102T100000Z,20261104T090000Z/20261104T100000Z"},
		"a to-do":                     {[]string{"BEGIN:VTODO\nDTSTART:20261102T090000Z\nDURATION:PT1H\nEND:VTODO"}, ""},
		"an event without a duration": {[]string{vevent("DTSTART:20261102T090000Z")}, ""},
		"free-busy time": {[]string{"BEGIN:VFREEBUSY\nFREEBUSY;FBTYPE=FREE:20261102T090000Z/PT1H\nFREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20261103T090000Z/PT1H\nFREEBUSY:20261104T090000Z/PT1H\nEND:VFREEBUSY"},
			"FREEBUSY:20261104T090000Z/20261104T100000Z\nFREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20261103T090000Z/20261103T100000Z"},
		"availability": {[]string{"BEGIN:VAVAILABILITY\nUID:1\nDTSTART:20261102T000000Z\nDTEND:20261105T000000Z\nBEGIN:AVAILABLE\nUID:2\nDTSTART:20261001T080000Z\nDTEND:20261001T160000Z\nRRULE:FREQ=DAILY\nEND:AVAILABLE\nEND:VAVAILABILITY"},
			"FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20261102T000000Z/20261102T080000Z,20261102T160000Z/20261103T080000Z,20261103T160000Z/20261104T080000Z,20261104T160000Z/20261105T000000Z"},
		"availability without an end": {[]string{"BEGIN:VAVAILABILITY\nUID:1\nBUSYTYPE:BUSY\nBEGIN:AVAILABLE\nUID:2\nDTSTART:20261102T000000Z\nDTEND:20261107T000000Z\nEND:AVAILABLE\nEND:VAVAILABILITY"},
			"FREEBUSY:20261101T000000Z/20261102T000000Z,20261107T000000Z/20261108T000000Z"},
	} {
		got := strings.TrimPrefix(busyOf(t, "20261101T000000Z", "20261108T000000Z", c.bodies...), "DTSTART:20261101T000000Z\nDTEND:20261108T000000Z")
		if got = strings.TrimPrefix(got, "\n"); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

// Merging is what marking each second would be.
func TestMerge(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	for range 2000 {
		const n = 40
		b := NewBusy(0, n)
		var marks [n]int
		for range r.IntN(9) {
			from, kind := r.Int64N(n), r.IntN(len(busyNames))
			to := from + r.Int64N(12) - 1
			b.add(from, to, kind)
			for i := from; i < min(to, n); i++ {
				marks[i] = max(marks[i], kind+1)
			}
		}
		b.merge()
		var have [n]int
		for k, s := range b.list {
			if s.from >= s.to || k > 0 && (b.list[k-1].to > s.from || b.list[k-1].to == s.from && b.list[k-1].kind == s.kind) {
				t.Fatalf("%v", b.list)
			}
			for i := s.from; i < s.to; i++ {
				have[i] = s.kind + 1
			}
		}
		if have != marks {
			t.Fatalf("%v\n%v\n%v", b.list, have, marks)
		}
	}
}
