package carddav

import (
	"fmt"
	"math"
	"strings"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/vcard"
)

// Judge returns the core's judge of address books (RFC 6352 sections 5.1 and 6.3.2.1): one vCard of version 3.0 or 4.0 with one UID. Its errors are of
// kind Invalid; Rule is supported-address-data for what is no vCard of these versions, valid-address-data for a broken one.
//
// The size of a resource is the core's to judge; o.MaxResource only keeps this judge from being stricter than the core.
func Judge(o Options) core.Judge {
	o = o.withDefaults()
	octets := int(min(o.MaxResource, math.MaxInt))
	lim := vcard.Limits{Octets: octets, LineOctets: octets}
	return func(_ *holdfast.Collection, name, contentType string, body []byte) (holdfast.Kind, holdfast.Index, error) {
		if !takesType(contentType) {
			return 0, holdfast.Index{}, &holdfast.Error{Op: "carddav.Judge", Kind: holdfast.Invalid, Ref: name, Rule: ruleSupportedData,
				Text: "an address book takes vCards only; send them as text/vcard"}
		}
		ix, refusal := vcard.Judge(body, lim)
		if refusal != nil {
			text := refusal.Why
			if refusal.Line > 0 {
				text = fmt.Sprintf("Line %d: %s", refusal.Line, text)
			}
			return 0, holdfast.Index{}, &holdfast.Error{Op: "carddav.Judge", Kind: holdfast.Invalid, Ref: name, Rule: string(refusal.Precondition), Text: text}
		}
		return holdfast.KindAddress, holdfast.Index{UID: ix.UID}, nil
	}
}

// takesType tells whether a body of this type is worth judging. What says that it is something else is refused; what says nothing, or says what clients and
// tools say of vCards, is judged by its octets.
func takesType(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	switch media = strings.TrimSpace(media); {
	case media == "text/vcard", media == "":
		return true
	}
	for _, known := range []string{"text/vcard", "text/x-vcard", "text/directory", "application/vcard", "text/plain",
		"application/octet-stream", "application/x-www-form-urlencoded"} { // the last is what curl --data says of anything
		if strings.EqualFold(media, known) {
			return true
		}
	}
	return false
}
