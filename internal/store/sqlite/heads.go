package sqlite

import (
	"holdfast"
)

// maxHeads bounds the accounts that the writer keeps in mind.
const maxHeads = 20_000

// heads is the writer's memory of where each account's journal stands, so that a commit need not look. Only the writer touches it; whatever is in
// it is what the database says after the last commit, or an account is dropped from it.
type heads struct {
	accounts map[holdfast.ID]*head
}

// head is where an account's journal stands.
type head struct {
	acct   int64
	id     holdfast.ID
	epoch  uint64
	seq    uint64
	chain  holdfast.Hash
	items  int64 // ever made
	octets int64 // live members of the collections that can be reached: what the quota counts
	colls  map[holdfast.ID]*collection
	byKey  map[int64]*collection
	dirty  bool // some collection's counts are not written
	fresh  bool // made by the group that is being applied
	held   bool // the running transaction uses it
}

// collection is a collection's row as the writer knows it.
type collection struct {
	key, parent int64
	id          holdfast.ID
	name        string
	typ         holdfast.CollectionType
	gone        bool
	made        int64
	seq, epoch  uint64
	chain       holdfast.Hash
	items       int64
	octets      int64
	sum         holdfast.Sum
	dirty       bool // its counts
	lost        bool // it, or a collection above it, is gone: its octets are kept, but not counted against the quota
}

func newHeads() *heads { return &heads{accounts: map[holdfast.ID]*head{}} }

func (h *heads) drop(id holdfast.ID) { delete(h.accounts, id) }

// get returns the account's head; nil where the store has no such account.
func (h *heads) get(c *conn, id holdfast.ID) (*head, error) {
	if x := h.accounts[id]; x != nil {
		return x, nil
	}
	if len(h.accounts) >= maxHeads {
		for k, x := range h.accounts { // any quarter of them: nothing is lost but a look-up
			if !x.dirty && !x.held {
				delete(h.accounts, k)
			}
			if len(h.accounts) < maxHeads*3/4 {
				break
			}
		}
	}
	x := &head{id: id, colls: map[holdfast.ID]*collection{}, byKey: map[int64]*collection{}}
	found, err := c.one(qAccountByID, func(s Stmt) { x.acct = s.Int(0) }, id)
	if err != nil || !found {
		return nil, err
	}
	if _, err = c.one(qHead, func(s Stmt) {
		x.seq, x.epoch, x.chain, x.items = uint64(s.Int(0)), uint64(s.Int(1)), c.hash(s, 2), s.Int(3)
	}, x.acct); err != nil {
		return nil, err
	}
	err = c.rows(qCollectionsOf, func(s Stmt) error {
		x.add(scanCollection(c, s))
		return nil
	}, x.acct)
	if err != nil {
		return nil, err
	}
	x.recount()
	h.accounts[id] = x
	return x, nil
}

func (x *head) add(c *collection) { x.colls[c.id], x.byKey[c.key] = c, c }

// recount finds out which collections can be reached from the root, and what they hold.
func (x *head) recount() {
	x.octets = 0
	for _, c := range x.colls {
		c.lost = false
		for up := c; up != nil && !c.lost; up = x.byKey[up.parent] {
			c.lost = up.gone
		}
		if !c.lost {
			x.octets += c.octets
		}
	}
}

// scanCollection reads collectionColumns.
func scanCollection(c *conn, s Stmt) *collection {
	x := &collection{key: s.Int(0), id: c.id(s, 1), gone: s.Int(3) != 0, made: s.Int(4), seq: uint64(s.Int(5)), epoch: uint64(s.Int(6)),
		chain: c.hash(s, 7), items: s.Int(8), octets: s.Int(9), parent: s.Int(11), name: s.Text(12), typ: holdfast.CollectionType(s.Text(13))}
	x.sum = holdfast.Sum(c.hash(s, 10))
	return x
}

// path finds a live collection by parent and name.
func (x *head) path(parent int64, name string) *collection {
	for _, c := range x.colls {
		if c.parent == parent && c.name == name && !c.gone {
			return c
		}
	}
	return nil
}
