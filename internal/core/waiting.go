package core

import (
	"context"
	"slices"
	"time"

	"holdfast"
)

// Waiting is who waits of an account, because more was seen than this store has, as its owner is told.
type Waiting struct {
	Since   time.Time // when the account as a whole came to wait; zero: it does not
	Vault   string    // that has another history of it; empty: devices brought it, or an operator
	ByHand  bool      // an operator holds it, before anybody proved anything
	Devices []WaitingDevice
}

// WaitingDevice is a device that is held: one of the account or of a guest in it, or one of the account's own in what another shares with it.
type WaitingDevice struct {
	Evidence
	Name string // its id where it has none any more
	By   string // whose it is; empty: the account's own
	Of   string // for whose account it waits; empty: the account itself
}

// Any tells whether anybody waits.
func (w *Waiting) Any() bool { return !w.Since.IsZero() || len(w.Devices) > 0 }

// Waiting returns who waits of an account. It can be asked while the account is in doubt, and says nothing of what others have.
func (s *Service) Waiting(ctx context.Context, account holdfast.ID) (out Waiting, err error) {
	var own []Device
	for _, d := range s.Doubts() {
		if own == nil {
			if own, err = s.Devices(ctx, account); err != nil {
				return out, err
			}
		}
		mine := d.Account == account
		d.Evidence = slices.DeleteFunc(d.Evidence, func(e Evidence) bool { return !e.Open() || !mine && nameIn(own, e.Device) == "" })
		if mine {
			out.Since, out.Vault, out.ByHand = d.Since, d.Vault, d.ByHand
		}
		if len(d.Evidence) == 0 {
			continue
		}
		if err := s.Missing(ctx, &d); err != nil {
			return out, err
		}
		for _, e := range d.Evidence {
			w := WaitingDevice{Evidence: e, Name: nameIn(own, e.Device)}
			if mine && w.Name == "" {
				w.Name, w.By = s.guestDevice(ctx, account, e.Device)
			}
			if !mine {
				w.Of = d.Account.String()
				if a, err := s.Account(ctx, w.Of); err == nil {
					w.Of = a.Email
				}
			}
			out.Devices = append(out.Devices, w)
		}
	}
	slices.SortStableFunc(out.Devices, func(a, b WaitingDevice) int { return a.Since.Compare(b.Since) })
	return out, nil
}

// nameIn returns what a device is called; empty where it is none of the list.
func nameIn(list []Device, id holdfast.ID) string {
	i := slices.IndexFunc(list, func(d Device) bool { return d.ID == id })
	if i < 0 {
		return ""
	}
	return list[i].Name
}

// guestDevice finds a device among those of an account's guests. One that is nobody's any more is called by its id.
func (s *Service) guestDevice(ctx context.Context, account, id holdfast.ID) (name, by string) {
	shares, err := s.Shares(ctx, account)
	for _, x := range shares {
		list, e := s.Devices(ctx, x.Guest)
		if name := nameIn(list, id); err == nil && e == nil && name != "" {
			return name, x.With.Email
		}
	}
	return id.String(), ""
}
