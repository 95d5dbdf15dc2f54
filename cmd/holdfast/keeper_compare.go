package main

import (
	"context"
	"errors"

	"holdfast"
	"holdfast/internal/control"
	"holdfast/internal/store"
	"holdfast/internal/vault"
)

// A vault and the store are equal where the digests of all accounts are. The chain, one half of a digest, is compared for each account at the vault's newest change: equal chains are equal histories, octet for octet. The other half, the state,
// is judged within the store: whether its index says what its history says. Where something differs it is said from which change on, and of which item.

// compare finds out whether the store has the same as the vault's history of an account, and the vault all that the store had shipped to it.
func (x *verifier) compare(ctx context.Context, h *vault.History, last *vault.Loaded) error {
	head, err := x.chain(ctx, h.Account, last.Seq)
	switch {
	case last.Seq == 0:
	case holdfast.IsKind(err, holdfast.NotFound):
		x.differs(h.Account, &last.Change, "the vault has this change, and the store has not")
		return nil
	case err != nil:
		return err
	case head.Chain != last.Chain:
		return x.where(ctx, h)
	}
	next, err := x.chain(ctx, h.Account, last.Seq+1)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return nil
	}
	if err == nil && next.Batch <= x.end {
		x.note(control.VaultFinding{Account: h.Account.String(), Seq: next.Seq, What: "the store has shipped this change and those after it, and the vault has not got them"})
	}
	return err
}

// chain reads one point of an account's journal in the store.
func (x *verifier) chain(ctx context.Context, account holdfast.ID, seq uint64) (store.Head, error) {
	if seq == 0 {
		return store.Head{}, nil
	}
	snap, err := x.k.engine.Snapshot(ctx)
	if err != nil {
		return store.Head{}, err
	}
	defer snap.Close()
	return snap.Chain(account, seq)
}

// where finds the first change from which on the histories differ.
func (x *verifier) where(ctx context.Context, h *vault.History) error {
	found := errors.New("found")
	err := h.Changes(ctx, func(list []vault.Loaded) error {
		snap, err := x.k.engine.Snapshot(ctx)
		if err != nil {
			return err
		}
		defer snap.Close()
		for i := range list {
			head, err := snap.Chain(h.Account, list[i].Seq)
			if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
				return err
			}
			if err != nil || head.Chain != list[i].Chain {
				x.differs(h.Account, &list[i].Change, "from this change on the vault and the store have different histories")
				return found
			}
		}
		return nil
	})
	if err == found {
		return nil
	}
	return err
}

// differs notes a difference at a change.
func (x *verifier) differs(account holdfast.ID, c *holdfast.Change, what string) {
	f := control.VaultFinding{Account: account.String(), Seq: c.Seq, Name: c.Name, What: what + " (" + c.Kind.String() + ")"}
	if !c.Collection.IsZero() {
		f.Collection = c.Collection.String()
	}
	x.note(f)
}

// without notes the accounts below one of which the vault has nothing, though the store had shipped them.
func (x *verifier) without(ctx context.Context, below holdfast.ID) error {
	for {
		snap, err := x.k.engine.Snapshot(ctx)
		if err != nil {
			return err
		}
		list, err := snap.Accounts(x.seen, 500)
		for i := range list {
			id := list[i].ID
			if err != nil || !below.IsZero() && id.Compare(below) >= 0 {
				snap.Close()
				return err
			}
			var first store.Head
			gone := false
			if first, err = snap.Chain(id, 1); err == nil && first.Batch <= x.end {
				gone, err = x.erased(ctx, id)
			}
			if err == nil && first.Batch <= x.end && !gone {
				x.note(control.VaultFinding{Account: id.String(), Seq: 1, What: "the store has shipped this account, and the vault has nothing of it"})
			}
			x.seen = id
		}
		snap.Close()
		if err != nil || len(list) == 0 {
			return err
		}
	}
}

// erased tells whether an account is on its way out: it waits for that in the store, and the vault's signed record says that its keys are destroyed. The store forgets an account last, when all vaults have, so a vault lacks it before the store does.
// The record is read anew each time: an account may go while the vault is read.
func (x *verifier) erased(ctx context.Context, id holdfast.ID) (bool, error) {
	snap, err := x.k.engine.Snapshot(ctx)
	if err != nil {
		return false, err
	}
	defer snap.Close()
	a, err := snap.Account(id)
	switch {
	case holdfast.IsKind(err, holdfast.NotFound): // the store has forgotten it meanwhile
	case err != nil:
		return false, err
	case a.State != holdfast.Erasing:
		return false, nil
	}
	told, err := x.told(ctx)
	return told[id], err
}

// rest notes the accounts behind the last one that the vault has, and what the store's own index and history differ in.
func (x *verifier) rest(ctx context.Context) error {
	if err := x.without(ctx, holdfast.ID{}); err != nil {
		return err
	}
	return x.k.engine.Check(ctx, false, nil, func(f store.Finding) {
		if f.Lost {
			return // the vault cannot have it either, and lacks nothing by that
		}
		out := control.VaultFinding{Seq: f.Seq, Name: f.Name, What: "the store itself: " + f.What}
		if !f.Account.IsZero() {
			out.Account = f.Account.String()
		}
		if !f.Collection.IsZero() {
			out.Collection = f.Collection.String()
		}
		x.note(out)
	})
}
