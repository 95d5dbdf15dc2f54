package restore

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"holdfast"
	"holdfast/internal/core"
	memplace "holdfast/internal/place/memory"
	"holdfast/internal/seal"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/sqlite"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
)

// bySegment ships a source's batches, each in a segment of its own.
func (s *source) bySegment() {
	t := s.t
	v, err := vault.Open(t.Context(), s.options())
	fine(t, err)
	term, err := v.Adopt(t.Context(), storeID, holdfast.Position{}, vault.FromNothing)
	fine(t, err)
	w, err := v.Writer(t.Context(), term, holdfast.Position{})
	fine(t, err)
	fine(t, s.engine.After(t.Context(), 0, 0, func(b *holdfast.Batch) error {
		w.Roll()
		return w.Append(t.Context(), vault.PackBatches([]*holdfast.Batch{b}, s.clock.Now()))
	}))
	fine(t, w.Head(t.Context(), vault.HeadInput{}))
	fine(t, w.Close())
}

// uidInside is a judge whose UIDs are what the octets say.
func uidInside(_ *holdfast.Collection, _, _ string, body []byte) (holdfast.Kind, holdfast.Index, error) {
	return holdfast.KindAddress, holdfast.Index{UID: string(body)}, nil
}

// TestWhatAGapHid loses one batch after the other of a history in which an item is renamed and a collection made anew: what was deleted in the gap is there again, and takes nothing from what came in its place. Everything else is restored.
func TestWhatAGapHid(t *testing.T) {
	s := &source{t: t}
	s.init(t)
	m := storetest.NewMaker(3)
	a, b := storetest.NewAccount(t, m, s.engine, "ann@example.org"), storetest.NewAccount(t, m, s.engine, "bob@example.org")
	first, second := m.ID(), m.ID()
	_, err := s.engine.Commit(t.Context(), storetest.Sealed(a.ID, m.Put(a.Book, "early.vcf", "e", []byte("e"))))
	fine(t, err)
	for _, e := range []holdfast.Entry{
		m.Put(a.Book, "old.vcf", "u", []byte("u")), m.Delete(a.Book, "old.vcf"), m.Put(a.Book, "new.vcf", "u", []byte("u")),
		m.Collection(first, a.Home, "work", holdfast.TypeAddressbook), m.Put(first, "1.vcf", "w", []byte("w")), m.DeleteCollection(first),
		m.Collection(second, a.Home, "work", holdfast.TypeAddressbook), m.Put(second, "2.vcf", "w", []byte("w")), m.Put(a.Book, "last.vcf", "l", []byte("l")),
		m.Delete(a.Book, "early.vcf"),
	} {
		_, err := s.engine.Commit(t.Context(), storetest.Sealed(a.ID, e))
		fine(t, err)
		_, err = s.engine.Commit(t.Context(), storetest.Sealed(b.ID, m.Put(b.Book, "bob.vcf", "bob", e.ID[:])))
		fine(t, err)
	}
	s.bySegment()
	for n := uint64(1); n <= s.engine.Position().Batch; n++ {
		for _, bulk := range []bool{true, false} {
			p := s.place.Clone()
			fine(t, p.Remove(t.Context(), vault.SegmentName(1, n)))
			what := fmt.Sprintf("without batch %d, bulk %v", n, bulk)
			e, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Create: true, Ballast: -1, Bulk: bulk})
			fine(t, err)
			rep, err := s.intoBy(e, uidInside, p)
			if err == nil && bulk {
				err = e.EndBulk(t.Context())
			}
			if err != nil {
				t.Errorf("%s: %v", what, err)
			} else if rep.Whole() || len(rep.Accounts) != 2 {
				t.Errorf("%s: %+v", what, rep)
			} else {
				s.looksRight(e, a, n, what)
			}
			fine(t, e.Close())
		}
		_, err := s.intoBy(memory.New(), uidInside, s.place.Clone())
		fine(t, err)
	}
}

// looksRight tells whether what was not touched by the batch that is missing is as it was.
func (s *source) looksRight(e store.Engine, a storetest.Account, lost uint64, what string) {
	s.t.Helper()
	snap, err := e.Snapshot(s.t.Context())
	fine(s.t, err)
	defer snap.Close()
	got := map[string]string{}
	all, err := snap.Collections(a.ID)
	fine(s.t, err)
	names := map[string]int{}
	for _, c := range all {
		if c.Gone {
			continue
		}
		names[c.Name]++
		fine(s.t, snap.List(c.ID, "", 0, store.WithBody, func(r *holdfast.Resource) error { got[r.Name] = string(r.Body); return nil }))
	}
	touched := map[string]bool{}
	fine(s.t, s.engine.After(s.t.Context(), lost-1, 1, func(b *holdfast.Batch) error {
		for _, c := range b.Changes {
			if c.Account == a.ID {
				touched[c.Name] = true
				touched["collection"] = touched["collection"] || c.Kind == holdfast.KindCollection
			}
		}
		return nil
	}))
	for name, text := range map[string]string{"early.vcf": "", "old.vcf": "", "new.vcf": "u", "2.vcf": "w", "last.vcf": "l"} {
		if !touched[name] && got[name] != text {
			s.t.Errorf("%s: %s is %q, want %q; of %v", what, name, got[name], text, got)
		}
	}
	if names["work"] != 1 && !touched["collection"] {
		s.t.Errorf("%s: there are %v", what, names)
	}
}

func (s *source) intoBy(e store.Engine, judge core.Judge, p *memplace.Place) (*Report, error) {
	v, err := vault.Open(context.Background(), vault.Options{Place: p, With: []*seal.Identity{s.recovery.Identity}})
	fine(s.t, err)
	return Run(s.t.Context(), Options{Vaults: []*vault.Vault{v}, Recovery: s.recovery, Engine: e, Spool: filepath.Join(s.t.TempDir(), "spool"), Nonce: holdfast.ID{4}, Clock: s.clock,
		Derive: core.DeriveBy(map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judge})})
}
