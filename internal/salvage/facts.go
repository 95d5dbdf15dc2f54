package salvage

import (
	"hash/fnv"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/content"
	"holdfast/internal/ical"
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
