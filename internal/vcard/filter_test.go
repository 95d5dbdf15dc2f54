package vcard

import (
	"errors"
	"fmt"
	"testing"

	"holdfast/internal/textmatch"
)

func parse(t testing.TB, in string) *Card {
	t.Helper()
	c, err := Parse([]byte(in), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFilter(t *testing.T) {
	card := parse(t, body("VERSION:3.0", "UID:u", `FN:Zoë Müller\, jr.`, "N:Müller;Zoë,Anna;;Dr.;", "item1.EMAIL;TYPE=INTERNET,HOME:zoe@example.org",
		"EMAIL;TYPE=WORK:z.mueller@example.com", "TEL:+1 555", `ORG:Example\; Sons;R&D`, "CATEGORIES:Friends,Old Band",
		`X-A;P="q^'r":v`, "TEL;TYPE=\"work,voice\":+2"))
	text := func(s string, m textmatch.Type) []textmatch.TextMatch {
		return []textmatch.TextMatch{{Text: s, Match: m}}
	}
	neg := func(s string, m textmatch.Type) []textmatch.TextMatch {
		return []textmatch.TextMatch{{Text: s, Match: m, Negate: true}}
	}
	for _, c := range []struct {
		name string
		f    PropFilter
		want bool
	}{
		{"defined", PropFilter{Name: "fn"}, true},
		{"not there", PropFilter{Name: "NOTE"}, false},
		{"not defined", PropFilter{Name: "NOTE", NotDefined: true}, true},
		{"not defined, but there", PropFilter{Name: "email", NotDefined: true}, false},
		{"group of the filter", PropFilter{Name: "ITEM1.email"}, true},
		{"other group", PropFilter{Name: "item2.EMAIL"}, false},
		{"group not defined", PropFilter{Name: "item2.EMAIL", NotDefined: true}, true},
		{"in a group", PropFilter{Name: "EMAIL", Texts: text("zoe@", textmatch.StartsWith)}, true},
		{"equals unescaped", PropFilter{Name: "FN", Texts: text("zoë müller, JR.", textmatch.Equals)}, true},
		{"equals needs all", PropFilter{Name: "FN", Texts: text("zoë", textmatch.Equals)}, false},
		{"decomposed", PropFilter{Name: "FN", Texts: text("ZOE\u0308", textmatch.StartsWith)}, true},
		{"contains", PropFilter{Name: "FN", Texts: text("LLER", textmatch.Contains)}, true},
		{"ends", PropFilter{Name: "EMAIL", Texts: text(".COM", textmatch.EndsWith)}, true},
		{"ends not", PropFilter{Name: "EMAIL", Texts: text("example", textmatch.EndsWith)}, false},
		{"octet", PropFilter{Name: "FN", Texts: []textmatch.TextMatch{{Text: "zoë", Collation: textmatch.Octet}}}, false},
		{"octet same", PropFilter{Name: "FN", Texts: []textmatch.TextMatch{{Text: "Zoë", Collation: textmatch.Octet}}}, true},
		{"ASCII leaves ë", PropFilter{Name: "FN", Texts: []textmatch.TextMatch{{Text: "zoË", Collation: textmatch.ASCIICasemap}}}, false},
		{"ASCII", PropFilter{Name: "FN", Texts: []textmatch.TextMatch{{Text: "zOë", Collation: textmatch.ASCIICasemap}}}, true},
		{"component", PropFilter{Name: "N", Texts: text("dr.", textmatch.Equals)}, true},
		{"list inside a component", PropFilter{Name: "N", Texts: text("anna", textmatch.Equals)}, true},
		{"whole structure", PropFilter{Name: "N", Texts: text("Müller;Zoë,Anna;;Dr.;", textmatch.Equals)}, true},
		{"escaped separator", PropFilter{Name: "ORG", Texts: text("example; sons", textmatch.Equals)}, true},
		{"list", PropFilter{Name: "CATEGORIES", Texts: text("old band", textmatch.Equals)}, true},
		{"negated, another instance differs", PropFilter{Name: "EMAIL", Texts: neg("example.org", textmatch.Contains)}, true},
		{"negated, all match", PropFilter{Name: "EMAIL", Texts: neg("example", textmatch.Contains)}, false},
		{"negated, no property", PropFilter{Name: "NOTE", Texts: neg("x", textmatch.Contains)}, false},
		{"any of texts", PropFilter{Name: "FN", Texts: append(text("nobody", textmatch.Contains), text("Zoë", textmatch.Contains)...)}, true},
		{"all of texts", PropFilter{Name: "FN", Test: AllOf, Texts: append(text("nobody", textmatch.Contains), text("Zoë", textmatch.Contains)...)}, false},
		{"all on one instance", PropFilter{Name: "EMAIL", Test: AllOf, Texts: text("zoe@", textmatch.Contains),
			Params: []ParamFilter{{Name: "TYPE", Text: &textmatch.TextMatch{Text: "work", Match: textmatch.Equals}}}}, false},
		{"any on one instance", PropFilter{Name: "EMAIL", Texts: text("zoe@", textmatch.Contains),
			Params: []ParamFilter{{Name: "TYPE", Text: &textmatch.TextMatch{Text: "work", Match: textmatch.Equals}}}}, true},
		{"parameter defined", PropFilter{Name: "EMAIL", Params: []ParamFilter{{Name: "type"}}}, true},
		{"parameter missing", PropFilter{Name: "FN", Params: []ParamFilter{{Name: "type"}}}, false},
		{"parameter not defined", PropFilter{Name: "TEL", Params: []ParamFilter{{Name: "type", NotDefined: true}}}, true},
		{"parameter not defined, but there", PropFilter{Name: "EMAIL", Params: []ParamFilter{{Name: "type", NotDefined: true}}}, false},
		{"parameter of no property", PropFilter{Name: "NOTE", Params: []ParamFilter{{Name: "type", NotDefined: true}}}, false},
		{"one of the values", PropFilter{Name: "EMAIL", Params: []ParamFilter{{Name: "type", Text: &textmatch.TextMatch{Text: "home", Match: textmatch.Equals}}}}, true},
		{"negated parameter", PropFilter{Name: "EMAIL", Params: []ParamFilter{{Name: "type", Text: &textmatch.TextMatch{Text: "home", Match: textmatch.Equals, Negate: true}}}}, true},
		{"negated parameter, all have it", PropFilter{Name: "X-A", Params: []ParamFilter{{Name: "p", Text: &textmatch.TextMatch{Text: "q", Negate: true}}}}, false},
		{"negated parameter, none has it", PropFilter{Name: "FN", Params: []ParamFilter{{Name: "p", Text: &textmatch.TextMatch{Text: "q", Negate: true}}}}, false},
		{"decoded parameter", PropFilter{Name: "X-A", Params: []ParamFilter{{Name: "p", Text: &textmatch.TextMatch{Text: `Q"R`, Match: textmatch.Equals}}}}, true},
		{"quoted list", PropFilter{Name: "TEL", Params: []ParamFilter{{Name: "type", Text: &textmatch.TextMatch{Text: "voice", Match: textmatch.Equals}}}}, true},
	} {
		f := Filter{Props: []PropFilter{c.f}}
		if got := f.Match(card); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	yes, no := PropFilter{Name: "FN"}, PropFilter{Name: "NOTE"}
	for _, c := range []struct {
		f    Filter
		want bool
	}{
		{Filter{}, true},
		{Filter{Test: AllOf}, true},
		{Filter{AnyOf, []PropFilter{no, yes}}, true},
		{Filter{AnyOf, []PropFilter{no, no}}, false},
		{Filter{AllOf, []PropFilter{yes, no}}, false},
		{Filter{AllOf, []PropFilter{yes, yes}}, true},
	} {
		if got := c.f.Match(card); got != c.want {
			t.Errorf("%+v: %v", c.f, got)
		}
	}
}

func TestFilterUnknownCollation(t *testing.T) {
	f := Filter{Props: []PropFilter{{Name: "FN", Texts: []textmatch.TextMatch{{Collation: "i;klingon"}}}}}
	var ce *textmatch.CollationError
	if _, err := f.Compile(); !errors.As(err, &ce) || ce.Collation != "i;klingon" {
		t.Errorf("got %v", err)
	}
}

func TestProject(t *testing.T) {
	in := body("VERSION:3.0", "UID:u", "item1.EMAIL;TYPE=HOME:a@exam", " ple.org", "EMAIL:b@example.org", "FN:A", "NOTE;X=\"a:b\":long", " note", "TEL:1")
	for _, c := range []struct {
		want []PropSel
		out  string
	}{
		{nil, in},
		{[]PropSel{{Name: "tel"}}, body("VERSION:3.0", "UID:u", "FN:A", "TEL:1")},
		{[]PropSel{{Name: "Email"}}, body("VERSION:3.0", "UID:u", "item1.EMAIL;TYPE=HOME:a@exam", " ple.org", "EMAIL:b@example.org", "FN:A")},
		{[]PropSel{{Name: "item1.EMAIL"}}, body("VERSION:3.0", "UID:u", "item1.EMAIL;TYPE=HOME:a@exam", " ple.org", "FN:A")},
		{[]PropSel{{"NOTE", true}, {"VERSION", true}, {"UID", true}}, body("VERSION:3.0", "UID:", "FN:A", `NOTE;X="a:b":`)},
		{[]PropSel{{"TEL", true}, {"TEL", false}}, body("VERSION:3.0", "UID:u", "FN:A", "TEL:1")},
	} {
		if got := string(Project(parse(t, in), c.want)); got != c.out {
			t.Errorf("%v: %q", c.want, got)
		}
	}
}

// A search over 10,000 cards as the server does it: parse each card from its
// octets and match it.
func BenchmarkFilterCard(b *testing.B) {
	f := Filter{Props: []PropFilter{
		{Name: "FN", Texts: []textmatch.TextMatch{{Text: "nobody"}}},
		{Name: "EMAIL", Texts: []textmatch.TextMatch{{Text: "nobody"}}},
		{Name: "NICKNAME", Texts: []textmatch.TextMatch{{Text: "nobody"}}},
	}}
	for _, withParse := range []bool{false, true} {
		b.Run(fmt.Sprintf("parse=%v", withParse), func(b *testing.B) {
			m, err := f.Compile()
			if err != nil {
				b.Fatal(err)
			}
			card := parse(b, string(typical))
			b.ReportAllocs()
			for b.Loop() {
				if withParse {
					card, _ = Parse(typical, Limits{})
				}
				if m.Match(card) {
					b.Fatal("matched")
				}
			}
		})
	}
}
