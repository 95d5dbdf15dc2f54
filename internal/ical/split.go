package ical

import (
	"errors"
	"io"
	"iter"
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

// SplitLimits bound what Split holds in memory. A field that is zero or less stands for its default.
type SplitLimits struct {
	Object int // octets of the largest object; the octets of DefaultLimits
	Held   int // octets of components that wait for others with the same UID; 256 MiB
}

// Split cuts a file of one or many VCALENDARs into one piece for each UID and kind of component, for Mend to take one by one.
func Split(r io.Reader, lim SplitLimits) iter.Seq2[Piece, error] {
	return func(yield func(Piece, error) bool) {
		yield(Piece{}, errors.New("ical: Split is not there yet"))
	}
}
