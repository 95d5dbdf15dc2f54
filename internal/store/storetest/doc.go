// Package storetest is the one suite for all engines. [Run] has a test for each clause of the contract in package store, S1 to S14, one for each
// rule that a commit judges, and a long run of seeded random operations that the engine and the model (package memory) must answer alike.
//
// After every refusal the suite looks whether really nothing changed, and after every test it asks the engine to check itself and builds the model once more
// from the engine's outbox, which must give the same digests.
//
// Some of the random groups go in bursts, from many goroutines at once; then the suite looks for an order of them that explains every answer.
//
// Set HOLDFAST_SEED to run the random operations of one seed again, HOLDFAST_OPS for their number.
//
// # The order of rules
//
// A group may break several rules; engines name the same one. The order is: the form of the group and of each entry (Invalid, TooLarge); the
// account (NotFound); Group.If; a retry that meets its own write; then entry by entry the collection (of another account: Invalid; unknown or gone: NotFound), Entry.If, its Bare, a delete of
// what is not there (NotFound), a login (Exists), the rules of the item itself: for a resource the name (Exists), then the UID; for a collection its type (Invalid), the parent (Invalid, NotFound),
// its ancestors (Invalid), then the name (Exists). The allowance comes last.
package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"holdfast"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
)

// Harness is an engine under test, and what the suite may do to it.
type Harness struct {
	Name   string // for messages
	Engine store.Engine
	// Reopen closes the engine and opens it again over the same data; nil: it does not persist.
	Reopen func(t testing.TB) store.Engine
	// Second tries to open a second engine for writing over the same data, while the first one runs; it returns the error that it meets. nil: there is no such
	// thing.
	Second func(t testing.TB) error
	// Rot changes an octet of a change's body, as a disk would, and nothing else; the change has one.
	Rot func(t testing.TB, account holdfast.ID, seq uint64)
	// Injected tells whether a fault wrapper made the error. [Random] then looks whether the commit happened, and asks again for a read. nil: none does. The
	// other tests take no faults.
	Injected func(error) bool
}

// Open makes an engine that is empty. The suite closes it.
type Open func(t *testing.T) *Harness

// Run runs the suite.
func Run(t *testing.T, open Open) {
	for _, c := range slices.Concat(clauseTests, outboxTests, eraseTests, mendTests, pruneTests, blobTests, entryTests, conditionTests, accountTests, collectionTests, readTests, timeTests, historyTests, earlierTests, raceTests) {
		t.Run(c.name, func(t *testing.T) {
			k := newKit(t, open(t))
			c.run(k)
			k.verify()
		})
	}
	t.Run("Random", func(t *testing.T) { Random(t, open) })
}

// clause is one test. Its name says what it demands.
type clause struct {
	name string
	run  func(k *kit)
}

// kit is what a test holds in its hands: an engine with one account.
type kit struct {
	*testing.T
	h *Harness
	m *Maker
	a Account

	unverified bool          // the engine is closed for good
	colsEver   []holdfast.ID // that answers asks for
}

const login = "alice@example.org"

func newKit(t *testing.T, h *Harness) *kit {
	t.Helper()
	k := &kit{T: t, h: h, m: NewMaker(1)}
	t.Cleanup(func() { h.Engine.Close() })
	k.a = NewAccount(t, k.m, h.Engine, login)
	return k
}

// group seals entries of the kit's account.
func (k *kit) group(entries ...holdfast.Entry) *holdfast.Group { return k.m.Group(k.a.ID, entries...) }

// put returns an entry that puts a contact of its own UID into the kit's book.
func (k *kit) put(name, note string) holdfast.Entry {
	return k.m.Put(k.a.Book, name, "uid-"+name, Card("uid-"+name, name, note))
}

// commit commits the group; it must succeed and not be a replay.
func (k *kit) commit(g *holdfast.Group) holdfast.Receipt {
	k.Helper()
	r, err := k.h.Engine.Commit(k.Context(), g)
	if err != nil {
		k.Fatalf("commit of %s: %v", about(g), err)
	}
	if r.Replay {
		k.Fatalf("commit of %s: a replay, want a new change", about(g))
	}
	return r
}

// do commits entries of the kit's account.
func (k *kit) do(entries ...holdfast.Entry) holdfast.Receipt {
	k.Helper()
	return k.commit(k.group(entries...))
}

// refuse commits the group; it must fail with this kind, and with this Ref unless ref is "", and nothing may be different afterwards.
func (k *kit) refuse(kind holdfast.ErrorKind, ref string, g *holdfast.Group) {
	k.Helper()
	before, accounts := k.h.Engine.Info().Position, k.everything()
	_, err := k.h.Engine.Commit(k.Context(), g)
	switch {
	case err == nil:
		k.Fatalf("commit of %s: success, want %v", about(g), kind)
	case holdfast.KindOf(err) != kind:
		k.Errorf("commit of %s: %v, want %v", about(g), err, kind)
	case ref != "" && refOf(err) != ref:
		k.Errorf("commit of %s: error names %q, want %q", about(g), refOf(err), ref)
	}
	if after := k.h.Engine.Info().Position; after != before {
		k.Errorf("commit of %s was refused, but the stream moved on from %v to %v", about(g), before, after)
	}
	if now := k.everything(); !slices.Equal(now, accounts) {
		k.Errorf("commit of %s was refused, but the store changed:\n%s", about(g), difference(now, accounts))
	}
}

// refuses is refuse for entries of the kit's account.
func (k *kit) refuses(kind holdfast.ErrorKind, ref string, entries ...holdfast.Entry) {
	k.Helper()
	k.refuse(kind, ref, k.group(entries...))
}

// read opens a snapshot for fn.
func (k *kit) read(fn func(s store.Snapshot)) {
	k.Helper()
	s, err := k.h.Engine.Snapshot(k.Context())
	if err != nil {
		k.Fatalf("snapshot: %v", err)
	}
	defer s.Close()
	fn(s)
}

// resource returns a resource of the book with everything.
func (k *kit) resource(name string) (r holdfast.Resource) {
	k.Helper()
	k.read(func(s store.Snapshot) {
		var err error
		if r, err = s.Resource(k.a.Book, name, all); err != nil {
			k.Fatalf("resource %s: %v", name, err)
		}
	})
	return r
}

// collection returns a collection.
func (k *kit) collection(id holdfast.ID) (c holdfast.Collection) {
	k.Helper()
	k.read(func(s store.Snapshot) {
		var err error
		if c, err = s.Collection(id); err != nil {
			k.Fatalf("collection %v: %v", id, err)
		}
	})
	return c
}

// names returns the names of the book's members.
func (k *kit) names() (out []string) {
	k.Helper()
	k.read(func(s store.Snapshot) {
		if err := s.List(k.a.Book, "", 0, 0, func(r *holdfast.Resource) error { out = append(out, r.Name); return nil }); err != nil {
			k.Fatalf("list: %v", err)
		}
	})
	return out
}

// head returns the seq of the account's newest change.
func (k *kit) head() (seq uint64) {
	k.Helper()
	k.read(func(s store.Snapshot) {
		h, err := s.Head(k.a.ID)
		if err != nil {
			k.Fatalf("head: %v", err)
		}
		seq = h.Seq
	})
	return seq
}

// everything returns the whole store as lines.
func (k *kit) everything() (lines []string) {
	k.Helper()
	k.read(func(s store.Snapshot) { lines = dump(k, s) })
	return lines
}

// reopen closes and opens the engine; false where it does not persist.
func (k *kit) reopen() bool {
	k.Helper()
	if k.h.Reopen == nil {
		return false
	}
	k.h.Engine = k.h.Reopen(k.T)
	return true
}

// kind checks the kind of an error.
func (k *kit) kind(what string, err error, want holdfast.ErrorKind) {
	k.Helper()
	if !holdfast.IsKind(err, want) {
		k.Errorf("%s: %v, want %v", what, err, want)
	}
}

// verify is the end of every test: the engine finds itself whole, and its outbox tells all that it holds.
func (k *kit) verify() {
	k.Helper()
	if !k.Failed() && !k.unverified {
		Verify(k.T, k.h.Engine)
	}
}

// Verify lets the engine check itself, builds the model from its outbox and compares the two.
func Verify(t testing.TB, e store.Engine) {
	t.Helper()
	if err := e.Check(context.Background(), true, nil, func(f store.Finding) {
		if !f.Lost {
			t.Errorf("check found: %+v", f)
		}
	}); err != nil {
		t.Errorf("check: %v", err)
	}
	m := Rebuild(t, e)
	sameDigests(t, e, m)
	if got, want := e.Info().Accounts, m.Info().Accounts; got != want {
		t.Errorf("info tells of %d accounts, there are %d", got, want)
	}
}

// Rebuild builds the model from all that the engine has in its outbox. What is not journaled (UIDs, logins of the past beside
// the journal's own, sightings) is not in it.
func Rebuild(t testing.TB, e store.Engine) *memory.Engine {
	t.Helper()
	m, g, p := memory.New(), &holdfast.Group{}, page{}
	var group []holdfast.Change
	err := outbox(context.Background(), e, 0, 0, func(at store.Position, c *holdfast.Change) error {
		if err := p.add(at, c); err != nil {
			return err
		}
		if len(g.Entries) > 0 && g.Account != c.Account {
			t.Fatalf("outbox: the group of %v is cut by a change of %v", g.Account, c.Account)
		}
		g.Account, g.Entries = c.Account, append(g.Entries, cloneEntry(c.Entry))
		group = append(group, *c)
		group[len(group)-1].Entry = g.Entries[len(g.Entries)-1]
		if c.More > 0 {
			return nil
		}
		whole := group
		group = nil
		if slices.ContainsFunc(whole, func(c holdfast.Change) bool { return c.Pruned }) { // it cannot be sealed anew
			g = &holdfast.Group{}
			return m.Apply(context.Background(), &holdfast.Batch{Changes: whole})
		}
		g.Seal()
		r, err := m.Commit(context.Background(), g)
		if err != nil {
			t.Fatalf("outbox: the model refuses %s: %v", about(g), err)
		}
		if r.Seq != c.Seq || r.Hash != c.Chain {
			t.Fatalf("outbox: %s ends at seq %d with chain %v, the model says %d and %v", about(g), c.Seq, c.Chain, r.Seq, r.Hash)
		}
		g = &holdfast.Group{}
		return nil
	})
	if err = errors.Join(err, p.endBatch()); err != nil {
		t.Fatalf("outbox: %v", err)
	}
	return m
}
