package vcard

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// afterUID cuts the generated UID out, so that cases stay readable.
func afterUID(s string) string {
	var keep []string
	for line := range strings.SplitAfterSeq(s, "\r\n") {
		if len(line) != len("UID:00000000-0000-5000-8000-000000000000\r\n") || !strings.HasPrefix(line, "UID:") {
			keep = append(keep, line)
		}
	}
	return strings.Join(keep, "")
}

func TestMend(t *testing.T) {
	const uid, to3, eol = "added a UID", "converted vCard 2.1 to 3.0", "ended lines with CR LF"
	v21 := func(lines ...string) string {
		return "BEGIN:VCARD\r\nVERSION:2.1\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VCARD\r\n"
	}
	v3 := func(lines ...string) string { return body(append([]string{"VERSION:3.0"}, lines...)...) }
	for _, c := range []struct {
		name, in, want string
		mends          []string
	}{
		{"no UID", v3("FN:A", "URL:http\\://example.org", "X-A:b", "  c"), v3("FN:A", "URL:http\\://example.org", "X-A:b", "  c"), []string{uid}},
		{"empty UID", v3("UID:", "FN:A"), v3("FN:A"), []string{uid}},
		{"no FN", v3("UID:u", "N:Example;Alice;B.,C.;Dr.;jr."), v3("FN:Dr. Alice B. C. Example jr.", "UID:u", "N:Example;Alice;B.,C.;Dr.;jr."), []string{"built FN from N"}},
		{"no FN, empty N", v3("UID:u", "N:;;;;", `ORG:A\, B;C`), v3(`FN:A\, B\, C`, "UID:u", "N:;;;;", `ORG:A\, B;C`), []string{"built FN from ORG"}},
		{"no FN, nickname", v3("UID:u", "NICKNAME:Al,Bo", "EMAIL:a@example.org"), v3("FN:Al", "UID:u", "NICKNAME:Al,Bo", "EMAIL:a@example.org"), []string{"built FN from NICKNAME"}},
		{"no name", v3("UID:u", "NOTE:x"), v3("FN:Unnamed", "UID:u", "NOTE:x"), []string{"added FN, as there is no name"}},
		{"no VERSION", body("UID:u", "FN:A"), v3("UID:u", "FN:A"), []string{"added VERSION:3.0"}},
		{"two VERSIONs", v3("VERSION:3.0", "UID:u", "FN:A"), v3("UID:u", "FN:A"), []string{"kept the first of several VERSIONs"}},
		{"no END", "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u\r\nFN:A\r\nNOTE:cut of", v3("UID:u", "FN:A", "NOTE:cut of"), []string{"added a missing END:VCARD; the file may have been cut off"}},
		{"CR CR LF", strings.ReplaceAll(v3("UID:u", "FN:A"), "\r", "\r\r"), v3("UID:u", "FN:A"), []string{eol}},
		{"CR", strings.ReplaceAll(v3("UID:u", "FN:A"), "\n", ""), v3("UID:u", "FN:A"), []string{eol}},
		{"LF and no UID", strings.ReplaceAll(v3("FN:A"), "\r", ""), v3("FN:A"), []string{eol, uid}},
		{"CR in text", v3("UID:u", "FN:A", "NOTE:b\rc"), v3("UID:u", "FN:A", `NOTE:b\nc`), []string{"made a carriage return inside a line a line break of the text"}},
		{"NUL", v3("UID:u", "FN:A\x00"), v3("UID:u", "FN:A"), []string{"removed control characters"}},
		{"non-character", v3("UID:u", "FN:A\uffff"), v3("UID:u", "FN:A"), []string{"removed control characters"}},
		{"byte order mark", "\ufeff" + v3("UID:u", "FN:A"), v3("UID:u", "FN:A"), []string{"removed a byte order mark"}},
		{"latin1", v3("UID:u", "FN:M\xfcller \x80"), v3("UID:u", "FN:Müller €"), []string{"read octets that were not UTF-8 as windows-1252"}},
		{"latin1 by name", v3("UID:u", "FN;CHARSET=ISO-8859-2:\xb3"), v3("UID:u", "FN:ł"), []string{"decoded text by its charset"}},
		{"fold in a character", v3("UID:u", "FN:M\xc3", " \xbcller"), v3("UID:u", "FN:Müller"), []string{"folded lines between characters"}},
		{"quoted-printable in 3.0", v3("UID:u", "FN;ENCODING=QUOTED-PRINTABLE:M=C3=\r\n=BCller, x"), v3("UID:u", `FN:Müller\, x`), []string{"decoded quoted-printable"}},
		{"broken quotes", v3("UID:u", "FN:A", `TEL;TYPE="home;X=y"z:1`), v3("UID:u", "FN:A", "TEL;TYPE=home;X=yz:1"), []string{"corrected broken parameters"}},
		{"odd parameter", v3("UID:u", "FN:A", "TEL;;HOME PHONE:1"), v3("UID:u", "FN:A", "TEL;TYPE=HOME PHONE:1"), []string{"corrected broken parameters"}},
		{"text not folded", v3("UID:u", "FN:A", "NOTE:b", "c, d", "e"), v3("UID:u", "FN:A", `NOTE:b\nc\, d\ne`), []string{"joined a line without a property name to the text before it"}},
		{"stray text", v3("UID:u", "FN:A", "X-B:c", "d e"), v3("UID:u", "FN:A", "X-B:c", "NOTE:d e"), []string{"kept a line without a property name as a NOTE"}},
		{"two UIDs", v3("UID:u", "FN:A", "UID:u", "UID:v"), v3("UID:u", "FN:A", "X-FORMER-UID:v"),
			[]string{"removed a repeated UID", "put a UID that cannot stay aside as X-FORMER-UID"}},
		{"UID with a break", v3(`UID:a\nb`, "FN:A"), v3(`X-FORMER-UID:a\nb`, "FN:A"), []string{"put a UID that cannot stay aside as X-FORMER-UID", uid}},
		{"base64 not folded", v3("UID:u", "FN:A", "VERSION:3.0", "PHOTO;ENCODING=b:AAAA", "BBBB", "", "TEL:1"), v3("UID:u", "FN:A", "PHOTO;ENCODING=b:AAAABBBB", "TEL:1"),
			[]string{"kept the first of several VERSIONs"}},
		{"4.0", body("VERSION:4.0", "FN:A", "BDAY:--0203"), body("VERSION:4.0", "FN:A", "BDAY:--0203"), []string{uid}},

		{"2.1 types", v21("N:a", "FN:A", "TEL;HOME;FAX:1", "EMAIL;INTERNET;TYPE=WORK:a@example.org"),
			v3("N:a", "FN:A", "TEL;TYPE=HOME,FAX:1", "EMAIL;TYPE=INTERNET,WORK:a@example.org"), []string{to3, uid}},
		{"2.1 latin1 QP", v21("FN;CHARSET=ISO-8859-1;QUOTED-PRINTABLE:M=FCl=", "ler"), v3("FN:Müller"), []string{to3, uid}},
		{"2.1 windows-1252", v21("FN;CHARSET=windows-1252;ENCODING=QUOTED-PRINTABLE:=80=96"), v3("FN:€–"), []string{to3, uid}},
		{"2.1 Shift_JIS", v21("FN;CHARSET=SHIFT_JIS;ENCODING=QUOTED-PRINTABLE:=93=FA=96=7B"), v3("FN:日本"), []string{to3, uid}},
		{"2.1 octets of Shift_JIS", v21("FN;CHARSET=SHIFT_JIS:\x93\xfa\x96\x7b"), v3("FN:日本"), []string{to3, uid}},
		{"2.1 octets without a charset", v21("FN:M\xfcller"), v3("FN:Müller"), []string{to3, uid}},
		{"2.1 QP lines", v21("FN:A", "NOTE;ENCODING=QUOTED-PRINTABLE:a; b=0D=0A=", "c=3D=", "=0A, d"), v3("FN:A", `NOTE:a\; b\nc=\n\, d`), []string{to3, uid}},
		{"2.1 QP before END", v21("FN:A", "NOTE;ENCODING=QUOTED-PRINTABLE:a="), v3("FN:A", "NOTE:a="), []string{to3, uid}},
		{"2.1 N escapes", v21(`N:a\;b;c,d;e\f`, "FN:A"), v3(`N:a\;b;c\,d;e\\f`, "FN:A"), []string{to3, uid}},
		{"2.1 ADR by QP", v21("FN:A", "ADR;WORK;ENCODING=QUOTED-PRINTABLE:;;a=0D=0Ab;c"), v3("FN:A", `ADR;TYPE=WORK:;;a\nb;c`), []string{to3, uid}},
		{"2.1 categories", v21("FN:A", "CATEGORIES:b,c"), v3("FN:A", "CATEGORIES:b,c"), []string{to3, uid}},
		{"2.1 fold", v21("FN:A", "NOTE:b", "   c"), v3("FN:A", "NOTE:b c"), []string{to3, uid}},
		{"2.1 photo", v21("FN:A", "PHOTO;JPEG;ENCODING=BASE64:", " /9j/", "  AAAA", "", "TEL:1"), v3("FN:A", "PHOTO;ENCODING=b;TYPE=JPEG:/9j/AAAA", "TEL:1"), []string{to3, uid}},
		{"2.1 photo not folded", v21("FN:A", "PHOTO;BASE64;TYPE=GIF:", "R0lG", "AAAA", "", "TEL:1"), v3("FN:A", "PHOTO;ENCODING=b;TYPE=GIF:R0lGAAAA", "TEL:1"), []string{to3, uid}},
		{"2.1 photo by link", v21("FN:A", "PHOTO;VALUE=URL;TYPE=GIF:http://example.org/a.gif"), v3("FN:A", "PHOTO;VALUE=uri;TYPE=GIF:http://example.org/a.gif"), []string{to3, uid}},
		{"2.1 without VERSION", "BEGIN:VCARD\r\nFN:A\r\nTEL;HOME:1\r\nEND:VCARD\r\n", v3("FN:A", "TEL;TYPE=HOME:1"), []string{to3, uid}},
		{"2.1 AGENT", v21("FN:A", "AGENT:", "BEGIN:VCARD", "VERSION:2.1", "FN:B; C", "END:VCARD", "TEL:1"),
			v3("FN:A", `AGENT:BEGIN:VCARD\nVERSION:3.0\nFN:B\\\; C\nEND:VCARD`, "TEL:1"), []string{"wrote an AGENT's card as text", to3, uid}},
	} {
		got, mends, r := Mend([]byte(c.in))
		if r != nil {
			t.Errorf("%s: refused: %v", c.name, r)
			continue
		}
		if afterUID(string(got)) != c.want {
			t.Errorf("%s:\n%q\nwant\n%q", c.name, got, c.want)
		}
		if !slices.Equal(mends, c.mends) {
			t.Errorf("%s: mends %q, want %q", c.name, mends, c.mends)
		}
		if slices.Contains(mends, uid) == (afterUID(string(got)) == string(got)) {
			t.Errorf("%s: a UID was added or not, against the report", c.name)
		}
	}
}

func TestMendLeavesValidCards(t *testing.T) {
	for _, in := range []string{small, strings.ReplaceAll(small, "\r", ""), "\n" + small} {
		got, mends, r := Mend([]byte(in))
		if string(got) != in || len(mends) > 0 || r != nil {
			t.Errorf("%q became %q, %v, %v", in, got, mends, r)
		}
	}
}

func TestMendUIDIsStable(t *testing.T) {
	in := strings.Replace(small, "UID:u1\r\n", "", 1)
	first, _, _ := Mend([]byte(in))
	for _, same := range []string{in, strings.ReplaceAll(in, "\r", ""), in + "\r\n"} {
		if got, _, _ := Mend([]byte(same)); !bytes.Equal(got, first) {
			t.Errorf("%q gave another card: %q", same, got)
		}
	}
	other, _, _ := Mend([]byte(strings.Replace(in, "Alice", "Bob", 1)))
	a, _ := Judge(first, Limits{})
	b, _ := Judge(other, Limits{})
	if a.UID == b.UID {
		t.Error("two contacts have one UID")
	}
}

func TestMendRefuses(t *testing.T) {
	nested := "BEGIN:VCARD\nVERSION:2.1\nFN:A\n"
	for _, c := range []struct {
		name, in string
		cond     Precondition
	}{
		{"empty", "", ValidAddressData},
		{"no card", "hello", ValidAddressData},
		{"nothing in it", body("VERSION:2.1"), ValidAddressData},
		{"only bookkeeping", body("VERSION:3.0", "UID:u", "REV:1", "N:;;;;"), ValidAddressData},
		{"version 5", body("VERSION:5.0", "FN:A"), SupportedAddressData},
		{"two cards", small + small, ValidAddressData},
		{"card in a card", body("VERSION:3.0", "FN:A", "BEGIN:VCARD", "END:VCARD"), ValidAddressData},
		{"AGENT without END", nested + "AGENT:\nBEGIN:VCARD\n", ValidAddressData},
		{"too deep", strings.Repeat(nested+"AGENT:\n", 9) + strings.Repeat("END:VCARD\n", 9), ValidAddressData},
		{"too large", body("VERSION:3.0", "NOTE:"+strings.Repeat("x", 11<<20)), ValidAddressData},
		{"too many lines", body("VERSION:3.0", strings.Repeat("X-A:b\n", 30000)), ValidAddressData},
	} {
		got, _, r := Mend([]byte(c.in))
		if r == nil || r.Precondition != c.cond || r.Why == "" || got != nil {
			t.Errorf("%s: got %.100q, %v", c.name, got, r)
		}
	}
}

func TestSplit(t *testing.T) {
	card := "BEGIN:VCARD\r\nFN:A\r\nEND:VCARD\r\n"
	agent := "begin:vcard\nagent:\nBEGIN:VCARD\nFN:B\nEND:VCARD\nitem1.AGENT;X=y:BEGIN:VCARD\nEND:VCARD\nEND:VCARD\n"
	utf16 := func(bom, s string) string {
		var b strings.Builder
		b.WriteString(bom)
		for _, r := range s {
			b.WriteByte(byte(r))
			b.WriteByte(byte(r >> 8))
		}
		return b.String()
	}
	for _, c := range []struct {
		name, in string
		want     string // kind@line:octets
	}{
		{"empty", "", ""},
		{"blank", "\n \r\n", ""},
		{"one", card, fmt.Sprintf("[0@1:%q]", card)},
		{"no line end", "BEGIN:VCARD\nEND:VCARD", `[0@1:"BEGIN:VCARD\nEND:VCARD"]`},
		{"byte order mark", "\ufeff" + card, fmt.Sprintf("[0@1:%q]", card)},
		{"two with blanks", card + "\r\n\r\n" + card, fmt.Sprintf("[0@1:%q][0@6:%q]", card, card)},
		{"spaces", " BEGIN : vcard \nEND:\tVCARD\n", `[0@1:" BEGIN : vcard \nEND:\tVCARD\n"]`},
		{"junk", "hello\n" + card + "x\ny\n\n" + card, fmt.Sprintf(`[1@1:"hello\n"][0@2:%q][1@5:"x\ny\n"][0@8:%q]`, card, card)},
		{"agent", agent + card, fmt.Sprintf("[0@1:%q][0@9:%q]", agent, card)},
		{"lost END", "BEGIN:VCARD\r\nFN:A\r\n" + card, fmt.Sprintf("[0@1:%q][0@3:%q]", "BEGIN:VCARD\r\nFN:A\r\n", card)},
		{"lost END at the end", "BEGIN:VCARD\nFN:A", `[0@1:"BEGIN:VCARD\nFN:A"]`},
		{"folded text", "BEGIN:VCARD\nNOTE:a\n END:VCARD\nEND:VCARD\n", `[0@1:"BEGIN:VCARD\nNOTE:a\n END:VCARD\nEND:VCARD\n"]`},
		{"CR", "BEGIN:VCARD\rEND:VCARD\rBEGIN:VCARD\rEND:VCARD\r", `[0@1:"BEGIN:VCARD\rEND:VCARD\r"][0@3:"BEGIN:VCARD\rEND:VCARD\r"]`},
		{"CR CR LF", "BEGIN:VCARD\r\r\nEND:VCARD\r\r\n", `[0@1:"BEGIN:VCARD\r\r\nEND:VCARD\r\r\n"]`},
		{"large", card + "BEGIN:VCARD\nNOTE:" + strings.Repeat("x", 100) + "\nEND:VCARD\n" + card,
			fmt.Sprintf("[0@1:%q][2@4:%q][0@7:%q]", card, "BEGIN:VCARD\nNOTE:"+strings.Repeat("x", 100)+"\nEND:VCARD\n", card)},
		{"UTF-16", utf16("\xff\xfe", card), fmt.Sprintf("[0@1:%q]", card)},
		{"UTF-16 without a mark", utf16("", card), fmt.Sprintf("[0@1:%q]", card)},
	} {
		for _, r := range []func() string{
			func() string { return pieces(t, strings.NewReader(c.in)) },
			func() string { return pieces(t, iotest.OneByteReader(strings.NewReader(c.in))) },
		} {
			if got := r(); got != c.want {
				t.Errorf("%s: %s\nwant %s", c.name, got, c.want)
			}
		}
	}
}

func pieces(t *testing.T, r interface{ Read([]byte) (int, error) }) string {
	var b strings.Builder
	for p, err := range Split(r, 100) {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "[%d@%d:%q]", p.Kind, p.Line, p.Octets)
	}
	return b.String()
}

func TestSplitTellsReadErrors(t *testing.T) {
	var errs int
	for _, err := range Split(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(small))), 0) {
		if err != nil {
			errs++
		}
	}
	if errs != 1 {
		t.Errorf("%d errors", errs)
	}
}

// Inputs that would cost the square of their size if anything looked back.
func TestMendAndSplitStayLinear(t *testing.T) {
	const n = 1 << 20
	for _, part := range []string{"\r", "\n", " \n", "=\n", "AGENT:\n", "AGENT:\nBEGIN:VCARD\n", "x\n", "NOTE:a\nb\n", "A;B=\":\n", "NOTE;ENCODING=QUOTED-PRINTABLE:=\n",
		"UID:a\n", "UID:b\nUID:c\n", "VERSION:1\n", ";", "\x00", "\xff", "\"", "BEGIN:VCARD\n", "END:VCARD\n", "LABEL;TYPE=a:b\n", "ADR:;\n"} {
		in := "BEGIN:VCARD\nFN:a\n" + strings.Repeat(part, n/len(part))
		for p, err := range Split(strings.NewReader(in), 0) {
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Octets) > 1000 || part != "BEGIN:VCARD\n" {
				Mend(p.Octets)
			}
		}
		start := time.Now()
		Mend([]byte(in))
		t.Logf("%q: %v", part, time.Since(start))
	}
}

// The same for what stays below the limit of lines.
func TestConvertStaysLinear(t *testing.T) {
	for _, part := range []string{"LABEL;TYPE=a:b", "LABEL;TYPE=%d:b", "ADR;TYPE=%d:;;c;;;;\nLABEL;TYPE=x%d:b", "SORT-STRING:a", "N;SORT-AS=a:b",
		"g%d.X-ABDATE:2000-01-01\ng%d.X-ABLabel:_$!<Anniversary>!$_", "ANNIVERSARY:20000101", "ADR;LABEL=a:;;b", "UID:%d", "FN:%d"} {
		n := 19000 / (1 + strings.Count(part, "\n"))
		var b strings.Builder
		for i := range n {
			b.WriteString(strings.ReplaceAll(part, "%d", fmt.Sprint(i)) + "\n")
		}
		for from, to := range map[string]string{"3.0": "4.0", "4.0": "3.0"} {
			in := []byte("BEGIN:VCARD\nVERSION:" + from + "\nFN:a\n" + b.String() + "END:VCARD\n")
			if _, r := Convert(in, to); r != nil {
				t.Errorf("%s to %s: %v", part, to, r)
			}
			Mend(in)
		}
	}
}

func FuzzMend(f *testing.F) {
	for _, s := range nastySeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		total := 0
		for p, err := range Split(bytes.NewReader(in), 1<<20) {
			if err != nil {
				t.Fatal(err)
			}
			total += len(p.Octets)
		}
		if total > 3*len(in) { // UTF-16 may grow by half
			t.Fatalf("%d octets out of %d", total, len(in))
		}
		before := bytes.Clone(in)
		out, mends, r := Mend(in)
		if !bytes.Equal(before, in) {
			t.Fatal("the input was changed")
		}
		if r != nil {
			if r.Precondition == "" || r.Why == "" || out != nil {
				t.Fatalf("refusal %+v with %q", r, out)
			}
			return
		}
		if _, r := Judge(out, Limits{}); r != nil {
			t.Fatalf("mended, but refused: %v\n%q", r, out)
		}
		if (len(mends) == 0) != bytes.Equal(in, out) {
			t.Fatalf("octets and report differ: %q\n%q\n%q", mends, in, out)
		}
		again, mends, r := Mend(out)
		if r != nil || len(mends) > 0 || !bytes.Equal(again, out) {
			t.Fatalf("mended twice: %q, %v", mends, r)
		}
	})
}
