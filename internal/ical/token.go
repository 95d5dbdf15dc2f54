package ical

import (
	"fmt"
	"strings"

	"holdfast/internal/content"
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
type Fault = content.Fault

// The kinds of mistake: those of content lines, and those of calendars.
const (
	TooLarge         = content.TooLarge         // the input is larger than Limits.Octets
	LineTooLong      = content.LineTooLong      // a line is longer than Limits.LineOctets
	TooManyLines     = content.TooManyLines     // more lines than Limits.Lines
	TooManyParams    = content.TooManyParams    // more parameters than Limits.Params on a line, or far too many in all
	ControlCharacter = content.ControlCharacter // NUL or another character that text may not hold
	LoneCR           = content.LoneCR           // a carriage return that does not end a line
	BadUTF8          = content.BadUTF8          // octets that are not UTF-8
	BadQuoting       = content.BadQuoting       // a quoted parameter value that does not end
	BadName          = content.BadName          // a line does not begin with a property name
	BadParam         = content.BadParam         // a parameter without a name or a value
	NoColon          = content.NoColon          // a line without a colon
	BadFold          = content.BadFold          // the first line begins with white space

	TooManyParts     = content.OfFormat + iota // more components than Limits.Components, or deeper than Limits.Depth
	NotCalendar                                // the input is no VCALENDAR
	SeveralCalendars                           // another VCALENDAR follows the first
	StrayLine                                  // a line stands outside of the VCALENDAR
	BadNesting                                 // an END that ends nothing, or one that is missing
	BadValue                                   // a value that cannot be read
)

// SyntaxError says where an input stops being iCalendar.
type SyntaxError = content.SyntaxError

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
	in     content.Reader
	lim    Limits
	params []Param // arena of all parameters
	lax    bool    // take broken quotes and nameless parameters as they come
}

// newLexer copies the input and checks what concerns it as a whole.
func newLexer(data []byte, lim Limits) (*lexer, *SyntaxError) {
	lim = lim.orDefault()
	in, err := content.NewReader(data, content.Limits{Octets: lim.Octets, LineOctets: lim.LineOctets, Lines: lim.Lines})
	if err != nil {
		return nil, err
	}
	return &lexer{in: in, lim: lim}, nil
}

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

// cut divides an unfolded line into name, parameters and value.
func (lx *lexer) cut(l *Line, text string) *SyntaxError {
	name, rest, err := content.CutName(text)
	if err != nil {
		return err
	}
	l.Name = name
	if rest[0] == ':' {
		l.Value = rest[1:]
		return nil
	}
	return lx.cutParams(l, rest)
}

// cutParams reads ";NAME=value;NAME=value:rest".
func (lx *lexer) cutParams(l *Line, s string) *SyntaxError {
	from := len(lx.params)
	for s[0] == ';' {
		if len(lx.params)-from == lx.lim.Params || len(lx.params) >= 4*lx.lim.Lines {
			return &SyntaxError{Fault: TooManyParams, Why: fmt.Sprintf("The line has more than %d parameters, or there are far too many in all.", lx.lim.Params)}
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
	i := content.NameLen(s)
	if i == 0 || i == len(s) || s[i] != '=' {
		if lx.lax {
			return laxParam(s)
		}
		if strings.IndexByte(s, ':') < 0 {
			return Param{}, 0, content.WithoutColon()
		}
		return Param{}, 0, &SyntaxError{Fault: BadParam, Why: "A parameter has no name or no value; write NAME=value."}
	}
	p := Param{Name: s[:i]}
	n, err := lx.valueList(s[i+1:])
	if err != nil {
		return p, 0, err
	}
	p.Raw = s[i+1 : i+1+n]
	if i += 1 + n; i == len(s) {
		return p, 0, content.WithoutColon()
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
				return 0, content.Quoting()
			}
		}
	}
	return len(s), nil
}
