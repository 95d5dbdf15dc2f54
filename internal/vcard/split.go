package vcard

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"strings"

	"holdfast/internal/content"
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
		s := splitter{in: content.NewFragments(r), max: maxCard}
		for {
			frag, err := s.in.Next()
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

type splitter struct {
	in       *content.Fragments
	max      int
	depth    int  // cards open, 0 outside
	agent    bool // the last line was an AGENT that a card may follow
	cur      []byte
	curLine  int
	large    bool
	junk     []byte
	junkLine int
}

// take adds one fragment; it returns false when the reader of the sequence
// wants no more.
func (s *splitter) take(frag []byte, yield func(Piece, error) bool) bool {
	begin, end, text := false, false, ""
	if s.in.Start {
		if s.in.Line == 1 {
			frag = bytes.TrimPrefix(frag, []byte("\ufeff"))
		}
		text = squeeze(frag)
		folded := s.depth > 0 && len(frag) > 0 && content.IsWSP(frag[0])
		begin = text == "BEGIN:VCARD" && !folded
		end = text == "END:VCARD" && !folded
	}
	if begin && (s.depth == 0 || !s.agent) {
		if !s.finish(yield) {
			return false
		}
		s.curLine = s.in.Line
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
	return true
}

// squeeze gives the text of a short line in one form: upper case, no white space.
func squeeze(frag []byte) string {
	if len(frag) > 200 {
		frag = frag[:200]
	}
	return content.Upper(strings.Join(strings.Fields(string(frag)), ""))
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
	case s.depth == 0 && (text != "" || len(s.junk) > 0 && !s.in.Start):
		if len(s.junk) == 0 {
			s.junkLine = s.in.Line
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
