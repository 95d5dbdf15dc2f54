package vault

import (
	"context"

	"holdfast"
)

// refill puts octets back into changes that were pruned, where something still has them: another vault, another pack, or what a pruning replaced and is not purged yet. What nothing has stays pruned. Errors: those of this machine.
func (h *History) refill(ctx context.Context, from *candidate, part []Loaded) error {
	left := map[uint64]*Loaded{}
	for i := range part {
		if c := &part[i]; c.Pruned {
			left[c.Seq] = c
		}
	}
	if len(left) == 0 {
		return nil
	}
	first, last := part[0].Seq, part[len(part)-1].Seq
	for _, c := range h.all {
		if c == from || c.shelf.claims {
			continue
		}
		if err := c.lend(ctx, first, last, left); err != nil {
			return err
		}
	}
	for _, c := range h.all {
		if len(left) == 0 {
			return nil
		}
		for _, o := range h.r.originals(ctx, c.shelf, h.Account) {
			if err := o.lend(ctx, first, last, left); err != nil {
				return err
			}
		}
	}
	return nil
}

// lend gives the octets of changes that lack them, from one seq to another, and takes those off the list. It is the same change where it has the same chain.
func (c *candidate) lend(ctx context.Context, first, last uint64, left map[uint64]*Loaded) error {
	if len(left) == 0 || c.full.To < first || c.full.From > last {
		return nil
	}
	lines, err := c.shelf.open(ctx, &c.full)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for i := range lines { // those that are good, if not all are
		l := &lines[i]
		if x := left[l.Seq]; x != nil && x.Chain == l.Chain && !l.Pruned {
			x.Body, x.Pruned = l.Body, false
			delete(left, l.Seq)
		}
	}
	return nil
}

// originals returns an account's members of the packs that a shelf's pack took the place of, and that have more octets: some of them was pruned on the way.
func (r *Reader) originals(ctx context.Context, s *shelf, account holdfast.ID) []*candidate {
	if s.pack.Name == "" || r.o.AsPruned {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	x, ok := r.origins[s]
	if !ok {
		x = &spares{byAccount: map[holdfast.ID][]*candidate{}}
		list := r.behind(s)
		pruned := s.pack.Pruned != nil
		for _, p := range list {
			pruned = pruned || p.Pruned != nil
		}
		for _, p := range list {
			if pruned {
				r.sparePack(ctx, s, p, x)
			}
		}
		if r.origins == nil {
			r.origins = map[*shelf]*spares{}
		}
		r.origins[s] = x
	}
	return x.byAccount[account]
}
