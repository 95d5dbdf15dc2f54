package relay

import (
	"context"
	"errors"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/store"
	"holdfast/internal/vault"
)

// BlobPlace is a blob of an account: how far a look at those of all accounts has come.
type BlobPlace struct {
	Account holdfast.ID   `json:"account"`
	Hash    holdfast.Hash `json:"sha256"`
}

// BlobCheck says how a vault is looked at.
type BlobCheck struct {
	Deep  bool               // their octets are read; otherwise their names and lengths are enough
	Upto  uint64             // a batch that the vault has: what only later ones name need not be there
	From  BlobPlace          // what was looked at last; zero: nothing was
	Into  string             // the name of the vault, where what is wrong is put anew, out of the store or of another one; empty: nothing is
	Found func(BlobFinding)  // told of what is wrong, once it is known whether it was mended
	Past  func(at BlobPlace) // told how far it is, after each blob; nil: nobody
}

// BlobFinding is a blob that a vault lacks, or has otherwise.
type BlobFinding struct {
	Account, Collection holdfast.ID
	Name                string // of an item of which some version is the blob, and the seq of that
	Seq                 uint64
	Blob                holdfast.Blob
	Damage              vault.Damage
	Mended              bool
	Why                 string // it was not; empty where nobody tried
}

// BlobReport sums up a look.
type BlobReport struct {
	Blobs, Octets int64 // looked at; Octets as their files have
	Found, Mended int64
}

// CheckBlobs looks whether a vault has what the changes of the store name, of any age, account by account, and, if it is to, puts anew what it lacks. It can be gone on with where it was cut. Errors: those of the engine and of the vault's place; Found is told what was found before.
func (r *Relay) CheckBlobs(ctx context.Context, v *vault.Vault, o BlobCheck) (rep BlobReport, err error) {
	if v.Meta().Ledger() {
		return rep, nil
	}
	x := &blobCheck{r: r, v: v, o: o, rep: &rep}
	from := o.From
	for {
		id, err := r.accountFrom(ctx, from.Account)
		if err != nil || id.IsZero() {
			return rep, err
		}
		if id != from.Account {
			from = BlobPlace{Account: id}
		}
		if err := x.account(ctx, id, from.Hash); err != nil {
			return rep, err
		}
		next, ok := following(id)
		if !ok {
			return rep, nil
		}
		from = BlobPlace{Account: next}
	}
}

// accountFrom returns the first account from one id on; zero where there is none.
func (r *Relay) accountFrom(ctx context.Context, id holdfast.ID) (holdfast.ID, error) {
	snap, err := r.o.Engine.Snapshot(ctx)
	if err != nil {
		return id, err
	}
	defer snap.Close()
	if _, err := snap.Account(id); err == nil {
		return id, nil
	}
	list, err := snap.Accounts(id, 1)
	if err != nil || len(list) == 0 {
		return holdfast.ID{}, err
	}
	return list[0].ID, nil
}

// following returns the id behind one; ok is false behind the last of all.
func following(id holdfast.ID) (next holdfast.ID, ok bool) {
	for i := len(id) - 1; i >= 0; i-- {
		if id[i]++; id[i] != 0 {
			return id, true
		}
	}
	return id, false
}

// maxFound bounds how many findings of one account wait for their names.
const maxFound = 200

// blobCheck is one look.
type blobCheck struct {
	r   *Relay
	v   *vault.Vault
	o   BlobCheck
	rep *BlobReport

	found []BlobFinding          // of the account that is looked at
	newer map[holdfast.Hash]bool // what changes of it name that the vault has not got yet; nil: not known
}

func (x *blobCheck) account(ctx context.Context, id holdfast.ID, from holdfast.Hash) error {
	gone, err := x.r.erased(ctx, x.v, id)
	if err != nil || gone {
		return err
	}
	x.newer = nil
	err = store.EachBlob(ctx, x.r.o.Engine, id, from, func(b holdfast.Blob) error {
		if b.Hash == from {
			return nil
		}
		if err := x.blob(ctx, blobKey{id, b}); err != nil {
			return err
		}
		if x.o.Past != nil && len(x.found) == 0 {
			x.o.Past(BlobPlace{id, b.Hash})
		}
		return nil
	})
	if holdfast.IsKind(err, holdfast.NotFound) { // it was erased meanwhile
		x.found, err = nil, nil
	}
	return errors.Join(err, x.tell(ctx, id))
}

// blob looks at one.
func (x *blobCheck) blob(ctx context.Context, k blobKey) error {
	d, err := x.v.CheckBlob(ctx, k.account, k.Blob, x.o.Deep)
	if err != nil {
		return err
	}
	x.rep.Blobs, x.rep.Octets = x.rep.Blobs+1, x.rep.Octets+k.Size
	if d == nil {
		return nil
	}
	if awaited, err := x.awaited(ctx, k); err != nil || awaited {
		return err
	}
	f := BlobFinding{Account: k.account, Blob: k.Blob, Damage: *d}
	if x.o.Into != "" {
		if err := x.mend(ctx, k, &f); err != nil {
			return err
		}
	}
	if x.found = append(x.found, f); len(x.found) >= maxFound {
		return x.tell(ctx, k.account)
	}
	return nil
}

// awaited tells whether changes name a blob that the vault has not got yet: it comes with them.
func (x *blobCheck) awaited(ctx context.Context, k blobKey) (bool, error) {
	if x.newer == nil {
		x.newer = map[holdfast.Hash]bool{}
		err := x.r.eachPut(ctx, k.account, x.o.Upto, func(c *holdfast.Change) bool { x.newer[c.ETag] = true; return true })
		if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
			return false, err
		}
	}
	if x.newer[k.Hash] {
		return true, nil
	}
	_, named, err := store.BlobOf(ctx, x.r.o.Engine, k.account, k.Hash)
	if err == nil && named {
		gone, err := x.r.erased(ctx, x.v, k.account)
		return gone, err
	}
	if holdfast.IsKind(err, holdfast.NotFound) {
		err = nil
	}
	return true, err
}

// eachPut calls fn with the changes of an account above a batch that put something, in order, until it has enough. A blob's ETag is its hash.
func (r *Relay) eachPut(ctx context.Context, account holdfast.ID, after uint64, fn func(*holdfast.Change) bool) error {
	at, err := r.seqAt(ctx, account, after)
	if err != nil {
		return err
	}
	return store.EachPut(ctx, r.o.Engine, account, at, fn)
}

// seqAt returns how far an account had come at a batch.
func (r *Relay) seqAt(ctx context.Context, account holdfast.ID, batch uint64) (uint64, error) {
	if batch == 0 {
		return 0, nil
	}
	snap, err := r.o.Engine.Snapshot(ctx)
	if err != nil {
		return 0, err
	}
	defer snap.Close()
	h, err := headAt(snap, account, batch)
	return h.Seq, err
}

// mend puts a blob anew.
func (x *blobCheck) mend(ctx context.Context, k blobKey, f *BlobFinding) error {
	err := x.r.mendBlob(ctx, x.o.Into, k)
	var l *lacks
	switch {
	case err == nil:
		f.Mended = true
		x.rep.Mended++
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &l) && len(l.away) > 0:
		f.Why = text(err) + "; once that can be reached, repair again"
	case errors.As(err, &l):
		f.Why = "neither the store nor another vault has it whole (" + text(err) + "); whoever has the file can put it again"
	default:
		return err
	}
	return nil
}

// mendBlob puts a blob once more of which a vault has no sound object: through the vault that its worker has open, which knows of what is erased meanwhile. Errors: NotFound, Unavailable, *lacks, those of the vault.
func (r *Relay) mendBlob(ctx context.Context, name string, k blobKey) error {
	r.mu.Lock()
	w := r.workers[name]
	r.mu.Unlock()
	if w == nil {
		return fail("MendBlob", holdfast.NotFound, name, "there is no vault of this name", nil)
	}
	t, back, err := w.shelf.borrow()
	if err != nil {
		return err
	}
	defer back()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	err = r.outOfAny(ctx, name, k, func() (blob.File, error) { return r.openBlob(ctx, k) }, func(open opener) (err, src error) {
		return sending(ctx, k, open, nil, func(open opener) error { return t.v.MendBlob(ctx, k.account, k.Blob, open) })
	})
	if err == nil {
		w.shelf.settled(k)
	}
	return err
}

// tell names what was found, and forgets it.
func (x *blobCheck) tell(ctx context.Context, id holdfast.ID) error {
	if len(x.found) == 0 {
		return nil
	}
	left := map[holdfast.Hash]*BlobFinding{}
	for i := range x.found {
		left[x.found[i].Blob.Hash] = &x.found[i]
	}
	err := x.r.eachPut(ctx, id, 0, func(c *holdfast.Change) bool {
		if f := left[c.ETag]; f != nil {
			f.Collection, f.Name, f.Seq = c.Collection, c.Name, c.Seq
			delete(left, c.ETag)
		}
		return len(left) > 0
	})
	for _, f := range x.found {
		x.rep.Found++
		x.o.Found(f)
	}
	x.found = nil
	if holdfast.IsKind(err, holdfast.NotFound) {
		err = nil
	}
	return err
}
