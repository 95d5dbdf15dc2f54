package sqlite

import (
	"context"
	"fmt"

	"holdfast"
	"holdfast/internal/store"
)

// Apply implements [store.Outbox].
func (e *Engine) Apply(ctx context.Context, b *holdfast.Batch) error {
	if ctx.Err() != nil {
		return gaveUp(ctx)
	}
	e.writer.Lock()
	defer e.writer.Unlock()
	defer e.wakeCheckpointer()
	if err := e.writable("Apply"); err != nil {
		return err
	}
	if b.Hash != (holdfast.Hash{}) && (b.Batch != e.pos.Batch+1 || b.Prev != e.pos.Hash) {
		return misfit("batch %d does not follow batch %d", b.Batch, e.pos.Batch)
	}
	if err := e.w.run(qBeginWrite); err != nil {
		return e.classify(err, false)
	}
	t := &transaction{e: e, c: e.w, batch: e.pos.Batch + 1, lsn: e.lsn, feed: e.feeds.followed()}
	err := t.applyBatch(b)
	if err != nil || len(t.ends) == 0 {
		for _, h := range t.touched {
			h.dirty = true // whatever it says by now did not happen
		}
		t.forget()
		e.rollBack()
		if err != nil && store.IsJudgement(err) {
			return err
		}
		return e.classify(err, false)
	}
	return e.end(t)
}

func misfit(format string, args ...any) error {
	return store.Err("Apply", holdfast.Invalid, "", fmt.Sprintf(format, args...))
}

// applyBatch writes a batch as it was.
func (t *transaction) applyBatch(b *holdfast.Batch) error {
	if err := t.fence(); err != nil {
		return err
	}
	for i := range b.Changes {
		if err := t.applyChange(&b.Changes[i]); err != nil {
			return err
		}
	}
	for _, h := range t.touched {
		h.held = false
		if err := t.flush(h); err != nil {
			return err
		}
	}
	t.hash = holdfast.BatchHash(t.e.pos.Hash, t.ends)
	if b.Hash != (holdfast.Hash{}) && t.hash != b.Hash {
		return misfit("batch %d has another hash than its changes give", b.Batch)
	}
	if len(t.ends) == 0 {
		return nil
	}
	return t.c.run(qInsertBatch, t.batch, t.hash, t.lsn)
}

// applyChange writes one change as it was, after judging that it follows.
func (t *transaction) applyChange(c *holdfast.Change) error {
	h, err := t.e.heads.get(t.c, c.Account)
	if err != nil {
		return err
	}
	if h == nil {
		if c.Seq != 1 || c.Kind != holdfast.KindCollection || c.Collection != c.Account {
			return misfit("the journal of account %s does not begin with its root", c.Account)
		}
		h = &head{id: c.Account, epoch: c.Epoch, colls: map[holdfast.ID]*collection{}, byKey: map[int64]*collection{}}
		if err := t.createAccount(h); err != nil {
			return err
		}
		h.fresh = false
	}
	if !h.held {
		h.held = true
		t.touched = append(t.touched, h)
	}
	if there, err := t.hasChange(h, c); there || err != nil {
		return err
	}
	if err := t.follows(h, c); err != nil {
		return err
	}
	if why := store.Arrives(c); why != "" {
		return misfit("change %d of account %s %s", c.Seq, c.Account, why)
	}
	coll := h.colls[c.Collection]
	var old item
	if coll != nil {
		if t.e.o.Bulk && c.Prev == 0 && c.Op == holdfast.OpPut && c.Name != "" {
			// It is the first version: where that is not so, the unique key of items refuses it.
		} else if _, err := t.c.one(qItem, func(s Stmt) { old = scanItem(t.c, s) }, coll.key, c.Name); err != nil {
			return err
		}
	} else if c.Kind != holdfast.KindCollection || c.Op != holdfast.OpPut {
		return misfit("change %d of account %s is of a collection that is not there", c.Seq, c.Account)
	}
	if err := t.write(h, coll, &c.Entry, c.Pruned, old); err != nil {
		return err
	}
	if c.Chain != (holdfast.Hash{}) && c.Chain != h.chain {
		return misfit("change %d of account %s has another chain than its journal gives", c.Seq, c.Account)
	}
	if c.More == 0 {
		t.ends = append(t.ends, holdfast.GroupEnd{Account: h.id, Chain: h.chain})
	}
	return nil
}

// hasChange tells whether the journal has this very change.
func (t *transaction) hasChange(h *head, c *holdfast.Change) (there bool, err error) {
	if c.Seq > h.seq {
		return false, nil
	}
	var have holdfast.ID
	_, err = t.c.one(qChangeAt, func(s Stmt) { have = t.c.id(s, 4) }, h.acct, c.Seq)
	if err == nil && have != c.ID {
		err = misfit("account %s has another change %d", c.Account, c.Seq)
	}
	return err == nil, err
}

// follows judges whether a change goes on where the journal ends.
func (t *transaction) follows(h *head, c *holdfast.Change) error {
	epoch := h.epoch
	if c.Kind == holdfast.KindEpoch && c.Op == holdfast.OpPut {
		var err error
		if epoch, err = store.Begins(&c.Entry, h.epoch, h.seq, h.chain); err != nil {
			return misfit("%v", err)
		}
	}
	if c.Seq != h.seq+1 || c.Epoch != epoch || c.Entry.CanonicalHash(c.Collection) != c.Hash {
		return misfit("change %d of epoch %d of account %s does not follow change %d of epoch %d", c.Seq, c.Epoch, c.Account, h.seq, h.epoch)
	}
	return nil
}
