package relay

import (
	"context"
	"fmt"
	"sort"
	"time"

	"holdfast"
	"holdfast/internal/vault"
)

// diverged settles that the store and a vault went different ways: each has batches that the other lacks. From the last position that both have on, accounts that only the vault's branch changed get its
// changes; those that only the store's branch changed go on; those that both changed are in conflict, and nobody reads them until that is settled. Then the vault gets a new term, and the store's
// branch is shipped to it. What the vault's branch says stays in the vault.
func (r *Relay) diverged(ctx context.Context, name string, v *vault.Vault, end holdfast.Position) error {
	common, err := r.common(ctx, v, min(end.Batch, r.o.Engine.Position().Batch))
	if err != nil {
		return err
	}
	r.o.Log.Error("the store and a vault went different ways", "vault", name, "common", common.Batch, "store", r.o.Engine.Position().Batch, "vault_has", end.Batch)
	ours := map[holdfast.ID]span{}
	if err := r.eachAfter(ctx, common.Batch, func(b *holdfast.Batch) error { note(ours, b.Changes); return nil }); err != nil {
		return err
	}
	if err := prefixes(ctx, v, common.Batch, ours); err != nil {
		return err
	}
	theirs := map[holdfast.ID]span{}
	x := newIndexer(r.o.Engine, r.o.Derive)
	err = v.Frames(ctx, common.Batch, func(b *holdfast.Batch, _ time.Time) error {
		note(theirs, b.Changes)
		only := &holdfast.Batch{}
		for i := range b.Changes {
			if _, both := ours[b.Changes[i].Account]; !both {
				only.Changes = append(only.Changes, b.Changes[i])
			}
		}
		if len(only.Changes) == 0 {
			return nil
		}
		if err := x.index(ctx, only.Changes); err != nil {
			return err
		}
		return r.o.Engine.Apply(ctx, only)
	})
	if err != nil {
		return err
	}
	for account, t := range theirs {
		o, both := ours[account]
		if !both || r.o.Conflict == nil {
			continue
		}
		if at, err := (&origin{engine: r.o.Engine}).Chain(ctx, account, t.last); err == nil && at == t.chain {
			continue // the store has all of it, and went on from there
		} else if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
			return err
		}
		if err := r.o.Conflict(ctx, Conflict{Account: account, Vault: name, Common: min(o.first, t.first) - 1, Ours: o.last, Theirs: t.last}); err != nil {
			return err
		}
	}
	_, err = v.Adopt(ctx, r.o.Store, common, vault.FromFork)
	return err
}

// prefixes takes out of ours the accounts of which the vault's branch has everything, and goes on: what another vault of the same branch, or a start that was cut, has brought here already is no branch of ours.
func prefixes(ctx context.Context, v *vault.Vault, common uint64, ours map[holdfast.ID]span) error {
	return v.Frames(ctx, common, func(b *holdfast.Batch, _ time.Time) error {
		for i := range b.Changes {
			c := &b.Changes[i]
			if o, ok := ours[c.Account]; ok && o.last == c.Seq && o.chain == c.Chain {
				delete(ours, c.Account)
			}
		}
		return nil
	})
}

// span is what a branch did to an account.
type span struct {
	first, last uint64
	chain       holdfast.Hash // at last
}

func note(m map[holdfast.ID]span, changes []holdfast.Change) {
	for i := range changes {
		c := &changes[i]
		s, ok := m[c.Account]
		if !ok {
			s.first = c.Seq
		}
		s.last, s.chain = c.Seq, c.Chain
		m[c.Account] = s
	}
}

// eachAfter reads the store's stream above a batch, in bounded pieces.
func (r *Relay) eachAfter(ctx context.Context, batch uint64, fn func(*holdfast.Batch) error) error {
	for {
		at := batch
		if err := r.o.Engine.After(ctx, at, maxFrameChanges, func(b *holdfast.Batch) error {
			batch = b.Batch
			return fn(b)
		}); err != nil || at == batch {
			return err
		}
	}
}

// common finds the last position that the store and the vault both have: equality of the hashes is a matter of prefixes, so it is searched by halves.
func (r *Relay) common(ctx context.Context, v *vault.Vault, upto uint64) (holdfast.Position, error) {
	var fault error
	n := sort.Search(int(upto)+1, func(i int) bool { // the first that differs
		if fault != nil || i == 0 {
			return false
		}
		ours, ok, err := r.o.Engine.HashAt(ctx, uint64(i))
		if err == nil && !ok {
			return false // before this store's own beginning
		}
		theirs, ok2, err2 := v.HashAt(ctx, uint64(i))
		if fault = firstErr(err, err2); fault != nil || !ok2 {
			return false // sealed away: so old that it is taken for common, and looked at again below
		}
		return ours != theirs
	})
	if fault != nil {
		return holdfast.Position{}, fault
	}
	batch := uint64(n - 1)
	hash, ok, err := r.o.Engine.HashAt(ctx, batch)
	theirs, ok2, err2 := v.HashAt(ctx, batch)
	if err = firstErr(err, err2); err != nil {
		return holdfast.Position{}, err
	}
	if !ok || !ok2 || hash != theirs {
		return holdfast.Position{}, fail("Reconcile", holdfast.Invalid, v.Meta().Name, fmt.Sprintf("the store and the vault %q went different ways, so long ago that it cannot be said where: one of them is another store's, or much older. Restore from the vault into a new place and compare, or retire the vault", v.Meta().Name), nil)
	}
	return holdfast.Position{Batch: batch, Hash: hash}, nil
}

func firstErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
