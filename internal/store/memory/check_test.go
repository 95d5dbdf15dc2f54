package memory

import (
	"testing"

	"holdfast"
	"holdfast/internal/store"
)

// TestCheckFinds damages a store in one way after the other; each must be found.
func TestCheckFinds(t *testing.T) {
	for what, damage := range map[string]func(*Engine, *account){
		"octets":       func(_ *Engine, a *account) { a.changes[2].Body = []byte("other") },
		"properties":   func(_ *Engine, a *account) { a.changes[2].PropsRaw[3] ^= 1 },
		"an entry":     func(_ *Engine, a *account) { a.changes[2].ContentType = "text/plain" },
		"a chain":      func(_ *Engine, a *account) { a.changes[2].Chain[0] ^= 1 },
		"an order":     func(_ *Engine, a *account) { a.changes[1], a.changes[2] = a.changes[2], a.changes[1] },
		"a lost item":  func(_ *Engine, a *account) { delete(a.collections[a.id].items, "x") },
		"a sum":        func(_ *Engine, a *account) { a.changes[2].totals.sum[31] ^= 1 },
		"a count":      func(_ *Engine, a *account) { a.changes[2].totals.items++ },
		"a time":       func(_ *Engine, a *account) { a.changes[2].At = a.changes[2].At.Add(1000) },
		"a batch":      func(e *Engine, _ *account) { e.batches[0].at.Hash[0] ^= 1 },
		"a UID":        func(_ *Engine, a *account) { a.changes[2].Index.UID = "y" },
		"times":        func(_ *Engine, a *account) { a.changes[2].Index.Times = holdfast.Times{Timed: true, Last: 1} },
		"a lost batch": func(e *Engine, _ *account) { e.batches = e.batches[1:] },
	} {
		e, a := founded(t)
		if found := findings(t, e); len(found) != 0 {
			t.Fatalf("a sound store: %+v", found)
		}
		if damage(e, a); len(findings(t, e)) == 0 {
			t.Errorf("%s: the damage was not found", what)
		}
	}
}

func findings(t *testing.T, e *Engine) (found []store.Finding) {
	t.Helper()
	if err := e.Check(t.Context(), true, deriveNothing, func(f store.Finding) { found = append(found, f) }); err != nil {
		t.Fatal(err)
	}
	return found
}

// founded returns an engine with an account of three changes, in two batches.
func founded(t *testing.T) (*Engine, *account) {
	t.Helper()
	e, id := New(), holdfast.ID{1}
	entry := func(n byte, kind holdfast.Kind, name string, body []byte) holdfast.Entry {
		return holdfast.Entry{ID: holdfast.ID{n}, Op: holdfast.OpPut, Kind: kind, Collection: id, Name: name, Body: body,
			Properties: holdfast.Properties{{Space: "s", Local: "l", XML: []byte("<l/>")}}}
	}
	root := entry(1, holdfast.KindCollection, "", holdfast.CollectionRecord{Type: holdfast.TypeRoot}.Encode())
	record := entry(2, holdfast.KindAccount, holdfast.RecordAccount, holdfast.AccountRecord{Email: "alice@example.org"}.Encode())
	for _, g := range []*holdfast.Group{
		{Account: id, Entries: []holdfast.Entry{root, record}},
		{Account: id, Entries: []holdfast.Entry{entry(3, holdfast.KindFile, "x", []byte("x"))}},
	} {
		g.Seal()
		if _, err := e.Commit(t.Context(), g); err != nil {
			t.Fatal(err)
		}
	}
	return e, e.accounts[id]
}

// deriveNothing says that no octets have a UID or times.
func deriveNothing(*holdfast.Collection, *holdfast.Resource) (holdfast.Index, bool) {
	return holdfast.Index{}, true
}
