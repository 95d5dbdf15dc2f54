package core_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
)

func TestAGuestHasPropertiesOfHisOwn(t *testing.T) {
	f := newFamily(t, core.Limits{})
	set := func(p holdfast.Principal, space, local, xml string) error {
		at := f.place("")
		at.Binding = p != f.p
		_, err := f.s.SetProperties(t.Context(), p, at, nil, func(ps holdfast.Properties) (holdfast.Properties, error) {
			return ps.With(space, local, []byte(xml)), nil
		})
		return err
	}
	for _, x := range []holdfast.Property{{Space: "http://apple.com/ns/ical/", Local: "calendar-color", XML: []byte("<red/>")}, {Space: "urn:x", Local: "note", XML: []byte("<private/>")}} {
		if err := set(f.p, x.Space, x.Local, string(x.XML)); err != nil {
			t.Fatal(err)
		}
	}
	f.share(t, holdfast.RightRead)
	see := func(p holdfast.Principal) (name, color, note string) {
		t.Helper()
		if err := f.s.Read(t.Context(), p, p.Account, func(r *core.Reader) error {
			c, err := r.Collection(f.book)
			name = string(c.Properties.Get("DAV:", "displayname"))
			color, note = string(c.Properties.Get("http://apple.com/ns/ical/", "calendar-color")), string(c.Properties.Get("urn:x", "note"))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return name, color, note
	}
	if name, color, note := see(f.bob); name != named || color != "<red/>" || note != "" {
		t.Errorf("at first: %s, %s, %s", name, color, note)
	}
	if err := errors.Join(set(f.bob, "http://apple.com/ns/ical/", "calendar-color", "<blue/>"), set(f.bob, "urn:x", "note", "<mine/>"), set(f.bob, "DAV:", "displayname", "<hers/>")); err != nil {
		t.Fatal(err)
	}
	if name, color, note := see(f.bob); name != "<hers/>" || color != "<blue/>" || note != "<mine/>" {
		t.Errorf("the guest's: %s, %s, %s", name, color, note)
	}
	if name, color, note := see(f.p); name != strings.Replace(named, " (alice@example.org)", "", 1) || color != "<red/>" || note != "<private/>" {
		t.Errorf("the owner's: %s, %s, %s", name, color, note)
	}
	wantKind(t, set(f.eve, "urn:x", "note", "<mine/>"), holdfast.Forbidden)
}

// TestAnOwnerWhoCannotBeServed: the collection stays in the guest's home, and nobody gets in.
func TestAnOwnerWhoCannotBeServed(t *testing.T) {
	f := newFamily(t, core.Limits{})
	f.mustPut(t, "1.vcf", "u1 x")
	f.share(t, holdfast.RightWrite)
	state := func(s holdfast.AccountState) {
		t.Helper()
		if _, err := f.s.UpdateAccount(t.Context(), holdfast.Actor{}, f.p.Account, func(r *holdfast.AccountRecord) error { r.State = s; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	state(holdfast.Suspended)
	if got := f.visible(t, f.bob); len(got) != 1 {
		t.Errorf("the home has %v", got)
	}
	if got := f.where(t, f.bob, f.book.String(), "1.vcf"); got != "unavailable" {
		t.Errorf("inside: %s", got)
	}
	wantKind(t, f.put(t, f.bob, "2.vcf", "u2 x"), holdfast.Unavailable)
	for what, ask := range map[string]func(r *core.Reader) error{
		"collection": func(r *core.Reader) error { _, err := r.Collection(f.book); return err },
		"resource":   func(r *core.Reader) error { _, err := r.Resource(f.book, "1.vcf", 0); return err },
		"list": func(r *core.Reader) error {
			return r.List(f.book, "", 0, 0, func(*holdfast.Resource) error { return nil })
		},
	} {
		if err := f.s.Read(t.Context(), f.bob, f.bob.Account, ask); !holdfast.IsKind(err, holdfast.Unavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
	state(holdfast.Active)
	if err := f.put(t, f.bob, "2.vcf", "u2 x"); err != nil {
		t.Error(err)
	}
}

// syncAs is sync for another principal, in his own tree.
func (f *family) syncAs(t *testing.T, p holdfast.Principal, token string) (learned []string, next string, err error) {
	t.Helper()
	err = f.s.Read(t.Context(), p, p.Account, func(r *core.Reader) error {
		c, err := r.Collection(f.book)
		if err != nil {
			return err
		}
		next, _, err = r.Changes(&c, token, 0, 0, func(x *holdfast.Resource) error {
			learned = append(learned, x.Name)
			return nil
		})
		return err
	})
	return learned, next, err
}

func TestAGuestSyncs(t *testing.T) { onBoth(t, guestSyncs) }

func guestSyncs(t *testing.T, f *family) {
	f.mustPut(t, "1.vcf", "u1 x")
	f.share(t, holdfast.RightWrite)
	learned, token, err := f.syncAs(t, f.bob, "")
	if err != nil || len(learned) != 1 {
		t.Fatal(learned, err)
	}
	if _, same, _, _ := f.sync(t, f.book, "", 0); same != token {
		t.Error("owner and guest have different tokens of one state")
	}
	f.mustPut(t, "2.vcf", "u2 x")
	if learned, _, err = f.syncAs(t, f.bob, token); err != nil || len(learned) != 1 || learned[0] != "2.vcf" {
		t.Error(learned, err)
	}
	devices, err := f.s.Devices(t.Context(), f.bob.Account)
	if err != nil || len(devices) != 1 || len(devices[0].Seen) != 1 || devices[0].Seen[0].Collection != f.book {
		t.Errorf("%+v, %v", devices, err)
	}
	f.s.Close(t.Context()) // what was gathered is written down
	if devices, err = f.s.Devices(t.Context(), f.bob.Account); err != nil || len(devices) != 1 || len(devices[0].Seen) != 1 {
		t.Errorf("written down: %+v, %v", devices, err)
	}
	if _, _, err := f.syncAs(t, f.eve, token); !holdfast.IsKind(err, holdfast.Forbidden) {
		t.Errorf("a stranger: %v", err)
	}
}

// TestAGuestProvesALoss: his token puts the owner's account in doubt, and his own where the binding is among what was lost.
func TestAGuestProvesALoss(t *testing.T) {
	for _, bound := range []bool{true, false} {
		f := newFamily(t, core.Limits{})
		f.share(t, holdfast.RightRead)
		_, token, err := f.syncAs(t, f.bob, "")
		if err != nil {
			t.Fatal(err)
		}
		if !bound {
			if err := f.s.Unshare(t.Context(), holdfast.Actor{}, f.p.Account, f.book, f.bob.Account); err != nil {
				t.Fatal(err)
			}
			if err := f.s.Read(t.Context(), f.bob, f.bob.Account, func(r *core.Reader) error { return r.CheckToken(token) }); err != nil {
				t.Errorf("the token of an ended share: %v", err)
			}
		}
		f.e.chain = &holdfast.Error{Op: "test", Kind: holdfast.NotFound}
		err = f.s.Read(t.Context(), f.bob, f.bob.Account, func(r *core.Reader) error { r.CheckToken(token); return nil })
		wantKind(t, err, holdfast.InDoubt)
		in := map[holdfast.ID]bool{}
		for _, d := range f.s.Doubts() {
			in[d.Account] = true
		}
		if !in[f.p.Account] || in[f.bob.Account] == bound || in[f.eve.Account] {
			t.Errorf("bound %v: in doubt are %v", bound, in)
		}
		wantKind(t, f.s.Share(t.Context(), holdfast.Actor{}, f.p.Account, f.book, f.eve.Account, holdfast.RightRead), holdfast.InDoubt)
		if bound && (f.where(t, f.bob, f.book.String()) != "in doubt" || len(f.visible(t, f.bob)) != 1) {
			t.Errorf("%s, %v", f.where(t, f.bob, f.book.String()), f.visible(t, f.bob))
		}
	}
}

func TestWhoSharesIsFound(t *testing.T) {
	f := newFamily(t, core.Limits{})
	find := func(p holdfast.Principal, other holdfast.ID) error {
		_, outside := f.s.ResolvePrincipal(t.Context(), p, other.String())
		var inside error
		if err := f.s.Read(t.Context(), p, p.Account, func(r *core.Reader) error {
			_, inside = r.ResolvePrincipal(other.String())
			all, err := r.Related()
			if found := slices.ContainsFunc(all, func(a holdfast.Account) bool { return a.ID == other }); found != (inside == nil) {
				t.Errorf("listed: %v, found: %v", found, inside)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if holdfast.KindOf(inside) != holdfast.KindOf(outside) {
			t.Errorf("inside %v, outside %v", inside, outside)
		}
		return outside
	}
	wantKind(t, find(f.bob, f.p.Account), holdfast.Forbidden)
	f.share(t, holdfast.RightRead)
	if err := errors.Join(find(f.bob, f.p.Account), find(f.p, f.bob.Account)); err != nil {
		t.Error(err)
	}
	wantKind(t, find(f.eve, f.p.Account), holdfast.Forbidden)
	wantKind(t, find(f.p, f.eve.Account), holdfast.Forbidden)
	wantKind(t, find(f.eve, f.bob.Account), holdfast.Forbidden)
	if err := f.s.Share(t.Context(), holdfast.Actor{}, f.p.Account, f.book, f.eve.Account, "read"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, find(f.eve, f.bob.Account), holdfast.Forbidden) // two guests of one book do not find each other
	f.drop(t, holdfast.KindShare, f.p.Account, holdfast.ShareName(f.book, f.bob.Account))
	wantKind(t, find(f.bob, f.p.Account), holdfast.Forbidden) // the binding alone says nothing
	before := f.e.snapshots.Load()
	for _, x := range []string{f.p.Account.String(), "alice@example.org", holdfast.NewID(nil).String()} {
		f.clock.Advance(time.Millisecond)
		if _, err := f.s.ResolvePrincipal(t.Context(), f.eve, x); x == f.p.Account.String() != (err == nil) {
			t.Errorf("%s: %v", x, err)
		}
	}
	if f.e.snapshots.Load() > before+2 {
		t.Errorf("%d snapshots", f.e.snapshots.Load()-before)
	}
}
