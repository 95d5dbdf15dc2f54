package restore

import (
	"context"
	"errors"

	"holdfast"
	"holdfast/internal/vault"
)

// Behind a gap it is to be known what was there before it: what is deleted now, and what must have been deleted in it, as something else has its place. That takes memory for each item, so it is found out only where there is a gap, by reading what came before it
// once more.

// errGap ends the reading at the first gap.
var errGap = errors.New("something is missing")

// before finds out which items were there before the first gap.
func (a *loading) before(ctx context.Context) error {
	a.live, a.uids = map[itemKey]string{}, map[itemKey]string{}
	err := a.content.Changes(ctx, func(list []vault.Loaded) error {
		for i := range list {
			c := list[i].Change
			if c.Seq > a.came {
				return errGap
			}
			a.derive(&c)
			a.remember(&c)
		}
		return nil
	})
	if err == errGap {
		err = nil
	}
	return err
}

// remember notes which items are there, once something is missing.
func (a *loading) remember(c *holdfast.Change) {
	if a.live == nil {
		return
	}
	key := itemKey{c.Collection, c.Name}
	if uid := a.live[key]; uid != "" && a.uids[itemKey{c.Collection, uid}] == c.Name {
		delete(a.uids, itemKey{c.Collection, uid})
	}
	if c.Op != holdfast.OpPut {
		delete(a.live, key)
		return
	}
	a.live[key] = c.Index.UID
	if c.Index.UID != "" {
		a.uids[itemKey{c.Collection, c.Index.UID}] = c.Name
	}
}

// giveWay makes room for a change whose place something else has that must have left it in a gap: no store has two items of one UID in a collection, or two collections of one name. An item was deleted, as its UID cannot change. A collection may
// have been renamed as well: it gets another name, so that nothing in it is gone from a device.
func (a *loading) giveWay(c *holdfast.Change) (out []holdfast.Change) {
	if c.Op != holdfast.OpPut {
		return nil
	}
	own := func(e holdfast.Entry) {
		n := a.renumbered(a.change(e))
		a.note(&n)
		out = append(out, n)
	}
	if name, ok := a.uids[itemKey{c.Collection, c.Index.UID}]; ok && c.Index.UID != "" && name != c.Name {
		own(a.deletion(c.Kind, c.Collection, name))
	}
	if c.Kind != holdfast.KindCollection {
		return out
	}
	r, err := holdfast.DecodeCollection(c.Body)
	if err != nil || r.Parent.IsZero() {
		return out
	}
	for id, k := range a.collections {
		if id != c.Collection && !k.Gone && k.Parent == r.Parent && k.Name == r.Name {
			rec := k.CollectionRecord
			rec.Name = standInName(id)
			e := a.entry(holdfast.KindCollection, id, "", rec.Encode())
			e.Properties = k.Properties
			own(e)
		}
	}
	return out
}
