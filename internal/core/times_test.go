package core_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/store/memory"
)

// judgeTimes reads a UID, a first start and a last end.
func judgeTimes(_ *holdfast.Collection, name, _ string, body []byte) (holdfast.Kind, holdfast.Index, error) {
	x := holdfast.Index{Times: holdfast.Times{Timed: true}}
	if _, err := fmt.Sscan(string(body), &x.UID, &x.Times.First, &x.Times.Last); err != nil {
		return 0, x, &holdfast.Error{Op: "judge", Kind: holdfast.Invalid, Ref: name, Err: err}
	}
	x.Times.Months = []byte(x.UID)
	return holdfast.KindEvent, x, nil
}

// TestEveryWriteKeepsTheTimes takes one event through all that writes it again, judged or not: it must be found at its time, and nowhere else.
func TestEveryWriteKeepsTheTimes(t *testing.T) {
	e := memory.New()
	defer e.Close()
	h := shelfOf(t, core.New(core.Options{Engine: e, Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judgeTimes}}))
	home, err := h.s.Locate(t.Context(), h.p, h.p.Account, []string{"addressbooks"})
	if err != nil {
		t.Fatal(err)
	}
	look := func(after, path string, from, to int64, want ...string) {
		t.Helper()
		at, err := h.s.Locate(t.Context(), h.p, h.p.Account, append([]string{"addressbooks"}, strings.Split(path, "/")...))
		if err != nil || len(at.Rest) > 0 {
			t.Fatalf("after %s: %v, %v", after, at, err)
		}
		var got []string
		if err := h.s.Read(t.Context(), h.p, h.p.Account, func(r *core.Reader) error {
			return r.Between(at.Collection.ID, from, to, 0, func(x *holdfast.Resource) error {
				got = append(got, x.Name+"="+x.UID+"/"+string(x.Times.Months))
				return nil
			})
		}); err != nil {
			t.Fatal(err)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("after %s: %s holds %q from %d to %d, want %q", after, path, got, from, to, want)
		}
	}
	must := func(_ holdfast.Receipt, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	props := func(ps holdfast.Properties) (holdfast.Properties, error) {
		return ps.With("urn:x", "p", []byte("<p/>")), nil
	}

	h.mustPut(t, "e", "u 100 200")
	look("PUT", "default", 200, 300, "e=u/u")
	look("PUT", "default", 201, 300)
	must(h.s.SetProperties(t.Context(), h.p, h.place("e"), nil, props))
	look("PROPPATCH", "default", 0, 101, "e=u/u")
	h.mustPut(t, "e", "u 300 400") // with properties that stay
	look("PUT over properties", "default", 0, 101)
	look("PUT over properties", "default", 300, 301, "e=u/u")
	must(h.s.SetProperties(t.Context(), h.p, h.place(""), nil, props))
	look("PROPPATCH of the collection", "default", 300, 301, "e=u/u")
	book := core.Transfer{From: h.place(""), To: core.Place{Owner: h.p.Account, Collection: home.Collection.ID, Name: "copy"}}
	must(h.s.Copy(t.Context(), h.p, book))
	look("COPY of the collection", "copy", 300, 301, "e=u/u")
	book.To.Name = "moved"
	must(h.s.Move(t.Context(), h.p, book))
	look("MOVE of the collection", "moved", 300, 301, "e=u/u")
	there, err := h.s.Locate(t.Context(), h.p, h.p.Account, []string{"addressbooks", "copy"})
	if err != nil {
		t.Fatal(err)
	}
	must(h.s.Delete(t.Context(), h.p, core.Place{Owner: h.p.Account, Collection: there.Collection.ID, Name: "e"}, holdfast.Precondition{}, nil))
	look("DELETE", "copy", 0, 1000)
	one := core.Transfer{From: h.place("e"), To: core.Place{Owner: h.p.Account, Collection: there.Collection.ID, Name: "f"}}
	must(h.s.Copy(t.Context(), h.p, one))
	look("COPY", "copy", 400, 401, "f=u/u")
	one.Overwrite = true
	must(h.s.Move(t.Context(), h.p, one))
	look("MOVE", "copy", 400, 401, "f=u/u")
	look("MOVE", "moved", 0, 1000)
	many := core.PutManyRequest{Owner: h.p.Account, Collection: there.Collection.ID, Replace: true, Items: []core.Item{{Name: "x", Body: []byte("u 500 600")}, {Name: "y", Body: []byte("v 500 600")}}}
	if _, err := h.s.PutMany(t.Context(), h.p, many); err != nil {
		t.Fatal(err)
	}
	look("an import", "copy", 300, 401)
	look("an import", "copy", 500, 501, "f=u/u", "y=v/v")
	if err := h.s.Read(t.Context(), h.p, h.p.Account, func(r *core.Reader) error { return r.Between(h.p.Account, 0, 1, 0, nil) }); !holdfast.IsKind(err, holdfast.Forbidden) {
		t.Errorf("the root: %v", err)
	}
}

// TestAFullCheckJudgesOnceMore puts an event past the core, with an index that its octets do not have.
func TestAFullCheckJudgesOnceMore(t *testing.T) {
	e := memory.New()
	defer e.Close()
	h := shelfOf(t, core.New(core.Options{Engine: e, Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judgeTimes}}))
	h.mustPut(t, "good", "u 100 200")
	check := func(octets bool) (found []string) {
		t.Helper()
		if err := h.s.Check(t.Context(), octets, func(f core.Finding) { found = append(found, f.Name+": "+f.What) }); err != nil {
			t.Fatal(err)
		}
		return found
	}
	for _, octets := range []bool{true, false} {
		if found := check(octets); len(found) > 0 {
			t.Errorf("in a sound store: %q", found)
		}
	}
	bad := holdfast.Entry{ID: holdfast.NewID(nil), Op: holdfast.OpPut, Kind: holdfast.KindEvent, Collection: h.book, Name: "bad", Body: []byte("v 100 200"), At: h.s.Now(),
		Index: holdfast.Index{UID: "w", Times: holdfast.Times{Timed: true, First: 100, Last: 200, Months: []byte("v")}}}
	broken := bad
	broken.ID, broken.Name, broken.Body, broken.Index = holdfast.NewID(nil), "broken", []byte("not what is taken today"), holdfast.Index{UID: "x"}
	g := &holdfast.Group{Account: h.p.Account, Entries: []holdfast.Entry{bad, broken}}
	g.Seal()
	if _, err := e.Commit(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	if found := check(false); len(found) > 0 {
		t.Errorf("without the octets: %q", found)
	}
	if found := check(true); !slices.Equal(found, []string{`bad: the index has the UID "w", the octets have "v"`}) {
		t.Errorf("with the octets: %q", found)
	}
}
