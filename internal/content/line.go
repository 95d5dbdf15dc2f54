package content

import (
	"strings"
	"unicode/utf8"
)

// IsWSP tells whether an octet is white space that marks a fold: space or tab.
func IsWSP(c byte) bool { return c == ' ' || c == '\t' }

// IsBlank tells whether a text holds nothing but spaces and tabs. It is asked of every line, so that what most lines need is small enough to be
// inlined.
func IsBlank(s string) bool { return s == "" || s[0] <= ' ' && blank(s) }

func blank(s string) bool { return strings.Trim(s, " \t") == "" }

// nameChar are the characters of names: those of the RFCs, the dot, which stands between group and name in vCard, and the underscore, which
// some programs use.
var nameChar = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_'
	}
	return t
}()

// Upper gives a name in upper case: it maps a to z only, and allocates only where that changes something.
func Upper(s string) string {
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

// IsASCII tells whether a text holds octets of ASCII only.
func IsASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// NameLen returns how many octets at the beginning of s may be a name.
func NameLen(s string) int {
	i := 0
	for i < len(s) && nameChar[s[i]] {
		i++
	}
	return i
}

// CutName divides an unfolded line behind the name of its property, where a colon or a semicolon must follow; rest begins with it.
func CutName(text string) (name, rest string, err *SyntaxError) {
	i := NameLen(text)
	if i == 0 || i == len(text) || text[i] != ':' && text[i] != ';' {
		return "", "", nameless(text)
	}
	return text[:i], text[i:], nil
}

func nameless(text string) *SyntaxError {
	if strings.IndexByte(text, ':') < 0 {
		return WithoutColon()
	}
	return &SyntaxError{0, BadName, "The line does not begin with a property name."}
}

// WithoutColon is the error of a line that has a name, and perhaps parameters, but no value.
func WithoutColon() *SyntaxError {
	return &SyntaxError{0, NoColon, "The line has no colon between name and value."}
}

// Quoting is the error of a parameter's value list with quotes in wrong places.
func Quoting() *SyntaxError {
	return &SyntaxError{0, BadQuoting, "A quoted parameter value has no end, or a quote stands where none may."}
}

// maxLine is how many octets a line of text has at most, without line end (RFC 5545, section 3.1, and RFC 6350, section 3.2).
const maxLine = 75

// AppendFolded adds a content line with CRLF, folded at 75 octets and never inside a character.
func AppendFolded(out []byte, text string) []byte {
	room := maxLine
	for len(text) > room {
		cut := room
		for cut > 0 && cut > room-utf8.UTFMax && !utf8.RuneStart(text[cut]) {
			cut--
		}
		out = append(out, text[:cut]...)
		out = append(out, "\r\n "...)
		text, room = text[cut:], maxLine-1
	}
	out = append(out, text...)
	return append(out, "\r\n"...)
}
