package vcard

import (
	"slices"
	"strings"

	"holdfast/internal/content"
)

// complete adds what a card must have, around the properties that were read.
func (m *mender) complete(lines []string) *Refusal {
	version := m.version
	switch {
	case m.v21:
		version = "3.0"
		m.say("converted vCard 2.1 to 3.0")
	case version == "":
		version = "3.0"
		m.say("added VERSION:3.0")
	case version != "3.0" && version != "4.0":
		return &Refusal{SupportedAddressData, 0, "This vCard version is not supported; save it as version 3.0 or 4.0."}
	}
	if !m.substance() {
		return &Refusal{ValidAddressData, 0, "The card holds nothing about anyone."}
	}
	m.fixFN()
	m.fixUID(lines)
	if !m.ended {
		m.say("added a missing END:VCARD; the file may have been cut off")
	}
	m.props = append([]prop{{name: "BEGIN", value: "VCARD"}, {name: "VERSION", value: version}}, m.props...)
	m.props = append(m.props, prop{name: "END", value: "VCARD"})
	return nil
}

// substance tells whether anything but bookkeeping is there.
func (m *mender) substance() bool {
	return slices.ContainsFunc(m.props, func(p prop) bool {
		switch content.Upper(p.name) {
		case "UID", "PRODID", "REV", "PROFILE", "X-ABLABEL":
			return false
		}
		return strings.Trim(p.value, " ;,") != ""
	})
}

// fixFN builds the name to show from the best that is there.
func (m *mender) fixFN() {
	for i := range m.props {
		if m.props[i].is("FN") {
			return
		}
	}
	for _, from := range []string{"N", "ORG", "NICKNAME", "EMAIL", "TEL", "URL"} {
		for i := range m.props {
			if !m.props[i].is(from) {
				continue
			}
			if name := nameFrom(from, m.props[i].value); name != "" {
				m.props = append([]prop{{name: "FN", value: content.Escape(name)}}, m.props...)
				m.say("built FN from " + from)
				return
			}
		}
	}
	m.props = append([]prop{{name: "FN", value: "Unnamed"}}, m.props...)
	m.say("added FN, as there is no name")
}

// nameFrom makes a name to show of a property's escaped value.
func nameFrom(prop, v string) string {
	var order []int
	sep := separator(prop)
	switch prop {
	case "N":
		order = []int{3, 1, 2, 0, 4} // prefix, given, additional, family, suffix
	case "ORG":
		order = []int{0, 1, 2}
	case "NICKNAME":
		order = []int{0}
	default:
		return oneLine(content.Unescape(v))
	}
	parts := content.SplitEscaped(v, sep)
	var words []string
	for _, i := range order {
		if i < len(parts) {
			for _, w := range content.SplitEscaped(parts[i], ',') {
				if w = oneLine(content.Unescape(w)); w != "" {
					words = append(words, w)
				}
			}
		}
	}
	if prop == "ORG" {
		return strings.Join(words, ", ")
	}
	return strings.Join(words, " ")
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// fixUID leaves exactly one usable UID. One that cannot stay keeps its text
// under another name.
func (m *mender) fixUID(lines []string) {
	uid := -1
	var out []prop
	for _, p := range m.props {
		if !p.is("UID") {
			out = append(out, p)
			continue
		}
		v := strings.TrimSpace(content.Unescape(p.value))
		switch {
		case v == "":
		case uid >= 0 && v == strings.TrimSpace(content.Unescape(out[uid].value)):
			m.say("removed a repeated UID")
		case uid >= 0 || len(v) > MaxUID || hasControl(v):
			p.setName("X-FORMER-UID")
			out = append(out, p)
			m.say("put a UID that cannot stay aside as X-FORMER-UID")
		default:
			uid = len(out)
			out = append(out, p)
		}
	}
	if uid < 0 {
		out = append([]prop{{name: "UID", value: hashUID(strings.Join(lines, "\n"))}}, out...)
		m.say("added a UID")
	}
	m.props = out
}
