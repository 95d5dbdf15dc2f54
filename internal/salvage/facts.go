package salvage

import (
	"cmp"
	"encoding/base64"
	"hash/fnv"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/content"
	"holdfast/internal/ical"
	"holdfast/internal/vcard"
)

// facts is what one version of an item says, in a form that is the same whoever wrote it: what cannot be told apart by it is the same to its owner.
type facts struct {
	kind  string // the name of the component
	uid   string
	title string        // what people call it
	name  string        // the title, and of an event its time, for comparing
	keys  []uint64      // phone numbers and mail addresses
	set   []uint64      // every property with its value, sorted
	photo bool          // of a contact
	sum   holdfast.Hash // of the octets
}

// add takes a fact in.
func (f *facts) add(parts ...string) uint64 {
	h := fnv.New64a()
	for _, p := range parts {
		_, _ = h.Write([]byte(p)) // a hash never fails
		_, _ = h.Write([]byte{0})
	}
	f.set = append(f.set, h.Sum64())
	return h.Sum64()
}

func (f *facts) sort() {
	slices.Sort(f.set)
	f.set = slices.Compact(f.set)
}

// factsOf reads an item. ok is false for what is neither a contact nor a calendar object that could be stored today.
func factsOf(octets []byte, card bool) (f facts, ok bool) {
	if card {
		f, ok = factsOfCard(octets)
	} else {
		f, ok = factsOfObject(octets)
	}
	f.sum = holdfast.HashOf(octets)
	f.sort()
	return f, ok
}

// silent are properties of contacts that are about the record and not about whom it describes.
var silent = []string{"BEGIN", "END", "VERSION", "PRODID", "REV", "UID", "SOURCE", "SORT-STRING", "X-ABUID", "X-ABSHOWAS"}

func factsOfCard(octets []byte) (f facts, ok bool) {
	index, refusal := vcard.Judge(octets, vcard.Limits{})
	if refusal != nil {
		return f, false
	}
	f.kind, f.uid, f.title = "VCARD", index.UID, index.FN
	if same, refusal := vcard.Convert(octets, "3.0"); refusal == nil {
		octets = same
	}
	card, err := vcard.Parse(octets, vcard.Limits{})
	if err != nil {
		return f, false
	}
	for i := range card.Lines {
		f.line(&card.Lines[i])
	}
	f.name = strings.ToLower(words(f.title))
	return f, true
}

// line takes one property of a contact in. Order, groups, folding and encoding are no difference, nor is how a number is spaced.
func (f *facts) line(l *vcard.Line) {
	name := content.Upper(l.Name)
	if l.Blank() || slices.Contains(silent, name) || strings.Trim(l.Value, "; \t") == "" {
		return
	}
	types := kinds(l.Param("TYPE"))
	switch name {
	case "PHOTO", "LOGO": // phones scale pictures: whether there is one counts
		f.photo = f.photo || name == "PHOTO"
	case "FN", "N":
		if w := words(strings.ReplaceAll(plainText(l.Value), ";", " ")); w != "" {
			f.add("NAME", w)
		}
	case "TEL":
		n := number(l.Value)
		f.add(name, types, n)
		f.keys = append(f.keys, key(name, n))
	case "EMAIL":
		n := strings.ToLower(strings.TrimSpace(content.Unescape(l.Value)))
		f.add(name, types, n)
		f.keys = append(f.keys, key(name, n))
	case "NICKNAME", "CATEGORIES":
		for _, v := range content.SplitEscaped(l.Value, ',') {
			f.add(name, text(v))
		}
	case "BDAY", "ANNIVERSARY":
		day, _, _ := strings.Cut(strings.ReplaceAll(l.Value, "-", ""), "T")
		f.add(name, day)
	case "SOUND", "KEY":
		b, err := base64.StdEncoding.DecodeString(l.Value)
		f.add(name, cmp.Or(string(b), l.Value), errText(err))
	default:
		f.add(name, types, plainText(l.Value))
	}
}

func errText(err error) string {
	if err != nil {
		return "not base64"
	}
	return ""
}

// key is a phone number or an address, for comparing.
func key(parts ...string) uint64 { return new(facts).add(parts...) }

// kinds are the types of a property that tell anything.
func kinds(types []string) string {
	var out []string
	for _, t := range types {
		t = strings.ToLower(t)
		if !slices.Contains([]string{"voice", "internet", "pref", "other", ""}, t) {
			out = append(out, t)
		}
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), ",")
}

// number is a phone number without how it was written.
func number(v string) string {
	v = strings.TrimPrefix(strings.ToLower(content.Unescape(v)), "tel:")
	out := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || strings.ContainsRune("+*#,;pwx", r) {
			return r
		}
		return -1
	}, v)
	return cmp.Or(out, strings.TrimSpace(v))
}

// text is a text value with its escapes resolved and its white space as one reads it.
func text(v string) string { return strings.Join(strings.Fields(content.Unescape(v)), " ") }

// plainText is text of a structured value, without the empty parts at its end.
func plainText(v string) string {
	parts := content.SplitEscaped(v, ';')
	for i := range parts {
		parts[i] = text(parts[i])
	}
	return strings.TrimRight(strings.Join(parts, ";"), ";")
}

// words are the words of a name, in an order that does not hang on how it is written: "Doe, Jane" is "Jane Doe".
func words(name string) string {
	list := strings.FieldsFunc(name, func(r rune) bool { return r == ' ' || r == ',' || r == ';' || r == '\t' || r == '\n' })
	slices.Sort(list)
	return strings.Join(slices.Compact(list), " ")
}

// stamps are properties of calendar objects that change without anybody changing anything.
var stamps = []string{"UID", "DTSTAMP", "CREATED", "LAST-MODIFIED", "SEQUENCE", "PRODID", "VERSION", "METHOD", "CALSCALE", "ACKNOWLEDGED", "X-WR-ALARMUID", "X-MOZ-LASTACK", "X-MOZ-GENERATION", "X-LIC-ERROR"}

// defaults are values that say what is so without them.
var defaults = map[string]string{"TRANSP": "OPAQUE", "PRIORITY": "0", "CLASS": "PUBLIC", "STATUS": "CONFIRMED", "PERCENT-COMPLETE": "0"}

func factsOfObject(octets []byte) (f facts, ok bool) {
	root, index, refusal := ical.Judge(octets, ical.Limits{})
	if refusal != nil {
		return f, false
	}
	f.kind, f.uid = index.Kind, index.UID
	for _, c := range root.Children {
		if c.Name == "VTIMEZONE" {
			continue
		}
		where := c.Name
		if l := c.Prop("RECURRENCE-ID"); l != nil {
			where += " " + l.Value
		} else {
			f.called(c)
		}
		f.component(where, c)
	}
	if f.name == "" {
		for _, c := range root.Each(f.kind) {
			f.called(c)
			break
		}
	}
	return f, true
}

func (f *facts) called(c *ical.Component) {
	start := ""
	if l := c.Prop("SUMMARY"); l != nil {
		f.title = text(l.Value)
	}
	if l := c.Prop("DTSTART"); l != nil {
		start = l.Value
	}
	f.name = strings.ToLower(f.title) + "\n" + start
}

// component takes the properties of a component in. What lies in it, an alarm, is one fact.
func (f *facts) component(where string, c *ical.Component) {
	for i := range c.Lines {
		l := &c.Lines[i]
		name := content.Upper(l.Name)
		if l.Blank() || slices.Contains(stamps, name) || l.Value == "" || defaults[name] == content.Upper(l.Value) {
			continue
		}
		for _, v := range values(name, l.Value) {
			f.add(where, name, params(l), v)
		}
	}
	for _, inner := range c.Children {
		var x facts
		x.component("", inner)
		x.sort()
		parts := []string{where, inner.Name}
		for _, n := range x.set {
			parts = append(parts, string([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24), byte(n >> 32), byte(n >> 40), byte(n >> 48), byte(n >> 56)}))
		}
		f.add(parts...)
	}
}

// values divides what is a list or a set of parts.
func values(name, v string) []string {
	switch name {
	case "RRULE", "EXRULE":
		parts := strings.Split(content.Upper(v), ";")
		slices.Sort(parts)
		return []string{strings.Join(parts, ";")}
	case "EXDATE", "RDATE":
		return strings.Split(v, ",")
	case "CATEGORIES", "RESOURCES":
		list := content.SplitEscaped(v, ',')
		for i := range list {
			list[i] = text(list[i])
		}
		return list
	case "ATTENDEE", "ORGANIZER":
		return []string{strings.ToLower(v)}
	}
	return []string{text(v)}
}

// params are those that change what a value means.
func params(l *ical.Line) string {
	var out []string
	for _, p := range l.Params {
		switch n := content.Upper(p.Name); n {
		case "TZID", "PARTSTAT", "RELATED", "RELTYPE", "RANGE":
			out = append(out, n+"="+strings.Trim(p.Raw, `"`))
		}
	}
	slices.Sort(out)
	return strings.Join(out, ";")
}
