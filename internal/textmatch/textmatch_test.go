package textmatch

import (
	"errors"
	"testing"
)

func TestHolds(t *testing.T) {
	for _, c := range []struct {
		text, in  string
		match     Type
		collation Collation
		want      bool
	}{
		{"zoe", "Zoe Example", Contains, ASCIICasemap, true},
		{"zoe", "Zoe Example", Contains, Octet, false},
		{"Zoe", "Zoe Example", Contains, Octet, true},
		{"zoË", "Zoë", Contains, ASCIICasemap, false},
		{"zoË", "Zoë", Contains, UnicodeCasemap, true},
		{"zoe\u0308", "ZOË", Equals, UnicodeCasemap, true},
		{"zoe\u0308", "ZOË", Equals, Octet, false},
		{"K", "\u212a", Equals, UnicodeCasemap, true}, // the Kelvin sign
		{"example", "Zoe Example", Equals, ASCIICasemap, false},
		{"example", "Zoe Example", EndsWith, ASCIICasemap, true},
		{"example", "Zoe Example", StartsWith, ASCIICasemap, false},
		{"ZOE", "Zoe Example", StartsWith, ASCIICasemap, true},
		{"ZOE", "Zoe Example", EndsWith, ASCIICasemap, false},
		{"", "", Equals, ASCIICasemap, true},
		{"", "a", Contains, UnicodeCasemap, true},
		{"[\\]^_`", "[\\]^_`", Equals, ASCIICasemap, true},
		{"@[`{", "`{@[", Equals, ASCIICasemap, false}, // not letters, though they stand 32 apart
	} {
		for _, negate := range []bool{false, true} {
			m, err := (&TextMatch{Text: c.text, Collation: c.collation, Match: c.match, Negate: negate}).Compile(Octet)
			if err != nil || m.Holds(c.in) != c.want || m.Negate != negate || m.Match != c.match {
				t.Errorf("%+v: %+v, %v", c, m, err)
			}
		}
	}
}

func TestCollation(t *testing.T) {
	ask := TextMatch{Text: "ÄB"}
	for otherwise, want := range map[Collation][2]bool{Octet: {false, false}, ASCIICasemap: {true, false}, UnicodeCasemap: {true, true}} {
		m, err := ask.Compile(otherwise)
		if err != nil || m.Holds("Äb") != want[0] || m.Holds("äb") != want[1] {
			t.Errorf("%s: %v", otherwise, err)
		}
		if m.Decomposes("ab") || m.Decomposes("ä") != (otherwise == UnicodeCasemap) {
			t.Errorf("%s: what has to be decomposed", otherwise)
		}
	}
	for _, unknown := range []Collation{"default", "i;basic", "I;OCTET"} {
		var e *CollationError
		if _, err := (&TextMatch{Collation: unknown}).Compile(Octet); !errors.As(err, &e) || e.Collation != unknown || e.Error() == "" {
			t.Errorf("%s: %v", unknown, err)
		}
	}
}
