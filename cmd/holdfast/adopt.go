package main

import (
	"context"
	"fmt"
	"log/slog"

	"holdfast"
	"holdfast/internal/registry"
	"holdfast/internal/seal"
	"holdfast/internal/vault"
)

// adoptVault makes the next term of a vault this store's, once. A vault that the store was restored from goes on from there; any other is filled anew.
//
// What another store wrote into the vault after it was read is not in this one, and would be given up. So it is looked for before the term is made, and once more afterwards, when nobody else can write there any more: what came in between was acknowledged, and
// the store must be restored again.
func adoptVault(ctx context.Context, e registry.Entry, ring *seal.Ring, store holdfast.ID, r *restored, log *slog.Logger) error {
	v, err := openVault(ctx, e, vault.Options{Ring: ring, Log: log})
	if err != nil {
		return fmt.Errorf("the vault %s: %w", e.Name, err)
	}
	defer v.Close()
	_, term, err := v.End(ctx)
	if err != nil {
		return err
	}
	var from restoredOf
	for _, x := range r.From {
		if x.Vault == v.Meta().Vault {
			from = x
		}
	}
	if term.Store != store { // else it was cut behind this one
		if from.Term > 0 && term.Number != from.Term {
			return refused("another store has taken the right to write into the vault %s since this one was restored from it. Restore again into a new place, and adopt that", e.Name)
		}
		if err := wroteSince(ctx, v, e.Name, from); err != nil {
			return err
		}
		base := holdfast.Position{}
		if from.Whole {
			base = holdfast.Position{Batch: r.Batch, Hash: r.Hash}
		}
		if _, err := v.Adopt(ctx, store, base, vault.FromNothing); err != nil {
			return err
		}
	}
	return wroteSince(ctx, v, e.Name, from)
}

// wroteSince refuses a vault into which more came after the store was restored from it.
func wroteSince(ctx context.Context, v *vault.Vault, name string, from restoredOf) error {
	if from.Term == 0 { // it was not read, or where it ended was not known
		return nil
	}
	end, err := v.EndOf(ctx, from.Term)
	if err != nil || end.Batch <= from.End.Batch {
		return err
	}
	return refused("another store has written into the vault %s since this one was restored from it (up to batch %d, not %d): what it acknowledged would be given up. Stop that store for good, restore again into a new place, and adopt that",
		name, end.Batch, from.End.Batch)
}
