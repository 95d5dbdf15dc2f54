package ical

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"holdfast/internal/content"
)

// PieceKind says what a piece of a file is.
type PieceKind int

// The kinds of pieces.
const (
	ObjectPiece PieceKind = iota // all components of one kind with one UID, as a VCALENDAR of their own
	NotePiece                    // nothing to store; Why says what the objects do not carry
	JunkPiece                    // what cannot be taken: text between calendars, a component that is too large; Why says which
)

// Piece is a part of a file of calendars.
type Piece struct {
	Kind   PieceKind
	Line   int    // number of its first line in the file, from 1
	Octets []byte // an object for Mend; of the other kinds at most the first 1,000 octets of what is meant
	Zone   string // the X-WR-TIMEZONE of the calendar, for MendOptions; empty if it has none
	Why    string // one sentence, for NotePiece and JunkPiece
}

// shown is how much of what is not taken is kept for a report.
const shown = 1000

// SplitLimits bound what Split holds in memory. A field that is zero or less stands for its default.
type SplitLimits struct {
	Object int // octets of the largest component and of the largest object; the octets of DefaultLimits
	Held   int // octets that wait for others with the same UID, all in all; 256 MiB
	Zones  int // octets that the copies of time zones in the objects take, all in all; 1 GiB
}

// Split cuts a file of one or many VCALENDARs into one piece for each UID and kind of component, for Mend to take one by one. A master and its
// overrides come together, however far apart they stand. Every piece carries the VERSION, PRODID, CALSCALE and METHOD of its calendar and the
// VTIMEZONEs to which it refers; the octets of components are those of the file. A VCALENDAR that is one object already comes as it is.
//
// What belongs together is known at the end of the file only, so pieces wait until then. If more than lim.Held octets wait, events that happen
// once are handed out before: should another component with such a UID follow, it comes as a piece of its own. If recurring ones alone are
// more, the sequence ends with a *SyntaxError that says to divide the file. So it does where the copies of the time zones grow beyond lim.Zones: a small file
// must not become a large store.
//
// Blank lines and a byte order mark are left out in silence. BEGIN and END count in any case. A BEGIN of an event inside another one begins the
// next, so that a lost END costs one event and not two. Components outside of a VCALENDAR are taken as well. A file in UTF-16 is read as UTF-8.
//
// An error that is no *SyntaxError is the reader's own. Either ends the sequence.
func Split(r io.Reader, lim SplitLimits) iter.Seq2[Piece, error] {
	if lim.Object <= 0 {
		lim.Object = DefaultLimits().Octets
	}
	if lim.Held <= 0 {
		lim.Held = 256 << 20
	}
	if lim.Zones <= 0 {
		lim.Zones = 1 << 30
	}
	return func(yield func(Piece, error) bool) {
		s := splitter{in: content.NewFragments(r), g: newGatherer(lim, yield)}
		for !s.g.stopped {
			frag, err := s.in.Next()
			if len(frag) > 0 {
				s.take(frag)
			}
			if err != nil {
				s.finish()
				if !s.g.stopped && !errors.Is(err, io.EOF) {
					yield(Piece{}, err)
				}
				return
			}
		}
	}
}

// splitter finds the components of a file; the gatherer puts them together.
type splitter struct {
	in *content.Fragments
	g  *gatherer

	open    []string // names of the open components, from that directly in the calendar inwards
	cur     []byte   // octets of the outermost open component
	curLine int
	large   bool

	prop     []byte // octets of the calendar's property that is being read
	propLine int
	junk     []byte
	junkLine int
}

// mark reads BEGIN or END of a line of text; name is in upper case and empty if the line is neither.
func mark(frag []byte) (end bool, name string) {
	if len(frag) > 200 {
		return false, ""
	}
	line := bytes.TrimLeft(frag, " \t")
	if len(line) < 4 || line[0]|0x20 != 'b' && line[0]|0x20 != 'e' {
		return false, ""
	}
	text := strings.ToUpper(strings.Join(strings.Fields(string(line)), ""))
	if name, ok := strings.CutPrefix(text, "BEGIN:"); ok {
		return false, name
	}
	name, end = strings.CutPrefix(text, "END:")
	if !end {
		return false, ""
	}
	return true, name
}

// take adds one fragment.
func (s *splitter) take(frag []byte) {
	if s.in.Start && len(s.open) == 0 { // files that were put together have one at each seam
		frag = bytes.TrimPrefix(frag, []byte("\ufeff"))
	}
	folded := s.in.Start && len(frag) > 0 && content.IsWSP(frag[0]) && (len(s.open) > 0 || len(s.prop) > 0)
	switch end, name := mark(frag); {
	case !s.in.Start || folded || name == "":
		s.text(frag, !s.in.Start || folded)
	case end:
		s.end(frag, name)
	default:
		s.begin(frag, name)
	}
}

func (s *splitter) begin(frag []byte, name string) {
	top := isKind(name) != "" || name == "VTIMEZONE"
	if len(s.open) > 0 && (name == "VCALENDAR" || top && (isKind(s.open[0]) != "" || s.open[0] == "VTIMEZONE")) {
		s.close() // its END is lost
	}
	if len(s.open) == 0 {
		s.endProp()
		s.endJunk()
		if name == "VCALENDAR" {
			s.g.begin(s.in.Line, frag, false)
			return
		}
		s.g.begin(s.in.Line, nil, true)
		s.curLine = s.in.Line
	}
	if len(s.open) < 64 {
		s.open = append(s.open, name)
	}
	s.keep(frag)
}

func (s *splitter) end(frag []byte, name string) {
	at := -1
	for i := len(s.open) - 1; i >= 0 && at < 0; i-- {
		if s.open[i] == name {
			at = i
		}
	}
	switch {
	case name == "VCALENDAR" && at < 0 && s.g.cal != nil:
		if len(s.open) > 0 {
			s.close()
		}
		s.endProp()
		s.endJunk()
		s.g.verbatim(frag)
		s.g.leave(true)
	case at < 0 && len(s.open) == 0:
		s.text(frag, false)
	case at < 0:
		s.keep(frag)
	default:
		s.open = s.open[:at]
		s.keep(frag)
		if at == 0 {
			s.close()
		}
	}
}

// text takes a fragment that is neither BEGIN nor END; more tells that it goes on with a content line.
func (s *splitter) text(frag []byte, more bool) {
	if len(s.open) > 0 {
		s.keep(frag)
		return
	}
	if !more {
		s.endProp()
	}
	blank := len(bytes.TrimSpace(frag)) == 0
	switch {
	case more && len(s.prop) > 0 || s.g.inside() && !blank && !more:
		if len(s.prop) == 0 {
			s.propLine = s.in.Line
		}
		if len(s.prop)+len(frag) <= 64<<10 {
			s.prop = append(s.prop, frag...)
		}
		s.g.verbatim(frag)
	case blank && len(s.junk) == 0:
		s.g.verbatim(frag)
	default:
		if len(s.junk) == 0 {
			s.junkLine = s.in.Line
		}
		s.junk = append(s.junk, frag[:min(len(frag), shown-len(s.junk))]...)
		s.g.unlike()
	}
}

// endProp hands the property of the calendar on that has been read.
func (s *splitter) endProp() {
	if len(s.prop) > 0 {
		s.g.property(s.propLine, s.prop)
		s.prop = s.prop[:0]
	}
}

func (s *splitter) endJunk() {
	if len(bytes.TrimSpace(s.junk)) > 0 {
		s.g.hand(Piece{Kind: JunkPiece, Line: s.junkLine, Octets: s.junk, Why: "Text that belongs to no calendar was left out."})
	}
	s.junk = nil
}

// keep stores a fragment of the open component, within bounds.
func (s *splitter) keep(frag []byte) {
	if s.large || len(s.cur)+len(frag) > s.g.lim.Object {
		s.large = true
		s.cur = append(s.cur[:min(len(s.cur), shown)], frag[:max(0, min(len(frag), shown-len(s.cur)))]...)
		s.g.unlike()
		return
	}
	s.cur = append(s.cur, frag...)
}

// close ends the outermost open component, with or without its END.
func (s *splitter) close() {
	if s.large {
		s.g.hand(Piece{Kind: JunkPiece, Line: s.curLine, Octets: slices.Clone(s.cur[:min(len(s.cur), shown)]),
			Why: fmt.Sprintf("The component is larger than %d octets.", s.g.lim.Object)})
	} else {
		s.g.component(s.curLine, s.cur)
	}
	if cap(s.cur) > 1<<20 {
		s.cur = nil
	}
	s.cur, s.open, s.large = s.cur[:0], s.open[:0], false
}

// finish takes the end of the file.
func (s *splitter) finish() {
	if len(s.open) > 0 {
		s.close()
	}
	s.endProp()
	s.endJunk()
	s.g.finish()
}
