package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/control"
	"holdfast/internal/place"
	"holdfast/internal/registry"
	"holdfast/internal/relay"
	"holdfast/internal/retain"
	"holdfast/internal/vault"
)

// retainedName is the file of a data directory that says when old octets were last let go of in the living store, and what came of it. It may be removed: then they are looked for again.
const retainedName = "retained.json"

// retained is what came of the last round over the living store.
type retained struct {
	At time.Time `json:"at"`
	retain.Report
	Since map[string]time.Time `json:"held_since,omitempty"` // since when each thing has held it up, by [wordsOf] it
}

// after returns what came of a round, with since when each thing that holds it up has done so.
func (r retained) after(now time.Time, rep retain.Report) retained {
	out := retained{At: now, Report: rep, Since: map[string]time.Time{}}
	for _, why := range rep.Held {
		since, was := r.Since[wordsOf(why)]
		if !was || since.After(now) {
			since = now
		}
		out.Since[wordsOf(why)] = since
	}
	return out
}

// retention says what came of the last round over the living store, and what holds it up; nil: there was none.
func (k *keeper) retention() *control.Retention {
	var last retained
	if ok, err := readState(k.c.Data, retainedName, &last); err != nil || !ok || !k.c.Vault.Engine {
		return nil
	}
	out := &control.Retention{At: last.At.UTC(), Versions: last.Versions, Octets: last.Octets, Unproven: last.Unproven, Held: []control.HeldUp{}}
	for _, why := range last.Held {
		since, known := last.Since[wordsOf(why)]
		if !known {
			since = last.At
		}
		out.Held = append(out.Held, control.HeldUp{Why: why, Since: since.UTC()})
	}
	return out
}

// retainEngine lets old octets go in the living store when that is due, until ctx ends: as often as in vaults in directories. It begins as late after a start as they are read.
func (k *keeper) retainEngine(ctx context.Context) {
	if !k.c.Vault.Engine || k.apart {
		return
	}
	var last retained
	if _, err := readState(k.c.Data, retainedName, &last); err != nil {
		last = retained{}
	}
	began := clock.System.Now()
	for clock.Sleep(ctx, clock.System, min(k.c.Vault.Prune, firstRead)) == nil {
		now := clock.System.Now()
		if !readDue(now.Sub(began), k.c.Vault.Prune) || !pruneDue(kindDir, last.At, now, k.c.Vault.Prune) {
			continue
		}
		rep, err := k.retain(ctx)
		if ctx.Err() != nil {
			return
		}
		last = last.after(now.UTC().Truncate(time.Second), rep)
		if err := writeState(k.c.Data, retainedName, last); err != nil {
			k.log.Warn("when old octets were let go of in the living store could not be written down", "err", err)
		}
		k.tellRetained(rep, err)
	}
}

// tellRetained says what came of a round. That nothing went is no alarm: a store that grows is a nuisance.
func (k *keeper) tellRetained(rep retain.Report, err error) {
	if err != nil {
		k.log.Warn("the octets of old versions could not be let go of in the living store; that is tried again", "err", err)
	}
	if len(rep.Held) > 0 {
		k.log.Info("nothing was let go of in the living store, or not all that is old", "why", rep.Held)
	}
	if rep.Versions > 0 || rep.Unproven > 0 || rep.Passed > 0 {
		k.log.Info("the octets of old versions were let go of in the living store", "accounts", rep.Accounts, "versions", rep.Versions, "octets", rep.Octets, "unproven_accounts", rep.Unproven, "passed_over_accounts", rep.Passed)
	}
}

// retain lets go of what every vault of the policy, and one in another failure domain than the store, has been proven for. docs/design/0035 says when.
func (k *keeper) retain(ctx context.Context) (rep retain.Report, err error) {
	k.pruned.mu.Lock() // no vault is pruned meanwhile
	defer k.pruned.mu.Unlock()
	held := k.heldUp()
	names, why := k.askedToRetain()
	if held = append(held, why...); len(held) > 0 {
		return retain.Report{Held: held}, nil
	}
	pace := k.pacer(nil)
	var list []*vault.Vault
	defer func() {
		for _, v := range list {
			v.Close()
		}
	}()
	for _, name := range names {
		e := k.vaults().Find(name)
		if e == nil {
			return retain.Report{Held: []string{fmt.Sprintf("the policy names a vault %s, and there is none", name)}}, nil
		}
		v, err := k.openDamagedAt(ctx, *e, func(p place.Place) place.Place { return pacedPlace{p, pace} })
		if err != nil {
			return rep, err
		}
		list = append(list, v)
	}
	spool, err := workDir(k.c.Data, "retain")
	if err != nil {
		return rep, err
	}
	rep, err = retain.Run(ctx, retain.Options{Engine: k.engine, Vaults: list, Age: max(k.c.Vault.Retention, k.c.Vault.Keep), Spool: spool, Skip: k.spared, Held: k.heldUp, Pace: pace.Took,
		Done: func(id holdfast.ID, versions, octets int64) {
			k.log.Info("octets of old versions were let go of in the living store", "account", id, "versions", versions, "octets", octets)
		}})
	return rep, errors.Join(err, os.RemoveAll(spool))
}

// askedToRetain returns the vaults that must agree: those that the policy names, and one in another failure domain than the store. Where there is none such it says why nothing goes.
func (k *keeper) askedToRetain() (names, held []string) {
	policy, err := relay.ParsePolicy(k.policy())
	if err != nil {
		return nil, []string{sentence(err)}
	}
	return chooseRetained(policy.Names(), k.vaults().Vaults, k.relay.Status().Vaults)
}

// chooseRetained is askedToRetain without the keeper. Of several vaults in other failure domains one in a directory is rather asked: a remote one is read over the network.
func chooseRetained(policy []string, list []registry.Entry, status []relay.VaultStatus) (names, held []string) {
	names = slices.Clone(policy)
	apart := apartOf(status)
	if slices.ContainsFunc(names, func(name string) bool { return slices.Contains(apart, name) }) {
		return names, nil
	}
	for _, remote := range []bool{false, true} {
		for _, e := range list {
			if e.Kind != kindLedger && !inDirectory(e.Kind) == remote && slices.Contains(apart, e.Name) {
				return append(names, e.Name), nil
			}
		}
	}
	return nil, []string{"no vault lies in another failure domain than the living store"}
}

// apartOf returns the vaults that do not end together with the living store: neither do they lie on its disk, nor are they labelled as one that does.
func apartOf(status []relay.VaultStatus) (out []string) {
	for i := range status {
		if status[i].Apart() {
			out = append(out, status[i].Name)
		}
	}
	return out
}
