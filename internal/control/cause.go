package control

import (
	"context"
	"net/http"
	"slices"

	"holdfast"
	"holdfast/internal/core"
)

// Cause is what vaults and ledgers know of what the devices of an incident have seen.
type Cause struct {
	Explained []holdfast.ID `json:"explained"` // devices whose very history one of them has
	Lost      []LostItem    `json:"lost"`      // what they know of the account and the store does not
	Unread    []string      `json:"unread"`    // which could not be read, or not as a whole, and why: more may be there
}

// LostItem is an item that the store lacks.
type LostItem struct {
	Path  string `json:"path"`
	Kind  string `json:"kind"`
	ETag  string `json:"etag"`
	Found bool   `json:"found"` // a vault has its octets: a repair brings it in
}

// cause looks in all vaults for what the devices of an incident have seen.
func (h *handler) cause(r *http.Request) (any, error) {
	if h.Explain == nil {
		return nil, noVaults()
	}
	ref := r.PathValue("ref")
	id, err := h.doubtful(r)
	if err != nil {
		return nil, err
	}
	all := h.Core.Doubts()
	i := slices.IndexFunc(all, func(x core.Doubt) bool { return x.Account == id })
	if i < 0 {
		return nil, fail(holdfast.NotFound, ref, "%s is not in doubt; `holdfast incident list` shows who is", ref)
	}
	return h.Explain(r.Context(), all[i])
}

// Cause looks in all vaults and ledgers for what the devices of an incident have seen, and for what the store lacks. It may take as long as reading the account there.
func (c *Client) Cause(ctx context.Context, ref string) (x Cause, err error) {
	err = c.call(ctx, "GET", of(ref, "/cause"), nil, &x)
	return x, err
}
