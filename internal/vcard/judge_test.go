package vcard

import (
	"strings"
	"testing"
)

// body makes a card of lines between BEGIN and END.
func body(lines ...string) string {
	return "BEGIN:VCARD\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VCARD\r\n"
}

func TestJudgeAccepts(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     Index
	}{
		{"3.0", small, Index{"u1", "Alice Example", "3.0", "individual"}},
		{"4.0, folded UID", body("VERSION:4.0", "UID:urn:uu", " id:7", "FN:A\\, B"), Index{"urn:uuid:7", "A, B", "4.0", "individual"}},
		{"bare line feeds", strings.ReplaceAll(small, "\r\n", "\n"), Index{"u1", "Alice Example", "3.0", "individual"}},
		{"no line end at the end", strings.TrimSuffix(small, "\r\n"), Index{"u1", "Alice Example", "3.0", "individual"}},
		{"blank lines around", "\r\n" + small + "\r\n\r\n", Index{"u1", "Alice Example", "3.0", "individual"}},
		{"lower case", "begin:vcard\nversion:3.0\nuid: x \nfn:\nend:vcard", Index{"x", "", "3.0", "individual"}},
		{"VERSION last", body("UID:x", "FN:y", "VERSION:4.0"), Index{"x", "y", "4.0", "individual"}},
		{"group 4.0", body("VERSION:4.0", "KIND:Group", "UID:x", "FN:y", "MEMBER:urn:uuid:1"), Index{"x", "y", "4.0", "group"}},
		{"group of Apple", body("VERSION:3.0", "X-ADDRESSBOOKSERVER-KIND:group", "UID:x", "FN:y"), Index{"x", "y", "3.0", "group"}},
		{"first FN of two", body("VERSION:4.0", "UID:x", "FN:y", "FN:z"), Index{"x", "y", "4.0", "individual"}},
		{"bare parameters", body("VERSION:3.0", "UID:x", "FN:y", "TEL;HOME;VOICE:1"), Index{"x", "y", "3.0", "individual"}},
		{"longest UID", body("VERSION:3.0", "UID:"+strings.Repeat("u", MaxUID), "FN:y"), Index{strings.Repeat("u", MaxUID), "y", "3.0", "individual"}},
		{"grouped UID", body("VERSION:3.0", "a.UID:x", "a.FN:y"), Index{"x", "y", "3.0", "individual"}},
		{"AGENT as text", body("VERSION:3.0", "UID:x", "FN:y", `AGENT:BEGIN:VCARD\nFN:z\nEND:VCARD`), Index{"x", "y", "3.0", "individual"}},
	} {
		got, r := Judge([]byte(c.in), Limits{})
		if r != nil || got != c.want {
			t.Errorf("%s: got %+v, %v", c.name, got, r)
		}
	}
}

func TestJudgeRefuses(t *testing.T) {
	for _, c := range []struct {
		name, in string
		cond     Precondition
		line     int
		why      string // a part of the sentence
	}{
		{"empty", "", ValidAddressData, 0, "no vCard"},
		{"blank", "\r\n\r\n", ValidAddressData, 0, "no vCard"},
		{"JSON", `["vcard",["a:b"]]`, ValidAddressData, 1, "property name"},
		{"HTML", "<html>", ValidAddressData, 1, "no colon"},
		{"calendar", "BEGIN:VCALENDAR\nEND:VCALENDAR\n", SupportedAddressData, 1, "calendar"},
		{"2.1", body("VERSION:2.1", "FN:x", "no colon"), SupportedAddressData, 2, "2.1"},
		{"two cards of 2.1", body("FN:x") + body("VERSION:2.1"), SupportedAddressData, 5, "2.1"},
		{"5.0", body("VERSION:5.0", "FN:x"), SupportedAddressData, 2, "version"},
		{"no VERSION", body("UID:x", "FN:y"), ValidAddressData, 0, "VERSION"},
		{"two VERSIONs", body("VERSION:3.0", "VERSION:4.0", "UID:x", "FN:y"), ValidAddressData, 0, "more than once"},
		{"no UID", body("VERSION:3.0", "FN:y"), ValidAddressData, 0, "no UID"},
		{"empty UID", body("VERSION:3.0", "UID: ", "FN:y"), ValidAddressData, 3, "no UID"},
		{"two UIDs", body("VERSION:3.0", "UID:a", "UID:a", "FN:y"), ValidAddressData, 4, "more than once"},
		{"long UID", body("VERSION:3.0", "UID:"+strings.Repeat("u", MaxUID+1), "FN:y"), ValidAddressData, 3, "longer"},
		{"UID with a line break", body("VERSION:3.0", `UID:a\nb`, "FN:y"), ValidAddressData, 3, "control"},
		{"UID with a tab", body("VERSION:3.0", "UID:a\tb", "FN:y"), ValidAddressData, 3, "control"},
		{"no FN", body("VERSION:3.0", "UID:x", "N:a;b;;;"), ValidAddressData, 0, "no FN"},
		{"two cards", small + small, ValidAddressData, 0, "more than one"},
		{"no END", strings.TrimSuffix(small, "END:VCARD\r\n"), ValidAddressData, 0, "END:VCARD is missing"},
		{"other END", strings.Replace(small, "END:VCARD", "END:VEVENT", 1), ValidAddressData, 9, "END"},
		{"nested", body("VERSION:3.0", "AGENT:", "BEGIN:VCARD", "END:VCARD"), ValidAddressData, 4, "inside"},
		{"text before", "X:1\n" + small, ValidAddressData, 1, "outside"},
		{"text behind", small + "X:1\n", ValidAddressData, 10, "outside"},
		{"byte order mark", "\ufeff" + small, ValidAddressData, 1, "byte order mark"},
		{"NUL", strings.Replace(small, "Alice", "\x00", 1), ValidAddressData, 4, "U+0000"},
		{"latin1", strings.Replace(small, "Alice", "\xfc", 1), ValidAddressData, 4, "UTF-8"},
	} {
		ix, r := Judge([]byte(c.in), Limits{})
		if r == nil {
			t.Errorf("%s: accepted: %+v", c.name, ix)
			continue
		}
		if r.Precondition != c.cond || r.Line != c.line || !strings.Contains(r.Why, c.why) {
			t.Errorf("%s: got %v, want %s at line %d", c.name, r, c.cond, c.line)
		}
	}
}

// typical is a card of 600 octets as phones send it.
var typical = func() []byte {
	s := body("VERSION:3.0", "PRODID:-//Example//Phone 1.0//EN", "UID:5f0c3b7e-7f53-4f0e-9c0a-3b1de4f1a001",
		"FN:Alice Beatrice Example", "N:Example;Alice;Beatrice;;", "ORG:Example Ltd.;Department of Examples", "TITLE:Head of Examples",
		"item1.EMAIL;type=INTERNET;type=HOME;type=pref:alice@example.org", "item1.X-ABLabel:_$!<Home>!$_",
		"TEL;type=CELL;type=VOICE;type=pref:+1 555 0100", "TEL;type=WORK;type=FAX:+1 555 0101",
		"ADR;type=HOME:;;1 Example Street;Exampleton;EX;12345;Exampleland", "BDAY;value=date:1980-03-22", "REV:2026-01-02T03:04:05Z", "NOTE:")
	pad := strings.Repeat("A note that is long enough. ", 10)[:600-len(s)]
	return []byte(strings.Replace(s, "NOTE:", "NOTE:"+pad, 1))
}()

func BenchmarkJudge600(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(typical)))
	for b.Loop() {
		if _, r := Judge(typical, Limits{}); r != nil {
			b.Fatal(r)
		}
	}
}

func BenchmarkParse600(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(typical)))
	for b.Loop() {
		if _, err := Parse(typical, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
