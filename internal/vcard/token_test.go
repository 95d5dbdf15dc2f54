package vcard

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

const small = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u1\r\nFN:Alice Example\r\nN:Example;Alice;;;\r\n" +
	"item1.EMAIL;TYPE=INTERNET,pref:alice@exam\r\n ple.org\r\nitem1.X-ABLabel:_$!<Home>!$_\r\nEND:VCARD\r\n"

func joined(c *Card) string {
	var b strings.Builder
	for i := range c.Lines {
		b.WriteString(c.Lines[i].Raw)
	}
	return b.String()
}

func TestParseCutsLines(t *testing.T) {
	in := "BEGIN:VCARD\n\n  \nitem1.TEL;HOME;X-A=\"a;b:c,d\",e^nf;type=cell:+1\r\n\t23\r\n  4\nNOTE:"
	c, err := Parse([]byte(in), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if joined(c) != in {
		t.Errorf("lines do not give the input back: %q", joined(c))
	}
	// White space behind a blank line folds into it, as the grammar has it.
	l := c.Lines[2]
	if l.Group != "item1" || !l.Is("tel") || l.Value != "+123 4" || l.No != 4 {
		t.Errorf("got %+v", l)
	}
	if got := strings.Join(l.Param("type"), "|"); got != "HOME|cell" || !l.Params[0].Bare {
		t.Errorf("TYPE = %q", got)
	}
	if got := l.Param("x-a"); len(got) != 2 || got[0] != "a;b:c,d" || got[1] != "e\nf" {
		t.Errorf("X-A = %q", got)
	}
}

func TestParseFaults(t *testing.T) {
	for _, c := range []struct {
		name, in string
		lim      Limits
		fault    Fault
		line     int
	}{
		{"nul", "A:1\nB:\x00", Limits{}, ControlCharacter, 2},
		{"bell in fold", "A:1\n \a", Limits{}, ControlCharacter, 2},
		{"delete", "A:\x7f", Limits{}, ControlCharacter, 1},
		{"non-character", "A:\uFFFE", Limits{}, ControlCharacter, 1},
		{"lone CR", "A:1\rB:2\n", Limits{}, LoneCR, 1},
		{"CR CR LF", "A:1\r\r\n", Limits{}, LoneCR, 1},
		{"latin1", "A:1\nB:M\xfcller\n", Limits{}, BadUTF8, 2},
		{"UTF-8 cut by a fold", "A:\xc3\r\n \xbc\r\n", Limits{}, BadUTF8, 1},
		{"open quote", "A;B=\"c:d\n", Limits{}, BadQuoting, 1},
		{"stray quote", "A;B=c\"d\":e\n", Limits{}, BadQuoting, 1},
		{"text behind quote", "A;B=\"c\"d:e\n", Limits{}, BadQuoting, 1},
		{"no colon", "A:1\nhello\n", Limits{}, NoColon, 2},
		{"no colon behind parameter", "A;B=c", Limits{}, NoColon, 1},
		{"no colon behind semicolon", "A;", Limits{}, NoColon, 1},
		{"space in name", "A B:c", Limits{}, BadName, 1},
		{"no name", ":c", Limits{}, BadName, 1},
		{"no group", ".A:c", Limits{}, BadName, 1},
		{"no name behind group", "a.:c", Limits{}, BadName, 1},
		{"empty parameter", "A;;B=c:d", Limits{}, BadParam, 1},
		{"parameter without a name", "A;=c:d", Limits{}, BadParam, 1},
		{"fold first", " A:c", Limits{}, BadFold, 1},
		{"too large", "A:12345", Limits{Octets: 6}, TooLarge, 1},
		{"line too long", "A:1\r\n 2\r\n 3\r\n", Limits{LineOctets: 10}, LineTooLong, 3},
		{"too many lines", "A:1\nA:1\nA:1\n", Limits{Lines: 2}, TooManyLines, 3},
		{"too many parameters", "A;B=c;B=c;B=c:d", Limits{Params: 2}, TooManyParams, 1},
	} {
		_, err := Parse([]byte(c.in), c.lim)
		var se *SyntaxError
		if !errors.As(err, &se) {
			t.Errorf("%s: error %v", c.name, err)
			continue
		}
		if se.Fault != c.fault || se.Line != c.line || !strings.HasSuffix(se.Why, ".") {
			t.Errorf("%s: got %d at line %d (%v), want %d at line %d", c.name, se.Fault, se.Line, err, c.fault, c.line)
		}
	}
}

// Ten megabytes in one line, in folds and in parameters: parsed or refused,
// and never more memory than a small multiple of the input.
func TestParseTenMegabytes(t *testing.T) {
	const n = 10 << 20
	huge := Limits{Octets: 1 << 30, LineOctets: 1 << 30, Params: 1 << 30}
	for name, in := range map[string]string{
		"one line":   "NOTE:" + strings.Repeat("x", n),
		"folds":      "NOTE:" + strings.Repeat("\r\n x", n/4),
		"parameters": "A" + strings.Repeat(";B=c", n/4) + ":d",
		"list":       "A;B=" + strings.Repeat("c,", n/2) + ":d",
		"quotes":     "A;B=" + strings.Repeat("\"\",", n/3) + ":d",
		"lines":      strings.Repeat("A:\n", n/3),
		"open quote": strings.Repeat("A;B=\"", n/5),
		"bad":        "NOTE:" + strings.Repeat("x", n) + "\xff",
	} {
		for _, lim := range []Limits{{}, huge} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			c, err := Parse([]byte(in), lim)
			runtime.ReadMemStats(&after)
			if err == nil && joined(c) != in {
				t.Errorf("%s: not lossless", name)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 100*n {
				t.Errorf("%s: %d octets for an input of %d", name, got, n)
			}
		}
	}
}

func FuzzTokenise(f *testing.F) {
	for _, s := range nastySeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := Parse(in, Limits{})
		if err != nil {
			var se *SyntaxError
			if !errors.As(err, &se) || se.Why == "" || se.Line < 1 {
				t.Fatalf("error %#v", err)
			}
			return
		}
		if joined(c) != string(in) {
			t.Fatalf("not lossless: %q", joined(c))
		}
		for i := range c.Lines {
			if l := &c.Lines[i]; !l.Blank() && strings.ContainsAny(l.Value, "\r\n") {
				t.Fatalf("a value holds a line end: %q", l.Value)
			}
		}
		if ix, r := Judge(in, Limits{}); r == nil && (ix.UID == "" || ix.Version == "") {
			t.Fatalf("accepted without UID or version: %+v", ix)
		}
	})
}
