package transfer

import (
	"fmt"
	"io"
	"strings"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/vcard"
)

// vcardType is the media type of what is imported.
const vcardType = "text/vcard; charset=utf-8"

// eachCard cuts a file into contacts.
func eachCard(r io.Reader, most int, fn func(Found) error) error {
	n := 0
	for piece, err := range vcard.Split(r, most) {
		if err != nil {
			return err
		}
		if piece.Kind != vcard.JunkPiece {
			n++
		}
		if err := fn(foundCard(piece, n, most)); err != nil {
			return err
		}
	}
	return nil
}

func foundCard(piece vcard.Piece, n, most int) Found {
	f := Found{Item: n, Line: piece.Line, Kind: kindCard, Raw: piece.Octets}
	switch piece.Kind {
	case vcard.JunkPiece:
		f.Item, f.Kind = 0, ""
		f.Err = &holdfast.Error{Kind: holdfast.Invalid, Rule: "supported-address-data", Text: "this text is not a vCard: " + excerpt(piece.Octets)}
		return f
	case vcard.LargePiece:
		f.Err = &holdfast.Error{Kind: holdfast.TooLarge, Rule: "max-resource-size", Text: fmt.Sprintf("the contact is larger than %d octets", most)}
		return f
	}
	octets, mends, refusal := vcard.Mend(piece.Octets)
	if refusal != nil {
		f.Err = refusalError(refusal)
		return f
	}
	index, refusal := vcard.Judge(octets, vcard.Limits{})
	if refusal != nil {
		f.Err = refusalError(refusal)
		return f
	}
	name, other := nameOf(index.UID, ".vcf")
	f.UID, f.What = index.UID, strings.Join(mends, "; ")
	f.As = core.Item{Name: name, Other: other, ContentType: vcardType, Body: octets}
	return f
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
