package vcard

import (
	"strings"

	"holdfast/internal/content"
)

// unfolded removes folds and line end from the octets of one content line.
func unfolded(raw string) string {
	raw = strings.TrimSuffix(strings.TrimSuffix(raw, "\n"), "\r")
	if strings.IndexByte(raw, '\n') < 0 {
		return raw
	}
	var b strings.Builder
	b.Grow(len(raw))
	for i, part := range strings.Split(raw, "\n") {
		if i > 0 && part != "" {
			part = part[1:]
		}
		b.WriteString(strings.TrimSuffix(part, "\r"))
	}
	return b.String()
}

// prop is a property that is being rewritten. Its parameters keep the form in
// which they were written.
type prop struct {
	group, name string
	params      []Param
	value       string // escaped
	raw         string // the line's octets as long as nothing was changed
}

// propOf takes a parsed line over.
func propOf(l *Line) prop {
	return prop{l.Group, l.Name, append([]Param(nil), l.Params...), l.Value, l.Raw}
}

func (p *prop) is(name string) bool { return strings.EqualFold(p.name, name) }

// append writes the property: verbatim while untouched, otherwise composed.
func (p *prop) append(out []byte) []byte {
	if p.raw != "" && strings.HasSuffix(p.raw, "\r\n") {
		return append(out, p.raw...)
	}
	return content.AppendFolded(out, p.text())
}

func (p *prop) text() string {
	var b strings.Builder
	if p.group != "" {
		b.WriteString(p.group)
		b.WriteByte('.')
	}
	b.WriteString(p.name)
	for _, q := range p.params {
		b.WriteByte(';')
		if !q.Bare {
			b.WriteString(q.Name)
			b.WriteByte('=')
		}
		b.WriteString(q.Raw)
	}
	b.WriteByte(':')
	b.WriteString(p.value)
	return b.String()
}

// setValue replaces the escaped value.
func (p *prop) setValue(v string) {
	if v != p.value {
		p.value, p.raw = v, ""
	}
}

func (p *prop) setName(n string) { p.name, p.raw = n, "" }

// param returns the first value of a parameter, decoded, or "".
func (p *prop) param(name string) string {
	for i := range p.params {
		if strings.EqualFold(p.params[i].Name, name) {
			if vs := p.params[i].Values(); len(vs) > 0 {
				return vs[0]
			}
		}
	}
	return ""
}

// drop removes all parameters of this name.
func (p *prop) drop(name string) {
	kept := p.params[:0]
	for _, q := range p.params {
		if !strings.EqualFold(q.Name, name) {
			kept = append(kept, q)
		}
	}
	if len(kept) != len(p.params) {
		p.raw = ""
	}
	p.params = kept
}

// add appends a parameter; raw is the value list as it is to be written.
func (p *prop) add(name, raw string) {
	p.params, p.raw = append(p.params, Param{Name: name, Raw: raw}), ""
}

// types returns all TYPE values, those inside a quoted list one by one.
func (p *prop) types() []string {
	var out []string
	for i := range p.params {
		if strings.EqualFold(p.params[i].Name, "TYPE") {
			for _, v := range p.params[i].Values() {
				out = append(out, strings.Split(v, ",")...)
			}
		}
	}
	return out
}

func (p *prop) hasType(t string) bool {
	for _, v := range p.types() {
		if strings.EqualFold(v, t) {
			return true
		}
	}
	return false
}

// dropType removes one TYPE value and keeps the form of what stays.
func (p *prop) dropType(t string) {
	if !p.hasType(t) {
		return
	}
	p.raw = ""
	kept := p.params[:0]
	for _, q := range p.params {
		if strings.EqualFold(q.Name, "TYPE") {
			var vals []string
			for _, v := range q.Values() {
				for _, one := range strings.Split(v, ",") {
					if !strings.EqualFold(one, t) {
						vals = append(vals, content.EncodeParam(one))
					}
				}
			}
			if len(vals) == 0 {
				continue
			}
			q.Raw = strings.Join(vals, ",")
		}
		kept = append(kept, q)
	}
	p.params = kept
}
