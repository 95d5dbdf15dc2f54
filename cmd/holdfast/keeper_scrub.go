package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"sync"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/control"
	"holdfast/internal/relay"
	"holdfast/internal/vfs"
)

// scrubsName is the file of a data directory that says when each vault was last read, and what was found. It may be removed: then that is not known, and they are read again.
const scrubsName = "scrubs.json"

// scrub is what came of reading everything that a vault holds.
type scrub struct {
	At       time.Time `json:"at"`
	Objects  int64     `json:"objects"`
	Octets   int64     `json:"octets"`
	Damaged  []string  `json:"damaged"`
	Findings int64     `json:"findings"`
}

// scrubs remembers the last reading of each vault, by name.
type scrubs struct {
	dir string

	mu     sync.Mutex
	byName map[string]scrub
}

// readScrubs reads what was remembered; what cannot be read is not known.
func readScrubs(dir string) *scrubs {
	s := &scrubs{dir: dir, byName: map[string]scrub{}}
	b, err := vfs.ReadFile(vfs.OS, filepath.Join(dir, scrubsName))
	if err != nil || json.Unmarshal(b, &s.byName) != nil || s.byName == nil {
		s.byName = map[string]scrub{}
	}
	return s
}

func (s *scrubs) of(name string) (scrub, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.byName[name]
	return x, ok
}

// maxDamaged bounds how many damaged objects are remembered by name.
const maxDamaged = 100

// note remembers a reading that came to its end.
func (s *scrubs) note(rep control.VaultReport) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byName[rep.Vault] = scrub{clock.System.Now().UTC().Truncate(time.Second), rep.Objects, rep.Octets, rep.Damaged[:min(len(rep.Damaged), maxDamaged)], rep.Findings}
	b, err := json.Marshal(s.byName)
	if err != nil {
		return err
	}
	return vfs.WriteFileAtomic(vfs.OS, filepath.Join(s.dir, scrubsName), append(b, '\n'), 0o600)
}

// scrubWhole reads each vault whose last reading is older than the configuration says, one after the other, until ctx ends.
func (k *keeper) scrubWhole(ctx context.Context) {
	for clock.Sleep(ctx, clock.System, min(k.c.Vault.Scrub, time.Hour)) == nil {
		for _, v := range k.relay.Status().Vaults {
			last, ok := k.scrubs.of(v.Name)
			if since := clock.System.Now().Sub(last.At); v.State != relay.Whole || ok && since >= 0 && since < k.c.Vault.Scrub {
				continue
			}
			rep, err := k.Verify(ctx, v.Name, false, func(f control.VaultFinding) {
				k.log.Error("a vault holds something that is damaged, or lacks something", "vault", v.Name, "what", describeFinding(f))
			})
			if err != nil && ctx.Err() == nil {
				k.log.Warn("a vault could not be read; that is tried again", "vault", v.Name, "err", err)
			} else if err == nil {
				k.log.Info("a vault was read", "vault", v.Name, "objects", rep.Objects, "octets", rep.Octets, "accounts", rep.Accounts, "changes", rep.Changes, "findings", rep.Findings)
			}
		}
	}
}
