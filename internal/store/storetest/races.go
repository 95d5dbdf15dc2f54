package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"holdfast"
	"holdfast/internal/store"
)

// raceTests have many goroutines at once.
var raceTests = []clause{
	{"S3_OneOfManyWins", testOneWins},
	{"S4_S7_ManyWritersAndReaders", testMany},
	{"S5_TheOutboxUnderLoad", testOutboxUnderLoad},
}

// testOneWins lets many writers ask for the one thing that only one can have.
func testOneWins(k *kit) {
	const writers = 16
	k.do(k.put("shared.vcf", "0"))
	cur := []holdfast.Hash{k.resource("shared.vcf").ETag}
	allowance := k.octets() + 100
	for _, c := range []struct {
		what string
		loss holdfast.ErrorKind
		make func(i int) *holdfast.Group
	}{
		{"If-None-Match: *", holdfast.PreconditionFailed, func(i int) *holdfast.Group {
			e := k.put("new.vcf", fmt.Sprint(i))
			e.If.Exists = holdfast.Absent
			return k.group(e)
		}},
		{"If-Match", holdfast.PreconditionFailed, func(i int) *holdfast.Group {
			e := k.put("shared.vcf", fmt.Sprint("writer ", i))
			e.If.Match = cur
			return k.group(e)
		}},
		{"one UID", holdfast.UIDConflict, func(i int) *holdfast.Group {
			return k.group(k.m.Put(k.a.Book, fmt.Sprintf("uid%d.vcf", i), "the one", Card("the one", "X", "")))
		}},
		{"one login", holdfast.Exists, func(int) *holdfast.Group { return second(k.m.Founding("new@example.org")) }},
		{"one collection's name", holdfast.Exists, func(int) *holdfast.Group {
			return k.group(k.m.Collection(k.m.ID(), k.a.Home, "new", holdfast.TypeFolder))
		}},
		{"the last octets", holdfast.Quota, func(i int) *holdfast.Group {
			g := k.group(k.m.Put(k.a.Home, fmt.Sprint(i), "", make([]byte, 100)))
			// What the winners before have put counts.
			g.MaxOctets = allowance
			return g
		}},
		{"one delete", holdfast.NotFound, func(int) *holdfast.Group { return k.group(k.m.Delete(k.a.Book, "shared.vcf")) }},
	} {
		if c.loss == holdfast.Quota {
			allowance = k.octets() + 100
		}
		groups := make([]*holdfast.Group, writers)
		for i := range groups {
			groups[i] = c.make(i)
		}
		before := len(k.after(0, 0))
		errs := make([]error, writers)
		var wg sync.WaitGroup
		for i, g := range groups {
			wg.Go(func() { _, errs[i] = k.h.Engine.Commit(k.Context(), g) })
		}
		wg.Wait()
		wins := 0
		for _, err := range errs {
			if err == nil {
				wins++
			} else if !holdfast.IsKind(err, c.loss) {
				k.Errorf("%s: %v, want %v", c.what, err, c.loss)
			}
		}
		if wins != 1 {
			k.Errorf("%s: %d winners, want 1", c.what, wins)
		}
		if added := len(k.after(0, 0)) - before; added != len(groups[0].Entries) {
			k.Errorf("%s: %d changes were added, want the winner's %d alone", c.what, added, len(groups[0].Entries))
		}
	}
}

// testMany has several writers on each of several accounts, some of whose groups fail, and readers that look whether each moment makes sense.
func testMany(k *kit) {
	const accounts, writers, rounds = 4, 4, 25
	as := []Account{k.a}
	for i := range accounts - 1 {
		as = append(as, NewAccount(k, k.m, k.h.Engine, fmt.Sprintf("a%d@example.org", i)))
	}
	var mu sync.Mutex
	ends := map[holdfast.ID]map[uint64]holdfast.Receipt{} // receipts by the seq that their group begins with
	for _, a := range as {
		ends[a.ID] = map[uint64]holdfast.Receipt{}
	}
	var writing, reading sync.WaitGroup
	var done atomic.Bool
	for n := range accounts * writers {
		a := as[n%accounts]
		writing.Go(func() {
			for i := range rounds {
				g := k.m.Group(a.ID, manyEntries(k.m, a, n, i)...)
				r, err := k.h.Engine.Commit(k.Context(), g)
				if fails := i%7 == 3; fails {
					if !holdfast.IsKind(err, holdfast.NotFound) {
						k.Errorf("writer %d, round %d: %v, want NotFound", n, i, err)
					}
					continue
				}
				if err != nil {
					k.Errorf("writer %d, round %d: %v", n, i, err)
					return
				}
				mu.Lock()
				ends[a.ID][r.Seq-uint64(len(g.Entries))+1] = r
				mu.Unlock()
				if err := acknowledged(k, r, g); err != nil {
					k.Errorf("writer %d, round %d: %v", n, i, err)
				}
			}
		})
	}
	for n := range 2 {
		reading.Go(func() {
			heads := map[holdfast.ID]uint64{}
			for i := n; !done.Load(); i++ {
				if err := sensible(k, as[i%accounts].ID, heads); err != nil {
					k.Errorf("reader %d: %v", n, err)
					return
				}
			}
		})
	}
	writing.Wait()
	done.Store(true)
	reading.Wait()
	for _, a := range as {
		k.read(func(s store.Snapshot) { gapless(k, s, a.ID, ends[a.ID]) })
	}
}

// manyEntries returns what writer n commits in round i: names of its own, one name that all share, and now and then something that fails at its end.
func manyEntries(m *Maker, a Account, n, i int) []holdfast.Entry {
	mine := fmt.Sprintf("%d-%d.vcf", n, i%5)
	entries := []holdfast.Entry{m.Put(a.Book, mine, mine, Card(mine, mine, fmt.Sprint(i)))}
	if i%3 == 0 {
		entries = append(entries, m.Put(a.Book, "shared.vcf", "shared", Card("shared", fmt.Sprint(n), fmt.Sprint(i))))
	}
	switch {
	case i%7 == 3:
		entries = append(entries, m.Delete(a.Book, "never.vcf"))
	case i%5 == 4:
		entries = append(entries, m.Delete(a.Book, mine))
	}
	return entries
}

// acknowledged looks whether a snapshot opened after an answer has what was acknowledged.
func acknowledged(k *kit, r holdfast.Receipt, g *holdfast.Group) error {
	s, err := k.h.Engine.Snapshot(k.Context())
	if err != nil {
		return err
	}
	defer s.Close()
	h, err := s.Chain(r.Account, r.Seq)
	if err != nil || h.Chain != r.Hash || h.Epoch != r.Epoch {
		return fmt.Errorf("the receipt says %+v, the store %+v, %w", r, h, err)
	}
	last := g.Entries[len(g.Entries)-1]
	found := false
	err = s.Changes(r.Account, r.Seq-1, 1, 0, func(c *holdfast.Change) error { found = c.ID == last.ID && c.Hash == last.Hash; return nil })
	if err != nil || !found {
		return fmt.Errorf("change %d is not the one acknowledged, %w", r.Seq, err)
	}
	return nil
}

// sensible looks at one moment of an account: its changes end at its head and at a group's end, no head is behind one seen before, and the digest is what the items say.
func sensible(k *kit, id holdfast.ID, heads map[holdfast.ID]uint64) error {
	s, err := k.h.Engine.Snapshot(context.Background())
	if err != nil {
		return err
	}
	defer s.Close()
	h, err := s.Head(id)
	if err != nil {
		return err
	}
	if h.Seq < heads[id] {
		return fmt.Errorf("the head went back from %d to %d", heads[id], h.Seq)
	}
	heads[id] = h.Seq
	var last holdfast.Change
	n := uint64(0)
	if err := s.Changes(id, 0, 0, 0, func(c *holdfast.Change) error { n++; last = *c; return nil }); err != nil {
		return err
	}
	if n != h.Seq || last.Seq != h.Seq || last.Chain != h.Chain || last.More != 0 {
		return fmt.Errorf("the head is %+v; there are %d changes, the last is %s", h, n, textChange(&last, 0))
	}
	d, err := s.Digest(id, 0)
	if err != nil {
		return err
	}
	if want := recompute(k, s, id); d != want {
		return fmt.Errorf("%s, from what is read follows %s", textDigest(d), textDigest(want))
	}
	return nil
}

// gapless looks whether the receipts cover the account's changes, each once, from its founding (four changes) to its head.
func gapless(k *kit, s store.Snapshot, id holdfast.ID, receipts map[uint64]holdfast.Receipt) {
	k.Helper()
	next := uint64(5)
	for range receipts {
		r, ok := receipts[next]
		if !ok {
			k.Errorf("no group begins at seq %d", next)
			return
		}
		if h, err := s.Chain(id, r.Seq); err != nil || h.Chain != r.Hash {
			k.Errorf("the chain at %d is %v, %v; the receipt said %v", r.Seq, h.Chain, err, r.Hash)
		}
		next = r.Seq + 1
	}
	if h, err := s.Head(id); err != nil || h.Seq != next-1 {
		k.Errorf("the head is %d, %v; the receipts end at %d", h.Seq, err, next-1)
	}
}

// testOutboxUnderLoad has a vault follow the outbox page by page while others write.
func testOutboxUnderLoad(k *kit) {
	b := NewAccount(k, k.m, k.h.Engine, "bob@example.org")
	var wg sync.WaitGroup
	var done atomic.Bool
	for n := range 6 {
		a := []Account{k.a, b}[n%2]
		wg.Go(func() {
			for i := range 20 {
				name := fmt.Sprintf("%d-%d.vcf", n, i)
				g := k.m.Group(a.ID, k.m.Put(a.Book, name, name, Card(name, name, "")), k.m.Put(a.Book, name, name, Card(name, name, "2")))
				if _, err := k.h.Engine.Commit(k.Context(), g); err != nil {
					k.Errorf("writer %d: %v", n, err)
				}
			}
		})
	}
	var got []string
	follow := func(p store.Position) (store.Position, error) {
		return readPage(k.Context(), k.h.Engine, 10, p, &got)
	}
	var vault sync.WaitGroup
	vault.Go(func() {
		var p store.Position
		for {
			last, before := done.Load(), len(got)
			var err error
			if p, err = follow(p); err != nil {
				k.Errorf("the vault: %v", err)
				return
			}
			if last && len(got) == before {
				return
			}
		}
	})
	wg.Wait()
	done.Store(true)
	vault.Wait()
	if whole := k.after(0, 0); !slices.Equal(got, whole) {
		k.Errorf("the vault has %d changes, the stream %d:\n%s", len(got), len(whole), difference(got, whole))
	}
}
