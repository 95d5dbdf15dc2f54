package ical

import (
	"fmt"
	"strings"
)

// Component is one BEGIN…END of an iCalendar object (RFC 5545, section 3.6), with all its content lines and components. Lines and children
// are written in the order of their numbers, so lines may be left out, changed or added (No 0) without a place for each being named.
type Component struct {
	Name     string       // upper case
	Lines    []Line       // without BEGIN and END; blank lines included
	Children []*Component // in order
	No       int          // number of the line of text of its BEGIN; 0 for a new component

	begin, end    string // the octets of BEGIN and END; empty: composed
	before, after string // blank lines around the outermost component
}

// Parse reads exactly one VCALENDAR. Appending the result again gives the input octet for octet. The error is a *SyntaxError.
//
// Blank lines, bare line feeds, a missing line end at the very end, names in lower case, and components and properties of any name are taken.
// Not taken are a byte order mark (readers of calendar-data stumble over it) and control characters (XML cannot carry them).
func Parse(data []byte, lim Limits) (*Component, error) {
	c, err := parse(data, lim)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func parse(data []byte, lim Limits) (*Component, *SyntaxError) {
	lx, err := newLexer(data, lim)
	if err != nil {
		return nil, err
	}
	src := lx.in.Source()
	if strings.HasPrefix(src, "\uFEFF") {
		return nil, &SyntaxError{Line: 1, Fault: ControlCharacter, Why: "The data begins with a byte order mark; remove it."}
	}
	b := builder{lx: lx, lim: lx.lim}
	b.stack = b.depth[:0]
	b.lines = make([]Line, 0, min(lx.lim.Lines, 1+strings.Count(src, "\n")))
	for lx.in.More() {
		// The slice is filled in place: a Line is too large to copy twice.
		b.lines = append(b.lines, Line{})
		l := &b.lines[len(b.lines)-1]
		if err := lx.next(l); err != nil {
			return nil, err
		}
		if err := b.see(l); err != nil {
			return nil, err
		}
	}
	return b.done()
}

// builder makes a tree of a flat list of lines. A component's own lines mostly stand together, so that they need no copy.
type builder struct {
	lx    *lexer
	lim   Limits
	lines []Line // all lines, and of those that are BEGIN or END only the place
	root  *Component
	stack []open
	depth [8]open // memory for the stack
	count int
	ended int // where the outermost END ends
}

// open is a component whose END has not come yet.
type open struct {
	c        *Component
	from, to int // the lines of b.lines that are its own, as long as they stand together
	apart    bool
}

// see takes the last line of b.lines in.
func (b *builder) see(l *Line) *SyntaxError {
	i := len(b.lines) - 1
	if len(l.Name) == 5 && l.Is("BEGIN") {
		return b.begin(l)
	}
	if len(b.stack) == 0 {
		return b.outside(l)
	}
	top := &b.stack[len(b.stack)-1]
	if len(l.Name) == 3 && l.Is("END") {
		name := strings.TrimSpace(l.Value)
		if !strings.EqualFold(name, top.c.Name) {
			return &SyntaxError{Line: l.No, Fault: BadNesting, Why: fmt.Sprintf("END:%s does not end %s, which began in line %d.", clip(name), top.c.Name, top.c.No)}
		}
		top.c.end = l.Raw
		top.close(b.lines)
		b.stack = b.stack[:len(b.stack)-1]
		b.ended = b.lx.in.Pos()
		return nil
	}
	switch {
	case top.apart:
		top.c.Lines = append(top.c.Lines, *l)
	case top.from == top.to:
		top.from, top.to = i, i+1
	case top.to == i:
		top.to++
	default: // lines behind a child: from now on they are copied
		top.apart = true
		top.c.Lines = append(append(make([]Line, 0, 2*(top.to-top.from+1)), b.lines[top.from:top.to]...), *l)
	}
	return nil
}

func (o *open) close(lines []Line) {
	if !o.apart {
		o.c.Lines = lines[o.from:o.to:o.to]
	}
}

func (b *builder) begin(l *Line) *SyntaxError {
	name := strings.ToUpper(strings.TrimSpace(l.Value))
	switch {
	case len(b.stack) > 0:
	case name != "VCALENDAR":
		return &SyntaxError{Line: l.No, Fault: NotCalendar, Why: fmt.Sprintf("The object is a %s and no VCALENDAR.", clip(name))}
	case b.root != nil:
		return &SyntaxError{Line: l.No, Fault: SeveralCalendars, Why: "There is more than one VCALENDAR; send each in a request of its own, or use import."}
	}
	if name == "" {
		return &SyntaxError{Line: l.No, Fault: BadNesting, Why: "A BEGIN does not say what begins."}
	}
	if b.count++; b.count > b.lim.Components || len(b.stack) >= b.lim.Depth {
		return &SyntaxError{Line: l.No, Fault: TooManyParts, Why: fmt.Sprintf("There are more than %d components, or they stand more than %d deep in one another.",
			b.lim.Components, b.lim.Depth)}
	}
	c := &Component{Name: name, No: l.No, begin: l.Raw}
	if len(b.stack) == 0 {
		c.before, b.root = b.lx.in.Source()[:b.lx.in.Pos()-len(l.Raw)], c
	} else {
		up := b.stack[len(b.stack)-1].c
		up.Children = append(up.Children, c)
	}
	b.stack = append(b.stack, open{c: c})
	return nil
}

func (b *builder) outside(l *Line) *SyntaxError {
	switch {
	case l.Blank():
		return nil
	case b.root == nil:
		return &SyntaxError{Line: l.No, Fault: NotCalendar, Why: "The data does not begin with BEGIN:VCALENDAR."}
	}
	return &SyntaxError{Line: l.No, Fault: StrayLine, Why: "A line stands behind END:VCALENDAR; remove it."}
}

func (b *builder) done() (*Component, *SyntaxError) {
	switch {
	case b.root == nil:
		return nil, &SyntaxError{Fault: NotCalendar, Why: "There is no VCALENDAR; the data should begin with BEGIN:VCALENDAR."}
	case len(b.stack) > 0:
		top := b.stack[len(b.stack)-1].c
		return nil, &SyntaxError{Line: top.No, Fault: BadNesting, Why: fmt.Sprintf("END:%s is missing; the data may have been cut off.", clip(top.Name))}
	}
	b.root.after = b.lx.in.Source()[b.ended:]
	return b.root, nil
}

// clip shortens what is quoted in a sentence.
func clip(s string) string {
	if len(s) <= 40 {
		return s
	}
	return strings.ToValidUTF8(s[:40], "") + "…"
}

// Prop returns the first property of this name, or nil. The line may be changed in place (SetValue).
func (c *Component) Prop(name string) *Line {
	for i := range c.Lines {
		if c.Lines[i].Is(name) {
			return &c.Lines[i]
		}
	}
	return nil
}

// Props returns all properties of this name, in order.
func (c *Component) Props(name string) []*Line {
	var out []*Line
	for i := range c.Lines {
		if c.Lines[i].Is(name) {
			out = append(out, &c.Lines[i])
		}
	}
	return out
}

// Each returns the components of this name that stand directly in c, in order.
func (c *Component) Each(name string) []*Component {
	var out []*Component
	for _, k := range c.Children {
		if k.Is(name) {
			out = append(out, k)
		}
	}
	return out
}

// Is tells whether the component has this name, in any case.
func (c *Component) Is(name string) bool { return strings.EqualFold(c.Name, name) }

// Clone copies the component with all that stands in it; the strings are shared.
func (c *Component) Clone() *Component {
	k := c.Bare()
	k.Lines = append([]Line(nil), c.Lines...)
	for _, child := range c.Children {
		k.Children = append(k.Children, child.Clone())
	}
	return k
}

// Bare copies the component without lines and children; its BEGIN and END stay what they are.
func (c *Component) Bare() *Component {
	return &Component{Name: c.Name, No: c.No, begin: c.begin, end: c.end, before: c.before, after: c.after}
}

// Remove takes all properties of this name out and tells whether there were any. Lines that share memory with another component are left alone.
func (c *Component) Remove(name string) bool {
	var kept []Line
	for i := range c.Lines {
		if !c.Lines[i].Is(name) {
			kept = append(kept, c.Lines[i])
		}
	}
	found := len(kept) != len(c.Lines)
	c.Lines = kept
	return found
}

// Add appends a new property.
func (c *Component) Add(l Line) { c.Lines = append(c.Lines[:len(c.Lines):len(c.Lines)], l) }
