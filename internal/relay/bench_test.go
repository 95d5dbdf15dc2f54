package relay

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/place/dir"
	"holdfast/internal/seal"
	"holdfast/internal/store/sqlite"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
	"holdfast/internal/vfs"
)

// BenchmarkCommit commits contacts of 600 octets from 32 goroutines over SQLite, without and with a synchronous vault in a directory on the same disk.
func BenchmarkCommit(b *testing.B) {
	for _, policy := range []string{"engine", "engine+local"} {
		b.Run(policy, func(b *testing.B) {
			e, err := sqlite.Open(b.Context(), sqlite.Options{Dir: b.TempDir(), Create: true, Store: storeID, Ballast: -1})
			fine(b, err)
			defer e.Close()
			p, err := ParsePolicy(policy)
			fine(b, err)
			o := Options{Engine: e, Store: storeID, Policy: p}
			if policy != "engine" {
				o.Vaults = []Attached{benchVault(b)}
			}
			r, err := New(o)
			fine(b, err)
			fine(b, r.Reconcile(b.Context()))
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			go r.Run(ctx)
			for !r.Met() {
				time.Sleep(time.Millisecond)
			}
			m := storetest.NewMaker(1)
			var people []storetest.Account
			for i := range 32 {
				people = append(people, storetest.NewAccount(b, m, e, fmt.Sprintf("p%d@example.org", i)))
			}
			var n atomic.Int64
			b.ResetTimer()
			var all sync.WaitGroup
			for w := range 32 {
				all.Go(func() {
					a := people[w]
					for i := 0; n.Add(1) <= int64(b.N); i++ {
						name := fmt.Sprint(i/2, ".vcf")
						got, err := e.Commit(ctx, storetest.Sealed(a.ID, m.Put(a.Book, name, name, storetest.Card(name, name, fmt.Sprintf("%0500d", i*7919)))))
						if err == nil {
							_, _, err = r.Wait(ctx, got.Batch)
						}
						if err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
			b.ReportMetric(float64(b.N)/float64(e.Position().Batch), "commits/batch")
		})
	}
}

func benchVault(b *testing.B) Attached {
	ring, err := seal.NewRing(false)
	fine(b, err)
	root := b.TempDir()
	open := func() vault.Options {
		d, err := dir.Open(vfs.OS, root, dir.Options{})
		fine(b, err)
		return vault.Options{Place: d, Ring: ring}
	}
	v, err := vault.Create(b.Context(), open(), vault.Meta{Vault: holdfast.NewID(nil), Store: storeID, Name: "local"})
	fine(b, err)
	fine(b, v.Close())
	return Attached{Name: "local", Kind: "dir", Open: func(ctx context.Context) (*vault.Vault, error) { return vault.Open(ctx, open()) }}
}
