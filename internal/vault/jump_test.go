package vault

import (
	"testing"
	"time"
)

const tenYears = 10 * 365 * 24 * time.Hour

// TestAJumpLetsNoReplacedPackGo: packs that others have replaced, and the segments that they were made of, stay through jumps of the clock in both directions; sealing, heads and upkeep go on meanwhile. What passes by days is counted.
func TestAJumpLetsNoReplacedPackGo(t *testing.T) {
	r, m := newRig(t, nil), newMaker(23, 3)
	r.opt.KeepTail, r.opt.Keep = 96*time.Hour, 96*time.Hour
	r.open()
	once := func() {
		r.ship(m.batch(2))
		r.w.Roll()
		fine(t, r.v.Upkeep(ctx, r.w))
		fine(t, r.w.Head(ctx, HeadInput{Whole: true}))
	}
	for range packsOfATier {
		once()
	}
	if packs := must2(r.v.Packs(ctx)); len(packs) != 1 || packs[0].Tier != 1 {
		t.Fatalf("%+v: nothing was joined", packs)
	}
	before := names(t, r.place)
	for _, jump := range []time.Duration{tenYears, -2 * tenYears, tenYears, -tenYears, tenYears} {
		r.clock.Set(r.clock.Now().Add(jump))
		once()
		r.open() // also for a process that starts
		once()
		there := map[string]bool{}
		for _, name := range names(t, r.place) {
			there[name] = true
		}
		for _, name := range before {
			if !there[name] {
				t.Fatalf("after a jump by %v %s is gone", jump, name)
			}
		}
	}
	for range 5 {
		r.clock.Advance(24 * time.Hour)
		once()
	}
	for _, name := range names(t, r.place) {
		if name == "pages/000000000001.pack" || name == SegmentName(1, 1) {
			t.Errorf("after five days %s is still there", name)
		}
	}
	got, damage := readAll(t, r.recovery, ReadOptions{}, r.place)
	if n := same(t, "jumped", got, m.truth(len(m.batches))); n != 0 || len(damage) > 0 {
		t.Fatal(n, damage)
	}
}

// TestAClockThatWasPutBackKeepsNoSegmentOpen: how old a segment is cannot be known then; the next one is begun.
func TestAClockThatWasPutBackKeepsNoSegmentOpen(t *testing.T) {
	r, m := newRig(t, nil), newMaker(24, 3)
	r.ship(m.batch(2))
	first := r.w.Open()
	r.clock.Set(r.clock.Now().Add(-tenYears))
	r.ship(m.batch(2))
	second := r.w.Open()
	if first == 0 || second == first {
		t.Fatalf("segment %d, then %d: it would be appended to for ten years", first, second)
	}
	r.ship(m.batch(2))
	if r.w.Open() != second {
		t.Fatal("each append begins a segment")
	}
}
