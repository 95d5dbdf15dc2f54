package control

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"holdfast"
)

// Vaults are the operations on a store's vaults, for who wires them.
type Vaults interface {
	// Status tells how each vault fares.
	Status(ctx context.Context) (VaultStatus, error)
	// Add makes a vault of the store at a place, or takes up one that it has there already.
	Add(ctx context.Context, n NewVault) (VaultState, error)
	// Retire takes a vault off the list. Nothing that lies in it is touched.
	Retire(ctx context.Context, name string, force bool) error
	// Verify reads everything that a vault holds, and calls fn with what is wrong. With engine, it is compared with the store too.
	Verify(ctx context.Context, name string, engine bool, fn func(VaultFinding)) (VaultReport, error)
	// Repair makes a damaged vault whole again, and calls fn with each thing that it does. In the end it is read as Verify does.
	Repair(ctx context.Context, name string, q VaultRepair, fn func(VaultMended)) (VaultRepairReport, error)
	// Prune lets go of octets of old versions in a vault, or only tells what would go, and tells what holds that up.
	Prune(ctx context.Context, name string, q PruneRequest) (PruneReport, error)
}

// VaultStatus tells how a store's copies fare.
type VaultStatus struct {
	Vaults  []VaultState `json:"vaults"`
	Policy  PolicyState  `json:"policy"`
	Verdict string       `json:"verdict"` // ok, late, at-risk, unknown
	Copies  int          `json:"copies"`  // the engine's included
	Domains int          `json:"domains"` // in which they lie
	Why     string       `json:"why"`     // what the verdict rests on, for people
}

// PolicyState is which copies an answer waits for.
type PolicyState struct {
	Ack       string `json:"ack"`
	OnFailure string `json:"on_failure"`
}

// VaultState tells how one vault fares.
type VaultState struct {
	Name         string        `json:"name"`
	Vault        holdfast.ID   `json:"vault"`
	Kind         string        `json:"kind"`
	Location     string        `json:"location"`
	Domain       string        `json:"domain"`
	SameDomainAs []string      `json:"same_domain_as"` // other copies that would end with it: vaults, and "engine"
	WhySame      string        `json:"same_domain_why,omitempty"`
	Mode         string        `json:"mode"`  // sync, async
	State        string        `json:"state"` // opening, filling, whole, behind, unreachable, fenced, damaged, full
	Reason       string        `json:"reason,omitempty"`
	Since        *time.Time    `json:"since"`
	Added        *time.Time    `json:"added"`
	LagChanges   int64         `json:"lag_changes"`
	LagBytes     int64         `json:"lag_bytes"`
	LagSeconds   float64       `json:"lag_s"`
	LastShip     *time.Time    `json:"last_ship"`
	LastScrub    *time.Time    `json:"last_scrub"`
	Objects      int64         `json:"objects"`
	Octets       int64         `json:"octets"`
	Damaged      []string      `json:"damaged"`
	Bucket       *BucketState  `json:"bucket,omitempty"` // of one in an object store
	Files        VaultFiles    `json:"files"`
	Unnamed      *VaultUnnamed `json:"unnamed,omitempty"` // of files that no change names; nil: nobody looked since the start
}

// VaultFiles tells how the octets of large files fare that go into a vault.
type VaultFiles struct {
	Missing int64  `json:"missing"`         // that its changes name and it lacks, as neither the store nor another vault has them
	Moving  int64  `json:"moving"`          // that are on their way
	Octets  int64  `json:"octets"`          // of those, that were read
	Of      int64  `json:"of"`              // of those, in all
	Fault   string `json:"fault,omitempty"` // why the newest could not be put there
}

// VaultUnnamed tells what a vault holds of files that no change names: uploads that broke off, what a repair replaced, what an older key of an account named.
type VaultUnnamed struct {
	Objects int64    `json:"objects"`
	Octets  int64    `json:"octets"`
	Kept    int64    `json:"kept"`   // of the objects: that the place does not let go of, or, told by a list, not yet
	Left    float64  `json:"left_s"` // until the first of the others may go, by time that the service runs
	Held    []string `json:"held"`   // why nothing goes now
}

// BucketState tells what the bucket is made for that a vault lies in.
type BucketState struct {
	Versions    string `json:"versions"`         // yes, no, unknown: it keeps what was overwritten or removed
	Locks       string `json:"locks"`            // yes, no, unknown: objects can be locked
	LockSeconds int64  `json:"lock_s,omitempty"` // for how long the vault locks them
}

// NewVault is what Add takes.
type NewVault struct {
	Name        string `json:"name"`
	Kind        string `json:"kind"`
	Location    string `json:"location"`
	Domain      string `json:"domain"`
	Mode        string `json:"mode"`
	Fingerprint string `json:"fingerprint,omitempty"`
	Credential  string `json:"credential,omitempty"` // secret
	Prune       string `json:"prune,omitempty"`      // secret
	Region      string `json:"region,omitempty"`
	CA          string `json:"ca,omitempty"`
	LockSeconds int64  `json:"lock_s,omitempty"`
}

// VaultFinding is one thing that is wrong in a vault.
type VaultFinding struct {
	Object     string `json:"object,omitempty"`
	Account    string `json:"account,omitempty"`
	Collection string `json:"collection,omitempty"`
	Name       string `json:"name,omitempty"`
	Seq        uint64 `json:"seq,omitempty"`
	SeqTo      uint64 `json:"seq_to,omitempty"` // the last one, where a row of changes is meant
	What       string `json:"what"`
}

// VaultReport sums up what was read.
type VaultReport struct {
	Vault    string   `json:"vault"`
	Objects  int64    `json:"objects"`
	Octets   int64    `json:"octets"`
	Accounts int64    `json:"accounts,omitempty"` // that were opened; a scrub opens none
	Changes  int64    `json:"changes,omitempty"`
	Damaged  []string `json:"damaged"`
	Findings int64    `json:"findings"`
}

func noVaults() error {
	return fail(holdfast.Unavailable, "", "this process does not look after vaults")
}

func (h *handler) vaultStatus(r *http.Request) (any, error) {
	if h.Vaults == nil {
		return nil, noVaults()
	}
	return h.Vaults.Status(r.Context())
}

func (h *handler) addVault(r *http.Request) (any, error) {
	if h.Vaults == nil {
		return nil, noVaults()
	}
	var n NewVault
	if err := decode(r, &n); err != nil {
		return nil, err
	}
	return h.Vaults.Add(r.Context(), n)
}

func (h *handler) retireVault(r *http.Request) (any, error) {
	if h.Vaults == nil {
		return nil, noVaults()
	}
	return struct{}{}, h.Vaults.Retire(r.Context(), r.PathValue("name"), r.FormValue("force") == "true")
}

// verifyVault answers with findings as they come, and a report in the end.
func (h *handler) verifyVault(w http.ResponseWriter, r *http.Request) {
	if h.Vaults == nil {
		writeProblem(w, noVaults())
		return
	}
	tellLines(w, func(tell func(VaultFinding)) (VaultReport, error) {
		return h.Vaults.Verify(r.Context(), r.PathValue("name"), r.FormValue("engine") == "true", tell)
	})
}

// VaultStatus tells how the store's vaults fare.
func (c *Client) VaultStatus(ctx context.Context) (s VaultStatus, err error) {
	err = c.call(ctx, "GET", "/v1/vaults", nil, &s)
	return s, err
}

// AddVault makes a vault, or takes up one that the store has.
func (c *Client) AddVault(ctx context.Context, n NewVault) (s VaultState, err error) {
	err = c.call(ctx, "POST", "/v1/vaults", n, &s)
	return s, err
}

// RetireVault takes a vault off the list.
func (c *Client) RetireVault(ctx context.Context, name string, force bool) error {
	path := ofVault(name, "")
	if force {
		path += "?force=true"
	}
	return c.call(ctx, "DELETE", path, nil, &struct{}{})
}

// VerifyVault reads all that a vault holds and calls fn with each finding. With engine, it is compared with the store.
func (c *Client) VerifyVault(ctx context.Context, name string, engine bool, fn func(VaultFinding)) (report VaultReport, err error) {
	path := ofVault(name, "/verify")
	if engine {
		path += "?engine=true"
	}
	return hearLines[VaultFinding, VaultReport](ctx, c, path, struct{}{}, fn)
}

func ofVault(name, rest string) string { return "/v1/vaults/" + url.PathEscape(name) + rest }
