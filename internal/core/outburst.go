package core

import (
	"context"
	"slices"
	"sync"

	"holdfast"
	"holdfast/internal/store"
)

// maxFollowed is how many bursts are remembered as far as they were followed, and followedAtOnce how many changes further a page follows one.
const (
	maxFollowed    = 64
	followedAtOnce = 5 * historyPage
)

// following remembers how far bursts were followed, so that a page does not begin anew: what is in the journal stays there.
type following struct {
	mu   sync.Mutex
	list []*followed // the one that was looked at last comes last
}

type followed struct {
	mu sync.Mutex
	burstFinder
}

// of returns what is known of a burst, maybe nothing yet.
func (f *following) of(owner holdfast.ID, rec holdfast.BurstRecord) *followed {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.list, func(x *followed) bool { return x.rec.ID == rec.ID && x.owner == owner })
	x := &followed{burstFinder: *newBurstFinder(owner, rec)}
	if i >= 0 {
		x = f.list[i]
		f.list = slices.Delete(f.list, i, i+1)
	}
	f.list = append(f.list, x)
	f.list = slices.Delete(f.list, 0, max(0, len(f.list)-maxFollowed))
	return x
}

// outburst follows a burst, further than before by a bounded part.
func (c *chronicler) outburst(ctx context.Context, rec holdfast.BurstRecord) (Outburst, error) {
	out := Outburst{BurstRecord: rec, Undone: c.reversals.undoneBy(func(r *reversal) bool { return r.Burst == rec.ID })}
	x := c.past.s.guard.following.of(c.past.owner, rec)
	x.mu.Lock()
	defer x.mu.Unlock()
	err := x.follow(ctx, c.within, followedAtOnce)
	if err != nil {
		x.burstFinder = *newBurstFinder(c.past.owner, rec) // it may have stopped in the middle of a group
		return out, err
	}
	for _, s := range x.chosen {
		out.Changes += int(s.last - s.first + 1)
	}
	out.To, out.Least = x.last, !x.over
	err = c.within(ctx, func(snap store.Snapshot) error {
		out.By, out.Name, err = c.names.of(snap, holdfast.Actor{Account: rec.Account, Device: rec.Device})
		return err
	})
	return out, err
}

// open returns the account's bursts that are new, the newest first.
func (c *chronicler) open(ctx context.Context) (out []Outburst, err error) {
	for _, b := range slices.Backward(c.past.s.Bursts()) {
		if b.Owner != c.past.owner || len(out) == maxOpen {
			continue
		}
		x, err := c.outburst(ctx, b.BurstRecord)
		if err != nil {
			return out, err
		}
		if !x.Undone {
			out = append(out, x)
		}
	}
	return out, nil
}

// maxOpen is how many new bursts a page shows first; the others are found in their places.
const maxOpen = 5

// Known says that the account's owner knows of a burst: it is shown as new no more. Errors: NotFound.
func (p *Past) Known(ctx context.Context, burst holdfast.ID) error {
	err := p.within(ctx, func(snap store.Snapshot) error {
		_, err := burstOf(snap, p.owner, burst)
		return err
	})
	if err == nil {
		p.s.SettleBurst(ctx, burst)
	}
	return err
}
