package davxml

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
)

// dump writes a tree so that every namespace, attribute and piece of text is seen in its place.
func dump(e *Element) string {
	var b strings.Builder
	var walk func(e *Element)
	walk = func(e *Element) {
		fmt.Fprintf(&b, "<%v", e.Name)
		for _, a := range e.Attrs {
			fmt.Fprintf(&b, " %v=%q", a.Name, a.Value)
		}
		fmt.Fprintf(&b, ">%s", e.head)
		for _, c := range e.Children {
			walk(c)
			b.WriteString(c.tail)
		}
		b.WriteString("</>")
	}
	walk(e)
	return b.String()
}

func mustParse(t testing.TB, s string) *Element {
	t.Helper()
	e, err := Parse(strings.NewReader(s), Limits{})
	if err != nil {
		t.Fatalf("parse %q: %v", s, err)
	}
	return e
}

func TestParseAccepts(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`<a/>`, `<a></>`},
		{" \n<a></a >\n<!-- end --><?pi?>", `<a></>`},
		{"\ufeff<?xml version='1.0' encoding='UTF-8' standalone='yes'?><a/>", `<a></>`},
		{`<?xml version="1.1"?><a/>`, `<a></>`},
		{`<?xml-stylesheet href="x"?><a/>`, `<a></>`},
		{`<D:a xmlns:D="DAV:"><D:b/></D:a>`, `<{DAV:}a><{DAV:}b></></>`},
		{`<a xmlns="DAV:"><b xmlns=""><c/></b></a>`, `<{DAV:}a><b><c></></></>`},
		{`<p:a xmlns:p="u1"><p:b xmlns:p="u2"><p:c/></p:b><p:d/></p:a>`, `<{u1}a><{u2}b><{u2}c></></><{u1}d></></>`},
		{`<a x="1" xmlns:p="u" p:x="2" xml:lang="en"/>`, `<a x="1" {u}x="2" {` + NSXML + `}lang="en"></>`},
		{`<a xmlns="u" x="1" p:x="2" xmlns:p="u"/>`, `<{u}a x="1" {u}x="2"></>`},
		{`<a xmlns:xml="` + NSXML + `" xml:space="preserve"/>`, `<a {` + NSXML + `}space="preserve"></>`},
		{`<a>x<b>y</b>z<c/>w</a>`, `<a>x<b>y</>z<c></>w</>`},
		{`<a>1<!-- c -->2<?pi d?>3<![CDATA[<&]]]]><![CDATA[>]]></a>`, `<a>123<&]]></>`},
		{"<a>1\r\n2\r3&#13;4</a>", "<a>1\n2\n3\r4</>"},
		{"<a><![CDATA[1\r\n2\r3&#13;]]></a>", "<a>1\n2\n3&#13;</>"},
		{"<a b='1\t2\r\n3&#10;4&#9;\"'/>", `<a b="1 2 3\n4\t\""></>`},
		{`<a>&lt;&gt;&amp;&apos;&quot;&#65;&#x1F4A9;&#x00000041;</a>`, `<a><>&'"A💩A</>`},
		{`<é:ñ xmlns:é="u"/>`, `<{u}ñ></>`},
		{`<a 	b = "1"
 c='2'	/>`, `<a b="1" c="2"></>`},
		{`<a>]] ></a>`, `<a>]] ></>`},
		{"<a>\U0010FFFD\U00010000\uE000</a>", "<a>\U0010FFFD\U00010000\uE000</>"},
	} {
		if got := dump(mustParse(t, c.in)); got != c.want {
			t.Errorf("parse %q:\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		in   string
		kind Kind
		say  string
	}{
		{`<a>`, Malformed, `ends inside the element "a"`},
		{`<a`, Malformed, "ends inside the tag"},
		{`<!-- x -->`, Malformed, "no root"},
		{`<a/><b/>`, Malformed, "more than one root"},
		{`<a/>x`, Malformed, "outside the root"},
		{`x<a/>`, Malformed, "outside the root"},
		{`<a/>&#32;`, Malformed, "outside the root"},
		{`<a/><![CDATA[ ]]>`, Malformed, "outside the root"},
		{`<a></b>`, Malformed, `"b" stands where "a" is open`},
		{`<a xmlns:p="u" xmlns:q="u"><p:b></q:b></a>`, Malformed, "is open"},
		{`</a>`, Malformed, "closes nothing"},
		{`<a/></a>`, Malformed, "closes nothing"},
		{`<a`, Malformed, "ends inside"},
		{`<a b></a>`, Malformed, "no value"},
		{`<a b=c></a>`, Malformed, "quotation marks"},
		{`<a b="c></a>`, Malformed, "does not end"},
		{`<a b="<"/>`, Malformed, "< may not"},
		{`<a b="1"c="2"/>`, Malformed, "does not belong"},
		{`<a b="1" b="2"/>`, Malformed, "stands twice"},
		{`<a xmlns:p="u" xmlns:q="u" p:b="1" q:b="2"/>`, Malformed, "stands twice"},
		{`<a xmlns="u" xmlns="v"/>`, Malformed, "declared twice"},
		{`<a xmlns:p="u" xmlns:p="u"/>`, Malformed, "declared twice"},
		{`<p:a/>`, Malformed, `prefix "p" is not declared`},
		{`<a p:b=""/>`, Malformed, `prefix "p" is not declared`},
		{`<a><b xmlns:p="u"/><p:c/></a>`, Malformed, `prefix "p" is not declared`},
		{`<D:propfind xmlns:D="DAV:"><D:prop><bar:foo xmlns:bar=""/></D:prop></D:propfind>`, Malformed, "without a namespace"},
		{`<xmlns:a/>`, Malformed, "not declared"},
		{`<a xmlns:xmlns="u"/>`, Malformed, "reserved"},
		{`<a xmlns:xml="u"/>`, Malformed, "reserved"},
		{`<a xmlns:p="` + NSXML + `"/>`, Malformed, "reserved"},
		{`<a xmlns="` + NSXMLNS + `"/>`, Malformed, "reserved"},
		{`<a:b:c xmlns:a="u"/>`, Malformed, "name was expected"},
		{`<a: xmlns:a="u"/>`, Malformed, "name was expected"},
		{`<:a/>`, Malformed, "name was expected"},
		{`<1a/>`, Malformed, "name was expected"},
		{`< a/>`, Malformed, "name was expected"},
		{`<a><></a>`, Malformed, "name was expected"},
		{`<a>&foo;</a>`, Malformed, `entity "foo" is not declared`},
		{`<a>&</a>`, Malformed, "no semicolon"},
		{`<a>&#0;</a>`, Malformed, "no character"},
		{`<a>&#xD800;</a>`, Malformed, "no character"},
		{`<a>&#x110000;</a>`, Malformed, "no character"},
		{`<a>&#99999999999999999;</a>`, Malformed, "no character"},
		{`<a>&#+65;</a>`, Malformed, "no character"},
		{`<a>&#x;</a>`, Malformed, "no character"},
		{`<a b="&#8;"/>`, Malformed, "no character"},
		{`<a>]]></a>`, Malformed, "]]>"},
		{`<a><![CDATA[x</a>`, Malformed, "CDATA section does not end"},
		{`<a><!-- x</a>`, Malformed, "comment does not end"},
		{`<a><!-- x -- y --></a>`, Malformed, "two hyphens"},
		{`<a><!ELEMENT b></a>`, Malformed, "markup declaration"},
		{`<a><?xml version="1.0"?></a>`, Malformed, "at the beginning"},
		{` <?xml version="1.0"?><a/>`, Malformed, "at the beginning"},
		{`<a><? x?></a>`, Malformed, "no name"},
		{`<a><?x </a>`, Malformed, "does not end"},
		{`<?xml encoding="utf-8"?><a/>`, Malformed, "does not belong"},
		{`<?xml version="1.0"`, Malformed, "malformed"},
		{`<?xml version="1.0"encoding="utf-8"?><a/>`, Malformed, "malformed"},
		{`<?xml version="1.0" version="1.0"?><a/>`, Malformed, "does not belong"},
		{`<?xml version="1.0" standalone="no" encoding="utf-8"?><a/>`, Malformed, "does not belong"},
		{`<?xml version="1.0" x="y"?><a/>`, Malformed, "does not belong"},
		{`<?xml version="2.0"?><a/>`, Malformed, "version 1.0"},
		{`<?xml ?><a/>`, Malformed, "version 1.0"},
		{`<a><?x="y"?></a>`, Malformed, "does not belong"},
		{"<a>\x00</a>", Malformed, "control character 0x00"},
		{"<a>\x1b</a>", Malformed, "control character 0x1B"},
		{"<a>\ufffe</a>", Malformed, "U+FFFE"},
		{"<a>\xff</a>", Malformed, "not valid UTF-8"},
		{"<a>\xed\xa0\x80</a>", Malformed, "not valid UTF-8"},
		{"<a>\xc0\xaf</a>", Malformed, "not valid UTF-8"},
		{`<!DOCTYPE a><a/>`, ForbiddenEntity, "document type"},
		{`<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`, ForbiddenEntity, "document type"},
		{`<?xml version="1.0" encoding="windows-1252"?><a/>`, BadEncoding, "windows-1252"},
		{`<?xml version="1.0" encoding="utf-16"?><a/>`, BadEncoding, "utf-16"},
		{"\ufeff<?xml version='1.0' encoding='iso-8859-1'?><a/>", BadEncoding, "declares"},
		{"\xff\xfe\x00\x00<\x00\x00\x00", BadEncoding, "UTF-32"},
		{"\xff\xfe<", Malformed, "UTF-16"},
		{"\xff\xfe\x00\xd8", Malformed, "UTF-16"},
		{"\xff\xfe\x00\xdc<\x00", Malformed, "UTF-16"},
		{"<?xml version='1.0' encoding='us-ascii'?><a>\xe9</a>", Malformed, "US-ASCII"},
	} {
		_, err := Parse(strings.NewReader(c.in), Limits{})
		var e *Error
		if !errors.As(err, &e) || e.Kind != c.kind || !strings.Contains(e.Msg, c.say) {
			t.Errorf("parse %q: got %v, want %v: …%s…", c.in, err, c.kind, c.say)
		}
	}
}

func TestErrorPlace(t *testing.T) {
	_, err := Parse(strings.NewReader("<a>\n<b>\n <c></d></b></a>"), Limits{})
	var e *Error
	if !errors.As(err, &e) || e.Line != 3 || e.Offset != 12 {
		t.Fatalf("got %v, want line 3, octet 12", err)
	}
	if e.Error() != `line 3, octet 12: the end tag "d" stands where "c" is open` {
		t.Errorf("got %q", e.Error())
	}
}

func TestParseEmpty(t *testing.T) {
	for _, s := range []string{"", " \r\n\t", "\ufeff", "\xff\xfe"} {
		if e, err := Parse(strings.NewReader(s), Limits{}); e != nil || err != ErrEmpty {
			t.Errorf("parse %q: got %v, %v, want ErrEmpty", s, e, err)
		}
	}
}

func TestParseReadFailure(t *testing.T) {
	broken := errors.New("the line is dead")
	_, err := Parse(io.MultiReader(strings.NewReader("<a/>"), iotest.ErrReader(broken)), Limits{})
	var e *Error
	if !errors.As(err, &e) || e.Kind != ReadFailed || !errors.Is(err, broken) {
		t.Fatalf("got %v, want a failed read that wraps the cause", err)
	}
}

func TestParseEncodings(t *testing.T) {
	const text = "<a>é\U0001F4A9</a>"
	units := utf16.Encode([]rune(text))
	big, little := []byte{}, []byte{}
	for _, u := range units {
		big = append(big, byte(u>>8), byte(u))
		little = append(little, byte(u), byte(u>>8))
	}
	for _, in := range []string{
		text, "\ufeff" + text, "\xfe\xff" + string(big), "\xff\xfe" + string(little), string(big), string(little),
	} {
		if got := mustParse(t, in).Text; got != "é\U0001F4A9" {
			t.Errorf("parse %q: got %q", in, got)
		}
	}
	if got := mustParse(t, "<?xml version='1.0' encoding=\"ISO-8859-1\"?><a b='\xfc'>\xe9</a>"); got.Text != "é" || got.Attrs[0].Value != "ü" {
		t.Errorf("ISO-8859-1: got %q, %q", got.Text, got.Attrs[0].Value)
	}
	if got := mustParse(t, "<?xml version='1.0' encoding='US-ASCII'?><a>x</a>").Text; got != "x" {
		t.Errorf("US-ASCII: got %q", got)
	}
}

// TestLimits goes to each bound, which is allowed, and one beyond, which is not.
func TestLimits(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("<a>", n) + strings.Repeat("</a>", n) }
	wide := func(n int) string { return "<a>" + strings.Repeat("<b/>", n-1) + "</a>" }
	attrs := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, " a%d=''", i)
		}
		return "<a" + b.String() + "/>"
	}
	name := func(n int) string { return "<" + strings.Repeat("a", n) + "/>" }
	space := func(n int) string { return "<a xmlns='" + strings.Repeat("u", n) + "'/>" }
	scopes := func(n int) string {
		return strings.Repeat("<a xmlns='u'>", n) + strings.Repeat("</a>", n)
	}
	octets := func(n int) string { return "<a>" + strings.Repeat("x", n-7) + "</a>" }
	for _, c := range []struct {
		what string
		lim  Limits
		body func(int) string
		most int
	}{
		{"octets", Limits{Octets: 50}, octets, 50},
		{"depth", Limits{Depth: 5}, nested, 5},
		{"depth clamped", Limits{Depth: 1 << 30}, nested, MaxDepth},
		{"elements", Limits{Elements: 7}, wide, 7},
		{"attributes", Limits{Attrs: 4}, attrs, 4},
		{"name", Limits{Name: 9}, name, 9},
		{"namespace", Limits{Name: 9}, space, 9},
		{"declarations in scope", Limits{Namespaces: 3}, scopes, 3},
	} {
		if _, err := Parse(strings.NewReader(c.body(c.most)), c.lim); err != nil {
			t.Errorf("%s: %d is allowed: %v", c.what, c.most, err)
		}
		_, err := Parse(strings.NewReader(c.body(c.most+1)), c.lim)
		if !IsTooLarge(err) || Kind.Status(err.(*Error).Kind) != 413 {
			t.Errorf("%s: %d is one too many: got %v", c.what, c.most+1, err)
		}
	}
}

// TestBombs sends what makes careless readers grow. Each must be refused without much memory.
func TestBombs(t *testing.T) {
	var laughs strings.Builder
	laughs.WriteString(`<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">`)
	for i := range 9 {
		fmt.Fprintf(&laughs, `<!ENTITY lol%d "%s">`, i+1, strings.Repeat(fmt.Sprintf("&lol%d;", i), 10))
	}
	laughs.WriteString(`]><lolz>&lol9;</lolz>`)
	quadratic := `<!DOCTYPE a [<!ENTITY x "` + strings.Repeat("x", 50_000) + `">]><a>` + strings.Repeat("&x;", 50_000) + `</a>`
	for what, in := range map[string]io.Reader{
		"billion laughs":        strings.NewReader(laughs.String()),
		"quadratic blow-up":     strings.NewReader(quadratic),
		"depth of a million":    strings.NewReader(strings.Repeat("<a>", 1_000_000)),
		"attribute of 10 MB":    strings.NewReader(`<a b="` + strings.Repeat("x", 10<<20) + `"/>`),
		"name of 3 MB":          strings.NewReader(`<` + strings.Repeat("x", 3<<20) + `/>`),
		"endless body":          endless{},
		"a million elements":    strings.NewReader("<a>" + strings.Repeat("<b/>", 1_000_000) + "</a>"),
		"a million attributes":  strings.NewReader("<a" + strings.Repeat(" b=''", 500_000) + "/>"),
		"unclosed tag of 3 MB":  strings.NewReader("<a " + strings.Repeat(" ", 3<<20)),
		"ampersands":            strings.NewReader("<a>" + strings.Repeat("&", 3<<20) + "</a>"),
		"comments without end":  strings.NewReader("<a>" + strings.Repeat("<!-", 1<<20)),
		"text without an end":   strings.NewReader("<a>" + strings.Repeat("x<!---->", 400_000)),
		"scopes within scopes":  strings.NewReader(strings.Repeat(`<a xmlns:p="u" xmlns:q="u">`, 60)),
		"end tags without ends": strings.NewReader(strings.Repeat("</", 1<<21)),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Parse(in, Limits{})
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: it was accepted", what)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
			t.Errorf("%s: %d octets were allocated", what, used)
		}
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

func TestElementHelpers(t *testing.T) {
	e := mustParse(t, `<a xmlns="DAV:" xml:lang="en" x="1">one<b> 1 </b>two<c xml:lang=""/><b xml:lang="de"><d/></b>three</a>`)
	if e.Text != "onetwothree" {
		t.Errorf("text: got %q", e.Text)
	}
	if b := e.Child(DAV("b")); b.TrimText() != "1" || b.Lang != "en" {
		t.Errorf("child b: got %q, language %q", b.TrimText(), b.Lang)
	}
	if c := e.Child(DAV("c")); c.Lang != "" {
		t.Errorf("an empty xml:lang must end the inherited one, got %q", c.Lang)
	}
	n := 0
	for b := range e.All(DAV("b")) {
		n++
		if n == 2 && b.Child(DAV("d")).Lang != "de" {
			t.Errorf("the language is not inherited: %q", b.Child(DAV("d")).Lang)
		}
	}
	if n != 2 {
		t.Errorf("All gave %d elements, want 2", n)
	}
	if v, ok := e.Attr("", "x"); v != "1" || !ok {
		t.Errorf("attribute x: got %q, %v", v, ok)
	}
	if _, ok := e.Attr("DAV:", "x"); ok {
		t.Error("an attribute without prefix has no namespace")
	}
	var none *Element
	if none.Child(DHref) != nil || none.TrimText() != "" {
		t.Error("helpers on nil must give nothing")
	}
}

func TestParseName(t *testing.T) {
	for _, n := range []Name{DHref, {"", "x"}, {"a}b", "x"}, {"urn:é", "ñ"}} {
		if got, err := ParseName(n.String()); err != nil || got != n {
			t.Errorf("%v: got %v, %v", n, got, err)
		}
	}
	for _, s := range []string{"", "{DAV:", "{DAV:}", "{DAV:}a:b", "a b", "{\x00}a", "1a", "{u}a\xff"} {
		if n, err := ParseName(s); err == nil {
			t.Errorf("ParseName(%q) = %v, want an error", s, n)
		}
	}
}
