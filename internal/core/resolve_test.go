package core_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
)

// counting is an engine that counts the snapshots opened and may refuse them, and lets a test come between.
type counting struct {
	store.Engine
	snapshots atomic.Int64
	refuse    error
	before    func(*holdfast.Group) error // called before a commit
	chain     error                       // what every question for the chain is answered with

	countAccounts atomic.Bool
	accounts      atomic.Int64 // accounts whose records were listed, while they are counted
	whole         atomic.Int64 // those of which more was read
}

// reading counts the accounts that are read, and those that are read whole.
type reading struct {
	store.Snapshot
	e *counting
}

func (s reading) List(c holdfast.ID, after string, limit int, f store.Fields, fn func(*holdfast.Resource) error) error {
	s.e.accounts.Add(1)
	return s.Snapshot.List(c, after, limit, f, fn)
}

func (s reading) Collections(account holdfast.ID) ([]holdfast.Collection, error) {
	s.e.whole.Add(1)
	return s.Snapshot.Collections(account)
}

func (s reading) Versions(c holdfast.ID, name string, f store.Fields, fn func(*holdfast.Change) error) error {
	s.e.whole.Add(1)
	return s.Snapshot.Versions(c, name, f, fn)
}

type unchained struct {
	store.Snapshot
	err error
}

func (s unchained) Chain(holdfast.ID, uint64) (store.Head, error) { return store.Head{}, s.err }

func (e *counting) Snapshot(ctx context.Context) (store.Snapshot, error) {
	e.snapshots.Add(1)
	if e.refuse != nil {
		return nil, e.refuse
	}
	snap, err := e.Engine.Snapshot(ctx)
	if err == nil && e.chain != nil {
		snap = unchained{snap, e.chain}
	}
	if err == nil && e.countAccounts.Load() {
		snap = reading{snap, e}
	}
	return snap, err
}

func (e *counting) Commit(ctx context.Context, g *holdfast.Group) (holdfast.Receipt, error) {
	if e.before != nil {
		if err := e.before(g); err != nil {
			return holdfast.Receipt{}, err
		}
	}
	return e.Engine.Commit(ctx, g)
}

func newCounting(t *testing.T, o core.Options) (shelf, *counting) {
	t.Helper()
	e := &counting{Engine: o.Engine}
	if e.Engine == nil {
		e.Engine = memory.New()
	}
	t.Cleanup(func() { e.Close() })
	o.Engine, o.Judges = e, map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judgeLines, holdfast.TypeFolder: judgeLines}
	return shelfOf(t, core.New(o)), e
}

// TestWhoExistsCannotBeTimed: a segment that is not the asker's own costs no query, whether the account exists or not.
func TestWhoExistsCannotBeTimed(t *testing.T) {
	h, e := newCounting(t, core.Options{})
	if _, _, err := h.s.CreateAccount(t.Context(), holdfast.Actor{}, "bob@example.org", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := h.s.Resolve(t.Context(), h.p, "alice@example.org"); err != nil {
		t.Fatal(err)
	}
	before := e.snapshots.Load()
	for _, segment := range []string{"bob@example.org", "nobody@example.org", holdfast.NewID(nil).String(), "x", "bob", "nobody", "", "@", "alic", "alice@", "alice%", "\xff"} {
		_, err := h.s.Resolve(t.Context(), h.p, segment)
		wantKind(t, err, holdfast.Forbidden)
	}
	if e.snapshots.Load() != before {
		t.Errorf("%d snapshots were opened to look for others", e.snapshots.Load()-before)
	}
}

// TestAReaderOpensNothing: who holds a snapshot and waits for another waits for ever where all are held so.
func TestAReaderOpensNothing(t *testing.T) {
	h, e := newCounting(t, core.Options{})
	h.mustPut(t, "1.vcf", "u1 x")
	rename := func(r *holdfast.AccountRecord) error { r.Email = "alice.new@example.org"; return nil }
	if _, err := h.s.UpdateAccount(t.Context(), holdfast.Actor{}, h.p.Account, rename); err != nil {
		t.Fatal(err)
	}
	err := h.s.Read(t.Context(), h.p, h.p.Account, func(r *core.Reader) error {
		e.refuse = errors.New("no more snapshots")
		defer func() { e.refuse = nil }()
		for _, own := range []string{h.p.Account.String(), "alice@example.org", "Alice@Example.org", "alice.new@example.org"} {
			if id, err := r.Resolve(own); err != nil || id != h.p.Account {
				t.Errorf("%s: %v %v", own, id, err)
			}
		}
		_, err := r.Resolve("bob@example.org")
		wantKind(t, err, holdfast.Forbidden)
		for names, want := range map[[3]string]string{
			{"addressbooks", "default", "1.vcf"}: "default [1.vcf]",
			{"addressbooks", "none", "1.vcf"}:    "addressbooks [none 1.vcf]",
			{"nowhere", "", ""}:                  " [nowhere  ]",
		} {
			at, err := r.Locate(names[:])
			if got := fmt.Sprint(at.Collection.Name, " ", at.Rest); err != nil || got != want {
				t.Errorf("%v: %s, %v", names, got, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAReaderFindsWhatItsSnapshotHas: also what another node made, of which the cache knows nothing yet.
func TestAReaderFindsWhatItsSnapshotHas(t *testing.T) {
	h, e := newCounting(t, core.Options{})
	other := core.New(core.Options{Engine: e.Engine, Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judgeLines}})
	home, err := other.Locate(t.Context(), h.p, h.p.Account, []string{"addressbooks"})
	if err != nil {
		t.Fatal(err)
	}
	id, _, err := other.MakeCollection(t.Context(), h.p, core.NewCollection{Owner: h.p.Account, Parent: home.Collection.ID, Name: "new", Type: holdfast.TypeAddressbook})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.s.Read(t.Context(), h.p, h.p.Account, func(r *core.Reader) error {
		at, err := r.Locate([]string{"addressbooks", "new", "1.vcf"})
		if at.Collection.ID != id || len(at.Rest) != 1 {
			t.Errorf("found %+v", at)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// TestAFaultIsNoAnswer: a condition on a token that could not be looked up is neither met nor unmet.
func TestAFaultIsNoAnswer(t *testing.T) {
	h, e := newCounting(t, core.Options{})
	_, token, _, err := h.sync(t, h.book, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	e.chain = &holdfast.Error{Op: "test", Kind: holdfast.Unavailable}
	err = h.s.Read(t.Context(), h.p, h.p.Account, func(r *core.Reader) error {
		c, err := r.Collection(h.book)
		r.TokenSeq(&c, token)
		return err
	})
	wantKind(t, err, holdfast.Unavailable)
	if len(h.s.Doubts()) != 0 {
		t.Error("a fault was taken for a lost history")
	}
}
