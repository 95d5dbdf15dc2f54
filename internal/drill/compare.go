package drill

import (
	"context"
	"errors"
	"sync"

	"holdfast"
	"holdfast/internal/restore"
	"holdfast/internal/store"
)

// account compares one account with the living one, at the seq up to which it was restored.
func (d *run) account(ctx context.Context, e store.Engine, a *restore.Account) error {
	gone, err := erased(ctx, d.o.Live, a.ID)
	if err != nil || gone {
		return err
	}
	d.res.Accounts++
	if due := d.due[a.ID]; a.Seq < due {
		d.res.failed("account %s: the vault confirmed its changes up to %d, and gives them back up to %d", a.ID, due, a.Seq)
		d.res.different(a.ID)
		return nil
	}
	if a.Seq == 0 {
		return nil
	}
	got, err := at(ctx, e, a.ID, a.Seq)
	if err != nil {
		return err
	}
	want, err := at(ctx, d.o.Live, a.ID, a.Seq)
	if holdfast.IsKind(err, holdfast.NotFound) {
		d.res.failed("account %s: the vault has change %d, and the living store has not", a.ID, a.Seq)
		d.res.different(a.ID)
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case got.head.Chain != want.head.Chain:
		d.res.failed("account %s: its history up to change %d is another one than the living store's", a.ID, a.Seq)
	case got.digest.State != want.digest.State:
		d.res.failed("account %s: its items at change %d are not those that the living store says", a.ID, a.Seq)
	default:
		return d.octets(ctx, e, a, got)
	}
	d.res.different(a.ID)
	return nil
}

// octets hashes the bodies of an account again, on both sides at once.
func (d *run) octets(ctx context.Context, e store.Engine, a *restore.Account, p point) error {
	var here, there rehash
	var errs [2]error
	var both sync.WaitGroup
	both.Go(func() { errs[0] = here.all(ctx, e, a.ID, a.Seq, d.o.Pace) })
	both.Go(func() { errs[1] = there.all(ctx, d.o.Live, a.ID, a.Seq, d.o.Pace) })
	both.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	d.res.Blobs.Rehashed += here.bodies + there.bodies
	d.res.Blobs.Octets += here.octets + there.octets
	if here.bad+there.bad > 0 {
		if there.bad > 0 {
			d.res.failed("account %s: in the living store the octets of change %d do not have their hash; %d such", a.ID, there.first, there.bad)
		}
		if here.bad > 0 {
			d.res.failed("account %s: the restored octets of change %d do not have their hash; %d such", a.ID, here.first, here.bad)
		}
		d.res.different(a.ID)
		return nil
	}
	d.res.Digests.Equal++
	d.proofs = append(d.proofs, Proof{a.ID, p.head.Epoch, a.Seq, p.head.Chain, p.digest.State})
	return nil
}

// point is where an account stands at a seq.
type point struct {
	head   store.Head
	digest holdfast.Digest
}

func at(ctx context.Context, e store.Engine, id holdfast.ID, seq uint64) (p point, err error) {
	snap, err := e.Snapshot(ctx)
	if err != nil {
		return p, err
	}
	defer snap.Close()
	if p.head, err = snap.Chain(id, seq); err != nil {
		return p, err
	}
	p.digest, err = snap.Digest(id, seq)
	return p, err
}

// rehash counts bodies that were hashed again.
type rehash struct {
	bodies, octets, bad int64
	first               uint64 // the first change whose octets are not what they were
}

// pageChanges is how many changes are read in one snapshot.
const pageChanges = 500

// all hashes the bodies of an account's changes up to a seq.
func (h *rehash) all(ctx context.Context, e store.Engine, id holdfast.ID, upto uint64, pace func(context.Context) error) error {
	for after := uint64(0); after < upto; {
		next, err := h.page(ctx, e, id, after, upto)
		if err != nil || next == after {
			return err
		}
		after = next
		if err := pace(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (h *rehash) page(ctx context.Context, e store.Engine, id holdfast.ID, after, upto uint64) (uint64, error) {
	snap, err := e.Snapshot(ctx)
	if err != nil {
		return after, err
	}
	defer snap.Close()
	err = snap.Changes(id, after, pageChanges, store.WithBody, func(c *holdfast.Change) error {
		after = c.Seq
		if c.Seq > upto || c.Op != holdfast.OpPut || c.Blob != nil {
			return nil
		}
		h.bodies, h.octets = h.bodies+1, h.octets+int64(len(c.Body))
		if holdfast.HashOf(c.Body) != c.ETag {
			if h.bad++; h.first == 0 {
				h.first = c.Seq
			}
		}
		return nil
	})
	return after, err
}
