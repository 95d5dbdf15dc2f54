package vault

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"sort"

	"holdfast"
)

// PrunePlan is what one round is going to do.
type PrunePlan struct {
	Report PruneReport // its packs are those that are to be written anew

	o     PruneOptions
	vault string // its name
	packs map[string]*plannedPack
	early map[string]bool // packs that are passed over, and hold something old
}

// plannedPack is a pack of which something may go.
type plannedPack struct {
	ref      PackRef
	seqs     map[int64][]byte // by a member's offset: the versions of it whose octets may go, each as how much more than the one before
	versions int
	octets   int64 // of them
	all      int64 // of what the pack holds
}

// may returns the seqs of a member whose octets may go, ascending.
func (p *plannedPack) may(offset int64) (out []uint64) {
	last := uint64(0)
	for b := p.seqs[offset]; len(b) > 0; {
		d, n := binary.Uvarint(b)
		last, b = last+d, b[n:]
		out = append(out, last)
	}
	return out
}

// PlanPruning reads the vault, as it will be once what was pruned is gone, and finds what is old, and in which packs. It writes nothing, and the vault's writer goes on meanwhile. Errors: those of the place and of this machine, Corrupt.
func (v *Vault) PlanPruning(ctx context.Context, o PruneOptions) (*PrunePlan, error) {
	o = o.withDefaults(v)
	p := &PrunePlan{o: o, vault: v.meta.Name, packs: map[string]*plannedPack{}, early: map[string]bool{}}
	aged, err := v.AgedHeads(ctx, o.Age, "")
	if err != nil {
		return p, err
	}
	p.Report.Counted = aged.Counted
	ripe, err := v.ripe(ctx)
	if err != nil || !o.Dry && (len(ripe) == 0 || len(aged.Accounts) == 0) { // the vault need not be read
		return p, err
	}
	r, err := NewReader(ctx, []*Vault{v}, ReadOptions{Spool: o.Spool, AsPruned: true})
	if err != nil {
		return p, err
	}
	defer r.Close()
	err = r.Accounts(ctx, func(h *History) error {
		p.Report.Accounts++
		named, old := aged.Accounts[h.Account]
		if o.Skip(h.Account) {
			old = false
		}
		return p.account(ctx, h, named, old, ripe)
	})
	p.Report.Damage = append(p.Report.Damage, r.Damage()...)
	p.choose()
	return p, err
}

// ripe returns the packs that may be pruned: a head named them long enough ago, and nothing is there any more of what they were made of. So a pack is pruned once, and what that replaced has gone before it is pruned again.
func (v *Vault) ripe(ctx context.Context) (map[string]PackRef, error) {
	there, err := v.segmentNames(ctx)
	if err != nil {
		return nil, err
	}
	l := &v.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := v.readLedger(ctx); err != nil {
		return nil, err
	}
	out := map[string]PackRef{}
	for _, p := range l.packs {
		young := l.counted-p.at < v.o.Keep || slices.ContainsFunc(p.Segments, func(s string) bool { return there[s] })
		for _, x := range l.before(p.PackRef) {
			if young {
				break
			}
			if young, err = v.isThere(ctx, x.Name+packSuffix); err != nil {
				return nil, err
			}
		}
		if !young {
			out[p.Name] = p.PackRef
		}
	}
	return out, nil
}

// before returns the packs that were replaced, one after the other, by what is now one.
func (l *ledger) before(p PackRef) (out []PackRef) {
	seen := map[string]bool{}
	for todo := []PackRef{p}; len(todo) > 0; todo = todo[1:] {
		for _, x := range l.left {
			if slices.Contains(todo[0].Replaces, x.Name) && !seen[x.Name] {
				seen[x.Name] = true
				out, todo = append(out, x.PackRef), append(todo, x.PackRef)
			}
		}
	}
	return out
}

// account adds what of one account's history may go, where old says that anything may.
func (p *PrunePlan) account(ctx context.Context, h *History, named AccountHead, old bool, ripe map[string]PackRef) error {
	mine := slices.DeleteFunc(slices.Clone(h.all), func(c *candidate) bool { return c.shelf.claims || c.shelf.pack.Name == "" })
	chains := map[uint64]holdfast.Hash{} // at the ends of members
	for _, c := range mine {
		chains[c.full.To] = holdfast.Hash{}
	}
	var have []version
	var was Old
	if old {
		ok := false
		var err error
		was, ok, err = h.superseded(ctx, named, func(c *Loaded) {
			if _, end := chains[c.Seq]; end {
				chains[c.Seq] = c.Chain
			}
			if c.Op == holdfast.OpPut && c.Blob == nil && !c.Pruned {
				have = append(have, version{c.Seq, c.Size})
			}
		})
		if err != nil {
			return err
		}
		if !ok {
			p.Report.Passed++
			was, have = Old{}, nil
		}
		if lost := h.Losses(); len(lost) > 0 {
			l := lost[0]
			p.Report.Damage = append(p.Report.Damage, Damage{p.vault, "account " + h.Account.String(), l.Reason})
		}
	}
	var gone []version // of have, which are old
	for _, x := range have {
		if _, isOld := slices.BinarySearch(was.Seqs, x.seq); isOld {
			gone = append(gone, x)
			p.Report.Versions, p.Report.Octets = p.Report.Versions+1, p.Report.Octets+x.size
		}
	}
	for _, c := range mine {
		p.member(c, chains[c.full.To] == c.full.Chain && len(was.Seqs) > 0, have, gone, ripe)
	}
	return nil
}

// version is one that has its octets.
type version struct {
	seq  uint64
	size int64
}

// within returns those of a list that stand in a member.
func (m *Member) within(list []version) (part []version, octets int64) {
	at := func(seq uint64) int { return sort.Search(len(list), func(i int) bool { return list[i].seq >= seq }) }
	part = list[at(m.From):at(m.To+1)]
	for _, x := range part {
		octets += x.size
	}
	return part, octets
}

// member adds what of a member may go. ours tells that it is of the history of which something may, and of no other.
func (p *PrunePlan) member(c *candidate, ours bool, have, gone []version, ripe map[string]PackRef) {
	name := c.shelf.pack.Name
	ref, ok := ripe[name]
	x := p.packs[name]
	if x == nil && ok {
		x = &plannedPack{ref: ref, seqs: map[int64][]byte{}}
		p.packs[name] = x
	}
	if !ours {
		if ok {
			x.all += c.full.Length // at least
		}
		return
	}
	part, octets := c.full.within(gone)
	if !ok {
		if len(part) > 0 {
			p.early[name] = true
		}
		return
	}
	_, all := c.full.within(have)
	x.all, x.octets, x.versions = x.all+all, x.octets+octets, x.versions+len(part)
	last := uint64(0)
	var seqs []byte
	for _, v := range part {
		seqs = binary.AppendUvarint(seqs, v.seq-last)
		last = v.seq
	}
	if len(seqs) > 0 {
		x.seqs[c.full.Offset] = seqs
	}
}

// choose picks the packs of which most may go.
func (p *PrunePlan) choose() {
	p.Report.Early = len(p.early)
	for name, x := range p.packs {
		switch {
		case x.versions == 0:
		case x.octets*100 < x.all*int64(p.o.Share):
			p.Report.Few++
		default:
			p.Report.Packs = append(p.Report.Packs, PrunedPack{Old: name, Pruning: Pruning{int64(x.versions), x.octets}})
		}
	}
	slices.SortFunc(p.Report.Packs, func(a, b PrunedPack) int { return cmp.Or(cmp.Compare(b.Octets, a.Octets), cmp.Compare(a.Old, b.Old)) })
	if !p.o.Dry {
		p.Report.Packs = p.Report.Packs[:min(len(p.Report.Packs), p.o.Packs)]
	}
}
