package web

import (
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/store/memory"
)

// waiting is a house whose account has a device, a guest's device and a device of another's guest that may wait.
type waiting struct {
	*house
	o                  core.Options
	id, bob            holdfast.ID
	phone, bobs, other holdfast.ID
}

func newWaiting(t *testing.T) *waiting {
	t.Helper()
	x := &waiting{o: core.Options{Engine: memory.New(), Clock: clock.NewFake(start)}}
	x.house = newHouseOn(t, nil, x.o)
	x.id = x.account()
	b := x.browser().signIn()
	x.phone = b.phone(x.id, "Pixel 8").Device
	bob, _, err := x.core.CreateAccount(t.Context(), holdfast.Actor{}, "bob@example.org", "")
	must(t, err)
	x.bob = bob.ID
	d, _, err := x.core.AddDevice(t.Context(), holdfast.Actor{}, x.bob, "Bob's tablet", holdfast.Hash{1})
	must(t, err)
	x.bobs = d.ID
	for _, s := range [][2]holdfast.ID{{x.id, x.bob}, {x.bob, x.id}} {
		at, err := x.core.Locate(t.Context(), holdfast.Principal{Account: s[0]}, s[0], []string{"addressbooks", "default"})
		must(t, err)
		must(t, x.core.Share(t.Context(), holdfast.Actor{}, s[0], at.Collection.ID, s[1], holdfast.RightWrite))
	}
	return x
}

// with begins anew with doubts that were known.
func (x *waiting) with(t *testing.T, doubts ...core.Doubt) *browser {
	x.o.Doubted = doubts
	x.house = newHouseOn(t, nil, x.o)
	x.web.Deadline = 7 * 24 * time.Hour
	b := x.browser()
	b.post("/signin", "email", alice, "password", password) // it leads to a page that says why the account waits
	return b
}

// TestTheOwnerReadsWhoWaits: why, since when, by how much, until when, and what can be done; on each page while the account waits as a whole, and on two while a device does.
func TestTheOwnerReadsWhoWaits(t *testing.T) {
	x := newWaiting(t)
	since := start.Add(-8 * 24 * time.Hour)
	at := func(device holdfast.ID) core.Evidence {
		return core.Evidence{Device: device, Collection: holdfast.ID{5}, Epoch: 1, Seq: 112, Head: 100, Since: since}
	}
	whole := []string{"Your whole account", "Pixel 8", "up to 12 changes that this server does not have", "13 Nov 2026 04:00 UTC", "20 Nov 2026 04:00 UTC", "overdue", "answered 503",
		"holdfast salvage alice@example.org --from FILE --device " + x.phone.String(), "holdfast incident dismiss alice@example.org --device " + x.phone.String()}
	b := x.with(t, core.Doubt{Account: x.id, Since: since, Device: x.phone, Collection: holdfast.ID{5}, Seq: 112, Head: 100, Evidence: []core.Evidence{at(x.phone)}})
	for path, status := range map[string]int{"/": 503, "/devices": 503, "/activity": 503, "/safety": 200} {
		a := b.get(path)
		a.want(t, status, whole...)
		if status == 503 && a.Header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", path)
		}
	}

	b = x.with(t, core.Doubt{Account: x.id, Evidence: []core.Evidence{at(x.phone), at(x.bobs)}})
	for _, path := range []string{"/", "/safety"} {
		a := b.get(path)
		a.want(t, 200, append([]string{"A device waits", "Bob&#39;s tablet, of bob@example.org"}, whole[1:]...)...)
		a.wantNot(t, "Your whole account")
	}
	b.get("/activity").want(t, 200, "A device waits", "Your account was made.")

	b = x.with(t, core.Doubt{Account: x.id, Since: since, Vault: "cellar", Seq: 112, Head: 100})
	b.get("/").want(t, 503, "The vault cellar has another history", "holdfast incident release alice@example.org")

	b = x.with(t, core.Doubt{Account: x.id, Since: since, ByHand: true, Head: 100})
	b.get("/").want(t, 503, "The operator of this server holds it", "holdfast incident release alice@example.org")

	b = x.with(t, core.Doubt{Account: x.bob, Evidence: []core.Evidence{at(x.phone), at(x.bobs)}}) // in what is Bob's
	a := b.get("/safety")
	a.want(t, 200, "Pixel 8, for what bob@example.org shares with you", "holdfast salvage bob@example.org --from FILE --device "+x.phone.String())
	a.wantNot(t, "tablet")

	ended := at(x.phone)
	ended.Ended, ended.How = start, core.Dismissed
	b = x.with(t, core.Doubt{Account: x.id, Evidence: []core.Evidence{ended}})
	for _, path := range []string{"/", "/safety"} {
		b.get(path).wantNot(t, "Who waits", "A device waits")
	}
}

// TestEveryVersionIsSaidAsFarAsRetentionKeepsIt: what may have been let go of is not promised.
func TestEveryVersionIsSaidAsFarAsRetentionKeepsIt(t *testing.T) {
	h := newHouse(t, nil)
	h.account()
	h.clock.Advance(400 * 24 * time.Hour)
	b := h.browser().signIn()
	made := `data-label="Every version since"><time datetime="2026-11-21T04:00:00Z">`
	b.get("/safety").want(t, 200, made)
	h.web.Retention = 365 * 24 * time.Hour
	a := b.get("/safety")
	a.want(t, 200, `data-label="Every version since"><time datetime="2026-12-26T04:00:00Z">`, "replaced longer ago than 365 days may have been let go of")
	a.wantNot(t, made)
	h.web.Retention = 500 * 24 * time.Hour
	b.get("/safety").want(t, 200, made)
}
