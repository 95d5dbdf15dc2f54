package vault

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/journal"
)

// The first step of letting go of old versions: beside a pack stands one without their octets, and a head names it as what replaces the old one. What may go is asked of the vault's own history and its heads alone.

// PruneOptions say what may go, and how much is done at once. Zero values mean the defaults.
type PruneOptions struct {
	Age   time.Duration          // how long ago a version was replaced or deleted, counted along heads
	Spool string                 // a directory for what is sorted on the way; in the clear
	Skip  func(holdfast.ID) bool // accounts of which nothing goes; nil: none
	Share int                    // percent of a pack's octets that may go for it to be written anew, at least; default 25
	Packs int                    // how many are written anew at most; default 8
	Dry   bool                   // only count
}

func (o PruneOptions) withDefaults(v *Vault) PruneOptions {
	def(&o.Share, 25)
	def(&o.Packs, 8)
	o.Age = max(o.Age, v.o.Keep) // what a head names that is younger than what was replaced is kept: nothing that it says goes
	if o.Skip == nil {
		o.Skip = func(holdfast.ID) bool { return false }
	}
	return o
}

// PruneReport tells what is old, and what was done about it.
type PruneReport struct {
	Counted  time.Duration // along the heads
	Accounts int64         // that were read
	Passed   int64         // whose history is not whole, or not the one that old heads name
	Versions int64         // that are old, and have their octets
	Octets   int64         // of their bodies, before they were compressed
	Early    int           // packs that hold some, and are too young, or of which what they were made of is still there
	Few      int           // packs that hold too few of them
	Damage   []Damage      // that was met
	Packs    []PrunedPack  // that were written anew, or would be
}

// PrunedPack is a pack that was written anew.
type PrunedPack struct {
	Old, New string
	Pruning
}

// Prune does the first step with all packs of a plan that it makes, see [Vault.PlanPruning] and [Vault.PrunePack]. Nothing is done where anything of the vault cannot be read.
func (v *Vault) Prune(ctx context.Context, w *Writer, o PruneOptions) (PruneReport, error) {
	p, err := v.PlanPruning(ctx, o)
	rep := p.Report
	if err != nil || o.Dry {
		return rep, err
	}
	if rep.Packs = nil; len(rep.Damage) > 0 {
		return rep, nil
	}
	for _, x := range p.Report.Packs {
		done, err := v.PrunePack(ctx, w, p, x.Old)
		if err != nil {
			return rep, err
		}
		if done.New == "" {
			rep.Few++
			continue
		}
		rep.Packs = append(rep.Packs, done)
	}
	return rep, nil
}

// PrunePack writes, beside a pack of a plan, one without what may go, reads it back, opens each member and compares it with the old one; then a head names it. The old one stays, see [Vault.Purge]. It can be called again after it was cut anywhere: before the head the new pack is an object that nobody names.
//
// Nothing is done, and the new one has no name, where too little would go (it may have gone from this pack already, and stand in another), and where another pack took its place since the plan was made. Nobody seals or joins packs meanwhile. Errors: those of the place, Corrupt.
func (v *Vault) PrunePack(ctx context.Context, w *Writer, plan *PrunePlan, name string) (PrunedPack, error) {
	now, err := v.Packs(ctx)
	p := plan.packs[name]
	if err != nil || p == nil || !slices.ContainsFunc(now, func(x PackRef) bool { return x.Name == name && x.SHA256 == p.ref.SHA256 }) {
		return PrunedPack{Old: name}, err
	}
	return v.prunePack(ctx, w, p, plan.o)
}

func (v *Vault) prunePack(ctx context.Context, w *Writer, p *plannedPack, o PruneOptions) (x PrunedPack, err error) {
	erased, err := v.Erased(ctx)
	if err != nil {
		return x, err
	}
	x.Old = p.ref.Name
	made, gone := &packing{}, Pruning{}
	err = v.readPack(ctx, p.ref, func(m Member, sealed []byte) error {
		if erased[m.Account] {
			return context.Cause(ctx)
		}
		if seqs := p.may(m.Offset); len(seqs) > 0 && !o.Skip(m.Account) {
			if sealed, err = v.pruneMember(ctx, m, sealed, seqs, &gone); err != nil {
				return err
			}
		}
		made.add(m, sealed)
		return nil
	})
	if err != nil || gone.Versions == 0 || gone.Octets*100 < p.all*int64(o.Share) {
		return x, err
	}
	ref, err := v.putPack(ctx, made)
	if err != nil {
		return x, err
	}
	x.New = ref.Name
	x.Pruning, err = v.comparePruned(ctx, p, ref, erased, o)
	if err == nil && x.Pruning != gone {
		err = fail("Prune", holdfast.Internal, ref.Name, fmt.Sprintf("the pack lacks octets of %d versions, and %d were to go; no head names it", x.Versions, gone.Versions), nil)
	}
	if err != nil {
		return x, err
	}
	ref.Tier, ref.Segments, ref.Batches, ref.Replaces = p.ref.Tier, p.ref.Segments, p.ref.Batches, []string{p.ref.Name}
	ref.Pruned = &x.Pruning
	return x, w.Head(ctx, HeadInput{Packs: []PackRef{ref}})
}

// pruneMember returns a member without the octets of the versions of some seqs, and adds up what it lacks.
func (v *Vault) pruneMember(ctx context.Context, m Member, sealed []byte, seqs []uint64, gone *Pruning) ([]byte, error) {
	lines, err := v.openMember(ctx, m, sealed)
	if err != nil {
		return nil, err
	}
	var out []byte
	for i := range lines {
		c := &lines[i]
		if _, may := slices.BinarySearch(seqs, c.Seq); may && c.Prunable() && !c.Pruned {
			c.Prune()
			gone.Versions, gone.Octets = gone.Versions+1, gone.Octets+c.Size
		}
		out = append(out, c.line()...)
	}
	return v.sealMember(ctx, m.Account, out)
}

// line returns the line of a change, as members have it.
func (c *Loaded) line() []byte {
	return journal.AppendLine(nil, &c.Change, journal.Stored{Batch: c.Batch, At: c.Stored})
}

// comparePruned reads a pack that was pruned, and the old one again, as the place has them: each member of either is opened. The new one must have every line of the old one octet for octet, but for versions that may go: of those all but their octets. It returns what the new one lacks.
func (v *Vault) comparePruned(ctx context.Context, p *plannedPack, ref PackRef, erased map[holdfast.ID]bool, o PruneOptions) (lacks Pruning, err error) {
	type readBack struct {
		Member
		sealed []byte
	}
	var made []readBack
	if err := v.readPack(ctx, ref, func(m Member, sealed []byte) error { made = append(made, readBack{m, sealed}); return nil }); err != nil {
		return lacks, err
	}
	bad := func(m Member, what string) error {
		return fail("Prune", holdfast.Internal, ref.Name, fmt.Sprintf("the pack was written to replace %s, and %s in changes %d to %d of account %s; no head names it, and nothing was let go of", p.ref.Name, what, m.From, m.To, m.Account), nil)
	}
	err = v.readPack(ctx, p.ref, func(m Member, sealed []byte) error {
		if erased[m.Account] {
			return context.Cause(ctx)
		}
		if len(made) == 0 || !sameMember(m, made[0].Member) {
			return bad(m, "lacks a member")
		}
		v.forget(m.Account) // the key is the one that the vault has
		was, err := v.openMember(ctx, m, sealed)
		if err != nil {
			return err
		}
		is, err := v.openMember(ctx, made[0].Member, made[0].sealed)
		if err != nil {
			return err
		}
		made = made[1:]
		var seqs []uint64
		if !o.Skip(m.Account) {
			seqs = p.may(m.Offset)
		}
		for i := range was { // openMember made sure that both are complete
			a, b := &was[i], &is[i]
			if _, may := slices.BinarySearch(seqs, a.Seq); may && a.Prunable() && !a.Pruned {
				lacks.Versions, lacks.Octets = lacks.Versions+1, lacks.Octets+a.Size
				a.Prune()
			}
			if !bytes.Equal(a.line(), b.line()) || a.Hash != b.Hash || a.Chain != b.Chain || a.Before != b.Before {
				return bad(m, fmt.Sprintf("has not the octets that it should have of change %d", a.Seq))
			}
		}
		return nil
	})
	if err == nil && len(made) > 0 {
		err = bad(made[0].Member, "has a member more")
	}
	return lacks, err
}

// sameMember tells whether two members say that they are of the same changes.
func sameMember(a, b Member) bool {
	return a.Account == b.Account && a.Epoch == b.Epoch && a.From == b.From && a.To == b.To && a.Before == b.Before && a.Chain == b.Chain && a.Term == b.Term && a.BatchFrom == b.BatchFrom && a.BatchTo == b.BatchTo && a.First.Equal(b.First) && a.Last.Equal(b.Last)
}
