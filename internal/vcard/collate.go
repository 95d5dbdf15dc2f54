package vcard

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Collation names a way to compare text (RFC 6352, section 8.3).
type Collation string

// The collations that RFC 6352 requires, and octets.
const (
	UnicodeCasemap Collation = "i;unicode-casemap" // RFC 5051; the default
	ASCIICasemap   Collation = "i;ascii-casemap"   // RFC 4790, section 9.2
	Octet          Collation = "i;octet"           // RFC 4790, section 9.3
)

// key maps text so that two texts are equal under the collation if their keys
// are equal octets; substrings map to substrings.
func (c Collation) key(s string) string {
	switch c {
	case Octet:
		return s
	case ASCIICasemap:
		return asciiUpper(s)
	}
	if isASCII(s) {
		return asciiUpper(s)
	}
	// RFC 5051: simple titlecase of each character, then full decomposition.
	return norm.NFKD.String(strings.Map(unicode.ToTitle, s))
}

func (c Collation) known() bool {
	return c == UnicodeCasemap || c == ASCIICasemap || c == Octet
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// asciiUpper maps a to z only, and allocates only where something changes.
func asciiUpper(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] < 'a' || s[i] > 'z' {
			continue
		}
		b := []byte(s)
		for ; i < len(b); i++ {
			if b[i] >= 'a' && b[i] <= 'z' {
				b[i] -= 'a' - 'A'
			}
		}
		return string(b)
	}
	return s
}
