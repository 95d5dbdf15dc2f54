package control

import (
	"context"
	"net/http"
)

// VaultRepair says how a vault is repaired.
type VaultRepair struct {
	From string `json:"from,omitempty"` // another vault, for what the store does not have: a name in the store's list, a directory as an absolute path, or a URL
}

// VaultMended is one thing that the repair of a vault did.
type VaultMended struct {
	What    string `json:"what"` // key, pack, segment: read no more in its old form; account: of which changes were written again; file: put anew
	Name    string `json:"name"`
	Changes uint64 `json:"changes,omitempty"`
}

// VaultRepairReport sums up the repair of a vault.
type VaultRepairReport struct {
	Vault    string   `json:"vault"`
	Damaged  []string `json:"damaged"`  // objects that were damaged or missing
	Packs    []string `json:"packs"`    // that were written in their place
	Files    int64    `json:"files"`    // large files that were put anew
	Changes  uint64   `json:"changes"`  // that were missing, and were written again
	Anew     bool     `json:"anew"`     // the vault was filled anew
	Left     int64    `json:"left"`     // findings that the last reading still has
	Findings []string `json:"findings"` // the first of them
}

// repairVault answers with what is done as it is done, and a report in the end.
func (h *handler) repairVault(w http.ResponseWriter, r *http.Request) {
	if h.Vaults == nil {
		writeProblem(w, noVaults())
		return
	}
	var q VaultRepair
	if err := decode(r, &q); err != nil {
		writeProblem(w, err)
		return
	}
	tellLines(w, func(tell func(VaultMended)) (VaultRepairReport, error) {
		return h.Vaults.Repair(r.Context(), r.PathValue("name"), q, tell)
	})
}

// RepairVault makes a damaged vault whole again, and calls fn with each thing that is done.
func (c *Client) RepairVault(ctx context.Context, name string, q VaultRepair, fn func(VaultMended)) (rep VaultRepairReport, err error) {
	return hearLines[VaultMended, VaultRepairReport](ctx, c, ofVault(name, "/repair"), q, fn)
}
