package vcard

import (
	"strings"

	"holdfast/internal/content"
)

// from21 rewrites one property of version 2.1 as 3.0: encodings and charsets
// are resolved, parameters get their names, text gets the escapes of 3.0.
func from21(p *prop) {
	charset := p.param("CHARSET")
	enc := ""
	var kept []Param
	var types []string
	for _, q := range p.params {
		v := strings.Trim(q.Raw, `"`)
		switch name := content.Upper(q.Name); {
		case name == "ENCODING", q.Bare && isEncoding21(v):
			enc = content.Upper(v)
		case name == "CHARSET":
		case q.Bare && isValue21(v):
			kept = append(kept, Param{Name: "VALUE", Raw: value21(v)})
		case name == "VALUE":
			kept = append(kept, Param{Name: q.Name, Raw: value21(v)})
		case name == "TYPE":
			for _, t := range q.Values() {
				types = append(types, content.EncodeParam(t))
			}
		default:
			kept = append(kept, q)
		}
	}
	if len(types) > 0 {
		kept = append(kept, Param{Name: "TYPE", Raw: strings.Join(types, ",")})
	}
	p.params, p.raw = kept, ""
	switch enc {
	case "B", "BASE64":
		p.value = strings.NewReplacer(" ", "", "\t", "").Replace(p.value)
		p.params = append([]Param{{Name: "ENCODING", Raw: "b"}}, p.params...)
	case "QUOTED-PRINTABLE":
		p.value = escape21(p.name, decodeQP(p.value, charset))
	default:
		p.value = escape21(p.name, toUTF8(p.value, charset))
	}
}

func isEncoding21(v string) bool {
	switch content.Upper(v) {
	case "QUOTED-PRINTABLE", "BASE64", "B", "8BIT", "7BIT":
		return true
	}
	return false
}

func isValue21(v string) bool {
	switch content.Upper(v) {
	case "INLINE", "URL", "CONTENT-ID", "CID":
		return true
	}
	return false
}

// value21 gives 3.0's word for a VALUE of 2.1.
func value21(v string) string {
	switch content.Upper(v) {
	case "URL":
		return "uri"
	case "INLINE":
		return "text"
	}
	return content.EncodeParam(v)
}

// escape21 escapes decoded text of version 2.1 for 3.0. In 2.1 a semicolon
// divides the parts of N, ADR and ORG and is text elsewhere; a comma is text
// save in the two lists. Its own escape is the backslash before a semicolon;
// programs also write the later escapes, which are taken as meant.
func escape21(name, s string) string {
	switch kind := kindOf(name); {
	case kind == structured:
		sep := separator(name)
		parts := content.SplitEscaped(s, sep)
		for i := range parts {
			parts[i] = content.Escape(unescape21(parts[i]))
		}
		return strings.Join(parts, string(sep))
	case kind == singleText:
		return content.Escape(unescape21(s))
	}
	return strings.ReplaceAll(s, "\n", "\\n")
}

// unescape21 resolves backslashes only before what they escape.
func unescape21(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	return strings.NewReplacer("\\\\", "\\", "\\;", ";", "\\,", ",", "\\:", ":", "\\n", "\n", "\\N", "\n").Replace(s)
}
