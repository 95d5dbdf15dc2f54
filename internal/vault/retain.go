package vault

import (
	"context"
	"time"

	"holdfast"
)

// Aged is what the heads of a vault said at an age, by the time that is counted along them.
type Aged struct {
	Counted  time.Duration               // along all heads
	Accounts map[holdfast.ID]AccountHead // how far heads of that age, or older, had named each
	Drill    *DrillRef                   // the newest drill of a vault of this name that a head names; nil: none does
}

// AgedHeads reads what heads that are old enough say. A head that cannot be read is an error: what it says is not known. Errors: Corrupt, NotFound (a head is missing), those of the place.
func (v *Vault) AgedHeads(ctx context.Context, age time.Duration, name string) (*Aged, error) {
	total, err := v.Counted(ctx)
	if err != nil {
		return nil, err
	}
	out := &Aged{Counted: total, Accounts: map[holdfast.ID]AccountHead{}}
	var last time.Time
	counted := time.Duration(0)
	err = v.Heads(ctx, 0, func(_ string, h Head, _ holdfast.Hash, err error) error {
		if err != nil {
			return err
		}
		if !last.IsZero() {
			counted += min(max(0, h.PlaceAt.Sub(last)), MaxStep)
		}
		last = h.PlaceAt
		for _, d := range h.Drills {
			if d.Vault == name {
				out.Drill = &d
			}
		}
		if total-counted >= age {
			for _, a := range h.Accounts {
				out.Accounts[a.Account] = a
			}
		}
		return nil
	})
	return out, err
}

// Superseded counts the versions of an account's items that a change has replaced or deleted which a head of the age had named, and the octets of their bodies. What is live is none of them, nor is any record of the account itself or of a collection.
//
// Where the history is not whole, or another one than the head names, nothing is counted: ok is false.
func (h *History) Superseded(ctx context.Context, named AccountHead) (versions, octets int64, ok bool, err error) {
	type item struct {
		collection holdfast.ID
		name       string
	}
	live := map[item]int64{}
	err = h.Changes(ctx, func(list []Loaded) error {
		for i := range list {
			c := &list[i]
			if c.Seq > named.Seq {
				continue
			}
			ok = ok || c.Seq == named.Seq && c.Chain == named.Chain
			at := item{c.Collection, c.Name}
			size, was := live[at]
			delete(live, at)
			if was && c.Name != "" && c.Collection != c.Account {
				versions, octets = versions+1, octets+size
			}
			if c.Op == holdfast.OpPut {
				live[at] = c.Size
			}
		}
		return nil
	})
	if err != nil || !ok || len(h.Losses()) > 0 {
		return 0, 0, false, err
	}
	return versions, octets, true, nil
}
