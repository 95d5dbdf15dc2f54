package ical

import (
	"strings"

	"holdfast/internal/content"
)

// Unescape resolves the backslash escapes of a TEXT value (RFC 5545, section 3.3.11): \n and \N are line breaks, a backslash before any other
// character is that character.
func Unescape(s string) string { return content.Unescape(s) }

// Escape writes a TEXT value.
func Escape(s string) string { return content.Escape(s) }

// Text returns the value as one TEXT, unescaped. Commas do not divide it.
func (l *Line) Text() string { return Unescape(l.Value) }

// Texts returns the value as a list of TEXT (CATEGORIES, RESOURCES), unescaped.
func (l *Line) Texts() []string {
	parts := content.SplitEscaped(l.Value, ',')
	for i := range parts {
		parts[i] = Unescape(parts[i])
	}
	return parts
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
			out = append(out, content.DecodeParam(p.Raw[from:i]))
			from = i + 1
		}
	}
	return append(out, content.DecodeParam(p.Raw[from:]))
}
