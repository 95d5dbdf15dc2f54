package sqlite

import (
	"holdfast"
	"holdfast/internal/store"
)

// item is a row of resources. seq 0: there is none.
type item struct {
	name        string
	seq         uint64
	lsn         int64
	state       holdfast.State
	item        int64
	kind        holdfast.Kind
	etag, phash holdfast.Hash
	size        int64
	at, made    int64
	uid         string
	times       times
}

// times is [holdfast.Times] as it can be compared.
type times struct {
	timed       bool
	first, last int64
	months      string
}

func timesOf(t holdfast.Times) times {
	if !t.Timed {
		return times{}
	}
	return times{true, t.First, t.Last, string(t.Months)}
}

func (t times) public() holdfast.Times {
	p := holdfast.Times{Timed: t.timed, First: t.first, Last: t.last}
	if t.months != "" {
		p.Months = []byte(t.months)
	}
	return p
}

func (x item) live() bool { return x.seq != 0 && x.state != holdfast.Tombstone }

// hash is what the collection's sum has of it. A ghost has that of the live item that it was: octets are in no digest.
func (x item) hash(coll holdfast.ID) holdfast.Hash {
	state := x.state
	if state == holdfast.Ghost {
		state = holdfast.Live
	}
	return holdfast.ItemHash(coll, x.name, x.seq, state, fromMicro(x.at), x.etag, x.phash)
}

// scanItem reads resourceColumns.
func scanItem(c *conn, s Stmt) item {
	x := item{name: s.Text(0), seq: uint64(s.Int(1)), state: holdfast.State(s.Int(2)), item: s.Int(3), kind: holdfast.Kind(s.Int(4)),
		etag: c.hash(s, 5), phash: c.hash(s, 6), size: s.Int(7), at: s.Int(8), made: s.Int(9), uid: s.Text(10), lsn: s.Int(11)}
	if !s.IsNull(12) {
		c.buf = s.AppendBlob(14, c.buf[:0])
		x.times = times{true, s.Int(12), s.Int(13), string(c.buf)}
	}
	return x
}

func (t *transaction) item(coll *collection, name string) (x item, err error) {
	_, err = t.c.one(qItem, func(s Stmt) { x = scanItem(t.c, s) }, coll.key, name)
	return x, err
}

// judge applies the rules of the contract to one entry, against what the transaction has written so far. It returns what the entry replaces.
func (t *transaction) judge(g *holdfast.Group, h *head, e *holdfast.Entry) (old item, coll *collection, err error) {
	if coll, err = t.collection(h, e); err != nil {
		return old, coll, err
	}
	if coll != nil {
		if old, err = t.item(coll, e.Name); err != nil {
			return old, coll, err
		}
	}
	if err := judgeItem(e, old); err != nil {
		return old, coll, err
	}
	switch {
	case e.Op == holdfast.OpDelete:
		return old, coll, nil
	case e.Kind == holdfast.KindCollection:
		return old, coll, t.judgeCollection(h, coll, e)
	case e.Kind == holdfast.KindAccount:
		if err := t.judgeLogin(h, e); err != nil {
			return old, coll, err
		}
	}
	return old, coll, t.judgeMember(h, coll, e, old)
}

// judgeItem judges the entry's precondition. If-Match on what is not there is answered NotFound: it makes phones upload their edit again, where
// PreconditionFailed makes them drop it.
func judgeItem(e *holdfast.Entry, old item) error {
	live := old.live()
	switch {
	case !e.If.Check(live, old.etag, old.seq):
		if !live && (len(e.If.Match) > 0 || e.If.Exists == holdfast.Present) {
			return notFound(e.Name)
		}
		return store.Err("Commit", holdfast.PreconditionFailed, e.Name, "the resource is not as the request demands: it was made, changed or deleted meanwhile; fetch it, then send the change again")
	case e.If.Bare && live && !old.phash.IsZero():
		return &holdfast.Error{Op: "store.Commit", Kind: holdfast.PreconditionFailed, Ref: e.Name, Rule: holdfast.RuleBare, Text: "the resource has properties"}
	case e.Op == holdfast.OpDelete && !live:
		return notFound(e.Name)
	}
	return nil
}

func notFound(name string) error {
	return store.Err("Commit", holdfast.NotFound, name, "there is no such resource")
}

// collection finds the collection that an entry is about; nil, without an error, for one that the entry is to make.
func (t *transaction) collection(h *head, e *holdfast.Entry) (*collection, error) {
	c := h.colls[e.Collection]
	own := e.Kind == holdfast.KindCollection
	if c == nil {
		foreign, err := t.c.one(qCollectionByID, func(Stmt) {}, e.Collection)
		switch {
		case err != nil:
			return nil, err
		case foreign:
			return nil, store.Err("Commit", holdfast.Invalid, e.Collection.String(), "the collection belongs to another account")
		case own && e.Op == holdfast.OpPut:
			return nil, nil
		}
	}
	if c == nil || c.lost && !own { // gone, or below one that is: nobody could reach what is put there
		return nil, store.Err("Commit", holdfast.NotFound, e.Collection.String(), "there is no such collection")
	}
	return c, nil
}

func (t *transaction) judgeMember(h *head, coll *collection, e *holdfast.Entry, old item) error {
	if h.path(coll.key, e.Name) != nil {
		return store.Err("Commit", holdfast.Exists, e.Name, "a collection has this name")
	}
	uid := e.Index.UID
	switch {
	case uid == "" || old.live() && old.uid == uid:
		return nil
	case e.If.SameUID && old.live() && old.uid != "":
		return store.Err("Commit", holdfast.UIDConflict, e.Name, "the resource of this name has another UID; put this one under another name")
	}
	holder := ""
	found, err := t.c.one(qUIDHolder, func(s Stmt) { holder = s.Text(0) }, coll.key, uid)
	if err != nil || !found || holder == e.Name {
		return err
	}
	return store.Err("Commit", holdfast.UIDConflict, holder, "another resource of the collection has this UID; change that one, or give this one a UID of its own")
}

func (t *transaction) judgeCollection(h *head, coll *collection, e *holdfast.Entry) error {
	r, err := holdfast.DecodeCollection(e.Body)
	if err != nil {
		return store.Err("Commit", holdfast.Invalid, e.Name, err.Error())
	}
	if coll != nil && coll.typ != r.Type {
		return store.Err("Commit", holdfast.Invalid, r.Name, "a collection's type is for ever: this one is a "+string(coll.typ))
	}
	if r.Type == holdfast.TypeRoot {
		return nil
	}
	parent := h.colls[r.Parent]
	if parent == nil {
		foreign, err := t.c.one(qCollectionByID, func(Stmt) {}, r.Parent)
		if err != nil {
			return err
		}
		if foreign {
			return store.Err("Commit", holdfast.Invalid, r.Parent.String(), "the parent belongs to another account")
		}
	}
	if parent == nil || parent.gone {
		return store.Err("Commit", holdfast.NotFound, r.Parent.String(), "there is no such parent")
	}
	for up := parent; up != nil; up = h.byKey[up.parent] {
		if up == coll {
			return store.Err("Commit", holdfast.Invalid, r.Name, "a collection cannot lie within itself")
		}
	}
	if other := h.path(parent.key, r.Name); other != nil && other != coll {
		return store.Err("Commit", holdfast.Exists, r.Name, "another collection has this name")
	}
	member, err := t.item(parent, r.Name)
	if err == nil && member.live() {
		err = store.Err("Commit", holdfast.Exists, r.Name, "a resource has this name")
	}
	return err
}

func (t *transaction) judgeLogin(h *head, e *holdfast.Entry) error {
	r, err := holdfast.DecodeAccount(e.Body)
	if err != nil {
		return store.Err("Commit", holdfast.Invalid, e.Name, err.Error())
	}
	holder := int64(0)
	found, err := t.c.one(qAccountByLogin, func(s Stmt) { holder = s.Int(1) }, r.Email)
	if err == nil && !found {
		if found, err = t.c.one(qLoginErased, func(Stmt) {}, holdfast.HashOf([]byte(r.Email))); found {
			holder = -1 // nobody's, and nobody gets it
		}
	}
	if err == nil && found && holder != h.acct {
		err = store.Err("Commit", holdfast.Exists, r.Email, "this name belongs, or belonged, to another account")
	}
	return err
}

// judgeIf judges an If header against the state before the group: one list holds, every condition of it.
func (t *transaction) judgeIf(g *holdfast.Group, h *head) error {
	if len(g.If) == 0 {
		return nil
	}
	for _, list := range g.If {
		holds := true
		for _, c := range list {
			v, err := t.condition(h, c)
			if err != nil {
				return err
			}
			if holds = v != c.Not; !holds {
				break
			}
		}
		if holds {
			return nil
		}
	}
	return store.Err("Commit", holdfast.PreconditionFailed, "", "a condition of the request does not hold")
}

func (t *transaction) condition(h *head, c holdfast.Condition) (bool, error) {
	if c.Const {
		return c.Value, nil
	}
	coll, err := t.anyCollection(h, c.Collection)
	if err != nil || coll == nil {
		return false, err
	}
	if c.ETag == nil {
		return c.Seq != 0 && coll.seq == c.Seq, nil
	}
	x, err := t.item(coll, c.Name)
	return x.live() && x.etag == *c.ETag, err
}

// anyCollection finds a collection of whatever account, as this transaction left it; nil for none.
func (t *transaction) anyCollection(h *head, id holdfast.ID) (*collection, error) {
	if c := h.colls[id]; c != nil {
		return c, nil
	}
	var owner holdfast.ID
	found, err := t.c.one(qOwner, func(s Stmt) { owner = t.c.id(s, 0) }, id)
	if err != nil || !found {
		return nil, err
	}
	other, err := t.e.heads.get(t.c, owner)
	if err != nil || other == nil {
		return nil, err
	}
	return other.colls[id], nil
}

// replay answers a retry that meets its own write: the precondition fails, yet the live item holds these very octets and properties, last written by
// this very actor.
func (t *transaction) replay(g *holdfast.Group, h *head, e *holdfast.Entry, coll *collection, old item, cause error) (holdfast.Receipt, bool) {
	if len(g.Entries) != 1 || !e.Recurs() || old.state != holdfast.Live || old.seq == 0 || old.etag != e.ETag || !e.If.Bare && old.phash != e.PropsHash || e.If.Check(true, old.etag, old.seq) {
		return holdfast.Receipt{}, false
	}
	if coll.gone || !holdfast.IsKind(cause, holdfast.PreconditionFailed) && !holdfast.IsKind(cause, holdfast.NotFound) {
		return holdfast.Receipt{}, false
	}
	var x row
	_, err := t.c.one(qChangeAt, func(s Stmt) { x = scanChange(t.c, s, h.id) }, h.acct, old.seq)
	ch := x.change
	if err != nil || ch == nil || ch.Actor != e.Actor {
		return holdfast.Receipt{}, false
	}
	r := holdfast.Receipt{Account: h.id, Seq: ch.GroupEnd(), Batch: x.batch, Replay: true}
	found, err := t.c.one(qHeadAt, func(s Stmt) { r.Epoch, r.Hash = uint64(s.Int(0)), t.c.hash(s, 1) }, h.acct, r.Seq)
	return r, err == nil && found
}
