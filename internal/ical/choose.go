package ical

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"holdfast/internal/ical/civil"
)

// choose leaves one master and one override for each RECURRENCE-ID. Of several versions the newest stays. Masters that differ in both title
// and time are different things whose program gave them one UID: they become objects of their own, unless they came as messages, where a
// later one changes the earlier.
func (m *mender) choose(ob *object) (apart []*object) {
	var kept []*Component
	place := map[string]int{} // in kept, by RECURRENCE-ID as written; "" for the master
	for _, c := range ob.components {
		id := recurrenceID(c)
		i, twice := place[id]
		if !twice {
			place[id] = len(kept)
			kept = append(kept, c)
			continue
		}
		older, newer := kept[i], c
		if isNewer(older, newer) {
			older, newer = newer, older
		}
		kept[i] = newer
		switch {
		case bytes.Equal(older.Append(nil), newer.Append(nil)):
			ob.say("removed a repeated copy")
		case id == "" && !m.message && differ(older, newer, "SUMMARY") && (differ(older, newer, "DTSTART") || differ(older, newer, "DUE")):
			apart = append(apart, ob.leave(older))
		default:
			ob.say("left out an older version: %s", title(older))
		}
	}
	ob.components = kept
	return apart
}

// recurrenceID gives what tells overrides of one object apart.
func recurrenceID(c *Component) string {
	l := c.Prop("RECURRENCE-ID")
	if l == nil {
		return ""
	}
	d, err := l.DateTime()
	if err != nil {
		return l.Value
	}
	return fmt.Sprint(d.Form, d.TZID, d)
}

// leave makes an object of a component whose UID belongs to another.
func (ob *object) leave(c *Component) *object {
	octets := c.Append(nil)
	one := &object{kind: ob.kind, components: []*Component{c}}
	one.uid = hashUID(strings.Split(string(octets), "\r\n"))
	for i := range c.Lines {
		if c.Lines[i].Is("UID") {
			setName(&c.Lines[i], "X-FORMER-UID")
		}
	}
	c.Lines = append([]Line{NewLine("UID", one.uid)}, c.Lines...)
	one.mends = slices.Clone(ob.mends)
	one.say("gave an entry that shares its UID with another a UID of its own")
	return one
}

// isNewer tells whether a is a newer version than b: by SEQUENCE, then by the time of the last change. Where neither says, the later in the
// file is the newer.
func isNewer(a, b *Component) bool {
	if x, y := sequence(a), sequence(b); x != y {
		return x > y
	}
	return changed(a) > changed(b)
}

func sequence(c *Component) int {
	if l := c.Prop("SEQUENCE"); l != nil {
		n, _ := strconv.Atoi(strings.TrimSpace(l.Value))
		return n
	}
	return 0
}

func changed(c *Component) civil.Time {
	for _, name := range []string{"LAST-MODIFIED", "DTSTAMP"} {
		if l := c.Prop(name); l != nil {
			if d, err := l.DateTime(); err == nil {
				return d.Time
			}
		}
	}
	return civil.Min
}

// differ tells whether a property has another value, or is missing, in one of the two.
func differ(a, b *Component, name string) bool {
	x, y := a.Prop(name), b.Prop(name)
	if x == nil || y == nil {
		return x != y
	}
	return x.Value != y.Value
}

// title names a component in a sentence.
func title(c *Component) string {
	s := "without a title"
	if l := c.Prop("SUMMARY"); l != nil && strings.TrimSpace(l.Value) != "" {
		s = fmt.Sprintf("%q", clip(l.Text()))
	}
	if l := c.Prop("DTSTART"); l != nil {
		s += " of " + clip(l.Value)
	}
	return s
}
