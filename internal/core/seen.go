package core

import (
	"context"
	"slices"
	"sync"
	"time"

	"holdfast"
)

// maxSightings bounds what is gathered between two writes; beyond it new devices wait for the next round, known ones still move.
const maxSightings = 200_000

type seenKey struct{ device, collection holdfast.ID }

// sightings gathers what devices have seen, the newest of each (device, collection).
type sightings struct {
	mu  sync.Mutex
	new map[seenKey]holdfast.Sighting // not yet written down
}

func (s *sightings) init() { s.new = map[seenKey]holdfast.Sighting{} }

// Saw records what a device has shown to have seen. It costs no I/O: it is written down with all others every few minutes. Principals without a
// device (pages) are not recorded.
func (s *Service) Saw(x holdfast.Sighting) {
	if x.Device.IsZero() {
		return
	}
	x.At = s.Now().Truncate(time.Second)
	if decided := s.doubt.decided(x.Account); !decided.IsZero() && !x.At.After(decided) {
		x.At = decided.Add(time.Second) // it comes after the decision, whatever the clock says: what is lost from now on is lost anew
	}
	s.seen.add(x)
}

// newestSeen returns the latest time at which a device was seen in an account; zero: none was.
func (s *Service) newestSeen(ctx context.Context, account holdfast.ID) (at time.Time, err error) {
	snap, err := s.engine.Snapshot(ctx)
	if err != nil {
		return at, err
	}
	defer snap.Close()
	written, err := snap.Sightings(account)
	if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
		return at, err
	}
	s.seen.mu.Lock()
	defer s.seen.mu.Unlock()
	for _, x := range s.seen.new {
		if x.Account == account {
			written = append(written, x)
		}
	}
	for _, x := range written {
		if x.At.After(at) {
			at = x.At
		}
	}
	return at, nil
}

func (s *sightings) add(x holdfast.Sighting) {
	k := seenKey{x.Device, x.Collection}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.new[k]; ok && newer(old, x) || !ok && len(s.new) >= maxSightings {
		return
	}
	s.new[k] = x
}

// of returns what was gathered and not yet written down; zero: nothing.
func (s *sightings) of(k seenKey) holdfast.Sighting {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.new[k]
}

func newer(a, b holdfast.Sighting) bool { return a.At.After(b.At) }

func (s *Service) flushSeen(ctx context.Context) {
	s.seen.mu.Lock()
	batch := make([]holdfast.Sighting, 0, len(s.seen.new))
	for _, x := range s.seen.new {
		batch = append(batch, x)
	}
	clear(s.seen.new)
	s.seen.mu.Unlock()
	for part := range slices.Chunk(batch, 1000) {
		if err := s.engine.Observe(ctx, part); err != nil {
			s.log.Warn("what devices have seen could not be written down; it is gathered again", "err", err)
			for _, x := range part {
				s.seen.add(x)
			}
		}
	}
}

// devices joins device records with what was written down and what was not yet.
func (s *sightings) devices(records []holdfast.DeviceRecord, written []holdfast.Sighting) []Device {
	s.mu.Lock()
	defer s.mu.Unlock()
	latest := map[seenKey]holdfast.Sighting{}
	for _, x := range written {
		latest[seenKey{x.Device, x.Collection}] = x
	}
	known := map[holdfast.ID]bool{}
	for _, d := range records {
		known[d.ID] = true
	}
	for k, x := range s.new {
		if old, ok := latest[k]; known[k.device] && (!ok || !newer(old, x)) {
			latest[k] = x
		}
	}
	out := make([]Device, len(records))
	for i, d := range records {
		out[i].DeviceRecord = d
		for k, x := range latest {
			if k.device != d.ID {
				continue
			}
			if x.At.After(out[i].LastSeen) {
				out[i].LastSeen = x.At
			}
			if !k.collection.IsZero() {
				out[i].Seen = append(out[i].Seen, x)
			}
		}
		slices.SortFunc(out[i].Seen, func(a, b holdfast.Sighting) int { return a.Collection.Compare(b.Collection) })
	}
	return out
}
