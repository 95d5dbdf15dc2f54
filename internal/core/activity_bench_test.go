package core_test

import (
	"fmt"
	"sync"
	"testing"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/store/sqlite"
)

// BenchmarkActivity reads pages of an account with 100,000 changes, the newest 20,000 of them one by one, and the newest 5,000 of these a burst.
func BenchmarkActivity(b *testing.B) {
	const n, single, burst = 80_000, 15_000, 5_000
	e, err := sqlite.Open(b.Context(), sqlite.Options{Dir: b.TempDir(), Create: true, Ballast: -1})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	s := core.New(core.Options{Engine: e, Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judgeLines}})
	a, _, err := s.CreateAccount(b.Context(), holdfast.Actor{}, "alice@example.org", "")
	if err != nil {
		b.Fatal(err)
	}
	p := holdfast.Principal{Account: a.ID, Device: holdfast.ID{1}}
	at, err := s.Locate(b.Context(), p, a.ID, []string{"addressbooks", "default"})
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; i < n; i += 1000 {
		q := core.PutManyRequest{Owner: a.ID, Collection: at.Collection.ID}
		for k := i; k < i+1000; k++ {
			q.Items = append(q.Items, core.Item{Name: fmt.Sprintf("%d.vcf", k), Body: fmt.Appendf(nil, "u%d %300d", k, k)})
		}
		if _, err := s.PutMany(b.Context(), p, q); err != nil {
			b.Fatal(err)
		}
	}
	place := func(i int) core.Place {
		return core.Place{Owner: a.ID, Collection: at.Collection.ID, Name: fmt.Sprintf("%d.vcf", i)}
	}
	each(b, n, n+single, func(i int) error {
		_, _, err := s.Put(b.Context(), p, core.PutRequest{Place: place(i), Body: fmt.Appendf(nil, "u%d %300d", i, i)})
		return err
	})
	each(b, n, n+burst, func(i int) error {
		_, err := s.Delete(b.Context(), p, place(i), holdfast.Precondition{}, nil)
		return err
	})
	past, err := s.Past(b.Context(), holdfast.Principal{Account: a.ID}, a.ID)
	if err != nil {
		b.Fatal(err)
	}
	for _, x := range []struct {
		what string
		q    core.ActivityQuery
	}{{"newest", core.ActivityQuery{}}, {"imported", core.ActivityQuery{Before: 60_000}}, {"a device that did nothing", core.ActivityQuery{Device: holdfast.ID{2}}}, {"a collection", core.ActivityQuery{Collection: at.Collection.ID}}} {
		b.Run(x.what, func(b *testing.B) {
			for b.Loop() {
				if _, err := past.Activity(b.Context(), x.q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// each does something with numbers, many at a time, so that they share commits.
func each(b *testing.B, from, to int, fn func(int) error) {
	b.Helper()
	var wait sync.WaitGroup
	next := make(chan int)
	for range 64 {
		wait.Go(func() {
			for i := range next {
				if err := fn(i); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := from; i < to; i++ {
		next <- i
	}
	close(next)
	wait.Wait()
}
