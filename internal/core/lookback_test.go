package core_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/sqlite"
	"holdfast/internal/store/storetest"
)

// era is what was there at a moment: of each collection the changes of its members so far, by name; negative: it was deleted.
type era struct {
	at    time.Time
	gone  map[holdfast.ID]bool
	items map[holdfast.ID]map[string]int
}

func (e era) copy() era {
	out := era{e.at, maps.Clone(e.gone), map[holdfast.ID]map[string]int{}}
	for id, m := range e.items {
		out.items[id] = maps.Clone(m)
	}
	return out
}

// held is what a collection held then, and what became of it until now.
func (e era) held(now era, id holdfast.ID) (h core.Held, there bool) {
	was, is := e.items[id] != nil && !e.gone[id], now.items[id] != nil && !now.gone[id]
	for name, n := range now.items[id] {
		before := e.items[id][name]
		lives, lived := is && n > 0, was && before > 0
		switch {
		case lived && lives && n != before:
			h.Changed++
		case lived && !lives:
			h.Removed++
		case !lived && lives:
			h.Added++
		}
		if lived {
			h.Items++
		}
	}
	return h, was || is
}

// TestLookingBack changes things at random, and counts what was there at each moment, and what became of it, as a list of everything says it.
func TestLookingBack(t *testing.T) {
	for seed := range uint64(6) {
		m, rng := storetest.NewMaker(seed), rand.New(rand.NewPCG(seed, 7))
		var e store.Engine = memory.New()
		if seed%3 == 0 {
			var err error
			if e, err = sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Create: true, Ballast: -1}); err != nil {
				t.Fatal(err)
			}
			defer e.Close()
		}
		s := core.New(core.Options{Engine: e, Clock: clock.NewFake(m.Now())})
		made, _, err := s.CreateAccount(t.Context(), holdfast.Actor{}, "ann@example.org", "")
		if err != nil {
			t.Fatal(err)
		}
		a, now := storetest.Account{ID: made.ID}, era{m.Now(), map[holdfast.ID]bool{}, map[holdfast.ID]map[string]int{}}
		if err := s.Read(t.Context(), holdfast.Principal{Account: a.ID}, a.ID, func(r *core.Reader) error {
			all, err := r.Collections()
			for _, c := range all {
				now.items[c.ID] = map[string]int{}
				if c.Type == holdfast.TypeAddressbook {
					a.Book, a.Home = c.ID, c.Parent
				}
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		books := []holdfast.ID{a.Book}
		phone := m.ID()
		sent, eras := int64(0), []era{now.copy()}
		for range 300 {
			id := books[rng.IntN(len(books))]
			name := fmt.Sprint(rng.IntN(12), ".vcf")
			var x holdfast.Entry
			m.Actor = holdfast.Actor{}
			switch n := now.items[id][name]; {
			case rng.IntN(25) == 0:
				id = m.ID()
				books, now.items[id] = append(books, id), map[string]int{}
				x = m.Collection(id, a.Home, id.String(), holdfast.TypeAddressbook)
			case now.gone[id]:
				continue
			case rng.IntN(40) == 0 && id != a.Book:
				now.gone[id] = true
				x = m.DeleteCollection(id)
			case n > 0 && rng.IntN(3) == 0:
				now.items[id][name] = -n - 1
				x = m.Delete(id, name)
			default:
				m.Actor = holdfast.Actor{Account: a.ID, Device: phone}
				now.items[id][name] = max(n, -n) + 1
				x = m.Put(id, name, "", fmt.Appendf(nil, "%d", m.ID()))
				sent++
			}
			if _, err := e.Commit(t.Context(), storetest.Sealed(a.ID, x)); err != nil {
				t.Fatal(err)
			}
			now.at = x.At
			eras = append(eras, now.copy())
		}
		read := func(limit int, fn func(l *core.Lookback)) {
			err := s.Read(t.Context(), holdfast.Principal{Account: a.ID}, a.ID, func(r *core.Reader) error {
				l, err := r.LookBack(limit)
				if err == nil {
					fn(l)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, limit := range []int{1000, 100, 20} {
			read(limit, func(l *core.Lookback) {
				if whole := limit == 1000; l.Whole != whole {
					t.Fatalf("of %d changes, at most %d: whole %v", len(eras), limit, l.Whole)
				}
				for i, then := range eras {
					list, ok, err := l.At(then.at)
					if err != nil || ok != (l.Whole || !l.Reach().After(then.at)) {
						t.Fatalf("seed %d, at %d of %d: %v, %v", seed, i, len(eras), ok, err)
					}
					got := map[holdfast.ID]core.Held{}
					for _, h := range list {
						id := h.Collection.ID
						h.Collection = holdfast.Collection{}
						got[id] = h
					}
					for id := range now.items {
						want, there := then.held(now, id)
						have, listed := got[id]
						if ok && (listed != there || fmt.Sprint(have) != fmt.Sprint(want)) {
							t.Fatalf("seed %d, limit %d, at %d of %d: %+v, %v, want %+v, %v", seed, limit, i, len(eras), have, listed, want, there)
						}
					}
				}
			})
		}
		read(1000, func(l *core.Lookback) {
			if list, ok, err := l.At(time.Unix(1, 0)); err != nil || !ok {
				t.Errorf("before everything: %v, %v", ok, err)
			} else {
				for _, h := range list {
					if h.Items != 0 || h.Added != h.Collection.Items {
						t.Errorf("before everything: %+v", h)
					}
				}
			}
			x, y := l.SentBy(phone, time.Time{}), l.SentBy(phone, now.at.Add(time.Second))
			if x.Count[holdfast.KindAddress] != sent || len(y.Count) > 0 || !x.Put || x.Kind != holdfast.KindAddress || x.Last.IsZero() || !y.Last.Equal(x.Last) {
				t.Errorf("%d were sent: %+v, %+v", sent, x, y)
			}
			if z := l.SentBy(m.ID(), time.Time{}); !z.Last.IsZero() {
				t.Errorf("nobody sent %+v", z)
			}
		})
	}
}
