package ical

import (
	"strings"

	"holdfast/internal/content"
)

// NewLine makes a property. value is escaped already (Escape for TEXT).
func NewLine(name, value string, params ...Param) Line {
	return Line{Name: name, Params: params, Value: value}
}

// NewParam makes a parameter of plain values, quoted and with carets (RFC 6868) where they must be.
func NewParam(name string, values ...string) Param {
	var b strings.Builder
	for i, v := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(content.EncodeParam(v))
	}
	return Param{Name: name, Raw: b.String()}
}

// NewComponent makes an empty component.
func NewComponent(name string) *Component { return &Component{Name: strings.ToUpper(name)} }

// SetValue replaces the value, which is escaped already.
func (l *Line) SetValue(v string) {
	if v != l.Value {
		l.Value, l.Raw = v, ""
	}
}

// DropParam removes all parameters of this name.
func (l *Line) DropParam(name string) {
	var kept []Param
	for _, p := range l.Params {
		if !strings.EqualFold(p.Name, name) {
			kept = append(kept, p)
		}
	}
	if len(kept) != len(l.Params) {
		l.Raw = ""
	}
	l.Params = kept
}

// AddParam appends a parameter.
func (l *Line) AddParam(p Param) {
	l.Params, l.Raw = append(l.Params[:len(l.Params):len(l.Params)], p), ""
}

// Append writes the line: verbatim while untouched, otherwise composed and folded.
func (l *Line) Append(dst []byte) []byte {
	if l.Raw != "" || l.Name == "" {
		return append(dst, l.Raw...)
	}
	n := len(l.Name) + 1 + len(l.Value)
	for i := range l.Params {
		n += 2 + len(l.Params[i].Name) + len(l.Params[i].Raw)
	}
	var b strings.Builder
	b.Grow(n)
	b.WriteString(l.Name)
	for i := range l.Params {
		b.WriteByte(';')
		b.WriteString(l.Params[i].Name)
		b.WriteByte('=')
		b.WriteString(l.Params[i].Raw)
	}
	b.WriteByte(':')
	b.WriteString(l.Value)
	return content.AppendFolded(dst, b.String())
}

// Append writes the component. What was not changed since Parse is written verbatim; lines and children go in the order of their numbers, and
// those without a number where they stand in their slice, properties before components.
func (c *Component) Append(dst []byte) []byte {
	dst = append(dst, c.before...)
	dst = appendEdge(dst, c.begin, "BEGIN:", c.Name)
	k := 0
	for i := range c.Lines {
		l := &c.Lines[i]
		for ; l.No > 0 && k < len(c.Children) && c.Children[k].No > 0 && c.Children[k].No < l.No; k++ {
			dst = c.Children[k].Append(dst)
		}
		dst = l.Append(dst)
	}
	for ; k < len(c.Children); k++ {
		dst = c.Children[k].Append(dst)
	}
	dst = appendEdge(dst, c.end, "END:", c.Name)
	return append(dst, c.after...)
}

func appendEdge(dst []byte, raw, what, name string) []byte {
	if raw != "" {
		return append(dst, raw...)
	}
	return append(append(append(dst, what...), name...), "\r\n"...)
}
