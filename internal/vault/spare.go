package vault

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"

	"holdfast"
	"holdfast/internal/journal"
	"holdfast/internal/place"
)

// What a pack was made of stays for some days: segments, and packs that were joined. Nobody reads it while the pack can be read. Where a member of it cannot, what is still there of those stands in.

// spares are what stands in for one pack, by account.
type spares struct {
	byAccount map[holdfast.ID][]*candidate
}

// spare returns what stands in for an account's members of a pack of which one cannot be read, and why. What a pack was made of is read once for all accounts, and sorted as a tail is; what cannot be read of it is passed over. Errors: those of this machine.
func (r *Reader) spare(ctx context.Context, s *shelf, account holdfast.ID, why error) ([]*candidate, error) {
	if s.pack.Name == "" {
		return nil, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	x, ok := r.spares[s]
	if !ok {
		x = &spares{byAccount: map[holdfast.ID][]*candidate{}}
		if err := r.spareTail(ctx, s, x); err != nil {
			return nil, err
		}
		for _, p := range r.behind(s) {
			r.sparePack(ctx, s, p, x)
		}
		if r.spares == nil {
			r.spares = map[*shelf]*spares{}
		}
		r.spares[s] = x
		if len(x.byAccount) > 0 {
			what := fmt.Sprintf("a member of the pack cannot be read (%s); what is still there of what it was made of was read instead", wording(s.pack.Name, why))
			r.damage = append(r.damage, Damage{s.vault.meta.Name, s.pack.Name + packSuffix, what})
		}
	}
	var out []*candidate
	for _, c := range x.byAccount[account] { // each history shortens its own
		y := *c
		out = append(out, &y)
	}
	return out, nil
}

// behind returns the packs that were replaced, one after the other, by what is now on a shelf.
func (r *Reader) behind(s *shelf) (out []PackRef) {
	seen := map[string]bool{}
	for todo := []PackRef{s.pack}; len(todo) > 0; todo = todo[1:] {
		if todo[0].Pruned != nil && r.o.AsPruned {
			continue
		}
		for _, p := range s.before {
			if slices.Contains(todo[0].Replaces, p.Name) && !seen[p.Name] {
				seen[p.Name] = true
				out, todo = append(out, p), append(todo, p)
			}
		}
	}
	return out
}

// sparePack takes in a pack that was joined with others.
func (r *Reader) sparePack(ctx context.Context, s *shelf, p PackRef, x *spares) {
	index, err := place.ReadAll(ctx, s.vault.p, p.Name+indexSuffix, p.IndexSize)
	if err != nil || holdfast.HashOf(index) != p.IndexSHA256 {
		return
	}
	in := &shelf{vault: s.vault, name: p.Name, rank: s.rank, open: s.vault.opener(p.Name)}
	for list := newMembers(bytes.NewReader(index)); ; {
		m, err := list.next()
		if err != nil {
			return
		}
		x.add(r, in, m)
	}
}

func (x *spares) add(r *Reader, in *shelf, m Member) {
	if r.wanted(m.Account) {
		x.byAccount[m.Account] = append(x.byAccount[m.Account], in.candidate(m))
	}
}

// spareTail takes in the segments that a pack was made of, each by itself.
func (r *Reader) spareTail(ctx context.Context, s *shelf, x *spares) error {
	for _, name := range s.pack.Segments {
		n := parseTailName(name)
		if n.Class != Segment {
			continue
		}
		if _, err := s.vault.p.Stat(ctx, name); err != nil {
			continue // it was let go, most likely
		}
		g := newGather(n.Term)
		if err := s.vault.readable(ctx, segmentRef{term: n.Term, n: n.Number}, g, func(id holdfast.ID) bool { return !r.wanted(id) }); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			continue
		}
		if err := r.spareRuns(s, g.runs(), x); err != nil {
			return err
		}
	}
	return nil
}

// spareRuns writes sorted runs down, and remembers where they are.
func (r *Reader) spareRuns(s *shelf, runs []*run, x *spares) error {
	if len(runs) == 0 {
		return nil
	}
	f, err := r.file()
	if err != nil {
		return err
	}
	in := &shelf{vault: s.vault, name: dirTail, rank: s.rank, open: unfolder(f)}
	at := int64(0)
	for _, one := range runs {
		if _, err := f.Write(one.lines); err != nil {
			return r.unsorted(f.Name(), err)
		}
		m := one.Member
		m.Offset, m.Length = at, int64(len(one.lines))
		at += m.Length
		x.add(r, in, m)
	}
	return nil
}

// unfolder returns what opens members whose lines lie in a file in the clear.
func unfolder(lines *os.File) func(context.Context, *Member) ([]Loaded, error) {
	return func(_ context.Context, m *Member) ([]Loaded, error) {
		b := make([]byte, m.Length)
		if _, err := lines.ReadAt(b, m.Offset); err != nil {
			return nil, err
		}
		return m.unfold(bytes.NewReader(b))
	}
}

// opener returns what opens members of a pack.
func (v *Vault) opener(pack string) func(context.Context, *Member) ([]Loaded, error) {
	return func(ctx context.Context, m *Member) ([]Loaded, error) {
		sealed, err := v.read(ctx, pack+packSuffix, m.Offset, m.Length)
		if err != nil {
			return nil, err
		}
		return v.openMember(ctx, *m, sealed)
	}
}

// readable gathers the batches of a segment that can be read. Errors: those of the place, and of this machine.
func (v *Vault) readable(ctx context.Context, x segmentRef, g *gather, skip func(holdfast.ID) bool) error {
	name := SegmentName(x.term, x.n)
	key, err := v.segmentKey(ctx, x.term, x.n)
	if err != nil {
		if damaging(err) {
			return nil
		}
		return err
	}
	_, err = v.walk(ctx, name, func(f foundFrame) error {
		err := v.batches(ctx, name, f, key, func(line journal.BatchLine, changes []holdfast.Change) error {
			if err := chain(line, changes); err != nil {
				return err
			}
			g.add(line, changes, skip)
			return nil
		})
		if err != nil && damaging(err) {
			return nil
		}
		return err
	})
	return err
}
