package storetest

import (
	"fmt"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/store"
)

// question is one read, put to two snapshots.
type question struct {
	text string
	ask  func(store.Snapshot) ([]string, error)
}

// question makes a random one.
func (w *walk) question() question {
	a := subject{account: pick(w, w.accounts), name: w.name(), login: w.login(), uid: w.uid(), f: store.Fields(w.rng.IntN(8)), limit: w.rng.IntN(8)}
	if w.chance(3) {
		a.account = w.m.ID()
	}
	if w.chance(10) {
		a.name = ""
	}
	a.col = w.col(a.account)
	a.from, a.to = w.window()
	if h, err := w.known().Head(a.account); err == nil {
		a.seq = w.rng.Uint64N(h.Seq + 2)
	}
	return pick(w, slices.Concat(a.directory(), a.tree(), a.history()))
}

// subject is what a question is about.
type subject struct {
	account, col     holdfast.ID
	name, login, uid string
	seq              uint64
	from, to         int64
	limit            int
	f                store.Fields
}

func (a subject) items(past bool, out *[]string) func(*holdfast.Resource) error {
	return func(r *holdfast.Resource) error { *out = append(*out, textResource(r, a.f, past)); return nil }
}

func (a subject) changes(out *[]string) func(*holdfast.Change) error {
	return func(c *holdfast.Change) error { *out = append(*out, textChange(c, a.f)); return nil }
}

func (a subject) text(what string) string {
	return fmt.Sprintf("%s (account %s, collection %s, name %q, login %s, UID %q, seq %d, from %d to %d, limit %d, fields %b)", what, short(a.account), short(a.col), a.name,
		a.login, a.uid, a.seq, a.from, a.to, a.limit, a.f)
}

// lines is a text for each of some things.
func lines[T any](things []T, text func(T) string) (out []string) {
	for _, t := range things {
		out = append(out, text(t))
	}
	return out
}

func (a subject) directory() []question {
	return []question{
		{a.text("accounts above the collection"), func(s store.Snapshot) ([]string, error) {
			as, err := s.Accounts(a.col, a.limit)
			return lines(as, textAccount), err
		}},
		{a.text("account"), func(s store.Snapshot) ([]string, error) {
			x, err := s.Account(a.account)
			return []string{textAccount(x)}, err
		}},
		{a.text("accounts by local part"), func(s store.Snapshot) ([]string, error) {
			local, _, _ := strings.Cut(a.login, "@")
			ids, err := s.AccountsByLocalPart(local, max(a.limit, 1))
			return lines(ids, holdfast.ID.String), err
		}},
		{a.text("account by login"), func(s store.Snapshot) ([]string, error) {
			id, err := s.AccountByLogin(a.login)
			return []string{id.String()}, err
		}},
	}
}

func (a subject) tree() []question {
	return []question{
		{a.text("collections"), func(s store.Snapshot) ([]string, error) {
			cs, err := s.Collections(a.account)
			return lines(cs, textCollection), err
		}},
		{a.text("collection"), func(s store.Snapshot) ([]string, error) {
			c, err := s.Collection(a.col)
			return []string{textCollection(c)}, err
		}},
		{a.text("child"), func(s store.Snapshot) ([]string, error) {
			c, err := s.Child(a.col, a.name)
			return []string{textCollection(c)}, err
		}},
		{a.text("resource"), func(s store.Snapshot) ([]string, error) {
			r, err := s.Resource(a.col, a.name, a.f)
			return []string{textResource(&r, a.f, false)}, err
		}},
		{a.text("by UID"), func(s store.Snapshot) ([]string, error) {
			r, err := s.ByUID(a.col, a.uid)
			return []string{textResource(&r, 0, false)}, err
		}},
		{a.text("list above the name"), func(s store.Snapshot) (out []string, err error) {
			err = s.List(a.col, a.name, a.limit, a.f, a.items(false, &out))
			return out, err
		}},
		{a.text("what takes place between two moments"), func(s store.Snapshot) (out []string, err error) {
			err = s.Between(a.col, a.from, a.to, a.f, a.items(false, &out))
			slices.Sort(out) // their order is left open
			return out, err
		}},
		{a.text("changes since the seq"), func(s store.Snapshot) (out []string, err error) {
			more, err := s.ChangesSince(a.col, a.seq, a.limit, a.f, a.items(false, &out))
			return append(out, fmt.Sprintf("more %t", more)), err
		}},
	}
}

func (a subject) history() []question {
	return []question{
		{a.text("head"), func(s store.Snapshot) ([]string, error) {
			h, err := s.Head(a.account)
			h.Batch = 0 // engines cut the stream into batches as they like
			return []string{fmt.Sprintf("%+v", h)}, err
		}},
		{a.text("chain at the seq"), func(s store.Snapshot) ([]string, error) {
			h, err := s.Chain(a.account, a.seq)
			h.Batch = 0
			return []string{fmt.Sprintf("%+v", h)}, err
		}},
		{a.text("changes above the seq"), func(s store.Snapshot) (out []string, err error) {
			err = s.Changes(a.account, a.seq, a.limit, a.f, a.changes(&out))
			return out, err
		}},
		{a.text("versions"), func(s store.Snapshot) (out []string, err error) {
			err = s.Versions(a.col, a.name, a.f, a.changes(&out))
			return out, err
		}},
		{a.text("resource at the seq"), func(s store.Snapshot) ([]string, error) {
			r, err := s.ResourceAt(a.col, a.name, a.seq, a.f)
			return []string{textResource(&r, a.f, true)}, err
		}},
		{a.text("list at the seq"), func(s store.Snapshot) (out []string, err error) {
			err = s.ListAt(a.col, a.seq, a.f, a.items(true, &out))
			return out, err
		}},
		{a.text("digest at the seq"), func(s store.Snapshot) ([]string, error) {
			d, err := s.Digest(a.account, a.seq)
			return []string{textDigest(d)}, err
		}},
	}
}
