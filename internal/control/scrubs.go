package control

import (
	"context"
	"net/http"

	"holdfast"
	"holdfast/internal/scrub"
)

// Scrubs are the operations on the living engine's own octets, for who wires them.
type Scrubs interface {
	// Scrub reads everything that the engine holds, or what is left of a round that is under way, and calls fn with each thing that is wrong, mended or not. It waits for one that runs.
	Scrub(ctx context.Context, fn func(scrub.Finding)) (scrub.Round, error)
}

// scrubLine is one line of the answer to a scrub.
type scrubLine struct {
	Finding *scrub.Finding `json:"finding,omitempty"`
	Done    *scrub.Round   `json:"done,omitempty"`
	Error   *Problem       `json:"error,omitempty"`
}

// scrub answers with findings as they come, and the round in the end.
func (h *handler) scrub(w http.ResponseWriter, r *http.Request) {
	if h.Scrubs == nil {
		writeProblem(w, fail(holdfast.Unavailable, "", "this process does not scrub"))
		return
	}
	out := newLines(w)
	done, err := h.Scrubs.Scrub(r.Context(), func(f scrub.Finding) { _ = out.write(scrubLine{Finding: &f}) })
	last := scrubLine{Done: &done}
	if err != nil {
		last = scrubLine{Error: problemOf(err)}
	}
	_ = out.write(last)
}

// Scrub reads everything that the engine holds, and calls fn with each thing that is wrong.
func (c *Client) Scrub(ctx context.Context, fn func(scrub.Finding)) (done scrub.Round, err error) {
	ended := false
	err = stream(ctx, c, "/v1/scrub", struct{}{}, func(l *scrubLine) error {
		switch {
		case l.Error != nil:
			return l.Error.Err()
		case l.Finding != nil:
			fn(*l.Finding)
		case l.Done != nil:
			done, ended = *l.Done, true
		}
		return nil
	})
	if err == nil && !ended {
		err = errAborted
	}
	return done, err
}
