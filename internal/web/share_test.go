package web

import (
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
)

func TestWhatIsSharedIsShown(t *testing.T) {
	h := newHouse(t, nil)
	id := h.account()
	bob, _, err := h.core.CreateAccount(t.Context(), holdfast.Actor{}, "bob@example.org", "")
	must(t, err)
	p := holdfast.Principal{Account: bob.ID, Device: holdfast.ID{1}}
	at, err := h.core.Locate(t.Context(), p, bob.ID, []string{"addressbooks", "default"})
	must(t, err)
	must(t, h.core.Share(t.Context(), holdfast.Actor{}, bob.ID, at.Collection.ID, id, holdfast.RightRead))
	for _, name := range []string{"1.vcf", "2.vcf"} {
		_, _, err := h.core.Put(t.Context(), p, core.PutRequest{Place: core.Place{Owner: bob.ID, Collection: at.Collection.ID, Name: name}, Body: []byte("x")})
		must(t, err)
	}
	h.clock.Advance(5 * time.Minute)
	b := h.browser().signIn()
	b.get("/").want(t, 200, "Contacts (bob@example.org)", "2 contacts", "21 Nov 2026 04:00 UTC (5 minutes ago)", "bob@example.org shares this with you, to read.")
	mine, err := h.core.Locate(t.Context(), holdfast.Principal{Account: id}, id, []string{"calendars", "default"})
	must(t, err)
	must(t, h.core.Share(t.Context(), holdfast.Actor{}, id, mine.Collection.ID, bob.ID, holdfast.RightWrite))
	b.get("/").want(t, 200, "Shared with bob@example.org, to write.")
	must(t, h.core.Unshare(t.Context(), holdfast.Actor{}, id, mine.Collection.ID, bob.ID))
	if a := b.get("/"); strings.Contains(a.text, "Shared with") {
		t.Errorf("it is shared with nobody any more:\n%s", a.text)
	}
	b.addDevice("Phone")
	devices, err := h.core.Devices(t.Context(), id)
	must(t, err)
	must(t, h.core.Read(t.Context(), holdfast.Principal{Account: id, Device: devices[0].ID}, id, func(r *core.Reader) error {
		c, err := r.Collection(at.Collection.ID)
		r.SawListing(&c)
		return err
	}))
	b.get("/devices").want(t, 200, "Contacts (bob@example.org)", "up to date")
	_, err = h.core.UpdateAccount(t.Context(), holdfast.Actor{}, bob.ID, func(r *holdfast.AccountRecord) error { r.State = holdfast.Suspended; return nil })
	must(t, err)
	for _, path := range []string{"/", "/devices"} {
		if a := b.get(path); a.StatusCode != 200 || strings.Contains(a.text, "bob@example.org") {
			t.Errorf("%s: status %d\n%s", path, a.StatusCode, a.text)
		}
	}
}
