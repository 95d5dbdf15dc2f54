package transfer

import (
	"strings"
	"testing"

	"holdfast"
)

// An import into what is shared with an account goes as far as its right does, and an export holds what is the account's own.
func TestImportIntoWhatIsShared(t *testing.T) {
	h := newHouse(t)
	bob, _, err := h.s.CreateAccount(t.Context(), holdfast.Actor{}, "bob@example.org", "")
	if err != nil {
		t.Fatal(err)
	}
	owner := &house{h.s, bob, holdfast.Principal{Account: bob.ID}, h.e}
	at, err := h.s.Locate(t.Context(), owner.p, bob.ID, []string{"addressbooks", "default"})
	if err != nil {
		t.Fatal(err)
	}
	share := func(r holdfast.Right) {
		t.Helper()
		if err := h.s.Share(t.Context(), holdfast.Actor{}, bob.ID, at.Collection.ID, h.a.ID, r); err != nil {
			t.Fatal(err)
		}
	}
	q := Request{Into: "addressbooks/" + at.Collection.ID.String(), File: "x.vcf"}
	share(holdfast.RightRead)
	if _, err := h.take(t, t.Context(), q, strings.NewReader(card("a"))); !holdfast.IsKind(err, holdfast.Forbidden) {
		t.Errorf("with the right to read: %v", err)
	}
	share(holdfast.RightWrite)
	got, err := h.take(t, t.Context(), q, strings.NewReader(card("a")+card("b")))
	if err != nil || got.done == nil || got.done.Created != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	if names := strings.Join(owner.names(t), " "); strings.Count(names, ".vcf") != 2 || len(h.names(t)) != 0 {
		t.Errorf("the owner has %s, the guest %v", names, h.names(t))
	}
	if strings.Contains(string(h.export(t)), "UID:a") || !strings.Contains(string(owner.export(t)), "UID:a") {
		t.Error("an export holds what is another's, or lacks what is the account's own")
	}
}
