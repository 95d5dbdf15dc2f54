package memory_test

import (
	"testing"

	"holdfast"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/storetest"
)

func TestFirstSteps(t *testing.T) {
	e := memory.New()
	m := storetest.NewMaker(1)
	a := storetest.NewAccount(t, m, e, "alice@example.org")
	r, err := e.Commit(t.Context(), m.Group(a.ID, m.Put(a.Book, "x.vcf", "x", storetest.Card("x", "X", ""))))
	if err != nil || r.Seq != 5 {
		t.Fatalf("put: %v, %v; want seq 5", r, err)
	}
	if err := e.Check(t.Context(), true, func(f store.Finding) { t.Errorf("finding: %+v", f) }); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Commit(t.Context(), m.Group(a.ID, m.Put(a.Book, "y.vcf", "x", storetest.Card("x", "X", "")))); !holdfast.IsKind(err, holdfast.UIDConflict) {
		t.Errorf("second x: %v; want UIDConflict", err)
	}
}
