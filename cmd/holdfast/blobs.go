package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/blob/collect"
	blobdisk "holdfast/internal/blob/disk"
	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/vault"
	"holdfast/internal/vfs"
)

// blobsName is the directory in the data directory where the octets of large files lie, collectingName the file that remembers since when which of them no change names.
const (
	blobsName      = "blobs"
	collectingName = "blobs.json"
)

// openBlobs opens the store of large files. The lease of the data directory is held.
func openBlobs(c *config.Config) (*blob.Keeper, error) {
	s, err := blobdisk.Open(vfs.OS, filepath.Join(c.Data, blobsName))
	if err != nil {
		return nil, err
	}
	return blob.NewKeeper(s), nil
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
	var was collect.State
	if _, err := readState(c.Data, collectingName, &was); err != nil {
		log.Warn("it is not known since when octets wait that no file has; they wait anew", "err", err)
		was = collect.State{}
	}
	collect.New(collect.Options{Keeper: o.blobs, Names: o.core.NamesBlob, Clock: clock.System, Log: log, State: was,
		Save: func(_ context.Context, s collect.State) error { return writeState(c.Data, collectingName, s) }}).Run(ctx)
}
