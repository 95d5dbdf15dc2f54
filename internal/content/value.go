package content

import "strings"

// Unescape resolves the backslash escapes of a text value (RFC 5545, section 3.3.11, and RFC 6350, section 3.4): \n and \N are line breaks, a
// backslash before any other character is that character.
func Unescape(s string) string {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i >= 0 && i+1 < len(s) {
		b.WriteString(s[:i])
		if c := s[i+1]; c == 'n' || c == 'N' {
			b.WriteByte('\n')
		} else {
			b.WriteByte(c)
		}
		s = s[i+2:]
		i = strings.IndexByte(s, '\\')
	}
	b.WriteString(s)
	return b.String()
}

var escaper = strings.NewReplacer("\\", "\\\\", ",", "\\,", ";", "\\;", "\r\n", "\\n", "\n", "\\n", "\r", "\\n")

// Escape writes a text value.
func Escape(s string) string { return escaper.Replace(s) }

// SplitEscaped cuts a value at sep where no backslash stands before it. The parts keep their escapes.
func SplitEscaped(s string, sep byte) []string {
	out := make([]string, 0, 1+strings.Count(s, string(sep)))
	from := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case sep:
			out = append(out, s[from:i])
			from = i + 1
		}
	}
	return append(out, s[from:])
}

// caretDecoder resolves RFC 6868. A caret before anything else stays.
var caretDecoder = strings.NewReplacer("^n", "\n", "^'", "\"", "^^", "^")

// DecodeParam gives the text of one parameter value as written, quoted or not.
func DecodeParam(v string) string {
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		v = v[1 : len(v)-1]
	}
	return caretDecoder.Replace(v)
}

// caretEncoder is the way back (RFC 6868, section 3.1).
var caretEncoder = strings.NewReplacer("^", "^^", "\r\n", "^n", "\n", "^n", "\r", "^n", "\"", "^'")

// EncodeParam writes text as one parameter value, quoted where it must be.
func EncodeParam(s string) string {
	s = caretEncoder.Replace(s)
	if strings.ContainsAny(s, ",;:") {
		return `"` + s + `"`
	}
	return s
}
