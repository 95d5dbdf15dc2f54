package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/registry"
	"holdfast/internal/seal"
	"holdfast/internal/vault"
	"holdfast/internal/vfs"

	"github.com/spf13/cobra"
)

// adoptCommand gives a restored store the right to write.
func (a *app) adoptCommand() *cobra.Command {
	var without []string
	var acceptLoss bool
	c := &cobra.Command{
		Use:   "adopt DIR",
		Short: "Give a restored store the right to write into its vaults",
		Long: `Give the store in DIR, which was restored, the right to write into its vaults: from then on no other store that had
it can. Stop the old server for good first; where it still runs on this machine, that is refused.

Every vault of the store must be there. One that was lost too is taken off the list with --without.

It is refused where another store has written into a vault since this one was restored from it: restore again then. And where a vault
that it was not restored from has later changes, or where it was restored with losses, or out of a damaged vault, and another vault of
the store has what it lacks: restore again from both, or say --accept-loss. It can be run again after it was cut short.`,
		Example: `  holdfast adopt ./holdfast-data
  holdfast adopt ./holdfast-data --without local`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			cfg, err := a.load(cmd)
			if err != nil {
				return err
			}
			return a.adopt(cmd.Context(), cfg, list[0], without, acceptLoss)
		},
	}
	c.Flags().BoolVar(&acceptLoss, "accept-loss", false, "go on also where a vault of the store has what was lost")
	c.Flags().StringArrayVar(&without, "without", nil, "take the vault `NAME` off the list: it is lost for good; may be said several times")
	return c
}

func (a *app) adopt(ctx context.Context, c *config.Config, dir string, without []string, acceptLoss bool) error {
	var r restored
	ok, err := readState(dir, restoredName, &r)
	switch {
	case err != nil:
		return err
	case !ok:
		return refused("%s was not restored: a store that was made here has the right to write", dir)
	case r.Partial != "":
		return refused("%s holds a part of a store (%s): it cannot go on in the place of the whole", dir, r.Partial)
	}
	if err := mayOpen(dir, toUse); err != nil {
		return err
	}
	lease, err := vfs.AcquireLease(vfs.OS, filepath.Join(dir, leaseName))
	if err != nil {
		return &holdfast.Error{Op: "adopt", Kind: holdfast.Busy, Ref: dir, Text: "another process works on this directory", Err: err}
	}
	defer lease.Release()
	log := a.logger(c)
	id, err := readIdentity(dir)
	if err != nil {
		return err
	}
	reg, _, err := registry.Read(vfs.OS, dir)
	if err != nil {
		return err
	}
	ring, err := registry.ReadKeys(vfs.OS, dir)
	if err != nil {
		return err
	}
	for _, name := range without {
		if err := reg.Remove(name); err != nil && r.Adopted == nil {
			return &exitError{exitUsage, fmt.Sprintf("--without %s: the store has no vault of this name", name)}
		}
	}
	if r.Adopted == nil {
		x := &adopting{c, dir, id.Store, reg, ring, &r, log}
		if err := a.giveUp(x.further(ctx), acceptLoss); err != nil {
			return err
		}
		if mayLack(dir, &r) {
			if err := a.giveUp(x.compare(ctx), acceptLoss); err != nil {
				return err
			}
		}
	}
	if err := ownBlobs(ctx, c, dir, log); err != nil {
		return err
	}
	var names []string
	for _, e := range reg.Vaults {
		if err := adoptVault(ctx, e, ring, id.Store, &r, log); err != nil {
			return unreached(err, e.Name, dir)
		}
		names = append(names, e.Name)
	}
	if len(without) > 0 {
		if err := reg.Write(vfs.OS, dir); err != nil {
			return err
		}
	}
	now := clock.System.Now().UTC().Truncate(time.Second)
	r.Adopted = &now
	if err := writeState(dir, restoredName, r); err != nil {
		return err
	}
	if a.json {
		return a.printJSON("adopt", map[string]any{"store": id.Store, "vaults": names})
	}
	if len(names) == 0 {
		a.say("The store has no vault: add one (holdfast vault add --data %s ...).\n", dir)
	}
	into := ""
	if len(names) > 0 {
		into = ", into: " + strings.Join(names, ", ")
	}
	a.printf("%s has the right to write now%s. Start it: holdfast serve --data %s\n", dir, into, dir)
	if len(without) > 0 { // a policy that waits for less than before is nothing to find out later
		a.printf("Unless policy.ack says otherwise, a change is acknowledged once it is in %s.\n", policyOf(reg))
	}
	return nil
}

// giveUp takes a loss that was found where somebody accepted it, and names it all the same.
func (a *app) giveUp(err error, accepted bool) error {
	if err == nil || !accepted {
		return err
	}
	var l *givenUp
	if errors.As(err, &l) {
		a.say("Given up: %s.\n", l.what)
	} else {
		a.say("What is given up could not be looked for, and nobody can tell how much it is: %s\n", sentence(err))
	}
	return nil
}

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
	from := r.of(v)
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
