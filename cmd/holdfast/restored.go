package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"holdfast"
	"holdfast/internal/vault"
	"holdfast/internal/vfs"
)

// The files of a data directory that came out of a restore.
const (
	restoringName = "restoring.json" // while it is being restored: nobody else uses it
	restoredName  = "restored.json"  // until it was adopted: it acknowledges nothing
	lossesName    = "restore-losses.json"
	sortingName   = "restore-spool" // what is sorted on the way; in the clear

	lossesTextName = "LOSSES.txt" // what restore-losses.json says, for people
)

// restoring says what is being restored into a directory, so that only the same is gone on with.
type restoring struct {
	Format int         `json:"format"`
	Store  holdfast.ID `json:"store"` // the identity of the new store
	Nonce  holdfast.ID `json:"nonce"`
	What   string      `json:"what"` // the arguments that matter
	// Command is the command line that began it, for people.
	Command string `json:"command,omitempty"`
	// Batch and Hash are where the new store's stream stood once all that the vaults have was in it; zero: not yet.
	Batch uint64        `json:"batch,omitempty"`
	Hash  holdfast.Hash `json:"hash"`
}

// restored says what a store was restored from.
type restored struct {
	Format  int           `json:"format"`
	At      time.Time     `json:"at"`
	From    []restoredOf  `json:"from"`
	Batch   uint64        `json:"batch"` // where the store's stream stood when all of it had come out of the vaults
	Hash    holdfast.Hash `json:"hash"`
	Partial string        `json:"partial,omitempty"` // it is a part of a store, to be looked at: which
	Lossy   bool          `json:"lossy,omitempty"`
	Adopted *time.Time    `json:"adopted,omitempty"`
}

// restoredOf is a vault that a store was restored from.
type restoredOf struct {
	Vault holdfast.ID `json:"vault"`
	Whole bool        `json:"whole"` // it has everything that the store was restored to
	// Term and End are where the vault ended before it was read: what came into it later is not in the store. Zero: not known.
	Term uint64         `json:"term,omitempty"`
	End  vault.Position `json:"end"`
}

// of returns what was noted of a vault; zero: the store was not restored from it.
func (r *restored) of(v *vault.Vault) (from restoredOf) {
	for _, x := range r.From {
		if x.Vault == v.Meta().Vault {
			from = x
		}
	}
	return from
}

// readState reads one of the files; ok is false where it is not there.
func readState(dir, name string, into any) (ok bool, err error) {
	b, err := vfs.ReadFile(vfs.OS, filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		return false, refused("%s cannot be read; if it cannot be repaired, restore into another directory", filepath.Join(dir, name))
	}
	return true, nil
}

func writeState(dir, name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return vfs.WriteFileAtomic(vfs.OS, filepath.Join(dir, name), append(b, '\n'), 0o600)
}

func removeState(dir, name string) error {
	if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return vfs.OS.SyncDir(dir)
}

// mayOpen tells whether a data directory may be used: one that is being restored by nobody but its restore, and one that was restored by nobody who acknowledges before it was adopted.
func mayOpen(dir string, why purpose) error {
	if ok, err := readState(dir, restoringName, &restoring{}); ok || err != nil {
		return errOr(err, refused("%s is being restored, or that was cut short: run the same `holdfast restore` again, it goes on", dir))
	}
	var r restored
	ok, err := readState(dir, restoredName, &r)
	if err != nil || !ok || r.Adopted != nil || !why.keeps() {
		return err
	}
	if r.Partial != "" {
		return refused("%s holds a part of a store (%s), to be looked at and taken out of (holdfast export --data %s): it cannot go on in the place of the whole", dir, r.Partial, dir)
	}
	return refused("%s was restored, and has no right to write into its vaults yet: another store may still have it. Stop that one for good, then: holdfast adopt %s", dir, dir)
}

func errOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}
