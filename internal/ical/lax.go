package ical

import (
	"iter"
	"strings"
)

// laxParam takes what stands before the next semicolon or colon as a parameter of no name, and nothing as no parameter.
func laxParam(s string) (Param, int, *SyntaxError) {
	n := strings.IndexAny(s, ";:")
	if n < 0 {
		return Param{}, 0, &SyntaxError{0, NoColon, "The line has no colon between name and value."}
	}
	if isBlank(s[:n]) {
		return Param{}, n, nil
	}
	return Param{Name: "X-BARE", Raw: paramEncode(s[:n])}, n, nil
}

// textLines gives the lines of text without their ends, whatever ends them.
func textLines(s string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for s != "" {
			i := strings.IndexAny(s, "\r\n")
			if i < 0 {
				yield(s)
				return
			}
			if !yield(s[:i]) {
				return
			}
			for s = s[i:]; s != "" && s[0] == '\r'; s = s[1:] {
			}
			s = strings.TrimPrefix(s, "\n")
		}
	}
}

// logical gives the content lines that are not blank, unfolded.
func logical(s string) iter.Seq[string] {
	return func(yield func(string) bool) {
		var parts []string
		for t := range textLines(s) {
			if t != "" && isWSP(t[0]) && len(parts) > 0 {
				parts = append(parts, t[1:])
				continue
			}
			if len(parts) > 0 && !yield(strings.Join(parts, "")) {
				return
			}
			if parts = parts[:0]; !isBlank(t) {
				parts = append(parts, t)
			}
		}
		if len(parts) > 0 {
			yield(strings.Join(parts, ""))
		}
	}
}

// looked is what Split needs to know of a component.
type looked struct {
	name, uid string
	tzid      string   // its own TZID property
	tzids     []string // the TZID parameters
	recurs    bool     // others with the same UID may belong to it
}

// look reads a component that may be broken.
func look(octets string) (k looked) {
	lx := lexer{lim: DefaultLimits(), lax: true}
	depth := 0
	for text := range logical(octets) {
		var l Line
		lx.params = lx.params[:0]
		if lx.cut(&l, text) != nil {
			continue
		}
		switch {
		case l.Is("BEGIN"):
			if depth++; depth == 1 {
				k.name = strings.ToUpper(strings.TrimSpace(l.Value))
			}
		case l.Is("END"):
			depth--
		case depth != 1:
		case l.Is("UID"):
			if k.uid == "" {
				k.uid = strings.Clone(strings.TrimSpace(l.Text()))
			}
		case l.Is("TZID"):
			k.tzid = strings.Clone(strings.TrimSpace(l.Value))
		case l.Is("RRULE"), l.Is("RDATE"), l.Is("EXRULE"), l.Is("RECURRENCE-ID"):
			k.recurs = true
		}
		if tzid := l.tzid(); tzid != "" {
			k.addZone(tzid)
		}
	}
	return k
}

// maxZones is how many time zones one component may refer to.
const maxZones = 64

func (k *looked) addZone(tzid string) {
	for _, have := range k.tzids {
		if have == tzid {
			return
		}
	}
	if len(k.tzids) < maxZones {
		k.tzids = append(k.tzids, strings.Clone(tzid))
	}
}
