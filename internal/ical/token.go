package ical

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits bound what the tokeniser takes. A field that is zero or less stands for the value in DefaultLimits. Whatever the limits say, time
// and memory stay linear in the input.
type Limits struct {
	Octets     int // octets of the whole input
	LineOctets int // octets of one content line, folds and line ends included
	Lines      int // content lines, blank ones included; all parameters together may be four times as many
	Params     int // parameters of one line
	Components int // components, the VCALENDAR included
	Depth      int // how deep components may stand in one another, the VCALENDAR being 1
}

// DefaultLimits returns the limits that hold where nothing else is said: 10 MiB for an object and for one line (an attachment is one line),
// 100,000 lines, 128 parameters to a line, 20,000 components, 8 deep.
func DefaultLimits() Limits {
	return Limits{Octets: 10 << 20, LineOctets: 10 << 20, Lines: 100000, Params: 128, Components: 20000, Depth: 8}
}

// orDefault fills the fields that say nothing.
func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	for _, f := range []struct{ have, def *int }{
		{&l.Octets, &d.Octets}, {&l.LineOctets, &d.LineOctets}, {&l.Lines, &d.Lines},
		{&l.Params, &d.Params}, {&l.Components, &d.Components}, {&l.Depth, &d.Depth},
	} {
		if *f.have <= 0 {
			*f.have = *f.def
		}
	}
	return l
}

// Fault says what kind of mistake a SyntaxError is about.
type Fault int

// The kinds of mistake.
const (
	TooLarge         Fault = iota + 1 // the input is larger than Limits.Octets
	LineTooLong                       // a line is longer than Limits.LineOctets
	TooManyLines                      // more lines than Limits.Lines
	TooManyParams                     // more parameters than Limits.Params on a line, or far too many in all
	TooManyParts                      // more components than Limits.Components, or deeper than Limits.Depth
	ControlCharacter                  // NUL or another character that text may not hold
	LoneCR                            // a carriage return that does not end a line
	BadUTF8                           // octets that are not UTF-8
	BadQuoting                        // a quoted parameter value that does not end
	BadName                           // a line does not begin with a property name
	BadParam                          // a parameter without a name or a value
	NoColon                           // a line without a colon
	BadFold                           // the first line begins with white space
	NotCalendar                       // the input is no VCALENDAR
	SeveralCalendars                  // another VCALENDAR follows the first
	StrayLine                         // a line stands outside of the VCALENDAR
	BadNesting                        // an END that ends nothing, or one that is missing
	BadValue                          // a value that cannot be read
)

// SyntaxError says where an input stops being iCalendar.
type SyntaxError struct {
	Line  int    // number of the line of text, from 1, folded parts counted; 0 where no line is at fault
	Fault Fault  // what kind of mistake
	Why   string // one sentence without the line number
}

// Error gives the sentence with its line number.
func (e *SyntaxError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("line %d: %s", e.Line, e.Why)
	}
	return e.Why
}

// Line is one content line (RFC 5545, section 3.1). Its strings share the memory of the whole input. A line whose Raw is empty is one that was
// made or changed here; it is composed when it is written.
type Line struct {
	Raw    string  // the octets, with folds and line end
	Name   string  // as written; compare with Is; empty for a blank line
	Params []Param // in order
	Value  string  // unfolded, still escaped
	No     int     // number of its first line of text, from 1; 0 for a new line
}

// Param is one parameter.
type Param struct {
	Name string // as written; compare without regard to case
	Raw  string // the value list as written, with quotes and carets
}

// Blank tells whether the line holds nothing but white space.
func (l *Line) Blank() bool { return l.Name == "" }

// Is tells whether the line is a property of this name, in any case.
func (l *Line) Is(name string) bool {
	return len(l.Name) == len(name) && strings.EqualFold(l.Name, name)
}

// lexer walks over the content lines of one input.
type lexer struct {
	src    string
	pos    int
	no     int // number of the line of text at pos
	count  int
	lim    Limits
	params []Param         // arena of all parameters
	buf    strings.Builder // arena of unfolded lines; never grows beyond src
	lax    bool            // take broken quotes and nameless parameters as they come
}

// newLexer copies the input and checks what concerns it as a whole.
func newLexer(data []byte, lim Limits) (*lexer, *SyntaxError) {
	lim = lim.orDefault()
	if len(data) > lim.Octets {
		return nil, &SyntaxError{0, TooLarge, fmt.Sprintf("The data is larger than %d octets.", lim.Octets)}
	}
	lx := &lexer{src: string(data), no: 1, lim: lim}
	if !utf8.ValidString(lx.src) {
		return nil, badUTF8(lx.src)
	}
	return lx, nil
}

// badUTF8 finds the first octet that is not UTF-8.
func badUTF8(src string) *SyntaxError {
	no := 1
	for i, r := range src {
		if r == '\n' {
			no++
		}
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(src[i:]); n == 1 {
				break
			}
		}
	}
	return &SyntaxError{no, BadUTF8, "The text is not UTF-8; save it as UTF-8."}
}

func (lx *lexer) more() bool { return lx.pos < len(lx.src) }

func (lx *lexer) fail(f Fault, why string) *SyntaxError { return &SyntaxError{lx.no, f, why} }

// next reads one content line into l.
func (lx *lexer) next(l *Line) *SyntaxError {
	start, no := lx.pos, lx.no
	if lx.count++; lx.count > lx.lim.Lines {
		return lx.fail(TooManyLines, fmt.Sprintf("There are more than %d lines.", lx.lim.Lines))
	}
	if start == 0 && isWSP(lx.src[0]) && !blankHead(lx.src) {
		return lx.fail(BadFold, "The first line begins with white space.")
	}
	text, err := lx.unfold()
	if err != nil {
		return err
	}
	*l = Line{Raw: lx.src[start:lx.pos], No: no}
	if isBlank(text) {
		l.Value = text
		return nil
	}
	if err := lx.cut(l, text); err != nil {
		err.Line = no
		return err
	}
	return nil
}

// blankHead tells whether the first line of text is blank, so that white space at its beginning is not a fold.
func blankHead(s string) bool {
	head, _, _ := strings.Cut(s, "\n")
	return strings.Trim(head, " \t\r") == ""
}

func isBlank(s string) bool { return s == "" || isWSP(s[0]) && strings.Trim(s, " \t") == "" }

func isWSP(c byte) bool { return c == ' ' || c == '\t' }

// unfold takes one content line with its continuations off the input and returns it without folds and line end.
func (lx *lexer) unfold() (string, *SyntaxError) {
	start := lx.pos
	first, err := lx.textLine(start)
	if err != nil {
		return "", err
	}
	if !lx.folded() {
		return first, nil
	}
	if lx.buf.Cap() == 0 {
		// All that is yet to be unfolded fits, so the arena is made once.
		lx.buf.Grow(len(lx.src) - start)
	}
	from := lx.buf.Len()
	lx.buf.WriteString(first)
	for lx.folded() {
		lx.pos++ // the white space that marks the fold
		part, err := lx.textLine(start)
		if err != nil {
			return "", err
		}
		lx.buf.WriteString(part)
	}
	return lx.buf.String()[from:], nil
}

func (lx *lexer) folded() bool { return lx.pos < len(lx.src) && isWSP(lx.src[lx.pos]) }

// textLine takes one line of text off the input and returns it without its line end. start is where the content line began, for the limit.
func (lx *lexer) textLine(start int) (string, *SyntaxError) {
	rest := lx.src[lx.pos:]
	end, next := len(rest), len(rest)
	if i := strings.IndexByte(rest, '\n'); i >= 0 {
		end, next = i, i+1
		if i > 0 && rest[i-1] == '\r' {
			end--
		}
	}
	if lx.pos+next-start > lx.lim.LineOctets {
		return "", lx.fail(LineTooLong, fmt.Sprintf("The line is longer than %d octets.", lx.lim.LineOctets))
	}
	line := rest[:end]
	if err := lx.checkText(line); err != nil {
		return "", err
	}
	lx.pos += next
	lx.no++
	return line, nil
}

// odd marks the octets that need a second look: control characters, and the first octet of the non-characters U+FFFE and U+FFFF.
var odd = func() (t [256]bool) {
	for c := range t {
		t[c] = c < ' ' && c != '\t' || c == 0x7f || c == 0xef
	}
	return t
}()

// checkText refuses what no iCalendar text and no XML answer may hold: control characters other than tab, and the two non-characters of the
// basic plane.
func (lx *lexer) checkText(s string) *SyntaxError {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !odd[c] {
			continue
		}
		switch {
		case c == '\r':
			return lx.fail(LoneCR, "A carriage return stands without a line feed; end lines with CR LF.")
		case c < ' ' || c == 0x7f:
			return lx.fail(ControlCharacter, fmt.Sprintf("The text holds the control character U+%04X; remove it.", c))
		case strings.HasPrefix(s[i:], "\uFFFE") || strings.HasPrefix(s[i:], "\uFFFF"):
			return lx.fail(ControlCharacter, "The text holds a code that is no character; remove it.")
		}
	}
	return nil
}

// cut divides an unfolded line into name, parameters and value.
func (lx *lexer) cut(l *Line, text string) *SyntaxError {
	i := 0
	for i < len(text) && nameChar[text[i]] {
		i++
	}
	if i == 0 || i == len(text) || text[i] != ':' && text[i] != ';' {
		if strings.IndexByte(text, ':') < 0 {
			return &SyntaxError{0, NoColon, "The line has no colon between name and value."}
		}
		return &SyntaxError{0, BadName, "The line does not begin with a property name."}
	}
	l.Name = text[:i]
	if text[i] == ':' {
		l.Value = text[i+1:]
		return nil
	}
	return lx.cutParams(l, text[i:])
}

// nameChar are the characters of names: those of RFC 5545, and the dot and the underscore, which some programs use.
var nameChar = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_'
	}
	return t
}()

// cutParams reads ";NAME=value;NAME=value:rest".
func (lx *lexer) cutParams(l *Line, s string) *SyntaxError {
	from := len(lx.params)
	for s[0] == ';' {
		if len(lx.params)-from == lx.lim.Params || len(lx.params) >= 4*lx.lim.Lines {
			return &SyntaxError{0, TooManyParams, fmt.Sprintf("The line has more than %d parameters, or there are far too many in all.", lx.lim.Params)}
		}
		p, n, err := lx.oneParam(s[1:])
		if err != nil {
			return err
		}
		if p.Name != "" {
			lx.params = append(lx.params, p)
		}
		s = s[1+n:]
	}
	l.Params = lx.params[from:len(lx.params):len(lx.params)]
	l.Value = s[1:] // behind the colon
	return nil
}

// oneParam reads one parameter and returns how many octets it took; what follows is a semicolon or a colon.
func (lx *lexer) oneParam(s string) (Param, int, *SyntaxError) {
	i := 0
	for i < len(s) && nameChar[s[i]] {
		i++
	}
	if i == 0 || i == len(s) || s[i] != '=' {
		if lx.lax {
			return laxParam(s)
		}
		if strings.IndexByte(s, ':') < 0 {
			return Param{}, 0, &SyntaxError{0, NoColon, "The line has no colon between name and value."}
		}
		return Param{}, 0, &SyntaxError{0, BadParam, "A parameter has no name or no value; write NAME=value."}
	}
	p := Param{Name: s[:i]}
	n, err := lx.valueList(s[i+1:])
	if err != nil {
		return p, 0, err
	}
	p.Raw = s[i+1 : i+1+n]
	if i += 1 + n; i == len(s) {
		return p, 0, &SyntaxError{0, NoColon, "The line has no colon between name and value."}
	}
	return p, i, nil
}

// valueList measures a comma-separated list of parameter values. A quote inside an unquoted value is taken as it is, and so is text behind a
// quoted value, as long as nothing that divides stands between the quotes: then there is one way to read it.
func (lx *lexer) valueList(s string) (int, *SyntaxError) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ';', ':':
			return i, nil
		case '"':
			if i > 0 && s[i-1] != ',' {
				continue
			}
			n := strings.IndexByte(s[i+1:], '"')
			end := i + n + 2
			switch {
			case n >= 0 && (end == len(s) || s[end] == ',' || s[end] == ';' || s[end] == ':'):
				i = end - 1
			case n >= 0 && strings.IndexAny(s[i+1:end], ";:,") < 0:
				i = end - 1
			case !lx.lax:
				return 0, &SyntaxError{0, BadQuoting, "A quoted parameter value has no end, or a quote stands where none may."}
			}
		}
	}
	return len(s), nil
}
