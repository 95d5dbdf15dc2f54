// Package textmatch compares text as the filters of CardDAV (RFC 6352, section 10.5.4) and CalDAV (RFC 4791, section 9.7.5) ask for it: under a
// collation, as a part or as a whole. Which values of a property are compared, and what a negated match means there, is the filters' part.
package textmatch

import (
	"fmt"
	"strings"

	"holdfast/internal/content"
)

// Type says how text is sought in a value. RFC 4791 knows Contains alone; the others are those of RFC 6352, for who asks for them.
type Type int

// The match types. Contains is the default.
const (
	Contains Type = iota
	Equals
	StartsWith
	EndsWith
)

// Compare seeks a text in another one, octet by octet.
func (t Type) Compare(in, text string) bool {
	switch t {
	case Equals:
		return in == text
	case StartsWith:
		return strings.HasPrefix(in, text)
	case EndsWith:
		return strings.HasSuffix(in, text)
	}
	return strings.Contains(in, text)
}

// TextMatch is what a client asks for: the text-match of either RFC.
type TextMatch struct {
	Text      string
	Match     Type
	Negate    bool
	Collation Collation // empty: the default of the filter in which it stands
}

// CollationError names a collation that is not supported: the precondition supported-collation of either RFC.
type CollationError struct{ Collation Collation }

// Error gives the sentence.
func (e *CollationError) Error() string {
	return fmt.Sprintf("the collation %q is not supported; use %s, %s or %s", string(e.Collation), UnicodeCasemap, ASCIICasemap, Octet)
}

// Matcher is a TextMatch made ready for many texts. It may be used by several goroutines at once.
type Matcher struct {
	Match  Type
	Negate bool // for who asks: Holds does not look at it

	key  string
	coll Collation
}

// Compile makes a TextMatch ready; otherwise is the collation that holds where it names none. The error is a *CollationError.
func (t *TextMatch) Compile(otherwise Collation) (*Matcher, error) {
	coll := t.Collation
	if coll == "" {
		coll = otherwise
	}
	if !coll.known() {
		return nil, &CollationError{coll}
	}
	return &Matcher{Match: t.Match, Negate: t.Negate, key: coll.key(t.Text), coll: coll}, nil
}

// Holds tells whether a text satisfies the condition; negation is the caller's part.
func (m *Matcher) Holds(s string) bool { return m.Match.Compare(m.coll.key(s), m.key) }

// Decomposes tells whether Holds has to decompose the characters of a text first, which takes several times as long.
func (m *Matcher) Decomposes(s string) bool { return m.coll == UnicodeCasemap && !content.IsASCII(s) }
