package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/config"
	"holdfast/internal/restore"
	"holdfast/internal/store/sqlite"
	"holdfast/internal/vfs"
)

// copyingName is a file of a data directory whose rows are restored, and of which octets of large files may be missing still. The store can be adopted and used: what is missing is read from its vaults.
const copyingName = "restoring-files.json"

// copyingFiles says what is being copied into a restored store, so that only the same is gone on with.
type copyingFiles struct {
	Format     int             `json:"format"`
	What       string          `json:"what"` // the arguments that matter
	Command    string          `json:"command"`
	Account    holdfast.ID     `json:"account,omitzero"` // of a part of a store
	Collection string          `json:"collection,omitempty"`
	Blobs      int64           `json:"blobs"` // that are named
	Octets     int64           `json:"octets"`
	Report     *restore.Report `json:"report"` // of the rows
}

// noteFiles notes that the octets of large files are to come, before the directory becomes a store. copies is nil where there are none.
func noteFiles(ctx context.Context, dir string, f restoreFlags, o restore.Options, rep *restore.Report, what string) (*copyingFiles, error) {
	c := &copyingFiles{Format: 1, What: what, Command: f.command(), Collection: o.Collection, Report: rep}
	if f.account != "" && len(rep.Accounts) == 1 {
		c.Account = rep.Accounts[0].ID
	}
	var err error
	if c.Blobs, c.Octets, err = restore.CountBlobs(ctx, o.Engine, c.Account, c.Collection); err != nil || c.Blobs == 0 {
		return nil, err
	}
	return c, writeState(dir, copyingName, c)
}

// goOnWithFiles returns what an earlier run of the same restore left to be copied; nil where it left nothing.
func goOnWithFiles(dir string, f restoreFlags, what string) (*copyingFiles, error) {
	var c copyingFiles
	ok, err := readState(dir, copyingName, &c)
	if err != nil || !ok {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, restoringName)); !errors.Is(err, fs.ErrNotExist) {
		return nil, err // the rows are not whole, or not known to be
	}
	var r restored
	switch was, err := readState(dir, restoredName, &r); {
	case err != nil:
		return nil, err
	case !was || c.What != what:
		return nil, refused("%s holds a store already: a restore goes into a new place only; choose another directory", dir)
	case r.Adopted != nil:
		return nil, refused("%s was adopted: the store copies the rest of its large files by itself while it runs (holdfast serve --data %s)", dir, dir)
	}
	return &c, nil
}

// restoreFiles copies the octets of large files out of the vaults, the last part of a restore. The lease of the directory is held.
func (a *app) restoreFiles(ctx context.Context, cfg *config.Config, dir string, o restore.Options, c *copyingFiles) (*restore.Report, error) {
	id, err := readIdentity(dir)
	if err != nil {
		return nil, err
	}
	e, err := sqlite.Open(ctx, sqlite.Options{Dir: dir, Store: id.Store, Log: o.Log, Ballast: -1, CacheKiB: restoreCache})
	if err != nil {
		return nil, err
	}
	defer e.Close()
	b, err := openBlobStore(ctx, cfg, dir, o.Log)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	bar := a.progress("large files", c.Octets)
	defer bar.end()
	at := restore.BlobProgress{}
	files, err := restore.CopyBlobs(ctx, restore.BlobOptions{Engine: e, Blobs: blob.NewKeeper(b), From: restore.Of(o.Vaults...), Account: c.Account, Collection: c.Collection,
		Progress: func(p restore.BlobProgress) { at = p; bar.at(int(p.Blobs), p.Octets) }})
	bar.end()
	if ctx.Err() != nil {
		return nil, &exitError{exitBusy, fmt.Sprintf("interrupted; everything is there but %s of large files. Run the same command again, it goes on where it was.%s", octets(c.Octets-at.Octets), andServe(dir, c))}
	}
	if err != nil {
		a.say("Everything is there but %s of large files. Run the same command again once that is mended, it goes on where it was.%s\n", octets(c.Octets-at.Octets), andServe(dir, c))
		return nil, err
	}
	c.Report.Add(files)
	return c.Report, endFiles(dir, c.Report)
}

// andServe says that the store can be used meanwhile.
func andServe(dir string, c *copyingFiles) string {
	if !c.Account.IsZero() {
		return ""
	}
	return fmt.Sprintf(" Or go on with the store now: holdfast adopt %s\nIt reads what is not there yet from its vaults, and copies it while it runs", dir)
}

// endFiles writes down what became of large files, and that nothing is to come.
func endFiles(dir string, rep *restore.Report) error {
	if rep.Blobs.Lost > 0 {
		var r restored
		if ok, err := readState(dir, restoredName, &r); err != nil || !ok {
			return err
		}
		r.Lossy = true
		if err := writeState(dir, restoredName, r); err != nil {
			return err
		}
	}
	if err := writeLosses(dir, rep); err != nil {
		return err
	}
	return removeState(dir, copyingName)
}

// writeLosses writes what was lost or damaged, for people and for programs; nothing where nothing was.
func writeLosses(dir string, rep *restore.Report) error {
	if len(rep.Losses)+len(rep.Damage) == 0 {
		return nil
	}
	if err := writeState(dir, lossesName, rep); err != nil {
		return err
	}
	return vfs.WriteFileAtomic(vfs.OS, filepath.Join(dir, lossesTextName), lossesText(rep), 0o600)
}

// toldFiles says what became of the octets of large files.
func (a *app) toldFiles(rep *restore.Report, f restoreFlags, dir string) {
	b := rep.Blobs
	switch {
	case b == nil || b.Blobs == 0:
	case f.later:
		a.printf("%s, %s, are still to come: the store reads them from its vaults once it is adopted, and copies them while it runs.\n", count(b.Blobs, "large file"), octets(b.Octets))
	case dir == "":
		a.printf("Of %s, %s, %d can be read whole: %s.\n", count(b.Blobs, "large file"), octets(b.Octets), b.Read, octets(b.Came))
	default:
		a.printf("%s, %s, of which %s were copied in %.1f s (%s/s).\n", count(b.Blobs, "large file"), octets(b.Octets), octets(b.Came), b.Seconds, octets(int64(b.Rate)))
	}
}
