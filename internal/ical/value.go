package ical

import "strings"

// Unescape resolves the backslash escapes of a TEXT value (RFC 5545, section 3.3.11): \n and \N are line breaks, a backslash before any other
// character is that character.
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

// Escape writes a TEXT value.
func Escape(s string) string { return escaper.Replace(s) }

// Text returns the value as one TEXT, unescaped. Commas do not divide it.
func (l *Line) Text() string { return Unescape(l.Value) }

// Texts returns the value as a list of TEXT (CATEGORIES, RESOURCES), unescaped.
func (l *Line) Texts() []string {
	parts := splitEscaped(l.Value, ',')
	for i := range parts {
		parts[i] = Unescape(parts[i])
	}
	return parts
}

// splitEscaped cuts a value at sep where no backslash stands before it. The parts keep their escapes.
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

// Param returns the values of all parameters of this name, decoded.
func (l *Line) Param(name string) []string {
	var out []string
	for i := range l.Params {
		if strings.EqualFold(l.Params[i].Name, name) {
			out = append(out, l.Params[i].Values()...)
		}
	}
	return out
}

// First returns the first value of the parameter, decoded, or "".
func (l *Line) First(name string) string {
	for i := range l.Params {
		if p := &l.Params[i]; len(p.Name) == len(name) && strings.EqualFold(p.Name, name) {
			if !strings.ContainsAny(p.Raw, ",\"^") {
				return p.Raw
			}
			return p.Values()[0]
		}
	}
	return ""
}

// Values returns the decoded values: split at commas outside of quotes, unquoted, carets of RFC 6868 resolved. There is at least one.
func (p *Param) Values() []string {
	if !strings.ContainsAny(p.Raw, ",\"^") {
		return []string{p.Raw}
	}
	var out []string
	from, quoted := 0, false
	for i := 0; i < len(p.Raw); i++ {
		switch c := p.Raw[i]; {
		case c == '"' && (quoted || i == from):
			quoted = !quoted
		case c == ',' && !quoted:
			out = append(out, paramDecode(p.Raw[from:i]))
			from = i + 1
		}
	}
	return append(out, paramDecode(p.Raw[from:]))
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
var caretEncoder = strings.NewReplacer("^", "^^", "\r\n", "^n", "\n", "^n", "\r", "^n", "\"", "^'")

// paramEncode writes text as one parameter value, quoted where it must be.
func paramEncode(s string) string {
	s = caretEncoder.Replace(s)
	if strings.ContainsAny(s, ",;:") {
		return `"` + s + `"`
	}
	return s
}
