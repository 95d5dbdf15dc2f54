package dav

import (
	"context"

	"holdfast"
	"holdfast/internal/store"
)

// completed fills in what the model of an engine may not tell yet: Receipt.Created and Precondition.Bare. It is for one goroutine's requests.
type completed struct{ store.Engine }

func (e completed) Commit(ctx context.Context, g *holdfast.Group) (holdfast.Receipt, error) {
	last := &g.Entries[len(g.Entries)-1]
	snap, err := e.Snapshot(ctx)
	if err != nil {
		return holdfast.Receipt{}, err
	}
	old, err := snap.Resource(last.Collection, last.Name, store.WithProps)
	snap.Close()
	live := err == nil
	if live && last.If.Bare && !old.PropsHash.IsZero() && last.If.Check(true, old.ETag, old.Seq) {
		return holdfast.Receipt{}, &holdfast.Error{Op: "test.Commit", Kind: holdfast.PreconditionFailed, Ref: last.Name, Rule: holdfast.RuleBare}
	}
	r, err := e.Engine.Commit(ctx, g)
	r.Created = err == nil && !r.Replay && !live && last.Op == holdfast.OpPut
	return r, err
}
