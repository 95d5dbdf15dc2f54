package salvage

import (
	"slices"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/core"
)

// TestADeletedDefaultIsMadeAnew: what comes back goes where phones look for it, also where that was deleted with all that it had; nobody has to make it first. A dry run says so, and makes nothing.
func TestADeletedDefaultIsMadeAnew(t *testing.T) {
	const card = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u2\r\nFN:Ben\r\nN:;Ben;;;\r\nEND:VCARD\r\n"
	for into, ok := range map[string]bool{"": true, "addressbooks/default": true, "addressbooks/other": false} {
		h := newHouse(t)
		h.put(t, h.book, "a.vcf", strings.NewReplacer("u2", "u1", "Ben", "Ann").Replace(card))
		if _, err := h.s.Delete(t.Context(), h.p, core.Place{Owner: h.p.Account, Collection: h.book}, holdfast.Precondition{}, nil); err != nil {
			t.Fatal(err)
		}
		if !ok {
			if _, err := New(t.Context(), h.s, Request{Account: h.p.Account, Into: into}, nil); !holdfast.IsKind(err, holdfast.NotFound) {
				t.Errorf("into %s: %v", into, err)
			}
			continue
		}
		for _, dry := range []bool{true, true, false} { // the second finds nothing of the first
			n, items := h.salvage(t, Request{DryRun: dry, Into: into}, "f.vcf", card+strings.NewReplacer("u2", "u3", "Ben", "Cleo").Replace(card))
			if n.Restored != 2 || items[0].Path != "addressbooks/default/u2.vcf" {
				t.Errorf("into %q, dry %v: %+v %+v", into, dry, n, items)
			}
			past, err := h.s.PastOf(t.Context(), h.p.Account)
			if err != nil {
				t.Fatal(err)
			}
			if paths, _, err := past.Books(t.Context()); err != nil || dry == slices.Contains(paths, "addressbooks/default") {
				t.Errorf("dry %v: %v, %v", dry, paths, err)
			}
		}
		if n, items := h.salvage(t, Request{Into: into}, "f.vcf", card); n.Already != 1 || items[0].Path != "addressbooks/default/u2.vcf" {
			t.Errorf("the same again: %+v", items)
		}
		if n, _ := h.salvage(t, Request{Into: into}, "f.vcf", strings.NewReplacer("u2", "u1", "Ben", "Ann").Replace(card)); n.Offered != 1 {
			t.Errorf("what was deleted with it: %+v", n)
		}
	}
}
