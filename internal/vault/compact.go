package vault

import (
	"bytes"
	"container/heap"
	"context"
	"fmt"
	"io"
	"slices"

	"holdfast"
	"holdfast/internal/journal"
	"holdfast/internal/place"
)

// Bounds of compaction: so many packs of one tier make one of the next, unless that would be larger than one object should be.
const (
	packsOfATier  = 8
	maxPackOctets = 32 << 20
)

// CompactReport tells what a compaction did.
type CompactReport struct {
	Packs   int // that were joined; 0: there was nothing to do
	Changes uint64
	Octets  int64
	Pack    string
}

// Compact joins the oldest packs of one tier into one of the next, account by account: many small members become few. It writes, reads back and verifies, and names the new pack in a head that says which it replaces; those go
// when they have been replaced for long enough, see Let. Lines of accounts that were erased are left behind. Memory grows with the new pack, which is bounded.
func (v *Vault) Compact(ctx context.Context, w *Writer) (CompactReport, error) {
	var rep CompactReport
	packs, err := v.Packs(ctx)
	if err != nil {
		return rep, err
	}
	todo := oneTier(packs)
	if todo == nil {
		return rep, nil
	}
	erased, err := v.Erased(ctx)
	if err != nil {
		return rep, err
	}
	runs, err := v.join(ctx, todo, func(id holdfast.ID) bool { return erased[id] })
	if err != nil {
		return rep, err
	}
	ref, err := v.writePack(ctx, runs)
	if err != nil {
		return rep, err
	}
	ref.Tier = todo[0].Tier + 1
	for _, p := range todo {
		ref.Replaces = append(ref.Replaces, p.Name)
		ref.Segments = append(ref.Segments, p.Segments...)
		ref.Batches = append(ref.Batches, p.Batches...)
	}
	if ref.Batches = joinRanges(ref.Batches); slices.ContainsFunc(todo, PackRef.untold) {
		ref.Batches = nil
	}
	if err := v.verifyPack(ctx, ref); err != nil {
		return rep, err
	}
	return CompactReport{len(todo), ref.Changes, ref.Size, ref.Name}, w.Head(ctx, HeadInput{Packs: []PackRef{ref}})
}

// oneTier returns packs that are worth joining; nil: none are.
func oneTier(packs []PackRef) []PackRef {
	tiers := map[int][]PackRef{}
	for _, p := range packs {
		t := append(tiers[p.Tier], p)
		tiers[p.Tier] = t
		total := int64(0)
		for _, x := range t {
			total += x.Size
		}
		switch {
		case total > maxPackOctets:
			tiers[p.Tier] = []PackRef{p} // what is large already stays as it is
		case len(t) == packsOfATier:
			return t
		}
	}
	return nil
}

// packSource is a pack that is being joined.
type packSource struct {
	v    *Vault
	ref  PackRef
	list *members
	now  Member
}

type packRow []*packSource

func (h packRow) Len() int           { return len(h) }
func (h packRow) Less(i, j int) bool { return h[i].now.compare(&h[j].now) < 0 }
func (h packRow) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *packRow) Push(x any)        { *h = append(*h, x.(*packSource)) }
func (h *packRow) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// join merges the members of packs by account.
func (v *Vault) join(ctx context.Context, packs []PackRef, skip func(holdfast.ID) bool) ([]*run, error) {
	var h packRow
	for _, p := range packs {
		list, err := v.index(ctx, p)
		if err != nil {
			return nil, err
		}
		s := &packSource{v: v, ref: p, list: list}
		if s.now, err = s.list.next(); err == nil {
			h = append(h, s)
		} else if err != io.EOF {
			return nil, err
		}
	}
	heap.Init(&h)
	var out []*run
	for len(h) > 0 {
		s := h[0]
		if !skip(s.now.Account) {
			var err error
			if out, err = v.joinMember(ctx, s, out); err != nil {
				return nil, err
			}
		}
		var err error
		switch s.now, err = s.list.next(); {
		case err == io.EOF:
			heap.Pop(&h)
		case err != nil:
			return nil, err
		default:
			heap.Fix(&h, 0)
		}
	}
	return out, nil
}

// index reads a pack's index. Errors: Corrupt, those of the place.
func (v *Vault) index(ctx context.Context, p PackRef) (*members, error) {
	index, err := place.ReadAll(ctx, v.p, p.Name+indexSuffix, p.IndexSize)
	if err != nil {
		return nil, err
	}
	if holdfast.HashOf(index) != p.IndexSHA256 {
		return nil, fail("Pack", holdfast.Corrupt, p.Name+indexSuffix, "the index does not have its hash", nil)
	}
	return newMembers(bytes.NewReader(index)), nil
}

// joinMember adds a member to the runs: to the last one, where it goes on there.
func (v *Vault) joinMember(ctx context.Context, s *packSource, out []*run) ([]*run, error) {
	sealed, err := v.read(ctx, s.ref.Name+packSuffix, s.now.Offset, s.now.Length)
	if err != nil {
		return nil, err
	}
	lines, err := v.openMember(ctx, s.now, sealed)
	if err != nil {
		return nil, fmt.Errorf("vault.Compact: %s: %w", s.ref.Name, err)
	}
	var last *run
	if n := len(out); n > 0 {
		last = out[n-1]
	}
	m := s.now
	if last == nil || last.Account != m.Account || last.Epoch != m.Epoch || last.Term != m.Term || last.To+1 != m.From || last.Chain != m.Before || len(last.lines) > maxMember {
		last = &run{Member: m}
		out = append(out, last)
	}
	for i := range lines {
		last.lines = journal.AppendLine(last.lines, &lines[i].Change, journal.Stored{Batch: lines[i].Batch, At: lines[i].Stored})
	}
	last.To, last.Chain, last.BatchTo, last.Last = m.To, m.Chain, m.BatchTo, m.Last
	return out, nil
}
