package relay

import "time"

// moment is when the engine was seen to have come to a batch.
type moment struct {
	at    time.Time
	batch uint64
}

// maxMoments bounds how many are remembered; then every second one is forgotten.
const maxMoments = 512

// see remembers how far the engine is now. The lock is held.
func (r *Relay) see(now time.Time, batch uint64) {
	if n := len(r.seen); n > 0 && r.seen[n-1].batch >= batch {
		return
	}
	least := batch
	for _, w := range r.workers {
		least = min(least, w.look().pos.Batch)
	}
	for len(r.seen) > 1 && r.seen[1].batch <= least { // nobody waits for what lies before
		r.seen = r.seen[1:]
	}
	if len(r.seen) >= maxMoments {
		thin := append([]moment(nil), r.seen[:2]...) // which tell since when the slowest vault is behind
		for i := 3; i < len(r.seen); i += 2 {
			thin = append(thin, r.seen[i])
		}
		r.seen = thin
	}
	r.seen = append(r.seen, moment{now, batch})
}

// waitsSince returns since when the oldest change waits that a vault does not have: since the first look that saw the engine above it. Where no look saw the two together, it is counted from the last time that the vault took something. The lock is held.
//
// The time of the last append alone would not do: after a quiet week each new change would be a week late for a moment.
func (r *Relay) waitsSince(s shipping) time.Time {
	for i, m := range r.seen {
		if m.batch <= s.pos.Batch {
			continue
		}
		if i > 0 {
			return m.at
		}
		break
	}
	if s.lastShip.IsZero() {
		return s.since
	}
	return s.lastShip
}
