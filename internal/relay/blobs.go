package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/store"
	"holdfast/internal/vault"
)

// Blobs is a relay that takes the octets of large files too. It implements the core's BlobCopies.
type Blobs struct{ *Relay }

// PutBlob implements the core's BlobCopies: it returns once each vault that the policy waits for has a blob of the store, or the engine alone is enough now. It waits for as long as octets move, and gives up when none do.
// What was begun in other vaults goes on; those outside of the policy get it with the change that names it. Errors: Unavailable (nothing may be committed that names it).
func (b Blobs) PutBlob(ctx context.Context, account holdfast.ID, x holdfast.Blob, open blob.Opener) error {
	r := b.Relay
	d := &delivery{r: r, k: blobKey{account, x}, open: open, to: map[string]*attempt{}, done: make(chan struct{}, 1), moved: r.o.Clock.Now()}
	look := r.o.Clock.NewTicker(r.o.Patience / looks)
	defer look.Stop()
	for {
		ended, err := d.look()
		if ended {
			d.leave(err == nil)
			return err
		}
		select {
		case <-d.done:
		case <-look.C():
		case <-ctx.Done():
			d.leave(false)
			return &holdfast.Error{Op: "relay.PutBlob", Kind: holdfast.Unavailable, Text: "the request was given up before every copy had the file; try again", Err: context.Cause(ctx)}
		}
	}
}

// looks is how often it is looked in the time that is waited for octets to move, and putTries how often a vault is tried.
const (
	looks    = 40
	putTries = 3
)

// delivery is a blob that is put into the vaults of the policy.
type delivery struct {
	r      *Relay
	k      blobKey
	open   blob.Opener // its octets, which need not be durable in the store yet; nil: those of the store
	to     map[string]*attempt
	done   chan struct{} // holds a word that some put has ended
	octets int64         // that had moved, in all vaults, at the last look
	moved  time.Time     // when that was another number
}

// attempt is what became of it in one vault.
type attempt struct {
	w     *worker
	p     *put // under way; nil: none is
	has   bool
	tries int
	err   error // of the last try
}

// look begins what can be begun, and tells whether that is the end of it.
func (d *delivery) look() (ended bool, err error) {
	alone, holds, now := d.r.state()
	if alone {
		return true, nil
	}
	if !holds {
		return true, d.r.refuse("a copy of the data that every file must reach cannot be written now; nothing was stored, try again later")
	}
	has, may := map[string]bool{}, map[string]bool{}
	var fault error
	for _, name := range now.Names() {
		a := d.attempt(name)
		if a == nil {
			continue
		}
		a.look(d.k, d.open, d.done)
		has[name], may[name] = a.has, a.has || a.p != nil || a.tries < putTries
		fault = firstErr(fault, a.err)
	}
	switch {
	case now.heldBy(has):
		return true, nil
	case !now.heldBy(may):
		return d.without("a copy of the data that every file must reach does not take it; nothing was stored, try again later", fault)
	case d.stuck():
		return d.without("a copy of the data that every file must reach did not go on taking it; nothing was stored, try again later", fault)
	}
	return false, nil
}

// without ends it without the policy: where the engine alone is enough then, the vaults get the blob with its change.
func (d *delivery) without(why string, fault error) (bool, error) {
	var l *lacks
	if errors.As(fault, &l) {
		why := "what was stored of the file cannot be read back; try again"
		if len(l.away) > 0 {
			why += " (" + mayHave(l.away) + ")"
		}
		return true, &holdfast.Error{Op: "relay.PutBlob", Kind: holdfast.Unavailable, Ref: d.k.Hash.String(), Text: why, Retry: d.r.o.Retry, Err: fault}
	}
	if d.r.o.Degraded {
		return true, nil
	}
	return true, &holdfast.Error{Op: "relay.PutBlob", Kind: holdfast.Unavailable, Ref: d.k.Hash.String(), Text: why, Retry: d.r.o.Retry, Err: fault}
}

// attempt returns what became of the blob in a vault that can take it, or took it; nil: it cannot.
func (d *delivery) attempt(name string) *attempt {
	a := d.to[name]
	if a == nil {
		d.r.mu.Lock()
		w := d.r.workers[name]
		d.r.mu.Unlock()
		if w == nil {
			return nil
		}
		a = &attempt{w: w}
		d.to[name] = a
	}
	if s := a.w.look(); !a.has && a.p == nil && (!s.up || !s.whole) { // what is being filled counts for nothing
		return nil
	}
	return a
}

// look takes up what has ended, and begins anew.
func (a *attempt) look(k blobKey, open blob.Opener, done chan<- struct{}) {
	if a.p != nil {
		select {
		case <-a.p.done:
		default:
			return
		}
		if a.err = a.p.err; a.err == nil {
			a.has = true
		}
		a.p = nil
	}
	if a.has = a.has || a.w.shelf.has(k); a.has || a.tries >= putTries {
		return
	}
	p, err := a.w.shelf.join(k, false, open, done)
	if err != nil {
		a.err = err // it is being opened again, or too much waits for it: neither is a try
		return
	}
	a.p = p
	a.tries++
}

// stuck tells whether nothing moves any more into the vaults that are written to. What has moved must become durable there, for which a large file needs time.
func (d *delivery) stuck() bool {
	octets, mine := int64(0), int64(0)
	for _, a := range d.to {
		octets += a.w.shelf.moved.Load()
		if a.p != nil {
			mine = max(mine, a.p.moved.Load())
		}
	}
	now := d.r.o.Clock.Now()
	if octets != d.octets || now.Before(d.moved) {
		d.octets, d.moved = octets, now
	}
	return now.Sub(d.moved) > d.r.o.Patience+time.Duration(mine/settledOctets)*time.Second
}

// settledOctets is how many octets a vault makes durable in a second at least, after it took them.
const settledOctets = 8 << 20

// leave ends what is under way. keep: it goes on, as a change will name the blob.
func (d *delivery) leave(keep bool) {
	for _, a := range d.to {
		if a.p != nil {
			a.w.shelf.leave(a.p, keep)
		}
	}
}

// heldBy tells whether the policy holds for what these vaults have.
func (p Policy) heldBy(has map[string]bool) bool {
	marks := map[string]mark{}
	for name, ok := range has {
		marks[name] = mark{ok, 1}
	}
	_, ok := p.acked(1, marks)
	return ok
}

// openBlob opens the store's own octets.
func (r *Relay) openBlob(ctx context.Context, k blobKey) (blob.File, error) {
	if r.o.OpenBlob == nil {
		return nil, fail("OpenBlob", holdfast.NotFound, k.Hash.String(), "the store of large files is not there", nil)
	}
	return r.o.OpenBlob(ctx, k.account, k.Blob)
}

// shelve sees to it that the vault has each blob that batches name, before they are shipped. One whose octets nobody has is named, and what else they hold has its copy all the same. Errors: those of the vault.
func (w *worker) shelve(ctx context.Context, writer *vault.Writer, list []*holdfast.Batch) error {
	if w.a.ledger() {
		return nil
	}
	var wants []blobKey
	seen := map[blobKey]bool{}
	for _, b := range list {
		for i := range b.Changes {
			c := &b.Changes[i]
			if c.Op != holdfast.OpPut || c.Blob == nil || c.Pruned {
				continue
			}
			if k := (blobKey{c.Account, *c.Blob}); !seen[k] && !w.shelf.has(k) {
				seen[k], wants = true, append(wants, k)
			}
		}
	}
	return w.fetch(ctx, writer, wants)
}

// fetch puts blobs into the vault, some at once. A film may take hours: what was shipped before it gets its head meanwhile, and a vault that turns out not to have it ends the turn. writer is nil for who does not ship.
func (w *worker) fetch(ctx context.Context, writer *vault.Writer, wants []blobKey) error {
	heads := w.r.o.Clock.NewTicker(w.r.o.HeadEvery)
	defer heads.Stop()
	var lost <-chan error
	if writer != nil {
		lost = w.lost
	}
	var under []*put
	defer func() {
		for _, p := range under {
			w.shelf.leave(p, false)
		}
	}()
	for len(wants) > 0 || len(under) > 0 {
		for len(wants) > 0 && len(under) < putsAtOnce {
			p, err := w.shelf.join(wants[0], true, nil, nil)
			if err != nil {
				return err
			}
			under, wants = append(under, p), wants[1:]
		}
		p := under[0]
		select {
		case <-p.done:
		case <-heads.C():
			if writer != nil && w.look().whole {
				if err := writer.Head(ctx, vault.HeadInput{Vaults: w.r.others()}); err != nil {
					return err
				}
			}
			continue
		case err := <-lost:
			w.distrust(err)
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		under = under[1:]
		if err := w.fetched(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// fetched judges what became of a blob that was to be put.
func (w *worker) fetched(ctx context.Context, p *put) error {
	if p.err == nil || ctx.Err() != nil {
		return p.err
	}
	needed, err := w.r.needs(ctx, w, p.key)
	if err != nil || !needed {
		return err
	}
	var l *lacks
	switch {
	case errors.As(p.err, &l):
	case holdfast.IsKind(p.err, holdfast.Corrupt) || holdfast.IsKind(p.err, holdfast.Unauthorized): // the account's key, which a repair must be able to mend
	default:
		return p.err
	}
	if w.shelf.lack(p.key, text(p.err)) {
		w.r.o.Log.Error("a file's octets cannot be put into a vault, and the change that names it is there without them; everything else has its copy. `holdfast vault repair` tries again", "vault", w.a.Name, "account", p.key.account, "sha256", p.key.Hash, "octets", p.key.Size, "err", p.err)
	}
	return nil
}

// needs tells whether a blob still belongs into a vault: not where the store has erased its account, or is about to, and the vault has.
func (r *Relay) needs(ctx context.Context, w *worker, k blobKey) (bool, error) {
	_, named, err := store.BlobOf(ctx, r.o.Engine, k.account, k.Hash)
	if holdfast.IsKind(err, holdfast.NotFound) {
		err = nil
	}
	if err != nil || !named {
		return false, err
	}
	t, back, err := w.shelf.borrow()
	if err != nil {
		return false, err
	}
	defer back()
	gone, err := r.erased(ctx, t.v, k.account)
	return !gone, err
}

// erased tells whether an account is on its way out, and gone from a vault. The store forgets it last.
func (r *Relay) erased(ctx context.Context, v *vault.Vault, account holdfast.ID) (bool, error) {
	snap, err := r.o.Engine.Snapshot(ctx)
	if err != nil {
		return false, err
	}
	a, err := snap.Account(account)
	snap.Close()
	switch {
	case holdfast.IsKind(err, holdfast.NotFound):
	case err != nil || a.State != holdfast.Erasing:
		return false, err
	}
	return v.IsErased(ctx, account)
}

// lack notes that the vault lacks a blob that is named there, and tells whether that is new.
func (s *shelf) lack(k blobKey, why string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.missing[k]; ok {
		return false
	}
	if len(s.missing) >= maxMissing {
		s.more++
		return true
	}
	s.missing[k] = why
	return true
}

// lacking returns what the vault is known to lack.
func (s *shelf) lacking() (out []blobKey, more int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.missing {
		out = append(out, k)
	}
	return out, s.more
}

// fetchMissing tries once more to put what the vault lacks.
func (w *worker) fetchMissing(ctx context.Context) error {
	list, _ := w.shelf.lacking()
	for _, k := range list {
		if needed, err := w.r.needs(ctx, w, k); err != nil {
			return err
		} else if !needed {
			w.shelf.settled(k)
			continue
		}
		if err := w.fetch(ctx, nil, []blobKey{k}); err != nil {
			return fmt.Errorf("what the vault lacks: %w", err)
		}
	}
	return nil
}

// settled notes that a blob is not missed any more.
func (s *shelf) settled(k blobKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.missing, k)
}
