package core

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sort"

	"holdfast"
	"holdfast/internal/store"
)

// itemKey names an item of an account.
type itemKey struct {
	collection holdfast.ID
	name       string
}

// face is what an item was or is after a change, without its octets.
type face struct {
	seq, end    uint64 // the change and the last one of its group; 0: there was none
	live        bool
	kind        holdfast.Kind
	etag, props holdfast.Hash
	contentType string
	size        int64
	pruned      bool
	actor       holdfast.Actor
}

func faceOf(ch *holdfast.Change) face {
	return face{seq: ch.Seq, end: ch.GroupEnd(), live: ch.Op == holdfast.OpPut, kind: ch.Kind, etag: ch.ETag, props: ch.PropsHash, contentType: ch.ContentType, size: ch.Size,
		pruned: ch.Pruned, actor: ch.Actor}
}

// same tells whether a device would see no difference.
func (f face) same(o face) bool {
	if !f.live || !o.live {
		return f.live == o.live
	}
	return f.etag == o.etag && f.props == o.props && f.contentType == o.contentType
}

// touched is an item that is to go back: from the version now, the newest one of those that are reversed, to was, the newest one before it that is not.
type touched struct {
	itemKey
	now, was face
	first    uint64 // the oldest of those that are reversed
}

// spans are changes by their seqs, ascending.
type spans []span

func (s spans) contain(seq uint64) bool {
	i := sort.Search(len(s), func(i int) bool { return s[i].last >= seq })
	return i < len(s) && s[i].first <= seq
}

// gatherer collects the items that changes touch.
type gatherer struct {
	past    *Past
	items   map[itemKey]*touched
	records bool // records of the account are among what was met
}

func (p *Past) gatherer() *gatherer { return &gatherer{past: p, items: map[itemKey]*touched{}} }

// forward takes the changes of spans, in their order.
func (g *gatherer) forward(ctx context.Context, s spans) error {
	for _, x := range s {
		for from := x.first; from <= x.last; from += historyPage {
			err := g.past.within(ctx, func(snap store.Snapshot) error {
				n := min(historyPage, int(x.last-from+1))
				return snap.Changes(g.past.owner, from-1, n, 0, func(ch *holdfast.Change) error {
					g.later(ch)
					return nil
				})
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// later takes a change that comes after all that were taken. Where somebody else changed the item between two of them, it goes back to what that one made it.
func (g *gatherer) later(ch *holdfast.Change) {
	if ch.Collection == g.past.owner {
		g.records = g.records || ch.Kind != holdfast.KindReversal
		return
	}
	k := itemKey{ch.Collection, ch.Name}
	t := g.items[k]
	if t == nil {
		t = &touched{itemKey: k}
		g.items[k] = t
	}
	if t.now.seq == 0 || t.now.seq != ch.Prev {
		t.was.seq, t.first = ch.Prev, ch.Seq
	}
	t.now = faceOf(ch)
}

// earlier takes a change that comes before all that were taken, of a journal without gaps.
func (g *gatherer) earlier(ch *holdfast.Change) {
	if ch.Collection == g.past.owner {
		return
	}
	k := itemKey{ch.Collection, ch.Name}
	t := g.items[k]
	if t == nil {
		t = &touched{itemKey: k, now: faceOf(ch)}
		g.items[k] = t
	}
	t.was.seq, t.first = ch.Prev, ch.Seq
}

// settled returns what was gathered, with what each item was before, by the seq of its newest version.
func (g *gatherer) settled(ctx context.Context) ([]*touched, error) {
	out := make([]*touched, 0, len(g.items))
	before := map[uint64]*touched{}
	for _, t := range g.items {
		out = append(out, t)
		if t.was.seq != 0 {
			before[t.was.seq] = t
		}
	}
	slices.SortFunc(out, func(a, b *touched) int { return cmp.Compare(a.now.seq, b.now.seq) })
	seqs := make([]uint64, 0, len(before))
	for seq := range before {
		seqs = append(seqs, seq)
	}
	slices.Sort(seqs)
	for part := range slices.Chunk(seqs, historyPage) {
		err := g.past.within(ctx, func(snap store.Snapshot) error {
			return eachChange(snap, g.past.owner, part, 0, func(ch *holdfast.Change) error {
				before[ch.Seq].was = faceOf(ch)
				return nil
			})
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// within calls fn with a snapshot of the account as it is now, all of it acknowledged.
func (p *Past) within(ctx context.Context, fn func(store.Snapshot) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	snap, err := p.s.newest(ctx, p.owner)
	if err != nil {
		return err
	}
	defer snap.Close()
	return fn(snap)
}

// maxGap is how many changes that nobody asked for are read along rather than beginning another read.
const maxGap = 4

// eachChange calls fn with changes of an account by their seqs, which ascend. What lies close together is read at once.
func eachChange(snap store.Snapshot, account holdfast.ID, seqs []uint64, f Fields, fn func(*holdfast.Change) error) error {
	for len(seqs) > 0 {
		n := 1
		for n < len(seqs) && seqs[n]-seqs[n-1] <= maxGap {
			n++
		}
		part, met := seqs[:n], 0
		err := snap.Changes(account, part[0]-1, int(part[n-1]-part[0]+1), f, func(ch *holdfast.Change) error {
			if met == len(part) || ch.Seq != part[met] {
				return nil
			}
			met++
			return fn(ch)
		})
		if err == nil && met != len(part) {
			err = fail("Reverse", holdfast.Corrupt, account.String(), "a change of the journal is missing; run `holdfast doctor --full`")
		}
		if err != nil {
			return err
		}
		seqs = seqs[n:]
	}
	return nil
}

// current returns what an item is now; one that never was has no seq.
func current(snap store.Snapshot, k itemKey) (f face, err error) {
	err = snap.Versions(k.collection, k.name, 0, func(ch *holdfast.Change) error {
		f = faceOf(ch)
		return errEnough
	})
	if errors.Is(err, errEnough) || holdfast.IsKind(err, holdfast.NotFound) {
		err = nil
	}
	return f, err
}
