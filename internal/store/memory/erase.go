package memory

import (
	"context"
	"slices"

	"holdfast"
	"holdfast/internal/store"
)

// Erase implements [store.Engine]. Snapshots that are open lose the account too.
func (e *Engine) Erase(ctx context.Context, id holdfast.ID) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.usable(ctx, "Erase"); err != nil {
		return err
	}
	if _, gone := e.erased[id]; gone {
		return nil
	}
	a := e.accounts[id]
	if a == nil {
		return store.Err("Erase", holdfast.NotFound, id.String(), "There is no such account.")
	}
	for i := range e.batches {
		b := &e.batches[i]
		n := len(b.parts)
		b.parts = slices.DeleteFunc(slices.Clone(b.parts), func(p part) bool { return p.account == a })
		b.redacted = b.redacted || len(b.parts) < n
	}
	for login, c := range e.logins {
		if c.account == id {
			e.forever[holdfast.HashOf([]byte(login))] = true
			delete(e.logins, login)
		}
	}
	for c := range a.collections {
		delete(e.owners, c)
	}
	for k := range e.seen {
		if k.account == id {
			delete(e.seen, k)
		}
	}
	delete(e.accounts, id)
	e.erased[id] = e.position().Batch
	return nil
}

// Erased implements [store.Directory].
func (s *snapshot) Erased(id holdfast.ID) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, gone := s.erased[id]
	return gone, nil
}
