package relay

import (
	"slices"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/store"
)

// mostHeld is how long the callers of a batch are kept asleep in the engine. Whoever is woken before the batch is acknowledged waits on in Wait, which knows about patience and about those who give up.
const mostHeld = 100 * time.Millisecond

// held is a batch whose callers sleep in the engine until it is acknowledged: so they are woken once, not once by the engine and once more by the vault.
type held struct {
	batch uint64
	wake  func()
	late  clock.Timer
}

// holder returns the engine, where it can be told to keep callers asleep and the policy has them wait for vaults.
func (r *Relay) holder() store.Holder {
	if h, ok := r.o.Engine.(store.Holder); ok && len(r.o.Policy.terms) > 0 {
		return h
	}
	return nil
}

// keep keeps the callers of a batch asleep until it is acknowledged, for a moment at most.
func (r *Relay) keep(batch uint64, wake func()) {
	h := &held{batch: batch, wake: wake}
	r.mu.Lock()
	wait := r.waits(batch)
	if wait {
		h.late = r.o.Clock.AfterFunc(mostHeld, func() { r.letGo(h) })
		r.held = append(r.held, h)
	}
	r.mu.Unlock()
	if !wait {
		wake()
	}
}

// waits tells whether the policy will hold for a batch, and does not yet. The lock is held.
func (r *Relay) waits(batch uint64) bool {
	return r.running != nil && r.running.Err() == nil && r.holds && !r.alone && r.acked.Load() < batch
}

// letGo wakes callers who were kept asleep for long enough.
func (r *Relay) letGo(h *held) {
	r.mu.Lock()
	at := slices.Index(r.held, h)
	if at >= 0 {
		r.held = slices.Delete(r.held, at, at+1)
	}
	r.mu.Unlock()
	if at >= 0 {
		h.wake()
	}
}

// free returns those who need not be kept asleep any more. The lock is held.
func (r *Relay) free() (out []*held) {
	r.held = slices.DeleteFunc(r.held, func(h *held) bool {
		if r.waits(h.batch) {
			return false
		}
		out = append(out, h)
		return true
	})
	return out
}

// wakeAll wakes callers who were kept asleep. The lock is not held: they will want it.
func wakeAll(list []*held) {
	for _, h := range list {
		h.late.Stop()
		h.wake()
	}
}
