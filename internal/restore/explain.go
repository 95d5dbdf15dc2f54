package restore

import (
	"context"
	"strings"

	"holdfast"
	"holdfast/internal/vault"
)

// Seen is what a device proved to have seen of an account: at this change its chain begins so, in hexadecimal.
type Seen struct {
	Seq   uint64
	Check string
}

// Cause is what vaults and ledgers know of what devices have seen and the store does not have.
type Cause struct {
	Witnessed map[Seen]bool // a vault or a ledger has that very history
	Items     []Mended      // that the store lacks, as a repair would find them; where Why is not empty nothing that was read has the octets
	Damage    []vault.Damage
}

// Explain looks in the vaults of o for the history that devices have seen of o.Account, and for what the store lacks of it. It changes nothing. What is damaged in the engine, and in no vault either, is no part of it.
func Explain(ctx context.Context, o RepairOptions, seen []Seen) (*Cause, error) {
	c := &Cause{Witnessed: map[Seen]bool{}}
	at := map[uint64][]Seen{}
	for _, s := range seen {
		at[s.Seq] = append(at[s.Seq], s)
	}
	o.DryRun, o.Newest = true, false
	o.foreign = func(seq uint64, chain holdfast.Hash) {
		for _, s := range at[seq] {
			if s.Check != "" && strings.HasPrefix(chain.String(), s.Check) {
				c.Witnessed[s] = true
			}
		}
	}
	o.Found = func(m Mended) {
		if m.What == "missing" || m.Why == "" {
			c.Items = append(c.Items, m)
		}
	}
	rep, err := Repair(ctx, o)
	c.Damage = rep.Damage
	if holdfast.IsKind(err, holdfast.NotFound) && o.Collection == "" { // no vault knows the account
		err = nil
	}
	return c, err
}
