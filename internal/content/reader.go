package content

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits bound what a Reader takes. All of them count.
type Limits struct {
	Octets     int // octets of the whole input
	LineOctets int // octets of one content line, folds and line ends included
	Lines      int // content lines, blank ones included
}

// Reader walks over the content lines of one input. It undoes folding by space or tab, after CRLF or a bare LF.
type Reader struct {
	src   string
	pos   int
	no    int // number of the line of text at pos
	count int
	lim   Limits
	buf   strings.Builder // arena of unfolded lines; never grows beyond src
}

// NewReader copies the input and checks what concerns it as a whole. The Reader may be moved until it is first used.
func NewReader(data []byte, lim Limits) (Reader, *SyntaxError) {
	if len(data) > lim.Octets {
		return Reader{}, &SyntaxError{0, TooLarge, fmt.Sprintf("The data is larger than %d octets.", lim.Octets)}
	}
	r := Reader{src: string(data), no: 1, lim: lim}
	if !utf8.ValidString(r.src) {
		return Reader{}, badUTF8(r.src)
	}
	return r, nil
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

// More tells whether anything is left to read.
func (r *Reader) More() bool { return r.pos < len(r.src) }

// Source returns the whole input.
func (r *Reader) Source() string { return r.src }

// Pos returns how many octets of the input have been read.
func (r *Reader) Pos() int { return r.pos }

func (r *Reader) fail(f Fault, why string) *SyntaxError { return &SyntaxError{r.no, f, why} }

// Next reads one content line: raw are its octets with folds and line end, text is without them, no is the number of its first line of text,
// from 1. There must be More. Both strings share the memory of the whole input, or of all its folded lines.
func (r *Reader) Next() (raw, text string, no int, err *SyntaxError) {
	start, no := r.pos, r.no
	if r.count++; r.count > r.lim.Lines {
		return "", "", no, r.fail(TooManyLines, fmt.Sprintf("There are more than %d lines.", r.lim.Lines))
	}
	if start == 0 && IsWSP(r.src[0]) && !blankHead(r.src) {
		return "", "", no, r.fail(BadFold, "The first line begins with white space.")
	}
	if text, err = r.textLine(start); err == nil && r.folded() {
		text, err = r.unfold(start, text)
	}
	return r.src[start:r.pos], text, no, err
}

// blankHead tells whether the first line of text is blank, so that white space at its beginning is not a fold.
func blankHead(s string) bool {
	head, _, _ := strings.Cut(s, "\n")
	return strings.Trim(head, " \t\r") == ""
}

// unfold takes the continuations of a content line off the input and returns it without folds and line ends.
func (r *Reader) unfold(start int, first string) (string, *SyntaxError) {
	if r.buf.Cap() == 0 {
		// All that is yet to be unfolded fits, so the arena is made once.
		r.buf.Grow(len(r.src) - start)
	}
	from := r.buf.Len()
	r.buf.WriteString(first)
	for r.folded() {
		r.pos++ // the white space that marks the fold
		part, err := r.textLine(start)
		if err != nil {
			return "", err
		}
		r.buf.WriteString(part)
	}
	return r.buf.String()[from:], nil
}

func (r *Reader) folded() bool { return r.pos < len(r.src) && IsWSP(r.src[r.pos]) }

// textLine takes one line of text off the input and returns it without its line end. start is where the content line began, for the limit.
func (r *Reader) textLine(start int) (string, *SyntaxError) {
	rest := r.src[r.pos:]
	end, next := len(rest), len(rest)
	if i := strings.IndexByte(rest, '\n'); i >= 0 {
		end, next = i, i+1
		if i > 0 && rest[i-1] == '\r' {
			end--
		}
	}
	if r.pos+next-start > r.lim.LineOctets {
		return "", r.fail(LineTooLong, fmt.Sprintf("The line is longer than %d octets.", r.lim.LineOctets))
	}
	line := rest[:end]
	if err := r.checkText(line); err != nil {
		return "", err
	}
	r.pos += next
	r.no++
	return line, nil
}

// checkText refuses what no content line and no XML answer may hold: control characters other than tab, and the two non-characters of the
// basic plane.
func (r *Reader) checkText(s string) *SyntaxError {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c < 0x7f || c == '\t' {
			continue
		}
		switch {
		case c == '\r':
			return r.fail(LoneCR, "A carriage return stands without a line feed; end lines with CR LF.")
		case c < ' ' || c == 0x7f:
			return r.fail(ControlCharacter, fmt.Sprintf("The text holds the control character U+%04X; remove it.", c))
		case c == 0xef && (strings.HasPrefix(s[i:], "\uFFFE") || strings.HasPrefix(s[i:], "\uFFFF")):
			return r.fail(ControlCharacter, "The text holds a code that is no character; remove it.")
		}
	}
	return nil
}
