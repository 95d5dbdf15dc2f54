package relay

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/vault"
)

// Reconcile compares the store with its vaults, before anything is read: what a vault has and the store lost is applied again. Vaults that the policy does not name are passed over where they
// cannot be reached. Its cost grows with how far they are apart. It can be called again after an error.
//
// Errors: Unavailable (a vault of the policy cannot be reached), Fenced (another store has the right to write), NotFound (the store is older than what the vault's tail goes back to: it must be restored), Corrupt.
func (r *Relay) Reconcile(ctx context.Context) error {
	r.mu.Lock()
	var list []Attached
	for _, name := range r.order {
		list = append(list, r.workers[name].a)
	}
	r.mu.Unlock()
	// Those that went furthest come first: what they give back the others need not.
	ends := map[string]uint64{}
	vaults := map[string]*vault.Vault{}
	defer func() {
		for _, v := range vaults {
			v.Close()
		}
	}()
	for _, a := range list {
		v, err := a.Open(ctx)
		if err == nil {
			vaults[a.Name] = v
			var end holdfast.Position
			end, _, err = v.End(ctx)
			ends[a.Name] = end.Batch
		}
		if err != nil && r.o.Policy.Has(a.Name) {
			what := text(err)
			if holdfast.IsKind(err, holdfast.Corrupt) {
				what += fmt.Sprintf(". Repair it while no server runs: holdfast vault repair %s", a.Name)
			} else if unreachable(err) == holdfast.Unavailable {
				what = strings.TrimSuffix(what, ".")
				if !strings.HasSuffix(what, "?") {
					what += "."
				}
				what += fmt.Sprintf(" If it is lost for good, take it off the list while no server runs: holdfast vault retire %s", a.Name)
			}
			return fail("Reconcile", unreachable(err), a.Name, fmt.Sprintf("the vault %q cannot be compared with the store: %s", a.Name, what), err)
		}
		if err != nil {
			r.o.Log.Warn("a vault cannot be reached; it is compared with the store when it can", "vault", a.Name, "err", err)
			delete(vaults, a.Name)
		}
	}
	sort.SliceStable(list, func(i, j int) bool {
		if a, b := list[i].ledger(), list[j].ledger(); a != b {
			return b // what it knows of and a vault has is taken from the vault
		}
		return ends[list[i].Name] > ends[list[j].Name]
	})
	for _, a := range list {
		v := vaults[a.Name]
		if v == nil {
			continue
		}
		r.reached(a.Name)
		if err := r.compare(ctx, a.Name, v); err != nil {
			if !r.o.Policy.Has(a.Name) && holdfast.KindOf(err) != holdfast.Invalid {
				r.o.Log.Error("a vault does not fit the store", "vault", a.Name, "err", err)
				continue
			}
			return err
		}
	}
	r.settle(ctx, list, vaults)
	return nil
}

// reached notes that a vault was compared with the store, and tells whether it was before.
func (r *Relay) reached(name string) (before bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before = r.compared[name]
	r.compared[name] = true
	return before
}

// settle notes how far the vaults have come, so that what is acknowledged is known before the first read. It counts what it finds under the lease: a process that was killed may have left what is not durable yet.
func (r *Relay) settle(ctx context.Context, list []Attached, vaults map[string]*vault.Vault) {
	for _, a := range list {
		v := vaults[a.Name]
		if v == nil {
			continue
		}
		var end holdfast.Position
		var head vault.Head
		err := v.UnderLease(func() (err error) {
			if end, _, err = v.End(ctx); err == nil {
				head, err = v.LastHead(ctx)
			}
			return err
		})
		if err != nil {
			r.o.Log.Warn("how far a vault has come is not known yet", "vault", a.Name, "err", err)
			continue
		}
		r.workers[a.Name].set(func(s *shipping) { s.pos, s.whole, s.known = end, head.Number > 0 && !head.Filling, true })
	}
}

// unreachable keeps the kinds that say more, and makes the others Unavailable.
func unreachable(err error) holdfast.ErrorKind {
	switch k := holdfast.KindOf(err); k {
	case holdfast.Fenced, holdfast.Corrupt, holdfast.Invalid:
		return k
	}
	return holdfast.Unavailable
}

// compare brings the store up to a vault, or finds that both went different ways.
func (r *Relay) compare(ctx context.Context, name string, v *vault.Vault) error {
	end, term, err := v.End(ctx)
	if err != nil {
		return err
	}
	if term.Number == 0 {
		if v.Meta().Store != r.o.Store {
			return r.anothers(name, v.Meta().Store)
		}
		return nil // nothing was ever shipped
	}
	if term.Store != r.o.Store {
		return r.foreign(name, term.Store)
	}
	have := r.o.Engine.Position()
	if torn, err := v.Torn(ctx); err != nil {
		return err
	} else if torn > have.Batch && torn > end.Batch {
		return fail("Reconcile", holdfast.Corrupt, name, fmt.Sprintf("the newest batches of the vault %q (up to %d) are damaged, and the store does not have them, so they cannot be written anew. The store is older than it was: restore it from all vaults that there are (holdfast restore --from %s), which also says what is lost", name, torn, v.Place()), nil)
	}
	if end.Batch <= have.Batch {
		hash, ok, err := r.o.Engine.HashAt(ctx, end.Batch)
		if err != nil {
			return err
		}
		if ok && hash == end.Hash {
			return nil // the store is ahead, or both are equal
		}
		return r.diverged(ctx, name, v, end)
	}
	hash, ok, err := v.HashAt(ctx, have.Batch)
	if err != nil {
		return err
	}
	if ok && hash != have.Hash {
		return r.diverged(ctx, name, v, end)
	}
	if v.Meta().Ledger() {
		return fail("Reconcile", holdfast.NotFound, name, fmt.Sprintf("the ledger %q names the changes of %s, which the store lacks and no vault that can be reached has. Bring a vault back that has them, or rebuild the store, which also says what is lost: holdfast restore --from VAULT --from %s --key RECOVERY-KEY-FILE --into NEW-DIR",
			name, spanOf(have.Batch+1, end.Batch), r.location(name)), nil)
	}
	return r.replay(ctx, name, v, have, end)
}

// spanOf says which batches.
func spanOf(from, to uint64) string {
	if from == to {
		return fmt.Sprintf("batch %d", from)
	}
	return fmt.Sprintf("the batches %d to %d", from, to)
}

func (r *Relay) anothers(name string, store holdfast.ID) error {
	return fail("Reconcile", holdfast.Fenced, name, fmt.Sprintf("the vault %q was made for store %s, not for this one; is the right disk mounted?", name, store), nil)
}

func (r *Relay) foreign(name string, store holdfast.ID) error {
	return fail("Reconcile", holdfast.Fenced, name, fmt.Sprintf("store %s has the right to write into the vault %q, not this one: it was restored from there and adopted. What this store acknowledged is in the vault, and in that one. To go on from here all the same: stop that one for good, holdfast restore --from %s --key RECOVERY-KEY-FILE --into NEW-DIR, holdfast adopt NEW-DIR", store, name, r.location(name)), nil)
}

// replay applies what the vault has above the store.
func (r *Relay) replay(ctx context.Context, name string, v *vault.Vault, have, end holdfast.Position) error {
	r.o.Log.Warn("the store is older than its vault: what it lacks is applied again", "vault", name, "store", have.Batch, "vault_has", end.Batch)
	began, n := r.o.Clock.Now(), 0
	x := newIndexer(r.o.Engine, r.o.Derive)
	next := began.Add(10 * time.Second)
	err := v.Frames(ctx, have.Batch, func(b *holdfast.Batch, _ time.Time) error {
		if err := x.index(ctx, b.Changes); err != nil {
			return err
		}
		n += len(b.Changes)
		if now := r.o.Clock.Now(); now.After(next) {
			next = now.Add(10 * time.Second)
			r.o.Log.Info("changes are applied again", "vault", name, "batch", b.Batch, "of", end.Batch)
		}
		return r.o.Engine.Apply(ctx, b)
	})
	if holdfast.IsKind(err, holdfast.NotFound) {
		return fail("Reconcile", holdfast.NotFound, name, fmt.Sprintf("the store is older than the tail of the vault %q goes back to, so it cannot be brought up to it in place. Nothing is lost, and the vault was not touched. Rebuild the store beside this one: holdfast restore --from %s --key RECOVERY-KEY-FILE --into NEW-DIR, then: holdfast adopt NEW-DIR", name, r.location(name)), err)
	}
	if err != nil {
		return err
	}
	r.o.Log.Warn("the store is where its vault is again", "vault", name, "changes", n, "took", r.o.Clock.Now().Sub(began))
	return nil
}

// location returns where a vault lies, as a command takes it.
func (r *Relay) location(name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.workers[name]; w != nil {
		return w.a.Location
	}
	return name
}

// connect returns a writer of a vault that goes on where the vault ends. The vault's end must be in the store's stream.
func (r *Relay) connect(ctx context.Context, name string, v *vault.Vault) (*vault.Writer, error) {
	end, term, err := v.End(ctx)
	if err != nil {
		return nil, err
	}
	if term.Number == 0 {
		if v.Meta().Store != r.o.Store {
			return nil, r.anothers(name, v.Meta().Store)
		}
		if term, err = v.Adopt(ctx, r.o.Store, holdfast.Position{}, vault.FromNothing); err != nil {
			return nil, err
		}
	}
	if term.Store != r.o.Store {
		return nil, r.foreign(name, term.Store)
	}
	hash, ok, err := r.o.Engine.HashAt(ctx, end.Batch)
	if err != nil {
		return nil, err
	}
	if before := r.reached(name); !ok || hash != end.Hash {
		if !before && r.o.Older != nil {
			r.o.Older(name)
		}
		return nil, fail("Connect", holdfast.Fenced, name, "the vault has changes that the store lacks; they are taken over when the service starts again", nil)
	}
	return v.Writer(ctx, term, end)
}
