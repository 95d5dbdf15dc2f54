package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"holdfast"
	"holdfast/internal/control"
	"holdfast/internal/place"
	"holdfast/internal/registry"
	"holdfast/internal/relay"
	"holdfast/internal/vault"

	"github.com/spf13/cobra"
)

// vaultSpoolName is where the repair of a vault sorts on the way; in the clear.
const vaultSpoolName = "vault-repair-spool"

// maxFindings bounds the findings that the report of a repair names.
const maxFindings = 100

// Repair implements [control.Vaults].
func (k *keeper) Repair(ctx context.Context, name string, q control.VaultRepair, fn func(control.VaultMended)) (rep control.VaultRepairReport, err error) {
	rep = control.VaultRepairReport{Vault: name, Damaged: []string{}, Packs: []string{}, Findings: []string{}}
	e := k.vaults().Find(name)
	if e == nil {
		return rep, keyTrouble(holdfast.NotFound, "there is no vault called %q; `holdfast vault list` shows which are", name)
	}
	if k.apart {
		return rep, keyTrouble(holdfast.Forbidden, "this store was restored and has no right to write into its vaults yet: holdfast adopt %s", k.c.Data)
	}
	var left []relay.BlobFinding // large files
	o := relay.RepairOptions{Open: func(ctx context.Context) (*vault.Vault, error) { return k.openDamaged(ctx, *e) }, Spool: filepath.Join(k.c.Data, vaultSpoolName),
		Done: func(what, name string, changes uint64) {
			if what == "file" {
				rep.Files++
			}
			fn(control.VaultMended{What: what, Name: name, Changes: changes})
		}, Left: func(f relay.BlobFinding) { left = append(left, f) }}
	if q.From != "" {
		other, err := k.openNamed(ctx, q.From)
		if err != nil {
			return rep, err
		}
		defer other.Close()
		if other.Meta().Ledger() && e.Kind != kindLedger {
			return rep, keyTrouble(holdfast.Invalid, "%s is a ledger, which has no octets: what the vault %s lacks is not there", q.From, name)
		}
		o.Others = []*vault.Vault{other}
	}
	k.repairing.Lock()
	defer k.repairing.Unlock()
	if err := os.RemoveAll(o.Spool); err != nil { // of one that was cut
		return rep, err
	}
	defer os.RemoveAll(o.Spool)
	did, anew, err := k.relay.RepairVault(ctx, name, o)
	rep.Damaged, rep.Packs, rep.Changes, rep.Anew = append(rep.Damaged, did.Damaged...), append(rep.Packs, did.Packs...), did.Changes, anew
	if err != nil {
		return rep, err
	}
	k.log.Info("a vault was repaired", "vault", name, "damaged", len(rep.Damaged), "packs", len(rep.Packs), "changes", rep.Changes, "anew", anew)
	known := func(x *verifier, _ context.Context, _ *vault.Vault) error { // the repair has just read them
		for _, f := range left {
			x.file(f)
		}
		return nil
	}
	found, err := k.verify(ctx, name, true, known, func(f control.VaultFinding) {
		if len(rep.Findings) < maxFindings {
			f.Account = k.called(f.Account)
			rep.Findings = append(rep.Findings, describeFinding(f))
		}
	})
	rep.Left = found.Findings
	return rep, err
}

// called is what people call an account of which a finding says the id; the id where that is not known.
func (k *keeper) called(id string) string {
	of, err := holdfast.ParseID(id)
	if err != nil {
		return id
	}
	snap, err := k.engine.Snapshot(context.Background())
	if err != nil {
		return id
	}
	defer snap.Close()
	a, err := snap.Account(of)
	if err != nil || a.Email == "" {
		return id
	}
	return a.Email
}

// openDamaged opens a vault of the list to repair it.
func (k *keeper) openDamaged(ctx context.Context, e registry.Entry) (*vault.Vault, error) {
	return k.openDamagedAt(ctx, e, func(p place.Place) place.Place { return p })
}

// openDamagedAt does so through what wrap makes of the place.
func (k *keeper) openDamagedAt(ctx context.Context, e registry.Entry, wrap func(place.Place) place.Place) (*vault.Vault, error) {
	p, err := openPlace(e, false, k.log)
	if err != nil {
		return nil, err
	}
	p = wrap(p)
	o := k.options()
	o.Place, o.Watch = p, k.sweeps.of(e.Vault)
	v, err := vault.OpenDamaged(ctx, o, k.meta(e))
	if err == nil && v.Meta().Vault != e.Vault {
		err = refused("at %s lies another vault (%s) than the one that is called %s (%s); is the right disk mounted?", e.Location, v.Meta().Vault, e.Name, e.Vault)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return v, nil
}

func (a *app) vaultRepair() *cobra.Command {
	var q control.VaultRepair
	c := &cobra.Command{
		Use:   "repair NAME [--from OTHER]",
		Short: "Make a damaged vault whole again from the living service",
		Long: `Read everything in a vault, and write anew what is damaged or missing: out of what can still be read of it, else from the service,
and with --from out of another vault what the service does not have. The service goes on meanwhile. What was damaged is read no more, and
removed later. A vault whose newest term was lost is filled anew.

The exit status is 0 if nothing is wrong with the vault afterwards, and 1 if something is left.`,
		Example: `  holdfast vault repair local
  holdfast vault repair attic --from local`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			if _, err := os.Stat(q.From); q.From != "" && err == nil { // the server may run elsewhere
				q.From = absolute(q.From)
			}
			return a.repairVault(cmd, list[0], q)
		},
	}
	c.Flags().StringVar(&q.From, "from", "", "another `VAULT`, for what the service does not have")
	return c
}

func (a *app) repairVault(cmd *cobra.Command, name string, q control.VaultRepair) error {
	return a.with(cmd, toLook, func(ctx context.Context, cl *control.Client) error {
		bar := a.progress("objects", noOctets)
		defer bar.end()
		done, changes := 0, uint64(0)
		rep, err := cl.RepairVault(ctx, name, q, func(d control.VaultMended) {
			done, changes = done+1, changes+d.Changes
			bar.where = fmt.Sprintf(", with %s", count(int64(changes), "change"))
			bar.at(done, int64(done))
		})
		bar.end()
		if errors.Is(err, context.Canceled) {
			return interrupted(false, "repaired")
		}
		if err != nil {
			return err
		}
		if a.json {
			err = a.printJSON("vault.repair", rep)
		} else {
			a.showRepaired(&rep, q.From)
		}
		if err == nil && rep.Left > 0 {
			err = &exitError{code: exitNegative}
		}
		return err
	})
}

func (a *app) showRepaired(rep *control.VaultRepairReport, from string) {
	for _, name := range rep.Damaged {
		a.printf("was damaged: %s\n", name)
	}
	if rep.Anew {
		a.printf("The vault was filled anew: its newest term was lost.\n")
	}
	for _, f := range rep.Findings {
		a.printf("LEFT: %s\n", inTable(f))
	}
	a.printf("%s: %s damaged, %s and %s written, with %s that had been missing; left: %d.\n", rep.Vault, count(int64(len(rep.Damaged)), "object"), count(int64(len(rep.Packs)), "pack"), count(rep.Files, "large file"),
		count(int64(rep.Changes), "change"), rep.Left)
	if rep.Left == 0 {
		return
	}
	if from == "" {
		a.printf("What is left is sound neither in this vault nor in the living service. Another vault may have it: holdfast vault repair %s --from OTHER\n", rep.Vault)
	}
	a.printf("What is damaged in the living service is named, and mended out of its vaults, by: holdfast scrub\n" +
		"What no copy has a phone may still have: export there, and then: holdfast salvage EMAIL --from FILE\n")
}
