package memory

import (
	"context"
	"slices"

	"holdfast"
	"holdfast/internal/store"
)

// Prune implements [store.Engine].
func (e *Engine) Prune(ctx context.Context, id holdfast.ID, seqs []uint64) (versions int, octets int64, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.usable(ctx, "Prune"); err != nil {
		return 0, 0, err
	}
	if err := store.PrunesSo(id, seqs); err != nil {
		return 0, 0, err
	}
	a := e.accounts[id]
	for _, seq := range seqs {
		if a == nil || seq == 0 || seq > uint64(len(a.changes)) {
			return 0, 0, store.NoChange("Prune", id, seq)
		}
		v := a.changes[seq-1]
		if err := store.Prunes(&v.Change, a.current(v)); err != nil {
			return 0, 0, err
		}
	}
	for _, seq := range seqs {
		if v := a.changes[seq-1]; !v.Pruned {
			a.prune(v)
			versions, octets = versions+1, octets+v.Size
		}
	}
	return versions, octets, nil
}

// current tells whether a version is what its item is now, or says that it is gone.
func (a *account) current(v *version) bool {
	return a.now().item(a.collections[v.Collection], v.Name).Seq == v.Seq
}

// prune puts a version without octets in the place of one. Whoever reads meanwhile holds the old one, and the lists that it stands in.
func (a *account) prune(v *version) {
	n := *v
	n.Change.Prune()
	replace := func(list []*version) []*version {
		list = slices.Clone(list)
		list[slices.Index(list, v)] = &n
		return list
	}
	c := a.collections[v.Collection]
	a.changes, c.log, c.items[v.Name] = replace(a.changes), replace(c.log), replace(c.items[v.Name])
}
