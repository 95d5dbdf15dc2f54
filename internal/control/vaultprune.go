package control

import (
	"context"
	"net/http"
)

// PruneReport is what pruning a vault by age would let go of. Nothing is.
type PruneReport struct {
	Vault     string   `json:"vault"`
	Retention float64  `json:"retention_s"`
	Counted   float64  `json:"counted_s"` // the time along the vault's heads
	Accounts  int64    `json:"accounts"`  // that were read
	Passed    int64    `json:"passed_over"`
	Versions  int64    `json:"versions"` // that were replaced or deleted longer ago than the retention
	Octets    int64    `json:"octets"`   // of their bodies, before they were compressed
	Held      []string `json:"held"`     // what would keep all of it from being let go of
}

// pruneVault answers with what pruning would let go of.
func (h *handler) pruneVault(r *http.Request) (any, error) {
	if h.Vaults == nil {
		return nil, noVaults()
	}
	return h.Vaults.CountOld(r.Context(), r.PathValue("name"))
}

// CountOld tells what pruning a vault by age would let go of.
func (c *Client) CountOld(ctx context.Context, name string) (rep PruneReport, err error) {
	err = c.call(ctx, "POST", ofVault(name, "/prune"), struct{}{}, &rep)
	return rep, err
}
