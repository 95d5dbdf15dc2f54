package vcard

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits bound what the tokeniser takes. A field that is zero or less stands
// for the value in DefaultLimits. Whatever the limits say, time and memory
// stay linear in the input.
type Limits struct {
	Octets     int // octets of the whole input
	LineOctets int // octets of one content line, folds and line ends included
	Lines      int // content lines, blank ones included
	Params     int // parameters of one line
}

// DefaultLimits returns the limits that hold where nothing else is said:
// 10 MiB for a card and for one line (a photo is one line), 20,000 lines,
// 128 parameters to a line.
func DefaultLimits() Limits {
	return Limits{Octets: 10 << 20, LineOctets: 10 << 20, Lines: 20000, Params: 128}
}

// orDefault fills the fields that say nothing.
func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	for _, f := range []struct{ have, def *int }{
		{&l.Octets, &d.Octets}, {&l.LineOctets, &d.LineOctets}, {&l.Lines, &d.Lines}, {&l.Params, &d.Params},
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
	TooManyParams                     // more parameters on a line than Limits.Params
	ControlCharacter                  // NUL or another character that text may not hold
	LoneCR                            // a carriage return that does not end a line
	BadUTF8                           // octets that are not UTF-8
	BadQuoting                        // a quoted parameter value that does not end, or a stray quote
	BadName                           // a line does not begin with a property name
	BadParam                          // a parameter without a name
	NoColon                           // a line without a colon
	BadFold                           // the first line begins with white space
)

// SyntaxError says where an input stops being a sequence of content lines.
type SyntaxError struct {
	Line  int    // number of the line of text, from 1, folded parts counted
	Fault Fault  // what kind of mistake
	Why   string // one sentence without the line number
}

// Error gives the sentence with its line number.
func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Why) }

// Card is an input cut into content lines. Concatenating the Raw of all lines
// gives the input back octet for octet.
type Card struct {
	Lines []Line
}

// Line is one content line. Its strings share the memory of the whole card.
type Line struct {
	Raw    string  // the octets, with folds and line end
	Group  string  // what stands before the last dot of the name ("item1"), or empty
	Name   string  // as written; compare with Is
	Params []Param // in order
	Value  string  // unfolded, still escaped
	No     int     // number of its first line of text, from 1
}

// Param is one parameter.
type Param struct {
	Name string // as written; "TYPE" for a bare one
	Raw  string // the value list as written, with quotes and carets
	Bare bool   // written without a name, as vCard 2.1 does (TEL;HOME)
}

// Blank tells whether the line holds nothing but white space.
func (l *Line) Blank() bool { return l.Name == "" }

// Is tells whether the line is a property of this name, in any case and in
// any group.
func (l *Line) Is(name string) bool { return strings.EqualFold(l.Name, name) }

// Param returns the values of all parameters of this name, decoded.
func (l *Line) Param(name string) []string {
	var out []string
	for i := range l.Params {
		if strings.EqualFold(l.Params[i].Name, name) {
			out = append(out, l.Params[i].Values()...)
		}
	}
	return out
}

// Values returns the decoded values: split at commas outside quotes, unquoted,
// carets of RFC 6868 resolved.
func (p *Param) Values() []string {
	if !strings.ContainsAny(p.Raw, ",\"^") {
		return []string{p.Raw}
	}
	var out []string
	for _, v := range splitQuoted(p.Raw, ',') {
		out = append(out, paramDecode(v))
	}
	return out
}

// Parse cuts octets into content lines. It undoes folding by space or tab,
// after CRLF or a bare LF, and takes blank lines as lines without a name. It
// does not ask what the lines mean: that is Judge's part. The error is always
// a *SyntaxError.
//
// One copy of the input is made; another one is made of the folded lines only.
func Parse(data []byte, lim Limits) (*Card, error) {
	lx, err := newLexer(data, lim)
	if err != nil {
		return nil, err
	}
	card := &Card{Lines: make([]Line, 0, min(lx.lim.Lines, 4+len(data)/64))}
	for lx.more() {
		// The slice is filled in place: a Line is too large to copy twice.
		card.Lines = append(card.Lines, Line{})
		if err := lx.next(&card.Lines[len(card.Lines)-1]); err != nil {
			return nil, err
		}
	}
	return card, nil
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
	lax    bool            // take broken quotes and missing names as they come
}

// newLexer copies the input and checks what concerns it as a whole.
func newLexer(data []byte, lim Limits) (*lexer, error) {
	lim = lim.orDefault()
	if len(data) > lim.Octets {
		return nil, &SyntaxError{1, TooLarge, fmt.Sprintf("The data is larger than %d octets.", lim.Octets)}
	}
	lx := &lexer{src: string(data), no: 1, lim: lim}
	if !utf8.ValidString(lx.src) {
		return nil, badUTF8(lx.src)
	}
	return lx, nil
}

// badUTF8 finds the first octet that is not UTF-8.
func badUTF8(src string) *SyntaxError {
	for i, r := range src {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(src[i:]); n == 1 {
				no := 1 + strings.Count(src[:i], "\n")
				return &SyntaxError{no, BadUTF8, "The text is not UTF-8; save it as UTF-8."}
			}
		}
	}
	return &SyntaxError{1, BadUTF8, "The text is not UTF-8; save it as UTF-8."}
}

func (lx *lexer) more() bool { return lx.pos < len(lx.src) }

func (lx *lexer) fail(f Fault, why string) error { return &SyntaxError{lx.no, f, why} }

// next reads one content line into l.
func (lx *lexer) next(l *Line) error {
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
	if strings.Trim(text, " \t") == "" {
		l.Value = text
		return nil
	}
	if err := lx.cut(l, text); err != nil {
		err.Line = no
		return err
	}
	return nil
}

// blankHead tells whether the first line of text is blank, so that white
// space at its beginning is not a fold.
func blankHead(s string) bool {
	head, _, _ := strings.Cut(s, "\n")
	return strings.Trim(head, " \t\r") == ""
}

// unfold takes one content line with its continuations off the input and
// returns it without folds and line end.
func (lx *lexer) unfold() (string, error) {
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

func isWSP(c byte) bool { return c == ' ' || c == '\t' }

// textLine takes one line of text off the input and returns it without its
// line end. start is where the content line began, for the limit.
func (lx *lexer) textLine(start int) (string, error) {
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

// checkText refuses what no vCard and no XML answer may hold: control
// characters other than tab, and the two non-characters of the basic plane.
func (lx *lexer) checkText(s string) error {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c < 0x7f || c == '\t' {
			continue
		}
		switch {
		case c == '\r':
			return lx.fail(LoneCR, "A carriage return stands without a line feed; end lines with CR LF.")
		case c < ' ' || c == 0x7f:
			return lx.fail(ControlCharacter, fmt.Sprintf("The text holds the control character U+%04X; remove it.", c))
		case c == 0xef && (strings.HasPrefix(s[i:], "\uFFFE") || strings.HasPrefix(s[i:], "\uFFFF")):
			return lx.fail(ControlCharacter, "The text holds a code that is no character; remove it.")
		}
	}
	return nil
}

// cut divides an unfolded line into group, name, parameters and value.
func (lx *lexer) cut(l *Line, text string) *SyntaxError {
	i := 0
	for i < len(text) && nameChar[text[i]] {
		i++
	}
	head := text[:i]
	if i == len(text) || head == "" || text[i] != ':' && text[i] != ';' {
		if !strings.Contains(text, ":") {
			return &SyntaxError{0, NoColon, "The line has no colon between name and value."}
		}
		return &SyntaxError{0, BadName, "The line does not begin with a property name."}
	}
	if dot := strings.LastIndexByte(head, '.'); dot >= 0 {
		l.Group, head = head[:dot], head[dot+1:]
		if l.Group == "" || head == "" {
			return &SyntaxError{0, BadName, "The line has a dot but no group or no property name."}
		}
	}
	l.Name = head
	if text[i] == ':' {
		l.Value = text[i+1:]
		return nil
	}
	return lx.cutParams(l, text[i:])
}

// nameChar are the characters of names: RFC 6350's, the dot between group and
// name, and the underscore, which some programs use.
var nameChar = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_'
	}
	return t
}()

// cutParams reads ";NAME=value;BARE:rest".
func (lx *lexer) cutParams(l *Line, s string) *SyntaxError {
	from := len(lx.params)
	for s[0] == ';' {
		if len(lx.params)-from == lx.lim.Params {
			return &SyntaxError{0, TooManyParams, fmt.Sprintf("The line has more than %d parameters.", lx.lim.Params)}
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

// oneParam reads one parameter and returns how many octets it took; what
// follows is a semicolon or a colon.
func (lx *lexer) oneParam(s string) (Param, int, *SyntaxError) {
	i := 0
	for i < len(s) && nameChar[s[i]] {
		i++
	}
	p := Param{Name: s[:i]}
	if i < len(s) && s[i] == '=' {
		n, err := lx.valueList(s[i+1:])
		if err != nil {
			return p, 0, err
		}
		p.Raw = s[i+1 : i+1+n]
		i += 1 + n
	} else {
		p = Param{Name: "TYPE", Raw: p.Name, Bare: true}
	}
	if i == len(s) {
		return p, 0, &SyntaxError{0, NoColon, "The line has no colon between name and value."}
	}
	if s[i] != ';' && s[i] != ':' || p.Name == "" || p.Bare && p.Raw == "" {
		if lx.lax {
			return laxParam(s)
		}
		return p, 0, &SyntaxError{0, BadParam, "A parameter has no name or an unexpected character in its name."}
	}
	return p, i, nil
}

// laxParam takes what stands before the next semicolon or colon as a type,
// and nothing as no parameter.
func laxParam(s string) (Param, int, *SyntaxError) {
	n := strings.IndexAny(s, ";:")
	if n < 0 {
		return Param{}, 0, &SyntaxError{0, NoColon, "The line has no colon between name and value."}
	}
	if strings.Trim(s[:n], " \t") == "" {
		return Param{}, n, nil
	}
	return Param{Name: "TYPE", Raw: paramEncode(s[:n])}, n, nil
}

// valueList measures a comma-separated list of parameter values.
func (lx *lexer) valueList(s string) (int, *SyntaxError) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ';', ':':
			return i, nil
		case '"':
			n := strings.IndexByte(s[i+1:], '"')
			end := i + n + 2
			atStart := i == 0 || s[i-1] == ','
			if n >= 0 && atStart && end < len(s) && strings.IndexByte(",;:", s[end]) >= 0 {
				i = end - 1
				continue
			}
			if !lx.lax {
				return 0, &SyntaxError{0, BadQuoting, "A quoted parameter value has no end, or a quote stands where none may."}
			}
		}
	}
	return len(s), nil
}
