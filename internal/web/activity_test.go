package web

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/refused"
)

func card(name string) string {
	return "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:" + name + "\r\nEND:VCARD\r\n"
}

// phone adds a device and returns who it is.
func (b *browser) phone(account holdfast.ID, name string) holdfast.Principal {
	b.h.t.Helper()
	id, _, _ := b.addDevice(name)
	device, err := holdfast.ParseID(id)
	must(b.h.t, err)
	return holdfast.Principal{Account: account, Device: device}
}

var buttons = regexp.MustCompile(`name="(change|reversal|burst)" value="([a-z0-9]+)"><button class="[a-z]+">([^<]*)(?:<span class="hidden">: ([^<]*)</span>)?</button>`)

// button presses the first button whose label and what it says of itself contain some words.
func (b *browser) button(page answer, words ...string) answer {
	b.h.t.Helper()
	for _, m := range buttons.FindAllStringSubmatch(page.text, -1) {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(m[3]+": "+m[4], w) }) {
			return b.post("/activity/undo", m[1], m[2])
		}
	}
	b.h.t.Fatalf("no button says %q:\n%s", words, page.text)
	return answer{}
}

func (a answer) wantNot(t *testing.T, words ...string) {
	t.Helper()
	for _, w := range words {
		if strings.Contains(a.text, w) {
			t.Errorf("%s says %q:\n%s", a.path, w, a.text)
		}
	}
}

// TestNamesTurnNoSentenceAround: what others call things is text within a sentence.
func TestNamesTurnNoSentenceAround(t *testing.T) {
	h := newHouse(t, nil)
	id := h.account()
	b := h.browser().signIn()
	p := b.phone(id, "Pixel\u202e 8")
	h.put(p, "bob.vcf", card("\u2066\u202eBob\u05d0\u2069 <b>"))
	page := b.get("/activity")
	page.want(t, 200, "Bob\u05d0 &lt;b&gt;", "Pixel 8")
	page.wantNot(t, "\u202e", "\u2066", "\u2069")
}

// TestActivityPage: what a phone did is said with what people call it, is undone with a button, and so is the undo.
func TestActivityPage(t *testing.T) {
	h := newHouse(t, nil)
	id := h.account()
	b := h.browser().signIn()
	b.get("/activity").want(t, 200, "Your account was made.", "At the beginning", "That is all since the account was made.")
	p := b.phone(id, "Pixel 8")
	h.put(p, "bob.vcf", card("Bob"))
	h.clock.Advance(25 * time.Hour)
	b = h.browser().signIn()
	h.put(p, "bob.vcf", card("Bob the Builder"))
	h.drop(p, "bob.vcf")
	a := b.get("/activity")
	a.want(t, 200, "Sunday, 22 November 2026", "Saturday, 21 November 2026", "<h3>Pixel 8</h3>", "Added the contact “Bob”, in the address book “Contacts”.", "Changed the contact “Bob the Builder”",
		"Deleted the contact “Bob the Builder”", "Added the device “Pixel 8”.", "You, on these pages", `href="/activity" aria-current="page"`)
	a.wantNot(t, "No such", "Undone", "Undo: Added the device")
	done := b.button(a, "Undo: Deleted the contact")
	done.want(t, 200, "1 item there again.", "the contact “Bob the Builder”", "That is all of it.", "Undo that")
	a = b.get("/activity")
	a.want(t, 200, "Undid what was done before.", "1 item there again.", `<span class="muted">Undone</span>`)
	b.button(done, "Undo that").want(t, 200, "1 item gone again.")
	b.get("/activity").want(t, 200, "Undid an undo.", "1 item gone again.")
	b.button(a, "Undo: Added the contact").want(t, 200, "Nothing to undo", "as it was before already") // it is gone
	b.button(a, "Undo: Changed the contact").want(t, 200, "Nothing was changed: what stands below was left.", "Left as now", "<strong>the contact “Bob the Builder”</strong>", ", by you, on these pages.")
}

// TestABurstStandsFirst with one button that names the count; after it was undone, or its owner knows of it, it does not.
func TestABurstStandsFirst(t *testing.T) {
	h := newHouse(t, nil)
	id := h.account()
	b := h.browser().signIn()
	p := b.phone(id, "Pixel 8")
	contacts := func(from, to int) {
		for i := from; i < to; i++ {
			h.put(p, fmt.Sprint(i, ".vcf"), card(fmt.Sprint("Contact ", i)))
		}
	}
	contacts(0, 40)
	for i := range 40 {
		h.drop(p, fmt.Sprint(i, ".vcf"))
	}
	a := b.get("/activity")
	a.want(t, 200, "Pixel 8 deleted or overwrote much at once", "40 changes, from", "Undo all of it: 40 changes", "That was wanted", "Older")
	b.get("/activity?before=30").wantNot(t, "much at once", "Undo all of it: 40")
	b.get("/").want(t, 200, "A device deleted or overwrote much at once.", `<a href="/activity">See what it was`, "0 contacts", "Last change")
	b.get("/").wantNot(t, "0 contacts yet", "Here stand the people you know") // they were there
	b.button(a, "Undo all of it: 40 changes").want(t, 200, "40 items there again.", "the contact “Contact 39”", "Undo that")
	a = b.get("/activity")
	a.want(t, 200, "Undid all that a device had deleted or overwritten at once.", "40 items there again.")
	a.wantNot(t, "deleted or overwrote much", "Undo all of it")
	b.get("/").wantNot(t, "deleted or overwrote much")
	h.clock.Advance(2 * time.Hour)
	for i := range 30 {
		h.drop(p, fmt.Sprint(i, ".vcf"))
	}
	a = b.get("/activity")
	a.want(t, 200, "Undo all of it: 30 changes")
	m := regexp.MustCompile(`name="burst" value="([a-z2-7]+)"`).FindStringSubmatch(a.text)
	b.post("/activity/known", "burst", m[1]).want(t, 200, "Noticed that Pixel 8 deletes or overwrites much at once: 30 changes")
	b.get("/activity").wantNot(t, "deleted or overwrote much")
	b.post("/activity/known", "burst", holdfast.ID{9}.String()).want(t, 404)
}

// TestActivityIsFiltered by device and by collection, on this page and on older ones.
func TestActivityIsFiltered(t *testing.T) {
	h := newHouse(t, nil)
	id := h.account()
	b := h.browser().signIn()
	one, two := b.phone(id, "One"), b.phone(id, "Two")
	for i := range 40 {
		h.put(one, fmt.Sprint("one", i, ".vcf"), card(fmt.Sprint("By one, ", i, ".")))
		h.put(two, fmt.Sprint("two", i, ".vcf"), card(fmt.Sprint("By two, ", i, ".")))
	}
	a := b.get("/activity?device=" + one.Device.String())
	a.want(t, 200, "By one, 39.", "selected>One</option>", "Show all")
	a.wantNot(t, "By two", "By one, 9.")
	next := regexp.MustCompile(`href="(/activity\?before=[^"]+)">Older`).FindStringSubmatch(a.text)
	if next == nil {
		t.Fatalf("no older ones:\n%s", a.text)
	}
	a = b.get(strings.ReplaceAll(next[1], "&amp;", "&"))
	a.want(t, 200, "By one, 9.", "By one, 0.", "To the newest")
	a.wantNot(t, "By two", "By one, 39.")
	at, err := h.core.Locate(t.Context(), holdfast.Principal{Account: id}, id, []string{"calendars", "default"})
	must(t, err)
	b.get("/activity?collection="+at.Collection.ID.String()).wantNot(t, "By one", "By two")
	for _, path := range []string{"/activity?before=x", "/activity?device=x", "/activity?collection=" + holdfast.ID{3}.String()} {
		b.get(path).want(t, 404)
	}
}

// TestWhatGuestsDidIsSeenByTheOwner, and a guest sees nothing of others, nor undoes it.
func TestWhatGuestsDidIsSeenByTheOwner(t *testing.T) {
	h := newHouse(t, nil)
	id := h.account()
	bob, _, err := h.core.CreateAccount(t.Context(), holdfast.Actor{}, "bob@example.org", "")
	must(t, err)
	theirs := holdfast.Principal{Account: bob.ID}
	at, err := h.core.Locate(t.Context(), theirs, bob.ID, []string{"addressbooks", "default"})
	must(t, err)
	must(t, h.core.Share(t.Context(), holdfast.Actor{}, bob.ID, at.Collection.ID, id, holdfast.RightWrite))
	h.put(theirs, "secret.vcf", card("Secret of Bob"))
	b := h.browser().signIn()
	p := b.phone(id, "Pixel 8")
	mine, err := h.core.Locate(t.Context(), holdfast.Principal{Account: id}, id, []string{"addressbooks", "default"})
	must(t, err)
	must(t, h.core.Share(t.Context(), holdfast.Actor{}, id, mine.Collection.ID, bob.ID, holdfast.RightWrite))
	_, _, err = h.core.Put(t.Context(), theirs, core.PutRequest{Place: core.Place{Owner: id, Collection: mine.Collection.ID, Name: "g.vcf"}, Body: []byte(card("By a guest"))})
	must(t, err)
	_, _, err = h.core.Put(t.Context(), p, core.PutRequest{Place: core.Place{Owner: bob.ID, Collection: at.Collection.ID, Name: "a.vcf"}, Body: []byte(card("By Alice as a guest"))})
	must(t, err)
	a := b.get("/activity")
	a.want(t, 200, "<h3>bob@example.org</h3>", "Added the contact “By a guest”", "Shared the address book “Contacts” with bob@example.org, to write.", "Took into your home")
	a.wantNot(t, "Secret", "By Alice as a guest")
	b.get("/activity?collection="+at.Collection.ID.String()).want(t, 404)

	past, err := h.core.Past(t.Context(), theirs, bob.ID)
	must(t, err)
	theirActivity, err := past.Activity(t.Context(), core.ActivityQuery{})
	must(t, err)
	before := len(theirActivity.Deeds)
	b.post("/activity/undo", "change", "1000000").want(t, 404)
	b.post("/activity/undo", "change", "1").want(t, 422, "This change made the account")
	b.post("/activity/undo", "reversal", holdfast.ID{9}.String()).want(t, 404)
	b.post("/activity/undo", "burst", holdfast.ID{9}.String()).want(t, 404)
	if _, err := h.core.Past(t.Context(), holdfast.Principal{Account: id}, bob.ID); !holdfast.IsKind(err, holdfast.Forbidden) {
		t.Errorf("another's past: %v", err)
	}
	if theirActivity, err = past.Activity(t.Context(), core.ActivityQuery{}); err != nil || len(theirActivity.Deeds) != before {
		t.Errorf("something was done to another: %v", err)
	}
}

// TestUndoIsKeptFromOtherSites, and from who is not signed in.
func TestUndoIsKeptFromOtherSites(t *testing.T) {
	h := newHouse(t, nil)
	id := h.account()
	b := h.browser().signIn()
	p := b.phone(id, "Pixel 8")
	h.put(p, "bob.vcf", card("Bob"))
	change := regexp.MustCompile(`name="change" value="(\d+)"`).FindStringSubmatch(b.get("/activity").text)[1]
	for _, path := range []string{"/activity/undo", "/activity/known"} {
		b.header = http.Header{"Sec-Fetch-Site": {"cross-site"}}
		b.post(path, "change", change, "burst", "").want(t, 403)
		if a := h.browser().post(path, "change", change); a.path != "/signin" {
			t.Errorf("%s: nobody is at %s", path, a.path)
		}
		b.header = http.Header{}
		b.get(path).want(t, 404)
	}
	b.get("/activity").wantNot(t, "Undid")
	if a := h.browser().get("/activity"); a.path != "/signin" {
		t.Errorf("nobody is at %s", a.path)
	}
}

// TestDeedsInWords: each kind of thing that is done is said as people say it, and takes the button that fits.
func TestDeedsInWords(t *testing.T) {
	h := newHouse(t, nil)
	id := h.account()
	b := h.browser().signIn()
	p := b.phone(id, "Pixel 8")
	up, err := h.core.Locate(t.Context(), p, id, []string{"addressbooks"})
	must(t, err)
	named := func(name string) holdfast.Properties {
		return holdfast.Properties{}.With("DAV:", "displayname", []byte(`<D:displayname xmlns:D="DAV:">`+name+`</D:displayname>`))
	}
	work, _, err := h.core.MakeCollection(t.Context(), p, core.NewCollection{Owner: id, Parent: up.Collection.ID, Name: "work", Type: holdfast.TypeAddressbook, Properties: named("Work")})
	must(t, err)
	place := func(name string) core.Place {
		at, err := h.core.Locate(t.Context(), p, id, []string{"addressbooks", "default", name})
		must(t, err)
		return at.Place()
	}
	h.put(p, "bob.vcf", card("Bob"))
	newest := func(want string, not ...string) answer {
		t.Helper()
		a := b.get("/activity")
		m := regexp.MustCompile(`<span class="deed">([^<]*)`).FindStringSubmatch(a.text)
		if m == nil || strings.TrimSpace(m[1]) != want {
			t.Errorf("the newest is %q, want %q", m, want)
		}
		a.wantNot(t, not...)
		return a
	}
	move := func(from, to core.Place) {
		t.Helper()
		_, err := h.core.Move(t.Context(), p, core.Transfer{From: from, To: to})
		must(t, err)
	}
	move(place("bob.vcf"), place("rob.vcf"))
	newest("Renamed the contact “Bob”, from bob.vcf to rob.vcf.", "Undo all 2")
	move(place("rob.vcf"), core.Place{Owner: id, Collection: work, Name: "rob.vcf"})
	b.button(newest("Moved the contact “Bob” from the address book “Contacts” to the address book “Work”.", "Undo all 2"), "Undo: Moved the contact").want(t, 200, "There again", "Gone again", "That is all of it.")
	_, err = h.core.SetProperties(t.Context(), p, place("rob.vcf"), nil, func(ps holdfast.Properties) (holdfast.Properties, error) {
		return ps.With("urn:x", "label", []byte(`<label xmlns="urn:x"/>`)), nil
	})
	must(t, err)
	newest("Changed properties of the contact “Bob”, in the address book “Contacts”.")
	items := []core.Item{}
	for i := range 7 {
		items = append(items, core.Item{Name: fmt.Sprint("m", i, ".vcf"), Body: []byte(card(fmt.Sprint("Many ", i)))})
	}
	_, err = h.core.PutMany(t.Context(), p, core.PutManyRequest{Owner: id, Collection: place("x.vcf").Collection, Items: items})
	must(t, err)
	b.button(newest("Added 7 at once: contact “Many 0”, contact “Many 1”, contact “Many 2”, contact “Many 3” and 3 more, in the address book “Contacts”."), "Undo all 7").want(t, 200, "7 items gone again.")
	_, err = h.core.SetProperties(t.Context(), p, core.Place{Owner: id, Collection: work}, nil, func(holdfast.Properties) (holdfast.Properties, error) { return named("Office"), nil })
	must(t, err)
	newest("Changed properties of the address book “Office”.")
	_, err = h.core.Delete(t.Context(), p, core.Place{Owner: id, Collection: work}, holdfast.Precondition{}, nil)
	must(t, err)
	b.button(newest("Deleted the address book “Office”, with what was in it."), "Undo: Deleted the address book").want(t, 200, "the collection addressbooks/work, with 0 items")
	past, err := h.core.Past(t.Context(), holdfast.Principal{Account: id}, id)
	must(t, err)
	h.clock.Advance(time.Hour)
	h.put(p, "late.vcf", card("Late"))
	_, err = past.Rewind(t.Context(), core.RewindRequest{To: start.Add(time.Minute)}, nil)
	must(t, err)
	newest("Brought everything back to how it was on 21 Nov 2026 04:01 UTC.").want(t, 200, "1 item gone again.")
	b.post("/devices/" + p.Device.String() + "/revoke")
	newest("Revoked the device “Pixel 8”.").want(t, 200, "<h3>Pixel 8</h3>")
}

// TestWhatWasRefusedStandsFirst, by device, for its owner alone, with the way to bring it in.
func TestWhatWasRefusedStandsFirst(t *testing.T) {
	h := newHouse(t, nil)
	id := h.account()
	b := h.browser().signIn()
	p := b.phone(id, "Pixel 8")
	b.get("/activity").wantNot(t, "refused")
	b.get("/safety").wantNot(t, "refused")
	kept := func(device holdfast.ID, path string) refused.Kept {
		return refused.Kept{Put: refused.Put{Account: id, Device: device, Path: path, Why: "another <version> is there"}, At: start, Until: start.AddDate(0, 0, 30)}
	}
	h.web.Refused = func(account holdfast.ID) []refused.Kept {
		if account != id {
			return nil
		}
		list := []refused.Kept{kept(holdfast.ID{9}, "calendars/default/old.ics")}
		for i := range 7 {
			list = append(list, kept(p.Device, fmt.Sprintf("addressbooks/default/%d.vcf", i)))
		}
		return list
	}
	a := b.get("/activity")
	a.want(t, 200, "<strong>Pixel 8</strong> sent 7 changes that were refused", "kept until", "addressbooks/default/6.vcf", "another &lt;version&gt; is there", "2 more changes",
		"<strong>A device that was removed</strong> sent 1 change that was refused", "holdfast salvage "+alice+" --refused")
	a.wantNot(t, "addressbooks/default/1.vcf")
	b.get("/activity?before=5").wantNot(t, "refused")
	b.get("/safety").want(t, 200, "8 changes that your devices sent were refused", `href="/activity"`)
}
