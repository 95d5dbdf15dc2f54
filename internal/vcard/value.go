package vcard

import "strings"

// unescape resolves the backslash escapes of a text value: \n and \N are line
// breaks, a backslash before any other character is that character.
func unescape(s string) string {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for {
		b.WriteString(s[:i])
		if i+1 == len(s) {
			b.WriteByte('\\')
			return b.String()
		}
		if c := s[i+1]; c == 'n' || c == 'N' {
			b.WriteByte('\n')
		} else {
			b.WriteByte(c)
		}
		s = s[i+2:]
		if i = strings.IndexByte(s, '\\'); i < 0 {
			b.WriteString(s)
			return b.String()
		}
	}
}

// escaper writes a text value; both versions escape these four.
var escaper = strings.NewReplacer("\\", "\\\\", ",", "\\,", ";", "\\;", "\r\n", "\\n", "\n", "\\n", "\r", "\\n")

func escape(s string) string { return escaper.Replace(s) }

// splitEscaped cuts a value at sep where no backslash stands before it. The
// parts keep their escapes.
func splitEscaped(s string, sep byte) []string {
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

// splitQuoted cuts a parameter's value list at sep outside double quotes.
func splitQuoted(s string, sep byte) []string {
	var out []string
	from, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			out = append(out, s[from:i])
			from = i + 1
		}
	}
	return append(out, s[from:])
}

// caretDecoder resolves RFC 6868. A caret before anything else stays.
var caretDecoder = strings.NewReplacer("^n", "\n", "^'", "\"", "^^", "^")

// paramDecode gives the text of one parameter value as written.
func paramDecode(v string) string {
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		v = v[1 : len(v)-1]
	}
	return caretDecoder.Replace(v)
}

// caretEncoder is the way back (RFC 6868, section 3.1).
var caretEncoder = strings.NewReplacer("^", "^^", "\r\n", "^n", "\n", "^n", "\"", "^'")

// paramEncode writes text as one parameter value, quoted where it must be.
func paramEncode(s string) string {
	s = caretEncoder.Replace(s)
	if strings.ContainsAny(s, ",;:") {
		return `"` + s + `"`
	}
	return s
}
