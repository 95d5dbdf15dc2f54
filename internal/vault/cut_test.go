package vault

import (
	"fmt"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/fault"
	"holdfast/internal/place"
	"holdfast/internal/place/memory"
)

// story is everything that happens to a vault, one step after the other, until a step fails.
type story struct {
	r      *rig
	m      *maker
	acked  int // batches that were acknowledged
	erased holdfast.ID
}

// begin makes a vault that has seven packs and a tail, so that a story comes to every kind of step.
func begin(t testing.TB) *story {
	r, m := newRig(t, nil), newMaker(41, 6)
	r.opt.KeepTail, r.opt.Keep = time.Hour, time.Hour
	r.open()
	for range packsOfATier - 1 {
		for range 3 {
			r.ship(m.batch(3))
		}
		r.w.Roll()
		must2(r.v.Seal(ctx, r.w))
		r.clock.Advance(time.Minute)
	}
	fine(t, r.w.Close())
	r.w = nil
	return &story{r: r, m: m, acked: len(m.batches), erased: m.accounts[5]}
}

// on returns the story as it goes on over a place.
func (s *story) on(p place.Place) *story {
	c := *s
	opt := s.r.opt
	opt.Place = p
	c.r = &rig{t: s.r.t, clock: s.r.clock, place: p, ring: s.r.ring, recovery: s.r.recovery, opt: opt}
	return &c
}

// run appends what the vault lacks of the batches, and does everything else.
func (s *story) run(batches []*holdfast.Batch) error {
	v, err := Open(ctx, s.r.opt)
	if err != nil {
		return err
	}
	end, term, err := v.End(ctx)
	if err != nil {
		return err
	}
	w, err := v.Writer(ctx, term, end)
	if err != nil {
		return err
	}
	defer w.Close()
	for _, b := range batches {
		if b.Batch <= end.Batch {
			s.acked = max(s.acked, int(b.Batch))
			continue
		}
		if err := w.Append(ctx, PackBatches([]*holdfast.Batch{b}, s.r.clock.Now())); err != nil {
			return err
		}
		s.acked = int(b.Batch)
	}
	w.Roll()
	s.r.clock.Advance(2 * time.Hour)
	for _, step := range []func() error{
		func() error { return w.Head(ctx, HeadInput{Whole: true}) },
		func() error { return v.PutService(ctx, "policy") },
		func() error { return v.Upkeep(ctx, w) },
		func() error { _, err := v.Erase(ctx, w, s.erased, nil); return err },
		func() error { return w.Head(ctx, HeadInput{Whole: true}) },
		func() error { return v.Upkeep(ctx, w) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// check reads the vault with the recovery key: what was acknowledged is there, and nothing that never was.
func (s *story) check(where string, p place.Place, all bool) {
	t := s.r.t
	t.Helper()
	got, damage := readAll(t, s.r.recovery, ReadOptions{}, p)
	if len(damage) > 0 {
		t.Fatalf("%s: damaged: %+v", where, damage)
	}
	must := s.m.truth(s.acked)
	if all {
		must = s.m.truth(len(s.m.batches))
	}
	s.compare(where, got, must)
}

// checkAcked is check where a frame is torn, which is said until its batches were written again.
func (s *story) checkAcked(where string, p place.Place) {
	s.r.t.Helper()
	got, _ := readAll(s.r.t, s.r.recovery, ReadOptions{}, p)
	s.compare(where, got, s.m.truth(s.acked))
}

func (s *story) compare(where string, got map[holdfast.ID]*restored, must map[holdfast.ID]map[uint64]holdfast.Hash) {
	t := s.r.t
	t.Helper()
	want := s.m.truth(len(s.m.batches))
	delete(must, s.erased)
	for id, seqs := range must {
		for seq, chain := range seqs {
			if got[id] == nil || got[id].seqs[seq] != chain {
				t.Fatalf("%s: change %d of %v was acknowledged, and is not there", where, seq, id)
			}
		}
	}
	for id, g := range got {
		for seq, chain := range g.seqs {
			if want[id][seq] != chain {
				t.Fatalf("%s: change %d of %v never was", where, seq, id)
			}
		}
	}
}

// TestCutAnywhere cuts the story at each call that changes the place: before it, after it, in its middle, and for want of space. What was acknowledged can be read at once; then the story is gone on with, and ends as if nothing had been.
func TestCutAnywhere(t *testing.T) {
	s := begin(t)
	for range 4 {
		s.m.batch(3)
	}
	base := s.r.place.(*memory.Place)
	plan := fault.Never()
	if err := s.on(fault.Wrap(base.Clone(), plan)).run(s.m.batches); err != nil {
		t.Fatal(err)
	}
	calls := plan.Calls()
	if calls < 16 {
		t.Fatalf("a story of %d calls", calls)
	}
	every := 1
	if testing.Short() {
		every = 5
	}
	for _, act := range []fault.Act{fault.Before, fault.After, fault.Half, fault.Full} {
		for n := 1; n <= calls; n += every {
			where := fmt.Sprintf("cut %v call %d of %d", act, n, calls)
			p := base.Clone()
			cut := s.on(fault.Wrap(p, fault.Cut(n, act)))
			if err := cut.run(s.m.batches); err == nil && act != fault.After {
				t.Fatalf("%s: the story did not notice", where)
			}
			p = p.Clone() // nobody has its lease
			cut.check(where, p, false)
			again := s.on(p)
			again.acked = cut.acked
			if err := again.run(s.m.batches); err != nil {
				t.Fatalf("%s, gone on with: %v", where, err)
			}
			again.check(where+", gone on with", p, true)
		}
	}
}
