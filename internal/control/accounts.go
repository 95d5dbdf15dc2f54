package control

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/core"
)

func show(a holdfast.Account) Account {
	return Account{ID: a.ID, Email: a.Email, State: a.State, Created: a.Created.UTC(), Pages: a.Password != ""}
}

// page is how many accounts are read at once.
const page = 1000

func (h *handler) accounts(r *http.Request) (any, error) {
	out := []Account{}
	for after := (holdfast.ID{}); ; {
		list, err := h.Core.Accounts(r.Context(), after, page)
		if err != nil {
			return nil, err
		}
		for _, a := range list {
			out = append(out, show(a))
		}
		if len(list) < page {
			slices.SortFunc(out, func(a, b Account) int { return cmp.Compare(a.Email, b.Email) })
			return out, nil
		}
		after = list[len(list)-1].ID
	}
}

func (h *handler) createAccount(r *http.Request) (any, error) {
	var q NewAccount
	if err := decode(r, &q); err != nil {
		return nil, err
	}
	if _, err := holdfast.ParseLogin(q.Email); err != nil {
		return nil, fail(holdfast.Invalid, q.Email, "%v", err)
	}
	hash := ""
	if q.Password != "" {
		var err error
		if hash, err = h.Hash(r.Context(), q.Email, q.Password); err != nil {
			return nil, err
		}
	}
	a, _, err := h.Core.CreateAccount(r.Context(), holdfast.Actor{}, q.Email, hash)
	if err != nil {
		return nil, err
	}
	h.Log.Info("an account was made", "account", a.Email, "id", a.ID)
	return show(a), nil
}

func (h *handler) account(r *http.Request) (any, error) {
	a, err := h.Core.Account(r.Context(), r.PathValue("ref"))
	if err != nil {
		return nil, err
	}
	out, shares := AccountDetail{Account: show(a), Collections: []Collection{}, Shares: []Share{}}, false
	err = h.Core.Inspect(r.Context(), a.ID, func(x *core.Reader) error {
		d, err := x.Digest(0)
		if err != nil {
			return err
		}
		out.Epoch, out.Seq, out.Chain, out.Digest = d.Epoch, d.Seq, d.Chain, d.State
		cs, err := x.Collections()
		for _, c := range cs {
			out.Octets += c.Octets
			shares = shares || len(x.SharedWith(c.ID)) > 0
			if !c.Type.Fixed() {
				out.Collections = append(out.Collections, Collection{Path: x.PathOf(c.ID), Name: c.Properties.Text("DAV:", "displayname"), Type: c.Type, Items: c.Items, Octets: c.Octets})
			}
		}
		slices.SortFunc(out.Collections, func(a, b Collection) int { return cmp.Compare(a.Path, b.Path) })
		if err == nil {
			out.Shared, err = sharedWith(x)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if shares {
		list, err := h.Core.Shares(r.Context(), a.ID)
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			if s.Owner.ID == a.ID {
				out.Shares = append(out.Shares, showShare(s))
			}
		}
	}
	out.Devices, err = h.deviceList(r, a.ID)
	return out, err
}

func (h *handler) setState(r *http.Request) (any, error) {
	var q struct {
		State holdfast.AccountState `json:"state"`
	}
	if err := decode(r, &q); err != nil {
		return nil, err
	}
	if q.State != holdfast.Active && q.State != holdfast.Suspended {
		return nil, fail(holdfast.Invalid, string(q.State), "an account is %q or %q", holdfast.Active, holdfast.Suspended)
	}
	set := func() (any, error) { return h.update(r, func(rec *holdfast.AccountRecord) { rec.State = q.State }) }
	if h.Erasures == nil {
		return set()
	}
	a, err := h.Core.Account(r.Context(), r.PathValue("ref"))
	if err != nil {
		return nil, err
	}
	var out any
	err = h.Erasures.Undo(r.Context(), a.ID, func() (err error) { out, err = set(); return err })
	return out, err
}

func (h *handler) rename(r *http.Request) (any, error) {
	var q struct {
		Email string `json:"email"`
	}
	if err := decode(r, &q); err != nil {
		return nil, err
	}
	login, err := holdfast.ParseLogin(q.Email)
	if err != nil {
		return nil, fail(holdfast.Invalid, q.Email, "%v", err)
	}
	return h.update(r, func(rec *holdfast.AccountRecord) { rec.Email = login })
}

func (h *handler) setPassword(r *http.Request) (any, error) {
	var q struct {
		Password string `json:"password"`
	}
	if err := decode(r, &q); err != nil {
		return nil, err
	}
	a, err := h.Core.Account(r.Context(), r.PathValue("ref"))
	if err != nil {
		return nil, err
	}
	if err := h.SetPassword(r.Context(), holdfast.Actor{}, a.ID, q.Password); err != nil {
		return nil, err
	}
	h.Log.Info("the operator set a new password for the pages", "account", a.Email, "id", a.ID)
	out := show(a)
	out.Pages = true
	return out, nil
}

// update changes an account's record; where nothing changes, nothing is committed.
func (h *handler) update(r *http.Request, fn func(*holdfast.AccountRecord)) (any, error) {
	a, err := h.Core.Account(r.Context(), r.PathValue("ref"))
	if err != nil {
		return nil, err
	}
	want := a.AccountRecord
	if fn(&want); want == a.AccountRecord {
		return show(a), nil
	}
	_, err = h.Core.UpdateAccount(r.Context(), holdfast.Actor{}, a.ID, func(rec *holdfast.AccountRecord) error { fn(rec); return nil })
	if err != nil {
		return nil, err
	}
	if a, err = h.Core.Account(r.Context(), a.ID.String()); err != nil {
		return nil, err
	}
	h.Log.Info("an account was changed", "account", a.Email, "id", a.ID, "state", a.State)
	return show(a), nil
}

func (h *handler) devices(r *http.Request) (any, error) {
	a, err := h.Core.Account(r.Context(), r.PathValue("ref"))
	if err != nil {
		return nil, err
	}
	return h.deviceList(r, a.ID)
}

func (h *handler) deviceList(r *http.Request, account holdfast.ID) ([]Device, error) {
	list, err := h.Core.Devices(r.Context(), account)
	if err != nil {
		return nil, err
	}
	out := []Device{}
	for _, d := range list {
		x := Device{ID: d.ID, Name: d.Name, Created: d.Created.UTC()}
		if !d.LastSeen.IsZero() {
			t := d.LastSeen.UTC()
			x.LastSeen = &t
		}
		out = append(out, x)
	}
	return out, nil
}

func (h *handler) addDevice(r *http.Request) (any, error) {
	var q struct {
		Name     string  `json:"name"`
		Password *string `json:"password"` // that the device has; nil: it gets a new one
	}
	if err := decode(r, &q); err != nil {
		return nil, err
	}
	a, err := h.Core.Account(r.Context(), r.PathValue("ref"))
	if err != nil {
		return nil, err
	}
	list, err := h.Core.Devices(r.Context(), a.ID)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(list, func(d core.Device) bool { return strings.EqualFold(d.Name, strings.TrimSpace(q.Name)) }) {
		return nil, fail(holdfast.Exists, q.Name, "%s has a device %q already; choose another name, or revoke that one first", a.Email, strings.TrimSpace(q.Name))
	}
	var password string
	var secret holdfast.Hash
	if q.Password != nil {
		secret, err = h.TakeSecret(*q.Password)
	} else {
		password, secret, err = h.NewSecret()
	}
	if err != nil {
		return nil, err
	}
	d, _, err := h.Core.AddDevice(r.Context(), holdfast.Actor{}, a.ID, q.Name, secret)
	if err != nil {
		return nil, err
	}
	h.Log.Info("a device was added", "account", a.Email, "device", d.ID, "name", d.Name, "taken over", q.Password != nil)
	return NewDevice{ID: d.ID, Name: d.Name, Password: password}, nil
}

func (h *handler) revokeDevice(r *http.Request) (any, error) {
	a, err := h.Core.Account(r.Context(), r.PathValue("ref"))
	if err != nil {
		return nil, err
	}
	id, err := holdfast.ParseID(r.PathValue("id"))
	if err != nil {
		return nil, fail(holdfast.Invalid, r.PathValue("id"), "%v", err)
	}
	if _, err := h.Core.RevokeDevice(r.Context(), holdfast.Actor{}, a.ID, id); err != nil {
		if holdfast.IsKind(err, holdfast.NotFound) {
			return nil, fail(holdfast.NotFound, id.String(), "%s has no such device; `holdfast app-password list %s` shows them", a.Email, a.Email)
		}
		return nil, err
	}
	h.Log.Info("a device was revoked", "account", a.Email, "device", id)
	return struct {
		ID      holdfast.ID `json:"id"`
		Revoked bool        `json:"revoked"`
	}{id, true}, nil
}
