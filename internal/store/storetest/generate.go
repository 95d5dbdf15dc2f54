package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// The pools are small, so that names, UIDs, logins and octets meet each other often.
var (
	nameCount, uidCount, loginCount, bodyCount = 16, 14, 12, 6

	types = []holdfast.CollectionType{holdfast.TypeFolder, holdfast.TypeFolder, holdfast.TypeFolder, holdfast.TypeAddressbook}
)

func (w *walk) name() string {
	if w.chance(2) {
		return pick(w, []string{"ä", "e\u0301", "%2f", strings.Repeat("n", holdfast.MaxName), "Z", "a b", holdfast.RecordAccount})
	}
	return fmt.Sprintf("%c", 'a'+w.rng.IntN(nameCount))
}

// known is the present, as the model knows it. Whatever is made at random is made from it.
func (w *walk) known() store.Snapshot {
	s, err := w.model.Snapshot(context.Background())
	if err != nil {
		w.Fatal(err)
	}
	return s
}

func (w *walk) login() string { return fmt.Sprintf("l%d@example.org", w.rng.IntN(loginCount)) }

func (w *walk) uid() string {
	if w.chance(40) {
		return ""
	}
	return fmt.Sprintf("uid-%d", w.rng.IntN(uidCount))
}

// col returns a collection: mostly a live one of the account's, at times one that is gone, another's or none.
func (w *walk) col(account holdfast.ID) holdfast.ID {
	switch {
	case w.chance(1):
		return w.m.ID()
	case w.chance(2):
		return pick(w, w.cols)
	}
	m := w.known()
	cs, err := m.Collections(account)
	if err != nil {
		return pick(w, w.cols)
	}
	if w.chance(95) {
		cs = slices.DeleteFunc(cs, func(c holdfast.Collection) bool { return c.Gone })
	}
	return pick(w, cs).ID
}

// member returns the name of an item: mostly of one that is there.
func (w *walk) member(collection holdfast.ID) string {
	m := w.known()
	var names []string
	err := m.List(collection, "", 0, 0, func(r *holdfast.Resource) error {
		if r.Kind == holdfast.KindAddress {
			names = append(names, r.Name)
		}
		return nil
	})
	if err != nil || len(names) == 0 || w.chance(10) {
		return w.name()
	}
	return pick(w, names)
}

// found founds an account; its login may be taken.
func (w *walk) found() {
	a, g := w.m.Founding(w.login())
	w.commit(g)
	w.accounts, w.cols = append(w.accounts, a.ID), append(w.cols, a.ID, a.Home, a.Book)
	if _, err := w.known().Account(a.ID); err != nil {
		w.accounts = w.accounts[:len(w.accounts)-1] // refused: nothing to work with
	}
}

// group makes a random group.
func (w *walk) group() *holdfast.Group {
	g := &holdfast.Group{Account: pick(w, w.accounts)}
	if w.chance(1) {
		g.Account = w.m.ID()
	}
	n := 1
	if w.chance(40) {
		n += w.rng.IntN(4)
	}
	for range n {
		g.Entries = append(g.Entries, w.entry(g.Account))
	}
	if w.chance(8) {
		for range 1 + w.rng.IntN(2) {
			var list []holdfast.Condition
			for range 1 + w.rng.IntN(2) {
				list = append(list, w.condition(g.Account))
			}
			g.If = append(g.If, list)
		}
	}
	if w.chance(15) {
		g.MaxOctets = max(1, w.octets(g.Account)+int64(w.rng.IntN(300))-100)
	}
	g.Seal()
	if w.chance(1) {
		g.Entries[w.rng.IntN(n)].Hash = holdfast.Hash{}
	}
	if e := &g.Entries[0]; n == 1 && e.Op == holdfast.OpPut && !e.If.IsZero() && len(g.If) == 0 {
		w.retry = g
	}
	return g
}

// again returns the group as a client sends it once more: the same octets under a new id, later.
func (w *walk) again(g *holdfast.Group) *holdfast.Group {
	e := g.Entries[0]
	e.ID, e.At = w.m.ID(), w.m.Now()
	if w.chance(10) {
		e.Actor.Device = pick(w, w.devices)
	}
	return Sealed(g.Account, e)
}

func (w *walk) octets(account holdfast.ID) (n int64) {
	m := w.known()
	cs, _ := m.Collections(account)
	for _, c := range cs {
		n += c.Octets
	}
	return n
}

func (w *walk) entry(account holdfast.ID) holdfast.Entry {
	var e holdfast.Entry
	switch n := w.rng.IntN(100); {
	case n < 62:
		e = w.m.Put(w.col(account), w.name(), w.uid(), w.body())
		if w.chance(5) {
			e.Blob, e.Body = &holdfast.Blob{Hash: holdfast.HashOf(e.Body), Size: int64(len(e.Body))}, nil
		}
		if w.chance(10) {
			e.Kind, e.ContentType = holdfast.KindFile, ""
		}
		e.Index.Times = w.times()
	case n < 78:
		col := w.col(account)
		e = w.m.Delete(col, w.member(col))
	case n < 87:
		id := w.col(account)
		if w.chance(40) {
			id = w.m.ID()
			w.cols = append(w.cols, id)
		}
		e = w.m.Collection(id, w.col(account), w.name(), pick(w, types))
	case n < 90:
		e = w.m.DeleteCollection(w.col(account))
	case n < 95:
		e = w.m.Record(account, w.login())
	case n < 98:
		e = w.m.Put(account, holdfast.RecordDevicePrefix+w.name(), "", w.body())
		e.Kind = holdfast.KindDevice
	default:
		e = w.malformed(account)
	}
	if e.Op == holdfast.OpPut && w.chance(15) {
		e.Properties = holdfast.Properties{{Space: "urn:x", Local: "p", XML: fmt.Appendf(nil, "<p xmlns='urn:x'>%d</p>", w.rng.IntN(3))}}
	}
	if w.chance(20) {
		e.At = e.At.Add(-time.Duration(w.rng.IntN(1000)) * time.Second) // clocks go back
	}
	e.Actor = holdfast.Actor{Account: account, Device: pick(w, w.devices)}
	if w.chance(25) {
		e.If = w.precondition(e)
	}
	return e
}

func (w *walk) body() []byte {
	n := w.rng.IntN(bodyCount)
	return []byte(strings.Repeat(fmt.Sprintf("%d", n), n*n*8))
}

// malformed returns an entry that no engine takes.
func (w *walk) malformed(account holdfast.ID) holdfast.Entry {
	e := w.m.Put(w.col(account), w.name(), w.uid(), w.body())
	switch w.rng.IntN(6) {
	case 0:
		e.Name = pick(w, []string{"", "..", "a/b", "\x00", strings.Repeat("n", holdfast.MaxName+1)})
	case 1:
		e.Kind = pick(w, []holdfast.Kind{0, holdfast.KindCollection, holdfast.KindAccount})
	case 2:
		e.Op = 7
	case 3:
		e = w.m.DeleteCollection(account)
	case 4:
		e = w.m.Collection(account, w.col(account), "x", holdfast.TypeFolder)
	case 5:
		e = w.m.Record(account, "not a login")
	}
	return e
}

// current returns the item as the model has it.
func (w *walk) current(e holdfast.Entry) holdfast.Resource {
	m := w.known()
	r, _ := m.Resource(e.Collection, e.Name, 0)
	return r
}

// precondition returns one that holds about half of the time.
func (w *walk) precondition(e holdfast.Entry) (p holdfast.Precondition) {
	cur := w.current(e)
	hashes := []holdfast.Hash{holdfast.HashOf(w.body())}
	if w.chance(60) {
		hashes = append(hashes, cur.ETag)
	}
	switch w.rng.IntN(6) {
	case 0:
		p.Exists = holdfast.Absent
	case 1:
		p.Exists = holdfast.Present
	case 2, 3:
		p.Match = hashes
	case 4:
		p.NoneMatch = hashes
	case 5:
		if p.Seq = cur.Seq; w.chance(30) {
			p.Seq = 1 + w.rng.Uint64N(20)
		}
	}
	if w.chance(10) {
		p.NoneMatch = append(p.NoneMatch, holdfast.HashOf(w.body()))
	}
	p.Bare, p.SameUID = w.chance(20), w.chance(20)
	return p
}

func (w *walk) condition(account holdfast.ID) holdfast.Condition {
	c := holdfast.Condition{Not: w.chance(30), Collection: w.col(account), Name: w.name()}
	switch w.rng.IntN(3) {
	case 0:
		c.Const, c.Value = true, w.chance(70)
	case 1:
		etag := w.current(holdfast.Entry{Collection: c.Collection, Name: c.Name}).ETag
		if w.chance(20) {
			etag = holdfast.HashOf(w.body())
		}
		c.ETag = &etag
	case 2:
		col, _ := w.known().Collection(c.Collection)
		if c.Seq = col.Seq; c.Seq == 0 || w.chance(20) {
			c.Seq = 1 + w.rng.Uint64N(20)
		}
	}
	return c
}
