package sqlite

import (
	"holdfast"
	"holdfast/internal/store"
)

// Digest implements [store.History].
func (s *snapshot) Digest(account holdfast.ID, seq uint64) (d holdfast.Digest, err error) {
	p, err := s.past(account, seq)
	if err != nil {
		return d, err
	}
	h, err := s.Chain(account, p.seq)
	if err != nil {
		return d, err
	}
	sums, err := s.sums(p.acct)
	if err != nil {
		return d, err
	}
	if err := s.walkBack(p, sums); err != nil {
		return d, err
	}
	list := make([]holdfast.CollectionSum, 0, len(sums))
	for _, c := range sums {
		list = append(list, *c)
	}
	return holdfast.Digest{Epoch: h.Epoch, Seq: p.seq, Chain: h.Chain, State: holdfast.StateHash(account, list)}, nil
}

// sums returns the account's collections by their ids, as they are now.
func (s *snapshot) sums(acct int64) (map[holdfast.ID]*holdfast.CollectionSum, error) {
	rows := map[int64]*collection{}
	if err := s.read(qCollectionsOf, func(x Stmt) error {
		c := scanCollection(s.c, x)
		rows[c.key] = c
		return nil
	}, acct); err != nil {
		return nil, err
	}
	out := make(map[holdfast.ID]*holdfast.CollectionSum, len(rows))
	for _, c := range rows {
		x := &holdfast.CollectionSum{ID: c.id, Gone: c.gone, Items: c.items, Octets: c.octets, Sum: c.sum}
		if up := rows[c.parent]; up != nil {
			x.Parent = up.id
		}
		out[c.id] = x
	}
	return out, nil
}

// walkBack takes every change above p.seq out of the sums again: each takes its own item away and brings the version before it back.
func (s *snapshot) walkBack(p past, sums map[holdfast.ID]*holdfast.CollectionSum) error {
	return s.read(qChangesBack, func(r Stmt) error {
		x := scanChange(s.c, r, p.account)
		if err := s.finish(x, 0); err != nil {
			return err
		}
		ch := x.change
		var old *holdfast.Change
		if ch.Prev != 0 {
			var err error
			if old, err = s.change(p.acct, p.account, ch.Prev, 0); err != nil {
				return err
			}
		}
		return s.takeBack(p, sums, ch, old)
	}, p.acct, p.seq)
}

func (s *snapshot) takeBack(p past, sums map[holdfast.ID]*holdfast.CollectionSum, ch, old *holdfast.Change) error {
	c := sums[ch.Collection]
	c.Sum = c.Sum.Sub(changeItem(ch).hash(c.ID))
	if old != nil {
		c.Sum = c.Sum.Add(changeItem(old).hash(c.ID))
	}
	if ch.Name == "" {
		return s.takeBackOwn(p, sums, c, old)
	}
	if ch.Op == holdfast.OpPut {
		c.Items, c.Octets = c.Items-1, c.Octets-ch.Size
	}
	if old != nil && old.Op == holdfast.OpPut {
		c.Items, c.Octets = c.Items+1, c.Octets+old.Size
	}
	return nil
}

// takeBackOwn takes back a change of a collection's own entry: where it hung, whether it was gone, whether it was at all.
func (s *snapshot) takeBackOwn(p past, sums map[holdfast.ID]*holdfast.CollectionSum, c *holdfast.CollectionSum, old *holdfast.Change) error {
	if old == nil {
		delete(sums, c.ID)
		return nil
	}
	c.Gone = old.Op == holdfast.OpDelete
	for last := old; ; {
		full, err := s.change(p.acct, p.account, last.Seq, store.WithBody)
		if err != nil {
			return err
		}
		if full.Op == holdfast.OpPut {
			rec, err := holdfast.DecodeCollection(full.Body)
			c.Parent = rec.Parent
			return err
		}
		if full.Prev == 0 {
			return nil
		}
		if last, err = s.change(p.acct, p.account, full.Prev, 0); err != nil {
			return err
		}
	}
}

// changeItem is the index's row as a change leaves it, as far as its hash goes.
func changeItem(ch *holdfast.Change) item {
	x := item{name: ch.Name, seq: ch.Seq, at: ch.At.UnixMicro(), etag: ch.ETag, phash: ch.PropsHash, size: ch.Size}
	if ch.Op == holdfast.OpDelete {
		x.state = holdfast.Tombstone
	}
	return x
}
