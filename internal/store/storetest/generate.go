package storetest

import (
	"fmt"
	"strings"

	"holdfast"
	"holdfast/internal/store"
)

// The pools are small, so that names, UIDs, logins and octets meet each other often.
var (
	nameCount, uidCount, loginCount, bodyCount = 12, 8, 12, 6

	types = []holdfast.CollectionType{holdfast.TypeFolder, holdfast.TypeFolder, holdfast.TypeFolder, holdfast.TypeAddressbook}
)

func (w *walk) name() string {
	if w.chance(2) {
		return pick(w, []string{"ä", "e\u0301", "%2f", strings.Repeat("n", holdfast.MaxName), "Z", "a b", holdfast.RecordAccount})
	}
	return fmt.Sprintf("%c", 'a'+w.rng.IntN(nameCount))
}

func (w *walk) login() string { return fmt.Sprintf("l%d@example.org", w.rng.IntN(loginCount)) }

func (w *walk) uid() string {
	if w.chance(20) {
		return ""
	}
	return fmt.Sprintf("uid-%d", w.rng.IntN(uidCount))
}

// col returns a collection: mostly one of the account's, at times another's or none.
func (w *walk) col(account holdfast.ID) holdfast.ID {
	if w.chance(2) {
		return w.m.ID()
	}
	if w.chance(3) {
		return pick(w, w.cols)
	}
	m := w.moment()
	defer m.close()
	cs, err := m.model.Collections(account)
	if err != nil {
		return pick(w, w.cols)
	}
	return pick(w, cs).ID
}

// found founds an account; its login may be taken.
func (w *walk) found() {
	a, g := w.m.Founding(w.login())
	w.commit(g)
	w.accounts, w.cols = append(w.accounts, a.ID), append(w.cols, a.ID, a.Home, a.Book)
	if m := w.moment(); true {
		if _, err := m.model.Account(a.ID); err != nil {
			w.accounts = w.accounts[:len(w.accounts)-1] // refused: nothing to work with
		}
		m.close()
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
	m := w.moment()
	defer m.close()
	cs, _ := m.model.Collections(account)
	for _, c := range cs {
		n += c.Octets
	}
	return n
}

func (w *walk) entry(account holdfast.ID) holdfast.Entry {
	var e holdfast.Entry
	switch n := w.rng.IntN(100); {
	case n < 58:
		e = w.m.Put(w.col(account), w.name(), w.uid(), w.body())
		if w.chance(5) {
			e.Blob, e.Body = &holdfast.Blob{Hash: holdfast.HashOf(e.Body), Size: int64(len(e.Body))}, nil
		}
		if w.chance(10) {
			e.Kind, e.ContentType = holdfast.KindFile, ""
		}
	case n < 76:
		e = w.m.Delete(w.col(account), w.name())
	case n < 87:
		id := w.col(account)
		if w.chance(40) {
			id = w.m.ID()
			w.cols = append(w.cols, id)
		}
		e = w.m.Collection(id, w.col(account), w.name(), pick(w, types))
	case n < 92:
		e = w.m.DeleteCollection(w.col(account))
	case n < 96:
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
	e.Actor = holdfast.Actor{Account: account, Device: pick(w, w.devices)}
	if w.chance(35) {
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
	m := w.moment()
	defer m.close()
	r, _ := m.model.Resource(e.Collection, e.Name, 0)
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
		m := w.moment()
		col, _ := m.model.Collection(c.Collection)
		m.close()
		if c.Seq = col.Seq; c.Seq == 0 || w.chance(20) {
			c.Seq = 1 + w.rng.Uint64N(20)
		}
	}
	return c
}

// question is one read, put to two snapshots.
type question struct {
	text string
	ask  func(store.Snapshot) ([]string, error)
}

// question makes a random one.
func (w *walk) question() question {
	account := pick(w, w.accounts)
	if w.chance(3) {
		account = w.m.ID()
	}
	col, name, f, limit := w.col(account), w.name(), store.Fields(w.rng.IntN(8)), w.rng.IntN(8)
	if w.chance(10) {
		name = ""
	}
	var seq uint64
	m := w.moment()
	if h, err := m.model.Head(account); err == nil {
		seq = w.rng.Uint64N(h.Seq + 2)
	}
	m.close()
	text := func(format string, args ...any) string { return fmt.Sprintf(format, args...) }
	items := func(past bool, out *[]string) func(*holdfast.Resource) error {
		return func(r *holdfast.Resource) error { *out = append(*out, textResource(r, f, past)); return nil }
	}
	changes := func(out *[]string) func(*holdfast.Change) error {
		return func(c *holdfast.Change) error { *out = append(*out, textChange(c, f)); return nil }
	}
	qs := []question{
		{text("accounts above %s, %d", short(col), limit), func(s store.Snapshot) (out []string, err error) {
			as, err := s.Accounts(col, limit)
			for _, a := range as {
				out = append(out, textAccount(a))
			}
			return out, err
		}},
		{text("account %s", short(account)), func(s store.Snapshot) ([]string, error) {
			a, err := s.Account(account)
			return []string{textAccount(a)}, err
		}},
		w.whose(),
		{text("collections of %s", short(account)), func(s store.Snapshot) (out []string, err error) {
			cs, err := s.Collections(account)
			for _, c := range cs {
				out = append(out, textCollection(c))
			}
			return out, err
		}},
		{text("collection %s", short(col)), func(s store.Snapshot) ([]string, error) {
			c, err := s.Collection(col)
			return []string{textCollection(c)}, err
		}},
		{text("child %q of %s", name, short(col)), func(s store.Snapshot) ([]string, error) {
			c, err := s.Child(col, name)
			return []string{textCollection(c)}, err
		}},
		{text("resource %s/%q", short(col), name), func(s store.Snapshot) ([]string, error) {
			r, err := s.Resource(col, name, f)
			return []string{textResource(&r, f, false)}, err
		}},
		w.withUID(col),
		{text("list %s above %q, %d", short(col), name, limit), func(s store.Snapshot) (out []string, err error) {
			err = s.List(col, name, limit, f, items(false, &out))
			return out, err
		}},
		{text("changes of %s since %d, %d", short(col), seq, limit), func(s store.Snapshot) (out []string, err error) {
			more, err := s.ChangesSince(col, seq, limit, f, items(false, &out))
			return append(out, text("more %t", more)), err
		}},
		{text("head of %s", short(account)), func(s store.Snapshot) ([]string, error) {
			h, err := s.Head(account)
			return []string{text("%+v", h)}, err
		}},
		{text("chain of %s at %d", short(account), seq), func(s store.Snapshot) ([]string, error) {
			h, err := s.Chain(account, seq)
			return []string{text("%+v", h)}, err
		}},
		{text("changes of %s above %d, %d", short(account), seq, limit), func(s store.Snapshot) (out []string, err error) {
			err = s.Changes(account, seq, limit, f, changes(&out))
			return out, err
		}},
		{text("versions of %s/%q", short(col), name), func(s store.Snapshot) (out []string, err error) {
			err = s.Versions(col, name, f, changes(&out))
			return out, err
		}},
		{text("resource %s/%q at %d", short(col), name, seq), func(s store.Snapshot) ([]string, error) {
			r, err := s.ResourceAt(col, name, seq, f)
			return []string{textResource(&r, f, true)}, err
		}},
		{text("list %s at %d", short(col), seq), func(s store.Snapshot) (out []string, err error) {
			err = s.ListAt(col, seq, f, items(true, &out))
			return out, err
		}},
		{text("digest of %s at %d", short(account), seq), func(s store.Snapshot) ([]string, error) {
			d, err := s.Digest(account, seq)
			return []string{textDigest(d)}, err
		}},
	}
	return pick(w, qs)
}

func (w *walk) whose() question {
	login := w.login()
	return question{"login " + login, func(s store.Snapshot) ([]string, error) {
		id, err := s.AccountByLogin(login)
		return []string{id.String()}, err
	}}
}

func (w *walk) withUID(col holdfast.ID) question {
	uid := w.uid()
	return question{fmt.Sprintf("by UID %s/%q", short(col), uid), func(s store.Snapshot) ([]string, error) {
		r, err := s.ByUID(col, uid)
		return []string{textResource(&r, 0, false)}, err
	}}
}
