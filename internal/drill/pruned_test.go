package drill

import (
	"context"
	"testing"

	"holdfast"
	memplace "holdfast/internal/place/memory"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
	"holdfast/internal/vault"
)

// old returns the seqs of an account's versions that were replaced.
func (s *source) old(who int) (out []uint64) {
	snap, err := s.engine.Snapshot(s.t.Context())
	fine(s.t, err)
	defer snap.Close()
	fine(s.t, snap.Changes(s.ids[who], 0, 0, 0, func(c *holdfast.Change) error {
		now, err := isNow(snap, c)
		if c.Prunable() && !now {
			out = append(out, c.Seq)
		}
		return err
	}))
	if len(out) < 3 {
		s.t.Fatalf("only %v were replaced; the test is wrong", out)
	}
	return out
}

// lacking returns a vault of the store that lacks octets.
func (s *source) lacking(pruned func(*holdfast.Change) bool) *memplace.Place {
	t, p := s.t, memplace.New(s.clock)
	v, err := vault.Create(t.Context(), vault.Options{Place: p, Ring: s.ring, Clock: s.clock}, vault.Meta{Vault: holdfast.NewID(nil), Store: storeID, Name: "local", Created: s.clock.Now()})
	fine(t, err)
	term, err := v.Adopt(t.Context(), storeID, holdfast.Position{}, vault.FromNothing)
	fine(t, err)
	w, err := v.Writer(t.Context(), term, holdfast.Position{})
	fine(t, err)
	fine(t, s.engine.After(t.Context(), 0, 0, func(b *holdfast.Batch) error {
		for i := range b.Changes {
			if c := &b.Changes[i]; pruned(c) {
				c.Prune()
			}
		}
		return w.Append(t.Context(), vault.PackBatches([]*holdfast.Batch{b}, s.clock.Now()))
	}))
	fine(t, w.Close())
	return p
}

// hollow is an engine that lacks the octets of what is there now.
type hollow struct {
	store.Engine
	account holdfast.ID
	seq     uint64
}

func (e hollow) Snapshot(ctx context.Context) (store.Snapshot, error) {
	s, err := e.Engine.Snapshot(ctx)
	return hollowSnapshot{s, e}, err
}

type hollowSnapshot struct {
	store.Snapshot
	e hollow
}

func (s hollowSnapshot) Changes(id holdfast.ID, after uint64, limit int, f store.Fields, fn func(*holdfast.Change) error) error {
	return s.Snapshot.Changes(id, after, limit, f, func(c *holdfast.Change) error {
		if x := *c; id == s.e.account && c.Seq == s.e.seq {
			x.Prune()
			return fn(&x)
		}
		return fn(c)
	})
}

// TestWhatWasPrunedIsProvenWithoutItsOctets: versions that retention let go of, on one side or both, are equal and counted apart. What is there now must have octets on either.
func TestWhatWasPrunedIsProvenWithoutItsOctets(t *testing.T) {
	s := newSource(t)
	old := s.old(1)
	live := s.head(1)
	isOld := func(c *holdfast.Change) bool {
		for _, seq := range old {
			if c.Account == s.ids[1] && c.Seq == seq {
				return true
			}
		}
		return false
	}
	whole := drilled(s, s.options(s.place))
	outcome(t, "whole", whole, Pass, "")
	lacking := s.lacking(isOld)
	n := int64(len(old))
	check := func(what string, o Options, pruned int64) {
		t.Helper()
		r := drilled(s, o)
		outcome(t, what, r, Pass, "")
		if r.Blobs.Pruned != pruned || r.Blobs.Rehashed != whole.Blobs.Rehashed-pruned || r.Digests.Equal != 3 || r.Changes != whole.Changes {
			t.Errorf("%s: %+v, want %d pruned of %+v", what, r.Blobs, pruned, whole.Blobs)
		}
	}
	check("in the vault", s.options(lacking), n)
	if _, _, err := s.engine.Prune(t.Context(), s.ids[1], old); err != nil {
		t.Fatal(err)
	}
	check("in the engine", s.options(s.place), n)
	check("in both", s.options(lacking), 2*n)

	outcome(t, "what is there now, in the vault", drilled(s, s.options(s.lacking(func(c *holdfast.Change) bool { return c.Account == s.ids[1] && c.Seq == live }))), Fail, "as it was restored, the octets of change")
	o := s.options(s.place)
	o.Live = hollow{s.engine, s.ids[1], live}
	outcome(t, "what is there now, in the engine", drilled(s, o), Fail, "in the living store the octets of change")
	o = s.options(s.place)
	e := memory.New()
	o.Open = func(context.Context, string, bool) (store.Engine, error) {
		return hollow{kept{e}, s.ids[1], live}, nil
	}
	outcome(t, "what is there now, as it was restored", drilled(s, o), Fail, "as it was restored, the octets of change")
}

// drilled runs a drill.
func drilled(s *source, o Options) *Result {
	r, proofs := Run(s.t.Context(), o)
	if r.Result != Pass && (len(proofs) == 3 || r.Digests.Equal == 3) {
		s.t.Error("it proves an account all the same")
	}
	return r
}

// head returns the newest seq of an account.
func (s *source) head(who int) uint64 {
	snap, err := s.engine.Snapshot(s.t.Context())
	fine(s.t, err)
	defer snap.Close()
	h, err := snap.Head(s.ids[who])
	fine(s.t, err)
	return h.Seq
}

// isNow tells whether a change is what its item is now.
func isNow(snap store.Snapshot, c *holdfast.Change) (bool, error) {
	r, err := snap.Resource(c.Collection, c.Name, 0)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return false, nil
	}
	return err == nil && r.Seq == c.Seq, err
}
