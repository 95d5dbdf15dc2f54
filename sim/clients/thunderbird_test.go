package clients

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// thunderbird runs testdata/thunderbird.py, which must say these lines.
func thunderbird(t *testing.T, p tool, want []string, args ...string) {
	t.Helper()
	script, err := filepath.Abs(filepath.Join("testdata", "thunderbird.py"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.run(t.Context(), "python3", append([]string{script}, args...)...)
	for _, w := range want {
		if !strings.Contains("\n"+out, "\n"+w+"\n") {
			t.Fatalf("Thunderbird does not say %q (%v):\n%s", w, err, tail(out))
		}
	}
}

// TestThunderbird sets Thunderbird up as its dialogs do, by address, name and app password; it reads, adds, edits and deletes events, to-dos and contacts, and moves one
// instance of a series. A device with vdirsyncer sees it all, and Thunderbird what that device does.
func TestThunderbird(t *testing.T) {
	thorough(t)
	need(t, "thunderbird", "vdirsyncer", "python3")
	h, m, people := newHouse(t), plans{}, model{}
	one, cards := h.newPlanner("Laptop"), h.newSyncer("Laptop, contacts")
	m.fill(one, "default", "VEVENT", 0, 40)
	m.fill(one, "tasks", "VTODO", 0, 12)
	people.fill(cards, 1, 21)
	one.sync()
	cards.sync()

	edited, deleted, series := entry{"default", "VEVENT", 3}, entry{"default", "VEVENT", 8}, entry{"default", "VEVENT", 10} // weekly in Berlin, from 2026-01-11
	d, p := h.device("Thunderbird"), tool{dir: t.TempDir()}
	profile := filepath.Join(p.dir, "profile")
	thunderbird(t, p, []string{"calendar: Calendar", "calendar: Notes", "calendar: Tasks", "events: 40", "to-dos: 12", "event added: Made in Thunderbird", "event edited: Edited in Thunderbird",
		"event deleted: True", "instance moved: Moved in Thunderbird", "to-do added: To do in Thunderbird", "to-do done: True", "address books: ['Contacts']", "contacts: 20",
		"contact edited: True", "contact added: True", "in the end: 40 13 21", "done: True"},
		"set-up", profile, h.url()+"/", alice, d.Password, "40", "12", "20", edited.uid(), deleted.uid(), series.uid(), day(17), uid(3))

	one.sync()
	cards.sync()
	for _, c := range []struct{ list, text string }{
		{"default", "SUMMARY:Made in Thunderbird"}, {"default", "SUMMARY:Edited in Thunderbird"}, {"default", "SUMMARY:Moved in Thunderbird"},
		{"tasks", "SUMMARY:To do in Thunderbird"}, {"tasks", "UID:todo-in-thunderbird"},
	} {
		n := 0
		for _, b := range one.heldIn(c.list) {
			n += bytes.Count(b, []byte(c.text))
		}
		if n != 1 {
			t.Errorf("%s has %d times %q", c.list, n, c.text)
		}
	}
	if one.read(deleted) != nil {
		t.Error("an event that was deleted in Thunderbird is still on the device")
	}
	h.sees(one.device, day(17)+"T130000Z", day(17)+"T140000Z", "VEVENT", "Moved in Thunderbird", true)
	h.sees(one.device, day(17)+"T080000Z", day(17)+"T090000Z", "VEVENT", "Moved in Thunderbird", false)
	if b := cards.read(3); !bytes.Contains(b, []byte("Edited in Thunderbird")) || len(cards.held()) != 21 {
		t.Errorf("%d contacts; the edited one is\n%s", len(cards.held()), b)
	}
	for _, x := range []entry{edited, deleted, series} {
		delete(m, x)
	}
	delete(people, 3)
	exported := h.exportedFrom("calendars/default", "calendars/tasks")
	for _, list := range []string{"default", "tasks"} {
		if lost := without(m.hashes(list), hashTexts(exported["calendars/"+list])); len(lost) != 0 {
			t.Errorf("%d entries of %s that Thunderbird did not touch have changed", len(lost), list)
		}
	}
	if lost := without(people.hashes(), hashTexts(h.export())); len(lost) != 0 {
		t.Errorf("%d contacts that Thunderbird did not touch have changed", len(lost))
	}

	// The other way: Thunderbird asks for what has changed since its token.
	other := entry{"default", "VEVENT", 5}
	one.write(other, bytes.ReplaceAll(other.octets(1), []byte("SUMMARY:VEVENT 5"), []byte("SUMMARY:Edited elsewhere")))
	one.remove(entry{"default", "VEVENT", 7})
	one.remove(entry{"default", "VEVENT", 9})
	one.sync()
	thunderbird(t, p, []string{"events: 38", "title: Edited elsewhere", "done: True"}, "again", profile, "38", other.uid(), "Edited elsewhere")

	// While the account is suspended, every answer is a 503: it keeps all that it has, and the calendars stay on.
	var a struct{}
	h.command(&a, "account", "suspend", alice)
	thunderbird(t, p, []string{"before: 38 13 21", "after: 38 13 21", "disabled: 0", "done: True"}, "refused", profile, "Calendar", "Tasks")
	h.command(&a, "account", "resume", alice)
	one.write(other, bytes.ReplaceAll(other.octets(2), []byte("SUMMARY:VEVENT 5"), []byte("SUMMARY:Edited again")))
	one.sync()
	thunderbird(t, p, []string{"events: 38", "title: Edited again", "done: True"}, "again", profile, "38", other.uid(), "Edited again")
}

// TestThunderbirdShares lets Bob find in Thunderbird what Alice shares with him: with the right to write he adds to it, with the right to read alone it is
// shown as read-only, and an event is refused before it is sent.
func TestThunderbirdShares(t *testing.T) {
	thorough(t)
	need(t, "thunderbird", "vdirsyncer", "python3")
	h, m := newHouse(t), plans{}
	var b struct{}
	h.command(&b, "account", "add", bob, "--no-password")
	one := h.newPlanner("Laptop")
	m.fill(one, "default", "VEVENT", 0, 10)
	one.sync()
	d, theirs := h.deviceOf(bob, "Thunderbird"), "Calendar ("+alice+")"
	for _, c := range []struct{ rights, shown, added string }{{"write", theirs, "event added: Made by Bob"}, {"read", theirs + ", read-only", "event refused: True"}} {
		h.share("calendars/default", bob, c.rights)
		p := tool{dir: t.TempDir()}
		thunderbird(t, p, []string{"calendar: " + c.shown, fmt.Sprintf("events: %d", len(one.heldIn("default"))), c.added, "done: True"},
			"share", filepath.Join(p.dir, "profile"), h.url()+"/", bob, d.Password, theirs, fmt.Sprint(len(one.heldIn("default"))), "Made by Bob")
		one.sync()
		h.sees(one.device, "20260601T090000Z", "20260601T100000Z", "VEVENT", "Made by Bob", true)
		if n := len(one.heldIn("default")); n != 11 {
			t.Errorf("after Bob used Thunderbird with the right to %s there are %d events, want 11", c.rights, n)
		}
		if c.rights == "write" { // while her account is suspended, he keeps what he has of it
			var a struct{}
			h.command(&a, "account", "suspend", alice)
			thunderbird(t, p, []string{"before: 11 0", "after: 11 0", "disabled: 0", "done: True"}, "refused", filepath.Join(p.dir, "profile"), theirs, "Calendar")
			h.command(&a, "account", "resume", alice)
		}
	}
	if lost := without(m.hashes("default"), hashes(one.heldIn("default"))); len(lost) != 0 {
		t.Errorf("%d of Alice's events have changed", len(lost))
	}
}
