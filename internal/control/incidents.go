package control

import (
	"context"
	"net/http"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/core"
)

// Incident is an account of which a device has seen more than the store has. Nobody reads or writes it through the server while it stands.
type Incident struct {
	Account    string      `json:"account"` // its name
	ID         holdfast.ID `json:"id"`      // the account's
	Since      time.Time   `json:"since"`
	Device     string      `json:"device,omitempty"` // what its owner calls it, or its id where it was revoked; "vault NAME" where a vault has another history
	Collection holdfast.ID `json:"collection"`       // which the device asked about; the store may not have it
	Seen       uint64      `json:"seen"`             // the change that the device has seen
	Head       uint64      `json:"head"`             // the newest change that the store had
}

func (h *handler) incidents(r *http.Request) (any, error) {
	out, names := []Incident{}, map[holdfast.ID]string{}
	for _, x := range h.Core.Doubts() {
		out = append(out, Incident{Account: h.name(r.Context(), names, x.Account), ID: x.Account, Since: x.Since.UTC(), Device: h.deviceName(r.Context(), x),
			Collection: x.Collection, Seen: x.Seq, Head: x.Head})
	}
	return out, nil
}

// deviceName names the device that brought an account into doubt; empty for none. It may be a guest's.
func (h *handler) deviceName(ctx context.Context, x core.Doubt) string {
	if x.Vault != "" {
		return "vault " + x.Vault
	}
	if x.Device.IsZero() {
		return ""
	}
	if name, ok := h.deviceOf(ctx, x.Account, x.Device); ok {
		return name
	}
	shares, err := h.Core.Shares(ctx, x.Account)
	for _, s := range shares {
		if name, ok := h.deviceOf(ctx, s.Guest, x.Device); err == nil && ok {
			return name + " of " + s.With.Email
		}
	}
	return x.Device.String()
}

func (h *handler) deviceOf(ctx context.Context, account, device holdfast.ID) (name string, ok bool) {
	list, err := h.Core.Devices(ctx, account)
	i := slices.IndexFunc(list, func(d core.Device) bool { return d.ID == device })
	if err != nil || i < 0 {
		return "", false
	}
	return list[i].Name, true
}

// release settles an account's doubt. An account that the store does not have at all is named by its id.
func (h *handler) release(r *http.Request) (any, error) {
	ref := r.PathValue("ref")
	id, err := holdfast.ParseID(ref)
	if err != nil {
		a, err := h.Core.Account(r.Context(), ref)
		if err != nil {
			return nil, err
		}
		id = a.ID
	}
	if err := h.Core.Settle(r.Context(), id); err != nil {
		if holdfast.IsKind(err, holdfast.NotFound) {
			return nil, fail(holdfast.NotFound, ref, "%s is not in doubt; `holdfast incident list` shows who is", ref)
		}
		return nil, err
	}
	return struct {
		ID       holdfast.ID `json:"id"`
		Released bool        `json:"released"`
	}{id, true}, nil
}

// Incidents lists the accounts that are in doubt.
func (c *Client) Incidents(ctx context.Context) (list []Incident, err error) {
	err = c.call(ctx, "GET", "/v1/incidents", nil, &list)
	return list, err
}

// Release settles an account's doubt: what the store has is what counts from now on. Errors: NotFound (no such account, or it is not in doubt).
func (c *Client) Release(ctx context.Context, ref string) error {
	return c.call(ctx, "POST", of(ref, "/release"), nil, &struct{}{})
}
