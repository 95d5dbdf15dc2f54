package core_test

import (
	"testing"

	"holdfast"
	"holdfast/internal/core"
)

// TestWaiting: the owner of a device that proved a loss is told of it, by how much, until it was decided; others are told nothing.
func TestWaiting(t *testing.T) {
	old := newPast(t)
	d, _, err := old.s.AddDevice(t.Context(), holdfast.Actor{}, old.p.Account, "Pixel 8", holdfast.Hash{1})
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := old.s.CreateAccount(t.Context(), holdfast.Actor{}, "bob@example.org", "")
	if err != nil {
		t.Fatal(err)
	}
	waits := func() core.Waiting {
		t.Helper()
		w, err := old.s.Waiting(t.Context(), old.p.Account)
		if err != nil {
			t.Fatal(err)
		}
		if o, err := old.s.Waiting(t.Context(), other.ID); err != nil || o.Any() {
			t.Errorf("another is told: %+v, %v", o, err)
		}
		return w
	}
	if w := waits(); w.Any() {
		t.Errorf("nobody waits: %+v", w)
	}
	old.p.Device = d.ID
	_, _, _, err = old.sync(t, old.book, old.after, 0)
	wantKind(t, err, holdfast.InDoubt)
	w := waits()
	if w.Since.IsZero() || w.Vault != "" || len(w.Devices) != 1 || w.Devices[0].Name != "Pixel 8" || w.Devices[0].By != "" || w.Devices[0].Of != "" {
		t.Errorf("%+v", w)
	}
	if err := old.s.Settle(t.Context(), old.p.Account); err != nil {
		t.Fatal(err)
	}
	if w = waits(); !w.Since.IsZero() || len(w.Devices) != 1 {
		t.Errorf("after the release: %+v", w)
	}
	if err := old.s.Dismiss(t.Context(), old.p.Account, d.ID, core.Dismissed); err != nil {
		t.Fatal(err)
	}
	if w = waits(); w.Any() {
		t.Errorf("after the dismissal: %+v", w)
	}
}
