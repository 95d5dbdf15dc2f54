package memory

import (
	"bytes"
	"context"

	"holdfast"
	"holdfast/internal/store"
)

// Mend implements [store.Engine].
func (e *Engine) Mend(ctx context.Context, id holdfast.ID, seq uint64, body []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.usable(ctx, "Mend"); err != nil {
		return err
	}
	a := e.accounts[id]
	if a == nil || seq == 0 || seq > uint64(len(a.changes)) {
		return store.NoChange("Mend", id, seq)
	}
	v := a.changes[seq-1]
	if err := store.Mends(&v.Change, a.current(v), body); err != nil {
		return err
	}
	v.Body, v.Pruned = bytes.Clone(body), false
	return nil
}
