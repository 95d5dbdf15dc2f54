package main

import (
	"context"
	"os"
	"slices"

	"holdfast"
	"holdfast/internal/control"
	"holdfast/internal/place"
	"holdfast/internal/registry"
	"holdfast/internal/relay"
	"holdfast/internal/vault"
)

// Verify implements [control.Vaults]. With engine it reads every object, opens all of it with the server's key, follows each account's chain from its first change to its newest, and compares each account with what the store has, and the
// store's index with its own history: see keeper_compare.go. Without it every object is hashed and compared with what is recorded of it, at the rate of scrubs, yielding to people; nothing of people's data is opened but large files, of which the hash of what was stored is recorded and no other.
func (k *keeper) Verify(ctx context.Context, name string, engine bool, fn func(control.VaultFinding)) (rep control.VaultReport, err error) {
	files := (*verifier).files
	if !engine {
		files = (*verifier).filesOn
	}
	return k.verify(ctx, name, engine, files, fn)
}

// verify is Verify; files looks at the large files.
func (k *keeper) verify(ctx context.Context, name string, engine bool, files func(*verifier, context.Context, *vault.Vault) error, fn func(control.VaultFinding)) (rep control.VaultReport, err error) {
	e := k.vaults().Find(name)
	if e == nil {
		return rep, keyTrouble(holdfast.NotFound, "there is no vault called %q; `holdfast vault list` shows which are", name)
	}
	x := &verifier{k: k, rep: &rep, fn: fn, entry: *e}
	rep = control.VaultReport{Vault: name, Damaged: []string{}}
	for _, s := range k.relay.Status().Vaults {
		if s.Name != name {
			continue
		}
		x.end = s.Batch
		if s.State == relay.Filling {
			return rep, keyTrouble(holdfast.Unavailable, "the vault %s is being filled; wait until `holdfast vault status` says that it is whole", name)
		}
	}
	v, err := k.openDamagedAt(ctx, *e, func(p place.Place) place.Place {
		if engine { // somebody waits for it
			return p
		}
		return pacedPlace{p, k.pacer(nil)}
	})
	if err != nil {
		return rep, err
	}
	defer v.Close()
	if err := v.Place().List(ctx, "", "", func(i place.Info) error { rep.Objects, rep.Octets = rep.Objects+1, rep.Octets+i.Size; return nil }); err != nil {
		return rep, err
	}
	end, _, err := v.End(ctx) // what the store has up to there, the vault must have
	if err != nil {
		return rep, err
	}
	x.end = max(x.end, end.Batch)
	x.told, x.upTo = v.Erased, x.end
	if engine {
		err = x.all(ctx, v)
	} else {
		err = x.hashes(ctx, v)
	}
	if err == nil {
		err = files(x, ctx, v)
	}
	if err != nil {
		return rep, err
	}
	err = k.scrubs.note(rep, engine, x.upTo)
	k.see()
	return rep, err
}

// hashes hashes every object.
func (x *verifier) hashes(ctx context.Context, v *vault.Vault) error {
	damage, err := v.Rehash(ctx, x.end)
	if err == nil {
		x.damaged(damage)
	}
	return err
}

// all opens every object, and compares each account.
func (x *verifier) all(ctx context.Context, v *vault.Vault) error {
	spool, err := workDir(x.k.c.Data, "verify")
	if err != nil {
		return err
	}
	defer os.RemoveAll(spool)
	r, err := vault.NewReader(ctx, []*vault.Vault{v}, vault.ReadOptions{Spool: spool})
	if err != nil {
		return err
	}
	defer r.Close()
	beside, stop := context.WithCancel(ctx)
	defer stop()
	survey, err := x.k.surveyBeside(beside, x.entry)
	if err != nil {
		return err
	}
	if err := r.Accounts(ctx, func(h *vault.History) error { return x.account(ctx, h) }); err != nil {
		return err
	}
	if err := x.rest(ctx); err != nil {
		return err
	}
	damage, err := survey()
	if err == nil {
		x.damaged(append(r.Damage(), damage...))
	}
	return err
}

// damaged notes objects, each once.
func (x *verifier) damaged(list []vault.Damage) {
	for _, d := range list {
		if slices.Contains(x.rep.Damaged, d.Object) {
			continue
		}
		x.note(control.VaultFinding{Object: d.Object, What: d.What})
		x.rep.Damaged = append(x.rep.Damaged, d.Object)
	}
}

// surveyBeside begins to open every object of a vault, on what other processors there are, and returns what waits for the result. Where that is not called the work ends with ctx.
func (k *keeper) surveyBeside(ctx context.Context, e registry.Entry) (wait func() ([]vault.Damage, error), err error) {
	v, err := k.openDamaged(ctx, e) // of its own: what one has read the other need not believe
	if err != nil {
		return nil, err
	}
	var damage []vault.Damage
	var failed error
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer v.Close()
		damage, failed = v.Survey(ctx)
	}()
	return func() ([]vault.Damage, error) { <-done; return damage, failed }, nil
}

// verifier is one run of Verify.
type verifier struct {
	k     *keeper
	rep   *control.VaultReport
	fn    func(control.VaultFinding)
	entry registry.Entry
	upTo  uint64                                              // the batch up to which all is looked at, large files too: less than end where their reading began earlier
	end   uint64                                              // the newest batch that the vault had when it was begun
	seen  holdfast.ID                                         // the last account that was compared
	told  func(context.Context) (map[holdfast.ID]bool, error) // the accounts that the vault says were erased
}

func (x *verifier) note(f control.VaultFinding) {
	x.rep.Findings++
	x.fn(f)
}

// account verifies one account's history.
func (x *verifier) account(ctx context.Context, h *vault.History) error {
	x.rep.Accounts++
	var last vault.Loaded
	if err := h.Changes(ctx, func(list []vault.Loaded) error {
		x.rep.Changes += int64(len(list))
		last = list[len(list)-1]
		return nil
	}); err != nil {
		if ctx.Err() != nil {
			return err
		}
		if gone, err := x.erased(ctx, h.Account); gone || err != nil {
			return err
		}
		x.note(control.VaultFinding{Account: h.Account.String(), What: sentence(err)})
		return nil
	}
	if len(h.Losses()) > 0 {
		if gone, err := x.erased(ctx, h.Account); gone || err != nil {
			return err
		}
	}
	for _, l := range h.Losses() {
		f := control.VaultFinding{Account: l.Account.String(), Name: l.Name, Seq: l.From, What: "missing: " + l.Reason}
		if l.To > l.From {
			f.SeqTo = l.To
		}
		if !l.Collection.IsZero() {
			f.Collection = l.Collection.String()
		}
		x.note(f)
	}
	if err := x.without(ctx, h.Account); err != nil {
		return err
	}
	x.seen = h.Account
	return x.compare(ctx, h, &last)
}
