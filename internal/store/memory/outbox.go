package memory

import (
	"context"
	"fmt"

	"holdfast"
	"holdfast/internal/store"
)

// whole returns a batch as others see it. The lock is held.
func (e *Engine) whole(i int) *holdfast.Batch {
	b := &e.batches[i]
	out := &holdfast.Batch{Position: b.at, Redacted: b.redacted}
	if i > 0 {
		out.Prev = e.batches[i-1].at.Hash
	}
	for _, p := range b.parts {
		for _, v := range p.account.changes[p.from:p.to] {
			c := v.change(store.WithBody | store.WithProps | store.WithType)
			if c.Seq > 1 {
				c.Before = p.account.changes[c.Seq-2].Chain
			}
			out.Changes = append(out.Changes, *c)
		}
	}
	return out
}

// After implements [store.Outbox].
func (e *Engine) After(ctx context.Context, batch uint64, limit int, fn func(*holdfast.Batch) error) error {
	var todo []*holdfast.Batch
	e.mu.Lock()
	err := e.usable(ctx, "After")
	if err == nil && batch > uint64(len(e.batches)) {
		err = store.Err("After", holdfast.NotFound, "", "The store's stream has no such batch.")
	}
	for i, n := int(batch), 0; err == nil && i < len(e.batches) && (limit <= 0 || n < limit); i++ {
		b := e.whole(i)
		todo, n = append(todo, b), n+len(b.Changes)
	}
	e.mu.Unlock()
	if err != nil {
		return err
	}
	for _, b := range todo {
		if err := fn(b); err != nil {
			return err
		}
	}
	return nil
}

// Position implements [store.Outbox].
func (e *Engine) Position() store.Position {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.position()
}

// HashAt implements [store.Outbox].
func (e *Engine) HashAt(ctx context.Context, batch uint64) (hash holdfast.Hash, ok bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.usable(ctx, "HashAt"); err != nil {
		return hash, false, err
	}
	switch {
	case batch == 0:
		return hash, true, nil
	case batch > uint64(len(e.batches)):
		return hash, false, nil
	}
	return e.batches[batch-1].at.Hash, true, nil
}

// Behind implements [store.Outbox].
func (e *Engine) Behind(ctx context.Context, batch uint64) (changes, octets int64, err error) {
	err = e.After(ctx, batch, 0, func(b *holdfast.Batch) error {
		for i := range b.Changes {
			changes, octets = changes+1, octets+int64(b.Changes[i].Size)
		}
		return nil
	})
	return changes, octets, err
}

// Follow implements [store.Outbox].
func (e *Engine) Follow(depth int) (<-chan *holdfast.Batch, func()) {
	c := make(chan *holdfast.Batch, depth)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.feeds[c] = struct{}{}
	return c, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.feeds, c)
	}
}

// hand gives the newest batch to who follows. The lock is held.
func (e *Engine) hand() {
	if len(e.feeds) == 0 {
		return
	}
	b := e.whole(len(e.batches) - 1)
	for c := range e.feeds {
		select {
		case c <- b:
		default:
		}
	}
}

func misfit(format string, args ...any) error {
	return store.Err("Apply", holdfast.Invalid, "", fmt.Sprintf(format, args...))
}

// Apply implements [store.Outbox].
func (e *Engine) Apply(ctx context.Context, b *holdfast.Batch) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.usable(ctx, "Apply"); err != nil {
		return err
	}
	pos := e.position()
	if !b.Hash.IsZero() && (b.Batch != pos.Batch+1 || b.Prev != pos.Hash) {
		return misfit("Batch %d does not follow batch %d.", b.Batch, pos.Batch)
	}
	var done []*commit
	undo := func(err error) error {
		for i := len(done) - 1; i >= 0; i-- {
			done[i].undo()
		}
		return err
	}
	var parts []part
	for i := range b.Changes {
		c := &b.Changes[i]
		a := e.accounts[c.Account]
		for _, tx := range done { // one that the batch makes
			if tx.account.id == c.Account {
				a = tx.account
			}
		}
		if a == nil {
			a = &account{id: c.Account, collections: map[holdfast.ID]*collection{}}
		}
		there, err := a.has(c)
		if err != nil {
			return undo(err)
		}
		if there {
			continue
		}
		tx := &commit{engine: e, account: a, before: a.now()}
		done = append(done, tx)
		if err := tx.apply(c); err != nil {
			return undo(err)
		}
		if n := len(parts); n == 0 || i == 0 || b.Changes[i-1].More == 0 {
			parts = append(parts, part{a, len(a.changes) - 1, len(a.changes)})
		} else {
			parts[n-1].to++
		}
	}
	if len(parts) == 0 {
		return nil
	}
	next := batch{parts: parts}
	next.at = nextPosition(pos, next.ends())
	if !b.Hash.IsZero() && next.at != b.Position {
		return undo(misfit("Batch %d has another hash than its changes give.", b.Batch))
	}
	for _, p := range parts {
		e.accounts[p.account.id] = p.account
	}
	e.batches = append(e.batches, next)
	e.hand()
	return nil
}

// has tells whether the journal has this very change.
func (a *account) has(c *holdfast.Change) (bool, error) {
	if c.Seq > uint64(len(a.changes)) {
		return false, nil
	}
	if c.Seq == 0 || a.changes[c.Seq-1].ID != c.ID {
		return false, misfit("Account %s has another change %d.", c.Account, c.Seq)
	}
	return true, nil
}

// apply adds one change as it was, after judging that it follows.
func (tx *commit) apply(c *holdfast.Change) error {
	a := tx.account
	epoch, seq, chain := uint64(1), uint64(0), holdfast.Hash{}
	if head := a.now().head(); head != nil {
		epoch, seq, chain = head.Epoch, head.Seq, head.Chain
	}
	if c.Kind == holdfast.KindEpoch && c.Op == holdfast.OpPut {
		var err error
		if epoch, err = store.Begins(&c.Entry, epoch, seq, chain); err != nil {
			return misfit("%v", err)
		}
	}
	if c.Seq != seq+1 || c.Epoch != epoch || c.Entry.CanonicalHash(c.Collection) != c.Hash {
		return misfit("Change %d of epoch %d of account %s does not follow change %d.", c.Seq, c.Epoch, c.Account, seq)
	}
	if why := store.Arrives(c); why != "" {
		return misfit("Change %d of account %s %s.", c.Seq, c.Account, why)
	}
	col := a.collections[c.Collection]
	if col == nil {
		if c.Kind != holdfast.KindCollection || c.Op != holdfast.OpPut {
			return misfit("Change %d of account %s is of a collection that is not there.", c.Seq, c.Account)
		}
		col = &collection{id: c.Collection, items: map[string][]*version{}, uids: map[string][]string{}}
	}
	if c.Kind == holdfast.KindAccount && c.Op == holdfast.OpPut {
		if err := tx.claim(&c.Entry); err != nil {
			return err
		}
	}
	if err := tx.add(col, &c.Entry, c.Pruned); err != nil {
		return err
	}
	if !c.Chain.IsZero() && a.now().head().Chain != c.Chain {
		return misfit("Change %d of account %s has another chain than its journal gives.", c.Seq, c.Account)
	}
	return nil
}
