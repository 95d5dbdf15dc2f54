package vcard

import (
	"strings"

	"holdfast/internal/content"
)

// PropSel is one CARDDAV:prop of CARDDAV:address-data (RFC 6352, section
// 10.4.2): a property that a client wants to have.
type PropSel struct {
	Name    string // property name in any case; "group.NAME" selects in that group only
	NoValue bool   // name and parameters only
}

// Project returns the card with the wanted properties only, each verbatim and
// in its place. Without any it is the whole card.
//
// BEGIN, END and VERSION always stay, and so do UID and FN: what is left must
// still be a valid address object that a client can tell from others. They
// keep their values unless NoValue is asked for by name, which VERSION ignores.
// A line without its value loses its folds.
func Project(card *Card, want []PropSel) []byte {
	var out []byte
	for i := range card.Lines {
		l := &card.Lines[i]
		keep, value := selects(want, l)
		switch {
		case keep && value:
			out = append(out, l.Raw...)
		case keep:
			out = content.AppendFolded(out, withoutValue(l))
		}
	}
	return out
}

// selects says whether a line stays, and whether with its value.
func selects(want []PropSel, l *Line) (keep, value bool) {
	switch {
	case len(want) == 0, l.Is("BEGIN"), l.Is("END"), l.Is("VERSION"):
		return true, true
	}
	must := l.Is("UID") || l.Is("FN")
	keep, value = must, must
	for _, w := range want {
		group, name := "", w.Name
		if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
			group, name = name[:dot], name[dot+1:]
		}
		if !l.Blank() && l.Is(name) && (group == "" || strings.EqualFold(group, l.Group)) {
			if !w.NoValue {
				return true, true
			}
			keep, value = true, false
		}
	}
	return keep, value
}

func withoutValue(l *Line) string {
	text := unfolded(l.Raw)
	return strings.TrimSuffix(text, l.Value)
}
