package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/config"
	"holdfast/internal/registry"
	"holdfast/internal/relay"
	"holdfast/internal/seal"
	"holdfast/internal/store"
	"holdfast/internal/vault"
	"holdfast/internal/vfs"
)

// keeper looks after what a store has beside its database: its keys and its vaults. The data directory's lease is held while there is one.
type keeper struct {
	c     *config.Config
	store holdfast.ID
	log   *slog.Logger
	ring  *seal.Ring

	mu  sync.Mutex // held while the files are changed
	reg *registry.Registry
	had bool // the store has, or once had, a vault

	erase *erasures // accounts that are to be erased; nil: nobody looks after that here

	rotating sync.Mutex // held by who wraps keys anew

	scrubs     *scrubs
	sweeps     *sweeps
	buckets    *buckets
	pruned     pruned
	relay      *relay.Relay
	engine     store.Engine
	openBlob   func(context.Context, holdfast.ID, holdfast.Blob) (blob.File, error) // the store's own octets of a large file; nil: it has none
	background func(func(context.Context))                                          // runs work until the server stops; nil: no server runs
	serving    bool                                                                 // a server runs, rather than a command
	tried      map[string]time.Time                                                 // the reading of a vault whose damage was to be repaired last, by name; of who scrubs vaults alone
	repairing  sync.Mutex                                                           // held by who repairs a vault
	busy       func() bool                                                          // people are being served; nil: nobody is asked
	rotten     func() int64                                                         // how many things that are damaged in the engine are not mended; nil: not known
	older      func(vault string)                                                   // is told that a vault shows that the store is older than it was; nil: nobody is
	watched    func()                                                               // has what is wrong looked for now; nil: nobody does
	apart      bool                                                                 // the store was restored and not adopted: its vaults are another store's, and are left alone
}

// openKeeper reads the keys and the list of vaults of a data directory. A store that has neither gets keys; one that has vaults and no keys is refused, as nobody could read them.
func openKeeper(c *config.Config, store holdfast.ID, log *slog.Logger) (*keeper, error) {
	k := &keeper{c: c, store: store, log: log, scrubs: readScrubs(c.Data), sweeps: readSweeps(c.Data, log), buckets: readBuckets(c)}
	var err error
	if k.reg, k.had, err = registry.Read(vfs.OS, c.Data); err != nil {
		return nil, refused("%s", sentence(err))
	}
	k.ring, err = registry.ReadKeys(vfs.OS, c.Data)
	if holdfast.IsKind(err, holdfast.NotFound) && !k.had {
		if k.ring, err = seal.NewRing(c.Keyring.Hybrid); err == nil {
			err = registry.WriteKeys(vfs.OS, c.Data, k.ring)
		}
		return k, err
	}
	if err != nil {
		return nil, refused("%s has vaults, and its keys cannot be used: %s. Put the file back from a copy, or restore the store from a vault with its recovery key: holdfast restore --from VAULT --key FILE --into DIR",
			c.Data, sentence(err))
	}
	return k, nil
}

// vaults returns the list of vaults as it is now. Nobody changes it.
func (k *keeper) vaults() *registry.Registry {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.reg
}

// change replaces the list of vaults, durably.
func (k *keeper) change(fn func(*registry.Registry) error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	next := &registry.Registry{Format: k.reg.Format, Vaults: append([]registry.Entry(nil), k.reg.Vaults...)}
	if err := fn(next); err != nil {
		return err
	}
	if err := next.Write(vfs.OS, k.c.Data); err != nil {
		return fmt.Errorf("the list of vaults could not be written: %w", err)
	}
	k.reg, k.had = next, true
	return nil
}

// options are those of the store's vaults.
func (k *keeper) options() vault.Options {
	return vault.Options{Ring: k.ring, Log: k.log, SegmentOctets: k.c.Vault.Segment, SegmentAge: k.c.Vault.SegmentAge, Keep: k.c.Vault.Keep, KeepPruned: k.c.Vault.KeepPruned, KeepTail: k.c.Vault.KeepTail}
}

// open opens a vault of the list, to write into it.
func (k *keeper) open(ctx context.Context, e registry.Entry) (*vault.Vault, error) {
	o := k.options()
	o.Watch = k.sweeps.of(e.Vault)
	v, err := openVault(ctx, e, o)
	if err == nil {
		k.buckets.look(ctx, e, v)
	}
	return v, err
}

// policy returns the policy that holds: the one that is set, or else [policyOf] the list.
func (k *keeper) policy() string {
	if k.apart {
		return "engine"
	}
	if k.c.Sources["policy.ack"] != "default" {
		return k.c.Policy.Ack
	}
	return policyOf(k.vaults())
}

// policyOf returns the policy that holds where none is set: the engine and every vault that is to be waited for.
func policyOf(r *registry.Registry) string {
	out := "engine"
	for _, e := range r.Vaults {
		if e.Mode == registry.Sync {
			out += "+" + e.Name
		}
	}
	return out
}

// record is what each vault keeps of the store.
func (k *keeper) record() registry.Record {
	return registry.RecordOf(k.store, k.policy(), k.c.Policy.OnFailure, k.vaults(), k.ring)
}

// firstVaultName is what the first vault is called.
const firstVaultName = "local"

// standing returns where a vault stands at the first vault's place; empty where none does.
func standing(c *config.Config) (string, error) {
	dir, err := c.FirstVaultDir()
	if err != nil || dir == "" {
		return "", err
	}
	p, err := openPlace(registry.Entry{Kind: kindDir, Location: dir}, false, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", nil // nothing is there
	}
	defer p.Close()
	if _, err := vault.Open(context.Background(), vault.Options{Place: p}); holdfast.IsKind(err, holdfast.NotFound) {
		return "", nil
	}
	return dir, nil // also where it cannot be read: it is something that nobody makes a store beside
}

// refuseBeside refuses to make a new store where a vault stands that only a store can have written: the data directory was lost, or its disk is not mounted.
func refuseBeside(c *config.Config) error {
	dir, err := standing(c)
	if err != nil || dir == "" {
		return err
	}
	return refused("%s holds no store, but a vault stands at %s: the data may be lost, or its disk not mounted. No store is made over that. To rebuild it: holdfast restore --from %s --key RECOVERY-KEY-FILE --into %s; "+
		"for a new store beside an old vault choose another place: --first-vault DIR, or --first-vault none", c.Data, dir, dir, c.Data)
}

// inside tells whether a path is a directory, or lies in it.
func inside(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
