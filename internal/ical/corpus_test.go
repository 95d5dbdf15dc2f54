package ical

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// corpus returns the directory of calendars exported by real programs.
func corpus(t *testing.T) string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "corpus", "calendars")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the calendars corpus not found at %s: %v", dir, err)
		}
		t.Skipf("the calendars corpus not found at %s: %v", dir, err)
	}
	return dir
}

func readCorpus(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(corpus(t), filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

const (
	noPublish = "removed METHOD:PUBLISH, which makes it a message"
	noRequest = "removed METHOD:REQUEST, which makes it a message"
)

// What both judges say of each file: as the body of one PUT, and as a file to import, piece by piece.
var corpusTable = []struct {
	file                                   string
	put                                    Precondition // empty: accepted
	why                                    string       // a part of the sentence
	accepted, mended, refused, notes, junk int
	mends                                  string // of all pieces, each once
}{
	{"invalid/13-MoonPhase.ics", ValidCalendarData, "END:VEVENT is missing", 0, 42, 0, 2, 0, noPublish + "; added a UID; added a missing END:VEVENT; put a DTEND that cannot be read (2005) aside as X-FORMER-DTEND"},
	{"invalid/OZMovies.ics", ValidCalendarObjectResource, "METHOD", 0, 186, 0, 1, 0, noPublish},
	{"invalid/boeing.ics", ValidCalendarData, "DTSTART holds a time", 0, 1, 0, 0, 0, "added a UID; put a DTSTAMP that cannot be read (2006717T080000Z) aside as X-FORMER-DTSTAMP; put a DTSTART that cannot be read (2006717T080000Z) aside as X-FORMER-DTSTART; put a DTEND that cannot be read (2006720T080000Z) aside as X-FORMER-DTEND; put times of FREEBUSY that cannot be read aside as X-FORMER-FREEBUSY"},
	{"invalid/eli_courtwright.ics", "", "", 1, 0, 0, 0, 0, ""},
	{"invalid/groupwise.ics", "", "", 1, 0, 0, 0, 0, ""},
	{"invalid/korganizer.ics", "", "", 1, 0, 0, 0, 0, ""},
	{"invalid/overlaps.ics", ValidCalendarData, "no VCALENDAR", 0, 5, 0, 0, 0, "added a PRODID; added VERSION:2.0; added a UID"},
	{"invalid/schedule-unstable.ics", ValidCalendarObjectResource, "different UIDs", 37, 0, 0, 0, 0, ""},
	{"invalid/sogo-geo-escaped-semicolon.ics", "", "", 1, 0, 0, 0, 0, ""},
	{"invalid/tmeher.ics", ValidCalendarObjectResource, "METHOD", 0, 1, 0, 0, 0, noRequest},
	{"invalid/twinkle_orig.ics", ValidCalendarObjectResource, "different UIDs", 9, 1, 0, 0, 0, "put a DTSTART that cannot be read (-0011130T100000) aside as X-FORMER-DTSTART; put a DUE that cannot be read (-0011130T160000) aside as X-FORMER-DUE"},
	{"valid/2207678.ics", ValidCalendarObjectResource, "METHOD", 0, 1, 0, 0, 0, noPublish},
	{"valid/4.ics", "", "", 1, 0, 0, 0, 0, ""},
	{"valid/7.ics", ValidCalendarObjectResource, "METHOD", 0, 1, 0, 0, 0, noPublish},
	{"valid/Australian32Holidays.ics", ValidCalendarObjectResource, "METHOD", 0, 10, 0, 1, 0, noPublish},
	{"valid/BCP321928.ics", ValidCalendarObjectResource, "METHOD", 0, 370, 0, 1, 0, noPublish},
	{"valid/Buddhist.ics", ValidCalendarObjectResource, "different UIDs", 4, 0, 0, 1, 0, ""},
	{"valid/Christian32Holidays.ics", ValidCalendarObjectResource, "METHOD", 0, 36, 0, 1, 0, noPublish},
	{"valid/EXDATE-IN-UTC.ics", "", "", 1, 0, 0, 0, 0, ""},
	{"valid/Earth32Seasons.ics", ValidCalendarObjectResource, "different UIDs", 72, 0, 0, 1, 0, ""},
	{"valid/Misc.History.ics", ValidCalendarObjectResource, "METHOD", 0, 431, 0, 1, 0, noPublish},
	{"valid/Packers.ics", ValidCalendarObjectResource, "different UIDs", 66, 0, 0, 1, 0, ""},
	{"valid/Standup.ics", ValidCalendarObjectResource, "METHOD", 0, 1, 0, 0, 0, noPublish},
	{"valid/THFC.ics", ValidCalendarObjectResource, "different UIDs", 114, 0, 0, 1, 0, ""},
	{"valid/bears.ics", ValidCalendarObjectResource, "METHOD", 0, 21, 0, 1, 0, noPublish},
	{"valid/bitfire1.ics", "", "", 1, 0, 0, 0, 0, ""},
	{"valid/blankTzid.ics", ValidCalendarObjectResource, "METHOD", 0, 1, 0, 0, 0, noPublish},
	{"valid/calconnect10.ics", ValidCalendarObjectResource, "METHOD", 0, 1, 0, 0, 0, noPublish},
	{"valid/calconnect3.ics", ValidCalendarObjectResource, "METHOD", 0, 1, 0, 0, 0, noRequest},
	{"valid/calconnect5.ics", ValidCalendarObjectResource, "METHOD", 0, 1, 0, 0, 0, noRequest},
	{"valid/calconnect7.ics", ValidCalendarObjectResource, "METHOD", 0, 1, 0, 0, 0, noRequest},
	{"valid/calconnect9.ics", ValidCalendarObjectResource, "METHOD", 0, 1, 0, 0, 0, noRequest},
	{"valid/categories.ics", ValidCalendarData, "no DTSTART", 0, 0, 1, 0, 0, ""},
	{"valid/custom_component.ics", SupportedCalendarComponent, "X-VVENUE", 0, 0, 1, 0, 0, ""},
	{"valid/dst-only-vtimezone.ics", "", "", 1, 0, 0, 0, 0, ""},
	{"valid/evolution2.ics", "", "", 1, 0, 0, 0, 0, ""},
	{"valid/friday13.ics", ValidCalendarObjectResource, "no UID", 0, 1, 0, 0, 0, "added a UID"},
	{"valid/incoming.ics", ValidCalendarObjectResource, "more than one VCALENDAR", 0, 1, 2, 9, 0, noRequest + "; put the second of two UIDs aside as X-FORMER-UID; left out an older version: \"Conference\" of 19970701T200000Z; left out an older version: \"Phone Conference\" of 19960701T180000Z; left out an older version: \"Conference\" of 19970701T190000Z"},
	{"valid/korganizer_sample.ics", ValidCalendarObjectResource, "different UIDs", 2, 0, 0, 0, 0, ""},
	{"valid/lotr.ics", ValidCalendarObjectResource, "different UIDs", 37, 0, 0, 1, 0, ""},
	{"valid/maritz.ics", "", "", 1, 0, 0, 0, 0, ""},
	{"valid/miked.ics", "", "", 1, 0, 0, 0, 0, ""},
	{"valid/oracle-personal-notes-test-empty.ics", "", "", 1, 0, 0, 0, 0, ""},
	{"valid/php-flp.ics", ValidCalendarObjectResource, "METHOD", 0, 1, 0, 0, 0, noRequest},
	{"valid/rfc5545-sec3.6.1.ics", ValidCalendarObjectResource, "different UIDs", 4, 0, 0, 0, 0, ""},
	{"valid/rfc5545-sec3.6.3.ics", "", "", 1, 0, 0, 0, 0, ""},
	{"valid/rfc5545-sec3.6.5.ics", ValidCalendarObjectResource, "holds no event", 0, 0, 0, 1, 0, ""},
	{"valid/rfc5545-sec4.1.ics", "", "", 1, 0, 0, 0, 0, ""},
	{"valid/rfc5545-sec4.3.ics", ValidCalendarObjectResource, "METHOD", 0, 1, 0, 0, 0, noPublish},
	{"valid/rfc5545-sec4.5.ics", "", "", 1, 0, 0, 0, 0, ""},
	{"valid/sunbird_sample.ics", ValidCalendarObjectResource, "different UIDs", 186, 0, 0, 0, 0, ""},
}

func TestCorpusKnowsEveryFile(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpus(t), "*", "*.ics"))
	if err != nil || len(files) != len(corpusTable) {
		t.Fatalf("%d files, %d in the table, %v", len(files), len(corpusTable), err)
	}
}

func TestCorpusPut(t *testing.T) {
	accepted, parsed, refused := 0, 0, map[Precondition]int{}
	for _, c := range corpusTable {
		data := readCorpus(t, c.file)
		if tree, err := Parse(data, Limits{}); err == nil {
			if parsed++; !bytes.Equal(tree.Append(nil), data) {
				t.Errorf("%s: the tree does not give the octets back", c.file)
			}
		}
		_, _, r := Judge(data, Limits{})
		switch {
		case r == nil && c.put == "":
			accepted++
		case r == nil || r.Precondition != c.put || !strings.Contains(r.Why, c.why):
			t.Errorf("%s: %v, want %q with %q", c.file, r, c.put, c.why)
		default:
			refused[r.Precondition]++
		}
	}
	if accepted != 15 || parsed != 48 || refused[ValidCalendarData] != 4 || refused[ValidCalendarObjectResource] != 31 || refused[SupportedCalendarComponent] != 1 || len(refused) != 3 {
		t.Errorf("%d accepted, %d parsed, refused %v", accepted, parsed, refused)
	}
}

// entry finds the begins of what a calendar holds, with none of our code.
var entry = regexp.MustCompile(`(?mi)^BEGIN:(VEVENT|VTODO|VJOURNAL|VFREEBUSY)\r?$`)

func TestCorpusImport(t *testing.T) {
	all := func(string) bool { return true }
	accepted, mended, refused, left := 0, 0, 0, 0
	for _, c := range corpusTable {
		data := readCorpus(t, c.file)
		n := c
		n.accepted, n.mended, n.refused, n.notes, n.junk = 0, 0, 0, 0, 0
		entries, uids := 0, map[string]bool{}
		var mends []string
		for p, err := range Split(bytes.NewReader(data), SplitLimits{}) {
			if err != nil {
				t.Fatal(err)
			}
			switch p.Kind {
			case NotePiece:
				n.notes++
				continue
			case JunkPiece:
				n.junk++
				continue
			}
			out, r := Mend(p.Octets, MendOptions{Zone: p.Zone, Known: all})
			if r != nil {
				n.refused++
			}
			for _, m := range out {
				tree, ix, r := Judge(m.Octets, Limits{})
				if r != nil || uids[ix.Kind+ix.UID] {
					t.Errorf("%s, line %d: %+v again, or %v", c.file, p.Line, ix, r)
					continue
				}
				uids[ix.Kind+ix.UID] = true
				entries += len(tree.Each(ix.Kind))
				if len(m.Mends) > 0 {
					n.mended++
				} else if n.accepted++; !bytes.Equal(m.Octets, p.Octets) {
					t.Errorf("%s, line %d: changed without a mend", c.file, p.Line)
				}
				for _, s := range m.Mends {
					if mends = add(mends, s); strings.HasPrefix(s, "left out an older version") {
						entries++
						left++
					}
				}
				verbatim(t, c.file, data, tree)
			}
		}
		if n.mends = strings.Join(mends, "; "); n != c {
			t.Errorf("got  %+v\nwant %+v", n, c)
		}
		if want := len(entry.FindAll(data, -1)); c.refused == 0 && entries != want {
			t.Errorf("%s: %d entries of %d", c.file, entries, want)
		}
		accepted, mended, refused = accepted+n.accepted, mended+n.mended, refused+n.refused
	}
	if accepted != 546 || mended != 1117 || refused != 4 || left != 3 {
		t.Errorf("%d accepted, %d mended, %d refused, %d older versions", accepted, mended, refused, left)
	}
}

// verbatim checks that every line that was not made anew stands in the file.
func verbatim(t *testing.T, file string, data []byte, c *Component) {
	t.Helper()
	for i := range c.Lines {
		l := &c.Lines[i]
		made := l.Is("UID") || l.Is("VERSION") || l.Is("PRODID") || strings.HasPrefix(l.Name, "X-FORMER-")
		raw := strings.ReplaceAll(strings.TrimRight(l.Raw, "\r\n"), "\r\n", "\n")
		if !made && !bytes.Contains(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), []byte(raw)) {
			t.Errorf("%s: %q does not stand in the file", file, raw)
		}
	}
	for _, k := range c.Children {
		verbatim(t, file, data, k)
	}
}

// What a person would look for in what was mended.
func TestCorpusContents(t *testing.T) {
	for _, c := range []struct {
		file string
		want []string // unfolded lines of one piece
	}{
		{"invalid/13-MoonPhase.ics", []string{"SUMMARY:New Moon", "DTSTART:20020113T132900Z"}},
		{"invalid/tmeher.ics", []string{`DTSTART;TZID="Pacific Time (US & Canada), Tijuana":20041011T223000`, `TZID:Pacific Time (US & Canada)\, Tijuana`, "BEGIN:VALARM"}},
		{"invalid/boeing.ics", []string{"X-FORMER-FREEBUSY:2006717T100000Z/PT30M", "X-FORMER-DTSTART:2006717T080000Z"}},
		{"invalid/twinkle_orig.ics", []string{"X-FORMER-DTSTART:-0011130T100000", "DTSTART;VALUE=DATE:20041225"}},
		{"valid/blankTzid.ics", []string{"DTSTART;TZID=:20150826T090000", "TZID:"}},
		{"valid/BCP321928.ics", []string{"PRODID:-//Apple Computer\\, Inc//iCal 2.0//EN"}},
	} {
		var lines []string
		for p := range Split(bytes.NewReader(readCorpus(t, c.file)), SplitLimits{}) {
			if out, _ := Mend(p.Octets, MendOptions{Known: func(string) bool { return true }}); len(out) > 0 {
				lines = slices.AppendSeq(lines, logical(string(out[0].Octets)))
			}
		}
		for _, w := range c.want {
			if !slices.Contains(lines, w) {
				t.Errorf("%s: no %q", c.file, w)
			}
		}
	}
}
