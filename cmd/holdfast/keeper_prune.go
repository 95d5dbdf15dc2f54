package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/control"
	"holdfast/internal/place"
	"holdfast/internal/registry"
	"holdfast/internal/relay"
	"holdfast/internal/vault"

	"github.com/spf13/cobra"
)

// prunedName is the file of a data directory that says when each vault was pruned last. It may be removed: then they are pruned again.
const prunedName = "pruned.json"

// pruned remembers when each vault was pruned last, by name.
type pruned struct {
	mu   sync.Mutex // held by who prunes: one vault at a time
	last map[string]time.Time
}

// pruneWhole prunes each vault when that is due, one after the other, until ctx ends.
func (k *keeper) pruneWhole(ctx context.Context) {
	if _, err := readState(k.c.Data, prunedName, &k.pruned.last); err != nil || k.pruned.last == nil {
		k.pruned.last = map[string]time.Time{}
	}
	began := clock.System.Now()
	for clock.Sleep(ctx, clock.System, min(k.c.Vault.Prune, firstRead)) == nil {
		now := clock.System.Now()
		if !readDue(now.Sub(began), k.c.Vault.Prune) {
			continue
		}
		for _, e := range k.vaults().Vaults {
			if e.Kind == kindLedger || !pruneDue(e.Kind, k.pruned.last[e.Name], now, k.c.Vault.Prune) || ctx.Err() != nil {
				continue
			}
			k.pruned.last[e.Name] = now
			if err := writeState(k.c.Data, prunedName, k.pruned.last); err != nil {
				k.log.Warn("when a vault was pruned last could not be written down", "err", err)
			}
			rep, err := k.Prune(ctx, e.Name, control.PruneRequest{})
			switch {
			case err != nil && ctx.Err() == nil:
				k.log.Warn("a vault could not be pruned; that is tried again", "vault", e.Name, "err", err)
			case len(rep.Held) > 0:
				k.log.Info("nothing was pruned", "vault", e.Name, "why", rep.Held)
			}
		}
	}
}

// pruneDue tells whether a vault is pruned now. One that is not in a directory is read over the network for it, so less often.
func pruneDue(kind string, last, now time.Time, every time.Duration) bool {
	if !inDirectory(kind) {
		every *= 4
	}
	return last.After(now) || now.Sub(last) >= every
}

// Prune implements [control.Vaults], by the rules of docs/design/0035.
func (k *keeper) Prune(ctx context.Context, name string, q control.PruneRequest) (rep control.PruneReport, err error) {
	rep = control.PruneReport{Vault: name, Retention: k.c.Vault.Retention.Seconds(), DryRun: q.DryRun, Packs: []control.PrunedPack{}, Waiting: []control.WaitingPack{}}
	e := k.vaults().Find(name)
	if e == nil {
		return rep, keyTrouble(holdfast.NotFound, "there is no vault called %q; `holdfast vault list` shows which are", name)
	}
	if e.Kind == kindLedger {
		return rep, keyTrouble(holdfast.Invalid, "%s is a ledger: it has no octets that could be let go of", name)
	}
	if k.apart {
		return rep, keyTrouble(holdfast.Forbidden, "this store was restored and has no right to write into its vaults yet: holdfast adopt %s", k.c.Data)
	}
	k.pruned.mu.Lock()
	defer k.pruned.mu.Unlock()
	rep.Held = k.heldUp()
	plan, err := k.planPruning(ctx, *e, q.DryRun || len(rep.Held) > 0, &rep)
	if err != nil {
		return rep, err
	}
	if q.DryRun || len(rep.Held) > 0 {
		for _, x := range plan.Report.Packs {
			rep.Packs = append(rep.Packs, control.PrunedPack{Old: x.Old, Versions: x.Versions, Octets: x.Octets})
		}
		return rep, nil
	}
	if err := k.writePruned(ctx, name, plan, &rep); err != nil {
		return rep, err
	}
	return rep, k.purge(ctx, *e, &rep)
}

// planPruning reads a vault beside its writer, and counts.
func (k *keeper) planPruning(ctx context.Context, e registry.Entry, dry bool, rep *control.PruneReport) (*vault.PrunePlan, error) {
	v, err := k.openDamagedAt(ctx, e, func(p place.Place) place.Place {
		if dry { // somebody waits for it
			return p
		}
		return pacedPlace{p, k.pacer(nil)}
	})
	if err != nil {
		return nil, err
	}
	defer v.Close()
	spool, err := workDir(k.c.Data, "prune")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(spool)
	plan, err := v.PlanPruning(ctx, vault.PruneOptions{Age: k.c.Vault.Retention, Spool: filepath.Join(spool, "sorted"), Skip: k.spared, Dry: dry})
	if err != nil {
		return nil, err
	}
	x := &plan.Report
	rep.Counted, rep.Accounts, rep.Passed, rep.Versions, rep.Octets, rep.Early, rep.Few = x.Counted.Seconds(), x.Accounts, x.Passed, x.Versions, x.Octets, x.Early, x.Few
	if n := len(x.Damage); n > 0 {
		rep.Held = append(rep.Held, fmt.Sprintf("the vault %s holds %s that cannot be read, such as %s: %s", e.Name, count(int64(n), "thing"), x.Damage[0].Object, x.Damage[0].What))
	}
	return plan, k.tellWaiting(ctx, v, rep)
}

func (k *keeper) tellWaiting(ctx context.Context, v *vault.Vault, rep *control.PruneReport) error {
	list, err := v.Waiting(ctx)
	rep.Waiting = []control.WaitingPack{}
	for _, w := range list {
		rep.Waiting = append(rep.Waiting, control.WaitingPack{Pack: w.Pack, Octets: w.Octets, Left: w.Left.Seconds(), Why: append([]string{}, w.Why...)})
	}
	return err
}

// heldUp returns what keeps octets from being let go of anywhere: a vault that is not whole, as it may come to need what another has, and damage in the living store.
func (k *keeper) heldUp() []string {
	held := []string{}
	for _, v := range k.relay.Status().Vaults {
		if v.Kind == kindLedger {
			continue // it never comes to need octets
		}
		if v.State != relay.Whole {
			held = append(held, fmt.Sprintf("the vault %s is %s", v.Name, v.State))
		}
		if last, ok := k.scrubs.of(v.Name); ok && last.Findings > 0 {
			held = append(held, fmt.Sprintf("the vault %s held something damaged when it was last read", v.Name))
		}
	}
	if k.rotten != nil && k.rotten() > 0 {
		held = append(held, "the living store holds something damaged")
	}
	return held
}

// spared tells whether nothing of an account goes: it is in doubt, or to be erased.
func (k *keeper) spared(id holdfast.ID) bool { return k.erase == nil || k.erase.spares(id) }

// writePruned does the first step, one pack after the other: in between others get at the vault's writer.
func (k *keeper) writePruned(ctx context.Context, name string, plan *vault.PrunePlan, rep *control.PruneReport) error {
	for _, x := range plan.Report.Packs {
		err := k.relay.Beside(ctx, name, func(ctx context.Context, v *vault.Vault, w *vault.Writer) error {
			done, err := v.PrunePack(ctx, w, plan, x.Old)
			if err == nil && done.New != "" {
				rep.Packs = append(rep.Packs, control.PrunedPack{Old: done.Old, New: done.New, Versions: done.Versions, Octets: done.Octets})
				k.log.Info("a pack was written anew without old versions", "vault", name, "pack", done.New, "replaces", done.Old, "versions", done.Versions, "octets", done.Octets)
			} else if err == nil {
				rep.Few++
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// purge does the second step, where this store may: what a remote vault holds its own server judges, and removes for who has the credential for that.
func (k *keeper) purge(ctx context.Context, e registry.Entry, rep *control.PruneReport) error {
	return k.relay.Beside(ctx, e.Name, func(ctx context.Context, v *vault.Vault, _ *vault.Writer) error {
		if e.Kind != kindRemote {
			gone, err := v.Purge(ctx)
			if rep.Purged = gone.Objects; gone.Objects > 0 {
				k.log.Info("packs were let go of that others without old versions have replaced", "vault", e.Name, "objects", gone.Objects)
			}
			if err != nil {
				return err
			}
		}
		return k.tellWaiting(ctx, v, rep)
	})
}

// pruneNamed prunes one of the store's vaults.
func (a *app) pruneNamed(cmd *cobra.Command, list []string, dry, yes bool) error {
	return a.with(cmd, toLook, func(ctx context.Context, cl *control.Client) error {
		p, err := cl.PruneVault(ctx, list[0], control.PruneRequest{DryRun: dry || !yes})
		if what := goes(&p); err == nil && !dry && !yes && what != "" {
			if err = a.needed(cmd, list, yes, what); err == nil { // somebody was asked
				p, err = cl.PruneVault(ctx, list[0], control.PruneRequest{})
			}
		}
		if err != nil {
			return err
		}
		if a.json {
			return a.printJSON("vault.prune", p)
		}
		a.showPruned(&p)
		return nil
	})
}

// goes says by count what a pruning would let go of; empty: nothing.
func goes(p *control.PruneReport) string {
	if len(p.Held) > 0 {
		return ""
	}
	var versions, size, due int64
	for _, x := range p.Packs {
		versions, size = versions+x.Versions, size+x.Octets
	}
	for _, w := range p.Waiting {
		if len(w.Why) == 0 {
			due++
		}
	}
	var out []string
	if versions > 0 {
		out = append(out, fmt.Sprintf("%s of %s would be left out of %s that are written anew", count(versions, "old version"), octets(size), count(int64(len(p.Packs)), "pack")))
	}
	if due > 0 {
		out = append(out, fmt.Sprintf("%s that others replaced would go for good", count(due, "pack")))
	}
	if out == nil {
		return ""
	}
	return p.Vault + ": " + strings.Join(out, ", and ")
}

func (a *app) showPruned(p *control.PruneReport) {
	a.printf("%s: %s of %s were replaced or deleted longer ago than %s, of %s.\n", p.Vault, count(p.Versions, "version"), octets(p.Octets), clock.Words(time.Duration(p.Retention*float64(time.Second))), count(p.Accounts, "account"))
	a.printf("The vault's own time goes back %s.\n", clock.Words(time.Duration(p.Counted*float64(time.Second))))
	if p.Passed > 0 {
		a.printf("%s passed over, as its history is not whole, or not the one that old heads name\n", count(p.Passed, "account"))
	}
	did := p.DryRun || len(p.Held) > 0
	for _, x := range p.Packs {
		if did {
			a.printf("Would be written anew: %s, without %s of %s\n", x.Old, count(x.Versions, "version"), octets(x.Octets))
		} else {
			a.printf("Written anew: %s as %s, without %s of %s\n", x.Old, x.New, count(x.Versions, "version"), octets(x.Octets))
		}
	}
	if p.Early > 0 {
		a.printf("%s not yet, being too young, or as what they were made of is still there\n", count(int64(p.Early), "pack"))
	}
	if p.Few > 0 {
		a.printf("%s not, as too little of them would go\n", count(int64(p.Few), "pack"))
	}
	for _, w := range p.Waiting {
		if len(w.Why) == 0 {
			a.printf("Due to go: %s, %s\n", w.Pack, octets(w.Octets))
		} else {
			a.printf("Waits to go: %s, %s: %s\n", w.Pack, octets(w.Octets), strings.Join(w.Why, "; "))
		}
	}
	if p.Purged > 0 {
		a.printf("Gone: %s\n", count(int64(p.Purged), "object"))
	}
	for _, why := range p.Held {
		a.printf("Held up: %s\n", why)
	}
}
