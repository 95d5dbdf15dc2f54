package vault

import (
	"context"
	"testing"
	"time"

	"holdfast/internal/place"
)

// between is a place that does something before it lists the tail, once.
type between struct {
	place.Place
	do func()
}

func (p *between) List(ctx context.Context, prefix, after string, fn func(place.Info) error) error {
	if do := p.do; do != nil && prefix == dirTail {
		p.do = nil
		do()
	}
	return p.Place.List(ctx, prefix, after, fn)
}

// TestASegmentThatIsBegunWhileOthersAreSealed: appends go on beside the upkeep. A segment that the writer begins after it was asked which are closed is none of the pack's, as more comes into it, which would go with it.
func TestASegmentThatIsBegunWhileOthersAreSealed(t *testing.T) {
	for _, open := range []bool{true, false} {
		r, m := newRig(t, nil), newMaker(61, 3)
		p := &between{Place: r.place}
		r.opt.Place, r.opt.KeepTail = p, time.Hour
		r.open()
		r.ship(m.batch(3))
		r.w.Roll()
		r.ship(m.batch(3))
		if !open {
			r.w.Roll()
		}
		p.do = func() {
			r.w.Roll()
			r.ship(m.batch(3))
		}
		must2(r.v.Seal(ctx, r.w))
		if p.do != nil {
			t.Fatal("the tail was not listed")
		}
		r.ship(m.batch(3), m.batch(3)) // into the segment that was begun meanwhile
		for range 4 {
			r.w.Roll()
			r.clock.Advance(2 * time.Hour)
			fine(t, r.w.Head(ctx, HeadInput{Whole: true}))
			fine(t, r.v.Upkeep(ctx, r.w))
		}
		if n := len(must2(r.v.segments(ctx, 1))); n != 0 {
			t.Fatalf("%d segments are left", n)
		}
		got, damage := readAll(t, r.recovery, ReadOptions{}, r.place)
		if n := same(t, "sealed while a segment was begun", got, m.truth(len(m.batches))); n != 0 || len(damage) > 0 {
			t.Errorf("a segment was open: %t; %d changes are missing, %+v", open, n, damage)
		}
	}
}
