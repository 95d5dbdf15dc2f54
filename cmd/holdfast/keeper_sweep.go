package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/control"
	"holdfast/internal/place"
	"holdfast/internal/registry"
	"holdfast/internal/relay"
	"holdfast/internal/vault"
)

// sweepsName is the file of a data directory that says since when vaults hold what no change names. It may be removed while nothing runs: then it is found anew, and stays for longer.
const sweepsName = "vault-sweeps.json"

// sweeps remembers what vaults hold that no change names.
type sweeps struct {
	dir string

	mu    sync.Mutex
	kept  sweepsFile
	watch map[string]*vault.Watch // by the vault's id
	last  map[string]sweptLast    // likewise, since the start
}

// sweepsFile is what is kept between runs of the process.
type sweepsFile struct {
	Counted clock.Waited           `json:"counted"`
	Vaults  map[string]relay.Swept `json:"vaults,omitempty"` // by the vault's id
}

// sweptLast is what the last sweep of a vault found.
type sweptLast struct {
	relay.SweepReport
	at  time.Duration // of the counted time
	err string
}

// readSweeps reads what was remembered, and has what removals may still do known before anybody opens a vault.
func readSweeps(dir string, log *slog.Logger) *sweeps {
	s := &sweeps{dir: dir, watch: map[string]*vault.Watch{}, last: map[string]sweptLast{}}
	if _, err := readState(dir, sweepsName, &s.kept); err != nil {
		log.Warn("it is not known since when vaults hold what no change names; it is found anew", "err", err)
		s.kept = sweepsFile{}
	}
	if s.kept.Vaults == nil {
		s.kept.Vaults = map[string]relay.Swept{}
	}
	for id, x := range s.kept.Vaults {
		w := &vault.Watch{}
		x.Watches(w)
		s.watch[id] = w
	}
	return s
}

// of returns the watch of a vault, which all have in common that open it.
func (s *sweeps) of(id holdfast.ID) *vault.Watch {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.watch[id.String()]
	if w == nil {
		w = &vault.Watch{}
		s.watch[id.String()] = w
	}
	return w
}

// count counts the time that passed, step at most, and forgets vaults that are not in the list any more.
func (s *sweeps) count(now time.Time, step time.Duration, list []registry.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	relay.CountService(&s.kept.Counted, now, step)
	vaults := map[string]relay.Swept{}
	for _, e := range list {
		if x, ok := s.kept.Vaults[e.Vault.String()]; ok {
			vaults[e.Vault.String()] = x
		}
	}
	s.kept.Vaults = vaults
	return writeState(s.dir, sweepsName, s.kept)
}

func (s *sweeps) state(id holdfast.ID) (relay.Swept, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept.Vaults[id.String()], s.kept.Counted.Total
}

func (s *sweeps) save(id holdfast.ID, x relay.Swept) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept.Vaults[id.String()] = x
	return writeState(s.dir, sweepsName, s.kept)
}

func (s *sweeps) note(id holdfast.ID, rep relay.SweepReport, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := sweptLast{SweepReport: rep, at: s.kept.Counted.Total}
	if err != nil {
		x.err = sentence(err)
	}
	s.last[id.String()] = x
}

// tell says what is known of a vault; nil: it was not swept since the start.
func (s *sweeps) tell(id holdfast.ID) *control.VaultUnnamed {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.last[id.String()]
	if !ok {
		return nil
	}
	out := &control.VaultUnnamed{Objects: x.Unnamed, Octets: x.UnnamedOctets, Kept: x.Kept, Left: max(0, x.Left-(s.kept.Counted.Total-x.at)).Seconds(), Held: append([]string{}, x.Held...)}
	if x.err != "" {
		out.Held = append(out.Held, x.err)
	}
	return out
}

// sweepsInGrace is how many sweeps of a vault find an object unnamed before it goes.
const sweepsInGrace = 4

// looksInSweep is how often the clock is looked at from one sweep to the next: no more than one such step counts at once.
const looksInSweep = 6

// sweepVaults sweeps each vault now and then, one after the other, until ctx ends.
func (k *keeper) sweepVaults(ctx context.Context) {
	step := k.c.Vault.Sweep / looksInSweep
	for n := 1; clock.Sleep(ctx, clock.System, step) == nil; n++ {
		list := k.vaults().Vaults
		if err := k.sweeps.count(clock.System.Now(), step, list); err != nil {
			k.log.Warn("how long vaults have held what no change names could not be written down; after a restart it stays for longer", "err", err)
			continue
		}
		if n%looksInSweep != 0 || k.apart {
			continue
		}
		for _, e := range list {
			if e.Kind == kindLedger || e.Making || ctx.Err() != nil {
				continue
			}
			rep, err := k.sweep(ctx, e)
			if ctx.Err() != nil {
				return
			}
			k.sweeps.note(e.Vault, rep, err)
			if rep.Mended > 0 {
				k.log.Warn("a vault lacked files that changes name; they were put there anew", "vault", e.Name, "files", rep.Mended)
			}
			if rep.Listed > 0 {
				k.log.Info("a vault's server was told of objects that no change names; it lets them go by its own clock", "vault", e.Name, "objects", rep.Listed)
			}
			if err != nil {
				k.log.Warn("it could not be looked for what a vault holds that no change names; it stays, and that is tried again", "vault", e.Name, "err", err)
			}
		}
	}
}

// sweep sweeps one vault. What must be read of it is read at the pace of scrubs, yielding to people.
func (k *keeper) sweep(ctx context.Context, e registry.Entry) (relay.SweepReport, error) {
	state, counted := k.sweeps.state(e.Vault)
	grace := sweepsInGrace * k.c.Vault.Sweep
	judge, again := grace, 7*grace
	if !inDirectory(e.Kind) { // its whole history is read over the network for it
		judge *= 7
	}
	if e.Kind == kindRemote { // whose server lets nothing go that was listed a shorter time ago
		again = 31 * grace
	}
	return k.relay.SweepVault(ctx, e.Name, relay.SweepOptions{State: state, Counted: counted, Watch: k.sweeps.of(e.Vault), Grace: grace, Judge: judge, Again: again, ByList: e.Kind == kindRemote,
		Save: func(x relay.Swept) error { return k.sweeps.save(e.Vault, x) },
		Open: func(ctx context.Context) (*vault.Vault, error) {
			return k.openDamagedAt(ctx, e, func(p place.Place) place.Place { return pacedPlace{p, k.pacer(nil)} })
		},
		Spool: func() (string, func(), error) {
			dir, err := workDir(k.c.Data, "sweep")
			return filepath.Join(dir, "sorted"), func() { os.RemoveAll(dir) }, err
		},
		Held: func() []string { return k.sweepHeld(e.Name) },
		Told: func(objects []string, n int64) {
			k.log.Info("objects went from a vault that no change names", "vault", e.Name, "objects", len(objects), "octets", n)
		}})
}

// sweepHeld says why nothing goes from a vault, whatever no change names: what this store knows may not be all.
func (k *keeper) sweepHeld(name string) (held []string) {
	if last, ok := k.scrubs.of(name); ok && last.Findings > 0 {
		held = append(held, fmt.Sprintf("the vault %s held something damaged when it was last read", name))
	}
	if k.rotten != nil && k.rotten() > 0 {
		held = append(held, "the living store holds something damaged")
	}
	if is, err := readState(k.c.Data, copyingName, &copyingFiles{}); is || err != nil {
		held = append(held, "the store was restored, and the octets of its large files are not all back")
	}
	var r restored
	if is, err := readState(k.c.Data, restoredName, &r); err != nil || is && r.Lossy {
		held = append(held, "the store was restored with gaps, and what is missing may have named files")
	}
	if k.erase != nil {
		if n := len(k.erase.core.Doubts()); n > 0 {
			held = append(held, "devices have seen more of "+count(int64(n), "account")+" than the store has")
		}
	}
	return held
}
