package davxml

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestParseIf(t *testing.T) {
	tok := func(s string) IfCondition { return IfCondition{Token: s} }
	tag := func(s string) IfCondition { return IfCondition{ETag: ETag{Opaque: s}} }
	not := func(c IfCondition) IfCondition { c.Not = true; return c }
	for in, want := range map[string][]IfList{
		``:                                       nil,
		`(["a"])`:                                {{"", []IfCondition{tag("a")}}},
		` (["a"] )`:                              {{"", []IfCondition{tag("a")}}},
		`(<urn:uuid:181d4fae> ["I am an ETag"])`: {{"", []IfCondition{tok("urn:uuid:181d4fae"), tag("I am an ETag")}}},
		`(<urn:uuid:1> ["a]b"]) (["c"])`:         {{"", []IfCondition{tok("urn:uuid:1"), tag("a]b")}}, {"", []IfCondition{tag("c")}}},
		`(Not <urn:uuid:1> <urn:uuid:2>)`:        {{"", []IfCondition{not(tok("urn:uuid:1")), tok("urn:uuid:2")}}},
		`(<urn:x>)(Not<DAV:no-lock>)`:            {{"", []IfCondition{tok("urn:x")}}, {"", []IfCondition{not(tok("DAV:no-lock"))}}},
		`(not["a"])`:                             {{"", []IfCondition{not(tag("a"))}}},
		`</r1> (<urn:x> [W/"w"]) (["s"])  <http://h/r2>(["t"])`: {
			{"/r1", []IfCondition{tok("urn:x"), {ETag: ETag{true, "w"}}}}, {"/r1", []IfCondition{tag("s")}}, {"http://h/r2", []IfCondition{tag("t")}}},
		`([""])`: {{"", []IfCondition{tag("")}}},
	} {
		h, err := ParseIf(in)
		if err != nil || !reflect.DeepEqual(h.Lists, want) {
			t.Errorf("ParseIf(%q) = %v, %v, want %v", in, h.Lists, err, want)
		}
	}
	for _, in := range []string{
		` `, `(`, `)`, `()`, `( )`, `(Not)`, `(Not Not <a:b>)`, `(<>)`, `(<a:b)`, `(a:b)`, `<a:b>`, `</a>`, `</a> ()`, `(["a)`, `(["a"`, `([a])`,
		`([ "a" ])`, `(<relative>)`, `(</path>)`, `<relative> (["a"])`, `</a> (["a"]) x`, `(["a"]) </b> (["b"])`, `(["a"]),(["b"])`, `x`,
		`(["a"]) <b:c>`, `(<a b:c>)`, "([\"a\"])\x00", "([\"a\nb\"])", `(<1a:b>)`, `(<:b>)`, `(["a"]]`,
	} {
		h, err := ParseIf(in)
		var e *Error
		if !errors.As(err, &e) || e.Kind != Malformed || h.Present() {
			t.Errorf("ParseIf(%q) = %v, %v, want a malformed header", in, h, err)
		}
	}
	for _, in := range []string{"(" + strings.Repeat("<a:b>", maxIfConditions+1) + ")", "(<a:" + strings.Repeat("b", maxHeader) + ">)"} {
		if _, err := ParseIf(in); !IsTooLarge(err) || err.(*Error).Kind.Status() != 431 {
			t.Errorf("a header of %d octets: got %v", len(in), err)
		}
	}
}

func TestIfHolds(t *testing.T) {
	state := map[string]bool{` token urn:l`: true, ` etag "1"`: true, `/r etag "2"`: true}
	has := func(r string, c IfCondition) bool {
		if c.Token != "" {
			return state[r+" token "+c.Token]
		}
		return state[r+" etag "+c.ETag.String()]
	}
	for in, want := range map[string]bool{
		``: true, `(<urn:l>)`: true, `(<urn:m>)`: false, `(Not <urn:m>)`: true, `(Not <urn:l>)`: false,
		`(<urn:l> ["1"])`: true, `(<urn:l> ["2"])`: false, `(<urn:l> ["2"]) (["1"])`: true, `(<urn:m>) (["2"])`: false,
		`</r> (["2"])`: true, `</r> (["1"])`: false, `</r> (["1"]) </s> (["2"])`: false, `</s> (Not ["2"])`: true,
		`(<urn:m>) (Not <DAV:no-lock>)`: true,
	} {
		h, err := ParseIf(in)
		if err != nil || h.Holds(has) != want {
			t.Errorf("%q: holds %v, %v, want %v", in, h.Holds(has), err, want)
		}
	}
	h, _ := ParseIf(`(<a:1> ["x"]) (Not <a:2> <a:1>)`)
	if got := fmt.Sprint(h.Tokens()); got != "[a:1 a:2]" {
		t.Errorf("tokens: %s", got)
	}
}

func TestParseETagList(t *testing.T) {
	for _, c := range []struct {
		lines []string
		want  string
	}{
		{nil, "{false []}"},
		{[]string{"*"}, "{true []}"},
		{[]string{" * "}, "{true []}"},
		{[]string{`"a"`}, `{false ["a"]}`},
		{[]string{`"a", W/"b,c" ,,"d"`}, `{false ["a" W/"b,c" "d"]}`},
		{[]string{`"a"`, `"b"`}, `{false ["a" "b"]}`},
		{[]string{`""`}, `{false [""]}`},
		{[]string{"\"\xe9\""}, "{false [\"\xe9\"]}"},
		{[]string{``}, "error"}, {[]string{`,`}, "error"}, {[]string{`a`}, "error"}, {[]string{`"a`}, "error"},
		{[]string{`"a" "b"`}, "error"}, {[]string{`*, "a"`}, "error"}, {[]string{`w/"a"`}, "error"}, {[]string{`"a b"`}, `{false ["a b"]}`},
		{[]string{`"a"x`}, "error"}, {[]string{"\"a\x7f\""}, "error"},
	} {
		l, err := ParseETagList(c.lines)
		got := fmt.Sprint(l)
		if err != nil {
			got = "error"
			if l.Present() {
				t.Errorf("%q: an error and %v", c.lines, l)
			}
		}
		if got != c.want {
			t.Errorf("%q: got %s (%v), want %s", c.lines, got, err, c.want)
		}
	}
}

func TestETagMatch(t *testing.T) {
	strong, weak, other := ETag{false, "a"}, ETag{true, "a"}, ETag{false, "b"}
	for _, c := range []struct {
		list         string
		tag          ETag
		strong, weak bool
	}{
		{`"a"`, strong, true, true}, {`"a"`, weak, false, true}, {`W/"a"`, strong, false, true}, {`W/"a"`, weak, false, true},
		{`"x", "a"`, strong, true, true}, {`"a"`, other, false, false}, {`*`, other, true, true},
	} {
		l, err := ParseETagList([]string{c.list})
		if err != nil || l.MatchStrong(c.tag) != c.strong || l.MatchWeak(c.tag) != c.weak {
			t.Errorf("%s and %s: strong %v, weak %v, %v", c.list, c.tag, l.MatchStrong(c.tag), l.MatchWeak(c.tag), err)
		}
	}
	if _, err := ParseETag(`"a", "b"`); err == nil {
		t.Error("ParseETag must refuse a list")
	}
	if e, err := ParseETag(`W/"a"`); err != nil || e != weak {
		t.Errorf("got %v, %v", e, err)
	}
}

func TestParsePrefer(t *testing.T) {
	for in, want := range map[string]Prefer{
		"": {}, "return=minimal": {Minimal: true}, "Return = \"minimal\"": {Minimal: true}, "RETURN=representation": {Representation: true},
		"return=minimal, depth-noroot":          {Minimal: true, DepthNoRoot: true},
		"respond-async; x=\"a,return=minimal\"": {}, "wait=10, depth-noroot;x": {DepthNoRoot: true},
		"return=minimal\nreturn=representation": {Minimal: true}, "return=other, return=minimal": {}, ",,;=,return": {},
		"foo;return=minimal": {}, "x=\"\\\",return=minimal": {},
	} {
		if got := ParsePrefer(strings.Split(in, "\n")); got != want {
			t.Errorf("ParsePrefer(%q) = %+v, want %+v", in, got, want)
		}
	}
	if got := (Prefer{Minimal: true, DepthNoRoot: true}).Applied(); got != "return=minimal, depth-noroot" {
		t.Errorf("applied: %q", got)
	}
}

func TestParseDepthAndOverwrite(t *testing.T) {
	for in, want := range map[string]Depth{"": DepthOne, "0": DepthZero, " 1 ": DepthOne, "infinity": DepthInfinity, "Infinity": DepthInfinity} {
		if d, err := ParseDepth(in, DepthOne); err != nil || d != want {
			t.Errorf("ParseDepth(%q) = %v, %v", in, d, err)
		}
	}
	for _, in := range []string{"2", "-1", "1,noroot", "inf", "01"} {
		if _, err := ParseDepth(in, DepthZero); err == nil {
			t.Errorf("ParseDepth(%q) has no error", in)
		}
	}
	for in, want := range map[string]string{"": "true", "T": "true", "F": "false", "f": "false", "yes": "error", "TF": "error"} {
		got, err := ParseOverwrite(in)
		if s := fmt.Sprint(got); err == nil && s != want || err != nil && want != "error" {
			t.Errorf("ParseOverwrite(%q) = %v, %v", in, got, err)
		}
	}
}

func TestParseDestination(t *testing.T) {
	for in, want := range map[string]string{
		"/dav/a%2Fb": " /dav/a%2Fb", "https://h:8443/dav/a%20b": "h:8443 /dav/a%20b", "http://h/": "h /", "/a..b/...": " /a..b/...",
	} {
		u, err := ParseDestination(in)
		if err != nil || u.Host+" "+u.EscapedPath() != want {
			t.Errorf("ParseDestination(%q) = %v, %v", in, u, err)
		}
	}
	for _, in := range []string{
		"", "a", "http://h", "http:///a", "ftp://h/a", "mailto:a", "//h/a", "/a/../b", "/a/%2e%2E/b", "/a/.", "/a/..%2fb", "http://u@h/a",
		"/a#b", "/a#", "/%zz", "/a\x00", "/a%00", "http://h/a\nb", "/" + strings.Repeat("a", maxHeader), "*",
	} {
		if u, err := ParseDestination(in); err == nil {
			t.Errorf("ParseDestination(%q) = %v, want an error", short(in), u)
		}
	}
}
