package sqlite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"holdfast"
	"holdfast/internal/store"
)

// benchAccounts makes n accounts with one address book each.
func benchAccounts(b testing.TB, e store.Engine, n int) (people []person) {
	for i := range n {
		p := person{id: holdfast.NewID(nil), book: holdfast.NewID(nil)}
		g := &holdfast.Group{Account: p.id, Entries: []holdfast.Entry{
			benchEntry(holdfast.KindCollection, p.id, "", holdfast.CollectionRecord{Type: holdfast.TypeRoot}.Encode()),
			benchEntry(holdfast.KindAccount, p.id, holdfast.RecordAccount, holdfast.AccountRecord{Email: fmt.Sprintf("p%d@example.org", i)}.Encode()),
			benchEntry(holdfast.KindCollection, p.book, "", holdfast.CollectionRecord{Parent: p.id, Name: "book", Type: holdfast.TypeAddressbook}.Encode()),
		}}
		g.Seal()
		if _, err := e.Commit(context.Background(), g); err != nil {
			b.Fatal(err)
		}
		people = append(people, p)
	}
	return people
}

func benchEntry(k holdfast.Kind, coll holdfast.ID, name string, body []byte) holdfast.Entry {
	return holdfast.Entry{ID: holdfast.NewID(nil), Op: holdfast.OpPut, Kind: k, Collection: coll, Name: name, Body: body, At: fromMicro(1)}
}

// BenchmarkCommit is the engine alone: durable puts of 600 octets, half of them updates.
func BenchmarkCommit(b *testing.B) {
	for _, writers := range []int{1, 8, 32, 128} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			e, err := Open(b.Context(), Options{Dir: b.TempDir(), Create: true, Ballast: -1})
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			people := benchAccounts(b, e, writers)
			var next atomic.Int64
			b.ReportAllocs()
			b.SetParallelism(writers)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				p := people[int(next.Add(1))%len(people)]
				for i := 0; pb.Next(); i++ {
					n := next.Add(1)
					name := fmt.Sprintf("%d.vcf", n/2)
					en := benchEntry(holdfast.KindAddress, p.book, name, []byte(strings.Repeat(fmt.Sprint(n, " "), 300)[:600]))
					en.Index.UID = name
					g := &holdfast.Group{Account: p.id, Entries: []holdfast.Entry{en}}
					g.Seal()
					if _, err := e.Commit(context.Background(), g); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "PUT/s")
		})
	}
}

// BenchmarkFsync is the limit: one write of 4 KiB and one fdatasync.
func BenchmarkFsync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "f"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	buf := make([]byte, 4096)
	for i := 0; b.Loop(); i++ {
		f.WriteAt(buf, int64(i%1000)*4096)
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "fsync/s")
}
