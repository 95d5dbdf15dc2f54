package relay

import (
	"context"

	"holdfast"
	"holdfast/internal/store"
)

// indexer derives what queries need of changes that come from a vault: it is in no journal.
type indexer struct {
	engine store.Engine
	derive store.Derive
	known  map[holdfast.ID]*holdfast.Collection
}

func newIndexer(e store.Engine, derive store.Derive) *indexer {
	return &indexer{e, derive, map[holdfast.ID]*holdfast.Collection{}}
}

// maxKnown bounds the collections that are kept in mind.
const maxKnown = 10_000

// index fills in the Index of each change. What today's judges would not take has none: it is found by its name.
func (x *indexer) index(ctx context.Context, changes []holdfast.Change) error {
	if x.derive == nil {
		return nil
	}
	for i := range changes {
		c := &changes[i]
		if c.Op != holdfast.OpPut || c.Blob != nil || c.Pruned {
			continue
		}
		if c.Kind == holdfast.KindCollection {
			if rec, err := holdfast.DecodeCollection(c.Body); err == nil {
				x.keep(&holdfast.Collection{CollectionRecord: rec, ID: c.Collection, Account: c.Account, Properties: c.Properties})
			}
			continue
		}
		coll, err := x.collection(ctx, c.Collection)
		if err != nil {
			return err
		}
		if coll == nil {
			continue
		}
		if index, ok := x.derive(coll, &holdfast.Resource{Account: c.Account, Collection: c.Collection, Name: c.Name, Kind: c.Kind, ContentType: c.ContentType, Body: c.Body}); ok {
			c.Index = index
		}
	}
	return nil
}

func (x *indexer) keep(c *holdfast.Collection) {
	if len(x.known) >= maxKnown {
		clear(x.known)
	}
	x.known[c.ID] = c
}

func (x *indexer) collection(ctx context.Context, id holdfast.ID) (*holdfast.Collection, error) {
	if c := x.known[id]; c != nil {
		return c, nil
	}
	snap, err := x.engine.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	c, err := snap.Collection(id)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return nil, nil // it comes with a change that does not follow: Apply says so
	}
	if err != nil {
		return nil, err
	}
	x.keep(&c)
	return &c, nil
}
