package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"holdfast"
	"holdfast/internal/store"
)

// outboxTests are S5.
var outboxTests = []clause{
	{"S5_TheOutboxHoldsEveryChange", testOutbox},
	{"S5_TheOutboxPassesWholeBatches", testOutboxPages},
	{"S5_PositionsAreKnown", testPositions},
	{"S5_FollowersMissNothing", testFollow},
	{"S5_WhatIsFollowedIsKnown", testFollowedIsKnown},
	{"S5_WhatWasLostIsAppliedAgain", testApply},
	{"S5_WhatDoesNotFollowIsNotApplied", testMisfits},
}

// after returns the changes of the stream above a batch, in lines.
func (k *kit) after(batch uint64, limit int) (lines []string) {
	k.Helper()
	if err := outbox(k.Context(), k.h.Engine, batch, limit, func(_ store.Position, c *holdfast.Change) error {
		lines = append(lines, textChange(c, all))
		return nil
	}); err != nil {
		k.Fatalf("after %d: %v", batch, err)
	}
	return lines
}

// outbox reads the stream above a batch, change by change.
func outbox(ctx context.Context, e store.Engine, batch uint64, limit int, fn func(store.Position, *holdfast.Change) error) error {
	return e.After(ctx, batch, limit, func(b *holdfast.Batch) error {
		for i := range b.Changes {
			if err := fn(b.Position, &b.Changes[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func testOutbox(k *kit) {
	k.read(func(s store.Snapshot) {
		h, err := s.Head(k.a.ID)
		sum := holdfast.HashOf(slices.Concat([]byte("holdfast batch 1\n"), make([]byte, 32), k.a.ID[:], h.Chain[:]))
		if got := k.h.Engine.Info().Position; err != nil || got != (store.Position{Batch: 1, Hash: sum}) {
			k.Errorf("after its first group the store is at %+v, want batch 1 and %v", got, sum)
		}
	})
	b := NewAccount(k, k.m, k.h.Engine, "bob@example.org")
	k.do(k.put("a.vcf", "1"), k.put("b.vcf", "1"))
	k.commit(k.m.Group(b.ID, k.m.Put(b.Book, "a.vcf", "", []byte("x"))))
	k.do(k.m.Delete(k.a.Book, "a.vcf"))
	var want []string
	k.read(func(s store.Snapshot) {
		add := func(id holdfast.ID, after uint64, n int) {
			if err := s.Changes(id, after, n, all, func(c *holdfast.Change) error { want = append(want, textChange(c, all)); return nil }); err != nil {
				k.Fatal(err)
			}
		}
		add(k.a.ID, 0, 4)
		add(b.ID, 0, 4)
		add(k.a.ID, 4, 2)
		add(b.ID, 4, 1)
		add(k.a.ID, 6, 1)
	})
	if got := k.after(0, 0); !slices.Equal(got, want) {
		k.Errorf("the outbox differs from the journals in order of their commits:\n%s", difference(got, want))
	}
	end := k.h.Engine.Info().Position.Batch
	if got := k.after(end, 0); len(got) != 0 {
		k.Errorf("%d changes come after the last", len(got))
	}
	k.do(k.put("c.vcf", "1"))
	if got := k.after(end, 0); len(got) != 1 {
		k.Errorf("%d changes come after one more, want 1", len(got))
	}
	stop := errors.New("the vault is full")
	calls := 0
	err := k.h.Engine.After(k.Context(), 0, 0, func(*holdfast.Batch) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		k.Errorf("after: %v after %d calls, want the callback's error after 1", err, calls)
	}
}

func testOutboxPages(k *kit) {
	for i := range 12 {
		var entries []holdfast.Entry
		for j := range i%4 + 1 {
			entries = append(entries, k.put(fmt.Sprintf("%d-%d.vcf", i, j), "1"))
		}
		k.do(entries...)
	}
	whole := k.after(0, 0)
	var got []string
	var last store.Position
	for page := 0; ; page++ {
		from := len(got)
		p, err := readPage(k.Context(), k.h.Engine, 3, last, &got)
		if err != nil {
			k.Fatal(err)
		}
		if len(got) == from {
			break
		}
		if page > len(whole) {
			k.Fatal("the pages never end")
		}
		last = p
	}
	if !slices.Equal(got, whole) {
		k.Errorf("read in pages, the outbox is:\n%s", difference(got, whole))
	}
	if info := k.h.Engine.Info(); last != info.Position {
		k.Errorf("the outbox ends at %+v, the store is at %+v", last, info.Position)
	}
}

// readPage appends one page of the outbox to lines and returns the point that the page ends at. It checks that the page consists of whole batches that follow from
// after, by their hashes, and that it stops at the limit.
func readPage(ctx context.Context, e store.Engine, limit int, after store.Position, lines *[]string) (store.Position, error) {
	p := page{at: after}
	err := outbox(ctx, e, after.Batch, limit, func(at store.Position, c *holdfast.Change) error {
		*lines = append(*lines, textChange(c, all))
		return p.add(at, c)
	})
	if err == nil {
		err = p.endBatch()
	}
	if err == nil && limit > 0 && p.before >= limit {
		err = fmt.Errorf("batch %d was passed although %d changes were, the limit being %d", p.at.Batch, p.before, limit)
	}
	return p.at, err
}

// page follows the outbox as a vault does.
type page struct {
	at     store.Position // of the batch that is being passed
	last   holdfast.Hash  // of the batch before
	ends   []holdfast.GroupEnd
	open   bool // within a group
	n      int  // changes passed
	before int  // … when the batch began
}

func (p *page) add(at store.Position, c *holdfast.Change) error {
	if at != p.at {
		if err := p.endBatch(); err != nil {
			return err
		}
		if at.Batch != p.at.Batch+1 {
			return fmt.Errorf("batch %d follows batch %d", at.Batch, p.at.Batch)
		}
		p.last, p.at, p.before = p.at.Hash, at, p.n
	}
	if p.open = c.More > 0; !p.open {
		p.ends = append(p.ends, holdfast.GroupEnd{Account: c.Account, Chain: c.Chain})
	}
	p.n++
	return nil
}

func (p *page) endBatch() error {
	switch {
	case p.open:
		return fmt.Errorf("batch %d ends within a group", p.at.Batch)
	case p.n > 0 && holdfast.BatchHash(p.last, p.ends) != p.at.Hash:
		return fmt.Errorf("batch %d has the hash %v, which its groups do not give", p.at.Batch, p.at.Hash)
	}
	p.ends = nil
	return nil
}

func testPositions(k *kit) {
	early := k.h.Engine.Info().Position
	k.do(k.put("a.vcf", "1"))
	for _, p := range []store.Position{{}, early, k.h.Engine.Info().Position} {
		if hash, ok, err := k.h.Engine.HashAt(k.Context(), p.Batch); err != nil || !ok || hash != p.Hash {
			k.Errorf("the hash after batch %d is %v, %v, %v, want %v", p.Batch, hash, ok, err, p.Hash)
		}
	}
	if _, ok, err := k.h.Engine.HashAt(k.Context(), early.Batch+7); ok || err != nil {
		k.Errorf("a batch to come has a hash, %v", err)
	}
	changes, octets, err := k.h.Engine.Behind(k.Context(), early.Batch)
	if err != nil || changes != 1 || octets < 1 {
		k.Errorf("behind the newest but one: %d changes of %d octets, %v", changes, octets, err)
	}
	if changes, octets, err = k.h.Engine.Behind(k.Context(), k.h.Engine.Position().Batch); err != nil || changes != 0 || octets != 0 {
		k.Errorf("behind the newest: %d changes of %d octets, %v", changes, octets, err)
	}
	all, sum := int64(0), int64(0)
	if err := k.h.Engine.After(k.Context(), 0, 0, func(b *holdfast.Batch) error {
		for i := range b.Changes {
			all, sum = all+1, sum+int64(b.Changes[i].Size)
		}
		return nil
	}); err != nil {
		k.Fatal(err)
	}
	if changes, octets, err = k.h.Engine.Behind(k.Context(), 0); err != nil || changes != all || octets != sum {
		k.Errorf("behind nothing: %d changes of %d octets, %v, want %d and %d", changes, octets, err, all, sum)
	}
	_, _, err = k.h.Engine.Behind(k.Context(), early.Batch+7)
	k.kind("behind a batch to come", err, holdfast.NotFound)
	k.kind("what follows a batch to come", k.h.Engine.After(k.Context(), early.Batch+7, 0, nil), holdfast.NotFound)
}
