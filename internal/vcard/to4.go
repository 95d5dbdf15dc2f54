package vcard

import (
	"strings"

	"holdfast/internal/content"
)

// to4 rewrites a card of version 3.0 as 4.0.
func (c *converter) to4() {
	var labels []prop
	sortAs, hasN := "", c.has("N")
	for i := range c.props {
		p := &c.props[i]
		if p.name == "" {
			continue
		}
		commonTo4(p)
		switch content.Upper(p.name) {
		case "VERSION":
			p.setValue("4.0")
		case "PHOTO", "LOGO", "SOUND", "KEY":
			binaryTo4(p)
		case "BDAY":
			dateTo4(p)
		case "X-ANNIVERSARY", "X-EVOLUTION-ANNIVERSARY", "X-MS-ANNIVERSARY":
			p.setName("ANNIVERSARY")
			dateTo4(p)
		case "X-ABDATE":
			if label, at := c.labelOf(p); label == "anniversary" {
				c.remove(at)
				p.group = ""
				p.setName("ANNIVERSARY")
				dateTo4(p)
			}
		case "X-ABRELATEDNAMES":
			c.relatedTo4(p)
		case "X-ADDRESSBOOKSERVER-KIND":
			p.setName("KIND")
		case "X-ADDRESSBOOKSERVER-MEMBER":
			p.setName("MEMBER")
		case "X-GENDER":
			genderTo4(p)
		case "REV":
			if v, ok := compactDate(p.value); ok {
				p.drop("VALUE")
				p.setValue(v)
			}
		case "GEO":
			geoTo4(p)
		case "TZ":
			zoneTo4(p)
		case "LABEL":
			labels = append(labels, *p)
			c.remove(i)
		case "SORT-STRING":
			if hasN {
				sortAs = content.Unescape(p.value)
				c.remove(i)
			}
		}
	}
	for i := range c.props {
		if p := &c.props[i]; sortAs != "" && p.is("N") && p.param("SORT-AS") == "" {
			p.add("SORT-AS", content.EncodeParam(sortAs))
			sortAs = ""
		}
	}
	c.labelsTo4(labels)
}

func (c *converter) has(name string) bool {
	for i := range c.props {
		if c.props[i].is(name) {
			return true
		}
	}
	return false
}

// commonTo4 does what concerns every property.
func commonTo4(p *prop) {
	if enc := p.param("ENCODING"); strings.EqualFold(enc, "QUOTED-PRINTABLE") && !identity(p.name) {
		p.setValue(escapeAs(kindOf(p.name), decodeQP(p.value, p.param("CHARSET"))))
		p.drop("ENCODING")
	}
	for i := range p.params {
		if p.params[i].Bare {
			p.params[i].Bare, p.raw = false, ""
		}
	}
	p.drop("CHARSET")
	if p.hasType("pref") {
		p.dropType("pref")
		if p.param("PREF") == "" {
			p.add("PREF", "1")
		}
	}
	if kindOf(p.name) == uriValue && strings.EqualFold(p.param("VALUE"), "uri") {
		p.drop("VALUE")
	}
	fixText(p)
}

// identity names the properties whose octets say what a card is.
func identity(name string) bool {
	switch content.Upper(name) {
	case "BEGIN", "END", "VERSION", "UID":
		return true
	}
	return false
}

// mediaType pairs the TYPE values of 3.0 with media types, by property.
func mediaType(prop, typ string) string {
	t := strings.ToLower(typ)
	if strings.Contains(t, "/") {
		return t
	}
	switch content.Upper(prop) {
	case "PHOTO", "LOGO":
		if t == "jpg" {
			t = "jpeg"
		}
		return "image/" + t
	case "SOUND":
		return "audio/" + t
	}
	switch t {
	case "pgp":
		return "application/pgp-keys"
	case "x509":
		return "application/pkix-cert"
	}
	return "application/" + t
}

// sniff names the image that base64 text begins with.
func sniff(b64 string) string {
	for prefix, m := range map[string]string{"/9j/": "image/jpeg", "iVBORw": "image/png", "R0lGOD": "image/gif"} {
		if strings.HasPrefix(b64, prefix) {
			return m
		}
	}
	return "application/octet-stream"
}

// binaryTo4 turns an embedded value into a data: URI (RFC 2397) and a link
// into a plain URI.
func binaryTo4(p *prop) {
	media := ""
	for _, t := range p.types() {
		if t != "" && !strings.EqualFold(t, "home") && !strings.EqualFold(t, "work") {
			media = t
		}
	}
	enc := p.param("ENCODING")
	if !strings.EqualFold(enc, "b") && !strings.EqualFold(enc, "base64") {
		if v := p.param("VALUE"); strings.EqualFold(v, "uri") || strings.EqualFold(v, "url") {
			p.drop("VALUE")
			p.setValue(unescapeLine(p.value))
			if media != "" {
				p.dropType(media)
				p.add("MEDIATYPE", content.EncodeParam(mediaType(p.name, media)))
			}
		}
		return
	}
	p.drop("ENCODING")
	p.drop("VALUE")
	b64 := strings.NewReplacer(" ", "", "\t", "").Replace(p.value)
	if media != "" {
		p.dropType(media)
		media = mediaType(p.name, media)
	} else {
		media = sniff(b64)
	}
	p.setValue("data:" + media + ";base64," + b64)
}

// unescapeLine resolves escapes unless that would break the line.
func unescapeLine(v string) string {
	if u := content.Unescape(v); !strings.Contains(u, "\n") {
		return u
	}
	return v
}

// dateTo4 writes a date in the basic format of 4.0. What is no date becomes
// text.
func dateTo4(p *prop) {
	v := strings.TrimSpace(p.value)
	if strings.EqualFold(p.param("VALUE"), "text") && !partForm.MatchString(v) {
		return
	}
	if year := p.param("X-APPLE-OMIT-YEAR"); year != "" && strings.HasPrefix(v, year) {
		v = "--" + strings.TrimPrefix(strings.TrimPrefix(v, year), "-")
		p.drop("X-APPLE-OMIT-YEAR")
	}
	if d, ok := compactDate(v); ok {
		p.drop("VALUE")
		p.setValue(d)
		return
	}
	if !strings.EqualFold(p.param("VALUE"), "text") {
		p.drop("VALUE")
		p.add("VALUE", "text")
	}
	p.setValue(reescape(p.value, singleText))
}

func (c *converter) relatedTo4(p *prop) {
	label, at := c.labelOf(p)
	if relations[label] == "" {
		return
	}
	c.remove(at)
	p.group, p.name = "", "RELATED"
	p.add("VALUE", "text")
	p.add("TYPE", label)
	p.setValue(reescape(p.value, singleText))
}

func genderTo4(p *prop) {
	switch v := strings.ToUpper(strings.TrimSpace(p.value)); v {
	case "MALE", "FEMALE":
		p.setName("GENDER")
		p.setValue(v[:1])
	default:
		if sex, _, _ := strings.Cut(v, ";"); len(sex) == 0 || len(sex) == 1 && strings.Contains("MFONU", sex) {
			p.setName("GENDER")
		}
	}
}

func geoTo4(p *prop) {
	lat, lon, ok := strings.Cut(strings.ReplaceAll(p.value, "\\", ""), ";")
	if !ok {
		lat, lon, ok = strings.Cut(lat, ",")
	}
	lat, lon = strings.TrimSpace(lat), strings.TrimSpace(lon)
	if ok && isNumber(lat) && isNumber(lon) {
		p.drop("VALUE")
		p.setValue("geo:" + lat + "," + lon)
	}
}

func isNumber(s string) bool {
	s = strings.TrimLeft(s, "+-")
	return s != "" && strings.Trim(s, "0123456789.") == ""
}

func zoneTo4(p *prop) {
	if m := zone3.FindStringSubmatch(p.value); m != nil && !strings.EqualFold(p.param("VALUE"), "text") {
		p.drop("VALUE")
		p.add("VALUE", "utc-offset")
		p.setValue(m[1] + m[2])
	}
}

// labelsTo4 moves delivery labels into the addresses with the same types; a
// label without an address gets an empty one.
func (c *converter) labelsTo4(labels []prop) {
	if len(labels) == 0 {
		return
	}
	free := map[string][]int{} // addresses without a label, by their types
	for i := range c.props {
		if p := &c.props[i]; p.is("ADR") && p.param("LABEL") == "" {
			free[typeSet(p)] = append(free[typeSet(p)], i)
		}
	}
	var alone []prop
	for _, lab := range labels {
		text := content.EncodeParam(content.Unescape(lab.value))
		if at := free[typeSet(&lab)]; len(at) > 0 {
			free[typeSet(&lab)] = at[1:]
			c.props[at[0]].add("LABEL", text)
			continue
		}
		adr := prop{group: lab.group, name: "ADR", params: lab.params, value: ";;;;;;"}
		adr.add("LABEL", text)
		alone = append(alone, adr)
	}
	c.insert(len(c.props)-2, alone...)
}

// typeSet gives TYPE values in one comparable form.
func typeSet(p *prop) string {
	set := map[string]bool{}
	for _, t := range p.types() {
		set[strings.ToLower(t)] = true
	}
	return strings.Join(sortedKeys(set), ",")
}
