package clients

import (
	"bytes"
	"strings"
	"testing"
)

const bob = "bob@example.org"

// share shares one of Alice's collections, and returns its id: the name under which it stands in the other's home.
func (h *house) share(path, with, rights string) (id string) {
	h.t.Helper()
	var done struct{}
	h.command(&done, "share", "add", alice, path, with, "--rights", rights)
	var list struct {
		Shares []struct{ Owner, Path, Collection, With, Rights string }
	}
	h.command(&list, "share", "list", alice)
	for _, s := range list.Shares {
		if s.Owner == alice && s.Path == path && s.With == with && s.Rights == rights {
			return s.Collection
		}
	}
	h.t.Fatalf("share list does not have %s for %s: %+v", path, with, list)
	return ""
}

// TestFamilyCalendar shares Alice's calendar with Bob. She uses vdirsyncer and khal, he uses vdirsyncer and Evolution: each sees and edits what the other does, in a colour
// of his own; and when it is over, Alice has everything, and so it is when Bob throws the calendar away.
func TestFamilyCalendar(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer", "khal")
	h, m := newHouse(t), plans{}
	var b struct{ ID string }
	h.command(&b, "account", "add", bob, "--no-password")
	hers := h.newPlanner("Laptop")
	m.fill(hers, "default", "VEVENT", 0, 14)
	hers.sync()
	hers.must("metasync", "calendars")
	hers.setMeta("default", "displayname", "Family")
	hers.setMeta("default", "color", "#FF2968")
	hers.must("metasync", "calendars")

	// Bob's programs find it without any set-up.
	id := h.share("calendars/default", bob, "write")
	his := h.newPlannerAt(h.url(), bob, "Bob's laptop", sorted(append([]string{id}, own...)...)...)
	his.sync()
	same(t, "what Bob sees", hashes(his.heldIn(id)), m.hashes("default"))
	his.must("metasync", "calendars")
	if got := his.meta(id, "displayname"); got != "Family" {
		t.Errorf("Bob sees a calendar called %q", got)
	}
	if n := len(his.heldIn("default")); n != 0 {
		t.Errorf("Bob's own calendar holds %d events", n)
	}

	// His colour is his own.
	his.setMeta(id, "color", "#0E61B9")
	his.must("metasync", "calendars")
	hers.must("metasync", "calendars")
	if his.meta(id, "color") != "#0E61B9" || hers.meta("default", "color") != "#FF2968" {
		t.Errorf("Bob's colour is %s, Alice's is %s", his.meta(id, "color"), hers.meta("default", "color"))
	}

	// Alice makes an event with khal, and sees what Bob does with Evolution.
	newKhal(hers).do("", "new", "-a", "default", "2026-06-02", "18:00", "19:00", "Rodičovská schůzka")
	hers.sync()
	edited, deleted, series := entry{"default", "VEVENT", 3}, entry{"default", "VEVENT", 8}, entry{"default", "VEVENT", 10}
	home := "/dav/calendars/" + b.ID + "/"
	h.newEvolution(bob, home+id+"/", home+"tasks/", home+"notes/").run([]string{"events: 15", "events writable: True", "event added: True", "event edited: True", "event deleted: True",
		"instance moved: True", "in the end: 15 1 1", "done"}, 15, 0, 0, edited.uid(), deleted.uid(), series.uid(), day(17)+"T090000")
	hers.sync()
	his.sync()
	same(t, "what Bob sees", hashes(his.heldIn(id)), hashes(hers.heldIn("default")))
	if out := newKhal(hers).list("2026-06-01", "2026-06-03"); !strings.Contains(out, "Made in Evolution") || !strings.Contains(out, "Rodičovská schůzka") {
		t.Errorf("Alice's khal lists\n%s", out)
	}
	if b := hers.read(edited); !bytes.Contains(b, []byte("SUMMARY:Edited in Evolution")) || hers.read(deleted) != nil {
		t.Errorf("Bob's edit and deletion are not with Alice:\n%s", b)
	}
	for _, x := range []entry{edited, deleted, series} {
		delete(m, x)
	}
	if lost := without(m.hashes("default"), hashes(hers.heldIn("default"))); len(lost) != 0 {
		t.Errorf("%d events that Bob did not touch have changed", len(lost))
	}

	// With the right to read alone he cannot write, and keeps what he sees.
	if again := h.share("calendars/default", bob, "read"); again != id {
		t.Errorf("other rights gave the calendar another name: %s, before %s", again, id)
	}
	held := hashes(hers.heldIn("default"))
	mine := entry{id, "VEVENT", 90}
	his.write(mine, mine.octets(0))
	if out, err := his.try("sync", "calendars"); err == nil || !strings.Contains(out, "403") {
		t.Errorf("Bob may read, and writing is: %v\n%s", err, tail(out))
	}
	his.remove(mine)
	his.sync()
	same(t, "what Bob sees", hashes(his.heldIn(id)), held)

	// It is over: he is refused, nothing is deleted on either side.
	var over struct{}
	h.command(&over, "share", "remove", alice, "calendars/default", bob)
	if out, err := his.try("sync", "calendars"); err == nil || strings.Contains(out, "Deleting") {
		t.Errorf("after the end, Bob's vdirsyncer says: %v\n%s", err, tail(out))
	}
	same(t, "what Bob holds", hashes(his.heldIn(id)), held)
	if done := hers.sync(); len(done) != 0 {
		t.Errorf("the end of sharing changed Alice's calendar: %q", done)
	}
	same(t, "the export", hashTexts(h.exportedFrom("calendars/default")["calendars/default"]), held)

	// Shared again, and thrown away by him: it is out of his home, and all hers.
	h.share("calendars/default", bob, "write")
	if code, body := h.davAs(bob, his.device, "DELETE", home+id+"/", ""); code != 204 {
		t.Errorf("Bob throws the shared calendar away: %d %s", code, body)
	}
	if code, body := h.davAs(bob, his.device, "PROPFIND", home, "", "Depth: 1"); code != 207 || strings.Contains(body, id) {
		t.Errorf("it is still in his home: %d %s", code, body)
	}
	hers.sync()
	same(t, "Alice's calendar", hashes(hers.heldIn("default")), held)
}
