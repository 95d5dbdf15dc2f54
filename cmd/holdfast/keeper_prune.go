package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"holdfast"
	"holdfast/internal/control"
	"holdfast/internal/relay"
	"holdfast/internal/vault"

	"github.com/spf13/cobra"
)

// CountOld implements [control.Vaults]. It counts by the rules of docs/design/0035, and removes nothing.
func (k *keeper) CountOld(ctx context.Context, name string) (rep control.PruneReport, err error) {
	rep = control.PruneReport{Vault: name, Retention: k.c.Vault.Retention.Seconds(), Held: []string{}}
	e := k.vaults().Find(name)
	if e == nil {
		return rep, keyTrouble(holdfast.NotFound, "there is no vault called %q; `holdfast vault list` shows which are", name)
	}
	for _, v := range k.relay.Status().Vaults {
		if v.State != relay.Whole {
			rep.Held = append(rep.Held, fmt.Sprintf("the vault %s is %s", v.Name, v.State))
		}
		if last, ok := k.scrubs.of(v.Name); ok && last.Findings > 0 {
			rep.Held = append(rep.Held, fmt.Sprintf("the vault %s held something damaged when it was last read", v.Name))
		}
	}
	if k.rotten != nil && k.rotten() > 0 {
		rep.Held = append(rep.Held, "the living store holds something damaged")
	}
	v, err := k.openDamaged(ctx, *e)
	if err != nil {
		return rep, err
	}
	defer v.Close()
	aged, err := v.AgedHeads(ctx, k.c.Vault.Retention, name)
	if err != nil {
		return rep, err
	}
	rep.Counted = aged.Counted.Seconds()
	if aged.Drill == nil || aged.Drill.Result != "pass" {
		rep.Held = append(rep.Held, fmt.Sprintf("the newest drill of the vault %s that its heads name did not pass, or there is none", name))
	}
	return rep, k.countOld(ctx, v, aged, &rep)
}

// countOld adds up what of each account is old.
func (k *keeper) countOld(ctx context.Context, v *vault.Vault, aged *vault.Aged, rep *control.PruneReport) error {
	spool, err := os.MkdirTemp("", "holdfast-prune-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(spool)
	r, err := vault.NewReader(ctx, []*vault.Vault{v}, vault.ReadOptions{Spool: spool})
	if err != nil {
		return err
	}
	defer r.Close()
	err = r.Accounts(ctx, func(h *vault.History) error {
		rep.Accounts++
		named, old := aged.Accounts[h.Account]
		if !old {
			return nil
		}
		was, ok, err := h.Superseded(ctx, named)
		if err == nil && !ok {
			rep.Passed++
		}
		rep.Versions, rep.Octets = rep.Versions+int64(len(was.Seqs)-was.Pruned), rep.Octets+was.Octets
		return err
	})
	if n := len(r.Damage()); n > 0 {
		rep.Held = append(rep.Held, fmt.Sprintf("the vault %s holds %s that is damaged", rep.Vault, count(int64(n), "object")))
	}
	return err
}

func (a *app) countOld(cmd *cobra.Command, name string) error {
	return a.with(cmd, toLook, func(ctx context.Context, cl *control.Client) error {
		p, err := cl.CountOld(ctx, name)
		if err != nil {
			return err
		}
		if a.json {
			return a.printJSON("vault.prune", p)
		}
		a.printf("%s: %s of %s were replaced or deleted longer ago than %s, of %s. Nothing is removed by age in this version.\n", p.Vault, count(p.Versions, "version"), octets(p.Octets), time.Duration(p.Retention*float64(time.Second)), count(p.Accounts, "account"))
		a.printf("The vault's own time goes back %.1f days.\n", p.Counted/(24*3600))
		if p.Passed > 0 {
			a.printf("%s passed over, as its history is not whole, or not the one that old heads name\n", count(p.Passed, "account"))
		}
		for _, why := range p.Held {
			a.printf("Held up: %s\n", why)
		}
		return nil
	})
}
