package transfer

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/core"
)

// Request says what is imported, and where to.
type Request struct {
	Account   holdfast.ID
	Into      string // path of an address book or calendar: "calendars/default"; empty: the account's default for each kind of item
	File      string // its name, for the report
	Replace   bool   // replace a different item with the same UID, rather than refuse the new one
	DryRun    bool
	MaxOctets int64 // of the file; 0: no limit
}

// Import reads a file of vCards or of calendars from r and stores what is in it. Which of the two it is, its content says. emit is told what happens, in
// order; the last event is Done. What was committed before an error stays, and the same import run again goes on from there.
//
// Errors: NotFound (account), Invalid (a path that is not there or takes nothing of the sort), TooLarge, Unavailable, Full, those of r and emit.
func Import(ctx context.Context, s *core.Service, q Request, r io.Reader, emit func(Event) error) error {
	m := &importer{s: s, p: holdfast.Principal{Account: q.Account}, q: q, emit: emit, byKind: map[string]*target{}}
	if q.MaxOctets > 0 {
		r = &limited{r: r, left: q.MaxOctets, max: q.MaxOctets}
	}
	in := bufio.NewReaderSize(&counter{r: r, n: &m.totals.Octets}, sniffed)
	m.cards = !isCalendar(in, q.File)
	if err := m.choose(ctx); err != nil {
		return err
	}
	each := eachObject
	if m.cards {
		each = eachCard
	}
	if err := each(in, int(m.s.Limits().Resource), func(f Found) error { return m.take(ctx, f) }); err != nil {
		return err
	}
	return m.finish(ctx)
}

func fail(kind holdfast.ErrorKind, ref, text string) error {
	return &holdfast.Error{Op: "transfer.Import", Kind: kind, Ref: ref, Text: text}
}

type importer struct {
	s     *core.Service
	p     holdfast.Principal
	q     Request
	emit  func(Event) error
	cards bool // vCards, rather than calendars

	chosen  *target            // that of Into
	byKind  map[string]*target // where each kind goes
	targets []*target          // each once, in the order of their first use
	totals  Totals
}

// finish commits what waits, and tells where everything went.
func (m *importer) finish(ctx context.Context) error {
	for _, t := range m.targets {
		if err := m.flush(ctx, t); err != nil {
			return err
		}
	}
	if m.totals.Items == 0 && m.totals.Refused == 0 {
		what := "no calendar item"
		if m.cards {
			what = "no contact"
		}
		if err := m.refuse(spot{}, "", fail(holdfast.Invalid, "", "the file holds "+what)); err != nil {
			return err
		}
	}
	for _, t := range m.targets {
		if err := m.tell(t); err != nil {
			return err
		}
	}
	return m.emit(Event{Done: &m.totals})
}

// tell says what went into a collection, and what somebody might look for elsewhere.
func (m *importer) tell(t *target) error {
	if t.stored > 0 {
		if err := m.emit(Event{Placed: &Placed{Path: t.path, Items: t.stored}}); err != nil {
			return err
		}
	}
	went, was := "went", "was"
	if m.q.DryRun {
		went, was = "would go", "would be"
	}
	for _, kind := range []string{kindCard, kindEvent, kindTodo, kindJournal} {
		if n := t.diverted[kind]; n > 0 {
			note := Note{m.q.File, fmt.Sprintf("%d %s %s into %s: %s takes no %s", n, plural(n, kind), went, t.path, m.chosen.path, plural(2, kind))}
			if err := m.emit(Event{Note: &note}); err != nil {
				return err
			}
		}
	}
	if t.made {
		return m.emit(Event{Note: &Note{m.q.File, t.path + " was not there, and " + was + " made"}})
	}
	return nil
}

// sniffed is how far into a file it is looked for what it holds.
const sniffed = 64 << 10

// isCalendar tells calendars from contacts: by what begins first, and by the file's name where nothing does. It reads no further than it must.
func isCalendar(r *bufio.Reader, name string) bool {
	for n := 512; n <= sniffed; n *= 2 {
		b, err := r.Peek(n) // an error comes again when it is read
		text := strings.ToUpper(string(b))
		calendar, card := strings.Index(text, "BEGIN:VCALENDAR"), strings.Index(text, "BEGIN:VCARD")
		if calendar >= 0 || card >= 0 {
			return calendar >= 0 && (card < 0 || calendar < card)
		}
		if err != nil {
			break
		}
	}
	return slices.Contains([]string{".ics", ".ical", ".ifb", ".icalendar", ".vcs"}, strings.ToLower(filepath.Ext(name)))
}

// limited reads at most max octets and then fails, rather than pretend that the file ended.
type limited struct {
	r    io.Reader
	left int64
	max  int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		var one [1]byte
		if n, err := l.r.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, fail(holdfast.TooLarge, "", fmt.Sprintf("a file of more than %d octets is not imported; split it, or raise limits.import", l.max))
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

// counter counts the octets that were read.
type counter struct {
	r io.Reader
	n *int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	*c.n += int64(n)
	return n, err
}
