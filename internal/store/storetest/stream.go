package storetest

import (
	"bytes"
	"fmt"
	"slices"

	"holdfast"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
)

// testFollow: who follows is handed every batch as After would read it; who is too slow misses some, and sees that by their numbers.
func testFollow(k *kit) {
	from := k.h.Engine.Info().Position.Batch
	fast, stop := k.h.Engine.Follow(100)
	slow, stopSlow := k.h.Engine.Follow(1)
	defer stopSlow()
	for i := range 20 {
		k.do(k.put(fmt.Sprintf("%d.vcf", i), "1"), k.m.Delete(k.a.Book, fmt.Sprintf("%d.vcf", i)))
		k.h.Engine.Commit(k.Context(), k.m.Group(k.a.ID, k.m.Delete(k.a.Book, "nowhere.vcf"))) // refused: in no batch
	}
	stop()
	k.do(k.put("later.vcf", "1"))
	n := 0
	if err := k.h.Engine.After(k.Context(), from, 0, func(want *holdfast.Batch) error {
		if n++; n > 20 {
			return nil
		}
		got := <-fast
		if got.Position != want.Position || got.Prev != want.Prev || !slices.Equal(got.Ends(), want.Ends()) || !slices.Equal(batchLines(got), batchLines(want)) {
			k.Errorf("followed:\n%s", difference(batchLines(got), batchLines(want)))
		}
		return nil
	}); err != nil {
		k.Fatal(err)
	}
	if len(fast) != 0 || n != 21 {
		k.Errorf("%d batches too many after %d", len(fast), n)
	}
	if b := <-slow; b.Batch != from+1 || len(slow) != 0 {
		k.Errorf("the slow one has batch %d and %d more", b.Batch, len(slow))
	}
}

func batchLines(b *holdfast.Batch) (out []string) {
	for i := range b.Changes {
		c := b.Changes[i]
		c.Index = holdfast.Index{} // is not journaled
		out = append(out, textChange(&c, all), fmt.Sprint(c.Hash, c.PropsRaw, c.Item, c.Before, c.Chain == holdfast.ChainHash(c.Account, c.Epoch, c.Seq, c.Before, c.Hash)))
	}
	return out
}

// testApply: an engine that lost its newest batches takes them back as they were, from whoever has them; also one that has nothing.
func testApply(k *kit) {
	b := NewAccount(k, k.m, k.h.Engine, "bob@example.org")
	k.do(k.put("a.vcf", "1"), k.put("b.vcf", "1"))
	k.commit(k.m.Group(b.ID, k.m.Put(b.Book, "a.vcf", "", []byte("x"))))
	k.do(k.m.Delete(k.a.Book, "a.vcf"))
	k.beginEpoch()
	k.do(k.put("c.vcf", "1"))
	m := memory.New()
	if err := k.h.Engine.After(k.Context(), 0, 0, func(b *holdfast.Batch) error {
		if err := m.Apply(k.Context(), b); err != nil {
			return err
		}
		return m.Apply(k.Context(), &holdfast.Batch{Changes: b.Changes}) // once more, as from a second vault: nothing is done
	}); err != nil {
		k.Fatal(err)
	}
	sameDigests(k.T, k.h.Engine, m)
	if got, want := m.Info().Position, k.h.Engine.Info().Position; got != want {
		k.Errorf("applied, the stream ends at %+v, want %+v", got, want)
	}
	// The other way: what others made comes here.
	g := k.m.Group(b.ID, k.m.Put(b.Book, "d.vcf", "", []byte("x")), k.m.Put(b.Book, "e.vcf", "", []byte("y")))
	g.Seal()
	if _, err := m.Commit(k.Context(), g); err != nil {
		k.Fatal(err)
	}
	c := NewAccount(k, k.m, m, "carol@example.org")
	var lost []*holdfast.Batch
	if err := m.After(k.Context(), k.h.Engine.Info().Position.Batch, 0, func(b *holdfast.Batch) error { lost = append(lost, b); return nil }); err != nil {
		k.Fatal(err)
	}
	joined := &holdfast.Batch{}
	for _, b := range lost {
		for i := range b.Changes {
			b.Changes[i].Index = holdfast.Index{}
			if b.Changes[i].More > 0 {
				b.Changes[i].Chain = holdfast.Hash{} // as a vault hands them out
			}
		}
		if k.h.Reopen == nil {
			joined.Changes = append(joined.Changes, b.Changes...)
		} else if err := k.h.Engine.Apply(k.Context(), b); err != nil {
			k.Fatal(err)
		}
	}
	if len(joined.Changes) > 0 { // several groups, in one batch of the engine's own
		if err := k.h.Engine.Apply(k.Context(), joined); err != nil {
			k.Fatal(err)
		}
	}
	k.read(func(s store.Snapshot) {
		if id, err := s.AccountByLogin("carol@example.org"); err != nil || id != c.ID {
			k.Errorf("an account that came with a batch: %v, %v", id, err)
		}
	})
	sameDigests(k.T, k.h.Engine, m)
	k.do(k.put("f.vcf", "1"))
}

// beginEpoch begins the next epoch of the account.
func (k *kit) beginEpoch() {
	k.Helper()
	var h store.Head
	k.read(func(s store.Snapshot) { h, _ = s.Head(k.a.ID) })
	rec := holdfast.EpochRecord{Epoch: h.Epoch + 1, Parent: h.Epoch, Fork: h.Seq, Hash: h.Chain, Nonce: holdfast.ID{1}, Why: "a test"}
	stale := rec
	stale.Fork--
	e := k.m.Put(k.a.ID, holdfast.EpochName(rec.Epoch), "", stale.Encode())
	e.Kind = holdfast.KindEpoch
	_, err := k.h.Engine.Commit(k.Context(), k.m.Group(k.a.ID, e))
	k.kind("an epoch that begins elsewhere", err, holdfast.PreconditionFailed)
	e = k.m.Put(k.a.ID, holdfast.EpochName(rec.Epoch), "", rec.Encode())
	e.Kind = holdfast.KindEpoch
	r := k.commit(k.m.Group(k.a.ID, e))
	if r.Epoch != rec.Epoch || r.Seq != h.Seq+1 || r.Hash != holdfast.ChainHash(k.a.ID, rec.Epoch, r.Seq, h.Chain, k.lastHash()) {
		k.Errorf("the epoch's record is at epoch %d, seq %d", r.Epoch, r.Seq)
	}
}

func (k *kit) lastHash() (h holdfast.Hash) {
	k.read(func(s store.Snapshot) {
		head, _ := s.Head(k.a.ID)
		if err := s.Changes(k.a.ID, head.Seq-1, 1, all, func(c *holdfast.Change) error { h = c.Hash; return nil }); err != nil {
			k.Fatal(err)
		}
	})
	return h
}

// testMisfits: a batch that does not follow is refused whole, whatever it is that does not fit.
func testMisfits(k *kit) {
	m := memory.New()
	copyOf := func(b *holdfast.Batch) *holdfast.Batch {
		c := *b
		c.Changes = slices.Clone(b.Changes)
		return &c
	}
	k.do(k.put("a.vcf", "1"))
	if err := k.h.Engine.After(k.Context(), 0, 0, func(b *holdfast.Batch) error { return m.Apply(k.Context(), b) }); err != nil {
		k.Fatal(err)
	}
	g := k.m.Group(k.a.ID, k.put("b.vcf", "1"), k.put("c.vcf", "1"))
	g.Seal()
	if _, err := m.Commit(k.Context(), g); err != nil {
		k.Fatal(err)
	}
	at := k.h.Engine.Info().Position
	var good *holdfast.Batch
	if err := m.After(k.Context(), at.Batch, 0, func(b *holdfast.Batch) error { good = b; return nil }); err != nil {
		k.Fatal(err)
	}
	for what, spoil := range map[string]func(*holdfast.Batch){
		"another number":      func(b *holdfast.Batch) { b.Batch++ },
		"another hash":        func(b *holdfast.Batch) { b.Hash[0] ^= 1 },
		"another predecessor": func(b *holdfast.Batch) { b.Prev[0] ^= 1 },
		"a later seq":         func(b *holdfast.Batch) { b.Changes[0].Seq += 2 },
		"another epoch":       func(b *holdfast.Batch) { b.Changes[1].Epoch++ },
		"another chain":       func(b *holdfast.Batch) { b.Changes[1].Chain[0] ^= 1 },
		"other octets":        func(b *holdfast.Batch) { b.Changes[1].Hash[0] ^= 1 },
		"a strange account":   func(b *holdfast.Batch) { b.Changes[0].Account[0] ^= 1 },
		"a strange place":     func(b *holdfast.Batch) { b.Changes[1].Collection[0] ^= 1 },
		"another change":      func(b *holdfast.Batch) { b.Changes[0].Seq = 1 },
	} {
		b := copyOf(good)
		spoil(b)
		k.kind(what, k.h.Engine.Apply(k.Context(), b), holdfast.Invalid)
		if got := k.h.Engine.Info().Position; got != at {
			k.Fatalf("%s: the store moved to %+v", what, got)
		}
	}
	if err := k.h.Engine.Apply(k.Context(), copyOf(good)); err != nil {
		k.Error(err)
	}
	if got := k.h.Engine.Info().Position; got != good.Position || !bytes.Equal(good.Hash[:], got.Hash[:]) {
		k.Errorf("applied, the stream ends at %+v", got)
	}
}

// testFollowedIsKnown: what a follower is handed is in the store's position already: a vault may have it sooner than whoever committed it goes on.
func testFollowedIsKnown(k *kit) {
	batches, stop := k.h.Engine.Follow(1000)
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 200 {
			b := <-batches
			if at := k.h.Engine.Position(); at.Batch < b.Batch {
				k.Errorf("batch %d is handed over while the store says that it is at %d", b.Batch, at.Batch)
				return
			}
		}
	}()
	for i := range 200 {
		k.do(k.put(fmt.Sprintf("%d.vcf", i%7), fmt.Sprint(i)))
	}
	<-done
}
