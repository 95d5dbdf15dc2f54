package transfer

import (
	"cmp"
	"context"
	"errors"

	"holdfast"
	"holdfast/internal/core"
)

// groupItems is how many items are committed at once: enough that an fsync each is no matter, few enough that nobody else waits for long.
const groupItems = 256

// groupOctets bounds a group likewise.
const groupOctets = 4 << 20

// spot is where in the file an item stands.
type spot struct {
	item, line int
	kind       string
}

// waiting is an item on its way into a group.
type waiting struct {
	at   spot
	item core.Item
	uid  string
	what string // how it was mended; empty: not at all
}

// add takes one item in, and commits when enough have gathered.
func (m *importer) add(ctx context.Context, w waiting) error {
	t, err := m.target(ctx, w.at.kind)
	if err != nil {
		if holdfast.IsKind(err, holdfast.Invalid) {
			return m.refuse(w.at, w.uid, err)
		}
		return err
	}
	t.waiting = append(t.waiting, w)
	t.octets += len(w.item.Body)
	if len(t.waiting) < groupItems && t.octets < groupOctets {
		return nil
	}
	return m.flush(ctx, t)
}

func (m *importer) flush(ctx context.Context, t *target) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	results, err := m.put(ctx, t)
	if err != nil {
		return err
	}
	for i, r := range results {
		w := t.waiting[i]
		if m.q.DryRun && r.Outcome == core.Created {
			m.foresee(t, &r, w)
		}
		if err := m.report(t, w, r); err != nil {
			return err
		}
	}
	t.waiting, t.octets = t.waiting[:0], 0
	return m.emit(Event{Progress: &m.totals})
}

// put stores what waits.
func (m *importer) put(ctx context.Context, t *target) ([]core.ItemResult, error) {
	if m.q.DryRun && t.made { // it would be there: what would be judged is judged
		var out []core.ItemResult
		for _, w := range t.waiting {
			r := core.ItemResult{Outcome: core.Created, UID: w.uid}
			if err := m.s.Judge(&t.c, w.item); err != nil {
				r.Outcome, r.Err = core.Refused, err
			}
			out = append(out, r)
		}
		return out, nil
	}
	q := core.PutManyRequest{Owner: cmp.Or(t.c.Account, m.q.Account), Collection: t.c.ID, Replace: m.q.Replace, DryRun: m.q.DryRun}
	for _, w := range t.waiting {
		q.Items = append(q.Items, w.item)
	}
	return m.s.PutMany(ctx, m.p, q)
}

// foresee corrects what a dry run says of an item that comes twice.
func (m *importer) foresee(t *target, r *core.ItemResult, w waiting) {
	sum := holdfast.HashOf(w.item.Body)
	before, twice := t.dry[r.UID]
	switch {
	case !twice:
		t.dry[r.UID] = sum
	case before == sum:
		r.Outcome = core.Same
	case m.q.Replace:
		r.Outcome, t.dry[r.UID] = core.Replaced, sum
	default:
		r.Outcome = core.Refused
		r.Err = &holdfast.Error{Kind: holdfast.UIDConflict, Rule: "no-uid-conflict", Text: "another version of this " + word(w.at.kind) + " comes before it"}
	}
}

func (m *importer) report(t *target, w waiting, r core.ItemResult) error {
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
	t.stored++
	if t.instead != "" {
		t.diverted[w.at.kind]++
	}
	if w.what == "" {
		return nil
	}
	m.totals.Mended++
	return m.emit(Event{Mended: &Mended{File: m.q.File, Item: w.at.item, Line: w.at.line, Kind: word(w.at.kind), UID: w.uid, What: w.what}})
}

func (m *importer) refuse(at spot, uid string, err error) error {
	m.totals.Refused++
	out := RefusedOne{File: m.q.File, Item: at.item, Line: at.line, UID: uid}
	if at.kind != "" {
		out.Kind = word(at.kind)
	}
	out.Precondition, out.Why = whyNot(err, m.cards)
	if holdfast.IsKind(err, holdfast.UIDConflict) && !m.q.Replace {
		out.Why += replaceInstead
	}
	return m.emit(Event{Refused: &out})
}

// replaceInstead is said to who imports another version of what is there.
const replaceInstead = "; it stays, and --replace puts this one in its place"

// whyNot says what keeps an item out: the name of the precondition, and a sentence.
func whyNot(err error, card bool) (precondition, why string) {
	precondition, why = "valid-calendar-data", err.Error()
	if card {
		precondition = "valid-address-data"
	}
	var e *holdfast.Error
	if errors.As(err, &e) {
		why = e.Text
		switch {
		case e.Rule != "":
			precondition = e.Rule
		case e.Kind == holdfast.Quota:
			precondition = "quota-not-exceeded" // RFC 4331 section 6
		case e.Op == "davclient":
			precondition = "not-fetched"
		}
		if why == "" {
			why = e.Kind.String()
		}
	}
	return precondition, why
}
