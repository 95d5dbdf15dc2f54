package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"holdfast"
	"holdfast/internal/core"
)

// groupItems is how many contacts are committed at once: enough that an fsync each is no matter, few enough that nobody else waits for long.
const groupItems = 256

// groupOctets bounds a group likewise.
const groupOctets = 4 << 20

// Event is what an import says as it goes on. One of its fields is set.
type Event struct {
	Mended   *Mended     `json:"mended,omitempty"`
	Refused  *RefusedOne `json:"refused,omitempty"`
	Progress *Totals     `json:"progress,omitempty"`
	Done     *Totals     `json:"done,omitempty"`
}

// Mended is a contact whose octets were repaired before it was stored.
type Mended struct {
	File string `json:"file"`
	Card int    `json:"card"` // its number in the file, from 1
	Line int    `json:"line"` // where it begins
	UID  string `json:"uid,omitempty"`
	What string `json:"what"`
}

// RefusedOne is a contact that was not stored.
type RefusedOne struct {
	File         string `json:"file"`
	Card         int    `json:"card"` // 0: not a contact: text between them, or the file itself
	Line         int    `json:"line"`
	UID          string `json:"uid,omitempty"`
	Precondition string `json:"precondition"`
	Why          string `json:"why"`
}

// Totals counts contacts. Accepted is Created, Already and Replaced together: those that are in the account now.
type Totals struct {
	Cards    int   `json:"cards"` // read from the file
	Accepted int   `json:"accepted"`
	Created  int   `json:"created"`
	Already  int   `json:"already"`
	Replaced int   `json:"replaced"`
	Mended   int   `json:"mended"`
	Refused  int   `json:"refused"`
	Octets   int64 `json:"octets"` // read from the file
}

// Add adds another file's totals.
func (t *Totals) Add(o Totals) {
	t.Cards += o.Cards
	t.Accepted += o.Accepted
	t.Created += o.Created
	t.Already += o.Already
	t.Replaced += o.Replaced
	t.Mended += o.Mended
	t.Refused += o.Refused
	t.Octets += o.Octets
}

// Request says what is imported, and where to.
type Request struct {
	Account   holdfast.ID
	Into      string // path of an address book: "addressbooks/default"
	File      string // its name, for the report
	Replace   bool   // replace a different contact with the same UID, rather than refuse the new one
	DryRun    bool
	MaxOctets int64 // of the file; 0: no limit
}

// Import reads a file of vCards from r and stores its contacts. emit is told what happens, in order; the last event is Done. What was committed before an
// error stays, and the same import run again goes on from there.
//
// Errors: NotFound (account), Invalid (a path that is not there or takes no contacts), TooLarge, Unavailable, Full, those of r and emit.
func Import(ctx context.Context, s *core.Service, q Request, r io.Reader, emit func(Event) error) error {
	p := holdfast.Principal{Account: q.Account}
	names := strings.Split(strings.Trim(q.Into, "/"), "/")
	at, err := s.Locate(ctx, p, q.Account, names)
	switch {
	case err != nil:
		return err
	case len(at.Rest) > 0:
		return fail(holdfast.Invalid, q.Into, "there is no collection of this path; `holdfast account show` lists them")
	case at.Collection.Type != holdfast.TypeAddressbook:
		return fail(holdfast.Invalid, q.Into, "contacts go into an address book, like addressbooks/default; this is a "+string(at.Collection.Type))
	}
	m := &importer{s: s, p: p, q: q, emit: emit, collection: at.Collection.ID, dry: map[string]holdfast.Hash{}}
	if q.MaxOctets > 0 {
		r = &limited{r: r, left: q.MaxOctets, max: q.MaxOctets}
	}
	if err = m.read(ctx, &counter{r: r, n: &m.totals.Octets}); err != nil {
		return err
	}
	if err = m.flush(ctx); err != nil {
		return err
	}
	if m.totals.Cards == 0 && m.totals.Refused == 0 {
		if err = m.refuse(spot{}, "", fail(holdfast.Invalid, "", "the file holds no contact")); err != nil {
			return err
		}
	}
	return emit(Event{Done: &m.totals})
}

func fail(kind holdfast.ErrorKind, ref, text string) error {
	return &holdfast.Error{Op: "transfer.Import", Kind: kind, Ref: ref, Text: text}
}

type importer struct {
	s          *core.Service
	p          holdfast.Principal
	q          Request
	emit       func(Event) error
	collection holdfast.ID

	totals  Totals
	waiting []waiting
	octets  int
	dry     map[string]holdfast.Hash // of a dry run: what would be there by now, by UID
}

// spot is where in the file a contact stands.
type spot struct{ card, line int }

// waiting is a contact on its way into a group.
type waiting struct {
	at   spot
	item core.Item
	uid  string
	what string // how it was mended; empty: not at all
}

// add takes one contact in, and commits when enough have gathered.
func (m *importer) add(ctx context.Context, w waiting) error {
	m.waiting = append(m.waiting, w)
	m.octets += len(w.item.Body)
	if len(m.waiting) < groupItems && m.octets < groupOctets {
		return nil
	}
	return m.flush(ctx)
}

func (m *importer) flush(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	q := core.PutManyRequest{Owner: m.q.Account, Collection: m.collection, Replace: m.q.Replace, DryRun: m.q.DryRun}
	for _, w := range m.waiting {
		q.Items = append(q.Items, w.item)
	}
	results, err := m.s.PutMany(ctx, m.p, q)
	if err != nil {
		return err
	}
	for i, r := range results {
		w := m.waiting[i]
		if m.q.DryRun && r.Outcome == core.Created {
			m.foresee(&r, w)
		}
		if err := m.report(w, r); err != nil {
			return err
		}
	}
	m.waiting, m.octets = m.waiting[:0], 0
	return m.emit(Event{Progress: &m.totals})
}

// foresee corrects what a dry run says of a contact that comes twice.
func (m *importer) foresee(r *core.ItemResult, w waiting) {
	sum := holdfast.HashOf(w.item.Body)
	before, twice := m.dry[r.UID]
	switch {
	case !twice:
		m.dry[r.UID] = sum
	case before == sum:
		r.Outcome = core.Same
	case m.q.Replace:
		r.Outcome, m.dry[r.UID] = core.Replaced, sum
	default:
		r.Outcome = core.Refused
		r.Err = &holdfast.Error{Kind: holdfast.UIDConflict, Rule: "no-uid-conflict", Text: "another version of this contact comes before it"}
	}
}

func (m *importer) report(w waiting, r core.ItemResult) error {
	switch r.Outcome {
	case core.Created:
		m.totals.Created++
	case core.Same:
		m.totals.Already++
	case core.Replaced:
		m.totals.Replaced++
	default:
		return m.refuse(w.at, w.uid, r.Err)
	}
	m.totals.Accepted++
	if w.what == "" {
		return nil
	}
	m.totals.Mended++
	return m.emit(Event{Mended: &Mended{File: m.q.File, Card: w.at.card, Line: w.at.line, UID: w.uid, What: w.what}})
}

func (m *importer) refuse(at spot, uid string, err error) error {
	m.totals.Refused++
	out := RefusedOne{File: m.q.File, Card: at.card, Line: at.line, UID: uid, Precondition: "valid-address-data", Why: err.Error()}
	var e *holdfast.Error
	if errors.As(err, &e) {
		out.Why = e.Text
		switch {
		case e.Rule != "":
			out.Precondition = e.Rule
		case e.Kind == holdfast.Quota:
			out.Precondition = "quota-not-exceeded" // RFC 4331 section 6
		}
		if out.Why == "" {
			out.Why = e.Kind.String()
		}
	}
	return m.emit(Event{Refused: &out})
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
