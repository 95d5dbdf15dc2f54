package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"

	"holdfast/internal/clock"
	"holdfast/internal/place"
	"holdfast/internal/place/dir"
	"holdfast/internal/registry"
	"holdfast/internal/seal"
	"holdfast/internal/vault"
	"holdfast/internal/vfs"
)

// The kinds of places, as the registry writes them. This file alone names what is behind them.
const (
	kindDir    = "dir"
	kindRemote = "remote"
)

// openPlace opens where a vault lies. A directory is made only if create is set.
func openPlace(e registry.Entry, create bool, log *slog.Logger) (place.Place, error) {
	switch e.Kind {
	case kindDir:
		return dir.Open(vfs.OS, e.Location, dir.Options{Clock: clock.System, Log: log, Create: create})
	}
	return nil, refused("the vault %s is of the kind %q, which this version does not know", e.Name, e.Kind)
}

// openVault opens a vault of the registry. ring is the server's; nil: it is read only, with the keys given.
func openVault(ctx context.Context, e registry.Entry, o vault.Options) (*vault.Vault, error) {
	p, err := openPlace(e, false, o.Log)
	if err != nil {
		return nil, err
	}
	o.Place = p
	v, err := vault.Open(ctx, o)
	if err != nil {
		p.Close()
		return nil, err
	}
	if !e.Vault.IsZero() && v.Meta().Vault != e.Vault {
		p.Close()
		return nil, refused("at %s lies another vault (%s) than the one that is called %s (%s); is the right disk mounted?", e.Location, v.Meta().Vault, e.Name, e.Vault)
	}
	return v, nil
}

// openToRead opens the vault that --from names: a directory, or the URL of a remote vault, or a vault's name in the registry of the data directory.
func openToRead(ctx context.Context, known *registry.Registry, from string, log *slog.Logger, with ...*seal.Identity) (*vault.Vault, error) {
	if known != nil {
		if e := known.Find(from); e != nil {
			return openVault(ctx, *e, vault.Options{With: with, Log: log})
		}
	}
	e := registry.Entry{Name: from, Kind: kindDir, Location: from}
	if u, err := url.Parse(from); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		e.Kind = kindRemote
	} else if e.Location, err = filepath.Abs(from); err != nil {
		return nil, fmt.Errorf("the vault %s: %w", from, err)
	}
	return openVault(ctx, e, vault.Options{With: with, Log: log})
}
