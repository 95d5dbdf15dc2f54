package ical

import (
	"fmt"
	"iter"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"holdfast/internal/content"
)

// laxParam takes what stands before the next semicolon or colon as a parameter of no name, and nothing as no parameter.
func laxParam(s string) (Param, int, *SyntaxError) {
	n := strings.IndexAny(s, ";:")
	if n < 0 {
		return Param{}, 0, content.WithoutColon()
	}
	if content.IsBlank(s[:n]) {
		return Param{}, n, nil
	}
	return Param{Name: "X-BARE", Raw: content.EncodeParam(s[:n])}, n, nil
}

// textLines gives the lines of text and their ends, whatever they are: a run of carriage returns, with or without a line feed, is one.
func textLines(s string) iter.Seq2[string, string] {
	return func(yield func(text, end string) bool) {
		for s != "" {
			i := strings.IndexAny(s, "\r\n")
			if i < 0 {
				yield(s, "")
				return
			}
			j := i
			for j < len(s) && s[j] == '\r' {
				j++
			}
			if j < len(s) && s[j] == '\n' {
				j++
			}
			if !yield(s[:i], s[i:j]) {
				return
			}
			s = s[j:]
		}
	}
}

// logical gives the content lines that are not blank, unfolded.
func logical(s string) iter.Seq[string] {
	return func(yield func(string) bool) {
		var parts []string
		for t := range textLines(s) {
			if t != "" && content.IsWSP(t[0]) && len(parts) > 0 {
				parts = append(parts, t[1:])
				continue
			}
			if len(parts) > 0 && !yield(strings.Join(parts, "")) {
				return
			}
			if parts = parts[:0]; !content.IsBlank(t) {
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

// laxReader reads a calendar whatever it is: lines of any charset, stray quotes and text, missing and superfluous ENDs.
type laxReader struct {
	lines []string // lines of text, without line ends
	raws  []string // with CR LF
	say   func(string)
	v1    bool  // vCalendar 1.0, whose quoted-printable breaks lines softly
	lx    lexer // reads what it can
	exact lexer // refuses what Parse refuses

	roots []*Component       // the VCALENDARs
	until map[*Component]int // the index in lines where a component of a calendar ends
	stack []*Component
	count int
}

func newLaxReader(s string, say func(string)) (*laxReader, *Refusal) {
	if t := strings.TrimPrefix(s, "\uFEFF"); t != s {
		s = t
		say("removed a byte order mark")
	}
	lim := DefaultLimits()
	r := &laxReader{say: say, lx: lexer{lim: lim, lax: true}, exact: lexer{lim: lim}, until: map[*Component]int{}}
	for t, end := range textLines(s) {
		raw := s[:len(t)+len(end)]
		s = s[len(raw):]
		if end != "\r\n" {
			raw = t + "\r\n"
		}
		if end != "\r\n" && end != "\n" && end != "" {
			say("ended lines with CR LF")
		}
		r.lines, r.raws = append(r.lines, t), append(r.raws, raw)
		if len(r.lines) > 4*lim.Lines {
			return nil, &Refusal{ValidCalendarData, 0, fmt.Sprintf("There are more than %d lines of text.", 4*lim.Lines)}
		}
	}
	return r, nil
}

// read makes trees of the lines.
func (r *laxReader) read() *Refusal {
	for i := 0; i < len(r.lines); {
		if content.IsBlank(r.lines[i]) {
			i++
			continue
		}
		from := i
		var l Line
		stray := ""
		if i, stray = r.line(i, &l); stray != "" {
			r.stray(stray, from)
			continue
		}
		switch {
		case l.Is("BEGIN"):
			if refusal := r.begin(&l, from); refusal != nil {
				return refusal
			}
		case l.Is("END"):
			r.end(&l, i)
		default:
			c := r.top(from)
			if r.prose(c, &l) {
				r.stray(r.clean(r.lines[from]), from)
				i = from + 1
				continue
			}
			c.Lines = append(c.Lines, l)
		}
	}
	r.closeTo(0, len(r.lines))
	return nil
}

// line reads the content line that begins at index i and returns the index behind it; stray is its text if it is no property.
func (r *laxReader) line(i int, l *Line) (next int, stray string) {
	from := i
	text := r.lines[i]
	if i++; i < len(r.lines) && r.lines[i] != "" && content.IsWSP(r.lines[i][0]) {
		var b strings.Builder
		b.WriteString(text)
		for ; i < len(r.lines) && r.lines[i] != "" && content.IsWSP(r.lines[i][0]); i++ {
			b.WriteString(r.lines[i][1:])
		}
		text = b.String()
	}
	if r.v1 {
		text, i = r.softBreaks(text, i)
	}
	raw := strings.Join(r.raws[from:i], "")
	clean := r.clean(strings.TrimLeft(text, " \t"))
	if r.lx.cut(l, clean) != nil {
		return i, clean
	}
	l.No = from + 1
	var again Line
	r.exact.params = r.exact.params[:0]
	switch {
	case r.exact.cut(&again, clean) != nil:
		if r.repairParams(l); !r.v1 {
			r.say("corrected broken parameters")
		}
	case clean == text && utf8.ValidString(raw):
		l.Raw = raw
	case clean == text:
		r.say("folded lines between characters")
	}
	return i, ""
}

// softBreaks joins lines of quoted-printable that end with "=".
func (r *laxReader) softBreaks(text string, next int) (string, int) {
	head, _, _ := strings.Cut(text, ":")
	if !strings.HasSuffix(text, "=") || !strings.Contains(strings.ToUpper(head), "QUOTED-PRINTABLE") {
		return text, next
	}
	var b strings.Builder
	for strings.HasSuffix(text, "=") && next < len(r.lines) {
		if end, name := mark([]byte(r.lines[next])); end && name != "" {
			break // the last break was one too many
		}
		b.WriteString(strings.TrimSuffix(text, "="))
		text = r.lines[next]
		next++
	}
	b.WriteString(strings.TrimSuffix(text, "="))
	return b.String(), next
}

// clean makes text of the octets of an unfolded line.
func (r *laxReader) clean(s string) string {
	if t := decode(s); t != s {
		s = t
		r.say("read octets that were not UTF-8 as windows-1252")
	}
	if t := dropControls(s); t != s {
		s = t
		r.say("removed control characters")
	}
	return s
}

// decode keeps what is UTF-8 and reads every other octet as windows-1252.
func decode(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for s != "" {
		c, n := utf8.DecodeRuneInString(s)
		if c == utf8.RuneError && n == 1 {
			c = charmap.Windows1252.DecodeByte(s[0])
		}
		b.WriteRune(c)
		s = s[n:]
	}
	return b.String()
}

// dropControls removes what checkText refuses.
func dropControls(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' && c != '\t' || c == 0x7f || c == 0xfffe || c == 0xffff {
			return -1
		}
		return c
	}, s)
}

// repairParams makes every parameter's value list one that Parse takes.
func (r *laxReader) repairParams(l *Line) {
	for i := range l.Params {
		p := &l.Params[i]
		if n, err := r.exact.valueList(p.Raw); err != nil || n != len(p.Raw) {
			p.Raw = content.EncodeParam(strings.ReplaceAll(p.Raw, `"`, ""))
		}
	}
	l.Raw = ""
}

// top is the component to which a property at a line belongs. There always is one.
func (r *laxReader) top(at int) *Component {
	if len(r.stack) == 0 {
		r.root(&Component{Name: "VCALENDAR", No: at + 1})
		r.say("put a VCALENDAR around what stood alone")
	}
	return r.stack[len(r.stack)-1]
}

func (r *laxReader) root(c *Component) {
	r.roots = append(r.roots, c)
	r.stack = append(r.stack, c)
	r.count++
}

func (r *laxReader) begin(l *Line, from int) *Refusal {
	name := strings.ToUpper(strings.TrimSpace(l.Value))
	if name == "" {
		r.say("removed a BEGIN of nothing")
		return nil
	}
	top := isKind(name) != "" || name == "VTIMEZONE"
	if name == "VCALENDAR" {
		r.closeTo(0, from)
	} else if len(r.stack) > 1 && top && (isKind(r.stack[1].Name) != "" || r.stack[1].Name == "VTIMEZONE") {
		r.closeTo(1, from)
	}
	if lim := r.lx.lim; r.count >= lim.Components || len(r.stack) >= lim.Depth {
		return &Refusal{ValidCalendarData, l.No, fmt.Sprintf("There are more than %d components, or they stand more than %d deep in one another.", lim.Components, lim.Depth)}
	}
	c := &Component{Name: name, No: from + 1}
	if name == "VCALENDAR" {
		r.root(c)
		return nil
	}
	up := r.top(from)
	up.Children = append(up.Children, c)
	r.stack = append(r.stack, c)
	r.count++
	return nil
}

func (r *laxReader) end(l *Line, behind int) {
	name := strings.TrimSpace(l.Value)
	for i := len(r.stack) - 1; i >= 0; i-- {
		if r.stack[i].Is(name) {
			r.closeTo(i+1, behind-1)
			r.until[r.stack[i]] = behind
			r.stack = r.stack[:i]
			return
		}
	}
	r.say("removed an END that ends nothing")
}

// closeTo ends components whose END is missing, until n are open.
func (r *laxReader) closeTo(n, at int) {
	for i := len(r.stack) - 1; i >= n; i-- {
		r.until[r.stack[i]] = at
		r.say("added a missing END:" + clip(r.stack[i].Name))
	}
	r.stack = r.stack[:min(n, len(r.stack))]
}

// maxJoined is how long a text may grow by lines that are joined to it: joining copies.
const maxJoined = 16 << 10

// prose tells whether what looks like a property ("Time: nine") is rather a line of the text before it, whose folds are lost: property names
// of programs that write them in upper case do not change to lower case behind a text.
func (r *laxReader) prose(c *Component, l *Line) bool {
	if strings.ToUpper(l.Name) == l.Name || !strings.HasPrefix(l.Value, " ") || len(l.Params) > 0 || len(c.Lines) == 0 {
		return false
	}
	return r.joinable(c) != nil && strings.ToUpper(c.Lines[0].Name) == c.Lines[0].Name
}

// joinable gives the text to which the line that follows may belong, or nil.
func (r *laxReader) joinable(c *Component) *Line {
	n := len(c.Lines)
	if n == 0 {
		return nil
	}
	l := &c.Lines[n-1]
	if k := len(c.Children); k > 0 && c.Children[k-1].No > l.No || len(l.Value) > maxJoined {
		return nil
	}
	for _, name := range []string{"DESCRIPTION", "SUMMARY", "COMMENT", "LOCATION", "X-ALT-DESC"} {
		if l.Is(name) {
			return l
		}
	}
	return nil
}

// stray puts a line that is no property where it belongs most likely: behind the text before it, which a program broke without folding;
// otherwise into a property of its own, so that nothing is lost.
func (r *laxReader) stray(text string, from int) {
	c := r.top(from)
	if l := r.joinable(c); l != nil {
		l.SetValue(l.Value + "\\n" + text)
		r.say("joined a line without a property name to the text before it")
		return
	}
	name := "X-STRAY-TEXT"
	if isKind(c.Name) != "" {
		name = "COMMENT"
	}
	line := NewLine(name, Escape(text))
	line.No = from + 1
	c.Lines = append(c.Lines, line)
	r.say("kept a line without a property name as " + name)
}

// textOf gives the lines of a component as they stand in the file.
func (r *laxReader) textOf(c *Component) []string { return r.lines[c.No-1 : r.until[c]] }
