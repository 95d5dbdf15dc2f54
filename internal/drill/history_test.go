package drill

import (
	"context"
	"testing"

	"holdfast"
	"holdfast/internal/store"
)

// otherwise is an engine in which another history has led to the same items.
type otherwise struct{ store.Engine }

func (e otherwise) Snapshot(ctx context.Context) (store.Snapshot, error) {
	s, err := e.Engine.Snapshot(ctx)
	return otherwiseSnapshot{s}, err
}

type otherwiseSnapshot struct{ store.Snapshot }

func (s otherwiseSnapshot) Chain(id holdfast.ID, seq uint64) (store.Head, error) {
	h, err := s.Snapshot.Chain(id, seq)
	h.Chain[0] ^= 1
	return h, err
}

// TestAnotherHistoryIsNoProof: the same items are not enough, the history that led to them must be the same.
func TestAnotherHistoryIsNoProof(t *testing.T) {
	s := newSource(t)
	o := s.options(s.place)
	o.Live = otherwise{s.engine}
	r, proofs := Run(t.Context(), o)
	outcome(t, "another history", r, Fail, "is another one than the living store's")
	if len(proofs) > 0 || len(r.Digests.Different) != 3 {
		t.Errorf("%d proofs, %+v", len(proofs), r.Digests)
	}
}
