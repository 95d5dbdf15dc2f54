package content

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

var wide = Limits{Octets: 1 << 20, LineOctets: 1 << 20, Lines: 1000}

// read gives the unfolded lines of an input, and checks that the raw ones are all of it.
func read(t *testing.T, data string, lim Limits) (texts []string, nos []int, err *SyntaxError) {
	t.Helper()
	r, err := NewReader([]byte(data), lim)
	if err != nil {
		return nil, nil, err
	}
	var all strings.Builder
	for r.More() {
		raw, text, no, err := r.Next()
		if err != nil {
			return texts, nos, err
		}
		all.WriteString(raw)
		texts, nos = append(texts, text), append(nos, no)
		if r.Source()[:r.Pos()] != all.String() {
			t.Fatalf("%q: %d octets read, %d given", data, r.Pos(), all.Len())
		}
	}
	if all.String() != data {
		t.Fatalf("%q became %q", data, all.String())
	}
	return texts, nos, nil
}

func TestReader(t *testing.T) {
	texts, nos, err := read(t, "A:1\r\nB:2\n  3\r\n\t4\n\n \t\r\nC:", wide)
	if err != nil || strings.Join(texts, "|") != "A:1|B:2 34|\t|C:" {
		t.Errorf("%q, %v", texts, err)
	}
	if len(nos) != 4 || nos[0] != 1 || nos[1] != 2 || nos[2] != 5 || nos[3] != 7 {
		t.Errorf("lines %v", nos)
	}
}

func TestReaderFaults(t *testing.T) {
	for _, c := range []struct {
		data  string
		lim   Limits
		fault Fault
		line  int
	}{
		{"A:123", Limits{Octets: 4, LineOctets: 9, Lines: 9}, TooLarge, 0},
		{"A:\n 12\n 3", Limits{Octets: 99, LineOctets: 8, Lines: 9}, LineTooLong, 3},
		{"A:\nB:\nC:", Limits{Octets: 99, LineOctets: 9, Lines: 2}, TooManyLines, 3},
		{"A:\nB:\xff", wide, BadUTF8, 2},
		{"A:\nB:\uFFFD\n\xff", wide, BadUTF8, 3},
		{"A:\r\r\n", wide, LoneCR, 1},
		{"A:\n \x00", wide, ControlCharacter, 2},
		{"A:\x7f", wide, ControlCharacter, 1},
		{"A:\uFFFE", wide, ControlCharacter, 1},
		{"A:\uFFFF", wide, ControlCharacter, 1},
		{" A:", wide, BadFold, 1},
	} {
		if _, _, err := read(t, c.data, c.lim); err == nil || err.Fault != c.fault || err.Line != c.line {
			t.Errorf("%q: %v", c.data, err)
		}
	}
	if _, _, err := read(t, "A:\uFEFF\uFFFD\t", wide); err != nil {
		t.Error(err)
	}
	for want, e := range map[string]*SyntaxError{"line 3: Why.": {3, NoColon, "Why."}, "Why.": {0, NoColon, "Why."}} {
		if e.Error() != want {
			t.Errorf("%q", e.Error())
		}
	}
}

func TestCutName(t *testing.T) {
	for text, want := range map[string]string{"A:b": "A|:b", "item1.X-a_B;c=d:e": "item1.X-a_B|;c=d:e", "A:": "A|:"} {
		if name, rest, err := CutName(text); err != nil || name+"|"+rest != want {
			t.Errorf("%q: %q, %q, %v", text, name, rest, err)
		}
	}
	for text, want := range map[string]Fault{"": NoColon, "A": NoColon, "A b": NoColon, ":b": BadName, "A b:c": BadName, "ä:": BadName} {
		if _, _, err := CutName(text); err == nil || err.Fault != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestFoldingKeepsCharacters(t *testing.T) {
	text := "NOTE:" + strings.Repeat("ü€𝄞a", 50)
	out := AppendFolded(nil, text)
	for line := range strings.SplitSeq(strings.TrimSuffix(string(out), "\r\n"), "\r\n") {
		if len(line) > maxLine || len(line) < maxLine-3 && strings.HasPrefix(line, " ü") {
			t.Errorf("%d octets: %q", len(line), line)
		}
		if strings.ToValidUTF8(line, "?") != line {
			t.Errorf("cut inside a character: %q", line)
		}
	}
	if texts, _, err := read(t, string(out), wide); err != nil || len(texts) != 1 || texts[0] != text {
		t.Errorf("folded to %q, %v", texts, err)
	}
}

func TestValues(t *testing.T) {
	for in, want := range map[string]string{
		"": "", `a\nb\Nc`: "a\nb\nc", `a\,b\;c\\d`: `a,b;c\d`, `a\:b\"c`: `a:b"c`, `a\`: `a\`, `\\n`: `\n`, "a,b": "a,b",
	} {
		if got := Unescape(in); got != want {
			t.Errorf("%q gives %q", in, got)
		}
	}
	if got := Escape("a,b;c\\d\r\ne\nf\rg:"); got != `a\,b\;c\\d\ne\nf\ng:` {
		t.Errorf("%q", got)
	}
	if got := strings.Join(SplitEscaped(`a\,b,,c\\,\`, ','), "|"); got != `a\,b||c\\|\` {
		t.Errorf("%q", got)
	}
	for in, want := range map[string]string{"a": "a", "a,b": `"a,b"`, `c"d^`: "c^'d^^", "e\r\nf\ng\rh": "e^nf^ng^nh", "": ""} {
		if got := EncodeParam(in); got != want {
			t.Errorf("%q gives %q", in, got)
		}
	}
	for in, want := range map[string]string{`"a,b"`: "a,b", "a^nb^'c^^d^e^": "a\nb\"c^d^e^", `"`: `"`, `""`: ""} {
		if got := DecodeParam(in); got != want {
			t.Errorf("%q gives %q", in, got)
		}
	}
}

func TestUpper(t *testing.T) {
	for in, want := range map[string]string{"": "", "A-1": "A-1", "aZz@[`{": "AZZ@[`{", "Xäy": "XäY"} {
		if got := Upper(in); got != want {
			t.Errorf("%q gives %q", in, got)
		}
	}
	if !IsASCII("a\x7f") || IsASCII("a\u0080") || !IsASCII("") {
		t.Error("what is ASCII")
	}
}

func TestFragments(t *testing.T) {
	long := strings.Repeat("x", bufferSize+10)
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"a\nb\r\nc\r\r\nd\re", "1*a\n|2*b\r\n|3*c\r\r\n|4*d\r|5*e|"},
		{"\n\r\r", "1*\n|2*\r\r|"},
		{"a\n" + long + "\nb", "1*a\n|2*" + long[:bufferSize] + "|2 xxxxxxxxxx\n|3*b|"},
		{"B\x00E\x00\n\x00", "1*BE\n|"},
		{"\xfe\xff\x00a\x00\r\x00\n\x00b", "1*a\r\n|2*b|"},
	} {
		for _, r := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in))} {
			var got strings.Builder
			f := NewFragments(r)
			for frag, err := f.Next(); err == nil; frag, err = f.Next() {
				got.WriteByte(byte('0' + f.Line))
				got.WriteByte(map[bool]byte{true: '*', false: ' '}[f.Start])
				got.Write(frag)
				got.WriteByte('|')
			}
			if got.String() != c.want {
				t.Errorf("%.20q gives %.40q", c.in, got.String())
			}
		}
	}
	broken := errors.New("broken")
	f := NewFragments(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken)))
	for range 2 {
		if _, err := f.Next(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, err := f.Next(); err != broken {
			t.Errorf("%v, not the reader's error", err)
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, s := range []string{"A:1\r\nB;c=\"d\":2\n  3\r\n", " \nA:", "A\\,:\x00", "\xff", "A:\r\r\n b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data string) {
		texts, _, err := read(t, data, Limits{Octets: 4096, LineOctets: 500, Lines: 50})
		if err != nil {
			if err.Why == "" || err.Fault >= OfFormat {
				t.Fatalf("%+v", err)
			}
			return
		}
		for _, text := range texts {
			if IsBlank(text) {
				continue
			}
			again, _, err := read(t, string(AppendFolded(nil, text)), wide)
			if IsWSP(text[0]) {
				continue // what begins with white space is no content line
			}
			if err != nil || len(again) != 1 || again[0] != text {
				t.Fatalf("%q became %q, %v", text, again, err)
			}
			if got := Unescape(Escape(text)); got != text {
				t.Fatalf("%q became %q", text, got)
			}
			if got := DecodeParam(EncodeParam(text)); got != text {
				t.Fatalf("%q became %q", text, got)
			}
		}
	})
}
