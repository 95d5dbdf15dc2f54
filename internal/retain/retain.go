package retain

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/store"
	"holdfast/internal/vault"
)

// Options say what may go, and who is asked.
type Options struct {
	Engine store.Engine
	Vaults []*vault.Vault // all of them must agree
	Age    time.Duration  // how long ago a version was replaced or deleted, counted along each vault's heads
	Spool  string         // a directory of its own, for what is sorted on the way; in the clear
	Skip   func(holdfast.ID) bool
	Held   func() []string                                   // what keeps all of it; asked again before each account
	Pace   func(ctx context.Context, octets int64) error     // called between two transactions; it may wait
	Done   func(account holdfast.ID, versions, octets int64) // nil: nobody is told
}

// Report tells what was let go of.
type Report struct {
	Accounts int64    `json:"accounts"` // of which something was
	Versions int64    `json:"versions"`
	Octets   int64    `json:"octets"`
	Unproven int64    `json:"unproven"` // accounts with old versions that some vault has not been proven to give back since these were old
	Passed   int64    `json:"passed"`   // accounts whose history is not whole in some vault, or another one than the store's
	Held     []string `json:"held"`     // why nothing was, or no more
}

// Run lets go of what all vaults say is old. Nothing goes before every vault was read to its end and found sound. Errors: those of the engine, the places and this machine.
func Run(ctx context.Context, o Options) (Report, error) {
	r := &round{o: o, rep: Report{Held: []string{}}}
	if r.rep.Held = append(r.rep.Held, o.Held()...); len(o.Vaults) == 0 {
		r.rep.Held = append(r.rep.Held, "there is no vault that has what would go")
	}
	if len(r.rep.Held) > 0 {
		return r.rep, nil
	}
	if err := r.proofs(ctx); err != nil || len(r.rep.Held) > 0 {
		return r.rep, err
	}
	if err := r.candidates(ctx); err != nil || len(r.may) == 0 {
		return r.rep, err
	}
	for i := range o.Vaults {
		if err := r.ask(ctx, i); err != nil || len(r.rep.Held) > 0 {
			return r.rep, err
		}
	}
	return r.rep, r.letGo(ctx)
}

// round is one run.
type round struct {
	o     Options
	rep   Report
	old   []map[holdfast.ID]vault.AccountHead // by vault: what is old
	named []map[holdfast.ID]vault.AccountHead // by vault: what was so when it was last proven
	may   map[holdfast.ID][]uint64            // the versions that may go: so far as vaults were asked
}

// proofs asks each vault's heads what was old when it was last seen to restore.
func (r *round) proofs(ctx context.Context) error {
	for _, v := range r.o.Vaults {
		if v.Meta().Ledger() {
			r.hold("%s is a ledger, which has no octets", v.Meta().Name)
			continue
		}
		p, err := v.ProvenHeads(ctx, r.o.Age)
		if holdfast.IsKind(err, holdfast.Corrupt) || holdfast.IsKind(err, holdfast.NotFound) {
			r.hold("the vault %s: %v", v.Meta().Name, err)
			continue
		}
		if err != nil {
			return err
		}
		if p.Drill == nil || p.Drill.Result != "pass" {
			r.hold("the newest drill of the vault %s that its heads name did not pass, or there is none", v.Meta().Name)
		}
		r.old, r.named = append(r.old, p.Old), append(r.named, p.Accounts)
	}
	return nil
}

func (r *round) hold(format string, args ...any) {
	r.rep.Held = append(r.rep.Held, fmt.Sprintf(format, args...))
}

// candidates finds the accounts of which something may be old, and the engine has octets that are not what there is now. That spares the reading of vaults.
func (r *round) candidates(ctx context.Context) error {
	r.may = map[holdfast.ID][]uint64{}
	for after := (holdfast.ID{}); ; {
		page, err := r.accounts(ctx, after)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, id := range page {
			after = id
			if r.o.Skip(id) {
				continue
			}
			if old, err := r.has(ctx, id, upto(r.old, id)); err != nil {
				return err
			} else if !old {
				continue
			}
			proven, err := r.has(ctx, id, upto(r.named, id))
			if err != nil {
				return err
			}
			if r.may[id] = nil; !proven {
				delete(r.may, id)
				r.rep.Unproven++
			}
		}
	}
}

// pageAccounts and pageChanges are how many are read in one snapshot.
const (
	pageAccounts = 500
	pageChanges  = 1000
)

func (r *round) accounts(ctx context.Context, after holdfast.ID) (out []holdfast.ID, err error) {
	snap, err := r.o.Engine.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	list, err := snap.Accounts(after, pageAccounts)
	for _, a := range list {
		out = append(out, a.ID)
	}
	return out, err
}

// upto returns the seq up to which all vaults name an account; 0: one of them does not.
func upto(vaults []map[holdfast.ID]vault.AccountHead, id holdfast.ID) (seq uint64) {
	for i, named := range vaults {
		if h := named[id]; i == 0 || h.Seq < seq {
			seq = h.Seq
		}
	}
	return seq
}

// has tells whether the engine has octets of an account, up to a seq, that are not what there is now: retention might let go of them.
func (r *round) has(ctx context.Context, id holdfast.ID, upto uint64) (found bool, err error) {
	if upto == 0 {
		return false, nil
	}
	err = r.changes(ctx, id, func(snap store.Snapshot, c *holdfast.Change) error {
		if c.Seq > upto {
			return errEnough
		}
		if c.Prunable() && !c.Pruned {
			now, err := snap.Resource(c.Collection, c.Name, 0)
			if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
				return err
			}
			if found = err != nil || now.Seq != c.Seq; found {
				return errEnough
			}
		}
		return nil
	})
	return found, err
}

// ask asks one vault which versions are old, and leaves of those that may go what it says too.
func (r *round) ask(ctx context.Context, i int) error {
	v := r.o.Vaults[i]
	spool := filepath.Join(r.o.Spool, fmt.Sprint(i))
	if err := os.MkdirAll(spool, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(spool)
	wanted := func(id holdfast.ID) bool { _, ok := r.may[id]; return ok }
	rd, err := vault.NewReader(ctx, []*vault.Vault{v}, vault.ReadOptions{Spool: filepath.Join(spool, "sorted"), Only: wanted, AsPruned: true})
	if err != nil {
		return err
	}
	defer rd.Close()
	left := map[holdfast.ID][]uint64{}
	err = rd.Accounts(ctx, func(h *vault.History) error {
		if !wanted(h.Account) {
			return nil
		}
		named := r.named[i][h.Account]
		old, ok, err := h.Superseded(ctx, named)
		if err == nil && ok {
			ok, err = r.follows(ctx, h.Account, named)
		}
		if err == nil && ok {
			left[h.Account] = both(r.may[h.Account], old.Seqs, i == 0)
		}
		return err
	})
	if err != nil {
		return err
	}
	r.rep.Passed += int64(len(r.may) - len(left))
	r.may = left
	if damage := rd.Damage(); len(damage) > 0 {
		r.hold("the vault %s holds something that cannot be read, such as %s: %s", v.Meta().Name, damage[0].Object, damage[0].What)
	}
	if unsure := rd.Unsure(); len(unsure) > 0 {
		r.hold("the vault %s: %s", v.Meta().Name, unsure[0])
	}
	return nil
}

// both returns what stands in both lists, which ascend; if first is set, the first one is all there is.
func both(a, b []uint64, first bool) []uint64 {
	if first {
		return b
	}
	return slices.DeleteFunc(a, func(seq uint64) bool { _, ok := slices.BinarySearch(b, seq); return !ok })
}

// follows tells whether the engine's history leads through what a vault names: seqs mean the same then.
func (r *round) follows(ctx context.Context, id holdfast.ID, named vault.AccountHead) (bool, error) {
	snap, err := r.o.Engine.Snapshot(ctx)
	if err != nil {
		return false, err
	}
	defer snap.Close()
	h, err := snap.Chain(id, named.Seq)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return false, nil
	}
	return err == nil && h.Chain == named.Chain, err
}
