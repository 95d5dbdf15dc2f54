package transfer

import (
	"fmt"
	"io"
	"strings"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/ical"
	"holdfast/internal/ical/recur"
	"holdfast/internal/ical/zone"
)

// calendarType is the media type of what is imported.
const calendarType = "text/calendar; charset=utf-8"

// eachObject cuts a file into calendar objects, one for each UID.
func eachObject(r io.Reader, most int, fn func(Found) error) error {
	n := 0
	for piece, err := range ical.Split(r, ical.SplitLimits{Object: most}) {
		if err == nil {
			err = foundObject(piece, &n, fn)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func foundObject(piece ical.Piece, n *int, fn func(Found) error) error {
	f := Found{Line: piece.Line, Raw: piece.Octets}
	switch piece.Kind {
	case ical.NotePiece:
		f.Note = fmt.Sprintf("line %d: %s", piece.Line, piece.Why)
		return fn(f)
	case ical.JunkPiece:
		f.Err = &holdfast.Error{Kind: holdfast.Invalid, Rule: string(ical.SupportedCalendarData), Text: strings.TrimSuffix(piece.Why, ".") + ": " + excerpt(piece.Octets)}
		return fn(f)
	}
	objects, refusal := mendObject(piece.Octets, piece.Zone)
	if refusal != nil {
		*n++
		f.Item, f.Err = *n, refusalOf(refusal)
		return fn(f)
	}
	kind := ""
	for _, x := range objects { // more than one where one UID stood for several things
		*n++
		f := Found{Item: *n, Line: piece.Line, Kind: kind, Raw: piece.Octets}
		_, index, refusal := ical.Judge(x.Octets, ical.Limits{})
		f.UID = index.UID
		if refusal != nil {
			f.Err = refusalOf(refusal)
		} else {
			kind = index.Kind
			name, other := nameOf(index.UID, ".ics")
			f.Kind, f.What = kind, strings.Join(x.Mends, "; ")
			f.As = core.Item{Name: name, Other: other, ContentType: calendarType, Body: x.Octets}
		}
		if err := fn(f); err != nil {
			return err
		}
	}
	return nil
}

// mendObject makes an object fit to be stored. local is the zone of times whose own is not known.
func mendObject(octets []byte, local string) ([]ical.Mended, *ical.Refusal) {
	known := func(tzid string) bool { _, ok := zone.Named(tzid); return ok }
	rule := func(s string) bool { _, err := recur.Parse(s); return err == nil }
	return ical.Mend(octets, ical.MendOptions{Zone: local, Known: known, Rule: rule})
}

func refusalOf(r *ical.Refusal) error {
	text := r.Why
	if r.Line > 0 {
		text = fmt.Sprintf("line %d of it: %s", r.Line, r.Why)
	}
	return &holdfast.Error{Kind: holdfast.Invalid, Rule: string(r.Precondition), Text: text}
}
