package sqlite

import (
	"context"
	"fmt"
	"math"
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
			commits(b, writers, holdfast.KindAddress, func(int64) (t holdfast.Times) { return t })
		})
	}
	b.Run("events,writers=32", func(b *testing.B) { // half of the updates move the event
		commits(b, 32, holdfast.KindEvent, func(n int64) holdfast.Times { return benchTimes(n/4*4+n/2%2*(n%2), 10_000) })
	})
}

func commits(b *testing.B, writers int, kind holdfast.Kind, times func(n int64) holdfast.Times) {
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
			en := benchEntry(kind, p.book, name, []byte(strings.Repeat(fmt.Sprint(n, " "), 300)[:600]))
			en.Index = holdfast.Index{UID: name, Times: times(n)}
			g := &holdfast.Group{Account: p.id, Entries: []holdfast.Entry{en}}
			g.Seal()
			if _, err := e.Commit(context.Background(), g); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "PUT/s")
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

// benchTimes are those of the nth event of ten years: nine in ten are single, the others go on for ever.
func benchTimes(n, of int64) holdfast.Times {
	const decade = 3653 * day
	t := holdfast.Times{Timed: true, First: 1577836800 + n*(decade/of), Last: 1577836800 + n*(decade/of) + 3600}
	if n%1000 == 999 {
		t.Last, t.Months = math.MaxInt64, make([]byte, 48)
	}
	return t
}

// BenchmarkBetween asks for the same month of calendars in which it holds about as much, and which are a hundred times as large otherwise.
func BenchmarkBetween(b *testing.B) {
	for _, events := range []int64{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("events=%d", events), func(b *testing.B) {
			e, err := Open(b.Context(), Options{Dir: b.TempDir(), Create: true, Ballast: -1})
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			p := benchAccounts(b, e, 1)[0]
			for at := int64(0); at < events; {
				g := &holdfast.Group{Account: p.id}
				for range holdfast.MaxGroup {
					en := benchEntry(holdfast.KindEvent, p.book, fmt.Sprintf("%07d.ics", at*7919%events), make([]byte, 100))
					en.Index.Times = benchTimes(at, 10_000)
					if at%events >= 10_000 {
						en.Index.Times = holdfast.Times{Timed: true, First: at, Last: at + 3600} // long ago
					}
					g.Entries, at = append(g.Entries, en), at+1
				}
				g.Seal()
				if _, err := e.Commit(b.Context(), g); err != nil {
					b.Fatal(err)
				}
			}
			found := 0
			for b.Loop() {
				s, err := e.Snapshot(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				found = 0
				if err := s.Between(p.book, 1767225600, 1767225600+31*day, 0, func(*holdfast.Resource) error { found++; return nil }); err != nil {
					b.Fatal(err)
				}
				s.Close()
			}
			b.ReportMetric(float64(found), "events")
		})
	}
}
