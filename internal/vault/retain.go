package vault

import (
	"context"
	"maps"
	"slices"
	"time"

	"holdfast"
)

// Aged is what the heads of a vault said at an age, by the time that is counted along them.
type Aged struct {
	Counted  time.Duration               // along all heads
	Accounts map[holdfast.ID]AccountHead // how far heads of that age, or older, had named each
	Drill    *DrillRef                   // the newest drill of a vault of this name that a head names; nil: none does
}

// AgedHeads reads what heads that are old enough say. A head that cannot be read is an error, as what it says is not known, unless a later one releases it: what only that head said is not counted then. Errors: Corrupt, NotFound (a head is missing), those of the place.
func (v *Vault) AgedHeads(ctx context.Context, age time.Duration, name string) (*Aged, error) {
	total, err := v.Counted(ctx)
	if err != nil {
		return nil, err
	}
	out := &Aged{Counted: total, Accounts: map[holdfast.ID]AccountHead{}}
	return out, v.countedHeads(ctx, func(h *Head, counted time.Duration) {
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
	})
}

// countedHeads calls fn with each head, and the time that is counted along heads up to it. One that cannot be read is an error, unless a later one releases it.
func (v *Vault) countedHeads(ctx context.Context, fn func(*Head, time.Duration)) error {
	var last time.Time
	counted := time.Duration(0)
	holes := map[string]error{}
	err := v.Heads(ctx, 0, func(object string, h Head, _ holdfast.Hash, err error) error {
		if err != nil && damaging(err) {
			holes[object] = err
			return nil
		}
		if err != nil {
			return err
		}
		if !last.IsZero() {
			counted += min(max(0, h.PlaceAt.Sub(last)), MaxStep)
		}
		last = h.PlaceAt
		for _, name := range h.Released {
			delete(holes, name)
		}
		fn(&h, counted)
		return nil
	})
	for _, hole := range holes {
		if err == nil {
			err = hole
		}
	}
	return err
}

// Proven is what of a vault is old, and was so already when the vault was last proven to give it back.
type Proven struct {
	Accounts map[holdfast.ID]AccountHead // how far heads had named each, that were of the age when the newest drill of it that passed began
	Old      map[holdfast.ID]AccountHead // how far heads had named each that are of the age now, proven or not
	Drill    *DrillRef                   // the newest drill of this very vault that a head names; nil: none does
}

// ProvenHeads returns what had been named for an age before the vault's drills began. So whatever a change replaced or deleted that stands in it, the vault was seen to be without need of, or to have, after its age had come. An account that no drill has restored since one failed is not in it. Errors: as AgedHeads.
func (v *Vault) ProvenHeads(ctx context.Context, age time.Duration) (*Proven, error) {
	began, err := v.provenAfter(ctx)
	if err != nil {
		return nil, err
	}
	at := map[uint64]time.Duration{} // when drills began
	for _, head := range began {
		at[head] = -1
	}
	out, total := &Proven{Accounts: map[holdfast.ID]AccountHead{}, Old: map[holdfast.ID]AccountHead{}}, time.Duration(0)
	if err := v.countedHeads(ctx, func(h *Head, counted time.Duration) {
		total = counted
		if _, wanted := at[h.Number]; wanted {
			at[h.Number] = counted
		}
		for _, d := range h.Drills {
			if d.Of == h.Vault {
				out.Drill = &d
			}
		}
	}); err != nil {
		return nil, err
	}
	return out, v.countedHeads(ctx, func(h *Head, counted time.Duration) {
		for _, a := range h.Accounts {
			if total-counted >= age {
				out.Old[a.Account] = a
			}
			if head, proven := began[a.Account]; proven && at[head]-counted >= age {
				out.Accounts[a.Account] = a
			}
		}
	})
}

// provenAfter returns the accounts that drills of this vault restored and passed, with the newest head that such a drill began after.
func (v *Vault) provenAfter(ctx context.Context) (map[holdfast.ID]uint64, error) {
	l := &v.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := v.readLedger(ctx); err != nil {
		return nil, err
	}
	return maps.Clone(l.proven), nil
}

// Old is what retention may let go of in an account's history: octets of versions.
type Old struct {
	Seqs   []uint64 // ascending: the versions, those whose octets were let go of already among them
	Pruned int      // how many of them were
	Octets int64    // of the bodies of the others
}

// Superseded returns the versions of an account's items that a change has replaced or deleted which a head of the age had named. What is live is none of them, nor is any record of the account itself or of a collection.
//
// Where the history is not whole, or another one than the head names, nothing is old: ok is false.
func (h *History) Superseded(ctx context.Context, named AccountHead) (Old, bool, error) {
	return h.superseded(ctx, named, func(*Loaded) {})
}

// superseded is Superseded that calls fn with each change.
func (h *History) superseded(ctx context.Context, named AccountHead, fn func(*Loaded)) (old Old, ok bool, err error) {
	type item struct {
		collection holdfast.ID
		name       string
	}
	type version struct {
		seq    uint64
		size   int64
		pruned bool
	}
	live := map[item]version{}
	err = h.Changes(ctx, func(list []Loaded) error {
		for i := range list {
			c := &list[i]
			if fn(c); c.Seq > named.Seq {
				continue
			}
			ok = ok || c.Seq == named.Seq && c.Chain == named.Chain
			at := item{c.Collection, c.Name}
			if was, there := live[at]; there {
				delete(live, at)
				old.Seqs = append(old.Seqs, was.seq)
				if was.pruned {
					old.Pruned++
				} else {
					old.Octets += was.size
				}
			}
			if c.Prunable() {
				live[at] = version{c.Seq, c.Size, c.Pruned}
			}
		}
		return nil
	})
	if err != nil || !ok || len(h.Losses()) > 0 {
		return Old{}, false, err
	}
	slices.Sort(old.Seqs)
	return old, true, nil
}
