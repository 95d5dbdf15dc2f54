package vcard

import (
	"slices"
	"strconv"
	"strings"

	"holdfast/internal/content"
)

// Convert returns the card in another version, for a client that asks for it
// (RFC 6352, section 5.1.1). version is "3.0" or "4.0". A card that has that
// version already comes back as the very octets given. data is never changed,
// and equal input gives equal output. data should have been accepted by Judge;
// what the result then holds is accepted, too, with the same UID.
//
// Properties without a counterpart are kept as they are, unknown ones and all
// groups included. Rewritten in both directions are: embedded PHOTO, LOGO,
// SOUND and KEY (ENCODING=b and data: URI), TYPE=pref and PREF=1, dates and
// times, GEO, TZ, LABEL and ADR;LABEL=, SORT-STRING and N;SORT-AS=, KIND and
// MEMBER (X-ADDRESSBOOKSERVER-), GENDER (X-GENDER), ANNIVERSARY (X-ABDATE with
// its label), RELATED for spouse, child, parent and friend (X-ABRELATEDNAMES
// with its label), and escaping.
//
// Lost on the way from 3.0 to 4.0: fractions of a second in dates, CHARSET
// parameters, the choice between several spellings of one thing
// (X-ANNIVERSARY, X-EVOLUTION-ANNIVERSARY and X-MS-ANNIVERSARY become
// ANNIVERSARY and return as X-ABDATE), and blank lines.
//
// Lost on the way from 4.0 to 3.0: that a TEL was a URI (its number and
// extension stay, as text), the media type of a data: URI where no 3.0 TYPE
// names it, and, in an N that was missing, the division of the name: FN stands
// in for the family name, because 3.0 requires N.
func Convert(data []byte, version string) ([]byte, *Refusal) {
	if version != "3.0" && version != "4.0" {
		return nil, &Refusal{SupportedAddressData, 0, "This vCard version is not supported; ask for version 3.0 or 4.0."}
	}
	card, err := Parse(data, Limits{})
	if err != nil {
		return nil, refuseSyntax(err)
	}
	c := converter{groups: map[string]int{}, label: map[string]int{}}
	have := c.load(card)
	switch {
	case have == version:
		return data, nil
	case have != "3.0" && have != "4.0":
		return nil, &Refusal{SupportedAddressData, 0, "Only vCards of version 3.0 and 4.0 can be converted."}
	case version == "4.0":
		c.to4()
	default:
		c.to3()
	}
	out := make([]byte, 0, len(data)+len(data)/16+128)
	for i := range c.props {
		if !c.gone(i) {
			out = c.props[i].append(out)
		}
	}
	return out, nil
}

// converter holds one card while it is rewritten.
type converter struct {
	props  []prop
	groups map[string]int // lower-case group: number of properties in it
	label  map[string]int // lower-case group: index of its X-ABLabel
	items  int            // the highest N of all groups itemN
}

// load takes the lines over, without blank ones, and returns the version.
func (c *converter) load(card *Card) (version string) {
	c.props = make([]prop, 0, len(card.Lines)+4)
	for i := range card.Lines {
		l := &card.Lines[i]
		if l.Blank() {
			continue
		}
		if l.Is("VERSION") {
			version = strings.TrimSpace(l.Value)
		}
		g := strings.ToLower(l.Group)
		if g != "" {
			c.groups[g]++
			if l.Is("X-ABLabel") {
				c.label[g] = len(c.props)
			}
			if n, err := strconv.Atoi(strings.TrimPrefix(g, "item")); err == nil && n < 1<<20 {
				c.items = max(c.items, n)
			}
		}
		c.props = append(c.props, propOf(l))
	}
	return version
}

// remove takes a property out; gone says whether it was.
func (c *converter) remove(i int)    { c.props[i] = prop{} }
func (c *converter) gone(i int) bool { return c.props[i].name == "" }

// insert puts properties behind index i.
func (c *converter) insert(i int, ps ...prop) {
	c.props = slices.Insert(c.props, max(0, i+1), ps...)
}

// labelOf returns the meaning of Apple's label of a property, in lower case:
// "_$!<Anniversary>!$_" is "anniversary". It is empty where the property does
// not stand alone with its label.
func (c *converter) labelOf(p *prop) (string, int) {
	g := strings.ToLower(p.group)
	i, ok := c.label[g]
	if !ok || c.groups[g] != 2 {
		return "", 0
	}
	v := c.props[i].value
	v, okPre := strings.CutPrefix(v, "_$!<")
	v, okPost := strings.CutSuffix(v, ">!$_")
	if !okPre || !okPost {
		return "", 0
	}
	return strings.ToLower(v), i
}

// labelled makes a property with Apple's label in a group of its own.
func (c *converter) labelled(p prop, label string) (prop, prop) {
	c.items++
	p.group, p.raw = "item"+strconv.Itoa(c.items), ""
	return p, prop{group: p.group, name: "X-ABLabel", value: "_$!<" + label + ">!$_"}
}

// relations that both worlds know: RELATED's TYPE and Apple's label.
var relations = map[string]string{"spouse": "Spouse", "child": "Child", "parent": "Parent", "friend": "Friend"}

// textKind says how the value of a known property is escaped.
type textKind int

const (
	opaque     textKind = iota // unknown: left alone
	singleText                 // one text: commas and semicolons are escaped
	structured                 // components and lists: separators stay
	uriValue                   // a URI: no escapes at all in 4.0
)

func kindOf(name string) textKind {
	switch content.Upper(name) {
	case "FN", "NOTE", "TITLE", "ROLE", "EMAIL", "TEL", "LABEL", "MAILER", "SORT-STRING", "PRODID", "NAME":
		return singleText
	case "N", "ADR", "ORG", "NICKNAME", "CATEGORIES":
		return structured
	case "URL", "SOURCE", "IMPP", "FBURL", "CALURI", "CALADRURI":
		return uriValue
	}
	return opaque
}

// reescape gives a text value its proper escapes: needless ones go (\: and
// \", which some programs write), and for a single text, separators that stand
// bare get one.
func reescape(v string, kind textKind) string {
	if !strings.ContainsAny(v, "\\,;") {
		return v
	}
	var b strings.Builder
	b.Grow(len(v) + 8)
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c == '\\' && i+1 < len(v):
			i++
			switch c = v[i]; c {
			case 'N':
				b.WriteString("\\n")
			case 'n', ',', ';', '\\':
				b.WriteByte('\\')
				b.WriteByte(c)
			default:
				b.WriteByte(c)
			}
		case c == '\\':
			b.WriteString("\\\\")
		case kind == singleText && (c == ',' || c == ';'):
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// fixText applies reescape by the property's name.
func fixText(p *prop) {
	kind := kindOf(p.name)
	if strings.EqualFold(p.param("VALUE"), "uri") {
		kind = uriValue
	}
	switch kind {
	case singleText, structured:
		p.setValue(reescape(p.value, kind))
	case uriValue:
		if v := content.Unescape(p.value); !strings.Contains(v, "\n") {
			p.setValue(v)
		}
	}
}
