package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/core"
	"holdfast/internal/drill"
	"holdfast/internal/registry"
	"holdfast/internal/relay"
	"holdfast/internal/seal"
	"holdfast/internal/store"
	"holdfast/internal/store/sqlite"
	"holdfast/internal/vault"
	"holdfast/internal/vfs"
)

// drillsName is the file of a data directory that keeps the results of drills, and what is proven. It may be removed: then nothing is proven until it is proven again.
const drillsName = "drills.db"

// drillDirName is where drills restore to, in the data directory, if nothing else is configured.
const drillDirName = "drill"

// activity knows whether people are being served.
type activity struct {
	open atomic.Int64 // requests under way
	last atomic.Int64 // when the last one ended, in Unix nanoseconds
}

// restAfter is how long after a request others are expected.
const restAfter = time.Second

func (a *activity) begin() { a.open.Add(1) }

func (a *activity) end(at time.Time) {
	a.last.Store(at.UnixNano())
	a.open.Add(-1)
}

func (a *activity) busy() bool {
	since := clock.System.Now().UnixNano() - a.last.Load()
	return a.open.Load() > 0 || since >= 0 && since < int64(restAfter)
}

// drills proves that the store's vaults restore. One runs at a time.
type drills struct {
	k    *keeper
	core *core.Service
	book *drill.Book
	busy func() bool // people are being served

	files     drill.Files // the octets of large files
	returning func() control.Returning

	turn chan struct{} // has one while one runs
}

// openDrills opens the book of a data directory whose lease is held.
func openDrills(k *keeper, c *core.Service) (*drills, error) {
	book, lost, err := drill.OpenBook(filepath.Join(k.c.Data, drillsName), k.c.Drill.Keep, clock.System.Now())
	if err != nil {
		return nil, err
	}
	if lost {
		k.log.Error("the book of drills could not be read, and was begun anew: nothing is proven until the next drill", "file", drillsName)
	}
	return &drills{k: k, core: c, book: book, busy: func() bool { return false }, turn: make(chan struct{}, 1)}, nil
}

// dir is where the next drill restores to. Others may write where drill.dir lies, so the name there cannot be foreseen.
func (d *drills) dir() string {
	if d.k.c.Drill.Dir != "" {
		return filepath.Join(d.k.c.Drill.Dir, drillPrefix(d.k.store)+"-"+holdfast.NewID(nil).String())
	}
	return filepath.Join(d.k.c.Data, drillDirName)
}

// ListDrills implements [control.Drills].
func (d *drills) ListDrills(_ context.Context, limit int) ([]drill.Result, error) {
	list, err := d.book.List(limit)
	if list == nil {
		list = []drill.Result{}
	}
	return list, err
}

// ShowDrill implements [control.Drills].
func (d *drills) ShowDrill(_ context.Context, id string) (drill.Result, error) {
	return d.book.Show(id)
}

// RunDrill implements [control.Drills].
func (d *drills) RunDrill(ctx context.Context, q control.DrillRequest, fn func(control.DrillProgress)) (drill.Result, error) {
	var key *seal.Recovery
	var err error
	if q.Key != "" {
		if key, err = seal.ParseRecovery([]byte(q.Key)); err != nil {
			return drill.Result{}, err
		}
	}
	var only holdfast.ID
	if q.Account != "" {
		a, err := d.core.Account(ctx, q.Account)
		if err != nil {
			return drill.Result{}, err
		}
		only = a.ID
	}
	e, at, err := d.choose(q.Vault)
	if err != nil {
		return drill.Result{}, err
	}
	return d.run(ctx, *e, at, how{only: only, all: q.All, key: key}, fn)
}

// choose returns a vault of the list, and the batch up to which it has confirmed the store's stream: the one of a name, or the one whose last proof is oldest.
func (d *drills) choose(name string) (e *registry.Entry, batch uint64, err error) {
	if d.k.isLedger(name) {
		return nil, 0, keyTrouble(holdfast.Invalid, "%s is a ledger: it has no octets, and nothing is restored from it alone; drill a vault", name)
	}
	var oldest time.Time
	for _, v := range d.k.relay.Status().Vaults {
		if v.Kind == kindLedger || name != "" && v.Name != name || name == "" && v.State == relay.Filling {
			continue
		}
		x, err := d.standing(v.Name)
		if err != nil {
			return nil, 0, err
		}
		if e == nil || x.Passed.Ended.Before(oldest) {
			e, batch, oldest = d.k.vaults().Find(v.Name), v.Batch, x.Passed.Ended
		}
		if v.State == relay.Filling {
			return nil, 0, keyTrouble(holdfast.Unavailable, "the vault %s is being filled; wait until `holdfast vault status` says that it is whole", name)
		}
	}
	if e == nil && name != "" {
		return nil, 0, keyTrouble(holdfast.NotFound, "there is no vault called %q; `holdfast vault list` shows which are", name)
	}
	if e == nil {
		return nil, 0, keyTrouble(holdfast.NotFound, "there is no vault that could be restored from; `holdfast vault add` makes one")
	}
	return e, batch, nil
}

// standing returns what the drills of a vault came to.
func (d *drills) standing(name string) (drill.Standing, error) {
	now := clock.System.Now()
	return d.book.Standing(name, thereSince(d.k.vaults(), name, now), now)
}

// proven returns the proof of an account in a vault.
func (d *drills) proven(name string, account holdfast.ID) (drill.Proven, error) {
	p, err := d.book.ProvenIn(name, account)
	if p.At.Before(thereSince(d.k.vaults(), name, clock.System.Now())) {
		return drill.Proven{}, err
	}
	return p, err
}

// thereSince returns since when a vault of a name is there: what is known of one of the same name from before says nothing of it. Zero where that is not known, or a clock was wrong.
func thereSince(r *registry.Registry, name string, now time.Time) time.Time {
	e := r.Find(name)
	if e == nil || e.Added.After(now) {
		return time.Time{}
	}
	return e.Added.Truncate(time.Second)
}

// how says what a drill tries.
type how struct {
	only holdfast.ID    // zero: those that are chosen
	all  bool           // all of them
	key  *seal.Recovery // nil: the server's own
}

// run waits for its turn, runs a drill of one vault, and keeps what came of it.
func (d *drills) run(ctx context.Context, e registry.Entry, batch uint64, h how, fn func(control.DrillProgress)) (res drill.Result, err error) {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return res, context.Cause(ctx)
	}
	b, err := d.begin(ctx, e, batch, h)
	if err != nil {
		return res, err
	}
	return b.finish(ctx, fn)
}

// begun is a drill that the book knows of. Whoever began it has the turn.
type begun struct {
	d      *drills
	all    bool // it was asked for: all octets are read
	e      registry.Entry
	key    *seal.Recovery
	chosen drill.Chosen
	res    drill.Result
}

// begin chooses the accounts of a drill and notes it in the book.
func (d *drills) begin(ctx context.Context, e registry.Entry, batch uint64, h how) (*begun, error) {
	chosen, err := d.chosen(ctx, e.Name, h)
	if err != nil {
		return nil, err
	}
	now := clock.System.Now().UTC().Truncate(time.Second)
	b := &begun{d: d, all: h.all, e: e, key: h.key, chosen: chosen, res: drill.Result{ID: holdfast.NewID(nil).String(), Started: now, At: now, Vault: e.Name, Account: chosen.AskedFor(), Batch: batch, KeyUsed: drill.ServerKey,
		Digests: drill.Digests{Different: []string{}}, Reasons: []string{}}}
	if h.key != nil {
		b.res.KeyUsed = drill.RecoveryKey
	}
	return b, d.book.Begin(b.res)
}

// finish runs what was begun, and keeps what came of it.
func (b *begun) finish(ctx context.Context, fn func(control.DrillProgress)) (drill.Result, error) {
	d, res := b.d, b.res
	dir := d.dir()
	o := drill.Options{ID: res.ID, Name: b.e.Name, KeyUsed: res.KeyUsed, Trust: b.key, Live: d.k.engine, Batch: res.Batch, Chosen: b.chosen, Open: d.open, Dir: dir, Derive: core.DeriveBy(judges(d.k.c)), Log: d.k.log,
		Pace: d.pace(dir), Files: d.fileOptions(&b.chosen, b.all)}
	var far control.DrillProgress
	o.Progress = func(n int64) { far.Changes = n; fn(far) }
	o.Read = func(n int64) { far.Octets = n; fn(far) }
	var proofs []drill.Proof
	var err error
	var began vault.Head // the newest one: what it names, and all before it, was read
	if o.Vault, err = d.vault(ctx, b.e, b.key); err == nil {
		if began, err = o.Vault.LastHead(ctx); err != nil {
			began.Vault = o.Vault.Meta().Vault
			d.k.log.Warn("which head is the newest could not be read; the drill proves nothing of what was pruned", "vault", b.e.Name, "err", err)
		}
		var out *drill.Result
		out, proofs = drill.Run(ctx, o)
		o.Vault.Close()
		res = *out
	} else {
		res.Result, res.Ended = drill.Inconclusive, clock.System.Now().UTC().Truncate(time.Second)
		res.Reasons = append(res.Reasons, "the vault could not be opened: "+sentence(err))
	}
	return res, d.keep(ctx, &res, proofs, began)
}

// keep writes down what came of a drill, has the vaults name it in their next heads, and says it. began is the newest head of the vault when it began.
func (d *drills) keep(ctx context.Context, res *drill.Result, proofs []drill.Proof, began vault.Head) error {
	sum, err := d.book.End(res, proofs)
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	if res.Result != drill.Pass {
		level = slog.LevelError
	}
	d.k.log.Log(ctx, level, "a drill ended: "+string(res.Result), "drill", res.ID, "vault", res.Vault, "accounts", res.Accounts, "changes", res.Changes.Restored, "of", res.Changes.Expected, "seconds", res.Seconds, "reasons", res.Reasons)
	if res.Result == drill.Pass && res.Account == "" { // of one account alone it says nothing of the others
		dropUpgradeCopies(d.k.c, d.k.log)
	}
	if d.k.apart {
		return nil // its vaults are another store's
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	ref := vault.DrillRef{Drill: res.ID, Vault: res.Vault, Ended: res.Ended, Result: string(res.Result), SHA256: sum, Of: began.Vault, Head: began.Number}
	for _, p := range proofs {
		ref.Accounts = append(ref.Accounts, p.Account)
	}
	if err := d.k.relay.Record(ctx, vault.HeadInput{Drills: []vault.DrillRef{ref}}); err != nil {
		d.k.log.Warn("not every vault could name the drill in a head", "drill", res.ID, "err", err)
	}
	return nil
}

// fileOptions says which octets of large files a drill reads. Of a sample of accounts, whose next turn is far, all.
func (d *drills) fileOptions(c *drill.Chosen, all bool) drill.FileOptions {
	o, interval := &d.k.c.Drill, max(d.k.c.Drill.Interval, 1)
	out := drill.FileOptions{Store: d.files, Octets: o.Octets, Turns: int(float64(o.Within) / float64(interval) * 0.8), Turn: clock.System.Now().UnixNano() / int64(interval), Returning: func() bool { return d.returning().Files > 0 }}
	if all || c.Only != nil && c.Asked.IsZero() {
		out.Octets = 0
	}
	return out
}

// vault opens a vault to restore from it: with one key, and without the right to write.
func (d *drills) vault(ctx context.Context, e registry.Entry, key *seal.Recovery) (*vault.Vault, error) {
	o := d.k.options()
	o.With = []*seal.Identity{o.Ring.Server}
	if key != nil {
		o.With = []*seal.Identity{key.Identity}
	}
	o.Ring = nil
	return openVault(ctx, e, o)
}

// comparedCache is the page cache of the restored engine while it is compared, in KiB, of which each connection that reads has a quarter. Each change is read once, in order, so that a larger one would hold nothing that is asked for again.
const comparedCache = 2 << 10

// open opens the engine that a drill fills, and reads again. What it sorts lies beside it, on disk.
func (d *drills) open(ctx context.Context, dir string, fill bool) (store.Engine, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	o := sqlite.Options{Dir: dir, Create: fill, Log: d.k.log, Ballast: -1, Bulk: fill, SortDir: dir, CacheKiB: restoreCache}
	if !fill {
		o.Readers, o.CacheKiB = 1, comparedCache
	}
	return sqlite.Open(ctx, o)
}

// pace returns what a drill waits by: it yields to people, and ends before it fills the disk.
func (d *drills) pace(dir string) func(context.Context) error {
	p := &drill.Pace{Clock: clock.System, Busy: d.busy, Share: min(1, float64(d.k.c.Drill.Share)/100)}
	return func(ctx context.Context) error {
		if s, err := vfs.FreeSpace(dir); err == nil && s.Free < d.k.c.Drill.Reserve {
			return &holdfast.Error{Op: "drill", Kind: holdfast.Full, Ref: dir, Text: fmt.Sprintf("%s are free, and a drill leaves %s; drill.dir names another disk", octets(s.Free), octets(d.k.c.Drill.Reserve))}
		}
		return p.Wait(ctx)
	}
}

// chosen says which accounts are tried.
func (d *drills) chosen(ctx context.Context, name string, h how) (drill.Chosen, error) {
	if !h.only.IsZero() {
		return drill.Chosen{Only: map[holdfast.ID]bool{h.only: true}, Asked: h.only, Sample: drill.Sample{Of: int(d.core.Stats().Accounts)}}, nil
	}
	c := drill.Choosing{Whole: int64(d.k.c.Drill.Whole), Within: d.k.c.Drill.Within, Interval: d.k.c.Drill.Interval, Now: clock.System.Now(), Random: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		ProvenAt: func(id holdfast.ID) (time.Time, error) {
			p, err := d.proven(name, id)
			return p.At, err
		},
		Tried: func(id holdfast.ID) (time.Time, bool, error) { return d.book.Tried(name, id) }}
	if h.all {
		c.Whole = 1 << 62
	}
	return drill.Choose(ctx, d.k.engine, c)
}

// keepProving drills each vault when that is due, until ctx ends.
func (d *drills) keepProving(ctx context.Context) {
	c := &d.k.c.Drill
	began := clock.System.Now()
	for clock.Sleep(ctx, clock.System, min(c.First, c.Retry, c.Interval, time.Minute)) == nil {
		for _, v := range d.k.relay.Status().Vaults {
			e := d.k.vaults().Find(v.Name)
			if e == nil || e.Kind == kindLedger || v.Batch == 0 || v.State == relay.Filling || v.State == relay.Opening {
				continue // nothing is in it, or not all
			}
			due, err := d.due(v.Name, clock.System.Now().Sub(began))
			if err == nil && due {
				_, err = d.run(ctx, *e, v.Batch, how{}, func(control.DrillProgress) {})
			}
			if err != nil && ctx.Err() == nil {
				d.k.log.Error("a drill could not be run; that is tried again", "vault", v.Name, "err", err)
			}
		}
	}
}

// due tells whether a vault is to be drilled now. up is how long the service runs.
func (d *drills) due(name string, up time.Duration) (bool, error) {
	x, err := d.standing(name)
	if err != nil {
		return false, err
	}
	if x.Last.ID == "" || x.Passed.ID == "" && x.Last.Changes.Expected == 0 { // never, or when nothing was there yet
		return up >= d.k.c.Drill.First, nil
	}
	return drillDue(&d.k.c.Drill, x.Last, clock.System.Now()), nil
}

// drillDue tells whether the next drill is due after one.
func drillDue(c *config.Drill, last drill.Result, now time.Time) bool {
	switch {
	case last.Ended.After(now.Add(time.Minute)), last.Started.After(now.Add(time.Minute)): // a clock was wrong, then or now: what is proven is not known
		return true
	case last.Result != drill.Pass:
		return now.Sub(last.Ended) >= c.Retry
	}
	return now.Sub(last.Started) >= c.Interval
}
