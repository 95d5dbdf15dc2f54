package control

import (
	"context"
	"net/http"
)

// RepairRequest says what is repaired, out of which vault.
type RepairRequest struct {
	From       string `json:"from"`              // a vault's name in the store's list, a directory as an absolute path, or a URL
	Account    string `json:"account,omitempty"` // login or id; empty: all
	Collection string `json:"collection,omitempty"`
	DryRun     bool   `json:"dry_run,omitempty"`
}

// Repaired is something that was missing in the store, or damaged.
type Repaired struct {
	Account    string `json:"account"`
	Collection string `json:"collection,omitempty"`
	Name       string `json:"name,omitempty"`
	Kind       string `json:"kind,omitempty"`
	ETag       string `json:"etag,omitempty"`
	What       string `json:"what"` // missing, damaged
	Done       bool   `json:"done"`
	Why        string `json:"why,omitempty"`   // it was not
	Ghost      bool   `json:"ghost,omitempty"` // nobody has its octets: it is listed to the devices that may have it
}

// RepairReport sums up a repair.
type RepairReport struct {
	Vault    string   `json:"vault"`
	Accounts int64    `json:"accounts"`
	Items    int64    `json:"items"` // that were compared
	Missing  int64    `json:"missing"`
	Damaged  int64    `json:"damaged"`
	Mended   int64    `json:"mended"`
	Left     int64    `json:"left"`         // that could not be mended
	Unread   []string `json:"vault_damage"` // what could not be read of the vault
}

func (h *handler) repair(w http.ResponseWriter, r *http.Request) {
	if h.Repair == nil {
		writeProblem(w, noVaults())
		return
	}
	var q RepairRequest
	if err := decode(r, &q); err != nil {
		writeProblem(w, err)
		return
	}
	tellLines(w, func(tell func(Repaired)) (RepairReport, error) {
		return h.Repair(r.Context(), q, tell)
	})
}

// Repair brings into the store what it lacks and a vault has, and calls fn with each thing that was wrong.
func (c *Client) Repair(ctx context.Context, q RepairRequest, fn func(Repaired)) (rep RepairReport, err error) {
	return hearLines[Repaired, RepairReport](ctx, c, "/v1/repair", q, fn)
}
