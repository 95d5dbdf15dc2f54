package transfer

import (
	"context"
	"fmt"
	"io"
	"strings"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/vcard"
)

// vcardType is the media type of what is imported.
const vcardType = "text/vcard; charset=utf-8"

// readCards cuts the file into contacts and takes each.
func (m *importer) readCards(ctx context.Context, r io.Reader) error {
	for piece, err := range vcard.Split(r, int(m.s.Limits().Resource)) {
		if err == nil {
			err = m.take(ctx, piece)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *importer) take(ctx context.Context, piece vcard.Piece) error {
	at := spot{line: piece.Line}
	if piece.Kind != vcard.JunkPiece {
		m.totals.Items++
		at.item, at.kind = m.totals.Items, kindCard
	}
	switch piece.Kind {
	case vcard.JunkPiece:
		return m.refuse(at, "", &holdfast.Error{Kind: holdfast.Invalid, Rule: "supported-address-data", Text: "this text is not a vCard: " + excerpt(piece.Octets)})
	case vcard.LargePiece:
		return m.refuse(at, "", &holdfast.Error{Kind: holdfast.TooLarge, Rule: "max-resource-size",
			Text: fmt.Sprintf("the contact is larger than %d octets", m.s.Limits().Resource)})
	}
	octets, mends, refusal := vcard.Mend(piece.Octets)
	if refusal != nil {
		return m.refuse(at, "", refusalError(refusal))
	}
	index, refusal := vcard.Judge(octets, vcard.Limits{})
	if refusal != nil {
		return m.refuse(at, "", refusalError(refusal))
	}
	name, other := nameOf(index.UID, ".vcf")
	return m.add(ctx, waiting{at: at, uid: index.UID, what: strings.Join(mends, "; "),
		item: core.Item{Name: name, Other: other, ContentType: vcardType, Body: octets}})
}

func refusalError(r *vcard.Refusal) error {
	text := r.Why
	if r.Line > 0 {
		text = fmt.Sprintf("line %d of it: %s", r.Line, r.Why)
	}
	return &holdfast.Error{Kind: holdfast.Invalid, Rule: string(r.Precondition), Text: text}
}

// excerpt shows the beginning of what is no contact.
func excerpt(b []byte) string {
	const most = 60
	s := strings.Join(strings.Fields(string(b[:min(len(b), 4*most)])), " ")
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
