package control

import (
	"context"
	"net/http"
	"time"

	"holdfast"
)

// Keys are the operations on a store's keys, for who wires them. No secret goes through them: who has a recovery key proves or certifies with it on its own side.
type Keys interface {
	Show(ctx context.Context) (KeyState, error)
	// AddRecovery takes a new recovery key, wraps everything for it in every vault, and then drops the others if rotate is set. It goes on where an earlier call was cut.
	AddRecovery(ctx context.Context, n NewRecovery, rotate bool, fn func(KeyProgress)) (KeyState, error)
	// Checked notes that a recovery key was proven to open vaults.
	Checked(ctx context.Context, fingerprint string) (KeyState, error)
}

// KeyState is what is public of a store's keys.
type KeyState struct {
	Store    holdfast.ID     `json:"store"`
	Recovery []RecoveryState `json:"recovery"`
	Server   string          `json:"server"`        // the public half
	Signer   []byte          `json:"signer"`        // the public half
	Hybrid   bool            `json:"hybrid"`        // all keys withstand quantum computers
	File     string          `json:"file"`          // where the server's own keys lie
	Rotating bool            `json:"rotating"`      // a rotation is under way
	Nag      string          `json:"nag,omitempty"` // what should be done, and why
}

// RecoveryState is what is public of a recovery key.
type RecoveryState struct {
	Recipient   string     `json:"recipient"`
	Fingerprint string     `json:"fingerprint"`
	Made        time.Time  `json:"made"`
	Checked     *time.Time `json:"checked"` // null: never
	Leaving     bool       `json:"leaving,omitempty"`
}

// NewRecovery is the public half of a recovery key, and what it says of the server's signer.
type NewRecovery struct {
	Recipient string    `json:"recipient"`
	Made      time.Time `json:"made"`
	MAC       []byte    `json:"mac"`
}

// KeyProgress tells how far a rotation has come.
type KeyProgress struct {
	Vault   string `json:"vault"`
	Round   int    `json:"round"` // 1: wrapped for the new key too; 2: no more for the old one
	Done    int64  `json:"done"`
	Of      int64  `json:"of"`
	Waiting string `json:"waiting,omitempty"` // why the vault must be come back to
}

func (h *handler) keyState(r *http.Request) (any, error) {
	if h.Keys == nil {
		return nil, noVaults()
	}
	return h.Keys.Show(r.Context())
}

func (h *handler) keyChecked(r *http.Request) (any, error) {
	if h.Keys == nil {
		return nil, noVaults()
	}
	return h.Keys.Checked(r.Context(), r.PathValue("fingerprint"))
}

func (h *handler) addRecovery(w http.ResponseWriter, r *http.Request) {
	if h.Keys == nil {
		writeProblem(w, noVaults())
		return
	}
	var n NewRecovery
	if err := decode(r, &n); err != nil {
		writeProblem(w, err)
		return
	}
	tellLines(w, func(tell func(KeyProgress)) (KeyState, error) {
		return h.Keys.AddRecovery(r.Context(), n, r.FormValue("rotate") == "true", tell)
	})
}

// Keys tells what is public of the store's keys.
func (c *Client) Keys(ctx context.Context) (s KeyState, err error) {
	err = c.call(ctx, "GET", "/v1/keys", nil, &s)
	return s, err
}

// KeyChecked notes that a recovery key was proven to open vaults.
func (c *Client) KeyChecked(ctx context.Context, fingerprint string) (s KeyState, err error) {
	err = c.call(ctx, "POST", "/v1/keys/"+fingerprint+"/checked", nil, &s)
	return s, err
}

// AddRecovery gives the store a new recovery key; with rotate, in the place of those that it has.
func (c *Client) AddRecovery(ctx context.Context, n NewRecovery, rotate bool, fn func(KeyProgress)) (s KeyState, err error) {
	path := "/v1/keys"
	if rotate {
		path += "?rotate=true"
	}
	return hearLines[KeyProgress, KeyState](ctx, c, path, n, fn)
}
