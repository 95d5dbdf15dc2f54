package sqlite

import "holdfast"

// placeCollection brings the row of a collection in line with its own entry.
func (t *transaction) placeCollection(h *head, c *collection, e *holdfast.Entry) (*collection, error) {
	if e.Op == holdfast.OpDelete {
		c.gone = true
		h.recount()
		return c, t.c.run(qUpdateCollection, c.key, c.parent, c.name, 1)
	}
	r, err := holdfast.DecodeCollection(e.Body)
	if err != nil {
		return nil, err
	}
	parent := int64(0)
	if p := h.colls[r.Parent]; p != nil {
		parent = p.key
	}
	if c != nil {
		c.parent, c.name, c.gone = parent, r.Name, false
		h.recount()
		return c, t.c.run(qUpdateCollection, c.key, parent, r.Name, 0)
	}
	c = &collection{id: e.Collection, parent: parent, name: r.Name, typ: r.Type, made: e.At.UnixMicro()}
	if _, err := t.c.one(qInsertCollection, func(s Stmt) { c.key = s.Int(0) }, c.id, h.acct, parent, r.Name, string(r.Type), c.made); err != nil {
		return nil, err
	}
	h.add(c)
	h.recount()
	return c, nil
}

func (t *transaction) claimLogin(h *head, e *holdfast.Entry) error {
	r, err := holdfast.DecodeAccount(e.Body)
	if err != nil {
		return err
	}
	return t.c.run(qInsertLogin, r.Email, h.acct)
}

func (t *transaction) insertChange(h *head, coll *collection, e *holdfast.Entry, pruned bool, old, now item) error {
	s, err := t.c.take(qInsertChange)
	if err != nil {
		return err
	}
	defer t.c.give(qInsertChange, s)
	ints := [...]int64{now.lsn, h.acct, int64(h.seq), int64(h.epoch), int64(e.More), int64(t.batch)}
	for i, v := range ints {
		s.BindInt(i+1, v)
	}
	s.BindBlob(7, e.ID[:])
	s.BindInt(8, int64(e.Op))
	s.BindInt(9, int64(e.Kind))
	s.BindInt(10, coll.key)
	s.BindText(11, e.Name)
	s.BindInt(12, int64(old.seq))
	s.BindInt(13, now.item)
	s.BindInt(14, h.items)
	bindID(s, 15, e.Actor.Account, e.Actor.Account == h.id)
	bindID(s, 16, e.Actor.Device, e.Actor.Device.IsZero())
	s.BindInt(17, now.at)
	s.BindBlob(18, h.chain[:])
	bindHash(s, 19, now.etag)
	s.BindInt(20, now.size)
	if e.ContentType == "" {
		s.BindNull(21)
	} else {
		s.BindText(21, e.ContentType)
	}
	s.BindBlob(22, e.PropsRaw)
	s.BindInt(23, bit(e.Blob != nil))
	if e.Op == holdfast.OpPut && e.Blob == nil && !pruned {
		s.BindBlob(24, notNil(e.Body))
	} else {
		s.BindNull(24)
	}
	_, err = s.Step()
	return err
}

func (t *transaction) putItem(coll *collection, old, x item) error {
	if old.live() && x.live() && old.state == x.state && old.uid == x.uid {
		return t.newVersion(coll, x, old.times != x.times)
	}
	q := qPutItem
	if t.e.o.Bulk && old.seq == 0 {
		q = qNewItem
	}
	s, err := t.c.take(q)
	if err != nil {
		return err
	}
	defer t.c.give(q, s)
	s.BindInt(1, coll.key)
	s.BindText(2, x.name)
	s.BindInt(3, int64(x.seq))
	s.BindInt(4, x.lsn)
	s.BindInt(5, int64(x.state))
	s.BindInt(6, x.item)
	s.BindInt(7, int64(x.kind))
	bindHash(s, 8, x.etag)
	bindHash(s, 9, x.phash)
	s.BindInt(10, x.size)
	s.BindInt(11, x.at)
	s.BindInt(12, x.made)
	if x.uid == "" {
		s.BindNull(13)
	} else {
		s.BindText(13, x.uid)
	}
	bindTimes(s, 14, x.times)
	_, err = s.Step()
	return err
}

// newVersion is putItem where state, item, time of creation and UID stay as they are, and, unless it moved, its times.
func (t *transaction) newVersion(coll *collection, x item, moved bool) error {
	q := qNewVersion
	if moved {
		q = qNewTimes
	}
	s, err := t.c.take(q)
	if err != nil {
		return err
	}
	defer t.c.give(q, s)
	s.BindInt(1, coll.key)
	s.BindText(2, x.name)
	s.BindInt(3, int64(x.seq))
	s.BindInt(4, x.lsn)
	s.BindInt(5, int64(x.kind))
	bindHash(s, 6, x.etag)
	bindHash(s, 7, x.phash)
	s.BindInt(8, x.size)
	s.BindInt(9, x.at)
	if moved {
		bindTimes(s, 10, x.times)
	}
	_, err = s.Step()
	return err
}

func bindID(s Stmt, i int, id holdfast.ID, null bool) {
	if null {
		s.BindNull(i)
		return
	}
	s.BindBlob(i, id[:])
}

func bindHash(s Stmt, i int, h holdfast.Hash) {
	if h.IsZero() {
		s.BindNull(i)
		return
	}
	s.BindBlob(i, h[:])
}

// bindTimes binds t0, t1, months and span.
func bindTimes(s Stmt, i int, t times) {
	for k := range 4 {
		s.BindNull(i + k)
	}
	if !t.timed {
		return
	}
	s.BindInt(i, t.first)
	s.BindInt(i+1, t.last)
	if t.months != "" {
		s.BindBlob(i+2, []byte(t.months))
	}
	s.BindInt(i+3, t.span())
}

func bit(v bool) int64 {
	if v {
		return 1
	}
	return 0
}

// notNil keeps an empty body from being stored as NULL.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
