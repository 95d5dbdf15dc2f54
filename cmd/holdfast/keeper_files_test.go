package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/blob/blobtest"
	"holdfast/internal/control"
	"holdfast/internal/core"
	"holdfast/internal/place"
	"holdfast/internal/relay"
	"holdfast/internal/vault"
)

// TestAReadingOfLargeFilesGoesOnWhereItWasCut cuts the scrub of a vault in the middle of its large files. The next one goes on there, and has not forgotten what was found before.
func TestAReadingOfLargeFilesGoesOnWhereItWasCut(t *testing.T) {
	c := testConfig(t)
	o := opening(t, c)
	defer func() { o.close() }()
	const each = 3
	var ids []holdfast.ID
	for i := range 3 {
		a, _, err := o.core.CreateAccount(t.Context(), holdfast.Actor{}, fmt.Sprintf("p%d@example.org", i), "")
		must(t, err)
		ids = append(ids, a.ID)
		for k := range each {
			p := holdfast.Principal{Account: a.ID}
			at, err := o.core.Locate(t.Context(), p, a.ID, []string{holdfast.HomeFiles, fmt.Sprint(k, ".bin")})
			must(t, err)
			_, _, err = o.core.PutFile(t.Context(), p, core.FileRequest{Place: at.Place(), Octets: bytes.NewReader(blobtest.Octets(uint64(10*i+k), 100_000)), Size: 100_000})
			must(t, err)
		}
	}
	objects, err := filepath.Glob(filepath.Join(o.keeper.vaults().Find(firstVaultName).Location, "blobs", "*", "*"))
	must(t, err)
	if len(objects) != 9 {
		t.Fatalf("%d objects", len(objects))
	}
	must(t, os.Remove(objects[4]))
	// Read until some were read, again and again, with a restart between.
	read, cuts := 0, 0
	for done := false; !done; {
		ctx, cancel := context.WithCancel(t.Context())
		v, err := o.keeper.openDamagedAt(ctx, *o.keeper.vaults().Find(firstVaultName), func(p place.Place) place.Place {
			return &countingPlace{Place: p, left: 4, out: cancel, read: &read}
		})
		must(t, err)
		x := &verifier{k: o.keeper, rep: &control.VaultReport{Vault: firstVaultName, Damaged: []string{}}, fn: func(control.VaultFinding) {}, entry: *o.keeper.vaults().Find(firstVaultName), end: o.engine.Position().Batch}
		err = x.filesOn(ctx, v)
		must(t, v.Close())
		cancel()
		switch {
		case err == nil:
			if done = true; x.rep.Findings != 1 || len(x.rep.Damaged) != 1 {
				t.Errorf("in the end: %+v", x.rep)
			}
		case !errors.Is(err, context.Canceled):
			t.Fatal(err)
		}
		if cuts++; cuts > 20 {
			t.Fatal("it comes to no end")
		}
		o.keeper.scrubs = readScrubs(c.Data)
	}
	if most := 8 + each; read > most || cuts < 2 { // of the account in which something was found, what comes before it is read again
		t.Errorf("%d files were read in %d turns, want at most %d", read, cuts, most)
	}
	if f := o.keeper.scrubs.filesOf(firstVaultName); f.At != (relay.BlobPlace{}) || f.Findings != nil {
		t.Errorf("what is done is remembered: %+v", f)
	}
	rep, err := o.keeper.Repair(t.Context(), firstVaultName, control.VaultRepair{}, func(control.VaultMended) {})
	if err != nil || rep.Files != 1 || rep.Left != 0 {
		t.Errorf("%+v %v", rep, err)
	}
	// A vault that is read beside is asked for what the disk lacks.
	own := o.files.own
	must(t, own.List(t.Context(), ids[0], nil, 1, func(i blob.Info) error { return own.Remove(t.Context(), ids[0], i.Hash) }))
	r, err := o.scrub.Scrub(t.Context(), nil)
	if err != nil || r.Found != 1 || r.Mended != 1 || r.Files != 9 {
		t.Errorf("%+v %v", r, err)
	}
	if f, err := o.keeper.relay.CheckBlobs(t.Context(), vaultOf(t, o), relay.BlobCheck{Deep: true, Upto: o.engine.Position().Batch}); err != nil || f.Blobs != 9 || f.Found != 0 {
		t.Errorf("%+v %v", f, err)
	}
}

func vaultOf(t *testing.T, o *opened) *vault.Vault {
	v, err := o.keeper.open(t.Context(), *o.keeper.vaults().Find(firstVaultName))
	must(t, err)
	t.Cleanup(func() { v.Close() })
	return v
}

// countingPlace counts the blobs that are read, and calls out once so many were.
type countingPlace struct {
	place.Place
	left int
	out  func()
	read *int
}

// Get implements [place.Place].
func (p *countingPlace) Get(ctx context.Context, name string, at, n int64) (io.ReadCloser, error) {
	if vault.ParseName(name).Class == vault.BlobObject && ctx.Err() == nil {
		if p.left--; p.left < 0 {
			p.out()
			return nil, context.Canceled
		}
		*p.read++
	}
	return p.Place.Get(ctx, name, at, n)
}
