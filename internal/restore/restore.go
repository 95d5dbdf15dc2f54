package restore

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/seal"
	"holdfast/internal/store"
	"holdfast/internal/vault"
)

// Options say what is restored, and from where.
type Options struct {
	Vaults   []*vault.Vault
	Recovery *seal.Recovery
	Engine   store.Engine // new, or that of a restore that was interrupted; nil: read and verify alone
	Derive   store.Derive
	Spool    string
	Nonce    holdfast.ID // of this restore: the same when it is run again

	At         time.Time // zero: the newest
	Account    string    // its login or id; empty: all
	Seq        uint64    // of that account; 0: the newest
	Collection string    // path, of that account; empty: all

	// Bare restores what the vaults have and nothing else: no epoch of the restore's own, no credentials that are newer than the rest. That is what a drill compares.
	Bare bool
	// AsPruned restores what the vaults will have once what was replaced by packs without old versions is gone. See [vault.ReadOptions].
	AsPruned bool

	Only  func(holdfast.ID) bool      // which accounts; nil: all, or the one that Account names
	Large int64                       // octets in the vaults from which on an account waits until the smaller ones are back; 0: 64 MiB
	Load  int                         // changes that are applied at once, at most; 0: 5,000
	Pace  func(context.Context) error // called before each load is applied: it may wait, so that others get on. nil: nobody waits

	// Files is who has the octets of large files, where there is no engine: those that the restored changes name are read and verified too. nil: they are not asked for. With an engine see [CopyBlobs].
	Files Origin

	// Based is told where the engine's stream stands once everything that the vaults have is in it, before the restore's own changes. Where that was so in a run before, Base says it.
	Based func(holdfast.Position) error
	Base  holdfast.Position

	Workers  int // how many accounts are read at a time; each needs some 10 MiB at most, unless one group is larger. Default: 2
	Clock    clock.Clock
	Log      *slog.Logger
	Progress func(Progress) // called now and then, by one goroutine at a time
}

// Progress is how far a restore has come.
type Progress struct {
	Accounts int
	Changes  int64
	Octets   int64 // of large files, that were verified
}

// Account is what became of one.
type Account struct {
	Email    string        `json:"email"`
	ID       holdfast.ID   `json:"id"`
	Epoch    uint64        `json:"epoch"`
	Seq      uint64        `json:"seq"`
	Changes  int64         `json:"changes"`
	Digest   holdfast.Hash `json:"digest"` // state part, of what was restored
	Chain    holdfast.Hash `json:"-"`      // at Seq, of a bare restore
	Complete bool          `json:"complete"`
}

// Loss is what could not be restored.
type Loss struct {
	Account    string    `json:"account"`
	Collection string    `json:"collection,omitempty"`
	Name       string    `json:"name,omitempty"`
	Kind       string    `json:"kind,omitempty"`
	ETag       string    `json:"etag,omitempty"`
	SeqFrom    uint64    `json:"seq_from"`
	SeqTo      uint64    `json:"seq_to"`
	Time       time.Time `json:"time"`
	Reason     string    `json:"reason"`
	Ghost      bool      `json:"ghost,omitempty"`  // its change is there, without the octets: it is listed to devices that may have it
	Octets     bool      `json:"octets,omitempty"` // its change is there, and names a blob that nobody has whole
}

// Report tells what a restore did.
type Report struct {
	Vaults   []string          `json:"vaults"`
	Accounts []Account         `json:"accounts"`
	Losses   []Loss            `json:"losses"`
	Damage   []vault.Damage    `json:"damage"`
	Blobs    *BlobReport       `json:"blobs,omitempty"`  // the octets of large files; nil: they were not asked for
	Unsure   []string          `json:"unsure,omitempty"` // why losses may not name all that is missing: whose it was, nothing that can be read says
	Changes  int64             `json:"changes"`
	Base     holdfast.Position `json:"-"` // where the stream stood before the restore's own changes
	Seconds  float64           `json:"duration_s"`
	Rate     float64           `json:"changes_per_s"`
}

// Whole tells whether nothing is missing, as far as anything that was read can tell.
func (r *Report) Whole() bool { return len(r.Losses) == 0 && len(r.Unsure) == 0 }

// Run restores. Errors: NotFound (no such account, or nothing in the vaults), Full, Invalid (the directory holds something else).
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Workers <= 0 {
		o.Workers = 2
	}
	began := o.Clock.Now()
	rep := &Report{Accounts: []Account{}, Losses: []Loss{}, Damage: []vault.Damage{}}
	for _, v := range o.Vaults {
		rep.Vaults = append(rep.Vaults, v.Place().String())
	}
	only, err := find(ctx, o)
	if err != nil {
		return rep, err
	}
	newest, err := vault.NewReader(ctx, o.Vaults, vault.ReadOptions{Spool: o.Spool + "-newest", Account: only, Only: o.Only, Trust: o.Recovery, AsPruned: o.AsPruned})
	if err != nil {
		return rep, err
	}
	defer newest.Close()
	r := &run{o: o, rep: rep, out: make(chan *piece, 2), newest: newest}
	if r.later, err = newLater(o.Spool + "-later"); err != nil {
		return rep, err
	}
	defer r.later.close()
	if !o.At.IsZero() {
		r.then, err = vault.NewReader(ctx, o.Vaults, vault.ReadOptions{Spool: o.Spool + "-then", Account: only, Trust: o.Recovery, At: o.At, AsPruned: o.AsPruned})
		if err != nil {
			return rep, err
		}
		defer r.then.Close()
	}
	if err := r.all(ctx); err != nil {
		return rep, err
	}
	rep.Damage, rep.Unsure = append(rep.Damage, newest.Damage()...), newest.Unsure()
	rep.Seconds = o.Clock.Now().Sub(began).Seconds()
	if rep.Seconds > 0 {
		rep.Rate = float64(rep.Changes) / rep.Seconds
	}
	slices.SortFunc(rep.Accounts, func(a, b Account) int { return strings.Compare(a.Email, b.Email) })
	if len(rep.Accounts) == 0 {
		return rep, fail("Run", holdfast.NotFound, "", "there is no account in what can be read of the vaults; is it the right vault, and the right key?", nil)
	}
	return rep, nil
}

// find returns the id of the account that is asked for; zero where all are.
func find(ctx context.Context, o Options) (holdfast.ID, error) {
	if o.Account == "" {
		return holdfast.ID{}, nil
	}
	if id, err := holdfast.ParseID(o.Account); err == nil {
		return id, nil
	}
	login, err := holdfast.ParseLogin(o.Account)
	if err != nil {
		return holdfast.ID{}, fail("Find", holdfast.Invalid, o.Account, err.Error(), nil)
	}
	r, err := vault.NewReader(ctx, o.Vaults, vault.ReadOptions{Spool: o.Spool + "-find", Trust: o.Recovery})
	if err != nil {
		return holdfast.ID{}, err
	}
	defer r.Close()
	var now, once holdfast.ID
	err = r.Accounts(ctx, func(h *vault.History) error {
		newest := ""
		err := h.Changes(ctx, func(list []vault.Loaded) error {
			for i := range list {
				if c := &list[i]; c.Kind == holdfast.KindAccount && c.Op == holdfast.OpPut {
					if rec, err := holdfast.DecodeAccount(c.Body); err == nil {
						if newest = rec.Email; newest == login {
							once = h.Account
						}
					}
				}
			}
			return nil
		})
		if newest == login {
			now = h.Account
		}
		return err
	})
	switch {
	case err != nil:
		return now, err
	case !now.IsZero():
		return now, nil
	case !once.IsZero():
		return once, nil
	}
	return now, fail("Find", holdfast.NotFound, login, "the vaults have no account of this name", nil)
}

// piece is a part of an account on its way into the engine: whole groups, or what comes after the last of them.
type piece struct {
	account *loading
	changes []holdfast.Change
	octets  int
	last    bool // changes are the restore's own: they come after all accounts
}

// run is a restore under way.
type run struct {
	o      Options
	rep    *Report
	out    chan *piece
	newest *vault.Reader
	then   *vault.Reader // as of an earlier moment; nil: none is asked for
	later  *later        // the restore's own changes

	telling  sync.Mutex // held while Progress is told
	progress Progress
}

// all reads the accounts, several at a time, and applies what comes.
func (r *run) all(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan *loading)
	var readers sync.WaitGroup
	for range r.o.Workers {
		readers.Go(func() {
			for a := range work {
				if err := a.read(ctx); err != nil {
					cancel(err)
				}
			}
		})
	}
	go func() {
		if err := r.accounts(ctx, work); err != nil {
			cancel(err)
		}
		close(work)
		readers.Wait()
		close(r.out)
	}()
	err := r.apply(ctx)
	if err != nil {
		cancel(err)
	}
	for range r.out { // let the readers end
	}
	if cause := context.Cause(ctx); err == nil && cause != nil {
		err = cause
	}
	return err
}

// accounts hands out the accounts. As of an earlier moment each has two histories: that of then, and the newest.
func (r *run) accounts(ctx context.Context, work chan<- *loading) error {
	q := &queue{work: work, large: cmp.Or(r.o.Large, largeAccount)}
	give := func(a *loading) error { return q.give(ctx, a) }
	if r.o.At.IsZero() {
		if err := r.newest.Accounts(ctx, func(h *vault.History) error { return give(&loading{r: r, id: h.Account, content: h, newest: h}) }); err != nil {
			return err
		}
		return q.rest(ctx)
	}
	old := make(chan *vault.History)
	ended := make(chan error, 1)
	go func() {
		defer close(old)
		ended <- r.then.Accounts(ctx, func(h *vault.History) error {
			if first, _ := h.Span(); first.After(r.o.At) {
				return nil // it was made later
			}
			select {
			case old <- h:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
	}()
	was, more := <-old
	if !more {
		return firstErr(<-ended, r.early(ctx))
	}
	err := r.newest.Accounts(ctx, func(h *vault.History) error {
		for more && was.Account.Compare(h.Account) < 0 {
			was, more = <-old
		}
		a := &loading{r: r, id: h.Account, content: h, newest: h}
		if more && was.Account == h.Account {
			a.content = was
		}
		return give(a)
	})
	for range old { // what only the earlier moment has is in the newest too
	}
	if err := firstErr(err, <-ended); err != nil {
		return err
	}
	return q.rest(ctx)
}

// early says from when on the vaults have anything, where they have nothing of the moment that is asked for. An account that was made later is restored as it is newest; if all were, that would be the newest of everything, and not what was asked for.
func (r *run) early(ctx context.Context) error {
	var first, last time.Time
	err := r.newest.Accounts(ctx, func(h *vault.History) error {
		f, l := h.Span()
		if !f.IsZero() && (first.IsZero() || f.Before(first)) {
			first = f
		}
		if l.After(last) {
			last = l
		}
		return nil
	})
	if err != nil || first.IsZero() { // there is nothing at all, and that is said
		return err
	}
	return fail("Run", holdfast.Invalid, "", fmt.Sprintf("at %s there was nothing yet: the first change that can be read is of %s, and the newest of %s; name a moment from the first on, or leave it out for the newest",
		stamp(r.o.At), stamp(first), stamp(last)), nil)
}

// stamp writes a moment such that what is asked for by it is not cut off before it.
func stamp(t time.Time) string {
	t = t.UTC()
	if whole := t.Truncate(time.Second); whole.Before(t) {
		t = whole.Add(time.Second)
	}
	return t.Format(time.RFC3339)
}

// maxApply bounds what is applied at once, maxPiece what a reader hands over. Two of the former are in memory: one that is being applied, and the next, which gathers; of the latter what waits in the channel.
const (
	maxApplyChanges = 2500
	maxPieceChanges = 500
	maxApplyOctets  = 16 << 20
)

// load is what is applied at once: changes of many accounts, and the accounts that are whole with them.
type load struct {
	changes []holdfast.Change
	octets  int
	ends    []*piece
}

func (l *load) full(most int) bool { return len(l.changes) >= most || l.octets >= maxApplyOctets }

// gather makes loads of what comes, beside the engine: while it applies one the readers fill the next.
func (r *run) gather(ctx context.Context, loads chan<- *load) {
	defer close(loads)
	l := &load{}
	give := func() {
		select {
		case loads <- l:
		case <-ctx.Done(): // then nobody takes it
		}
		l = &load{changes: make([]holdfast.Change, 0, cap(l.changes))}
	}
	for p := range r.out {
		if p.last {
			l.ends = append(l.ends, p)
		} else {
			l.changes, l.octets = append(l.changes, p.changes...), l.octets+p.octets
		}
		if l.full(cmp.Or(r.o.Load, maxApplyChanges)) {
			give()
		}
	}
	give()
}

// apply takes what comes into the engine, in batches of many accounts.
func (r *run) apply(ctx context.Context) error {
	loads := make(chan *load)
	go r.gather(ctx, loads)
	for l := range loads {
		if context.Cause(ctx) != nil {
			continue // until the readers have ended
		}
		if err := r.applyOne(ctx, l); err != nil {
			return err
		}
	}
	if context.Cause(ctx) != nil {
		return context.Cause(ctx)
	}
	if r.o.Engine == nil {
		return nil
	}
	if err := r.base(ctx); err != nil {
		return err
	}
	return r.later.each(func(list []holdfast.Change) error {
		return r.o.Engine.Apply(ctx, &holdfast.Batch{Changes: list})
	})
}

// applyOne applies a load, and notes which accounts are whole with it.
func (r *run) applyOne(ctx context.Context, l *load) error {
	if r.o.Pace != nil {
		if err := r.o.Pace(ctx); err != nil {
			return err
		}
	}
	if r.o.Engine != nil && len(l.changes) > 0 {
		if err := r.o.Engine.Apply(ctx, &holdfast.Batch{Changes: l.changes}); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
	}
	r.rep.Changes += int64(len(l.changes))
	for _, p := range l.ends {
		if err := r.later.add(p.changes); err != nil {
			return err
		}
		if err := r.end(ctx, p.account); err != nil {
			return err
		}
	}
	r.tell(func(p *Progress) { p.Accounts, p.Changes = len(r.rep.Accounts), r.rep.Changes })
	return nil
}

// tell says how far it has come.
func (r *run) tell(more func(*Progress)) {
	if r.o.Progress == nil {
		return
	}
	r.telling.Lock()
	defer r.telling.Unlock()
	more(&r.progress)
	r.o.Progress(r.progress)
}

// base finds out where the stream stands once everything that the vaults have is in it. What a run before said counts only if the stream has that position still: a power cut may have taken it away, and the restore's own
// changes, which came after it, with it.
func (r *run) base(ctx context.Context) error {
	r.rep.Base = r.o.Base
	if hash, ok, err := r.o.Engine.HashAt(ctx, r.o.Base.Batch); err != nil || ok && r.o.Base.Batch > 0 && hash == r.o.Base.Hash {
		return err
	}
	r.rep.Base = r.o.Engine.Position()
	if r.o.Based == nil {
		return nil
	}
	return r.o.Based(r.rep.Base)
}

// end notes what became of an account.
func (r *run) end(ctx context.Context, a *loading) error {
	out := Account{Email: a.email, ID: a.id, Epoch: a.epoch, Seq: a.seq, Chain: a.chain, Changes: int64(a.count), Complete: len(a.losses) == 0}
	if r.o.Engine != nil {
		snap, err := r.o.Engine.Snapshot(ctx)
		if err != nil {
			return err
		}
		d, err := snap.Digest(a.id, a.loaded)
		snap.Close()
		if err != nil && a.loaded > 0 {
			return fail("Run", holdfast.Internal, a.id.String(), "what was restored cannot be read", err)
		}
		out.Digest = d.State
	}
	r.rep.Accounts = append(r.rep.Accounts, out)
	r.rep.Losses = append(r.rep.Losses, a.losses...)
	r.rep.Blobs = a.files.add(r.rep.Blobs)
	return nil
}

func firstErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
