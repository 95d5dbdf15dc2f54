package ical

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// pieces splits and describes each piece: an object by the UIDs of its components, others by their sentence.
func pieces(t *testing.T, data string, lim SplitLimits) (out []string, all []Piece) {
	t.Helper()
	for p, err := range Split(strings.NewReader(data), lim) {
		if err != nil {
			out = append(out, "error: "+err.Error())
			continue
		}
		all = append(all, p)
		s := fmt.Sprintf("%d ", p.Line)
		switch p.Kind {
		case ObjectPiece:
			s += uids(string(p.Octets))
		case NotePiece:
			s += "note: " + p.Why
		case JunkPiece:
			s += "junk: " + p.Why
		}
		out = append(out, s)
	}
	return out, all
}

// uids names the components of an object: kind, UID, and + for each further one.
func uids(octets string) string {
	var names []string
	var kind string
	for text := range logical(octets) {
		name, value, _ := strings.Cut(text, ":")
		switch strings.ToUpper(name) {
		case "BEGIN":
			kind = strings.ToUpper(value)
		case "UID":
			names = append(names, kind+" "+value)
		case "TZID":
			names = append(names, "zone "+value)
		}
	}
	return strings.Join(names, ", ")
}

func zone(tzid string) string {
	return "BEGIN:VTIMEZONE\nTZID:" + tzid + "\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE\n"
}

func TestSplit(t *testing.T) {
	const left = "The calendar's own properties are not part of its entries and were left out."
	for name, c := range map[string]struct {
		data string
		want []string
	}{
		"nothing":                    {"", nil},
		"blank":                      {"\n\r\n \n", nil},
		"one object":                 {small, []string{"4 VEVENT 1@example.org"}},
		"three events":               {cal(event("a", "") + event("b", "") + event("c", "")), []string{"4 VEVENT a", "8 VEVENT b", "12 VEVENT c"}},
		"overrides far apart":        {cal(event("a", "RECURRENCE-ID:20261126T090000Z\n") + event("b", "") + event("a", "RRULE:FREQ=DAILY\n")), []string{"4 VEVENT a, VEVENT a", "9 VEVENT b"}},
		"overrides in two calendars": {cal(event("a", "RRULE:FREQ=DAILY\n")) + cal(event("a", "RECURRENCE-ID:20261126T090000Z\n")), []string{"4 VEVENT a, VEVENT a"}},
		"two kinds of one UID":       {cal(event("a", "") + "BEGIN:VTODO\nUID:a\nEND:VTODO\n"), []string{"4 VEVENT a", "8 VTODO a"}},
		"no UIDs":                    {cal("BEGIN:VEVENT\nDTSTART:20261126\nEND:VEVENT\nBEGIN:VEVENT\nDTSTART:20261127\nEND:VEVENT\n"), []string{"4 ", "7 "}},
		"only the zones needed": {cal(zone("A") + zone("B\\, b") + zone("C") + event("a", "EXDATE;TZID=\"B, b\":20261126T090000\nRDATE;TZID=A:20261126T090000\n") + event("b", "")),
			[]string{"28 zone B\\, b, zone A, VEVENT a", "34 VEVENT b"}},
		"a zone behind its event":  {cal(event("a", "EXDATE;TZID=A:20261126T090000\n") + event("b", "") + zone("A")), []string{"4 zone A, VEVENT a", "9 VEVENT b"}},
		"a zone in each calendar":  {cal(zone("A")+event("a", "EXDATE;TZID=A:20261126T090000\n")) + cal(event("b", "EXDATE;TZID=A:20261126T090000\n")), []string{"12 zone A, VEVENT a", "21 VEVENT b"}},
		"junk around":              {"hello\nthere\n" + cal(event("a", "")) + "bye", []string{"1 junk: Text that belongs to no calendar was left out.", "11 junk: Text that belongs to no calendar was left out.", "6 VEVENT a"}},
		"junk inside":              {cal("no property\n" + event("a", "")), []string{"4 junk: Text that is no property of the calendar was left out.", "5 VEVENT a"}},
		"no calendar around":       {event("a", "") + "\n" + event("b", ""), []string{"1 VEVENT a", "6 VEVENT b"}},
		"a lost END":               {cal("BEGIN:VEVENT\nUID:a\nBEGIN:VALARM\nTRIGGER:PT0S\n" + event("b", "")), []string{"4 VEVENT a", "8 VEVENT b"}},
		"a lost END of a calendar": {"BEGIN:VCALENDAR\n" + event("a", "") + cal(event("b", "")), []string{"1 note: END:VCALENDAR is missing; the file may have been cut off.", "2 VEVENT a", "9 VEVENT b"}},
		"cut off":                  {"BEGIN:VCALENDAR\n" + event("a", "") + "BEGIN:VEVENT\nUID:b\nDTST", []string{"1 note: END:VCALENDAR is missing; the file may have been cut off.", "2 VEVENT a", "6 VEVENT b"}},
		"cut off at END":           {"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:b\nEND:VCALENDAR\n", []string{"2 VEVENT b"}},
		"an END of nothing":        {"END:VEVENT\nEND:VCALENDAR\n", []string{"1 junk: Text that belongs to no calendar was left out."}},
		"an empty calendar":        {cal("X-A:1\n"), []string{"1 note: The calendar holds no event, to-do or journal entry."}},
		"a contact":                {"BEGIN:VCARD\nFN:a\nEND:VCARD\n" + event("a", ""), []string{"1 junk: This is a contact and belongs into an address book.", "4 VEVENT a"}},
		"its own properties":       {cal("X-WR-CALNAME:Mine\n" + event("a", "") + event("b", "")), []string{"4 note: " + left, "5 VEVENT a", "9 VEVENT b"}},
		"properties of one object": {cal("X-WR-CALNAME:Mine\n" + event("a", "")), []string{"5 VEVENT a"}},
		"odd case and spaces":      {"begin : vcalendar\nbegin:VEVENT\nUID:a\nend:vevent\nEnd:VCalendar\n", []string{"2 VEVENT a"}},
		"old line ends":            {strings.ReplaceAll(cal(event("a", "")+event("b", "")), "\n", "\r"), []string{"4 VEVENT a", "8 VEVENT b"}},
		"a byte order mark":        {"\uFEFF" + cal(event("a", "")), []string{"4 VEVENT a"}},
		"byte order marks inside":  {cal(event("a", "")) + "\uFEFF" + cal(event("b", "")), []string{"4 VEVENT a", "12 VEVENT b"}},
		"UTF-16":                   {utf16(cal(event("a", "") + event("b", ""))), []string{"4 VEVENT a", "8 VEVENT b"}},
		"a folded UID":             {cal("BEGIN:VEVENT\nUID\n :a\nRRULE:x\nEND:VEVENT\n" + event("a", "")), []string{"4 VEVENT a, VEVENT a"}},
		"an END inside a text":     {cal(event("a", "SUMMARY:x\n END:VEVENT\n")), []string{"4 VEVENT a"}},
		"a folded property":        {cal("X-A\n :1\nMETHOD\n :X\n" + event("a", "") + event("b", "")), []string{"4 note: " + left, "8 VEVENT a", "12 VEVENT b"}},
		"a strange component":      {cal("BEGIN:X-A\nUID:a\nEND:X-A\n"), []string{"4 X-A a"}},
	} {
		if got, _ := pieces(t, c.data, SplitLimits{}); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: got  %q\nwant %q", name, got, c.want)
		}
		// Read octet by octet it is the same.
		var got []string
		for p, err := range Split(iotest.OneByteReader(strings.NewReader(c.data)), SplitLimits{}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(p.Line, p.Kind))
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: read octet by octet: %q", name, got)
		}
	}
}

func utf16(s string) string {
	out := "\xff\xfe"
	for i := range len(s) {
		out += s[i:i+1] + "\x00"
	}
	return out
}

func TestSplitPieces(t *testing.T) {
	// A calendar that is one object comes as it is.
	odd := "BEGIN:VCALENDAR\nX-WR-TIMEZONE:Europe/Berlin\n" + zone("A") + "\n" + event("a", "") + "VERSION:2.0\nEND:VCALENDAR\n"
	_, all := pieces(t, "\n"+odd+small+odd[:len(odd)-1], SplitLimits{})
	if len(all) != 4 || all[0].Kind != NotePiece || all[1].Kind != NotePiece || all[2].Zone != "Europe/Berlin" || string(all[3].Octets) != small {
		t.Errorf("%+v", all) // the notes of the first and third, which share a UID, then the objects
	}
	_, all = pieces(t, "\n"+odd+small, SplitLimits{})
	if len(all) != 2 || string(all[0].Octets) != odd || string(all[1].Octets) != small || all[0].Zone != "Europe/Berlin" {
		t.Errorf("%+v", all)
	}
	// Otherwise a piece has what it needs, and the components' own octets.
	data := "BEGIN:VCALENDAR\nPRODID:x\n y\nMETHOD:PUBLISH\nX-WR-CALNAME:n\nVERSION:2.0\n" + zone("A") + event("a", "X;TZID=A:1\n") + event("b", "") + "END:VCALENDAR\n"
	_, all = pieces(t, data, SplitLimits{})
	head := "BEGIN:VCALENDAR\nPRODID:x\n y\nMETHOD:PUBLISH\nVERSION:2.0\n"
	if len(all) != 3 || string(all[1].Octets) != head+zone("A")+event("a", "X;TZID=A:1\n")+"END:VCALENDAR\n" ||
		string(all[2].Octets) != head+event("b", "")+"END:VCALENDAR\n" || string(all[0].Octets) != "X-WR-CALNAME:n\n" {
		t.Errorf("%+v", all)
	}
}

func TestSplitBounds(t *testing.T) {
	big := event("big", "DESCRIPTION:"+strings.Repeat("x", 5000)+"\n")
	got, all := pieces(t, cal(event("a", "")+big+event("b", "")), SplitLimits{Object: 2000})
	if fmt.Sprint(got) != "[8 junk: The component is larger than 2000 octets. 4 VEVENT a 13 VEVENT b]" || len(all[0].Octets) != shown {
		t.Errorf("%q", got)
	}
	var sum strings.Builder
	for i := range 30 {
		sum.WriteString(event("a", fmt.Sprintf("RECURRENCE-ID:202611%02dT090000Z\n", i+1)))
	}
	if got, _ := pieces(t, cal(sum.String()), SplitLimits{Object: 2000}); fmt.Sprint(got) != "[4 junk: The components with this UID are larger than 2000 octets together.]" {
		t.Errorf("%q", got)
	}
	got, _ = pieces(t, cal("BEGIN:VTIMEZONE\nTZID:A\nX:"+strings.Repeat("x", maxZone)+"\nEND:VTIMEZONE\n"+event("a", "X;TZID=A:1\n")+event("b", "")), SplitLimits{})
	if fmt.Sprint(got) != "[4 junk: The time zone is larger than 262144 octets. 8 VEVENT a 13 VEVENT b]" {
		t.Errorf("%q", got)
	}
	// Each object gets a copy of its zone: a small file must not become a large store.
	zoned := "BEGIN:VTIMEZONE\nTZID:A\nX:" + strings.Repeat("x", 1000) + "\nEND:VTIMEZONE\n"
	for i := range 40 {
		zoned += event(fmt.Sprint("z", i), "X;TZID=A:1\n")
	}
	if got, _ = pieces(t, cal(zoned), SplitLimits{Zones: 20_000}); len(got) != 20 || !strings.Contains(got[19], "error: ") || !strings.Contains(got[19], "time zones") {
		t.Errorf("%d: %q", len(got), got[len(got)-1])
	}
	if got, _ = pieces(t, cal(zoned), SplitLimits{}); len(got) != 40 {
		t.Errorf("%d: %q", len(got), got)
	}
	// More than may be held: what happens once goes first, and comes again if it has to.
	var many strings.Builder
	for i := range 40 {
		many.WriteString(event(fmt.Sprint("once", i), ""))
	}
	got, _ = pieces(t, cal(event("a", "RRULE:x\n")+many.String()+event("a", "RECURRENCE-ID:20261126T090000Z\n")+event("once0", "")), SplitLimits{Held: 5000})
	if len(got) != 42 || got[0] != "9 VEVENT once0" || got[len(got)-2] != "4 VEVENT a, VEVENT a" && got[len(got)-3] != "4 VEVENT a, VEVENT a" {
		t.Errorf("%d: %q", len(got), got)
	}
	// Recurring ones alone are too much.
	many.Reset()
	for i := range 40 {
		many.WriteString(event(fmt.Sprint("daily", i), "RRULE:x\n"))
	}
	got, _ = pieces(t, cal(many.String()), SplitLimits{Held: 5000})
	if len(got) != 1 || !strings.Contains(got[0], "divide it") {
		t.Errorf("%q", got)
	}
}

func TestSplitGivesTheReadersError(t *testing.T) {
	broken := errors.New("broken")
	n := 0
	for p, err := range Split(io.MultiReader(strings.NewReader(cal(event("a", ""))+"BEGIN:VEV"), iotest.ErrReader(broken)), SplitLimits{}) {
		if n++; err != nil && !errors.Is(err, broken) {
			t.Errorf("%v, %v", p, err)
		}
	}
	if n != 3 { // the junk, the event, the error
		t.Errorf("%d pieces", n)
	}
	for range Split(strings.NewReader(small), SplitLimits{}) {
		break // nothing after this may be handed out
	}
}

// A large calendar of events that happen once passes through a small memory.
func TestSplitStreams(t *testing.T) {
	const events = 200000
	pr, pw := io.Pipe()
	go func() {
		io.WriteString(pw, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n")
		for i := range events {
			fmt.Fprintf(pw, "BEGIN:VEVENT\r\nUID:%d\r\nDTSTART:20261126T090000Z\r\nSUMMARY:%s\r\nEND:VEVENT\r\n", i, "a text of some length to fill the event")
		}
		io.WriteString(pw, "END:VCALENDAR\r\n")
		pw.Close()
	}()
	n, peak := 0, uint64(0)
	var m runtime.MemStats
	for p, err := range Split(pr, SplitLimits{Held: 4 << 20}) {
		if err != nil || p.Kind != ObjectPiece {
			t.Fatal(p, err)
		}
		if n++; n%20000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}
	}
	if n != events || peak > 24<<20 {
		t.Errorf("%d events, %d octets of memory", n, peak)
	}
}

func FuzzSplit(f *testing.F) {
	for _, s := range nastySeeds {
		f.Add([]byte(s), 1000)
	}
	f.Fuzz(func(t *testing.T, data []byte, held int) {
		var begins, kept int
		for p, err := range Split(bytes.NewReader(data), SplitLimits{Held: held}) {
			if err != nil {
				return
			}
			if p.Kind == ObjectPiece {
				kept++
				if p.Why != "" || !bytes.Contains(bytes.ToUpper(p.Octets), []byte("VCALENDAR")) {
					t.Fatalf("%+v", p)
				}
			} else if p.Why == "" {
				t.Fatalf("%+v", p)
			}
		}
		for text := range logical(string(data)) {
			if end, name := mark([]byte(text)); !end && isKind(name) != "" {
				begins++
			}
		}
		if !bytes.Contains(data, []byte("\x00")) && kept > 0 && begins == 0 && !bytes.Contains(data, []byte(":")) {
			t.Fatalf("%d objects out of nothing", kept)
		}
	})
}

func BenchmarkSplit(b *testing.B) {
	var s strings.Builder
	for i := range 1000 {
		s.WriteString(event(fmt.Sprint(i), "DTEND;TZID=Europe/Berlin:20261126T100000\nSUMMARY:Standing around\nRRULE:FREQ=DAILY\n"))
	}
	data := []byte(cal(s.String()))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		for range Split(bytes.NewReader(data), SplitLimits{}) {
		}
	}
}
