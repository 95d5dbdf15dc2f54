package davxml

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

var errNoSemicolon = errors.New("a reference that begins with & has no semicolon; write &amp; for the character itself")

// textRun collects the character data between two tags. Comments, CDATA sections and references cut it into pieces;
// as long as there is one plain piece, nothing is copied.
type textRun struct {
	only string // the one piece, while there is just one
	buf  []byte // all pieces, once there are more
}

func (t *textRun) addPlain(piece string) {
	switch {
	case len(t.buf) == 0 && t.only == "":
		t.only = piece
	default:
		t.spill()
		t.buf = append(t.buf, piece...)
	}
}

func (t *textRun) spill() {
	t.buf = append(t.buf, t.only...)
	t.only = ""
}

// take gives the run and begins the next one.
func (t *textRun) take() string {
	if len(t.buf) == 0 {
		s := t.only
		t.only = ""
		return s
	}
	s := string(t.buf)
	t.buf = t.buf[:0]
	return s
}

// flushText puts the run where it stands in its parent: before the first child, or behind the last.
func (p *parser) flushText(parent *Element) {
	text := p.run.take()
	if n := len(parent.Children); n > 0 {
		parent.Children[n-1].tail = text
	} else {
		parent.head = text
	}
}

// text reads character data up to the next '<'.
func (p *parser) text() error {
	start := p.pos
	end := strings.IndexByte(p.s[start:], '<')
	if end < 0 {
		end = len(p.s) - start
	}
	piece := p.s[start : start+end]
	p.pos = start + end
	if len(p.stack) == 0 {
		for i := range len(piece) {
			if !isSpace(piece[i]) {
				return p.errorf(Malformed, start+i, "there is text outside the root element")
			}
		}
		return nil
	}
	if at := strings.Index(piece, "]]>"); at >= 0 {
		return p.errorf(Malformed, start+at, "]]> may not stand in text")
	}
	if strings.IndexByte(piece, '&') < 0 && strings.IndexByte(piece, '\r') < 0 {
		p.run.addPlain(piece)
		return nil
	}
	p.run.spill()
	var err error
	p.run.buf, err = p.appendDecoded(p.run.buf, piece, start, false)
	return err
}

// cdata reads a CDATA section, which counts as text.
func (p *parser) cdata() error {
	start := p.pos
	if len(p.stack) == 0 {
		return p.errorf(Malformed, start, "there is text outside the root element")
	}
	from := start + len("<![CDATA[")
	n := strings.Index(p.s[from:], "]]>")
	if n < 0 {
		return p.errorf(Malformed, start, "a CDATA section does not end")
	}
	piece := p.s[from : from+n]
	p.pos = from + n + 3
	if strings.IndexByte(piece, '\r') >= 0 {
		piece = strings.ReplaceAll(strings.ReplaceAll(piece, "\r\n", "\n"), "\r", "\n")
	}
	p.run.addPlain(piece)
	return nil
}

// appendDecoded appends a piece with its references resolved and its line ends made LF (XML 1.0, section 2.11). In an
// attribute's value, white space that is written as itself becomes a space (section 3.3.3).
func (p *parser) appendDecoded(dst []byte, piece string, at int, attr bool) ([]byte, error) {
	for i := 0; i < len(piece); {
		switch c := piece[i]; {
		case c == '&':
			r, n, err := reference(piece[i:])
			if err != nil {
				return dst, p.errorf(Malformed, at+i, "%v", err)
			}
			dst = utf8.AppendRune(dst, r)
			i += n
			continue
		case c == '\r':
			if i+1 < len(piece) && piece[i+1] == '\n' {
				i++
			}
			dst = append(dst, lineEnd(attr))
		case attr && (c == '\n' || c == '\t'):
			dst = append(dst, ' ')
		default:
			dst = append(dst, c)
		}
		i++
	}
	return dst, nil
}

func lineEnd(attr bool) byte {
	if attr {
		return ' '
	}
	return '\n'
}

// reference reads a character reference or one of the five entities at the beginning of s, and how long it is.
func reference(s string) (rune, int, error) {
	const longest = 32 // room for leading zeros
	end := strings.IndexByte(s[:min(len(s), longest)], ';')
	if end < 0 {
		return 0, 0, errNoSemicolon
	}
	name := s[1:end]
	switch name {
	case "lt":
		return '<', 4, nil
	case "gt":
		return '>', 4, nil
	case "amp":
		return '&', 5, nil
	case "apos":
		return '\'', 6, nil
	case "quot":
		return '"', 6, nil
	}
	digits, ok := strings.CutPrefix(name, "#")
	if !ok {
		return 0, 0, fmt.Errorf("the entity %q is not declared", name)
	}
	base := 10
	if strings.HasPrefix(digits, "x") {
		digits, base = digits[1:], 16
	}
	if strings.ContainsAny(digits, "+-_") {
		digits = ""
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || n > utf8.MaxRune || !isChar(rune(n)) {
		return 0, 0, errors.New("the reference " + strconv.Quote(s[:end+1]) + " names no character that XML allows")
	}
	return rune(n), end + 1, nil
}
