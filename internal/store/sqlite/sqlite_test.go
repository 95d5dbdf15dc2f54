package sqlite

import (
	"fmt"
	"testing"

	"holdfast"
	"holdfast/internal/store"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vfs/crashfs"
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
		h.Second = func(t testing.TB) error {
			e, err := Open(t.Context(), Options{Dir: dir, Ballast: -1})
			if err == nil {
				e.Close()
			}
			return err
		}
		h.Rot = func(t testing.TB, account holdfast.ID, seq uint64) { rot(t, h.Engine.(*Engine), account, seq) }
		return h
	})
}

// rot changes an octet in the middle of a change's body.
func rot(t testing.TB, e *Engine, account holdfast.ID, seq uint64) {
	t.Helper()
	e.writer.Lock()
	defer e.writer.Unlock()
	if err := e.w.Exec(fmt.Sprintf(`UPDATE changes SET body=CAST(substr(body, 1, size/2) || x'ff' || substr(body, size/2+2) AS BLOB) WHERE acct=(SELECT acct FROM accounts WHERE aid=x'%x') AND seq=%d`, account[:], seq)); err != nil {
		t.Fatal(err)
	}
}

// TestASecondWriterIsFenced opens the file twice, past the lock, as a file system without locks would let it.
func TestASecondWriterIsFenced(t *testing.T) {
	w, first, p := simulated(t, crashfs.Options{})
	second, err := w.open()
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if _, err := put(w, second, p, "theirs", 1); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := put(w, first, p, "ours", 1); !holdfast.IsKind(err, holdfast.Fenced) && !holdfast.IsKind(err, holdfast.Unavailable) {
			t.Errorf("two writers: %v", err)
		}
	}
	if first.Info().Failed == nil {
		t.Error("the fenced one goes on")
	}
	if err := second.Check(t.Context(), true, nil, func(f store.Finding) { t.Errorf("%+v", f) }); err != nil {
		t.Error(err)
	}
}
