package transfer

import (
	"context"
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

// readCalendars cuts the file into calendar objects, one for each UID, and takes each.
func (m *importer) readCalendars(ctx context.Context, r io.Reader) error {
	for piece, err := range ical.Split(r, ical.SplitLimits{Object: int(m.s.Limits().Resource)}) {
		if err == nil {
			err = m.takeObject(ctx, piece)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *importer) takeObject(ctx context.Context, piece ical.Piece) error {
	at := spot{line: piece.Line}
	switch piece.Kind {
	case ical.NotePiece:
		return m.emit(Event{Note: &Note{m.q.File, fmt.Sprintf("line %d: %s", piece.Line, piece.Why)}})
	case ical.JunkPiece:
		return m.refuse(at, "", &holdfast.Error{Kind: holdfast.Invalid, Rule: string(ical.SupportedCalendarData), Text: strings.TrimSuffix(piece.Why, ".") + ": " + excerpt(piece.Octets)})
	}
	m.totals.Items++
	at.item = m.totals.Items
	objects, refusal := mendObject(piece.Octets, piece.Zone)
	if refusal != nil {
		return m.refuse(at, "", refusalOf(refusal))
	}
	for i, x := range objects {
		if i > 0 { // one UID stood for several things
			m.totals.Items++
			at.item = m.totals.Items
		}
		_, index, refusal := ical.Judge(x.Octets, ical.Limits{})
		if refusal != nil {
			if err := m.refuse(at, index.UID, refusalOf(refusal)); err != nil {
				return err
			}
			continue
		}
		at.kind = index.Kind
		name, other := nameOf(index.UID, ".ics")
		err := m.add(ctx, waiting{at: at, uid: index.UID, what: strings.Join(x.Mends, "; "),
			item: core.Item{Name: name, Other: other, ContentType: calendarType, Body: x.Octets}})
		if err != nil {
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
