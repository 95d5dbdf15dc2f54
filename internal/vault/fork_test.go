package vault

import (
	"math/rand/v2"
	"testing"
	"time"

	"holdfast"
)

// twoMakers are of one history up to a batch, and went two ways then.
func twoMakers(upto int) (a, b *maker) {
	a, b = newMaker(9, 8), newMaker(9, 8)
	for range upto {
		a.batch(2)
		b.batch(2)
	}
	b.r = rand.New(rand.NewPCG(78, 7))
	return a, b
}

// forked is a vault whose writer was put back to batch 10 and went on, in the same term: what it had written first lies there as well. Both wrote that many batches.
func forked(t *testing.T, first, second int) (r *rig, a, b *maker) {
	r = newRig(t, nil)
	a, b = twoMakers(10)
	r.ship(a.batches...)
	for range first {
		r.ship(a.batch(2))
	}
	r.w.Roll()
	r.w.pos = b.pos // as a machine that was put back: it knows nothing of what it wrote
	for range second {
		r.ship(b.batch(8)) // more of each account than the other way has, also where that leads on further
	}
	r.w.Roll()
	return r, a, b
}

// TestAForkInsideOfATerm is read as it led on, and said; nothing is sealed of it, and nothing mixed.
func TestAForkInsideOfATerm(t *testing.T) {
	for _, x := range []struct{ first, second int }{{4, 9}, {9, 4}, {5, 5}} {
		r, a, b := forked(t, x.first, x.second)
		segment := r.w.next
		want := b
		if x.first > x.second {
			want = a
		}
		got, damage := readAll(t, r.recovery, ReadOptions{}, r.place)
		if lacks := same(t, "fork", got, want.truth(len(want.batches))); lacks != 0 {
			t.Errorf("%+v: %d are missing", x, lacks)
		}
		second := SegmentName(1, segment-1)
		for what, list := range map[string][]Damage{"a reader": damage, "a survey": must2(r.v.Survey(ctx))} {
			if len(list) != 1 || list[0].Object != second {
				t.Errorf("%+v: %s does not name %s: %+v", x, what, second, list)
			}
		}
		if err := r.v.Frames(ctx, 5, func(*holdfast.Batch, time.Time) error { return nil }); x.second > x.first && !holdfast.IsKind(err, holdfast.Corrupt) {
			t.Errorf("%+v: both are replayed: %v", x, err)
		}
		if _, err := r.v.Seal(ctx, r.w); !holdfast.IsKind(err, holdfast.Corrupt) {
			t.Errorf("%+v: it was sealed: %v", x, err)
		}
	}
}

// TestWhatWasGivenUpOfAMember: an account's changes of before and after the batch where a store went another way lie in one member. Those that were given up are not its newest, also where nothing came after them.
func TestWhatWasGivenUpOfAMember(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		r := newRig(t, nil)
		a, b := twoMakers(10)
		r.ship(a.batches...)
		for range 10 {
			r.ship(a.batch(2))
		}
		r.w.Roll()
		if sealed {
			must2(r.v.Seal(ctx, r.w))
		}
		r.adopt(b.pos, FromFork)
		r.ship(b.batch(1))
		got, damage := readAll(t, r.recovery, ReadOptions{}, r.place)
		if lacks := same(t, "given up", got, b.truth(len(b.batches))); lacks != 0 || len(damage) > 0 {
			t.Errorf("%d are missing, %v", lacks, damage)
		}
	}
}
