package sqlite

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"holdfast"
	"holdfast/internal/store"
)

// TestASpanIsFoundByItsStart holds the classes to what the query builds on: whatever has not ended before from began no earlier than the class says.
func TestASpanIsFoundByItsStart(t *testing.T) {
	ends := []int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, 2*day - 1, 2 * day, 2*day + 1, 31 * day, 31*day + 1, 366 * day, 366*day + 1, math.MaxInt64 - 1, math.MaxInt64}
	for _, first := range ends {
		for _, last := range ends {
			x := times{timed: true, first: first, last: last}
			span := x.span()
			for _, from := range ends {
				if last >= from && first < earliest(int(span), from) {
					t.Errorf("from %d to %d is in class %d and is not found from %d on", first, last, span, from)
				}
			}
		}
	}
	for want, length := range map[int64]int64{0: 2 * day, 1: 2*day + 1, 2: 31*day + 1, 3: 366*day + 1} {
		if got := (times{true, -1, length - 1, ""}).span(); got != want {
			t.Errorf("%d seconds are in class %d, want %d", length, got, want)
		}
	}
}

// TestAnOlderStoreGoesOn opens a store of the first schema: what was in it is there, and new things have times.
func TestAnOlderStoreGoesOn(t *testing.T) {
	dir, p := firstSchema(t)
	e, err := Open(t.Context(), Options{Dir: dir, Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if v, err := e.w.text("PRAGMA user_version"); err != nil || v != "6" {
		t.Errorf("schema %s, %v", v, err)
	}
	if err := e.Check(t.Context(), true, nil, func(f store.Finding) { t.Errorf("as it was: %+v", f) }); err != nil {
		t.Fatal(err)
	}
	event := benchEntry(holdfast.KindEvent, p.book, "event", []byte("event"))
	event.Index = holdfast.Index{UID: "event", Times: holdfast.Times{Timed: true, First: 100, Last: 200, Months: []byte{7}}}
	contact := benchEntry(holdfast.KindAddress, p.book, "old", []byte("a new version"))
	contact.Index.UID = "old"
	g := &holdfast.Group{Account: p.id, Entries: []holdfast.Entry{event, contact}}
	g.Seal()
	if r, err := e.Commit(t.Context(), g); err != nil || r.Seq != 6 {
		t.Fatalf("%+v, %v", r, err)
	}
	s, err := e.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var found, listed []string
	if err := s.Between(p.book, 0, 150, 0, func(r *holdfast.Resource) error { found = append(found, r.Name); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := s.List(p.book, "", 0, 0, func(r *holdfast.Resource) error { listed = append(listed, r.Name); return nil }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(found, []string{"event"}) || !slices.Equal(listed, []string{"event", "old"}) {
		t.Errorf("found %q, listed %q", found, listed)
	}
	if err := e.Check(t.Context(), true, nil, func(f store.Finding) { t.Errorf("%+v", f) }); err != nil {
		t.Error(err)
	}
}

// firstSchema makes a store with the statements of schema1.sql alone. Its rows are those that the engine writes for an account with one contact.
func firstSchema(t *testing.T) (dir string, p person) {
	t.Helper()
	today := t.TempDir()
	e, err := Open(t.Context(), Options{Dir: today, Create: true, Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	p = benchAccounts(t, e, 1)[0]
	contact := benchEntry(holdfast.KindAddress, p.book, "old", []byte("a contact"))
	contact.Index.UID = "old"
	g := &holdfast.Group{Account: p.id, Entries: []holdfast.Entry{contact}}
	g.Seal()
	if _, err := e.Commit(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	c, err := openConn(Zombiezen{}, filepath.Join(dir, FileName), 100)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	schema, err := schemas.ReadFile("schema1.sql")
	if err != nil {
		t.Fatal(err)
	}
	script := []string{string(schema), fmt.Sprintf("PRAGMA application_id=%d", applicationID), "PRAGMA user_version=1", "ATTACH '" + filepath.Join(today, FileName) + "' AS today"}
	for _, table := range []string{"store", "batches", "accounts", "logins", "epochs", "changes", "collections"} {
		script = append(script, fmt.Sprintf("INSERT INTO main.%s SELECT * FROM today.%s", table, table))
	}
	columns := "coll,name,seq,lsn,state,item,kind,etag,phash,size,at,made,uid"
	for _, sql := range append(script, fmt.Sprintf("INSERT INTO main.resources(%s) SELECT %s FROM today.resources", columns, columns)) {
		if err := c.Exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	return dir, p
}
