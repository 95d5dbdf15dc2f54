package drill

import (
	"context"
	"errors"
	"fmt"
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
	d.res.Blobs.Pruned += here.pruned + there.pruned
	for at, seq := range here.letGo {
		if there.letGo[at] == seq { // known to be lost on both sides: the vault gives back what there is
			delete(here.letGo, at)
			delete(there.letGo, at)
			d.res.Blobs.Ghosts++
		}
	}
	for _, side := range []struct {
		*rehash
		what string
	}{{&there, "in the living store"}, {&here, "as it was restored,"}} {
		if side.bad > 0 {
			d.res.failed("account %s: %s the octets of change %d do not have their hash; %d such", a.ID, side.what, side.first, side.bad)
		}
		if seq := side.hollow(); seq > 0 {
			d.res.failed("account %s: %s the octets of change %d were let go of, and nothing has replaced them; %d such", a.ID, side.what, seq, len(side.letGo))
		}
		if why := side.broken(p.head); why != "" {
			d.res.failed("account %s: %s the history %s", a.ID, side.what, why)
		}
		if side.bad > 0 || side.hollow() > 0 || side.broken(p.head) != "" {
			d.res.different(a.ID)
			return nil
		}
	}
	bad, err := d.files(ctx, e, a.ID)
	if err != nil {
		return err
	}
	if bad != "" {
		if gone, err := erased(ctx, d.o.Live, a.ID); err != nil || gone { // meanwhile, and the vault with it
			return err
		}
		d.res.failed("account %s: %s", a.ID, bad)
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

// rehash counts bodies that were hashed again, and follows the chain from change to change: a digest is made of what is recorded at its end, and a history that lost its middle has the same one.
type rehash struct {
	bodies, octets, bad int64
	first               uint64 // the first change whose octets are not what they were
	pruned              int64  // bodies that retention let go of: there is nothing to hash

	seq   uint64 // of the last change that followed the one before it
	chain holdfast.Hash
	off   uint64 // the first change that does not; 0: all do

	letGo map[spot]uint64 // versions without octets that nothing has replaced yet, and their changes
}

// spot is where an item stands.
type spot struct {
	collection holdfast.ID
	name       string
}

// hollow returns the first change of what is there and has no octets; 0: there is none.
func (h *rehash) hollow() (first uint64) {
	for _, seq := range h.letGo {
		if first == 0 || seq < first {
			first = seq
		}
	}
	return first
}

// broken says where a history is not one from its first change to a point; empty: it is.
func (h *rehash) broken(p store.Head) string {
	switch {
	case h.off > 0:
		return fmt.Sprintf("breaks at change %d, after change %d", h.off, h.seq)
	case h.seq != p.Seq:
		return fmt.Sprintf("ends at change %d of %d", h.seq, p.Seq)
	case h.chain != p.Chain:
		return fmt.Sprintf("does not lead to change %d", p.Seq)
	}
	return ""
}

// pageChanges is how many changes are read in one snapshot.
const pageChanges = 500

// all reads an account's changes up to a seq.
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
		if c.Seq <= upto {
			h.change(id, c)
		}
		return nil
	})
	return after, err
}

func (h *rehash) change(id holdfast.ID, c *holdfast.Change) {
	if h.off == 0 {
		if c.Seq == h.seq+1 && holdfast.ChainHash(id, c.Epoch, c.Seq, h.chain, c.Entry.CanonicalHash(c.Collection)) == c.Chain {
			h.seq, h.chain = c.Seq, c.Chain
		} else {
			h.off = c.Seq
		}
	}
	at := spot{c.Collection, c.Name}
	delete(h.letGo, at)
	if c.Op != holdfast.OpPut || c.Blob != nil {
		return
	}
	if c.Pruned {
		if h.letGo == nil {
			h.letGo = map[spot]uint64{}
		}
		h.letGo[at] = c.Seq
		h.pruned++
		return
	}
	h.bodies, h.octets = h.bodies+1, h.octets+int64(len(c.Body))
	if holdfast.HashOf(c.Body) != c.ETag {
		if h.bad++; h.first == 0 {
			h.first = c.Seq
		}
	}
}
