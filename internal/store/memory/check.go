package memory

import (
	"context"
	"fmt"

	"holdfast"
	"holdfast/internal/store"
)

// Check implements [store.Engine]: it derives everything from the changes once more and compares.
func (e *Engine) Check(ctx context.Context, octets bool, derive store.Derive, report func(store.Finding)) error {
	e.mu.Lock()
	err := e.usable(ctx, "Check")
	var found []store.Finding
	if err == nil {
		found = e.check(octets, derive)
	}
	e.mu.Unlock()
	for _, f := range found {
		report(f)
	}
	return err
}

func (e *Engine) check(octets bool, derive store.Derive) (found []store.Finding) {
	pos := store.Position{}
	for _, b := range e.batches {
		if b.redacted {
			pos = b.at
			continue
		}
		pos = nextPosition(pos, b.ends())
		if pos != b.at {
			found = append(found, store.Finding{Account: b.parts[0].account.id, What: fmt.Sprintf("The hash of batch %d does not follow from the batches before.", b.at.Batch)})
			pos = b.at
		}
	}
	for _, a := range e.accounts {
		found = append(found, a.check(octets)...)
		if octets && derive != nil {
			found = append(found, a.now().misfits(derive)...)
		}
	}
	return found
}

// check verifies one account.
func (a *account) check(octets bool) (found []store.Finding) {
	add := func(v *version, what string) {
		found = append(found, store.Finding{Account: a.id, Collection: v.Collection, Name: v.Name, Seq: v.Seq, What: what})
	}
	var chain holdfast.Hash
	for i, v := range a.changes {
		if v.Seq != uint64(i+1) {
			add(v, fmt.Sprintf("Seq %d stands where %d should.", v.Seq, i+1))
		}
		if chain = holdfast.ChainHash(a.id, v.Epoch, v.Seq, chain, v.Hash); chain != v.Chain {
			add(v, "The chain does not follow from the change before.")
			chain = v.Chain
		}
		switch {
		case v.Pruned && !v.Prunable():
			add(v, "The octets were let go of, and must not be.")
		case v.Pruned && a.current(v):
			add(v, store.GhostFound)
			found[len(found)-1].Lost = true
		}
		if octets && v.Op == holdfast.OpPut && v.Blob == nil && !v.Pruned && holdfast.HashOf(v.Body) != v.ETag {
			add(v, "The octets do not match their hash.")
		}
		if octets && len(v.PropsRaw) > 0 && holdfast.HashOf(v.PropsRaw) != v.PropsHash {
			add(v, "The properties do not match their hash.")
		}
	}
	for i := 0; i < len(a.changes); { // a group's entries are sealed together
		n := min(int(a.changes[i].More)+1, len(a.changes)-i)
		if group := a.changes[i : i+n]; octets && !sealed(group) {
			add(group[0], "The group's entries do not match their hashes.")
		}
		i += n
	}
	now := a.now()
	for _, c := range now.all() {
		if own := now.item(c, ""); now.recount(c) != now.newest(c.log).totals {
			add(own, "The collection's sums do not match its items.")
		}
	}
	return found
}

// misfits compares what the index says with what the octets say.
func (v view) misfits(derive store.Derive) (found []store.Finding) {
	for _, c := range v.all() {
		about := v.describe(c)
		for _, it := range v.list(c, "") {
			if it.Blob != nil || it.Pruned {
				continue
			}
			r := it.resource(store.WithBody | store.WithType)
			want, ok := derive(&about, r)
			if !ok {
				continue
			}
			for _, what := range store.Misfit(r, want) {
				found = append(found, store.Finding{Account: v.id, Collection: c.id, Name: it.Name, Seq: it.Seq, What: what})
			}
		}
	}
	return found
}

// sealed tells whether sealing the group again gives the same hashes.
func sealed(vs []*version) bool {
	g := holdfast.Group{}
	for _, v := range vs {
		g.Entries = append(g.Entries, v.Entry)
	}
	g.Seal()
	for i, v := range vs {
		if v.Pruned { // what it was sealed with is not there
			continue
		}
		if g.Entries[i].Hash != v.Hash {
			return false
		}
	}
	return true
}

// recount sums the collection up item by item.
func (v view) recount(c *collection) (t totals) {
	for name := range c.items {
		it := v.item(c, name)
		if it == nil {
			continue
		}
		t.sum = t.sum.Add(it.hash())
		if name != "" && it.Op == holdfast.OpPut {
			t.items, t.octets = t.items+1, t.octets+it.Size
		}
	}
	return t
}
