package transfer

import (
	"bufio"
	"context"
	"io"

	"holdfast"
	"holdfast/internal/core"
)

// Found is one thing that stands in a file: an item that can be stored, one that cannot (Err), or what was left out (Note).
type Found struct {
	Item, Line int    // its number in the file, 0 for what is no item, and where it begins
	Kind       string // the name of its component: VCARD, VEVENT, VTODO, VJOURNAL; empty where it is not known
	UID        string
	Raw        []byte    // as it stands in the file; of what is no item or too large, the first 1,000 octets
	As         core.Item // how it would be stored
	What       string    // how it was mended; empty: not at all
	Err        error     // why it cannot be stored
	Note       string
}

// Each reads a file of vCards or of calendars, which its content says, and calls fn with what it finds, in order. most bounds an item's octets, and maxOctets the file's (0: no limit).
// Errors: TooLarge (the file), those of r and fn.
func Each(r io.Reader, file string, most int, maxOctets int64, fn func(Found) error) error {
	if maxOctets > 0 {
		r = &limited{r: r, left: maxOctets, max: maxOctets}
	}
	in := bufio.NewReaderSize(r, sniffed)
	if isCalendar(in, file) {
		return eachObject(in, most, fn)
	}
	return eachCard(in, most, fn)
}

// Takes tells whether a collection is for items of a kind.
func Takes(c *holdfast.Collection, kind string) bool { return takes(c, kind) }

// Standard is the path where an account has its default collection for a kind; empty where there is none for it.
func Standard(kind string) string {
	home, name, _, _, ok := standard(kind)
	if !ok {
		return ""
	}
	return home + "/" + name
}

// Word says a kind to a person; "item" where it is not known.
func Word(kind string) string { return word(kind) }

// WhyNot says what keeps an item out: the name of the precondition, and a sentence.
func WhyNot(err error, card bool) (precondition, why string) { return whyNot(err, card) }

// take imports what was found.
func (m *importer) take(ctx context.Context, f Found) error {
	if f.Note != "" {
		return m.emit(Event{Note: &Note{m.q.File, f.Note}})
	}
	if f.Item > 0 {
		m.totals.Items++
	}
	at := spot{f.Item, f.Line, f.Kind}
	if f.Err != nil {
		return m.refuse(at, f.UID, f.Err)
	}
	return m.add(ctx, waiting{at: at, uid: f.UID, what: f.What, item: f.As})
}
