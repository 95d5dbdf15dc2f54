package scrub

import (
	"testing"

	"holdfast"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
)

// replaced returns the seqs of an account's versions that were replaced, and one that is there now.
func (r *rig) replaced(id holdfast.ID) (old []uint64, live uint64) {
	snap, err := r.engine.Engine.Snapshot(r.t.Context())
	fine(r.t, err)
	defer snap.Close()
	fine(r.t, snap.Changes(id, 0, 0, 0, func(c *holdfast.Change) error {
		now, err := isNow(snap, c)
		if c.Prunable() && now {
			live = c.Seq
		} else if c.Prunable() {
			old = append(old, c.Seq)
		}
		return err
	}))
	if len(old) < 3 || live == 0 {
		r.t.Fatalf("old are %v; the test is wrong", old)
	}
	return old, live
}

// TestWhatWasPrunedIsNoDamage: a version whose octets were let go of is whole without them, and nothing is brought back. What is there now without octets is a ghost: where no vault has it that is known, and else it is mended.
func TestWhatWasPrunedIsNoDamage(t *testing.T) {
	r := newRig(t)
	old, live := r.replaced(r.ids[1])
	before := r.round(r.scrubber(r.source(r.place)))
	if _, _, err := r.engine.Prune(t.Context(), r.ids[1], old); err != nil {
		t.Fatal(err)
	}
	rep := r.round(r.scrubber(r.source(r.place)))
	if rep.Found != 0 || rep.Changes != before.Changes || rep.Bodies != before.Bodies-int64(len(old)) || r.engine.mends != 0 {
		t.Errorf("%+v, before %+v, %d mended", rep, before, r.engine.mends)
	}

	hollow := memory.New()
	fine(t, r.engine.After(t.Context(), 0, 0, func(b *holdfast.Batch) error {
		b.Position, b.Prev = holdfast.Position{}, holdfast.Hash{}
		for i := range b.Changes {
			if c := &b.Changes[i]; c.Account == r.ids[1] && c.Seq == live {
				c.Prune()
			}
		}
		return hollow.Apply(t.Context(), b)
	}))
	r.engine.Engine = hollow
	rep = r.round(r.scrubber(nil))
	if rep.Found != 0 || rep.Ghosts != 1 || len(rep.Findings) != 0 || rep.Left() != 0 {
		t.Errorf("what no vault has: %+v", rep)
	}
	rep = r.round(r.scrubber(r.source(r.place)))
	if rep.Found != 1 || rep.Mended != 1 || rep.Findings[0].Seq != live || r.engine.mends != 1 {
		t.Errorf("without the octets of what is there: %+v, %d mended", rep, r.engine.mends)
	}
	if err := hollow.Check(t.Context(), true, nil, func(f store.Finding) { t.Errorf("after it was mended: %+v", f) }); err != nil {
		t.Error(err)
	}
}

// isNow tells whether a change is what its item is now.
func isNow(snap store.Snapshot, c *holdfast.Change) (bool, error) {
	r, err := snap.Resource(c.Collection, c.Name, 0)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return false, nil
	}
	return err == nil && r.Seq == c.Seq, err
}
