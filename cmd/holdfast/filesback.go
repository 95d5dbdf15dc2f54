package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/restore"
	"holdfast/internal/scrub"
	"holdfast/internal/store"
	"holdfast/internal/vault"
)

// filesBack copies back, while the service runs, the octets of large files that the store lacks: it was restored, or put back from an older copy and brought up to its vault, or some were removed. It looks once after each start. Until each is there it is read from a vault.
type filesBack struct {
	dir    string
	engine store.Engine
	blobs  *blob.Keeper
	open   func(context.Context) ([]*vault.Vault, error) // the vaults that can be had; the error names the others
	busy   func() bool                                   // people are being served
	share  float64                                       // of the time that is worked then
	log    *slog.Logger

	mu    sync.Mutex
	tried bool // once in this process
	state control.Returning
	left  map[holdfast.ID]restore.BlobCount
}

func newFilesBack(c *config.Config, k *keeper, b *blob.Keeper) *filesBack {
	return &filesBack{dir: c.Data, engine: k.engine, blobs: b, open: func(ctx context.Context) ([]*vault.Vault, error) { return k.openBut(ctx, nil) }, busy: func() bool { return k.busy != nil && k.busy() }, share: min(1, float64(c.Drill.Share)/100), log: k.log}
}

// The pauses between two tries, where vaults cannot be reached or the disk is full.
const (
	firstFilesPause = 15 * time.Second
	lastFilesPause  = 30 * time.Minute
)

// run copies what is missing, until nothing is or ctx ends. It goes on where an earlier process was killed.
func (f *filesBack) run(ctx context.Context) {
	for pause := firstFilesPause; ; pause = min(2*pause, lastFilesPause) {
		before := f.returning().Octets
		done, err := f.once(ctx)
		if ctx.Err() != nil {
			return
		}
		f.ended(err)
		if done {
			return
		}
		f.log.Warn("octets of large files cannot be copied back now; they are read from a vault where that is possible, and it is tried again", "left", f.returning().Octets, "err", err)
		if f.returning().Octets < before {
			pause = firstFilesPause
		}
		if clock.Sleep(ctx, clock.System, pause) != nil {
			return
		}
	}
}

// once makes one pass. done tells that nothing is to come any more.
func (f *filesBack) once(ctx context.Context) (done bool, err error) {
	var was copyingFiles
	restored, err := readState(f.dir, copyingName, &was)
	if err != nil {
		return false, err
	}
	if err := f.count(ctx); err != nil {
		return false, err
	}
	if f.returning().Files == 0 && !restored {
		return true, nil
	}
	vaults, away := f.open(ctx)
	for _, v := range vaults {
		defer v.Close()
	}
	if len(vaults) == 0 && away == nil {
		return false, keyTrouble(holdfast.Unavailable, "the store has no vault: bring them in with `holdfast repair --from VAULT`")
	}
	from := origin{restore.Of(vaults...), away}
	pace := scrub.Pacer{Clock: clock.System, Busy: f.busy, Share: f.share}
	rep, err := restore.CopyBlobs(ctx, restore.BlobOptions{Engine: f.engine, Blobs: f.blobs, From: from, Account: was.Account, Collection: was.Collection, Workers: 2, Patient: true, Pace: pace.Took, Progress: f.passed})
	if err != nil {
		return false, err
	}
	if was.Report != nil {
		was.Report.Add(rep)
		if err := endFiles(f.dir, was.Report); err != nil {
			return false, err
		}
	}
	f.mu.Lock()
	f.state, f.left = control.Returning{}, nil
	f.mu.Unlock()
	level := slog.LevelInfo
	if rep.Lost > 0 {
		level = slog.LevelError
	}
	f.log.Log(ctx, level, "the octets of large files were copied back out of the vaults", "files", rep.Read, "octets", rep.Came, "lost", rep.Lost, "seconds", rep.Seconds)
	return true, nil
}

// origin is what can be had of vaults; what nobody else has may be in those that are away.
type origin struct {
	restore.Origin
	away error
}

// Read implements [restore.Origin].
func (o origin) Read(ctx context.Context, account holdfast.ID, b holdfast.Blob, fn func(io.Reader, string) error) error {
	err := o.Origin.Read(ctx, account, b, fn)
	if o.away != nil && (holdfast.IsKind(err, holdfast.NotFound) || holdfast.IsKind(err, holdfast.Corrupt)) {
		return &holdfast.Error{Op: "files", Kind: holdfast.Unavailable, Ref: b.Hash.String(), Text: "a vault that may have it cannot be reached", Err: errors.Join(o.away, err)}
	}
	return err
}

// count finds out how much is missing.
func (f *filesBack) count(ctx context.Context) error {
	left, err := restore.MissingBlobs(ctx, f.engine, f.blobs)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	since := f.state.Since
	if since.IsZero() {
		since = clock.System.Now().UTC().Truncate(time.Second)
	}
	f.left, f.state = left, control.Returning{Since: since, Trouble: f.state.Trouble}
	for _, n := range left {
		f.state.Files, f.state.Octets = f.state.Files+n.Blobs, f.state.Octets+n.Octets
	}
	return nil
}

// passed notes that one blob is there.
func (f *filesBack) passed(p restore.BlobProgress) {
	if p.Came == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state.Files, f.state.Octets, f.state.Trouble = max(0, f.state.Files-1), max(0, f.state.Octets-p.Came), ""
	n := f.left[p.Account]
	f.left[p.Account] = restore.BlobCount{Blobs: max(0, n.Blobs-1), Octets: max(0, n.Octets-p.Came)}
}

// ended notes what a try came to; nil: nothing is to come any more.
func (f *filesBack) ended(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tried, f.state.Trouble = true, ""
	if err != nil {
		f.state.Trouble = sentence(err)
	}
}

// judged is returning, and whether it was tried since this process began.
func (f *filesBack) judged() (r control.Returning, tried bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state, f.tried
}

// returning tells how much is to come.
func (f *filesBack) returning() control.Returning {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

// of tells how many files of an account are to come, and their octets.
func (f *filesBack) of(account holdfast.ID) (files, octets int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.left[account]
	return n.Blobs, n.Octets
}
