package salvage

import (
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/dav/caldav"
	"holdfast/internal/dav/carddav"
	"holdfast/internal/store/memory"
)

// without restores the house's store without the octets of one member's newest version, which becomes a ghost.
func (h *house) without(t *testing.T, name string) *house {
	t.Helper()
	last := uint64(0)
	each := func(fn func(*holdfast.Batch) error) {
		if err := h.e.After(t.Context(), 0, 0, fn); err != nil {
			t.Fatal(err)
		}
	}
	each(func(b *holdfast.Batch) error {
		for i := range b.Changes {
			if b.Changes[i].Name == name {
				last = b.Changes[i].Seq
			}
		}
		return nil
	})
	e := memory.New()
	t.Cleanup(func() { e.Close() })
	each(func(b *holdfast.Batch) error {
		b.Position, b.Prev = holdfast.Position{}, holdfast.Hash{}
		for i := range b.Changes {
			if c := &b.Changes[i]; c.Seq == last && c.Name == name {
				c.Prune()
			}
		}
		return e.Apply(t.Context(), b)
	})
	s := core.New(core.Options{Engine: e, Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: carddav.Judge(carddav.Options{}), holdfast.TypeCalendar: caldav.Judge(caldav.Options{})}})
	return &house{s: s, p: h.p, book: h.book, cal: h.cal, e: e}
}

// TestWhatWasLostComesBackUnderItsName: what a phone exports of an item whose octets nothing has goes to where that was, whose name a phone knows, and not beside it; also where the phone wrote it in another way.
func TestWhatWasLostComesBackUnderItsName(t *testing.T) {
	const first = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u1\r\nFN:Ann Doe\r\nN:Doe;Ann;;;\r\nTEL:123456\r\nEND:VCARD\r\n"
	lost := strings.Replace(first, "END", "NOTE:what was lost\r\nEND", 1)
	for how, x := range map[string]struct {
		before, text string
		seen         bool // an earlier version is there
	}{
		"the very octets":        {"", lost, false},
		"of one that was edited": {first, lost, true},
		"written otherwise":      {first, strings.NewReplacer("VERSION:3.0", "VERSION:4.0", "TEL", "REV:20261101T000000Z\r\nTEL").Replace(lost), true},
		"without its UID":        {first, strings.Replace(lost, "UID:u1\r\n", "", 1), true},
	} {
		h := newHouse(t)
		if x.before != "" {
			h.put(t, h.book, "its own name.vcf", x.before)
		}
		h.put(t, h.book, "its own name.vcf", lost)
		h = h.without(t, "its own name.vcf")
		const path = "addressbooks/default/its own name.vcf"
		for _, dry := range []bool{true, false} {
			n, items := h.salvage(t, Request{DryRun: dry}, "f.vcf", x.text)
			if len(items) != 1 || n.Restored != 1 || items[0].Path != path || items[0].Edited {
				t.Errorf("%s, dry %v: %+v", how, dry, items)
			}
		}
		if live := h.live(t); len(live) != 1 || !strings.Contains(live[path], "NOTE:what was lost") {
			t.Errorf("%s: %v", how, live)
		}
		if n, items := h.salvage(t, Request{}, "f.vcf", x.text); n.Already != 1 {
			t.Errorf("%s, the same again: %+v", how, items)
		}
	}
}
