package sqlite

import (
	"testing"

	"holdfast/internal/store"
	"holdfast/internal/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) *storetest.Harness {
		dir := t.TempDir()
		open := func(t testing.TB) store.Engine {
			e, err := Open(t.Context(), Options{Dir: dir, Create: true, Ballast: -1})
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
		h := &storetest.Harness{Name: "sqlite", Engine: open(t)}
		h.Reopen = func(t testing.TB) store.Engine {
			if err := h.Engine.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t)
		}
		return h
	})
}
