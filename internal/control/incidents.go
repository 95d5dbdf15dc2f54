package control

import (
	"context"
	"net/http"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/core"
)

// Incident is an account of which more was seen than the store has.
type Incident struct {
	Account    string           `json:"account"` // its name
	ID         holdfast.ID      `json:"id"`      // the account's
	Since      time.Time        `json:"since"`
	Held       bool             `json:"held"`             // nobody reads or writes it; otherwise the devices named are held, and no others
	Device     string           `json:"device,omitempty"` // what its owner calls it, or its id where it was revoked; "vault NAME" where a vault has another history
	Collection holdfast.ID      `json:"collection"`       // which the device asked about; the store may not have it
	Seen       uint64           `json:"seen"`             // the change that the device has seen
	Head       uint64           `json:"head"`             // the newest change that the store had
	ByHand     bool             `json:"by_hand"`          // an operator holds it, before anybody proved anything
	Devices    []IncidentDevice `json:"devices"`          // that brought evidence
}

// IncidentDevice is a device that has seen more than the store has.
type IncidentDevice struct {
	ID         holdfast.ID `json:"id"`
	Name       string      `json:"name"`  // or its id where it was revoked
	State      string      `json:"state"` // held, or how that ended: dismissed, salvaged, regained
	Since      time.Time   `json:"since"`
	Ended      *time.Time  `json:"ended"`
	Collection holdfast.ID `json:"collection"`
	Seen       uint64      `json:"seen"`
	Head       uint64      `json:"head"`
	Kind       string      `json:"kind"`    // what lies in that collection: contacts, calendar items, files; empty: the store does not have it
	Missing    uint64      `json:"missing"` // how many changes the device may know and the store lacks, at most; 0: not known
}

func (h *handler) incidents(r *http.Request) (any, error) {
	out, names := []Incident{}, map[holdfast.ID]string{}
	for _, x := range h.Core.Doubts() {
		if err := h.Core.Missing(r.Context(), &x); err != nil {
			return nil, err
		}
		out = append(out, h.incident(r.Context(), names, x))
	}
	return out, nil
}

func (h *handler) incident(ctx context.Context, names map[holdfast.ID]string, x core.Doubt) Incident {
	i := Incident{Account: h.name(ctx, names, x.Account), ID: x.Account, Since: x.Since.UTC(), Held: !x.Since.IsZero(), Collection: x.Collection, Seen: x.Seq, Head: x.Head, ByHand: x.ByHand,
		Devices: []IncidentDevice{}}
	for _, e := range x.Evidence {
		d := IncidentDevice{ID: e.Device, Name: h.deviceName(ctx, x.Account, e.Device), State: "held", Since: e.Since.UTC(), Collection: e.Collection, Seen: e.Seq, Head: e.Head, Missing: e.Missing, Kind: h.kindIn(ctx, x.Account, e.Collection)}
		if !e.Open() {
			at := e.Ended.UTC()
			d.State, d.Ended = e.How, &at
		} else if !i.Held && (i.Device == "" || e.Since.Before(i.Since)) { // the oldest that is open stands for the account
			i.Device, i.Since, i.Collection, i.Seen, i.Head = d.Name, d.Since, d.Collection, d.Seen, d.Head
		}
		i.Devices = append(i.Devices, d)
	}
	switch {
	case x.Vault != "":
		i.Device = "vault " + x.Vault
	case i.Held && !x.Device.IsZero():
		i.Device = h.deviceName(ctx, x.Account, x.Device)
	}
	return i
}

// kindIn says in words what lies in a collection of an account.
func (h *handler) kindIn(ctx context.Context, account, collection holdfast.ID) (kind string) {
	_ = h.Core.Inspect(ctx, account, func(x *core.Reader) error { // what cannot be read has no kind
		list, err := x.Collections()
		for _, c := range list {
			if c.ID == collection {
				kind = map[holdfast.CollectionType]string{holdfast.TypeAddressbook: "contacts", holdfast.TypeCalendar: "calendar items", holdfast.TypeFolder: "files", holdfast.TypeAlbum: "photos in albums"}[c.Type]
			}
		}
		return err
	})
	return kind
}

// deviceName names a device that knows an account; it may be a guest's.
func (h *handler) deviceName(ctx context.Context, account, device holdfast.ID) string {
	if name, ok := h.deviceOf(ctx, account, device); ok {
		return name
	}
	shares, err := h.Core.Shares(ctx, account)
	for _, s := range shares {
		if name, ok := h.deviceOf(ctx, s.Guest, device); err == nil && ok {
			return name + " of " + s.With.Email
		}
	}
	return device.String()
}

func (h *handler) deviceOf(ctx context.Context, account, device holdfast.ID) (name string, ok bool) {
	list, err := h.Core.Devices(ctx, account)
	i := slices.IndexFunc(list, func(d core.Device) bool { return d.ID == device })
	if err != nil || i < 0 {
		return "", false
	}
	return list[i].Name, true
}

// doubtful returns the id of an account that is in doubt. One that the store does not have at all is named by its id.
func (h *handler) doubtful(r *http.Request) (id holdfast.ID, err error) {
	ref := r.PathValue("ref")
	if id, err = holdfast.ParseID(ref); err == nil {
		return id, nil
	}
	a, err := h.Core.Account(r.Context(), ref)
	return a.ID, err
}

// hold puts an account in doubt before any device has proved anything.
func (h *handler) hold(r *http.Request) (any, error) {
	a, err := h.Core.Account(r.Context(), r.PathValue("ref"))
	if err != nil {
		return nil, err
	}
	fresh, err := h.Core.Hold(r.Context(), a.ID)
	return heldAnswer{a.ID, fresh}, err
}

type heldAnswer struct {
	ID    holdfast.ID `json:"id"`
	Fresh bool        `json:"fresh"` // it was not held before
}

// release settles an account's doubt.
func (h *handler) release(r *http.Request) (any, error) {
	ref := r.PathValue("ref")
	id, err := h.doubtful(r)
	if err != nil {
		return nil, err
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

// dismissal names a device whose loss is given up, by its id or by what its owner calls it.
type dismissal struct {
	Device string `json:"device"`
}

// dismiss ends the hold on one device.
func (h *handler) dismiss(r *http.Request) (any, error) {
	var q dismissal
	if err := decode(r, &q); err != nil {
		return nil, err
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
	if err := h.Core.Missing(r.Context(), &all[i]); err != nil {
		return nil, err
	}
	var found []IncidentDevice
	for _, d := range h.incident(r.Context(), map[holdfast.ID]string{}, all[i]).Devices {
		if d.State == "held" && (d.ID.String() == q.Device || d.Name == q.Device) {
			found = append(found, d)
		}
	}
	switch {
	case len(found) == 0:
		return nil, fail(holdfast.NotFound, q.Device, "no device %q of %s is held; `holdfast incident show %s` names those that are", q.Device, ref, ref)
	case len(found) > 1:
		return nil, fail(holdfast.Invalid, q.Device, "%d devices are called %q; name one by its id, which `holdfast incident show %s` shows", len(found), q.Device, ref)
	}
	return found[0], h.Core.Dismiss(r.Context(), id, found[0].ID, core.Dismissed)
}

// Incidents lists the accounts that are in doubt, and those of which a device is.
func (c *Client) Incidents(ctx context.Context) (list []Incident, err error) {
	err = c.call(ctx, "GET", "/v1/incidents", nil, &list)
	return list, err
}

// Hold puts an account in doubt before any device has proved anything: all its devices wait until it is released. fresh tells that it did not wait before. Errors: NotFound.
func (c *Client) Hold(ctx context.Context, ref string) (fresh bool, err error) {
	var a heldAnswer
	err = c.call(ctx, "POST", of(ref, "/hold"), nil, &a)
	return a.Fresh, err
}

// Release settles an account's doubt: what the store has is what counts from now on. Errors: NotFound (no such account, or it is not in doubt).
func (c *Client) Release(ctx context.Context, ref string) error {
	return c.call(ctx, "POST", of(ref, "/release"), nil, &struct{}{})
}

// Dismiss gives up what one device, named by its id or by what its owner calls it, has seen and the store lacks: it lists anew then, and drops that. It returns the device as it was held. Errors:
// NotFound (it is not held), Invalid (more than one has that name).
func (c *Client) Dismiss(ctx context.Context, ref, device string) (d IncidentDevice, err error) {
	err = c.call(ctx, "POST", of(ref, "/dismiss"), dismissal{device}, &d)
	return d, err
}
