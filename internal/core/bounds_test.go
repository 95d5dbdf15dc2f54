package core_test

import (
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/core"
)

// TestNothingHidesWhatIsShared: a guest's own collection never stands where another's hangs, or would: it would be listed twice, and what is shared could not be reached.
func TestNothingHidesWhatIsShared(t *testing.T) {
	f := newFamily(t, core.Limits{})
	at, err := f.s.Locate(t.Context(), f.bob, f.bob.Account, []string{"addressbooks"})
	if err != nil {
		t.Fatal(err)
	}
	own := core.NewCollection{Owner: f.bob.Account, Parent: at.Collection.ID, Name: f.book.String(), Type: holdfast.TypeAddressbook}
	f.share(t, holdfast.RightRead)
	_, _, err = f.s.MakeCollection(t.Context(), f.bob, own)
	wantKind(t, err, holdfast.Exists)
	from, err := f.s.Locate(t.Context(), f.bob, f.bob.Account, []string{"addressbooks", "default"})
	if err != nil {
		t.Fatal(err)
	}
	move := core.Transfer{From: from.Place(), To: core.Place{Owner: f.bob.Account, Collection: at.Collection.ID, Name: f.book.String()}, Overwrite: true}
	_, err = f.s.Move(t.Context(), f.bob, move)
	wantKind(t, err, holdfast.Exists)
	_, err = f.s.Copy(t.Context(), f.bob, move)
	wantKind(t, err, holdfast.Exists)
	if err := f.s.Unshare(t.Context(), holdfast.Actor{}, f.p.Account, f.book, f.bob.Account); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.s.MakeCollection(t.Context(), f.bob, own); err != nil {
		t.Fatal(err)
	}
	wantKind(t, f.s.Share(t.Context(), holdfast.Actor{}, f.p.Account, f.book, f.bob.Account, holdfast.RightRead), holdfast.Invalid)
	if got := f.visible(t, f.bob); len(got) != 0 {
		t.Errorf("the home has %v", got)
	}
}

// TestPropertiesOfCollectionsAreBoundedInAll: they are kept in memory, the owner's and the guest's.
func TestPropertiesOfCollectionsAreBoundedInAll(t *testing.T) {
	f := newFamily(t, core.Limits{Looks: 10_000})
	f.share(t, holdfast.RightRead)
	at, err := f.s.Locate(t.Context(), f.p, f.p.Account, []string{"addressbooks"})
	if err != nil {
		t.Fatal(err)
	}
	large := func(ps holdfast.Properties, n int) holdfast.Properties {
		return ps.With("urn:x", "a", []byte(`<a xmlns="urn:x">`+strings.Repeat("x", n)+`</a>`))
	}
	paint := func(p holdfast.Principal, c holdfast.ID, n int) error {
		_, err := f.s.SetProperties(t.Context(), p, core.Place{Owner: f.p.Account, Collection: c, Binding: p != f.p}, nil,
			func(ps holdfast.Properties) (holdfast.Properties, error) { return large(ps, n), nil })
		return err
	}
	second := core.NewCollection{Owner: f.p.Account, Parent: at.Collection.ID, Name: "second", Type: holdfast.TypeAddressbook, Properties: large(nil, 4000)}
	id, _, err := f.s.MakeCollection(t.Context(), f.p, second)
	if err != nil {
		t.Fatal(err)
	}
	if err := paint(f.p, f.book, 4000); err != nil {
		t.Fatal(err)
	}
	wantKind(t, paint(f.p, f.book, 8000), holdfast.TooLarge)
	second.Name = "third"
	_, _, err = f.s.MakeCollection(t.Context(), f.p, second)
	wantKind(t, err, holdfast.TooLarge)
	_, err = f.s.Copy(t.Context(), f.p, core.Transfer{From: core.Place{Owner: f.p.Account, Collection: id}, To: core.Place{Owner: f.p.Account, Collection: at.Collection.ID, Name: "third"}})
	wantKind(t, err, holdfast.TooLarge)
	if err := paint(f.bob, f.book, 8000); err != nil { // these are his own
		t.Error(err)
	}
	wantKind(t, paint(f.bob, f.book, 11_000), holdfast.TooLarge)
	if err := paint(f.bob, f.book, 10); err != nil {
		t.Error(err)
	}
}
