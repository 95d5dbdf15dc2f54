package vcard

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"strings"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// PieceKind says what a piece of a file is.
type PieceKind int

// The kinds of pieces.
const (
	CardPiece  PieceKind = iota // one vCard, from its BEGIN to its END
	JunkPiece                   // other text, where only cards should be
	LargePiece                  // a vCard larger than the limit
)

// Piece is a part of a file of contacts.
type Piece struct {
	Kind   PieceKind
	Line   int    // number of its first line in the file, from 1
	Octets []byte // a card's octets as they stand in the file; of the other kinds at most the first 1,000
}

// shown is how much of what is not taken is kept for a report.
const shown = 1000

// Split cuts a file into its vCards, for Mend to take one by one. maxCard is
// the largest card in octets, the default limit where it is not positive; no
// more than that is held in memory.
//
// Blank lines and a byte order mark between cards are left out in silence,
// other text between cards comes as JunkPiece. BEGIN and END count in any
// case. A card inside an AGENT property belongs to the outer card; any other
// BEGIN inside a card begins the next one, so that a lost END costs one card
// and not two. A file in UTF-16 is read as UTF-8.
//
// The error is the reader's own and ends the sequence.
func Split(r io.Reader, maxCard int) iter.Seq2[Piece, error] {
	if maxCard <= 0 {
		maxCard = DefaultLimits().Octets
	}
	return func(yield func(Piece, error) bool) {
		s := splitter{in: utf16Aware(r), max: maxCard, line: 1, start: true}
		for {
			frag, err := s.fragment()
			if len(frag) > 0 && !s.take(frag, yield) {
				return
			}
			if err != nil {
				if s.finish(yield) && !errors.Is(err, io.EOF) {
					yield(Piece{}, err)
				}
				return
			}
		}
	}
}

// utf16Aware decodes UTF-16 where a byte order mark or the shape of "BE" shows it.
func utf16Aware(r io.Reader) *bufio.Reader {
	br := bufio.NewReaderSize(&sticky{r: r}, 64<<10)
	head, _ := br.Peek(4)
	var order unicode.Endianness
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("B\x00E\x00")):
		order = unicode.LittleEndian
	case bytes.HasPrefix(head, []byte("\xfe\xff")), bytes.HasPrefix(head, []byte("\x00B\x00E")):
		order = unicode.BigEndian
	default:
		return br
	}
	return bufio.NewReaderSize(&sticky{r: transform.NewReader(br, unicode.UTF16(order, unicode.UseBOM).NewDecoder())}, 64<<10)
}

type splitter struct {
	in       *bufio.Reader
	max      int
	line     int
	start    bool // the next fragment begins a line
	ended    bool // the fragment just read ends its line
	depth    int  // cards open, 0 outside
	agent    bool // the last line was an AGENT that a card may follow
	cur      []byte
	curLine  int
	large    bool
	junk     []byte
	junkLine int
}

// fragment reads up to the end of a line, but never more than the buffer. A
// run of carriage returns, with or without a line feed, is one end.
func (s *splitter) fragment() ([]byte, error) {
	if _, err := s.in.Peek(1); err != nil {
		return nil, err
	}
	n := 0 // octets known to belong to this fragment
	for state := inLine; state != complete; {
		buf, err := s.in.Peek(max(n+1, s.in.Buffered()))
		for ; n < len(buf) && state != complete; n++ {
			switch c := buf[n]; {
			case c == '\n':
				state = complete
			case c == '\r':
				state = inReturns
			case state == inReturns:
				state = complete
				n-- // this one begins the next line
			}
		}
		s.ended = state != inLine
		if err != nil {
			break // the end of the input, or a full buffer
		}
	}
	buf, _ := s.in.Peek(n)
	out := bytes.Clone(buf)
	s.in.Discard(n)
	return out, nil
}

// The states of fragment.
const (
	inLine = iota
	inReturns
	complete
)

// sticky gives a reader's error again at every later read, because the buffer
// forgets it.
type sticky struct {
	r   io.Reader
	err error
}

func (s *sticky) Read(p []byte) (n int, err error) {
	if s.err == nil {
		n, s.err = s.r.Read(p)
	}
	return n, s.err
}

// take adds one fragment; it returns false when the reader of the sequence
// wants no more.
func (s *splitter) take(frag []byte, yield func(Piece, error) bool) bool {
	begin, end, text := false, false, ""
	if s.start {
		if s.line == 1 {
			frag = bytes.TrimPrefix(frag, []byte("\ufeff"))
		}
		text = squeeze(frag)
		folded := s.depth > 0 && len(frag) > 0 && isWSP(frag[0])
		begin = text == "BEGIN:VCARD" && !folded
		end = text == "END:VCARD" && !folded
	}
	if begin && (s.depth == 0 || !s.agent) {
		if !s.finish(yield) {
			return false
		}
		s.curLine = s.line
	}
	switch {
	case begin:
		s.depth++
	case s.depth > 0 && strings.HasSuffix(text, ":BEGIN:VCARD") && isAgent(text):
		s.depth++
	}
	if text != "" {
		s.agent = isAgent(text)
	}
	s.keep(frag, text)
	if end && s.depth > 0 {
		if s.depth--; s.depth == 0 && !s.finish(yield) {
			return false
		}
	}
	if s.start = s.ended; s.ended {
		s.line++
	}
	return true
}

// squeeze gives the text of a short line in one form: upper case, no white space.
func squeeze(frag []byte) string {
	if len(frag) > 200 {
		frag = frag[:200]
	}
	return asciiUpper(strings.Join(strings.Fields(string(frag)), ""))
}

// isAgent tells whether a squeezed line is an AGENT without a value of its own.
func isAgent(text string) bool {
	if dot := strings.IndexByte(text, '.'); dot >= 0 && dot < strings.IndexByte(text, ':') {
		text = text[dot+1:]
	}
	head, value, ok := strings.Cut(text, ":")
	return ok && (head == "AGENT" || strings.HasPrefix(head, "AGENT;")) && (value == "" || value == "BEGIN:VCARD")
}

// keep stores a fragment where it belongs, within bounds.
func (s *splitter) keep(frag []byte, text string) {
	switch {
	case s.depth > 0 && len(s.cur)+len(frag) > s.max:
		s.large = true
		s.cur = append(s.cur, frag[:max(0, min(len(frag), shown-len(s.cur)))]...)
		s.cur = s.cur[:min(len(s.cur), shown)]
	case s.depth > 0 && !s.large:
		s.cur = append(s.cur, frag...)
	case s.depth == 0 && (text != "" || len(s.junk) > 0 && !s.start):
		if len(s.junk) == 0 {
			s.junkLine = s.line
		}
		s.junk = append(s.junk, frag[:min(len(frag), shown-len(s.junk))]...)
	}
}

// finish hands out what is complete.
func (s *splitter) finish(yield func(Piece, error) bool) bool {
	ok := true
	if len(s.junk) > 0 {
		ok = yield(Piece{JunkPiece, s.junkLine, s.junk}, nil)
		s.junk = nil
	}
	if ok && len(s.cur) > 0 {
		kind := CardPiece
		if s.large {
			kind = LargePiece
		}
		ok = yield(Piece{kind, s.curLine, s.cur}, nil)
	}
	s.cur, s.large, s.depth, s.agent = nil, false, 0, false
	return ok
}
