package core_test

import (
	"testing"

	"holdfast"
	"holdfast/internal/core"
)

// TestAddWhileInDoubt shows that an operator may add to an account that waits, and that nothing else is let through by it: its owner's way to its past and its devices wait on, no version is replaced, and a quarrel of histories is settled first.
func TestAddWhileInDoubt(t *testing.T) {
	h := newPast(t)
	h.mustPut(t, "2.vcf", "u2 x")
	mine, err := h.s.Past(t.Context(), h.p, h.p.Account)
	if err != nil {
		t.Fatal(err)
	}
	h.check(t, h.after)
	past, err := h.s.PastOf(t.Context(), h.p.Account)
	if err != nil {
		t.Fatal(err)
	}
	items := []core.Item{{Name: "9.vcf", Body: []byte("u9 y")}, {Name: "2.vcf", Body: []byte("u8 y")}, {Name: "8.vcf", Body: []byte("u2 y"), Instead: holdfast.HashOf([]byte("u2 x"))}}
	if _, err := mine.Add(t.Context(), h.book, items, false); !holdfast.IsKind(err, holdfast.InDoubt) {
		t.Fatalf("its owner's device added to an account in doubt: %v", err)
	}
	got, err := past.Add(t.Context(), h.book, items, false)
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Outcome != core.Created || !holdfast.IsKind(got[1].Err, holdfast.Exists) || !holdfast.IsKind(got[2].Err, holdfast.UIDConflict) {
		t.Errorf("added as %+v", got)
	}
	again, err := past.Add(t.Context(), h.book, items[:1], false)
	if err != nil || again[0].Outcome != core.Same {
		t.Errorf("the same again: %+v, %v", again, err)
	}
	if _, _, err := h.s.Put(t.Context(), h.p, core.PutRequest{Place: h.place("3.vcf"), Body: []byte("u3 x")}); !holdfast.IsKind(err, holdfast.InDoubt) {
		t.Errorf("a device wrote to an account in doubt: %v", err)
	}
	n := 0
	if err := past.Traces(t.Context(), func(x core.Trace) error { n++; return nil }); err != nil || n != 2 {
		t.Errorf("%d changes of members: %v", n, err)
	}
	if err := h.s.Settle(t.Context(), h.p.Account); err != nil {
		t.Fatal(err)
	}
	if err := h.s.Diverged(t.Context(), h.p.Account, "attic", 9, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := past.Add(t.Context(), h.book, items[:1], false); !holdfast.IsKind(err, holdfast.InDoubt) {
		t.Errorf("added while a vault has another history: %v", err)
	}
}

// TestWhatADeviceHolds shows that a device is taken to hold what it was seen in, what it has proof of, and anything where the store never saw it.
func TestWhatADeviceHolds(t *testing.T) {
	for name, x := range map[string]struct {
		seen                bool
		token               func(*past) string
		contacts, calendars bool
	}{
		"never seen":                         {false, func(h *past) string { return h.after }, true, true},
		"seen in an address book":            {true, func(h *past) string { return h.after }, true, false},
		"proof of a collection that is lost": {true, func(h *past) string { return h.lostToken }, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newPast(t)
			if x.seen {
				if _, _, _, err := h.sync(t, h.book, "", 0); err != nil {
					t.Fatal(err)
				}
			}
			h.check(t, x.token(h))
			holds, err := h.s.Holds(t.Context(), h.p.Account, h.p.Device)
			if err != nil || holds.Contacts != x.contacts || holds.Calendars != x.calendars {
				t.Errorf("%+v, %v", holds, err)
			}
		})
	}
}

// TestWhatFilesLack: files that name nothing of a collection, or less than half of an address book, are no export of the device.
func TestWhatFilesLack(t *testing.T) {
	h := newPast(t)
	for _, n := range []string{"4", "5", "6"} {
		h.mustPut(t, n+".vcf", "u"+n+" x")
	}
	h.check(t, h.after)
	holds, err := h.s.Holds(t.Context(), h.p.Account, h.p.Device)
	if err != nil || len(holds.Books) != 1 || holds.Books[0] != (core.HeldBook{Path: "addressbooks/default", Contacts: true, Items: 3}) {
		t.Fatalf("%+v, %v", holds, err)
	}
	holds.Books = append(holds.Books, core.HeldBook{Path: "calendars/default", Items: 9}, core.HeldBook{Path: "calendars/work", Items: 9})
	for _, x := range []struct {
		contacts, others, book, events, work int
		lacks                                string
	}{
		{0, 5, 0, 5, 5, "contacts"},
		{3, 0, 3, 0, 0, "calendars"},
		{3, 5, 0, 5, 5, "addressbooks/default"},
		{1, 5, 1, 5, 5, "most of addressbooks/default"},
		{2, 1, 2, 1, 0, "calendars/work"},
		{2, 2, 2, 1, 1, ""}, // a device may have a window of time
	} {
		named := map[string]int64{"addressbooks/default": int64(x.book), "calendars/default": int64(x.events), "calendars/work": int64(x.work)}
		if got := holds.Lacks(x.contacts, x.others, named); got != x.lacks {
			t.Errorf("%+v: lacks %q", x, got)
		}
	}
}

// TestRemakeWhileInDoubt shows that the operator may make a default collection anew for an account that waits, under the same rules as what is added to it; and that nothing that is there is touched.
func TestRemakeWhileInDoubt(t *testing.T) {
	h := newPast(t)
	mine, err := h.s.Past(t.Context(), h.p, h.p.Account)
	if err != nil {
		t.Fatal(err)
	}
	past, err := h.s.PastOf(t.Context(), h.p.Account)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := past.Remake(t.Context(), "addressbooks/default", false); !holdfast.IsKind(err, holdfast.Exists) {
		t.Errorf("made beside one that is there: %v", err)
	}
	if _, err := past.Remake(t.Context(), "addressbooks/mine", false); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Errorf("made what no account has of itself: %v", err)
	}
	if _, err := h.s.Delete(t.Context(), h.p, core.Place{Owner: h.p.Account, Collection: h.book}, holdfast.Precondition{}, nil); err != nil {
		t.Fatal(err)
	}
	h.check(t, h.after)
	if _, err := mine.Remake(t.Context(), "addressbooks/default", false); !holdfast.IsKind(err, holdfast.InDoubt) {
		t.Errorf("its owner's device made one in an account in doubt: %v", err)
	}
	c, err := past.Remake(t.Context(), "addressbooks/default", false)
	if err != nil || c.ID == h.book {
		t.Fatalf("%+v, %v", c, err)
	}
	if got, err := past.Add(t.Context(), c.ID, []core.Item{{Name: "9.vcf", Body: []byte("u9 y")}}, false); err != nil || got[0].Outcome != core.Created {
		t.Errorf("added as %+v, %v", got, err)
	}
}
