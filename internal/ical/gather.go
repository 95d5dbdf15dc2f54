package ical

import (
	"fmt"
	"slices"
	"strings"
)

// gatherer puts components together by kind and UID until they are handed out.
type gatherer struct {
	lim     SplitLimits
	yield   func(Piece, error) bool
	stopped bool // the reader of the sequence wants no more, or there was an error

	cal    *calendar         // nil outside of any
	groups []*group          // in the order of their first components; nil where handed out
	byKey  map[string]*group // kind and UID
	zones  map[string]string // all VTIMEZONEs, so that equal ones are held once
	held   int
	spread int // octets of time zones in the objects that were handed out
}

// calendar is a VCALENDAR of the file, or what stands around components outside of one.
type calendar struct {
	line     int
	implicit bool              // no BEGIN:VCALENDAR
	eol      string            // what ends its first line
	head     []byte            // the properties that every object needs
	rest     []byte            // at most shown octets of the others
	restLine int               // where the first of them stands
	zone     string            // X-WR-TIMEZONE
	zones    map[string]string // octets of its VTIMEZONEs by TZID
	whole    []byte            // its octets so far, as long as it may be one object; nil once it may not
	only     *group            // the group of all its components
	parts    int
}

// group is what shares kind and UID.
type group struct {
	key   string
	parts []part
	size  int
	held  int    // what of gatherer.held is its
	whole string // the octets of the one calendar of which it is all, if that is so
	once  bool   // one component that does not recur: nothing else is expected
}

// part is a component.
type part struct {
	octets   string
	line     int
	cal      *calendar
	tzids    []string
	from, to int // where it stands in cal.whole
}

// maxZone is how large a VTIMEZONE may be: every object that refers to it gets a copy. One with all of history has about 20,000 octets.
const maxZone = 256 << 10

// overhead is what a part and its group take beside their octets.
const overhead = 400

func newGatherer(lim SplitLimits, yield func(Piece, error) bool) *gatherer {
	return &gatherer{lim: lim, yield: yield, byKey: map[string]*group{}, zones: map[string]string{}}
}

// hand gives a piece to the reader of the sequence.
func (g *gatherer) hand(p Piece) {
	if !g.stopped {
		g.stopped = !g.yield(p, nil)
	}
}

func (g *gatherer) inside() bool { return g.cal != nil && !g.cal.implicit }

// begin opens a calendar. An implicit one is only opened where there is none.
func (g *gatherer) begin(line int, frag []byte, implicit bool) {
	if implicit && g.cal != nil {
		return
	}
	if g.cal != nil {
		g.leave(false)
	}
	g.cal = &calendar{line: line, implicit: implicit, eol: "\r\n", zones: map[string]string{}}
	if n := len(frag); n > 1 && frag[n-1] == '\n' && frag[n-2] != '\r' {
		g.cal.eol = "\n"
	}
	if !implicit {
		g.cal.whole = append(make([]byte, 0, 1024), frag...)
	}
}

// leave closes the calendar, with or without its END.
func (g *gatherer) leave(ended bool) {
	c := g.cal
	g.cal = nil
	if c.whole != nil && ended && c.only != nil && len(c.only.parts) == c.parts {
		gr := c.only
		gr.whole = string(c.whole)
		for i := range gr.parts {
			p := &gr.parts[i]
			p.octets = gr.whole[p.from:p.to]
		}
		g.hold(gr, len(gr.whole)-gr.size)
	}
	c.whole = nil
	switch {
	case c.implicit:
	case !ended:
		g.hand(Piece{Kind: NotePiece, Line: c.line, Why: "END:VCALENDAR is missing; the file may have been cut off."})
	case c.parts == 0:
		g.hand(Piece{Kind: NotePiece, Line: c.line, Octets: c.rest, Why: "The calendar holds no event, to-do or journal entry."})
		return
	}
	if c.only == nil || c.only.whole == "" {
		g.note(c)
	}
}

// note tells once which properties of a calendar its objects do not carry.
func (g *gatherer) note(c *calendar) {
	if len(c.rest) > 0 {
		g.hand(Piece{Kind: NotePiece, Line: c.restLine, Octets: c.rest, Why: "The calendar's own properties are not part of its entries and were left out."})
		c.rest = nil
	}
}

// verbatim adds octets to those of a calendar that may be one object.
func (g *gatherer) verbatim(frag []byte) {
	if c := g.cal; c != nil && c.whole != nil {
		if c.whole = append(c.whole, frag...); len(c.whole) > g.lim.Object {
			c.whole = nil
		}
	}
}

// unlike notes that the calendar cannot be handed out as it is.
func (g *gatherer) unlike() {
	if g.cal != nil {
		g.cal.whole = nil
	}
}

// property takes a content line of the calendar itself.
func (g *gatherer) property(line int, octets []byte) {
	c := g.cal
	if c == nil {
		return
	}
	lx := lexer{lim: DefaultLimits(), lax: true}
	var l Line
	for text := range logical(string(octets)) {
		if lx.cut(&l, text) != nil {
			c.whole = nil
			g.hand(Piece{Kind: JunkPiece, Line: line, Octets: slices.Clone(octets[:min(len(octets), shown)]), Why: "Text that is no property of the calendar was left out."})
			return
		}
	}
	switch {
	case l.Is("VERSION"), l.Is("PRODID"), l.Is("CALSCALE"), l.Is("METHOD"):
		if len(c.head) < 64<<10 {
			c.head = ended(append(c.head, octets...))
		}
		return
	case l.Is("X-WR-TIMEZONE"):
		c.zone = strings.Clone(strings.TrimSpace(l.Text()))
	}
	if len(c.rest) == 0 {
		c.restLine = line
	}
	c.rest = append(c.rest, octets[:min(len(octets), shown-len(c.rest))]...)
}

// ended completes octets whose last line has no end.
func ended(octets []byte) []byte {
	if n := len(octets); n > 0 && octets[n-1] != '\n' && octets[n-1] != '\r' {
		octets = append(octets, "\r\n"...)
	}
	return octets
}

// hold counts octets that are kept for a group.
func (g *gatherer) hold(gr *group, n int) {
	gr.held += n
	g.held += n
}

// component takes what stands directly in a calendar.
func (g *gatherer) component(line int, octets []byte) {
	c := g.cal
	from := len(c.whole)
	g.verbatim(octets)
	k := look(string(octets))
	switch k.name {
	case "VTIMEZONE":
		if len(octets) > maxZone {
			c.whole = nil
			g.hand(Piece{Kind: JunkPiece, Line: line, Octets: slices.Clone(octets[:shown]), Why: fmt.Sprintf("The time zone is larger than %d octets.", maxZone)})
			return
		}
		z, ok := g.zones[string(octets)]
		if !ok {
			z = string(octets)
			g.zones[z] = z
			g.held += len(z) + overhead
		}
		for _, tzid := range []string{k.tzid, Unescape(k.tzid)} {
			if _, ok := c.zones[tzid]; !ok {
				c.zones[tzid] = z
			}
		}
		g.bound()
		return
	case "VCARD":
		c.whole = nil
		g.hand(Piece{Kind: JunkPiece, Line: line, Octets: slices.Clone(octets[:min(len(octets), shown)]), Why: "This is a contact and belongs into an address book."})
		return
	}
	c.parts++
	p := part{octets: string(octets), line: line, cal: c, tzids: k.tzids, from: from, to: from + len(octets)}
	gr := g.byKey[k.name+"\x00"+k.uid]
	if gr == nil || k.uid == "" {
		gr = &group{key: k.name + "\x00" + k.uid, once: !k.recurs}
		g.groups = append(g.groups, gr)
		if k.uid != "" {
			g.byKey[gr.key] = gr
		}
	} else {
		gr.once = false
		if gr.parts[0].cal != c {
			if gr.whole != "" {
				gr.whole = ""
				g.note(gr.parts[0].cal)
			}
			c.whole = nil
		}
	}
	gr.parts = append(gr.parts, p)
	gr.size += len(octets)
	g.hold(gr, len(octets)+overhead)
	if c.only == nil {
		c.only = gr
	} else if c.only != gr {
		c.whole = nil
	}
	g.bound()
}

// bound hands out what need not wait once too much does.
func (g *gatherer) bound() {
	if g.held <= g.lim.Held || g.stopped {
		return
	}
	kept := g.groups[:0]
	for _, gr := range g.groups {
		if !gr.once || g.cal != nil && g.cal.only == gr {
			kept = append(kept, gr)
			continue
		}
		delete(g.byKey, gr.key)
		g.give(gr)
	}
	clear(g.groups[len(kept):])
	g.groups = kept
	if !g.stopped && g.held > g.lim.Held/4*3 {
		g.stopped = true
		g.yield(Piece{}, &SyntaxError{Fault: TooLarge, Why: fmt.Sprintf("More than %d MiB of the file may belong together; divide it into several files.", g.lim.Held>>20)})
	}
}

// give hands one group out and forgets it.
func (g *gatherer) give(gr *group) {
	first := &gr.parts[0]
	g.held -= gr.held
	p := Piece{Kind: ObjectPiece, Line: first.line, Octets: []byte(gr.whole), Zone: first.cal.zone}
	if gr.whole == "" {
		zones := 0
		p.Octets, zones = gr.compose()
		if g.spread += zones; g.spread > g.lim.Zones && !g.stopped {
			g.stopped = true
			g.yield(Piece{}, &SyntaxError{Fault: TooLarge, Why: fmt.Sprintf("Each entry needs a copy of its time zones, and these are too large for so many: more than %d MiB. Divide the file, or shorten its VTIMEZONEs.", g.lim.Zones>>20)})
		}
	}
	if len(p.Octets) > g.lim.Object {
		p.Kind, p.Octets = JunkPiece, p.Octets[:min(len(p.Octets), shown)]
		p.Why = fmt.Sprintf("The components with this UID are larger than %d octets together.", g.lim.Object)
	}
	gr.parts, gr.whole = nil, ""
	g.hand(p)
}

// compose writes a VCALENDAR around the components. zones is how much of it are time zones.
func (gr *group) compose() (out []byte, zones int) {
	first := gr.parts[0].cal
	out = make([]byte, 0, gr.size+len(first.head)+1024)
	out = append(append(append(out, "BEGIN:VCALENDAR"...), first.eol...), first.head...)
	done := map[string]bool{}
	for i := range gr.parts {
		p := &gr.parts[i]
		for _, tzid := range p.tzids {
			if z, ok := p.cal.zones[tzid]; ok && !done[tzid] {
				done[tzid] = true
				out = ended(append(out, z...))
				zones += len(z)
			}
		}
	}
	for i := range gr.parts {
		out = ended(append(out, gr.parts[i].octets...))
	}
	return append(append(out, "END:VCALENDAR"...), first.eol...), zones
}

// finish hands out all that waits.
func (g *gatherer) finish() {
	if g.cal != nil {
		g.leave(false)
	}
	for i, gr := range g.groups {
		if g.stopped {
			return
		}
		g.groups[i] = nil
		g.give(gr)
	}
}
