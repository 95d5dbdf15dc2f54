package vcard

import (
	"errors"
	"fmt"
	"strings"

	"holdfast/internal/content"
)

// Precondition is the local name of a precondition element of RFC 6352,
// section 6.3.2.1, in the namespace urn:ietf:params:xml:ns:carddav.
type Precondition string

// The preconditions that this package judges. max-resource-size and
// no-uid-conflict are judged where sizes and collections are known.
const (
	ValidAddressData     Precondition = "valid-address-data"
	SupportedAddressData Precondition = "supported-address-data"
)

// Refusal says why a card is not taken.
type Refusal struct {
	Precondition Precondition
	Line         int    // number of the line of text, from 1; 0 where no single line is at fault
	Why          string // one or two sentences that say what to do
}

// Error gives precondition, line and sentence.
func (r *Refusal) Error() string {
	if r.Line > 0 {
		return fmt.Sprintf("%s: line %d: %s", r.Precondition, r.Line, r.Why)
	}
	return fmt.Sprintf("%s: %s", r.Precondition, r.Why)
}

// Index is what a store needs to know of a card.
type Index struct {
	UID     string // unescaped, white space at the ends removed
	FN      string // unescaped; the first one; may be empty
	Version string // "3.0" or "4.0"
	Kind    string // lower case: individual, group, org, location, application or another; individual where none is said
}

// MaxUID is the longest UID that is taken, in octets. The longest seen in real
// address books have about 200; indexes of database engines want a bound.
const MaxUID = 1024

// Judge decides whether octets may be stored as an address object resource
// (RFC 6352, sections 5.1 and 6.3.2.1) and returns its index. The refusal is
// nil if and only if the octets are accepted.
//
// Accepted is one vCard of version 3.0 or 4.0 with exactly one non-empty UID
// and at least one FN. Blank lines, bare line feeds, bare parameters, unknown
// names, a missing N and a VERSION that is not the second line are tolerated:
// clients write them and others read them.
//
// A missing FN is refused with valid-address-data, though an empty one is
// taken. RFC 2426 and RFC 6350 both require it. Cyrus refused such cards, and
// Sabre admits them only by adding an FN to the stored card, which a server
// that returns the very octets cannot do. Every client that we know writes FN.
//
// Version 2.1 is refused with supported-address-data as soon as it is seen,
// whatever else is wrong: that is what its sender has to change.
func Judge(data []byte, lim Limits) (Index, *Refusal) {
	if strings.HasPrefix(string(data[:min(3, len(data))]), "\uFEFF") {
		return Index{}, &Refusal{ValidAddressData, 1, "The data begins with a byte order mark; remove it."}
	}
	lx, err := newLexer(data, lim)
	if err != nil {
		return Index{}, refuseSyntax(err)
	}
	var j judgement
	var l Line
	for lx.more() {
		lx.params = lx.params[:0] // no line looks back at another's parameters
		if err := lx.next(&l); err != nil {
			return Index{}, refuseSyntax(err)
		}
		if l.Blank() {
			continue
		}
		if r := j.see(&l); r != nil {
			return Index{}, r
		}
	}
	return j.verdict()
}

func refuseSyntax(err error) *Refusal {
	var se *SyntaxError
	if errors.As(err, &se) {
		return &Refusal{ValidAddressData, se.Line, se.Why}
	}
	return &Refusal{ValidAddressData, 0, err.Error()}
}

// judgement gathers what has been seen so far.
type judgement struct {
	ix           Index
	open, closed bool
	cards        int
	uids, fns    int
	versions     int
	uidLine      int
}

// see takes one line in.
func (j *judgement) see(l *Line) *Refusal {
	if !j.open {
		return j.outside(l)
	}
	if j.cards > 1 {
		// Only a sign of version 2.1 can still change the answer.
		if l.Is("VERSION") {
			return checkVersion(l)
		}
	}
	switch len(l.Name) {
	case 2:
		if l.Is("FN") {
			if j.fns++; j.fns == 1 {
				j.ix.FN = strings.Clone(content.Unescape(l.Value))
			}
		}
	case 3:
		if l.Is("UID") {
			j.uids++
			j.uidLine = l.No
			j.ix.UID = strings.Clone(strings.TrimSpace(content.Unescape(l.Value)))
		} else if l.Is("END") {
			return j.end(l)
		}
	case 4:
		if l.Is("KIND") {
			j.kind(l)
		}
	case 5:
		if l.Is("BEGIN") {
			return &Refusal{ValidAddressData, l.No, "A BEGIN stands inside a vCard; send one vCard and nothing inside it."}
		}
	case 7:
		if l.Is("VERSION") {
			j.versions++
			j.ix.Version = strings.Clone(strings.TrimSpace(l.Value))
			return checkVersion(l)
		}
	case len("X-ADDRESSBOOKSERVER-KIND"):
		if l.Is("X-ADDRESSBOOKSERVER-KIND") {
			j.kind(l)
		}
	}
	return nil
}

func (j *judgement) kind(l *Line) {
	if j.ix.Kind == "" {
		j.ix.Kind = strings.ToLower(strings.TrimSpace(strings.Clone(content.Unescape(l.Value))))
	}
}

// outside judges a line that stands before BEGIN or behind END.
func (j *judgement) outside(l *Line) *Refusal {
	if !l.Is("BEGIN") {
		return &Refusal{ValidAddressData, l.No, "A line stands outside BEGIN:VCARD and END:VCARD; remove it."}
	}
	switch what := strings.TrimSpace(l.Value); {
	case strings.EqualFold(what, "VCARD"):
		j.open, j.cards = true, j.cards+1
		return nil
	case strings.EqualFold(what, "VCALENDAR"):
		return &Refusal{SupportedAddressData, l.No, "This is calendar data; an address book takes vCards."}
	}
	return &Refusal{ValidAddressData, l.No, "The object is not a vCard; an address book takes vCards only."}
}

func (j *judgement) end(l *Line) *Refusal {
	if !strings.EqualFold(strings.TrimSpace(l.Value), "VCARD") {
		return &Refusal{ValidAddressData, l.No, "An END does not belong to BEGIN:VCARD."}
	}
	j.open, j.closed = false, true
	return nil
}

func checkVersion(l *Line) *Refusal {
	switch v := strings.TrimSpace(l.Value); v {
	case "3.0", "4.0":
		return nil
	case "2.1":
		return &Refusal{SupportedAddressData, l.No, "vCard 2.1 is not supported here; send version 3.0 or 4.0, or use import."}
	}
	return &Refusal{SupportedAddressData, l.No, "This vCard version is not supported; send version 3.0 or 4.0."}
}

// verdict judges the whole once every line was seen.
func (j *judgement) verdict() (Index, *Refusal) {
	refuse := func(line int, why string) (Index, *Refusal) {
		return Index{}, &Refusal{ValidAddressData, line, why}
	}
	switch {
	case j.cards == 0:
		return refuse(0, "The body holds no vCard; send one that begins with BEGIN:VCARD.")
	case j.cards > 1:
		return refuse(0, "The body holds more than one vCard; send each in a request of its own, or use import.")
	case j.open || !j.closed:
		return refuse(0, "END:VCARD is missing; the body may have been cut off.")
	case j.versions == 0:
		return refuse(0, "VERSION is missing; add VERSION:3.0 or VERSION:4.0 behind BEGIN:VCARD.")
	case j.versions > 1:
		return refuse(0, "VERSION stands more than once; keep one.")
	case j.uids == 0 || j.uids == 1 && j.ix.UID == "":
		return refuse(j.uidLine, "The vCard has no UID; add one that never changes.")
	case j.uids > 1:
		return refuse(j.uidLine, "UID stands more than once; keep one.")
	case len(j.ix.UID) > MaxUID:
		return refuse(j.uidLine, fmt.Sprintf("The UID is longer than %d octets; use a shorter one.", MaxUID))
	case hasControl(j.ix.UID):
		return refuse(j.uidLine, "The UID holds a line break or another control character; remove it.")
	case j.fns == 0:
		return refuse(0, "The vCard has no FN; add the name to show for this contact.")
	}
	if j.ix.Kind == "" {
		j.ix.Kind = "individual"
	}
	return j.ix, nil
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 })
}
