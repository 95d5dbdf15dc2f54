package control

import (
	"context"
	"net/http"
	"time"

	"holdfast"
	"holdfast/internal/core"
)

// UndoRequest says what is taken back.
type UndoRequest struct {
	Account  string      `json:"-"`
	Change   uint64      `json:"change,omitempty"` // any change of what was done at once; one of an undo or a rewind means all of that
	Reversal holdfast.ID `json:"reversal,omitzero"`
	Burst    holdfast.ID `json:"burst,omitzero"` // all that a device deleted and overwrote in a burst
	DryRun   bool        `json:"dry_run,omitempty"`
}

// RewindRequest says where an account goes back to.
type RewindRequest struct {
	Account    string    `json:"-"`
	To         time.Time `json:"to,omitzero"`
	Seq        uint64    `json:"seq,omitempty"`        // instead of To: the state after this change
	Collection string    `json:"collection,omitempty"` // a path; empty: everything
	DryRun     bool      `json:"dry_run,omitempty"`
}

// ReversalEvent is something that happens on the way.
type ReversalEvent struct {
	Done  int           `json:"done,omitempty"`
	Total int           `json:"total,omitempty"`
	Step  *ReversalStep `json:"step,omitempty"` // what was done, or would be; they come at the end
	Left  *ReversalLeft `json:"left,omitempty"`
}

// ReversalStep is one item of a reversal.
type ReversalStep struct {
	Does    core.Does `json:"does"` // added, changed, removed
	Kind    string    `json:"kind"`
	Path    string    `json:"path"`
	Instead string    `json:"instead_of,omitempty"` // the name that it had, where another collection has that now
	Items   int64     `json:"items,omitempty"`      // in a collection that comes or goes
}

// ReversalLeft is an item that stays as it is.
type ReversalLeft struct {
	Path    string `json:"path,omitempty"`
	Why     string `json:"why"`
	Since   bool   `json:"changed_since"`     // then: by whom
	Account string `json:"account,omitempty"` // empty: the operator
	Device  string `json:"device,omitempty"`
}

// ReversalDone is how a reversal ended.
type ReversalDone struct {
	ID     *holdfast.ID `json:"id,omitempty"` // none: nothing was changed
	What   string       `json:"what"`
	DryRun bool         `json:"dry_run"`
	Seq    uint64       `json:"seq"`              // of a rewind: the change whose state was wanted; of an undo: the last that was undone
	Of     *holdfast.ID `json:"of,omitempty"`     // the reversal that was undone
	AsOf   *time.Time   `json:"as_of,omitempty"`  // when that change of a rewind was made
	Same   int          `json:"as_it_was_before"` // items of which there was nothing to do
	Done   bool         `json:"done"`
}

// Undo takes changes back and calls fn with what happens.
func (c *Client) Undo(ctx context.Context, q UndoRequest, fn func(ReversalEvent)) (ReversalDone, error) {
	return hearLines[ReversalEvent, ReversalDone](ctx, c, of(q.Account, "/undo"), q, fn)
}

// Rewind brings an account, or a collection of it, to an earlier state, and calls fn with what happens.
func (c *Client) Rewind(ctx context.Context, q RewindRequest, fn func(ReversalEvent)) (ReversalDone, error) {
	return hearLines[ReversalEvent, ReversalDone](ctx, c, of(q.Account, "/rewind"), q, fn)
}

func (h *handler) undo(w http.ResponseWriter, r *http.Request) {
	var q UndoRequest
	if err := decode(r, &q); err != nil {
		writeProblem(w, err)
		return
	}
	h.reverse(w, r, q.DryRun, func(ctx context.Context, p *core.Past, tell func(core.Progress)) (core.Reversed, error) {
		return p.Undo(ctx, core.UndoRequest{Change: q.Change, Reversal: q.Reversal, Burst: q.Burst, DryRun: q.DryRun}, tell)
	})
}

func (h *handler) rewind(w http.ResponseWriter, r *http.Request) {
	var q RewindRequest
	if err := decode(r, &q); err != nil {
		writeProblem(w, err)
		return
	}
	h.reverse(w, r, q.DryRun, func(ctx context.Context, p *core.Past, tell func(core.Progress)) (core.Reversed, error) {
		return p.Rewind(ctx, core.RewindRequest{To: q.To, Seq: q.Seq, Collection: q.Collection, DryRun: q.DryRun}, tell)
	})
}

// reverse does it and answers with what happens. Where it did not come to its end what was done is told before the error.
func (h *handler) reverse(w http.ResponseWriter, r *http.Request, dry bool, work func(context.Context, *core.Past, func(core.Progress)) (core.Reversed, error)) {
	ctx, done := h.untilStop(r)
	defer done()
	a, err := h.Core.Account(ctx, r.PathValue("ref"))
	if err != nil {
		writeProblem(w, err)
		return
	}
	past, err := h.Core.PastOf(ctx, a.ID)
	if err != nil {
		writeProblem(w, err)
		return
	}
	tellLines(w, func(tell func(ReversalEvent)) (ReversalDone, error) {
		out, err := work(ctx, past, func(p core.Progress) { tell(ReversalEvent{Done: p.Done, Total: p.Total}) })
		for _, s := range out.Steps {
			tell(ReversalEvent{Step: &ReversalStep{Does: s.Does, Kind: s.Kind.String(), Path: s.Path, Instead: s.Instead, Items: s.Items}})
		}
		for _, l := range out.Left {
			tell(ReversalEvent{Left: &ReversalLeft{Path: l.Path, Why: l.Why, Since: l.Since, Account: l.By, Device: l.Device}})
		}
		rec := out.Record
		if !rec.ID.IsZero() {
			h.Log.Info("changes were taken back", "account", a.Email, "what", rec.What, "id", rec.ID, "seq", rec.Seq, "added", rec.Added, "changed", rec.Changed, "removed", rec.Removed,
				"collections", rec.Collections, "left", len(out.Left), "done", rec.Done)
		}
		return showReversed(out, dry), err
	})
}

func showReversed(out core.Reversed, dry bool) ReversalDone {
	d := ReversalDone{What: out.Record.What, DryRun: dry, Seq: out.Record.Seq, Same: out.Same, Done: out.Record.Done}
	if id := out.Record.ID; !id.IsZero() {
		d.ID = &id
	}
	if id := out.Record.Of; !id.IsZero() {
		d.Of = &id
	}
	if at := out.AsOf.UTC(); !out.AsOf.IsZero() {
		d.AsOf = &at
	}
	return d
}
