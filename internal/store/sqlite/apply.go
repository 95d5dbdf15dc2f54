package sqlite

import (
	"crypto/rand"
	"errors"

	"holdfast"
	"holdfast/internal/store"
)

// transaction applies the groups of one batch. Each group is judged entry by entry against what the transaction has written so far; a group of several
// entries runs inside a savepoint, a group of one is judged whole before it writes.
type transaction struct {
	e        *Engine
	c        *conn
	batch    uint64
	hash     holdfast.Hash
	lsn      int64
	mark     int64 // lsn before the group that is being applied
	ends     []holdfast.GroupEnd
	touched  []*head
	accounts int
	feed     bool // somebody follows the stream
	made     []holdfast.Change
	madeMark int // of them, before the group that is being applied
}

// applyAll applies each group, leaving refusals in the group, and then writes the counts of what was touched. An error is one of SQLite.
func (t *transaction) applyAll(batch []*waiting) error {
	if err := t.fence(); err != nil {
		return err
	}
	for _, w := range batch {
		w.receipt, w.err = holdfast.Receipt{}, nil
		if err := t.applyGroup(w); err != nil {
			return err
		}
	}
	for _, h := range t.touched {
		h.held = false
		if err := t.flush(h); err != nil {
			return err
		}
	}
	if len(t.ends) == 0 {
		return nil
	}
	t.hash = holdfast.BatchHash(t.e.pos.Hash, t.ends)
	return t.c.run(qInsertBatch, t.batch, t.hash, t.lsn)
}

// errFenced says that another writer has been here: what this engine keeps in mind is no longer what the database says.
var errFenced = errors.New("another process has written to this database")

// fence makes sure that the newest batch is this engine's own. The transaction holds SQLite's write lock, so nobody can come between.
func (t *transaction) fence() error {
	return t.e.sole()
}

// forget drops from the writer's memory what the transaction may have changed in it.
func (t *transaction) forget() {
	wrote := t.lsn != t.e.lsn
	for _, h := range t.touched {
		if h.held = false; wrote || h.dirty || h.acct == 0 {
			t.e.heads.drop(h.id)
		}
	}
}

func (t *transaction) applyGroup(w *waiting) error {
	h, err := t.open(w.g)
	if err != nil {
		return t.refuse(w, h, false, err)
	}
	several := len(w.g.Entries) > 1 || w.g.Entries[0].Kind == holdfast.KindCollection // its allowance is known only after it was applied
	if several {
		if err := t.flush(h); err != nil {
			return err
		}
		if err := t.c.run(qSavepoint); err != nil {
			return err
		}
	}
	t.mark, t.madeMark = t.lsn, len(t.made)
	if err := t.applyEntries(w, h); err != nil {
		return t.refuse(w, h, several, err)
	}
	if several {
		if err := t.c.run(qSavepointEnd); err != nil {
			return err
		}
	}
	h.fresh = false
	if !w.receipt.Replay {
		t.ends = append(t.ends, holdfast.GroupEnd{Account: h.id, Chain: h.chain})
	}
	return nil
}

// refuse answers a group with a judgement, or passes an error of SQLite on.
func (t *transaction) refuse(w *waiting, h *head, savepoint bool, err error) error {
	if !store.IsJudgement(err) {
		return err
	}
	w.receipt, w.err = holdfast.Receipt{}, err
	if h == nil || !savepoint {
		return nil
	}
	if h.fresh {
		t.accounts--
	}
	h.dirty, t.lsn, t.made = false, t.mark, t.made[:t.madeMark] // what it says did not happen
	t.e.heads.drop(h.id)                                        // its flushed state is in the database
	if err := t.c.run(qSavepointBack); err != nil {
		return err
	}
	return t.c.run(qSavepointEnd)
}

// open returns the head of the group's account; for a new account an empty one that is not stored yet.
func (t *transaction) open(g *holdfast.Group) (*head, error) {
	h, err := t.e.heads.get(t.c, g.Account)
	if err != nil {
		return nil, err
	}
	if h == nil {
		if !store.CreatesAccount(g) {
			return nil, store.Err("Commit", holdfast.NotFound, g.Account.String(), "there is no such account")
		}
		h = &head{id: g.Account, epoch: 1, colls: map[holdfast.ID]*collection{}, byKey: map[int64]*collection{}}
	}
	h.held = true
	t.touched = append(t.touched, h)
	return h, nil
}

// applyEntries judges the group and applies it.
func (t *transaction) applyEntries(w *waiting, h *head) error {
	if err := t.judgeIf(w.g, h); err != nil {
		return err
	}
	before := h.octets
	if h.acct == 0 {
		if err := t.createAccount(h); err != nil {
			return err
		}
	}
	for i := range w.g.Entries {
		e := &w.g.Entries[i]
		old, coll, err := t.judge(w.g, h, e)
		if err != nil {
			if r, ok := t.replay(w.g, h, e, coll, old, err); ok {
				w.receipt = r
				return nil
			}
			return err
		}
		if e.Kind == holdfast.KindEpoch {
			if _, err := store.Begins(e, h.epoch, h.seq, h.chain); err != nil {
				return err
			}
		}
		if w.g.MaxOctets > 0 && len(w.g.Entries) == 1 && !fits(w.g, h.octets+growth(e, old), before) {
			return overQuota(w.g)
		}
		if err := t.write(h, coll, e, e.Lost, old); err != nil {
			return err
		}
		w.receipt.Created = e.Op == holdfast.OpPut && !old.live()
	}
	if !fits(w.g, h.octets, before) {
		return overQuota(w.g)
	}
	w.receipt.Account, w.receipt.Epoch, w.receipt.Seq, w.receipt.Hash, w.receipt.Batch = h.id, h.epoch, h.seq, h.chain, t.batch
	return nil
}

func fits(g *holdfast.Group, after, before int64) bool {
	return g.MaxOctets <= 0 || after <= g.MaxOctets || after <= before
}

func overQuota(g *holdfast.Group) error {
	return store.Err("Commit", holdfast.Quota, g.Account.String(), "the account's allowance is used up; delete something or ask for more")
}

// growth is what the entry adds to the account's live octets.
func growth(e *holdfast.Entry, old item) int64 {
	if e.Name == "" {
		return 0
	}
	n := int64(0)
	if e.Op == holdfast.OpPut {
		n = e.Size
	}
	if old.live() {
		n -= old.size
	}
	return n
}

func (t *transaction) createAccount(h *head) error {
	if _, err := t.c.one(qInsertAccount, func(s Stmt) { h.acct = s.Int(0) }, h.id); err != nil {
		return err
	}
	nonce := make([]byte, 16)
	rand.Read(nonce)
	if err := t.c.run(qInsertEpoch, h.acct, h.epoch, nonce, nil, nil, nil); err != nil {
		return err
	}
	t.accounts++
	h.fresh = true
	t.e.heads.accounts[h.id] = h
	return nil
}

// write stores an entry that was judged: the change, the item, the collection's counts in memory. pruned tells that its octets were let go of before it came here.
func (t *transaction) write(h *head, coll *collection, e *holdfast.Entry, pruned bool, old item) error {
	h.dirty = true
	if e.Kind == holdfast.KindCollection {
		var err error
		if coll, err = t.placeCollection(h, coll, e); err != nil {
			return err
		}
	}
	if e.Kind == holdfast.KindAccount && e.Op == holdfast.OpPut {
		if err := t.claimLogin(h, e); err != nil {
			return err
		}
	}
	if e.Kind == holdfast.KindEpoch && e.Op == holdfast.OpPut {
		if err := t.beginEpoch(h, e); err != nil {
			return err
		}
	}
	before := h.chain
	h.seq++
	h.chain = holdfast.ChainHash(h.id, h.epoch, h.seq, h.chain, e.Hash)
	t.lsn++
	now := next(h, e, old, t.lsn)
	if pruned && e.Op == holdfast.OpPut { // nobody knows its UID, nor when it takes place
		now.state, now.uid, now.times = holdfast.Ghost, "", timesOf(store.Whenever)
	}
	if err := t.insertChange(h, coll, e, pruned, old, now); err != nil {
		return err
	}
	if err := t.putItem(coll, old, now); err != nil {
		return err
	}
	coll.count(h, e.Name, old, now)
	if t.feed {
		t.made = append(t.made, holdfast.Change{Entry: *e, Account: h.id, Epoch: h.epoch, Seq: h.seq, Prev: old.seq, Item: uint64(now.item), Chain: h.chain, Before: before, Pruned: pruned})
	}
	return nil
}

// beginEpoch makes the account's history another incarnation from this entry on.
func (t *transaction) beginEpoch(h *head, e *holdfast.Entry) error {
	r, err := holdfast.DecodeEpoch(e.Body)
	if err != nil {
		return err
	}
	h.epoch = r.Epoch
	return t.c.run(qInsertEpoch, h.acct, r.Epoch, r.Nonce, r.Parent, r.Fork, r.Hash)
}

// next is the item after the entry.
func next(h *head, e *holdfast.Entry, old item, lsn int64) item {
	now := item{name: e.Name, seq: h.seq, lsn: lsn, kind: e.Kind, at: e.At.UnixMicro(), made: old.made, item: old.item}
	if e.Op == holdfast.OpDelete {
		now.state = holdfast.Tombstone
		return now
	}
	now.etag, now.phash, now.size, now.uid, now.times = e.ETag, e.PropsHash, e.Size, e.Index.UID, timesOf(e.Index.Times)
	if !old.live() {
		h.items++
		now.item, now.made = h.items, now.at
	}
	return now
}

// count brings the collection's counts and sum, and its last change, up to date.
func (c *collection) count(h *head, name string, old, now item) {
	if old.seq != 0 {
		c.sum = c.sum.Sub(old.hash(c.id))
	}
	c.sum = c.sum.Add(now.hash(c.id))
	c.seq, c.epoch, c.chain, c.dirty = h.seq, h.epoch, h.chain, true
	if name == "" {
		return
	}
	before := c.octets
	if old.live() {
		c.items, c.octets = c.items-1, c.octets-old.size
	}
	if now.live() {
		c.items, c.octets = c.items+1, c.octets+now.size
	}
	if !c.lost {
		h.octets += c.octets - before
	}
}

// flush writes the counts of an account's collections that changed.
func (t *transaction) flush(h *head) error {
	if !h.dirty {
		return nil
	}
	for _, c := range h.colls {
		if !c.dirty {
			continue
		}
		if err := t.c.run(qUpdateCounts, c.key, c.seq, c.epoch, c.chain, c.items, c.octets, holdfast.Hash(c.sum)); err != nil {
			return err
		}
		c.dirty = false
	}
	h.dirty = false
	return nil
}
