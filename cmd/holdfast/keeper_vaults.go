package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/control"
	"holdfast/internal/core"
	"holdfast/internal/line"
	"holdfast/internal/place"
	"holdfast/internal/registry"
	"holdfast/internal/relay"
	"holdfast/internal/store"
	"holdfast/internal/vault"
	"holdfast/internal/vfs"
)

// makeFirst gives a store that never had a vault its first one, beside the data directory or where the configuration says. Where a vault of this very store stands there it is taken up again.
//
// First the list is durable, with the vault's id and that it is being made, then the vault is made: a start that is cut in between is finished by the next one, and nothing else is ever taken for that
// vault.
func (k *keeper) makeFirst(ctx context.Context) error {
	dir, err := k.c.FirstVaultDir()
	if err != nil || dir == "" || k.had {
		return err
	}
	if err := k.fitForVault(dir); err != nil {
		return err
	}
	e := registry.Entry{Name: firstVaultName, Kind: kindDir, Location: dir, Domain: "first vault", Mode: registry.Sync, Vault: holdfast.NewID(nil), Added: clock.System.Now(), Making: true}
	if err := k.takeUp(ctx, &e); err != nil {
		return err
	}
	if err := k.change(func(r *registry.Registry) error { return r.Add(e) }); err != nil {
		return err
	}
	return k.finish(ctx, e)
}

// fitForVault refuses directories in which a copy would be none.
func (k *keeper) fitForVault(dir string) error {
	data, err := filepath.Abs(k.c.Data)
	switch {
	case err != nil:
		return err
	case inside(dir, data) || inside(data, dir):
		return refused("the vault %s and the data directory %s must lie beside each other, not one in the other: choose another place for the vault (the first one: --first-vault DIR, or none)", dir, data)
	case vfs.Volatile(dir) && !k.c.Volatile:
		say := "say --volatile"
		if k.serving { // what counts is what the server was told
			say = "start serve with --volatile"
		}
		return refused("%s lies in memory (%s): a restart of the machine would empty the vault. Choose a disk, or %s if you mean it", dir, vfs.Filesystem(dir), say)
	}
	return nil
}

// takeUp looks at the place of a vault that is to be made. An empty one stays as it is; a vault of this store is taken up; anything else is refused.
func (k *keeper) takeUp(ctx context.Context, e *registry.Entry) error {
	p, err := openPlace(*e, true, k.log)
	if err != nil {
		return err
	}
	defer p.Close()
	v, err := vault.Open(ctx, vault.Options{Place: p, Ring: k.ring})
	if holdfast.IsKind(err, holdfast.NotFound) {
		full := false
		err := p.List(ctx, "", "", func(i place.Info) error { full = full || vault.ParseName(i.Name).Class != vault.ReadMe; return nil })
		if err == nil && full {
			err = refused("%s is not empty, and is no vault: choose another place", e.Location)
		}
		return err
	}
	if err != nil {
		return err
	}
	if v.Meta().Store != k.store {
		return refused("at %s stands the vault of another store (%s); this one (%s) needs a place of its own. If the other one is lost and should come back: holdfast restore --from %s --key FILE --into DIR",
			e.Location, v.Meta().Store, k.store, e.Location)
	}
	if v.Meta().Ledger() != (e.Kind == kindLedger) {
		return wrongKind(*e, v.Meta())
	}
	e.Vault, e.Making = v.Meta().Vault, false
	return nil
}

// finish makes a vault that is being made, and notes that it is there.
func (k *keeper) finish(ctx context.Context, e registry.Entry) error {
	if !e.Making {
		return nil
	}
	p, err := openPlace(e, true, k.log)
	if err != nil {
		return err
	}
	o := k.options()
	o.Place = p
	v, err := vault.Create(ctx, o, k.meta(e))
	if err != nil {
		p.Close()
		return err
	}
	v.Close()
	k.log.Info("a vault was made", "vault", e.Name, "location", e.Location)
	return k.change(func(r *registry.Registry) error {
		if x := r.Find(e.Name); x != nil {
			x.Making = false
		}
		return nil
	})
}

// meta is what a vault of the list says of itself.
func (k *keeper) meta(e registry.Entry) vault.Meta {
	m := vault.Meta{Vault: e.Vault, Store: k.store, Name: e.Name, Created: e.Added}
	if e.Kind == kindLedger {
		m.Kind = vault.KindLedger
	}
	return m
}

// isLedger tells whether a name of the list is a ledger's.
func (k *keeper) isLedger(name string) bool {
	e := k.vaults().Find(name)
	return e != nil && e.Kind == kindLedger
}

// attached describes a vault to the relay.
func (k *keeper) attached(e registry.Entry) relay.Attached {
	same, why := k.sameDisk(e)
	return relay.Attached{Name: e.Name, Kind: e.Kind, Location: e.Location, Domain: e.Domain, Host: bucketHost(e), SameDisk: same, WhySame: why, Open: func(ctx context.Context) (*vault.Vault, error) {
		now := k.vaults().Find(e.Name)
		if now == nil {
			return nil, keyTrouble(holdfast.NotFound, "the vault %s was retired", e.Name)
		}
		if err := k.finish(ctx, *now); err != nil {
			return nil, err
		}
		return k.open(ctx, *now)
	}}
}

// sameDisk tells whether a vault ends with the disk of the data; what is not known counts as the same.
func (k *keeper) sameDisk(e registry.Entry) (same bool, why string) {
	if inDirectory(e.Kind) {
		if same, why = vfs.ShareDisk(k.c.Data, e.Location); !same {
			why = ""
		}
		return same, why
	}
	u, err := url.Parse(strings.TrimPrefix(e.Location, bucketScheme))
	if err != nil {
		return true, "it is not known where its server runs"
	}
	if line.Loopback(u.Hostname()) {
		return true, "its server runs on this machine"
	}
	return false, ""
}

// newRelay wires the vaults to an engine.
func (k *keeper) newRelay(e store.Engine, conflict func(context.Context, relay.Conflict) error) (*relay.Relay, error) {
	policy, err := relay.ParsePolicy(k.policy())
	if err != nil {
		return nil, &exitError{exitUsage, "policy.ack: " + sentence(err)}
	}
	o := relay.Options{Engine: e, Store: k.store, Policy: policy, Degraded: k.c.Policy.OnFailure == "degraded", Derive: core.DeriveBy(judges(k.c)), OpenBlob: k.openBlob, Log: k.log, Retry: k.c.Policy.RetryAfter,
		Patience: k.c.Policy.Lag, MaxLag: uint64(k.c.Policy.LagChanges), HeadEvery: k.c.Vault.Head, Late: k.c.Vault.Late, UpkeepEvery: k.c.Vault.Seal, Upkeep: k.upkeep,
		Service: func() any { return k.record() }, Conflict: conflict, Older: func(vault string) {
			if k.older != nil {
				k.older(vault)
			}
		}}
	for _, v := range k.vaults().Vaults {
		if !k.apart {
			o.Vaults = append(o.Vaults, k.attached(v))
		}
	}
	r, err := relay.New(o)
	if err != nil {
		return nil, &exitError{exitUsage, sentence(err)}
	}
	k.relay = r
	return r, nil
}

// upkeep is what is done now and then in each vault.
func (k *keeper) upkeep(ctx context.Context, v *vault.Vault, w *vault.Writer) error {
	err := v.Upkeep(ctx, w)
	for _, e := range k.vaults().Vaults {
		if e.Vault != v.Meta().Vault {
			continue
		}
		err = errors.Join(err, k.hold(ctx, e, v))
		if k.erase != nil {
			err = errors.Join(err, k.erase.inVault(ctx, e.Name, v, w))
		}
	}
	return err
}

// names returns the names of the vaults.
func (k *keeper) names() (out []string) {
	for _, e := range k.vaults().Vaults {
		out = append(out, e.Name)
	}
	return out
}

// Status implements [control.Vaults].
func (k *keeper) Status(context.Context) (control.VaultStatus, error) {
	s := k.relay.Status()
	out := control.VaultStatus{Vaults: []control.VaultState{}, Policy: control.PolicyState(s.Policy), Verdict: s.Verdict, Copies: s.Copies, Domains: s.Domains}
	for i := range s.Vaults {
		v := &s.Vaults[i]
		x := control.VaultState{Name: v.Name, Kind: v.Kind, Location: v.Location, Domain: v.Domain, SameDomainAs: v.SameDomain, WhySame: v.WhySame, Mode: v.Mode, State: string(v.State), Reason: v.Reason, Since: &v.Since,
			LagChanges: v.LagChanges, LagBytes: v.LagBytes, LagSeconds: v.LagSeconds, LastShip: v.LastShip, LastScrub: v.LastScrub, Objects: v.Objects, Octets: v.Octets, Damaged: v.Damaged, Files: control.VaultFiles(v.Files)}
		if last, ok := k.scrubs.of(v.Name); ok {
			x.Objects, x.Octets, x.Damaged = last.Objects, last.Octets, append([]string{}, last.Damaged...)
			if !last.At.IsZero() {
				x.LastScrub = &last.At
			}
			if v.Counts && last.Findings > 0 { // it is no copy of all that is stored, until it is repaired
				out.Copies, v.Counts = out.Copies-1, false
				x.State, x.Reason = stateDamaged, "holdfast vault repair "+v.Name
			}
		}
		if e := k.vaults().Find(v.Name); e != nil {
			x.Vault, x.Added, x.Unnamed = e.Vault, &e.Added, k.sweeps.tell(e.Vault)
			k.buckets.describe(*e, &x)
		}
		out.Vaults = append(out.Vaults, x)
	}
	if out.Domains = relay.DomainsOf(s.Vaults); out.Copies < s.Copies && out.Verdict != relay.VerdictUnknown {
		if out.Verdict = relay.VerdictLate; out.Domains < 2 {
			out.Verdict = relay.VerdictAtRisk
		}
	}
	out.Why = why(&out)
	return out, nil
}

// stateDamaged is the state of a vault that was whole, and of which the last reading found something damaged or missing.
const stateDamaged = "damaged"

// copiesText says how many copies there are, and what they are worth.
func copiesText(copies, domains int) string {
	text := count(int64(copies), "copy") + ", " + count(int64(domains), "failure domain")
	return strings.Replace(text, "copys", "copies", 1)
}

// why says what a verdict rests on.
func why(s *control.VaultStatus) string {
	text := copiesText(s.Copies, s.Domains)
	if s.Domains < 2 {
		if s.Copies > 1 {
			text += ": one disk's end takes all of them. Add a vault on another disk or machine: holdfast vault add NAME KIND LOCATION --domain LABEL"
		} else {
			text += ": if that is lost, everything is. Add a vault on another disk or machine: holdfast vault add NAME KIND LOCATION --domain LABEL"
		}
	}
	for _, v := range s.Vaults {
		if word := stateOf(&v); word != string(relay.Whole) {
			text += fmt.Sprintf("; %s is %s", v.Name, word)
			if v.Reason != "" {
				text += " (" + v.Reason + ")"
			}
		}
	}
	return text
}

// stateOf says in a word how a vault fares. One that was whole and has a reason does not answer.
func stateOf(v *control.VaultState) string {
	if v.State == string(relay.Whole) && v.Reason != "" {
		return "silent"
	}
	return v.State
}

// Add implements [control.Vaults].
func (k *keeper) Add(ctx context.Context, n control.NewVault) (control.VaultState, error) {
	e := registry.Entry{Name: n.Name, Kind: n.Kind, Location: n.Location, Domain: n.Domain, Mode: registry.Mode(n.Mode), Fingerprint: n.Fingerprint, Credential: n.Credential, Prune: n.Prune, Region: n.Region, CA: n.CA, LockSeconds: n.LockSeconds,
		Vault: holdfast.NewID(nil), Added: clock.System.Now(), Making: true}
	trial := &registry.Registry{Vaults: append([]registry.Entry(nil), k.vaults().Vaults...)}
	if err := trial.Add(e); err != nil {
		return control.VaultState{}, err
	}
	if e.Kind == kindLedger && e.Mode == registry.Sync {
		return control.VaultState{}, keyTrouble(holdfast.Invalid, "%s is to be a ledger, which has no octets: no change can wait for it (leave --sync out)", e.Name)
	}
	if inDirectory(e.Kind) {
		if err := k.fitForVault(e.Location); err != nil {
			return control.VaultState{}, asForbidden(err)
		}
	}
	if err := k.takeUp(ctx, &e); err != nil {
		return control.VaultState{}, asForbidden(err)
	}
	if err := k.change(func(r *registry.Registry) error { return r.Add(e) }); err != nil {
		return control.VaultState{}, err
	}
	if err := k.finish(ctx, e); err != nil { // what it began is taken up when it is added again
		return control.VaultState{}, errors.Join(err, k.change(func(r *registry.Registry) error { return r.Remove(e.Name) }))
	}
	if err := k.relay.Attach(k.attached(e)); err != nil {
		return control.VaultState{}, err
	}
	k.tellVaults(ctx)
	k.log.Info("a vault was added", "vault", e.Name, "kind", e.Kind, "location", e.Location, "domain", e.Domain)
	s, err := k.Status(ctx)
	for _, v := range s.Vaults {
		if v.Name == e.Name {
			return v, err
		}
	}
	return control.VaultState{}, err
}

// asForbidden makes an error of this program one that passes the control socket and keeps its exit status.
func asForbidden(err error) error {
	if x, ok := err.(*exitError); ok {
		return &holdfast.Error{Op: "vault", Kind: holdfast.Forbidden, Text: x.text}
	}
	return err
}

// tellVaults has each vault that can be reached keep the list as it is now. The others get it when they are opened again.
func (k *keeper) tellVaults(ctx context.Context) {
	for _, e := range k.vaults().Vaults {
		err := again(ctx, func() error {
			v, err := k.open(ctx, e)
			if err != nil {
				return err
			}
			defer v.Close()
			return v.PutService(ctx, k.record())
		})
		if err != nil {
			k.log.Warn("a vault could not be told of the others; it is told when it is opened again", "vault", e.Name, "err", err)
		}
	}
}

// Retire implements [control.Vaults].
func (k *keeper) Retire(ctx context.Context, name string, force bool) error {
	e := k.vaults().Find(name)
	if e == nil {
		return keyTrouble(holdfast.NotFound, "there is no vault called %q; `holdfast vault list` shows which are", name)
	}
	s, err := k.Status(ctx)
	if err != nil {
		return err
	}
	others := 0
	for _, v := range s.Vaults {
		if v.Name != name && v.State == string(relay.Whole) && v.Kind != kindLedger {
			others++
		}
	}
	if others == 0 && !force && e.Kind != kindLedger {
		return keyTrouble(holdfast.Forbidden, "no other vault is whole: without %s there is one copy left. Add another one and wait until it is whole, or say --force", name)
	}
	named, err := relay.ParsePolicy(k.c.Policy.Ack)
	if err == nil && named.Has(name) && k.c.Sources["policy.ack"] != "default" {
		return keyTrouble(holdfast.Forbidden, "the policy %s needs this vault; change policy.ack first: holdfast.toml says it, or serve was started with --ack", k.c.Policy.Ack)
	}
	if err := k.relay.Detach(name); holdfast.IsKind(err, holdfast.Forbidden) && k.serving {
		return keyTrouble(holdfast.Forbidden, "the running server waits for this vault with each change; stop it, retire the vault, and start it again")
	}
	if err := k.change(func(r *registry.Registry) error { return r.Remove(name) }); err != nil {
		return err
	}
	k.tellVaults(ctx)
	k.log.Info("a vault was retired; what lies there is not touched", "vault", name, "location", e.Location)
	return nil
}

// fillPatience is how long a start waits for a vault that is being filled: a new one is whole at once, and a large store need not wait for it. A command waits as long for one that could not be reached at the first try: whoever had it may be about to end.
const fillPatience = time.Second

// settled waits until it is known of each vault whether it takes changes, for a bounded time.
func (k *keeper) settled(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	began := clock.System.Now()
	for {
		opening := false
		for _, v := range k.relay.Status().Vaults {
			soon := clock.System.Now().Sub(began) < fillPatience
			opening = opening || v.State == relay.Opening || soon && (v.State == relay.Filling || v.State == relay.Unreachable && !k.serving)
		}
		if !opening || clock.Sleep(ctx, clock.System, 5*time.Millisecond) != nil {
			return
		}
	}
}
