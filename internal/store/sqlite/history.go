package sqlite

import (
	"cmp"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// row is a change with what only this engine knows of it.
type row struct {
	change *holdfast.Change
	coll   int64
	batch  uint64
	lsn    int64
	items  int64
}

// scanChange reads changeColumns. The collection's id and the body are for the caller to fill in.
func scanChange(c *conn, s Stmt, account holdfast.ID) row {
	h := &holdfast.Change{Account: account, Seq: uint64(s.Int(1)), Epoch: uint64(s.Int(2)), Prev: uint64(s.Int(9)), Item: uint64(s.Int(10)), Chain: c.hash(s, 14)}
	h.ID, h.Op, h.Kind, h.Name, h.More = c.id(s, 4), holdfast.Op(s.Int(5)), holdfast.Kind(s.Int(6)), s.Text(8), uint32(s.Int(3))
	h.Actor.Account, h.Actor.Device, h.At = account, c.id(s, 12), fromMicro(s.Int(13))
	if !s.IsNull(11) {
		h.Actor.Account = c.id(s, 11)
	}
	h.ETag, h.Size, h.ContentType = c.hash(s, 15), s.Int(16), s.Text(17)
	h.PropsRaw = s.AppendBlob(18, nil)
	if h.PropsRaw != nil {
		h.PropsHash = holdfast.HashOf(h.PropsRaw)
	}
	if s.Int(19) != 0 {
		h.Blob = &holdfast.Blob{Hash: h.ETag, Size: h.Size}
	}
	h.Pruned = s.Int(23) != 0 && h.Op == holdfast.OpPut && h.Blob == nil
	return row{change: h, coll: s.Int(7), batch: uint64(s.Int(20)), lsn: s.Int(21), items: s.Int(22)}
}

// finish completes a change that was scanned: its collection's id, its hash, and what was asked for.
func (s *snapshot) finish(x row, f store.Fields) (err error) {
	h := x.change
	if h.Collection, err = s.collID(x.coll); err != nil {
		return err
	}
	h.Hash = h.Entry.CanonicalHash(h.Collection)
	if f&store.WithProps != 0 {
		if h.Properties, err = holdfast.DecodeProperties(h.PropsRaw); err != nil {
			return &holdfast.Error{Op: "store.Change", Kind: holdfast.Corrupt, Ref: h.Name, Err: err}
		}
	}
	if f&store.WithBody != 0 && h.Op == holdfast.OpPut && h.Blob == nil && !h.Pruned {
		_, err = s.one(qPartBody, func(x Stmt) { h.Body = x.AppendBlob(4, make([]byte, 0, h.Size)) }, x.lsn)
	}
	return err
}

func (s *snapshot) collID(key int64) (id holdfast.ID, err error) {
	if id, ok := s.ids[key]; ok {
		return id, nil
	}
	_, err = s.one(qCollectionID, func(x Stmt) { id = s.c.id(x, 0) }, key)
	if s.ids == nil {
		s.ids = map[int64]holdfast.ID{}
	}
	s.ids[key] = id
	return id, err
}

func (s *snapshot) change(acct int64, account holdfast.ID, seq uint64, f store.Fields) (*holdfast.Change, error) {
	var x row
	found, err := s.one(qChangeAt, func(r Stmt) { x = scanChange(s.c, r, account) }, acct, seq)
	if err == nil && !found {
		err = &holdfast.Error{Op: "store.Change", Kind: holdfast.Corrupt, Ref: account.String(), Text: "a change of the journal is missing"}
	}
	if err != nil {
		return nil, err
	}
	return x.change, s.finish(x, f)
}

// Head implements [store.History].
func (s *snapshot) Head(account holdfast.ID) (h store.Head, err error) {
	key, err := s.accountKey(account)
	if err != nil {
		return h, err
	}
	_, err = s.one(qHead, func(x Stmt) {
		h = store.Head{Seq: uint64(x.Int(0)), Epoch: uint64(x.Int(1)), Chain: s.c.hash(x, 2), Batch: uint64(x.Int(4))}
	}, key)
	return h, err
}

// NamesBlob implements [store.History].
func (s *snapshot) NamesBlob(account holdfast.ID, h holdfast.Hash) (bool, error) {
	key, err := s.accountKey(account)
	if err != nil {
		return false, err
	}
	return s.one(qNamesBlob, func(Stmt) {}, key, h)
}

// Blobs implements [store.History].
func (s *snapshot) Blobs(account holdfast.ID, from holdfast.Hash, limit int, fn func(holdfast.Blob) error) error {
	key, err := s.accountKey(account)
	if err != nil {
		return err
	}
	return s.read(qBlobs, func(x Stmt) error { return fn(holdfast.Blob{Hash: s.c.hash(x, 0), Size: x.Int(1)}) }, key, from, noLimit(limit))
}

// Chain implements [store.History].
func (s *snapshot) Chain(account holdfast.ID, seq uint64) (store.Head, error) {
	h := store.Head{Seq: seq}
	key, err := s.accountKey(account)
	if err != nil {
		return h, err
	}
	found, err := s.one(qHeadAt, func(x Stmt) { h.Epoch, h.Chain, h.Batch = uint64(x.Int(0)), s.c.hash(x, 1), uint64(x.Int(2)) }, key, seq)
	if err == nil && !found {
		err = store.Err("Chain", holdfast.NotFound, account.String(), "the journal has no such seq")
	}
	return h, err
}

// Changes implements [store.History].
func (s *snapshot) Changes(account holdfast.ID, after uint64, limit int, f store.Fields, fn func(*holdfast.Change) error) error {
	key, err := s.accountKey(account)
	if err != nil {
		return err
	}
	q, bodies := qChangesAfter, f&store.WithBody != 0
	if bodies { // with the rest of the row: to look each up again is a quarter of the work where bodies are small
		q = qBodiesAfter
	}
	return s.read(q, func(r Stmt) error {
		x := scanChange(s.c, r, account)
		if err := s.finish(x, f&^store.WithBody); err != nil {
			return err
		}
		if h := x.change; bodies && h.Op == holdfast.OpPut && h.Blob == nil && !h.Pruned {
			h.Body = r.AppendBlob(changeWidth, make([]byte, 0, h.Size))
		}
		return fn(x.change)
	}, key, after, noLimit(limit))
}

// Versions implements [store.History].
func (s *snapshot) Versions(coll holdfast.ID, name string, f store.Fields, fn func(*holdfast.Change) error) error {
	key, account, err := s.key(coll)
	if err != nil {
		return err
	}
	acct, err := s.accountKey(account)
	if err != nil {
		return err
	}
	var own item
	if _, err := s.one(qItem, func(x Stmt) { own = scanItem(s.c, x) }, key, name); err != nil {
		return err
	}
	if own.seq == 0 {
		return store.Err("Versions", holdfast.NotFound, name, "there never was such a resource")
	}
	for seq := own.seq; seq != 0; {
		ch, err := s.change(acct, account, seq, f)
		if err != nil {
			return err
		}
		if err := fn(ch); err != nil {
			return err
		}
		seq = ch.Prev
	}
	return nil
}

// past is one account's journal for reading backwards.
type past struct {
	s       *snapshot
	account holdfast.ID
	acct    int64
	seq     uint64
}

// past checks that the account's journal reaches seq; 0 stands for its head.
func (s *snapshot) past(account holdfast.ID, seq uint64) (past, error) {
	h, err := s.Head(account)
	if err != nil {
		return past{}, err
	}
	if seq > h.Seq {
		return past{}, store.Err("History", holdfast.NotFound, account.String(), "the journal has no such seq")
	}
	if seq == 0 {
		seq = h.Seq
	}
	acct, err := s.accountKey(account)
	return past{s, account, acct, seq}, err
}

// at returns the item's version as of the moment, given its present row; nil where there was none.
func (p past) at(now item) (*holdfast.Change, error) {
	for seq := now.seq; seq != 0; {
		ch, err := p.s.change(p.acct, p.account, seq, 0)
		if err != nil || ch.Seq <= p.seq {
			return ch, err
		}
		seq = ch.Prev
	}
	return nil, nil
}

// resource makes a version a resource, as it was then.
func (p past) resource(ch *holdfast.Change, f store.Fields) (r holdfast.Resource, err error) {
	full := ch
	if f&(store.WithBody|store.WithProps) != 0 {
		if full, err = p.s.change(p.acct, p.account, ch.Seq, f); err != nil {
			return r, err
		}
	}
	r = holdfast.Resource{Account: p.account, Collection: ch.Collection, Name: ch.Name, Kind: ch.Kind, ETag: ch.ETag, Size: ch.Size, Seq: ch.Seq, Item: ch.Item,
		Modified: ch.At, PropsHash: ch.PropsHash, Body: full.Body, Blob: full.Blob, Properties: full.Properties, Pruned: full.Pruned}
	if f&store.WithType != 0 {
		r.ContentType, r.Device = ch.ContentType, ch.Actor.Device
	}
	if f&store.WithBody == 0 {
		r.Blob = nil
	}
	r.Made, err = p.made(ch)
	return r, err
}

// made finds when this incarnation of the item was created.
func (p past) made(ch *holdfast.Change) (t time.Time, err error) {
	for t = ch.At; ch.Prev != 0; t = ch.At {
		prev, err := p.s.change(p.acct, p.account, ch.Prev, 0)
		if err != nil || prev.Op == holdfast.OpDelete {
			return t, err
		}
		ch = prev
	}
	return t, nil
}

// ResourceAt implements [store.History].
func (s *snapshot) ResourceAt(coll holdfast.ID, name string, seq uint64, f store.Fields) (r holdfast.Resource, err error) {
	key, account, err := s.key(coll)
	if err != nil {
		return r, err
	}
	p, err := s.past(account, seq)
	if err != nil {
		return r, err
	}
	var now item
	if _, err := s.one(qItem, func(x Stmt) { now = scanItem(s.c, x) }, key, name); err != nil {
		return r, err
	}
	ch, err := p.at(now)
	if err == nil && (ch == nil || ch.Op == holdfast.OpDelete) {
		err = store.Err("ResourceAt", holdfast.NotFound, name, "there was no such resource then")
	}
	if err != nil {
		return r, err
	}
	return p.resource(ch, f)
}

// ListAt implements [store.History].
func (s *snapshot) ListAt(coll holdfast.ID, seq uint64, f store.Fields, fn func(*holdfast.Resource) error) error {
	key, account, err := s.key(coll)
	if err != nil {
		return err
	}
	p, err := s.past(account, seq)
	if err != nil {
		return err
	}
	var own item
	if _, err := s.one(qItem, func(x Stmt) { own = scanItem(s.c, x) }, key, ""); err != nil {
		return err
	}
	if was, err := p.at(own); err != nil || was == nil {
		return cmp.Or(err, store.Err("ListAt", holdfast.NotFound, coll.String(), "there was no such collection then"))
	}
	return s.read(qItems, func(x Stmt) error {
		now := scanItem(s.c, x)
		if now.name == "" {
			return nil
		}
		ch, err := p.at(now)
		if err != nil || ch == nil || ch.Op == holdfast.OpDelete {
			return err
		}
		r, err := p.resource(ch, f)
		if err != nil {
			return err
		}
		return fn(&r)
	}, key)
}
