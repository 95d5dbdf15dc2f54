package control

import (
	"context"
	"net/http"
	"time"

	"holdfast"
)

// Erasures lets accounts wait for their erasure, and tells how far that is.
type Erasures interface {
	// Request begins an account's wait. Errors: NotFound.
	Request(ctx context.Context, account holdfast.ID) (Erasure, error)
	// Undo calls fn, which gives the account another state, unless it is too late for that; nothing is begun meanwhile. Errors: Forbidden (its keys are being destroyed), those of fn.
	Undo(ctx context.Context, account holdfast.ID, fn func() error) error
	// List returns all that are known, those that are over too.
	List(ctx context.Context) ([]Erasure, error)
}

// Erasure is an account that is to be erased, or was.
type Erasure struct {
	ID        holdfast.ID `json:"id"`
	Email     string      `json:"email,omitempty"` // until it is erased
	State     string      `json:"state"`           // waiting, erasing, erased
	Requested time.Time   `json:"requested"`
	Waited    float64     `json:"waited_s"`
	Wait      float64     `json:"wait_s"`
	Left      []string    `json:"left"` // what still holds something of it
}

// The states of an erasure.
const (
	EraseWaiting = "waiting" // it can be undone: holdfast account resume
	EraseGoingOn = "erasing" // its keys are destroyed; something still holds lines of it
	EraseDone    = "erased"  // every vault has confirmed
)

func (h *handler) erase(r *http.Request) (any, error) {
	if h.Erasures == nil {
		return nil, fail(holdfast.Unavailable, "", "accounts are erased by the running service alone")
	}
	a, err := h.Core.Account(r.Context(), r.PathValue("ref"))
	if err != nil {
		return nil, err
	}
	return h.Erasures.Request(r.Context(), a.ID)
}

func (h *handler) erasures(r *http.Request) (any, error) {
	if h.Erasures == nil {
		return []Erasure{}, nil
	}
	return h.Erasures.List(r.Context())
}

// EraseAccount lets an account wait for its erasure.
func (c *Client) EraseAccount(ctx context.Context, ref string) (out Erasure, err error) {
	err = c.call(ctx, "POST", of(ref, "/erase"), nil, &out)
	return out, err
}

// Erasures lists the accounts that are to be erased, or were.
func (c *Client) Erasures(ctx context.Context) (out []Erasure, err error) {
	err = c.call(ctx, "GET", "/v1/erasures", nil, &out)
	return out, err
}
