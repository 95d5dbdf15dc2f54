package salvage

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/dav/carddav"
	"holdfast/internal/store/memory"
)

// phone is a device that keeps what it was told of an address book.
type phone struct {
	p     holdfast.Principal
	token string
	has   map[string]string
}

// sync asks for what changed, as a client does; full lists anew and drops what is not listed.
func (d *phone) sync(t *testing.T, h *house, full bool) error {
	t.Helper()
	if full {
		d.token, d.has = "", map[string]string{}
	}
	return h.s.Read(t.Context(), d.p, d.p.Account, func(r *core.Reader) error {
		c, err := r.Collection(h.book)
		if err != nil {
			return err
		}
		next, _, err := r.Changes(&c, d.token, 0, core.WithBody, func(x *holdfast.Resource) error {
			if delete(d.has, x.Name); x.State != holdfast.Tombstone {
				d.has[x.Name] = string(x.Body)
			}
			return nil
		})
		if err == nil {
			d.token = next
		}
		return err
	})
}

// export is what a person's phone writes into a file.
func (d *phone) export() string {
	var names []string
	for n := range d.has {
		names = append(names, n)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, n := range names {
		b.WriteString(d.has[n])
	}
	return b.String()
}

// TestTheWalk is the whole way: a store is put back to an older state, one phone proves that it has seen more and has work of its own, its export is salvaged while everybody waits, and then both phones and the store have the same.
func TestTheWalk(t *testing.T) {
	twin := func() *house {
		e := memory.New()
		t.Cleanup(func() { e.Close() })
		s := core.New(core.Options{Engine: e, Random: rand.NewChaCha8([32]byte{4}), Clock: clock.NewFake(time.Unix(1e9, 0)),
			Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: carddav.Judge(carddav.Options{})}})
		a, _, err := s.CreateAccount(t.Context(), holdfast.Actor{}, "alice@example.org", "")
		if err != nil {
			t.Fatal(err)
		}
		at, err := s.Locate(t.Context(), holdfast.Principal{Account: a.ID}, a.ID, []string{"addressbooks", "default"})
		if err != nil {
			t.Fatal(err)
		}
		h := &house{s: s, p: holdfast.Principal{Account: a.ID}, book: at.Collection.ID}
		h.p.Device = holdfast.ID{1}
		h.put(t, h.book, "ann.vcf", card("ann", "Ann", "TEL:1"))
		h.put(t, h.book, "bob.vcf", card("bob", "Bob", "TEL:2"))
		return h
	}
	now, old := twin(), twin()
	one := &phone{p: now.p, has: map[string]string{}}
	two := &phone{p: now.p, has: map[string]string{}}
	two.p.Device = holdfast.ID{2}
	for _, d := range []*phone{one, two} {
		if err := d.sync(t, now, true); err != nil {
			t.Fatal(err)
		}
	}
	// What the store that is put back will lack: a new contact, and an edit. Only one phone has seen them.
	now.put(t, now.book, "cid.vcf", card("cid", "Cid", "TEL:3"))
	now.put(t, now.book, "ann.vcf", card("ann", "Ann", "TEL:1", "NOTE:since"))
	if err := one.sync(t, now, false); err != nil {
		t.Fatal(err)
	}
	// What it never sent.
	one.has["local"] = card("", "Dan", "TEL:4")
	h := old
	if err := one.sync(t, h, false); !holdfast.IsKind(err, holdfast.InDoubt) {
		t.Fatalf("the phone that has seen more was answered %v", err)
	}
	if err := two.sync(t, h, false); !holdfast.IsKind(err, holdfast.InDoubt) {
		t.Fatalf("the other phone was answered %v", err)
	}
	file := one.export()
	n, _ := h.salvage(t, Request{From: "Pixel"}, "phone.vcf", file)
	if want := (Counts{Items: 4, Contacts: 4, Already: 1, Restored: 2, Conflict: 1}); n != want {
		t.Fatalf("salvaged %+v, want %+v", n, want)
	}
	if err := two.sync(t, h, false); !holdfast.IsKind(err, holdfast.InDoubt) {
		t.Fatalf("after a salvage somebody was let go on: %v", err)
	}
	if err := h.s.Dismiss(t.Context(), h.p.Account, one.p.Device, core.Salvaged); err != nil {
		t.Fatal(err)
	}
	if err := one.sync(t, h, false); err == nil {
		t.Fatal("a token of the lost past was good")
	}
	one.has = map[string]string{}
	if err := one.sync(t, h, true); err != nil {
		t.Fatal(err)
	}
	if err := two.sync(t, h, false); err != nil {
		t.Fatal(err)
	}
	if one.export() != two.export() || len(one.has) != 5 {
		t.Fatalf("one phone has\n%s\nthe other\n%s", one.export(), two.export())
	}
	for _, said := range []string{"FN:Cid", "FN:Dan", "NOTE:since", "FN:Bob"} {
		if !strings.Contains(two.export(), said) {
			t.Errorf("%s was lost", said)
		}
	}
	if n, _ := h.salvage(t, Request{From: "Pixel"}, "phone.vcf", file); n.Already != 4 {
		t.Errorf("the same again did %+v", n)
	}
}
