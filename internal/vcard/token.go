package vcard

import (
	"fmt"
	"strings"

	"holdfast/internal/content"
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
type Fault = content.Fault

// The kinds of mistake.
const (
	TooLarge         = content.TooLarge         // the input is larger than Limits.Octets
	LineTooLong      = content.LineTooLong      // a line is longer than Limits.LineOctets
	TooManyLines     = content.TooManyLines     // more lines than Limits.Lines
	TooManyParams    = content.TooManyParams    // more parameters on a line than Limits.Params
	ControlCharacter = content.ControlCharacter // NUL or another character that text may not hold
	LoneCR           = content.LoneCR           // a carriage return that does not end a line
	BadUTF8          = content.BadUTF8          // octets that are not UTF-8
	BadQuoting       = content.BadQuoting       // a quoted parameter value that does not end, or a stray quote
	BadName          = content.BadName          // a line does not begin with a property name
	BadParam         = content.BadParam         // a parameter without a name
	NoColon          = content.NoColon          // a line without a colon
	BadFold          = content.BadFold          // the first line begins with white space
)

// SyntaxError says where an input stops being a sequence of content lines.
type SyntaxError = content.SyntaxError

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
		out = append(out, content.DecodeParam(v))
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
	in     content.Reader
	lim    Limits
	params []Param // arena of all parameters
	lax    bool    // take broken quotes and missing names as they come
}

// newLexer copies the input and checks what concerns it as a whole.
func newLexer(data []byte, lim Limits) (*lexer, *SyntaxError) {
	lim = lim.orDefault()
	in, err := content.NewReader(data, content.Limits{Octets: lim.Octets, LineOctets: lim.LineOctets, Lines: lim.Lines})
	if err != nil {
		err.Line = max(err.Line, 1) // what concerns the whole card is told of its first line
		return nil, err
	}
	return &lexer{in: in, lim: lim}, nil
}

func (lx *lexer) more() bool { return lx.in.More() }

// next reads one content line into l.
func (lx *lexer) next(l *Line) *SyntaxError {
	raw, text, no, err := lx.in.Next()
	if err != nil {
		return err
	}
	*l = Line{Raw: raw, No: no}
	if content.IsBlank(text) {
		l.Value = text
		return nil
	}
	if err := lx.cut(l, text); err != nil {
		err.Line = no
		return err
	}
	return nil
}

// cut divides an unfolded line into group, name, parameters and value.
func (lx *lexer) cut(l *Line, text string) *SyntaxError {
	head, rest, err := content.CutName(text)
	if err != nil {
		return err
	}
	if dot := strings.LastIndexByte(head, '.'); dot >= 0 {
		l.Group, head = head[:dot], head[dot+1:]
		if l.Group == "" || head == "" {
			return &SyntaxError{Fault: BadName, Why: "The line has a dot but no group or no property name."}
		}
	}
	l.Name = head
	if rest[0] == ':' {
		l.Value = rest[1:]
		return nil
	}
	return lx.cutParams(l, rest)
}

// cutParams reads ";NAME=value;BARE:rest".
func (lx *lexer) cutParams(l *Line, s string) *SyntaxError {
	from := len(lx.params)
	for s[0] == ';' {
		if len(lx.params)-from == lx.lim.Params {
			return &SyntaxError{Fault: TooManyParams, Why: fmt.Sprintf("The line has more than %d parameters.", lx.lim.Params)}
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
	i := content.NameLen(s)
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
		return p, 0, content.WithoutColon()
	}
	if s[i] != ';' && s[i] != ':' || p.Name == "" || p.Bare && p.Raw == "" {
		if lx.lax {
			return laxParam(s)
		}
		return p, 0, &SyntaxError{Fault: BadParam, Why: "A parameter has no name or an unexpected character in its name."}
	}
	return p, i, nil
}

// laxParam takes what stands before the next semicolon or colon as a type,
// and nothing as no parameter.
func laxParam(s string) (Param, int, *SyntaxError) {
	n := strings.IndexAny(s, ";:")
	if n < 0 {
		return Param{}, 0, content.WithoutColon()
	}
	if content.IsBlank(s[:n]) {
		return Param{}, n, nil
	}
	return Param{Name: "TYPE", Raw: content.EncodeParam(s[:n])}, n, nil
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
				return 0, content.Quoting()
			}
		}
	}
	return len(s), nil
}
