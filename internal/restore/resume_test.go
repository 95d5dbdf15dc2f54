package restore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/seal"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/sqlite"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
)

// cutEngine fails from some Apply on: its disk is full, or its process was killed and does nothing any more.
type cutEngine struct {
	store.Engine
	left int
}

var errCut error = &holdfast.Error{Op: "store.Apply", Kind: holdfast.Full, Text: "a test says that the disk is full"}

func (e *cutEngine) Apply(ctx context.Context, b *holdfast.Batch) error {
	if e.left--; e.left < 0 {
		return errCut
	}
	return e.Engine.Apply(ctx, b)
}

// filled is a source of many changes, shipped without a relay.
func filled(t *testing.T, n int) (*source, []holdfast.ID) {
	s := &source{t: t}
	s.init(t)
	m := storetest.NewMaker(7)
	var people []storetest.Account
	var ids []holdfast.ID
	for i := range 9 {
		people = append(people, storetest.NewAccount(t, m, s.engine, fmt.Sprintf("p%d@example.org", i)))
		ids = append(ids, people[i].ID)
	}
	for i := range n {
		p := people[i*i%len(people)]
		name := fmt.Sprint(i%501, ".vcf")
		_, err := s.engine.Commit(t.Context(), storetest.Sealed(p.ID, m.Put(p.Book, name, name, storetest.Card(name, name, fmt.Sprint("version ", i)))))
		fine(t, err)
	}
	v, err := vault.Open(t.Context(), s.options())
	fine(t, err)
	term, err := v.Adopt(t.Context(), storeID, holdfast.Position{}, vault.FromNothing)
	fine(t, err)
	w, err := v.Writer(t.Context(), term, holdfast.Position{})
	fine(t, err)
	for {
		var list []*holdfast.Batch
		fine(t, s.engine.After(t.Context(), w.Position().Batch, 2000, func(x *holdfast.Batch) error { list = append(list, x); return nil }))
		if len(list) == 0 {
			break
		}
		fine(t, w.Append(t.Context(), vault.PackBatches(list, s.clock.Now())))
	}
	fine(t, w.Close())
	return s, ids
}

// TestARestoreThatIsCutGoesOn cuts a restore at each of its commits, goes on with it in another process, and compares with the source.
func TestARestoreThatIsCutGoesOn(t *testing.T) {
	changes := 12_000
	if testing.Short() {
		changes = 6_000
	}
	s, ids := filled(t, changes)
	for cut := 0; ; cut++ {
		dir := t.TempDir()
		open := func() *sqlite.Engine {
			e, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir, Create: true, Ballast: -1, Bulk: true})
			fine(t, err)
			return e
		}
		var base holdfast.Position
		run := func(e store.Engine) (*Report, error) {
			v, err := vault.Open(t.Context(), vault.Options{Place: s.place, With: []*seal.Identity{s.recovery.Identity}})
			fine(t, err)
			return Run(t.Context(), Options{Vaults: []*vault.Vault{v}, Recovery: s.recovery, Engine: e, Spool: filepath.Join(dir, "spool"), Derive: core.DeriveBy(judges), Nonce: holdfast.ID{3}, Clock: s.clock,
				Base: base, Based: func(p holdfast.Position) error { base = p; return nil }})
		}
		e := open()
		_, err := run(&cutEngine{e, cut})
		if err != nil && (!errors.Is(err, errCut) || !holdfast.IsKind(err, holdfast.Full)) {
			t.Fatalf("cut %d: %v", cut, err)
		}
		whole := err == nil
		fine(t, e.Close())
		e = open()
		rep, err := run(e)
		if err != nil || len(rep.Losses) != 0 || len(rep.Accounts) != len(ids) {
			t.Fatalf("cut %d: gone on with: %v, %+v", cut, err, rep)
		}
		if hash, ok, err := e.HashAt(t.Context(), rep.Base.Batch); err != nil || !ok || hash != rep.Base.Hash {
			t.Fatalf("cut %d: the base %+v is none of the store's positions (%v)", cut, rep.Base, err)
		}
		fine(t, e.EndBulk(t.Context()))
		for _, id := range ids {
			h := s.head(s.engine, id)
			for _, seq := range []uint64{3, h.Seq / 2, h.Seq} {
				if got, want := s.digest(e, id, seq), s.digest(s.engine, id, seq); got != want {
					t.Fatalf("cut %d: at %d the digest is %+v, want %+v", cut, seq, got, want)
				}
			}
			if now := s.head(e, id); now.Epoch != 2 || now.Seq != h.Seq+2 { // the epoch's record, and a key for tokens
				t.Fatalf("cut %d: it goes on at %+v, the source ends at %+v", cut, now, h)
			}
		}
		if whole {
			fine(t, e.Check(t.Context(), true, core.DeriveBy(judges), func(f store.Finding) { t.Errorf("cut %d: %+v", cut, f) }))
		}
		fine(t, e.Close())
		if whole {
			if cut < 2 {
				t.Fatalf("there were only %d commits to be cut at", cut)
			}
			return
		}
	}
}

// TestABaseThatIsLost has a power cut take away what was not durable yet, and with it the position that was written down.
func TestABaseThatIsLost(t *testing.T) {
	s, _ := filled(t, 50)
	e := memory.New()
	lost := holdfast.Position{Batch: 7, Hash: holdfast.Hash{1}}
	var told []holdfast.Position
	rep, err := s.into(e, Options{Base: lost, Based: func(p holdfast.Position) error { told = append(told, p); return nil }}, s.place)
	fine(t, err)
	hash, ok, err := e.HashAt(t.Context(), rep.Base.Batch)
	if err != nil || !ok || hash != rep.Base.Hash || len(told) != 1 || told[0] != rep.Base {
		t.Fatalf("the base is %+v, told %+v: %v, %v", rep.Base, told, ok, err)
	}
}
