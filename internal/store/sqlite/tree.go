package sqlite

import (
	"holdfast"
	"holdfast/internal/store"
)

// Collections implements [store.Tree].
func (s *snapshot) Collections(account holdfast.ID) ([]holdfast.Collection, error) {
	key, err := s.accountKey(account)
	if err != nil {
		return nil, err
	}
	var rows []*collection
	if err := s.read(qCollectionsOf, func(x Stmt) error {
		rows = append(rows, scanCollection(s.c, x))
		return nil
	}, key); err != nil {
		return nil, err
	}
	out := make([]holdfast.Collection, len(rows))
	for i, r := range rows {
		if out[i], err = s.whole(r, account, key); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Collection implements [store.Tree].
func (s *snapshot) Collection(id holdfast.ID) (holdfast.Collection, error) {
	return s.collection(qCollectionByID, id.String(), id)
}

// Child implements [store.Tree].
func (s *snapshot) Child(parent holdfast.ID, name string) (holdfast.Collection, error) {
	return s.collection(qChild, name, parent, name)
}

func (s *snapshot) collection(q query, ref string, args ...any) (holdfast.Collection, error) {
	var row *collection
	var acct int64
	found, err := s.one(q, func(x Stmt) { row, acct = scanCollection(s.c, x), x.Int(2) }, args...)
	if err == nil && !found {
		err = store.Err("Collection", holdfast.NotFound, ref, "there is no such collection")
	}
	if err != nil {
		return holdfast.Collection{}, err
	}
	account, err := s.accountID(acct)
	if err != nil {
		return holdfast.Collection{}, err
	}
	return s.whole(row, account, acct)
}

func (s *snapshot) accountID(acct int64) (id holdfast.ID, err error) {
	_, err = s.one(qAccountID, func(x Stmt) { id = s.c.id(x, 0) }, acct)
	return id, err
}

// whole completes a collection by its own entry. One that is gone keeps what it had last.
func (s *snapshot) whole(r *collection, account holdfast.ID, acct int64) (holdfast.Collection, error) {
	c := holdfast.Collection{ID: r.id, Account: account, Gone: r.gone, Seq: r.seq, Epoch: r.epoch, Chain: r.chain, Items: r.items, Octets: r.octets, Made: fromMicro(r.made)}
	own := item{}
	if _, err := s.one(qItem, func(x Stmt) { own = scanItem(s.c, x) }, r.key, ""); err != nil {
		return c, err
	}
	c.Modified = fromMicro(own.at)
	for seq := own.seq; seq != 0; {
		ch, err := s.change(acct, account, seq, store.WithBody|store.WithProps)
		if err != nil {
			return c, err
		}
		if ch.Op == holdfast.OpDelete {
			seq = ch.Prev
			continue
		}
		if c.CollectionRecord, err = holdfast.DecodeCollection(ch.Body); err != nil {
			return c, &holdfast.Error{Op: "store.Collection", Kind: holdfast.Corrupt, Ref: r.id.String(), Err: err}
		}
		c.Properties = ch.Properties
		break
	}
	return c, nil
}

// Resource implements [store.Tree].
func (s *snapshot) Resource(coll holdfast.ID, name string, f store.Fields) (holdfast.Resource, error) {
	var x item
	var account holdfast.ID
	found, err := s.one(qResource, func(r Stmt) { x, account = scanItem(s.c, r), s.c.id(r, resourceWidth) }, coll, name)
	if err != nil {
		return holdfast.Resource{}, err
	}
	if !found || !x.live() {
		return holdfast.Resource{}, store.Err("Resource", holdfast.NotFound, name, "there is no such resource")
	}
	r := x.resource(account, coll)
	if r.State == holdfast.Ghost && f&store.WithBody != 0 {
		return holdfast.Resource{}, store.Hollow("Resource", name)
	}
	err = s.complete(&r, x.lsn, f, nil)
	return r, err
}

// resource makes the row a resource without what lies in its change.
func (x item) resource(account, coll holdfast.ID) holdfast.Resource {
	return holdfast.Resource{Account: account, Collection: coll, Name: x.name, Kind: x.kind, State: x.state, ETag: x.etag, Size: x.size, Seq: x.seq,
		Item: uint64(x.item), Made: fromMicro(x.made), Modified: fromMicro(x.at), UID: x.uid, Times: x.times.public(), PropsHash: x.phash}
}

// complete reads from the change what was asked for. Where buf is given, the body lies in it, and is valid until it is used again.
func (s *snapshot) complete(r *holdfast.Resource, lsn int64, f store.Fields, buf *[]byte) error {
	if r.State == holdfast.Tombstone {
		f &= store.WithType
	}
	if f == 0 {
		return nil
	}
	q := qPart
	if f&store.WithBody != 0 {
		q = qPartBody
	}
	var err error
	found, qerr := s.one(q, func(x Stmt) { err = s.part(r, x, f, buf) }, lsn)
	switch {
	case qerr != nil:
		return qerr
	case !found:
		return &holdfast.Error{Op: "store.Resource", Kind: holdfast.Corrupt, Ref: r.Name, Text: "its change is missing"}
	}
	return err
}

func (s *snapshot) part(r *holdfast.Resource, x Stmt, f store.Fields, buf *[]byte) (err error) {
	if f&store.WithType != 0 {
		r.ContentType, r.Device = x.Text(0), s.c.id(x, 1)
	}
	if f&store.WithProps != 0 && !r.PropsHash.IsZero() {
		s.c.buf = x.AppendBlob(2, s.c.buf[:0])
		if r.Properties, err = holdfast.DecodeProperties(s.c.buf); err != nil {
			return &holdfast.Error{Op: "store.Resource", Kind: holdfast.Corrupt, Ref: r.Name, Err: err}
		}
	}
	switch {
	case f&store.WithBody == 0 || r.State == holdfast.Ghost:
	case x.Int(3) != 0:
		r.Blob = &holdfast.Blob{Hash: r.ETag, Size: r.Size}
	case x.IsNull(4):
		return store.Hollow("Resource", r.Name)
	case buf != nil:
		*buf = x.AppendBlob(4, (*buf)[:0])
		r.Body = *buf
	default:
		r.Body = x.AppendBlob(4, make([]byte, 0, r.Size))
	}
	return nil
}

// key finds a collection that members are read from.
func (s *snapshot) key(coll holdfast.ID) (key int64, account holdfast.ID, err error) {
	var acct int64
	found, err := s.one(qCollectionByID, func(x Stmt) { key, acct = x.Int(0), x.Int(2) }, coll)
	if err == nil && !found {
		err = store.Err("Collection", holdfast.NotFound, coll.String(), "there is no such collection")
	}
	if err != nil {
		return 0, account, err
	}
	account, err = s.accountID(acct)
	return key, account, err
}

// ByUID implements [store.Tree].
func (s *snapshot) ByUID(coll holdfast.ID, uid string) (r holdfast.Resource, err error) {
	key, account, err := s.key(coll)
	if err != nil {
		return r, err
	}
	found, err := s.one(qResourceByUID, func(x Stmt) { r = scanItem(s.c, x).resource(account, coll) }, key, uid)
	if err == nil && !found {
		err = store.Err("Resource", holdfast.NotFound, uid, "no resource has this UID")
	}
	return r, err
}

// List implements [store.Tree].
func (s *snapshot) List(coll holdfast.ID, after string, limit int, f store.Fields, fn func(*holdfast.Resource) error) error {
	key, account, err := s.key(coll)
	if err != nil {
		return err
	}
	var r holdfast.Resource
	var buf []byte
	return s.read(qList, func(x Stmt) error {
		it := scanItem(s.c, x)
		r = it.resource(account, coll)
		if err := s.complete(&r, it.lsn, f, &buf); err != nil {
			return err
		}
		return fn(&r)
	}, key, after, noLimit(limit))
}

// ChangesSince implements [store.Tree].
func (s *snapshot) ChangesSince(coll holdfast.ID, seq uint64, limit int, f store.Fields, fn func(*holdfast.Resource) error) (more bool, err error) {
	key, account, err := s.key(coll)
	if err != nil {
		return false, err
	}
	ask := noLimit(limit)
	if limit > 0 {
		ask++ // one more tells whether there are more
	}
	var r holdfast.Resource
	var buf []byte
	n := 0
	err = s.read(qSince, func(x Stmt) error {
		if n++; limit > 0 && n > limit {
			more = true
			return nil
		}
		it := scanItem(s.c, x)
		r = it.resource(account, coll)
		if err := s.complete(&r, it.lsn, f, &buf); err != nil {
			return err
		}
		return fn(&r)
	}, key, seq, ask)
	return more, err
}
