package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
)

// put stores a contact by a device, or by nobody's, and drop deletes one.
func (h *house) put(p holdfast.Principal, name, text string) {
	h.t.Helper()
	at, err := h.core.Locate(h.t.Context(), p, p.Account, []string{"addressbooks", "default", name})
	must(h.t, err)
	_, _, err = h.core.Put(h.t.Context(), p, core.PutRequest{Place: at.Place(), Body: []byte(text)})
	must(h.t, err)
}

func (h *house) drop(p holdfast.Principal, name string) {
	h.t.Helper()
	at, err := h.core.Locate(h.t.Context(), p, p.Account, []string{"addressbooks", "default", name})
	must(h.t, err)
	_, err = h.core.Delete(h.t.Context(), p, at.Place(), holdfast.Precondition{}, nil)
	must(h.t, err)
}

// TestThePageLooksBack: what was there at each moment, what became of it, and what each device sent, as of the page's time.
func TestThePageLooksBack(t *testing.T) {
	h := newHouse(t, nil)
	p := holdfast.Principal{Account: h.account()}
	day := 24 * time.Hour
	b := h.browser().signIn()
	page := func() string {
		b = h.browser().signIn() // the session of months ago is over
		a := b.get("/safety")
		a.want(t, 200)
		return a.text
	}
	says := func(want ...string) {
		t.Helper()
		text := page()
		for _, w := range want {
			if word, not := strings.CutPrefix(w, "!"); strings.Contains(text, word) == not {
				t.Errorf("it does not say %q:\n%s", w, text[strings.Index(text, `id="h-devices"`):])
			}
		}
	}
	id, _, _ := b.addDevice("Pixel")
	device, err := holdfast.ParseID(id)
	must(t, err)
	phone := holdfast.Principal{Account: p.Account, Device: device}
	says("A day ago there was nothing of yours here yet.", "It has sent nothing.", "No vault has all of it now", "!A week ago")

	for i := range 3 {
		h.put(phone, fmt.Sprint(i, ".vcf"), "one")
	}
	h.put(p, "page.vcf", "by hand")
	says("It never confirmed a sync. What it sent is here; anything else on it exists only there.", "!All that is on it exists only there", "Last sent: a contact, ", "In the last 7 days: 3 changes (3 of contacts).", "!It has sent nothing")
	h.clock.Advance(2 * day)
	h.put(phone, "0.vcf", "two")
	h.drop(phone, "1.vcf")
	says("Last sent: a deletion, ", "In the last 7 days: 5 changes (5 of contacts).",
		"<strong>A day ago</strong>", "4 contacts. Since then: 0 added, 1 deleted, 1 changed.", "!A week ago")
	h.clock.Advance(28 * day)
	h.put(phone, "new.vcf", "new")
	says("In the last 7 days: 1 change (1 of contacts).", "<strong>A week ago</strong>", "3 contacts. Since then: 1 added, 0 deleted, 0 changed.", "<strong>A month ago</strong>")
	h.clock.Advance(15 * day)
	says("In the last 7 days: 0 changes.", "4 contacts. Since then: 0 added, 0 deleted, 0 changed.", "!A year ago")

	for i := range maxLook { // more than is looked at
		h.put(p, "page.vcf", fmt.Sprint("by hand ", i))
	}
	says("It has sent nothing since ", "what is older was not looked at for this page.", "more than 5,000 changes lie between, too many to count for this page.", "!0 added, 0 deleted, 0 changed")
	h.clock.Advance(2 * day)
	says("4 contacts. Since then: 0 added, 0 deleted, 0 changed.", "more than 5,000 changes lie between")
}
