package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"path/filepath"

	"holdfast"
	"holdfast/internal/auth"
	"holdfast/internal/blob"
	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/core"
	"holdfast/internal/locks"
	"holdfast/internal/notice"
	kept "holdfast/internal/refused"
	"holdfast/internal/relay"
	"holdfast/internal/store"
	"holdfast/internal/store/sqlite"
	"holdfast/internal/uploads"
	"holdfast/internal/vault"
	"holdfast/internal/vfs"
)

// takeoverName is the directory in the data directory where takeovers of other servers remember how far they came. It may be removed.
const takeoverName = "takeover"

// locksName is the directory in the data directory with the locks that WebDAV clients hold on files. They are no part of the store: they say something of the next hour.
const locksName = "locks"

// opened is a store that this process owns.
type opened struct {
	id      identity
	engine  store.Engine
	files   *files       // the octets of large files
	blobs   *blob.Keeper // likewise, for who puts and removes them
	back    *filesBack   // those that a restored store lacks still
	core    *core.Service
	auth    *auth.Service
	keeper  *keeper
	erase   *erasures
	locks   *locks.Table
	refused *kept.Store
	uploads *uploads.Store
	drills  *drills
	scrub   *engineScrub
	relay   *relay.Relay
	board   *notice.Board // of what is wrong
	photos  *photos       // nil: no server runs, or it cannot be opened
	stop    func()        // has the relay end, and waits for it; nil: it does not run
	lease   *vfs.Lease
}

// purpose says what a store is opened for.
type purpose int

const (
	toUse   purpose = iota // it must be there
	toLook                 // likewise, and its vaults need not be reached
	toMake                 // an empty directory may become one
	toSetUp                // likewise, and memory is no place for it; its first vault is made
	toServe                // likewise, and its vaults are compared later: a server says first that it is there
)

// keeps tells whether a store is opened to stay.
func (p purpose) keeps() bool { return p == toSetUp || p == toServe }

// openStore takes the lease of the data directory and opens the store in it. It never makes a store over something that is there.
func openStore(ctx context.Context, c *config.Config, why purpose, log *slog.Logger) (*opened, error) {
	if _, err := relay.ParsePolicy(c.Policy.Ack); err != nil {
		return nil, &exitError{exitUsage, "policy.ack: " + sentence(err)}
	}
	lease, err := claim(c, why)
	if err != nil {
		return nil, err
	}
	o := &opened{lease: lease}
	err = o.open(ctx, c, why, log)
	if err == nil && why != toServe { // a server says first that it is there
		if err = o.reconcile(ctx); err != nil && why == toLook {
			log.Warn("the vaults could not be compared with the store", "err", err)
			o.ship(ctx) // so that it is known how each fares; a vault that does not fit the store takes nothing
			err = nil
		}
	}
	if err != nil {
		o.close()
		return nil, err
	}
	return o, nil
}

// reconcile compares the store with its vaults, before anything is read, and begins to ship. It can be called again after an error.
func (o *opened) reconcile(ctx context.Context) error {
	if err := o.relay.Reconcile(ctx); err != nil {
		if holdfast.IsKind(err, holdfast.Fenced) || holdfast.IsKind(err, holdfast.NotFound) || holdfast.IsKind(err, holdfast.Corrupt) {
			return refused("%s", sentence(err))
		}
		return err
	}
	o.ship(ctx)
	return nil
}

// ship begins to ship, and waits until it is known how each vault fares.
func (o *opened) ship(ctx context.Context) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		o.relay.Run(ctx)
	}()
	o.stop = func() { cancel(); <-ended }
	o.keeper.settled(ctx)
}

// claim takes the lease of a data directory, and makes the directory where a store may be made. Nothing else is changed.
func claim(c *config.Config, why purpose) (*vfs.Lease, error) {
	if err := mayOpen(c.Data, why); err != nil {
		return nil, err
	}
	found, err := survey(c.Data)
	if err != nil {
		return nil, err
	}
	if found != ours {
		if why == toUse || why == toLook {
			return nil, &exitError{exitBusy, fmt.Sprintf("there is no store in %s; `holdfast serve` makes one, or --data names another directory", c.Data)}
		}
		if err := refuseBeside(c); err != nil {
			return nil, err
		}
	}
	if owner, foreign := foreignOwner(filepath.Join(c.Data, identityName)); foreign {
		return nil, refused("%s belongs to the user %s, who could not open what the superuser writes there; run this as that user: sudo -u %s holdfast ...", c.Data, owner, owner)
	}
	if (found != ours || why.keeps()) && vfs.Volatile(c.Data) && !c.Volatile {
		return nil, refused("%s lies in memory (%s): a restart of the machine would empty it. Choose a disk with --data, or say --volatile if you mean it",
			c.Data, vfs.Filesystem(c.Data))
	}
	if found == missing {
		if err := vfs.MkdirDurable(vfs.OS, c.Data, 0o700); err != nil {
			return nil, refused("the data directory cannot be made: %v", err)
		}
	}
	lease, err := vfs.AcquireLease(vfs.OS, filepath.Join(c.Data, leaseName))
	if errors.Is(err, vfs.ErrLocked) {
		return nil, &holdfast.Error{Op: "open", Kind: holdfast.Busy, Ref: c.Data, Text: oneLine(err) + "; stop that process first", Err: vfs.ErrLocked}
	}
	if err != nil {
		return nil, refused("the data directory cannot be used: %v", err)
	}
	return lease, nil
}

// open does what needs the lease.
func (o *opened) open(ctx context.Context, c *config.Config, why purpose, log *slog.Logger) error {
	if _, err := vfs.RemoveTemps(vfs.OS, c.Data); err != nil {
		return fmt.Errorf("open %s: %w", c.Data, err)
	}
	var err error
	o.id, err = readIdentity(c.Data)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := survey(c.Data); err != nil { // somebody was here since
			return err
		}
		o.id = newIdentity()
		err = o.id.write(c.Data)
	}
	if err != nil {
		return err
	}
	clearWork(c, o.id.Store, log)
	if !o.id.New {
		if err := guardUpgrade(ctx, c, log); err != nil {
			return err
		}
	}
	e, err := sqlite.Open(ctx, sqlite.Options{Dir: c.Data, Store: o.id.Store, Create: o.id.New, Log: log,
		Readers: c.Engine.Readers, CacheKiB: int(c.Engine.Cache >> 10), Ballast: c.Engine.Ballast, WALPages: c.Engine.WALPages})
	if err != nil {
		return o.explain(c, err)
	}
	o.engine = e
	if got := e.Info().Store; got != o.id.Store {
		return refused("%s is marked as store %s, but its database is store %s: two data directories were mixed. Nothing was changed", c.Data, o.id.Store, got)
	}
	if o.id.New {
		if e.Info().Accounts > 0 {
			return refused("%s is marked as new, but its database has accounts: it may be half of a copy. Nothing was changed", c.Data)
		}
		o.id.New = false
		if err := o.id.write(c.Data); err != nil {
			return err
		}
		log.Info("a new store was made", "dir", c.Data, "store", o.id.Store)
	}
	if err := o.openVaults(ctx, c, why, log); err != nil {
		return err
	}
	doubted, err := readDoubts(c.Data)
	if err != nil {
		return err
	}
	o.blobs = blob.NewKeeper(o.files.whole)
	var copies core.BlobCopies = relay.Blobs{Relay: o.relay} // said here: the core asks for it at run time, and would do without large files
	o.core = core.New(core.Options{Engine: e, Copies: copies, Blobs: o.blobs, Room: leavesRoom(c.Data), Judges: judges(c), Log: log, Doubted: doubted, SaveDoubts: saveDoubts(c.Data),
		Guard: core.GuardLimits(c.Guard), Bursts: readBursts(c.Data, log), SaveBursts: saveBursts(c.Data),
		Limits: core.Limits{Show: c.Policy.ReadWait, Resource: c.Limits.Resource, File: c.Limits.File, Inline: c.Limits.Inline, Quota: c.Limits.Quota,
			Devices: c.Limits.Devices, Collections: c.Limits.Collections, Shares: c.Limits.Shares, SeenInterval: c.SeenInterval, DirectoryTTL: c.DirectoryTTL, Directory: c.Limits.DirectoryCache}})
	if o.erase, err = readErasures(c.Data, c.Erase.Wait, o.core, o.keeper.names, clock.System, log); err != nil {
		return err
	}
	o.keeper.erase = o.erase
	if o.drills, err = openDrills(o.keeper, o.core); err != nil {
		return err
	}
	o.locks = locks.Open(locks.Options{FS: vfs.OS, Dir: filepath.Join(c.Data, locksName), Log: log})
	if o.refused, err = openRefused(c, log); err != nil {
		return err
	}
	if o.uploads, err = openUploads(c, log); err != nil {
		return err
	}
	o.erase.forget = func(id holdfast.ID) error {
		if o.photos != nil { // otherwise the next service finds that it is gone
			if err := o.photos.Forget(id); err != nil {
				return err
			}
		}
		return errors.Join(o.drills.book.Forget(id), o.locks.Forget(id), o.refused.Forget(id), o.uploads.Forget(id), o.blobs.Forget(context.Background(), id))
	}
	o.erase.named = func(v *vault.Vault, id holdfast.ID) vault.Named { return namedBlobs(c, o.blobs, v, id) }
	o.scrub = newEngineScrub(o.keeper, scrubbed{o.files, c.Data})
	o.back = newFilesBack(c, o.keeper, o.blobs)
	o.drills.files, o.drills.returning = o.blobs, o.back.returning
	o.board, err = newBoard(c, log)
	return err
}

// openVaults wires the store's keys and vaults. Only a server makes the first vault.
func (o *opened) openVaults(ctx context.Context, c *config.Config, why purpose, log *slog.Logger) (err error) {
	if o.keeper, err = openKeeper(c, o.id.Store, log); err != nil {
		return err
	}
	o.keeper.engine, o.keeper.serving = o.engine, why == toServe
	var r restored
	was, err := readState(c.Data, restoredName, &r)
	if err != nil {
		return err
	}
	o.keeper.apart = was && r.Adopted == nil
	if why.keeps() {
		if err := o.keeper.makeFirst(ctx); err != nil {
			return err
		}
	}
	if o.files, err = openFiles(ctx, c, o.keeper, log); err != nil {
		return err
	}
	o.keeper.openBlob = o.files.open
	o.relay, err = o.keeper.newRelay(o.engine, func(ctx context.Context, x relay.Conflict) error {
		return o.core.Diverged(ctx, x.Account, x.Vault, x.Theirs, x.Ours)
	})
	return err
}

// explain turns an engine's refusal to open into what to do.
func (o *opened) explain(c *config.Config, err error) error {
	switch holdfast.KindOf(err) {
	case holdfast.NotFound:
		return refused("%s is marked as a store, but its database is missing; it is not made anew over lost data. Is the right disk mounted? Otherwise restore %s", c.Data, sqlite.FileName)
	case holdfast.Invalid, holdfast.Forbidden, holdfast.Fenced:
		return refused("%s", sentence(err))
	}
	return err
}

// close lets go of everything that was opened.
func (o *opened) close() {
	if o.photos != nil {
		o.photos.end()
		_ = o.photos.Close() // it can be made anew
	}
	if o.core != nil {
		o.core.Close(context.Background())
	}
	if o.stop != nil {
		o.stop()
	}
	if o.files != nil {
		o.files.close()
	}
	if o.drills != nil {
		_ = o.drills.book.Close() // what was kept is durable
	}
	if o.engine != nil {
		_ = o.engine.Close() // nothing acknowledged depends on it
	}
	_ = o.lease.Release()
}

// handler returns the operations over an opened store. What can be run again ends when stopping is closed.
func (o *opened) handler(c *config.Config, status func(*control.Status), closed func() error, log *slog.Logger, stopping <-chan struct{}) http.Handler {
	explain := o.explainer(c, log)
	var photos control.Photos
	if o.photos != nil {
		photos = o.photos
	}
	return control.NewHandler(control.Options{Photos: photos, Explain: explain, Core: o.core, Hash: o.auth.HashPassword, SetPassword: o.auth.SetPassword, Status: status, MaxImport: c.Limits.Import, Log: log, Keys: o.keeper, Vaults: o.keeper, Erasures: o.erase, Drills: o.drills, Scrubs: o.scrub, Notices: o.board, Refused: o.refused, Arriving: func() control.Arriving { return o.arriving(c.Data) }, Returning: o.back.returning, Closed: closed, Repair: o.repairer(c, log, explain),
		TakeoverDir: filepath.Join(c.Data, takeoverName), Stopping: stopping, TakeSecret: auth.TakeAppPassword,
		NewSecret: func() (string, holdfast.Hash, error) {
			p, err := auth.NewAppPassword(nil)
			return p.Text, p.Hash, err
		}})
}
