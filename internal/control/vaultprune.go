package control

import (
	"context"
	"net/http"
)

// PruneRequest says how a vault is pruned.
type PruneRequest struct {
	DryRun bool `json:"dry_run"`
}

// PruneReport is what pruning a vault by age lets go of.
type PruneReport struct {
	Vault     string   `json:"vault"`
	Retention float64  `json:"retention_s"`
	Counted   float64  `json:"counted_s"` // the time along the vault's heads
	Accounts  int64    `json:"accounts"`  // that were read
	Passed    int64    `json:"passed_over"`
	Versions  int64    `json:"versions"` // that were replaced or deleted longer ago than the retention, and have their octets
	Octets    int64    `json:"octets"`   // of their bodies, before they were compressed
	Held      []string `json:"held"`     // what keeps all of it from being let go of

	DryRun  bool          `json:"dry_run"`
	Packs   []PrunedPack  `json:"packs"`   // the first step: those that were written anew, or would be
	Early   int           `json:"early"`   // packs with old versions that are too young, or of which what they were made of is still there
	Few     int           `json:"few"`     // packs with so few of them that they stay as they are
	Waiting []WaitingPack `json:"waiting"` // the second step: those that others without old versions have replaced, and that are there yet
	Purged  int           `json:"purged"`  // objects that went
}

// PrunedPack is a pack that is written anew without old versions.
type PrunedPack struct {
	Old      string `json:"old"`
	New      string `json:"new"` // empty: it was not written
	Versions int64  `json:"versions"`
	Octets   int64  `json:"octets"` // of their bodies, before they were compressed
}

// WaitingPack is a pack that waits until it goes.
type WaitingPack struct {
	Pack   string   `json:"pack"`
	Octets int64    `json:"octets"` // as it lies
	Left   float64  `json:"left_s"` // of the vault's own time
	Why    []string `json:"why"`    // what keeps it; empty: it is due
}

// pruneVault answers with what was let go of, or would be.
func (h *handler) pruneVault(r *http.Request) (any, error) {
	if h.Vaults == nil {
		return nil, noVaults()
	}
	var q PruneRequest
	if err := decode(r, &q); err != nil {
		return nil, err
	}
	return h.Vaults.Prune(r.Context(), r.PathValue("name"), q)
}

// PruneVault lets go of octets of old versions in a vault, or only tells what would go.
func (c *Client) PruneVault(ctx context.Context, name string, q PruneRequest) (rep PruneReport, err error) {
	err = c.call(ctx, "POST", ofVault(name, "/prune"), q, &rep)
	return rep, err
}
