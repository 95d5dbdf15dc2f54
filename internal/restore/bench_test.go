package restore

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/seal"
	"holdfast/internal/store/sqlite"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
)

// BenchmarkRestore restores a vault of 200 accounts into SQLite; HOLDFAST_RESTORE_CHANGES says how many changes, default 20,000.
func BenchmarkRestore(b *testing.B) {
	n := 20_000
	if s := os.Getenv("HOLDFAST_RESTORE_CHANGES"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	s := newBenchSource(b, n)
	for b.Loop() {
		dir := b.TempDir()
		e, err := sqlite.Open(b.Context(), sqlite.Options{Dir: dir, Create: true, Ballast: -1, Bulk: true, CacheKiB: 16 << 10})
		fine(b, err)
		v, err := vault.Open(b.Context(), vault.Options{Place: s.place, With: []*seal.Identity{s.recovery.Identity}})
		fine(b, err)
		rep, err := Run(context.Background(), Options{Vaults: []*vault.Vault{v}, Recovery: s.recovery, Engine: e, Spool: dir + "/spool", Derive: core.DeriveBy(judges), Nonce: holdfast.ID{1}})
		fine(b, err)
		b.ReportMetric(rep.Rate, "changes/s")
		if len(rep.Losses) > 0 {
			b.Fatal(rep.Losses)
		}
		fine(b, e.EndBulk(b.Context()))
		fine(b, e.Close())
	}
}

func newBenchSource(b *testing.B, n int) *source {
	s := &source{}
	s.init(b)
	m := storetest.NewMaker(1)
	var people []storetest.Account
	for i := range 200 {
		people = append(people, storetest.NewAccount(b, m, s.engine, fmt.Sprintf("p%d@example.org", i)))
	}
	term, err := s.vault(b).Adopt(b.Context(), storeID, holdfast.Position{}, vault.FromNothing)
	fine(b, err)
	for i := range n {
		p := people[i%200]
		name := fmt.Sprint(i/200, ".vcf")
		_, err := s.engine.Commit(b.Context(), storetest.Sealed(p.ID, m.Put(p.Book, name, name, storetest.Card(name, name, fmt.Sprintf("%0450d", i*7919)))))
		fine(b, err)
	}
	v := s.vault(b)
	w, err := v.Writer(b.Context(), term, holdfast.Position{})
	fine(b, err)
	for {
		var list []*holdfast.Batch
		fine(b, s.engine.After(b.Context(), w.Position().Batch, 2000, func(x *holdfast.Batch) error { list = append(list, x); return nil }))
		if len(list) == 0 {
			break
		}
		fine(b, w.Append(b.Context(), vault.PackBatches(list, s.clock.Now())))
	}
	w.Roll()
	for {
		rep, err := v.Seal(b.Context(), w)
		fine(b, err)
		if rep.Segments == 0 {
			break
		}
		b.Logf("sealed %d changes of %d accounts into %d octets", rep.Changes, rep.Accounts, rep.Octets)
	}
	fine(b, w.Close())
	return s
}

func (s *source) vault(b *testing.B) *vault.Vault {
	v, err := vault.Open(b.Context(), s.options())
	fine(b, err)
	return v
}
