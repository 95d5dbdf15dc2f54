package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/blob/collect"
	"holdfast/internal/blob/fallback"
	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/vault"
)

// blobsName is the directory in the data directory where the octets of large files lie, collectingName the file that remembers since when which of them no change names.
const (
	blobsName      = "blobs"
	collectingName = "blobs.json"
)

// files are the octets of large files: in the data directory or a bucket, and behind it in the vaults.
type files struct {
	own    blob.Store      // what lies in the data directory, or in a bucket, as it is
	vaults *vaultFiles     // what vaults have
	whole  *fallback.Store // the one over the other
}

// openFiles opens the store of large files, and has what goes into vaults read from it. The lease of the data directory is held.
func openFiles(ctx context.Context, c *config.Config, k *keeper, log *slog.Logger) (*files, error) {
	own, err := openBlobStore(ctx, c, c.Data, log)
	if err != nil {
		return nil, err
	}
	f := &files{own: own, vaults: newVaultFiles(k)}
	f.whole = fallback.New(fallback.Options{Store: own, Origin: f.vaults, Log: log})
	return f, nil
}

// open opens what lies in the data directory, for vaults.
func (f *files) open(ctx context.Context, account holdfast.ID, b holdfast.Blob) (blob.File, error) {
	return f.own.Open(ctx, account, b.Hash)
}

// scrubbed are the files as a scrub reads them. It implements [scrub.Files].
type scrubbed struct {
	*files
	data string // the data directory
}

// Open implements [scrub.Files]. What is being copied back after a restore is not there yet, and nothing is wrong with that.
func (f scrubbed) Open(ctx context.Context, account holdfast.ID, b holdfast.Blob) (blob.File, error) {
	x, err := f.own.Open(ctx, account, b.Hash)
	if holdfast.IsKind(err, holdfast.NotFound) {
		if _, is := os.Stat(filepath.Join(f.data, copyingName)); is == nil {
			return nil, nil
		}
	}
	return x, err
}

// Mend implements [scrub.Files].
func (f scrubbed) Mend(ctx context.Context, account holdfast.ID, b holdfast.Blob) error {
	return f.whole.Mend(ctx, account, b)
}

// close ends what is read out of vaults.
func (f *files) close() {
	_ = f.whole.Close() // what was kept is durable
	f.vaults.close()
}

// namedBlobs names the blobs that a vault may have of an account which is erased: those that lie here, and those that the vault's own changes name. Its name of each is made with a key that is about to be destroyed.
func namedBlobs(c *config.Config, k *blob.Keeper, v *vault.Vault, account holdfast.ID) vault.Named {
	return func(ctx context.Context, fn func(holdfast.Hash) error) error {
		if v.Meta().Ledger() {
			return nil
		}
		if err := k.List(ctx, account, nil, 0, func(i blob.Info) error { return fn(i.Hash) }); err != nil {
			return err
		}
		spool, err := workDir(c.Data, "erase")
		if err != nil {
			return err
		}
		defer os.RemoveAll(spool)
		return v.NamedBlobs(ctx, spool, account, fn)
	}
}

// collectBlobs lets go of what uploads left that no change names, until ctx ends. It begins after the store was compared with its vaults: a change that was only there names its blob too.
func (o *opened) collectBlobs(ctx context.Context, c *config.Config, log *slog.Logger) {
	sayBlobs(ctx, c, log)
	var was collect.State
	if _, err := readState(c.Data, collectingName, &was); err != nil {
		log.Warn("it is not known since when octets wait that no file has; they wait anew", "err", err)
		was = collect.State{}
	}
	collect.New(collect.Options{Keeper: o.blobs, Names: o.core.NamesBlob, Clock: clock.System, Log: log, State: was,
		Save: func(_ context.Context, s collect.State) error { return writeState(c.Data, collectingName, s) }}).Run(ctx)
}
