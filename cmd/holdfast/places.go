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
	"holdfast/internal/place/remote"
	"holdfast/internal/registry"
	"holdfast/internal/seal"
	"holdfast/internal/vault"
	"holdfast/internal/vfs"
)

// The kinds of places, as the registry writes them. This file alone names what is behind them.
const (
	kindDir    = "dir"
	kindRemote = "remote"
	kindS3     = "s3"
	kindLedger = vault.KindLedger // a directory, without octets of items
)

// inDirectory tells whether a vault of a kind lies in a directory of this machine.
func inDirectory(kind string) bool { return kind == kindDir || kind == kindLedger }

// openPlace opens where a vault lies. A directory is made only if create is set.
func openPlace(e registry.Entry, create bool, log *slog.Logger) (place.Place, error) {
	switch e.Kind {
	case kindDir, kindLedger:
		return dir.Open(vfs.OS, e.Location, dir.Options{Clock: clock.System, Log: log, Create: create})
	case kindRemote:
		return remote.Open(remote.Options{URL: e.Location, Credential: e.Credential, Prune: e.Prune, Fingerprint: e.Fingerprint, Log: log})
	case kindS3:
		return openBucketPlace(e, log)
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
	if !e.Vault.IsZero() && v.Meta().Ledger() != (e.Kind == kindLedger) {
		p.Close()
		return nil, wrongKind(e, v.Meta())
	}
	return v, nil
}

// wrongKind says that a vault and the list do not agree on whether it is a ledger.
func wrongKind(e registry.Entry, m vault.Meta) error {
	if m.Ledger() {
		return refused("at %s lies a ledger, and %s is to be a vault of the kind %s: a ledger has no octets. Add it as what it is (holdfast vault add %s ledger %s), or choose another place", e.Location, e.Name, e.Kind, e.Name, inShell(e.Location))
	}
	return refused("at %s lies a whole vault, and %s is to be a ledger; choose another place", e.Location, e.Name)
}

// askServer asks a remote vault's server how it fares; ok is false for vaults that have none.
func askServer(ctx context.Context, e registry.Entry, log *slog.Logger) (s remote.Server, ok bool, err error) {
	if e.Kind != kindRemote {
		return s, false, nil
	}
	p, err := openPlace(e, false, log)
	if err != nil {
		return s, true, err
	}
	defer p.Close()
	if r, is := p.(*remote.Remote); is {
		s, err = r.Server(ctx)
	}
	return s, true, err
}

// isURL tells whether a place is named by a URL, and so is remote.
func isURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http")
}

// openToRead opens the vault that --from names: a directory, the URL of a remote vault, or a bucket, with what its credential's file says.
func openToRead(ctx context.Context, from string, c credential, log *slog.Logger, with ...*seal.Identity) (*vault.Vault, error) {
	e := registry.Entry{Name: from, Kind: kindDir, Location: from, Credential: c.text, Fingerprint: c.fingerprint, Region: c.region, CA: c.ca}
	if inBucket(from) {
		e.Kind = kindS3
	} else if isURL(from) {
		e.Kind = kindRemote
		if c.text == "" {
			return nil, &exitError{exitUsage, "a remote vault needs --credential FILE: its server has one in read.txt, see `holdfast vault serve --help`"}
		}
	} else {
		var err error
		if e.Location, err = filepath.Abs(from); err != nil {
			return nil, fmt.Errorf("the vault %s: %w", from, err)
		}
	}
	return openVault(ctx, e, vault.Options{With: with, Log: log})
}
