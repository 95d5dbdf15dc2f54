package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/control"
	"holdfast/internal/place/remote"
	"holdfast/internal/relay"
	"holdfast/internal/vfs"
)

// scrubsName is the file of a data directory that says when each vault was last read, and what was found. It may be removed: then that is not known, and they are read again.
const scrubsName = "scrubs.json"

// reading is what came of reading everything that a vault holds.
type reading struct {
	At       time.Time `json:"at"`
	Objects  int64     `json:"objects"`
	Octets   int64     `json:"octets"`
	Damaged  []string  `json:"damaged"`
	Findings int64     `json:"findings"`
	Ours     bool      `json:"ours,omitempty"`   // what is damaged was found from here, with the keys
	Opened   bool      `json:"opened,omitempty"` // it was found by opening everything: hashing does not see all of that

	Upto uint64 `json:"upto,omitempty"` // the batch up to which everything that the vault holds was looked at; 0: not known, as where its own server read it

	Files *filesRead `json:"files,omitempty"` // a reading of large files that is under way
}

// scrubs remembers the last reading of each vault, by name.
type scrubs struct {
	dir string

	mu     sync.Mutex
	byName map[string]reading
}

// readScrubs reads what was remembered; what cannot be read is not known.
func readScrubs(dir string) *scrubs {
	s := &scrubs{dir: dir, byName: map[string]reading{}}
	b, err := vfs.ReadFile(vfs.OS, filepath.Join(dir, scrubsName))
	if err != nil || json.Unmarshal(b, &s.byName) != nil || s.byName == nil {
		s.byName = map[string]reading{}
	}
	return s
}

func (s *scrubs) of(name string) (reading, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.byName[name]
	return x, ok
}

// maxDamaged bounds how many damaged objects are remembered by name.
const maxDamaged = 100

// note remembers a reading that came to its end. opened says that everything was opened, and not hashed alone: only such a reading takes back what such a one has found.
func (s *scrubs) note(rep control.VaultReport, opened bool, upTo uint64) error {
	x := reading{At: clock.System.Now().UTC().Truncate(time.Second), Objects: rep.Objects, Octets: rep.Octets, Damaged: rep.Damaged[:min(len(rep.Damaged), maxDamaged)], Findings: rep.Findings, Ours: rep.Findings > 0, Opened: opened && rep.Findings > 0, Upto: upTo}
	last, ok := s.of(rep.Vault)
	if ok && last.Opened && !opened {
		x.keep(last)
	}
	x.Files = last.Files
	return s.put(rep.Vault, x)
}

// keep takes over what was found before, and cannot be taken back by what reads less.
func (x *reading) keep(last reading) {
	x.Findings, x.Ours, x.Opened = max(x.Findings, last.Findings), true, last.Opened
	for _, d := range last.Damaged {
		if !slices.Contains(x.Damaged, d) && len(x.Damaged) < maxDamaged {
			x.Damaged = append(x.Damaged[:len(x.Damaged):len(x.Damaged)], d)
		}
	}
}

func (s *scrubs) put(name string, x reading) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byName[name] = x
	b, err := json.Marshal(s.byName)
	if err != nil {
		return err
	}
	return vfs.WriteFileAtomic(vfs.OS, filepath.Join(s.dir, scrubsName), append(b, '\n'), 0o600)
}

// scrubWhole reads each vault whose last reading is older than the configuration says, one after the other, until ctx ends. A remote vault is read by its own server, which is asked what it found. For
// some minutes servers alone are asked: right after a start, when phones come back and a new store is filled, a reading would take a part of the processor from them.
func (k *keeper) scrubWhole(ctx context.Context) {
	began := clock.System.Now()
	for pause := min(k.c.Vault.Scrub, firstAsk); clock.Sleep(ctx, clock.System, pause) == nil; {
		read := readDue(clock.System.Now().Sub(began), k.c.Vault.Scrub)
		if pause = min(k.c.Vault.Scrub, time.Hour); !read {
			pause = min(pause, firstRead)
		}
		for _, v := range k.relay.Status().Vaults {
			e := k.vaults().Find(v.Name)
			if e == nil || v.State != relay.Whole {
				if _, asked := k.scrubs.of(v.Name); e != nil && !asked && e.Kind == kindRemote { // it is being filled, or cannot be reached
					pause = min(k.c.Vault.Scrub, askAgain)
				}
				continue
			}
			s, far, err := askServer(ctx, *e, k.log)
			switch {
			case err != nil && ctx.Err() == nil:
				k.log.Warn("a vault's server could not be asked what it found; that is tried again", "vault", v.Name, "err", err)
			case far:
				k.noteServer(v.Name, s)
				k.mendVault(ctx, v.Name)
			case read:
				k.scrubOne(ctx, v.Name)
				k.mendVault(ctx, v.Name)
			}
		}
	}
}

// firstAsk is when remote vaults are asked first, and askAgain when one is that could not be asked then; firstRead is when others are read first.
const (
	firstAsk  = 5 * time.Second
	askAgain  = time.Minute
	firstRead = 10 * time.Minute
)

// readDue tells whether vaults are read, so long after the start.
func readDue(since, every time.Duration) bool { return since >= min(every, firstRead) }

// noteServer remembers what a remote vault's server says that it has, and what it found when it last read that; a zero time where it did not yet.
func (k *keeper) noteServer(name string, s remote.Server) {
	last, ok := k.scrubs.of(name)
	now := reading{Objects: s.Objects, Octets: s.Octets, Damaged: s.Damaged[:min(len(s.Damaged), maxDamaged)], Findings: int64(len(s.Damaged)), Files: last.Files}
	if s.Scrubbed != nil && !s.Scrubbed.After(clock.System.Now().Add(clockOff)) { // one that is to come is a clock's that is wrong
		now.At = *s.Scrubbed
	}
	switch {
	case now.At.Before(last.At) && !last.At.After(clock.System.Now().Add(clockOff)): // it was read from here since; a time that is to come is a clock's that was wrong
		now.At, now.Damaged, now.Findings, now.Ours, now.Opened, now.Upto = last.At, last.Damaged, last.Findings, last.Ours, last.Opened, last.Upto
	case last.Ours: // the server has no key, and cannot take that back: only a reading from here can, as a repair does in the end
		now.keep(last)
	}
	if ok && last.At.Equal(now.At) && slices.Equal(last.Damaged, now.Damaged) && last.Objects == now.Objects && last.Octets == now.Octets {
		return
	}
	for _, d := range now.Damaged {
		if !slices.Contains(last.Damaged, d) {
			k.log.Error("a remote vault's server found something that is damaged, or missing", "vault", name, "what", d)
		}
	}
	if err := k.scrubs.put(name, now); err != nil {
		k.log.Warn("what a vault's server found could not be written down", "vault", name, "err", err)
	}
	k.see()
}

// see has it looked at once at what a reading has found, or no longer finds, if somebody watches.
func (k *keeper) see() {
	if k.watched != nil {
		k.watched()
	}
}

// mendVault repairs a vault in which its last reading found damage, whoever had it read; once for each reading. Where the engine has damage of its own that is not mended, nothing is written into vaults out of it.
func (k *keeper) mendVault(ctx context.Context, name string) {
	last, ok := k.scrubs.of(name)
	switch {
	case !ok || last.Findings == 0 || last.At.Equal(k.tried[name]) || !k.c.Scrub.Repair || k.apart:
		return
	case k.rotten != nil && k.rotten() > 0:
		k.log.Error("a damaged vault is not repaired by itself, as the engine holds something damaged too; `holdfast scrub` names it", "vault", name)
		return
	}
	if k.tried == nil {
		k.tried = map[string]time.Time{}
	}
	k.tried[name] = last.At
	rep, err := k.Repair(ctx, name, control.VaultRepair{}, func(control.VaultMended) {})
	if err != nil && ctx.Err() == nil {
		k.log.Error("a damaged vault could not be repaired: holdfast vault repair "+name, "vault", name, "err", err)
	} else if err == nil && rep.Left > 0 {
		k.log.Error("a damaged vault was repaired, and something is left", "vault", name, "left", rep.Left, "what", rep.Findings)
	}
}

// scrubOne reads a vault, if that is due.
func (k *keeper) scrubOne(ctx context.Context, name string) {
	last, ok := k.scrubs.of(name)
	if since := clock.System.Now().Sub(last.At); ok && since >= 0 && since < k.c.Vault.Scrub {
		return
	}
	rep, err := k.Verify(ctx, name, false, func(f control.VaultFinding) {
		k.log.Error("a vault holds something that is damaged, or lacks something", "vault", name, "what", describeFinding(f))
	})
	if err != nil && ctx.Err() == nil {
		k.log.Warn("a vault could not be read; that is tried again", "vault", name, "err", err)
	} else if err == nil {
		k.log.Info("a vault was read", "vault", name, "objects", rep.Objects, "octets", rep.Octets, "findings", rep.Findings)
	}
}
