package retain

import (
	"context"
	"errors"
	"maps"
	"slices"

	"holdfast"
	"holdfast/internal/store"
)

// maxOctets bounds the octets of one transaction, unless one version is larger: people who write wait for it.
const maxOctets = 4 << 20

// errEnough ends a reading.
var errEnough = errors.New("enough")

// letGo lets the octets go, account by account.
func (r *round) letGo(ctx context.Context) error {
	ids := slices.SortedFunc(maps.Keys(r.may), holdfast.ID.Compare)
	for _, id := range ids {
		if held := r.o.Held(); len(held) > 0 {
			r.rep.Held = append(r.rep.Held, held...)
			return nil
		}
		if r.o.Skip(id) { // by now
			continue
		}
		versions, octets, err := r.account(ctx, id, r.may[id])
		if versions > 0 {
			r.rep.Accounts, r.rep.Versions, r.rep.Octets = r.rep.Accounts+1, r.rep.Versions+versions, r.rep.Octets+octets
			if r.o.Done != nil {
				r.o.Done(id, versions, octets)
			}
		}
		if holdfast.IsKind(err, holdfast.NotFound) { // it was erased meanwhile
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// account lets go of an account's old versions, a bounded number at a time.
func (r *round) account(ctx context.Context, id holdfast.ID, seqs []uint64) (versions, octets int64, err error) {
	var part []uint64
	size := int64(0)
	give := func() error {
		if len(part) == 0 {
			return nil
		}
		n, o, err := r.o.Engine.Prune(ctx, id, part)
		versions, octets, part, size = versions+int64(n), octets+o, part[:0], 0
		if err != nil {
			return err
		}
		return r.o.Pace(ctx, o)
	}
	list, err := r.still(ctx, id, seqs)
	for _, x := range list {
		if err == nil && (len(part) == store.MaxPrune || size+x.size > maxOctets) {
			err = give()
		}
		if err != nil {
			return versions, octets, err
		}
		part, size = append(part, x.seq), size+x.size
	}
	if err == nil {
		err = give()
	}
	return versions, octets, err
}

type version struct {
	seq  uint64
	size int64
}

// still returns those of the versions that have their octets.
func (r *round) still(ctx context.Context, id holdfast.ID, seqs []uint64) (out []version, err error) {
	err = r.changes(ctx, id, func(_ store.Snapshot, c *holdfast.Change) error {
		if _, old := slices.BinarySearch(seqs, c.Seq); old && !c.Pruned {
			out = append(out, version{c.Seq, c.Size})
		}
		return nil
	})
	return out, err
}

// changes calls fn with an account's changes, without octets, some in each snapshot.
func (r *round) changes(ctx context.Context, id holdfast.ID, fn func(store.Snapshot, *holdfast.Change) error) error {
	for after := uint64(0); ; {
		n, err := r.page(ctx, id, &after, fn)
		if errors.Is(err, errEnough) || holdfast.IsKind(err, holdfast.NotFound) {
			return nil
		}
		if err != nil || n == 0 {
			return err
		}
		if err := r.o.Pace(ctx, int64(n)*rowOctets); err != nil {
			return err
		}
	}
}

// rowOctets is about what reading a change without its octets costs.
const rowOctets = 300

func (r *round) page(ctx context.Context, id holdfast.ID, after *uint64, fn func(store.Snapshot, *holdfast.Change) error) (n int, err error) {
	snap, err := r.o.Engine.Snapshot(ctx)
	if err != nil {
		return 0, err
	}
	defer snap.Close()
	err = snap.Changes(id, *after, pageChanges, 0, func(c *holdfast.Change) error {
		n, *after = n+1, c.Seq
		return fn(snap, c)
	})
	return n, err
}
