package textmatch

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"holdfast/internal/content"
)

// Collation names a way to compare text (RFC 6352, section 8.3, and RFC 4791, section 7.5).
type Collation string

// The collations.
const (
	UnicodeCasemap Collation = "i;unicode-casemap" // RFC 5051; the default of CardDAV
	ASCIICasemap   Collation = "i;ascii-casemap"   // RFC 4790, section 9.2; the default of CalDAV
	Octet          Collation = "i;octet"           // RFC 4790, section 9.3
)

// key maps text so that two texts are equal under the collation if their keys are equal octets; substrings map to substrings.
func (c Collation) key(s string) string {
	switch {
	case c == Octet:
		return s
	case c == ASCIICasemap || content.IsASCII(s):
		return content.Upper(s)
	}
	// RFC 5051: each character's simple titlecase, decomposed as far as it goes.
	return norm.NFKD.String(strings.Map(unicode.ToTitle, s))
}

func (c Collation) known() bool { return c == UnicodeCasemap || c == ASCIICasemap || c == Octet }
