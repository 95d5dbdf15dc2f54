package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// Bounds of one batch: so many groups, entries and octets share one fsync.
const (
	maxBatch        = 256
	maxBatchEntries = 2000
	maxBatchOctets  = 32 << 20
)

// waiting is a group on its way to the disk.
type waiting struct {
	g       *holdfast.Group
	receipt holdfast.Receipt
	err     error
	known   bool // receipt and err are what Commit returns
	done    chan struct{}
}

// Commit implements [store.Engine]. It queues the group and waits for the batch that takes it. A caller who gives up before its group was taken takes
// it back; after that it waits on, because the outcome is not known before.
func (e *Engine) Commit(ctx context.Context, g *holdfast.Group) (holdfast.Receipt, error) {
	if err := store.CheckGroup(g); err != nil {
		return holdfast.Receipt{}, err
	}
	if ctx.Err() != nil {
		return holdfast.Receipt{}, gaveUp(ctx)
	}
	w := &waiting{g: g, done: make(chan struct{})}
	if e.o.inline {
		e.commitBatch([]*waiting{w})
		return w.receipt, w.err
	}
	select {
	case e.queue <- w:
	case <-ctx.Done():
		return holdfast.Receipt{}, gaveUp(ctx)
	case <-e.quit:
		return holdfast.Receipt{}, closing("Commit")
	}
	select {
	case <-w.done:
	case <-e.drained:
		if !w.known {
			return holdfast.Receipt{}, closing("Commit") // it came too late and was never taken
		}
	}
	return w.receipt, w.err
}

func gaveUp(ctx context.Context) error {
	return &holdfast.Error{Op: "store.Commit", Kind: holdfast.Unavailable, Text: "the request was given up before it was stored; try again", Err: context.Cause(ctx)}
}

func closing(op string) error {
	return store.Err(op, holdfast.Unavailable, "", "the store is closing; try again")
}

// writeLoop takes whatever waits, without a timer: while one batch is on its way to the disk the next one gathers.
func (e *Engine) writeLoop() {
	defer e.done.Done()
	batch := make([]*waiting, 0, maxBatch)
	for {
		select {
		case w := <-e.queue:
			batch = e.gather(append(batch[:0], w))
			e.commitBatch(batch)
			e.wake(batch)
			clear(batch)
		case <-e.quit:
			close(e.drained) // who still waits in the queue was not taken
			return
		}
	}
}

// wake lets the callers of a batch have what came of their groups: those who were refused at once, the others when who holds them says so.
func (e *Engine) wake(batch []*waiting) {
	hold := e.hold.Load()
	var held []*waiting
	for _, w := range batch {
		if w.known = true; hold != nil && w.err == nil {
			held = append(held, w)
		} else {
			close(w.done)
		}
	}
	if len(held) > 0 {
		(*hold)(e.Position().Batch, func() {
			for _, w := range held {
				close(w.done)
			}
		})
	}
}

// Hold implements [store.Holder].
func (e *Engine) Hold(fn func(batch uint64, wake func())) {
	if fn == nil {
		e.hold.Store(nil)
		return
	}
	e.hold.Store(&fn)
}

func (e *Engine) gather(batch []*waiting) []*waiting {
	entries, octets := 0, 0
	for {
		for _, x := range batch[len(batch)-1].g.Entries {
			entries, octets = entries+1, octets+len(x.Body)
		}
		if len(batch) >= maxBatch || entries >= maxBatchEntries || octets >= maxBatchOctets {
			return batch
		}
		select {
		case w := <-e.queue:
			batch = append(batch, w)
		default:
			return batch
		}
	}
}

// commitBatch makes all groups of a batch durable in one transaction, and leaves in each its receipt or error. If a statement fails on one of several,
// each is tried alone, so that one cannot take the others down.
func (e *Engine) commitBatch(batch []*waiting) {
	e.writer.Lock()
	defer e.writer.Unlock()
	err := e.try(batch)
	if err != nil && len(batch) > 1 && e.failure() == nil && !e.full.is() {
		e.o.Log.Warn("a batch failed; its groups are committed one by one", "groups", len(batch), "err", err)
		for i := range batch {
			if err := e.try(batch[i : i+1]); err != nil {
				batch[i].receipt, batch[i].err = holdfast.Receipt{}, err
			}
		}
	} else if err != nil {
		for _, w := range batch {
			w.receipt, w.err = holdfast.Receipt{}, err
		}
	}
	e.wakeCheckpointer()
}

// try runs one transaction. An error means that nothing of the batch was stored, or, where the engine stopped, that it is not known.
func (e *Engine) try(batch []*waiting) error {
	if err := e.writable("Commit"); err != nil {
		return err
	}
	if err := e.w.run(qBeginWrite); err != nil {
		return e.classify(err, false)
	}
	t := &transaction{e: e, c: e.w, batch: e.pos.Batch + 1, lsn: e.lsn, feed: e.feeds.followed()}
	err := t.applyAll(batch)
	if err != nil {
		t.forget()
		e.rollBack()
		return e.classify(err, false)
	}
	if len(t.ends) == 0 { // nothing but refusals and retries: there is nothing to make durable
		t.forget()
		e.rollBack()
		return nil
	}
	return e.end(t)
}

// end commits a transaction that was applied, and tells of it.
func (e *Engine) end(t *transaction) error {
	if err := e.w.run(qCommit); err != nil {
		t.forget()
		e.w.run(qRollback) // where COMMIT failed before its point the transaction is still open
		return e.classify(err, true)
	}
	prev := e.pos.Hash
	e.pos, e.lsn = store.Position{Batch: t.batch, Hash: t.hash}, t.lsn
	first := e.accounts.Add(int64(t.accounts)) == int64(t.accounts) && t.accounts > 0
	e.publish() // before anybody is told: a vault may have the batch sooner than this goroutine goes on
	if t.feed {
		e.feeds.hand(&holdfast.Batch{Position: e.pos, Prev: prev, Changes: t.made})
	}
	if first { // a database file that lost its log must not look like a new store
		if _, _, err := e.checkpoint(); err != nil {
			e.classify(err, false)
		}
	}
	return nil
}

// rollBack ends a transaction that is not to be. One that cannot even be ended stops the engine.
func (e *Engine) rollBack() {
	if err := e.w.run(qRollback); err != nil {
		e.fail(fmt.Errorf("roll back: %w", err))
	}
}

// writable says why the writer, whose lock is held, must not write.
func (e *Engine) writable(op string) error {
	switch {
	case e.closed.Load():
		return closing(op)
	case e.failure() != nil:
		return e.stopped()
	}
	return e.full.refuse()
}

// classify turns a failed statement into the engine's answer. A full disk makes the store read-only. Any other failure of the COMMIT itself, and every
// I/O error or corruption, stops the engine: what the disk holds is not known.
func (e *Engine) classify(err error, committing bool) error {
	switch {
	case err == nil:
		return nil
	case e.o.Driver.IsFull(err):
		return e.full.set(err)
	case errors.Is(err, errFenced):
		e.fail(err)
		return &holdfast.Error{Op: "store.Commit", Kind: holdfast.Fenced, Text: "another process has written to this store; this one stops", Err: err}
	case committing || e.o.Driver.IsBroken(err):
		return e.fail(fmt.Errorf("disk error: %w", err))
	}
	if e.o.Driver.IsBusy(err) {
		return &holdfast.Error{Op: "store.Commit", Kind: holdfast.Unavailable, Text: "another program holds the database; nothing was stored, try again", Retry: time.Minute, Err: err}
	}
	return &holdfast.Error{Op: "store.Commit", Kind: holdfast.Internal, Text: "the change was not stored", Err: err}
}

// Observe implements [store.Engine].
func (e *Engine) Observe(ctx context.Context, seen []holdfast.Sighting) error {
	e.writer.Lock()
	defer e.writer.Unlock()
	if err := e.writable("Observe"); err != nil {
		return err
	}
	if err := e.w.run(qBeginWrite); err != nil {
		return e.classify(err, false)
	}
	for _, x := range seen {
		if err := e.observe(x); err != nil {
			e.rollBack()
			return e.classify(err, false)
		}
	}
	if err := e.w.run(qCommit); err != nil {
		e.w.run(qRollback)
		return e.classify(err, true)
	}
	return nil
}

func (e *Engine) observe(x holdfast.Sighting) error {
	var acct, coll int64
	found, err := e.w.one(qAccountByID, func(s Stmt) { acct = s.Int(0) }, x.Account)
	if err != nil || !found {
		return err // an account that is not there has not been seen
	}
	if !x.Collection.IsZero() {
		found, err = e.w.one(qCollectionByID, func(s Stmt) { coll = s.Int(0) }, x.Collection)
		if err != nil || !found {
			return err
		}
	}
	whole := 0
	if x.Full {
		whole = 1
	}
	return e.w.run(qSaw, acct, coll, x.Device, x.Epoch, x.Seq, x.Chain, whole, x.At.UnixMicro())
}

func fromMicro(v int64) time.Time { return time.UnixMicro(v).UTC() }
