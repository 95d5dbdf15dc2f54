package vcard

import (
	"encoding/base64"
	"net/url"
	"strings"

	"holdfast/internal/content"
)

// to3 rewrites a card of version 4.0 as 3.0.
func (c *converter) to3() {
	var out []prop
	fn := -1
	for i := range c.props {
		p := c.props[i]
		commonTo3(&p)
		extra := c.oneTo3(&p)
		if p.is("FN") && fn < 0 {
			fn = len(out)
		}
		if p.name != "" {
			out = append(out, p)
		}
		out = append(out, extra...)
	}
	c.props = out
	if fn >= 0 && !c.has("N") {
		c.insert(fn, prop{name: "N", value: c.props[fn].value + ";;;;"})
	}
}

// oneTo3 rewrites one property and returns those that follow it.
func (c *converter) oneTo3(p *prop) (extra []prop) {
	switch content.Upper(p.name) {
	case "VERSION":
		p.setValue("3.0")
	case "PHOTO", "LOGO", "SOUND", "KEY":
		binaryTo3(p)
	case "BDAY":
		dateTo3(p)
	case "ANNIVERSARY":
		return c.anniversaryTo3(p)
	case "RELATED":
		return c.relatedTo3(p)
	case "KIND":
		p.setName("X-ADDRESSBOOKSERVER-KIND")
	case "MEMBER":
		p.setName("X-ADDRESSBOOKSERVER-MEMBER")
	case "GENDER":
		p.setName("X-GENDER")
	case "REV":
		if v, ok := expandDate(p.value); ok {
			p.setValue(v)
		}
	case "GEO":
		geoTo3(p)
	case "TZ":
		zoneTo3(p)
	case "TEL":
		telTo3(p)
	case "ADR":
		return labelTo3(p)
	case "N":
		if s := p.param("SORT-AS"); s != "" {
			p.drop("SORT-AS")
			return []prop{{name: "SORT-STRING", value: content.Escape(s)}}
		}
	}
	return nil
}

// commonTo3 does what concerns every property: PREF=1 becomes TYPE=pref (other
// numbers stay, as 3.0 has no word for them), and a quoted list of types is
// written without its quotes, which readers of 3.0 do not look into.
func commonTo3(p *prop) {
	if p.param("PREF") == "1" {
		p.drop("PREF")
		p.add("TYPE", "pref")
	}
	for i := range p.params {
		q := &p.params[i]
		if strings.EqualFold(q.Name, "TYPE") && strings.Contains(q.Raw, `"`) {
			var vals []string
			for _, v := range q.Values() {
				for _, one := range strings.Split(v, ",") {
					vals = append(vals, content.EncodeParam(one))
				}
			}
			q.Raw, p.raw = strings.Join(vals, ","), ""
		}
	}
	if k := kindOf(p.name); k == singleText || k == structured {
		fixText(p)
	}
}

// binaryTo3 embeds a data: URI as base64 and marks any other as a URI.
func binaryTo3(p *prop) {
	media, data, ok := cutDataURI(p.value)
	if !ok {
		if p.param("VALUE") == "" && strings.Contains(p.value, ":") {
			p.add("VALUE", "uri")
		}
		if m := p.param("MEDIATYPE"); m != "" {
			p.drop("MEDIATYPE")
			p.add("TYPE", content.EncodeParam(type3(m)))
		}
		return
	}
	p.drop("VALUE")
	p.drop("MEDIATYPE")
	p.drop("ENCODING")
	p.add("ENCODING", "b")
	if t := type3(media); t != "" {
		p.add("TYPE", content.EncodeParam(t))
	}
	p.setValue(data)
}

// cutDataURI reads RFC 2397 and returns the media type and base64 text.
func cutDataURI(v string) (media, b64 string, ok bool) {
	if len(v) < 5 || !strings.EqualFold(v[:5], "data:") {
		return "", "", false
	}
	// Some writers escape the comma and the semicolon, which 4.0 does not ask for.
	head, data, ok := strings.Cut(v[5:], ",")
	head, data = strings.ReplaceAll(head, "\\", ""), strings.TrimSpace(data)
	media, isB64 := strings.CutSuffix(head, ";base64")
	media, _, _ = strings.Cut(media, ";")
	if !ok || isB64 {
		return media, data, ok
	}
	plain, err := url.PathUnescape(data)
	if err != nil {
		return "", "", false
	}
	return media, base64.StdEncoding.EncodeToString([]byte(plain)), true
}

// type3 gives the TYPE value of 3.0 for a media type, or "".
func type3(media string) string {
	switch m := strings.ToLower(media); m {
	case "application/pgp-keys":
		return "PGP"
	case "application/pkix-cert":
		return "X509"
	case "", "application/octet-stream":
		return ""
	default:
		_, sub, _ := strings.Cut(m, "/")
		return strings.ToUpper(sub)
	}
}

// dateTo3 writes a date in the extended format. A day without a year takes
// Apple's way; other parts of a date, which 3.0 does not know, become text.
func dateTo3(p *prop) {
	if strings.EqualFold(p.param("VALUE"), "text") {
		return
	}
	p.drop("VALUE")
	v, ok := expandDate(p.value)
	switch {
	case ok && strings.HasPrefix(v, "--"):
		p.add("X-APPLE-OMIT-YEAR", "1604")
		p.setValue("1604" + v[1:])
	case ok && strings.Contains(v, "T"):
		p.add("VALUE", "date-time")
		p.setValue(v)
	case ok:
		p.setValue(v)
	default:
		p.add("VALUE", "text")
		p.setValue(reescape(p.value, singleText))
	}
}

func (c *converter) anniversaryTo3(p *prop) []prop {
	dateTo3(p)
	if p.param("VALUE") != "" || p.group != "" {
		p.setName("X-ANNIVERSARY")
		return nil
	}
	p.name = "X-ABDATE"
	date, label := c.labelled(*p, "Anniversary")
	*p = date
	return []prop{label}
}

func (c *converter) relatedTo3(p *prop) []prop {
	types := p.types()
	if len(types) != 1 || relations[strings.ToLower(types[0])] == "" || p.group != "" ||
		!strings.EqualFold(p.param("VALUE"), "text") {
		return nil
	}
	p.name = "X-ABRELATEDNAMES"
	p.drop("TYPE")
	p.drop("VALUE")
	name, label := c.labelled(*p, relations[strings.ToLower(types[0])])
	*p = name
	return []prop{label}
}

func geoTo3(p *prop) {
	v, ok := strings.CutPrefix(strings.ReplaceAll(p.value, "\\,", ","), "geo:")
	lat, lon, ok2 := strings.Cut(v, ",")
	if ok && ok2 && isNumber(lat) && isNumber(lon) {
		p.drop("VALUE")
		p.setValue(lat + ";" + lon)
	}
}

func zoneTo3(p *prop) {
	value := p.param("VALUE")
	m := zone4.FindStringSubmatch(p.value)
	switch {
	case m != nil && !strings.EqualFold(value, "text"):
		p.drop("VALUE")
		p.setValue(m[1] + ":" + m[2])
	case value == "":
		p.add("VALUE", "text")
	}
}

// telTo3 writes a tel: URI (RFC 3966) as a number. A URI with parameters other
// than an extension stays what it is.
func telTo3(p *prop) {
	num, ok := strings.CutPrefix(p.value, "tel:")
	if !ok || !strings.EqualFold(p.param("VALUE"), "uri") {
		return
	}
	num, rest, more := strings.Cut(num, ";")
	if more {
		ext, isExt := strings.CutPrefix(rest, "ext=")
		if !isExt || strings.Contains(ext, ";") {
			return
		}
		num += " ext. " + ext
	}
	p.drop("VALUE")
	p.setValue(reescape(num, singleText))
}

// labelTo3 moves the LABEL parameter of an address into a property.
func labelTo3(p *prop) []prop {
	text := p.param("LABEL")
	if text == "" {
		return nil
	}
	p.drop("LABEL")
	lab := prop{group: p.group, name: "LABEL", value: content.Escape(text)}
	for _, q := range p.params {
		if strings.EqualFold(q.Name, "TYPE") {
			lab.params = append(lab.params, q)
		}
	}
	if strings.Trim(p.value, ";") == "" {
		*p = lab
		return nil
	}
	return []prop{lab}
}
