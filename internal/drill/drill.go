package drill

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/restore"
	"holdfast/internal/seal"
	"holdfast/internal/store"
	"holdfast/internal/vault"
)

// Options say what is drilled, and with what.
type Options struct {
	ID      string
	Name    string       // of the vault, as the operator calls it
	Vault   *vault.Vault // open to be read, with the key that is proven
	KeyUsed string       // ServerKey or RecoveryKey
	Trust   *seal.Recovery
	Live    store.Engine
	Batch   uint64 // up to which the vault has confirmed the store's stream
	Chosen  Chosen

	// Open opens an engine in an empty directory: to fill it, and again to read what is in it.
	Open   func(ctx context.Context, dir string, fill bool) (store.Engine, error)
	Dir    string // a directory of the drill's own: it is made, and removed in the end
	Derive store.Derive
	Files  FileOptions

	Clock    clock.Clock
	Log      *slog.Logger
	Pace     func(context.Context) error // called between small pieces of work: it waits as long as others should get on. nil: never
	Progress func(changes int64)         // called now and then
	Read     func(octets int64)          // likewise, of large files
}

// Chosen are the accounts of a drill.
type Chosen struct {
	Only   map[holdfast.ID]bool // nil: all
	Asked  holdfast.ID          // the only one, as somebody asked for it; zero: nobody did
	Sample Sample
}

func (c *Chosen) has(id holdfast.ID) bool { return c.Only == nil || c.Only[id] }

// AskedFor names the account that somebody asked for, as results do; empty: nobody did.
func (c *Chosen) AskedFor() string {
	if c.Asked.IsZero() {
		return ""
	}
	return c.Asked.String()
}

// run is a drill under way.
type run struct {
	o       Options
	res     *Result
	due     map[holdfast.ID]uint64 // the seq up to which an account had to be restored
	proofs  []Proof
	lacking map[holdfast.ID][]holdfast.Blob // of which the vault has no object
	parts   int64                           // in how many parts large files are read
	came    int64                           // octets of large files that were read out of the vault
}

// loadChanges is how many changes are applied at once: so few that nobody waits long.
const loadChanges = 1000

// Run drills, and tells what came of it. It does not fail: what keeps it from finding out is a reason in its result. The proofs are those of a result that passed; there are none otherwise.
func Run(ctx context.Context, o Options) (*Result, []Proof) {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Pace == nil {
		o.Pace = func(ctx context.Context) error { return context.Cause(ctx) }
	}
	began := o.Clock.Now()
	d := &run{o: o, due: map[holdfast.ID]uint64{}, lacking: map[holdfast.ID][]holdfast.Blob{}, res: &Result{ID: o.ID, Started: began.UTC().Truncate(time.Second), At: began.UTC().Truncate(time.Second), Batch: o.Batch, Vault: o.Name, KeyUsed: o.KeyUsed,
		Result: Pass, Digests: Digests{Different: []string{}}, Reasons: []string{}, Sample: o.Chosen.Sample, only: o.Chosen.Only}}
	d.res.Account = o.Chosen.AskedFor()
	d.res.Sample.confidence()
	if err := d.all(ctx); err != nil {
		d.trouble(ctx, err)
	}
	if err := os.RemoveAll(o.Dir); err != nil {
		o.Log.Warn("what a drill restored could not be removed", "dir", o.Dir, "err", err)
	}
	d.res.Seconds = max(0, o.Clock.Now().Sub(began).Seconds())
	d.res.Ended = o.Clock.Now().UTC().Truncate(time.Second)
	if d.res.Seconds > 0 {
		d.res.Rate = float64(d.res.Changes.Restored) / d.res.Seconds
	}
	if d.res.Result != Pass {
		return d.res, nil
	}
	return d.res, d.proofs
}

// trouble judges an error: what says that the vault cannot be read as it should is a failure, what says that this machine could not try is none.
func (d *run) trouble(ctx context.Context, err error) {
	switch kind := holdfast.KindOf(err); {
	case ctx.Err() != nil:
		d.res.unsure("it was interrupted")
	case kind == holdfast.Corrupt, kind == holdfast.Unauthorized, kind == holdfast.NotFound && len(d.due) > 0:
		d.res.nameless = true
		d.res.failed("the vault could not be restored from: %v", err)
	case kind == holdfast.Full:
		d.res.unsure("there was no room for what was restored; it needs about as much as the database has: %v", err)
	default:
		d.res.unsure("it could not be tried: %v", err)
	}
}

func (d *run) all(ctx context.Context) error {
	if d.o.Batch == 0 && d.o.Live.Position().Batch > 0 {
		return fail("Run", holdfast.Unavailable, d.o.Name, "the vault has not been heard of since the service began: what it has to hold is not known; `holdfast vault status` says how it fares", nil)
	}
	if err := d.expect(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(d.o.Dir); err != nil { // of one that was killed
		return err
	}
	if err := os.MkdirAll(filepath.Dir(d.o.Dir), 0o700); err != nil {
		return err
	}
	if err := os.Mkdir(d.o.Dir, 0o700); err != nil { // nobody else's: what is restored lies there in the clear
		return err
	}
	rep, err := d.fill(ctx)
	if err != nil {
		return err
	}
	d.res.Changes.Restored = rep.Changes
	e, err := d.o.Open(ctx, filepath.Join(d.o.Dir, "store"), false)
	if err != nil {
		return err
	}
	defer e.Close()
	if err := d.countFiles(ctx, e, rep); err != nil {
		return err
	}
	if err := d.compare(ctx, e, rep); err != nil {
		return err
	}
	for _, l := range rep.Losses {
		if l.Ghost {
			continue // whether the living store has its octets was looked at change by change
		}
		if id, err := holdfast.ParseID(l.Account); err == nil {
			d.res.suspects(id)
		} else {
			d.res.nameless = true
		}
		d.res.failed("lost: account %s, changes %d to %d: %s", l.Account, l.SeqFrom, l.SeqTo, l.Reason)
	}
	for _, why := range rep.Unsure {
		d.res.nameless = true
		d.res.failed("more may be lost: %s", why)
	}
	for _, x := range rep.Damage {
		d.res.nameless = true
		d.res.unsure("damaged: %s: %s", x.Object, x.What)
	}
	return nil
}

// expect finds out what the vault has to hold: of each chosen account, all that was confirmed.
func (d *run) expect(ctx context.Context) error {
	after := holdfast.ID{}
	for {
		n, err := d.expectSome(ctx, &after)
		if err != nil || n == 0 {
			return err
		}
		if err := d.o.Pace(ctx); err != nil {
			return err
		}
	}
}

// accountsAtOnce bounds what is asked of one snapshot.
const accountsAtOnce = 200

func (d *run) expectSome(ctx context.Context, after *holdfast.ID) (int, error) {
	snap, err := d.o.Live.Snapshot(ctx)
	if err != nil {
		return 0, err
	}
	defer snap.Close()
	list, err := snap.Accounts(*after, accountsAtOnce)
	if err != nil {
		return 0, err
	}
	for i := range list {
		*after = list[i].ID
		if !d.o.Chosen.has(list[i].ID) {
			continue
		}
		seq, err := confirmed(snap, list[i].ID, d.o.Batch)
		if err != nil {
			return 0, err
		}
		if seq > 0 {
			d.due[list[i].ID] = seq
			d.res.Changes.Expected += int64(seq)
		}
	}
	return len(list), nil
}

// confirmed returns the newest seq of an account whose batch is not above one; 0 where there is none.
func confirmed(snap store.Snapshot, id holdfast.ID, batch uint64) (uint64, error) {
	head, err := snap.Head(id)
	if err != nil || head.Batch <= batch {
		return head.Seq, err
	}
	low, high := uint64(0), head.Seq // the answer is not below low, and below high
	for low+1 < high {
		mid := low + (high-low)/2
		at, err := snap.Chain(id, mid)
		if err != nil {
			return 0, err
		}
		if at.Batch <= batch {
			low = mid
		} else {
			high = mid
		}
	}
	return low, nil
}

// fill restores into an empty engine.
func (d *run) fill(ctx context.Context) (*restore.Report, error) {
	e, err := d.o.Open(ctx, filepath.Join(d.o.Dir, "store"), true)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	o := restore.Options{Vaults: []*vault.Vault{d.o.Vault}, Recovery: d.o.Trust, Engine: e, Derive: d.o.Derive, Spool: filepath.Join(d.o.Dir, "spool"), Nonce: holdfast.NewID(nil), Bare: true, AsPruned: true, Load: loadChanges,
		Workers: 2, Clock: d.o.Clock, Log: d.o.Log, Pace: d.o.Pace}
	if d.o.Chosen.Only != nil {
		o.Only = d.o.Chosen.has
	}
	if d.o.Progress != nil {
		o.Progress = func(p restore.Progress) { d.o.Progress(p.Changes) }
	}
	rep, err := restore.Run(ctx, o)
	if holdfast.IsKind(err, holdfast.NotFound) && len(d.due) == 0 { // nothing was to be there
		err = nil
	}
	if err != nil {
		return rep, err
	}
	if b, ok := e.(interface{ EndBulk(context.Context) error }); ok {
		err = b.EndBulk(ctx)
	}
	return rep, err
}

// compare compares each account that was restored with the living one, and finds those that were not.
func (d *run) compare(ctx context.Context, e store.Engine, rep *restore.Report) error {
	seen := map[holdfast.ID]bool{}
	for i := range rep.Accounts {
		a := &rep.Accounts[i]
		seen[a.ID] = true
		if err := d.account(ctx, e, a); err != nil {
			return fmt.Errorf("account %s: %w", a.ID, err)
		}
	}
	var missing []holdfast.ID
	for id := range d.due {
		if !seen[id] {
			missing = append(missing, id)
		}
	}
	slices.SortFunc(missing, holdfast.ID.Compare)
	for _, id := range missing {
		gone, err := erased(ctx, d.o.Live, id)
		if err != nil {
			return err
		}
		if !gone {
			d.res.failed("account %s: the vault has nothing of it", id)
			d.res.different(id)
		}
	}
	return nil
}

// erased tells whether an account was erased meanwhile.
func erased(ctx context.Context, e store.Engine, id holdfast.ID) (bool, error) {
	snap, err := e.Snapshot(ctx)
	if err != nil {
		return false, err
	}
	defer snap.Close()
	return snap.Erased(id)
}
