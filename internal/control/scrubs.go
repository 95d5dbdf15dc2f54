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
	// Seen says what is known of the engine's octets.
	Seen() scrub.Seen
}

// scrub answers with findings as they come, and the round in the end.
func (h *handler) scrub(w http.ResponseWriter, r *http.Request) {
	if h.Scrubs == nil {
		writeProblem(w, fail(holdfast.Unavailable, "", "this process does not scrub"))
		return
	}
	tellLines(w, func(tell func(scrub.Finding)) (scrub.Round, error) {
		return h.Scrubs.Scrub(r.Context(), tell)
	})
}

// Scrub reads everything that the engine holds, and calls fn with each thing that is wrong.
func (c *Client) Scrub(ctx context.Context, fn func(scrub.Finding)) (done scrub.Round, err error) {
	return hearLines[scrub.Finding, scrub.Round](ctx, c, "/v1/scrub", struct{}{}, fn)
}
