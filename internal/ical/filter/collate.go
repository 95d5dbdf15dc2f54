package filter

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// key maps text so that two texts are equal under the collation if their keys
// are equal octets; substrings map to substrings.
func (c Collation) key(s string) string {
	switch {
	case c == Octet:
		return s
	case c == ASCIICasemap || isASCII(s):
		return asciiUpper(s)
	}
	// RFC 5051: each character's simple titlecase, decomposed as far as it goes.
	return norm.NFKD.String(strings.Map(unicode.ToTitle, s))
}

func (c Collation) known() bool { return c == ASCIICasemap || c == Octet || c == UnicodeCasemap }

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// asciiUpper maps a to z only, and allocates only where that changes something.
func asciiUpper(s string) string {
	for i := range len(s) {
		if s[i] >= 'a' && s[i] <= 'z' {
			return upperFrom([]byte(s), i)
		}
	}
	return s
}

func upperFrom(b []byte, i int) string {
	for ; i < len(b); i++ {
		if b[i] >= 'a' && b[i] <= 'z' {
			b[i] -= 'a' - 'A'
		}
	}
	return string(b)
}
