package clients

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestConflicts edits one contact on two devices in the same round, and lets the second settle it in each way that vdirsyncer knows.
func TestConflicts(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer")
	for _, c := range []struct {
		name, line string
		winner     int // the version that wins; 0: none, both stay
	}{
		{"the device wins", `conflict_resolution = "a wins"`, 2},
		{"the server wins", `conflict_resolution = "b wins"`, 1},
		{"nobody wins", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, m := newHouse(t), model{}
			one, two := h.newSyncer("Laptop"), h.newSyncer("Workstation", c.line)
			m.fill(one, 0, 12)
			one.sync()
			two.sync()

			one.write(3, card(3, 1))
			two.write(3, card(3, 2))
			m.put(two, 5, 1) // what is in no conflict goes on
			one.sync()
			if c.winner == 0 {
				two.failing("One item changed on both sides")
				if !bytes.Equal(one.read(3), card(3, 1)) || !bytes.Equal(two.read(3), card(3, 2)) {
					t.Fatal("a conflict that nobody settled changed a device's card")
				}
				m[3] = card(3, 1)
				one.sync()
				m.everywhere(t, h, one)
				two.failing("One item changed on both sides") // and it is not forgotten
				two.configure(h.url()+"/", `conflict_resolution = "a wins"`)
				c.winner = 2
			}
			two.sync()
			one.sync()
			m[3] = card(3, c.winner)
			m.everywhere(t, h, one, two)
		})
	}
}

// TestEditAgainstDelete edits a contact on one device and deletes it on the other, in the same round: the edit must come out, whoever is first.
func TestEditAgainstDelete(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer")
	h, m := newHouse(t), model{}
	one, two := h.newSyncer("Laptop"), h.newSyncer("Workstation")
	m.fill(one, 0, 12)
	one.sync()
	two.sync()

	one.remove(1)
	two.write(1, card(1, 1)) // over a tombstone
	one.write(2, card(2, 1))
	two.remove(2)
	m[1], m[2] = card(1, 1), card(2, 1)
	one.sync()
	two.sync()
	one.sync()
	m.everywhere(t, h, one, two)

	// A contact that was deleted everywhere comes back under its old UID.
	m.remove(one, 4)
	one.sync()
	two.sync()
	m.everywhere(t, h, one, two)
	m.put(two, 4, 3)
	two.sync()
	one.sync()
	m.everywhere(t, h, one, two)
}

// TestMergeCommand settles a conflict by a command, as people with a merge tool do.
func TestMergeCommand(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer")
	h, m := newHouse(t), model{}
	merge := filepath.Join(t.TempDir(), "merge")
	if err := os.WriteFile(merge, []byte("#!/bin/sh\nsed s/X-EDITED:1/X-EDITED:12/ \"$2\" >\"$1\"\ncp \"$1\" \"$2\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	one, two := h.newSyncer("Laptop"), h.newSyncer("Workstation", `conflict_resolution = ["command", "`+merge+`"]`)
	m.fill(one, 0, 6)
	one.sync()
	two.sync()
	one.write(3, card(3, 1))
	two.write(3, card(3, 2))
	one.sync()
	two.sync()
	one.sync()
	m[3] = bytes.ReplaceAll(card(3, 12), []byte("\r\n"), []byte("\n")) // vdirsyncer reads what the command wrote as text
	m.everywhere(t, h, one, two)
}

// TestUIDTwice gives two files one UID, as a copied file does: vdirsyncer sends one of them, and the server never holds both.
func TestUIDTwice(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer")
	h, m := newHouse(t), model{}
	one := h.newSyncer("Laptop")
	m.fill(one, 0, 6)
	one.sync()
	// Somebody else stores the same person under another name first.
	if code, body := h.dav(one.device, "PUT", h.book()+"other-name.vcf", string(card(7, 0)), "Content-Type: text/vcard"); code != 201 {
		t.Fatal(code, body)
	}
	if code, body := h.dav(one.device, "PUT", h.book()+"third-name.vcf", string(card(7, 1)), "Content-Type: text/vcard"); code != 403 || !bytes.Contains([]byte(body), []byte("no-uid-conflict")) {
		t.Fatalf("one UID under two names: %d %s", code, body)
	}
	m.put(one, 7, 0)
	one.sync() // the same octets on both sides: nothing to settle
	m.everywhere(t, h, one)
	m.put(one, 7, 2)
	one.sync()
	m.everywhere(t, h, one)
}
