package restore

import (
	"context"
	"errors"

	"holdfast"
	"holdfast/internal/vault"
)

// whole applies an account of which the engine has nothing, as it was. ok tells that it is there now.
func (m *mending) whole(ctx context.Context) (ok bool, err error) {
	m.rep.Items += int64(len(m.newest))
	key := itemKey{m.id, ""}
	if losses := m.h.Losses(); len(losses) > 0 || m.o.Collection != "" {
		m.tell(key, holdfast.KindAccount, holdfast.Hash{}, "missing", errors.New("the whole account is missing, and cannot be brought in as it was; restore it into another directory, and take it out of there"))
		return false, nil
	}
	for at, n := range m.newest {
		if n.live && n.pruned {
			m.tell(key, holdfast.KindAccount, holdfast.Hash{}, "missing", errors.New("the whole account is missing, and the octets of "+at.name+" were let go of, though nothing replaces it: restore it into another directory, and take it out of there"))
			return false, nil
		}
	}
	if m.o.DryRun {
		m.tell(key, holdfast.KindAccount, holdfast.Hash{}, "missing", nil)
		return false, nil
	}
	err = m.h.Changes(ctx, func(list []vault.Loaded) error {
		b := &holdfast.Batch{}
		for i := range list {
			c := list[i].Change
			if k := m.tree[c.Collection]; k != nil && m.o.Derive != nil && c.Op == holdfast.OpPut && c.Blob == nil && !c.Pruned && c.Kind != holdfast.KindCollection {
				if x, ok := m.o.Derive(k, &holdfast.Resource{Account: m.id, Collection: c.Collection, Name: c.Name, Kind: c.Kind, ContentType: c.ContentType, Body: c.Body}); ok {
					c.Index = x
				}
			}
			b.Changes = append(b.Changes, c)
		}
		return m.o.Engine.Apply(ctx, b)
	})
	if err != nil {
		return false, err
	}
	m.tell(key, holdfast.KindAccount, holdfast.Hash{}, "missing", nil)
	return true, nil
}
