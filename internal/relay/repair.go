package relay

import (
	"context"
	"errors"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/vault"
)

// RepairOptions say how a vault is repaired.
type RepairOptions struct {
	Open   func(context.Context) (*vault.Vault, error) // opens it though it is damaged
	Others []*vault.Vault                              // that are asked for what the store does not have
	Spool  string
	Done   func(what, name string, changes uint64) // see [vault.RepairOptions]
	Left   func(BlobFinding)                       // told of each large file that is not whole afterwards
}

// RepairVault makes a damaged vault whole again from the store. It goes on beside the appends; only a vault that no writer can open is mended alone first, and one whose newest term is lost is then filled anew. Errors: NotFound (there is no such
// vault), Fenced, Unavailable (it cannot be reached, or takes nothing), those of the store and of the place.
func (r *Relay) RepairVault(ctx context.Context, name string, o RepairOptions) (rep vault.RepairReport, anew bool, err error) {
	r.mu.Lock()
	w := r.workers[name]
	r.mu.Unlock()
	if w == nil {
		return rep, false, fail("Repair", holdfast.NotFound, name, "there is no vault of this name", nil)
	}
	from := &origin{engine: r.o.Engine, others: o.Others, spool: o.Spool}
	for try := 0; ; try++ {
		did, filled, again := w.mend(ctx, o, from)
		rep.Damaged, rep.Packs, rep.Changes, anew = append(rep.Damaged, did.Damaged...), append(rep.Packs, did.Packs...), rep.Changes+did.Changes, anew || filled
		if err = again; !errors.As(err, new(*closedErr)) || try == repairTries {
			break
		}
		if clock.Sleep(ctx, r.o.Clock, 100*time.Millisecond) != nil { // the worker learns why, and says so
			break
		}
	}
	if err == nil {
		err = w.mendBlobs(ctx, o, &rep)
	}
	rep.Damaged = slices.Compact(slices.Sorted(slices.Values(rep.Damaged)))
	return rep, anew, err
}

// repairTries is how often a repair begins again because the vault was closed amid it: what is damaged may show only then, to whoever appends beside it.
const repairTries = 3

// mend mends a vault but for its blobs. Errors: *closedErr (the vault was closed amid it), as RepairVault.
func (w *worker) mend(ctx context.Context, o RepairOptions, from *origin) (rep vault.RepairReport, anew bool, err error) {
	r := w.r
	sound, err := w.openable(ctx, o)
	if err != nil {
		return rep, false, err
	}
	var spine vault.SpineReport
	if !sound {
		err := w.alone(ctx, func() error {
			v, err := o.Open(ctx)
			if err != nil {
				return err
			}
			defer v.Close()
			spine, err = v.MendSpine(ctx, vault.SpineOrigin{Store: r.o.Store, Holds: from.holds, Changed: from.changed})
			return err
		})
		rep.Damaged = spine.Damaged
		if err != nil {
			return rep, spine.Anew, err
		}
	}
	err = w.beside(ctx, func(ctx context.Context, v *vault.Vault, writer *vault.Writer) error {
		if r.o.Service != nil {
			if err := v.PutService(ctx, r.o.Service()); err != nil {
				return err
			}
		}
		did, err := v.Repair(ctx, writer, from, vault.RepairOptions{Spool: o.Spool, Done: o.Done, Erased: from.erased})
		did.Damaged = append(did.Damaged, rep.Damaged...)
		rep = did
		return err
	})
	return rep, spine.Anew, err
}

// mendBlobs reads the blobs of a vault that takes something, and puts anew what is missing or damaged.
func (w *worker) mendBlobs(ctx context.Context, o RepairOptions, rep *vault.RepairReport) error {
	if w.a.ledger() {
		return nil
	}
	v, err := o.Open(ctx)
	if err != nil {
		return err
	}
	defer v.Close()
	_, err = w.r.CheckBlobs(ctx, v, BlobCheck{Deep: true, Upto: w.look().pos.Batch, Into: w.a.Name, Found: func(f BlobFinding) {
		rep.Damaged = append(rep.Damaged, f.Damage.Object)
		switch {
		case !f.Mended && o.Left != nil:
			o.Left(f)
		case f.Mended && o.Done != nil:
			o.Done("file", f.Damage.Object, 0)
		}
	}})
	return err
}

// Record has each vault that takes something now write a head that says what in says. One that does not is passed over, and told of in the error.
func (r *Relay) Record(ctx context.Context, in vault.HeadInput) error {
	r.mu.Lock()
	var list []*worker
	for _, w := range r.workers {
		list = append(list, w)
	}
	r.mu.Unlock()
	var errs []error
	for _, w := range list {
		if !w.look().up {
			continue
		}
		errs = append(errs, w.beside(ctx, func(ctx context.Context, _ *vault.Vault, writer *vault.Writer) error { return writer.Head(ctx, in) }))
	}
	return errors.Join(errs...)
}

// Beside has a vault's writer call fn between what else it does there, while appends go on. Errors: NotFound, Unavailable (the vault takes nothing), what fn returns.
func (r *Relay) Beside(ctx context.Context, name string, fn func(context.Context, *vault.Vault, *vault.Writer) error) error {
	r.mu.Lock()
	w := r.workers[name]
	r.mu.Unlock()
	if w == nil {
		return fail("Beside", holdfast.NotFound, name, "there is no vault of this name", nil)
	}
	return w.beside(ctx, fn)
}

// openable tells whether a writer has the vault open, and whether one could open it again.
func (w *worker) openable(ctx context.Context, o RepairOptions) (bool, error) {
	if !w.look().up {
		return false, nil
	}
	v, err := o.Open(ctx)
	if err != nil {
		return false, err
	}
	defer v.Close()
	_, err = v.Terms(ctx)
	if k := holdfast.KindOf(err); err != nil && k != holdfast.Corrupt && k != holdfast.NotFound {
		return false, err
	}
	return err == nil, nil
}

// alone calls fn while nobody ships to the vault.
func (w *worker) alone(ctx context.Context, fn func() error) error {
	w.mu.Lock()
	w.waiting++
	cut := w.cut
	w.mu.Unlock()
	if cut != nil {
		cut()
	}
	w.hold.Lock()
	w.mu.Lock()
	w.waiting--
	w.mu.Unlock()
	defer w.hold.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fn()
}

// job is something that is done with an open vault and its writer, beside the appends.
type job struct {
	ctx  context.Context
	fn   func(context.Context, *vault.Vault, *vault.Writer) error
	done chan error
}

// do does it. It ends with whoever asked, and with the writer.
func (j *job) do(ctx context.Context, v *vault.Vault, writer *vault.Writer) {
	both, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(j.ctx, cancel)()
	err := j.fn(both, v, writer)
	if err != nil && ctx.Err() != nil && j.ctx.Err() == nil {
		err = &closedErr{fail("Beside", holdfast.Unavailable, v.Place().String(), "the vault was closed while it was worked on; try again", nil), err}
	}
	j.done <- err
}

// closedErr says that a writer's turn ended amid a job: nobody who asked for it ended it, whatever the job itself says.
type closedErr struct {
	error
	job error // for the log
}

func (e *closedErr) Unwrap() error { return e.error }

// besidePatience is how long somebody waits for a vault that takes nothing.
const besidePatience = 30 * time.Second

// beside has the worker call fn with its vault and writer. It waits until the vault is up; while it is being filled, for as long as that takes.
func (w *worker) beside(ctx context.Context, fn func(context.Context, *vault.Vault, *vault.Writer) error) error {
	j := &job{ctx: ctx, fn: fn, done: make(chan error, 1)}
	look := w.r.o.Clock.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	down := w.r.o.Clock.Now()
	for {
		select {
		case w.jobs <- j:
			err := <-j.done
			if c := (*closedErr)(nil); errors.As(err, &c) {
				w.r.o.Log.Warn("a vault was closed while it was worked on", "vault", w.a.Name, "err", c.job)
			}
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-look.C():
		}
		s, now := w.look(), w.r.o.Clock.Now()
		if s.up {
			down = now
		}
		if now.Sub(down) > besidePatience {
			return fail("Repair", holdfast.Unavailable, w.a.Name, "the vault takes nothing: "+s.reason, s.fault)
		}
	}
}

// upkeep does what is due in the vault, now and then, and what somebody asks for, one after the other, until ctx ends.
func (w *worker) upkeep(ctx context.Context, v *vault.Vault, writer *vault.Writer) {
	o := &w.r.o
	due := o.Clock.NewTimer(o.UpkeepEvery / 8)
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-w.jobs:
			j.do(ctx, v, writer)
			continue
		case <-due.C():
		}
		if err := w.fetchMissing(ctx); err != nil && ctx.Err() == nil {
			o.Log.Warn("files whose octets a vault lacks could not be put there; that is tried again", "vault", w.a.Name, "err", err)
		}
		if o.Upkeep != nil {
			if err := o.Upkeep(ctx, v, writer); err != nil && ctx.Err() == nil {
				o.Log.Error("the upkeep of a vault failed; it is tried again", "vault", w.a.Name, "err", err)
			}
		}
		due.Reset(o.UpkeepEvery)
	}
}
