package restore

import (
	"cmp"
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/clock"
	"holdfast/internal/store"
)

// The octets of large files come last, when everything else can be used. Which are named is asked of the engine, and which are there of the store of blobs: who goes on after a kill reads nothing twice.

// Blobs is where octets of large files are brought to: a [blob.Keeper].
type Blobs interface {
	Stat(ctx context.Context, account holdfast.ID, h holdfast.Hash) (blob.Info, error)
	Verify(ctx context.Context, account holdfast.ID, h holdfast.Hash) error
	Put(ctx context.Context, account holdfast.ID, r io.Reader, limit int64) (*blob.Pin, error)
}

// BlobOptions say which octets are brought where, and out of what.
type BlobOptions struct {
	Engine     store.Engine
	Blobs      Blobs // nil: what is named is read and verified alone
	From       Origin
	Account    holdfast.ID // zero: all
	Collection string      // path, of that account: what its files and their earlier versions name; empty: all
	Deep       bool        // what is there is read too, and put again where it is damaged
	Dry        bool        // what would be brought is read and verified, and nothing is written
	Patient    bool        // where somebody cannot be reached it goes on with the others, and fails at the end

	Workers  int                                      // blobs that are on their way at a time, some 100 KiB each; default 4
	Pace     func(ctx context.Context, n int64) error // called after each blob that was read, with its octets: it may wait. nil: nobody waits
	Clock    clock.Clock
	Progress func(BlobProgress) // called after each blob, by one goroutine at a time
	Found    func(BlobFinding)  // called with each blob that was not there whole, by one goroutine at a time
}

// BlobFinding is a blob that was not there whole, and why it could not be brought; nil: it was, or could be.
type BlobFinding struct {
	Account holdfast.ID
	holdfast.Blob
	Damaged bool // it was there, and was not whole
	Err     error
}

// BlobProgress is how far they have come.
type BlobProgress struct {
	Octets, All int64 // that are there or nowhere; that are named
	Blobs       int64 // that were read

	Account holdfast.ID // whose the last one is
	Came    int64       // how many octets of it were read
}

// BlobReport tells what became of the octets of large files.
type BlobReport struct {
	Blobs   int64   `json:"named"`        // by changes
	Octets  int64   `json:"octets"`       // of those
	Read    int64   `json:"read"`         // out of the vaults, now
	Came    int64   `json:"octets_read"`  // of those
	Damaged int64   `json:"damaged"`      // that were there, and not whole
	Lost    int64   `json:"lost"`         // that nobody has whole
	Seconds float64 `json:"duration_s"`   //
	Rate    float64 `json:"octets_per_s"` // of what was read
	Losses  []Loss  `json:"-"`            // one for each change that names one that is lost
}

// CopyBlobs brings the octets that the engine's changes name and the store of blobs lacks out of the vaults: those of what is there now first, then those of earlier versions and of what was deleted. What nobody has whole is a loss in the report; its change stays. It can be run again, and can run while the store is used.
//
// Errors: NotFound (no such account or collection), Unavailable (who may have what is missing cannot be reached), Full, and those of Pace.
func CopyBlobs(ctx context.Context, o BlobOptions) (*BlobReport, error) {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	c := &copying{o: o, rep: &BlobReport{}, busy: map[blobKey]bool{}, lost: map[blobKey]error{}}
	began := o.Clock.Now()
	err := c.run(ctx)
	c.rep.Seconds = o.Clock.Now().Sub(began).Seconds()
	if c.rep.Seconds > 0 {
		c.rep.Rate = float64(c.rep.Came) / c.rep.Seconds
	}
	return c.rep, err
}

// CountBlobs counts the blobs that an engine's changes name, as [BlobOptions] say which, and their octets.
func CountBlobs(ctx context.Context, e store.Engine, account holdfast.ID, collection string) (blobs, octets int64, err error) {
	err = lister{e, account, collection}.each(ctx, func(w wish) error {
		blobs, octets = blobs+1, octets+w.Size
		return nil
	})
	return blobs, octets, err
}

// MissingBlobs counts, by account, the blobs that an engine's changes name and a store of blobs has not, and their octets.
func MissingBlobs(ctx context.Context, e store.Engine, b Blobs) (map[holdfast.ID]BlobCount, error) {
	out := map[holdfast.ID]BlobCount{}
	err := lister{e: e}.each(ctx, func(w wish) error {
		i, err := b.Stat(ctx, w.account, w.Hash)
		switch {
		case err == nil && i.Size == w.Size:
			return nil
		case err != nil && !holdfast.IsKind(err, holdfast.NotFound) && !holdfast.IsKind(err, holdfast.Corrupt):
			return err
		}
		n := out[w.account]
		out[w.account] = BlobCount{n.Blobs + 1, n.Octets + w.Size}
		return nil
	})
	return out, err
}

// BlobCount is a number of blobs, and how many octets they have.
type BlobCount struct{ Blobs, Octets int64 }

// Add takes up in a restore's report what became of its large files.
func (r *Report) Add(b *BlobReport) {
	r.Blobs, r.Losses = b, append(r.Losses, b.Losses...)
	for i := range r.Accounts {
		a := &r.Accounts[i]
		a.Complete = a.Complete && !slices.ContainsFunc(b.Losses, func(l Loss) bool { return l.Account == a.Email })
	}
}

type blobKey struct {
	account holdfast.ID
	hash    holdfast.Hash
}

// copying is one run of CopyBlobs.
type copying struct {
	o   BlobOptions
	rep *BlobReport

	mu   sync.Mutex
	done int64            // octets that were passed
	busy map[blobKey]bool // what is on its way
	lost map[blobKey]error
	away int   // how many could not be had, one behind the other
	last error // why one could not
}

// maxAway is how many in a row cannot be had before somebody patient gives up: nobody who has any can be reached.
const maxAway = 20

// wish is a blob that some change names.
type wish struct {
	account holdfast.ID
	holdfast.Blob
	again bool // it was passed before, or may have been
}

func (c *copying) run(ctx context.Context) error {
	all := lister{c.o.Engine, c.o.Account, c.o.Collection}
	var err error
	if c.rep.Blobs, c.rep.Octets, err = CountBlobs(ctx, all.e, all.account, all.collection); err != nil {
		return err
	}
	err = c.work(ctx, func(ctx context.Context, give func(wish) error) error {
		if twice := c.o.Blobs != nil && !c.o.Deep; twice { // then what was passed is known at the cost of a look
			if err := all.live(ctx, give); err != nil {
				return err
			}
			return all.each(ctx, func(w wish) error { w.again = true; return give(w) })
		}
		return all.each(ctx, give)
	})
	if err != nil {
		return err
	}
	c.rep.Lost = int64(len(c.lost))
	return firstErr(c.name(ctx), c.last)
}

// work hands what list gives to the workers. The first error ends it.
func (c *copying) work(ctx context.Context, list func(context.Context, func(wish) error) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	wishes := make(chan wish)
	var workers sync.WaitGroup
	for range cmp.Or(c.o.Workers, 4) {
		workers.Go(func() {
			for w := range wishes {
				if ctx.Err() != nil {
					continue
				}
				if err := c.one(ctx, w); err != nil {
					cancel(err)
				}
			}
		})
	}
	err := list(ctx, func(w wish) error {
		select {
		case wishes <- w:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	close(wishes)
	workers.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// one brings one blob.
func (c *copying) one(ctx context.Context, w wish) error {
	if !c.begin(w) {
		c.passed(w, false)
		return nil
	}
	defer c.end(w)
	there, damaged, err := c.there(ctx, w)
	if err != nil {
		return err
	}
	if there {
		c.passed(w, false)
		return nil
	}
	err = c.o.From.Read(ctx, w.account, w.Blob, func(r io.Reader, _ string) error { return c.put(ctx, w, r) })
	if kind := holdfast.KindOf(err); err != nil && ctx.Err() == nil && (kind == holdfast.NotFound || kind == holdfast.Corrupt) {
		c.found(w, damaged, err)
		c.passed(w, false)
		return nil
	}
	if err != nil {
		return c.unhad(ctx, err)
	}
	c.found(w, damaged, nil)
	c.passed(w, true)
	if c.o.Pace != nil {
		return c.o.Pace(ctx, w.Size)
	}
	return nil
}

// unhad decides what becomes of a copy of which one blob could not be had now.
func (c *copying) unhad(ctx context.Context, err error) error {
	if !c.o.Patient || ctx.Err() != nil || !holdfast.IsKind(err, holdfast.Unavailable) {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = err
	if c.away++; c.away > maxAway {
		return err
	}
	return nil
}

// found notes a blob that was not there whole; err is why it cannot be had.
func (c *copying) found(w wish, damaged bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.lost[blobKey{w.account, w.Hash}] = err
	}
	if damaged {
		c.rep.Damaged++
	}
	if c.o.Found != nil {
		c.o.Found(BlobFinding{w.account, w.Blob, damaged, err})
	}
}

// there tells whether a blob need not be brought; damaged, that it is there and not whole.
func (c *copying) there(ctx context.Context, w wish) (there, damaged bool, err error) {
	if c.o.Blobs == nil {
		return false, false, nil
	}
	i, err := c.o.Blobs.Stat(ctx, w.account, w.Hash)
	if err == nil && c.o.Deep {
		err = c.o.Blobs.Verify(ctx, w.account, w.Hash)
	}
	switch {
	case err == nil:
		return i.Size == w.Size, i.Size != w.Size, nil
	case holdfast.IsKind(err, holdfast.NotFound):
		return false, false, nil
	case holdfast.IsKind(err, holdfast.Corrupt):
		return false, true, nil
	}
	return false, false, err
}

// put takes in what comes: its end is an error where it is not the blob.
func (c *copying) put(ctx context.Context, w wish, r io.Reader) error {
	if c.o.Blobs == nil || c.o.Dry {
		_, err := io.Copy(io.Discard, r)
		return err
	}
	pin, err := c.o.Blobs.Put(ctx, w.account, r, w.Size)
	if err == nil {
		pin.Release() // a change names it
	}
	return err
}

// begin tells whether a blob is to be looked at: it is not on its way, and was not found to be lost.
func (c *copying) begin(w wish) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := blobKey{w.account, w.Hash}
	if c.busy[k] || c.lost[k] != nil {
		return false
	}
	c.busy[k] = true
	return true
}

func (c *copying) end(w wish) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.busy, blobKey{w.account, w.Hash})
}

func (c *copying) passed(w wish, read bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := BlobProgress{Account: w.account}
	if read {
		p.Came, c.away = w.Size, 0
		c.rep.Read, c.rep.Came = c.rep.Read+1, c.rep.Came+w.Size
	}
	if read || !w.again {
		c.done = min(c.done+w.Size, c.rep.Octets) // a file that lies in two places was listed twice
	}
	if c.o.Progress != nil {
		p.Octets, p.All, p.Blobs = c.done, c.rep.Octets, c.rep.Read
		c.o.Progress(p)
	}
}

// name makes losses of the changes that name what is lost.
func (c *copying) name(ctx context.Context) error {
	hit := map[holdfast.ID]bool{}
	for k := range c.lost {
		hit[k.account] = true
	}
	ids := make([]holdfast.ID, 0, len(hit))
	for id := range hit {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, holdfast.ID.Compare)
	for _, id := range ids {
		t, err := treeOf(ctx, c.o.Engine, id)
		if err != nil {
			return err
		}
		err = eachChange(ctx, c.o.Engine, id, func(snap store.Snapshot, x *holdfast.Change) error {
			if x.Blob == nil {
				return nil
			}
			why := c.lost[blobKey{id, x.Blob.Hash}]
			if why == nil || c.o.Collection != "" && !t.inside(x.Collection, c.o.Collection) {
				return nil
			}
			now, err := snap.Resource(x.Collection, x.Name, 0)
			if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
				return err
			}
			c.rep.Losses = append(c.rep.Losses, lossOf(t, x, why, err == nil && now.Seq == x.Seq))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// lossOf is the loss of the octets that a change names; live tells whether it is what is there now.
func lossOf(t *tree, x *holdfast.Change, why error, live bool) Loss {
	reason := "its octets are nowhere whole: " + sentenceOf(why)
	if live {
		reason += ". It stays listed, so that whoever has the file keeps it; put the same file again, and it is whole"
	} else {
		reason = "an earlier version; " + reason
	}
	return Loss{Account: t.email, Collection: t.pathOf(x.Collection), Name: x.Name, Kind: x.Kind.String(), ETag: x.ETag.String(), SeqFrom: x.Seq, SeqTo: x.Seq, Octets: true, Time: x.At.UTC().Truncate(time.Second), Reason: reason}
}
