package vault

import (
	"bytes"
	"testing"
	"time"

	"holdfast/internal/place"
	"holdfast/internal/place/memory"
)

// TestADamagedPackLetsNothingGo damages a pack that others were joined to: those stay beyond their time, as they hold what it lacks. The same is asked of a vault's server, which has no key.
func TestADamagedPackLetsNothingGo(t *testing.T) {
	r, m := newRig(t, nil), newMaker(21, 3)
	r.opt.KeepTail, r.opt.Keep = 24*time.Hour, 48*time.Hour
	r.open()
	p := r.place.(*memory.Place)
	for range packsOfATier {
		r.ship(m.batch(4))
		r.w.Roll()
		must2(r.v.Seal(ctx, r.w))
		r.clock.Advance(time.Hour)
	}
	days := func(n int) {
		for range n {
			r.clock.Advance(24 * time.Hour)
			r.ship(m.batch(1))
			fine(t, r.w.Head(ctx, HeadInput{}))
		}
	}
	days(3)
	must2(r.v.Let(ctx)) // the segments, long before the packs are joined
	joined := must2(r.v.Compact(ctx, r.w))
	name := joined.Pack + packSuffix
	sound := must2(place.ReadAll(ctx, p, name, 1<<20))
	bad := bytes.Clone(sound)
	for i := range bad {
		bad[i] ^= 1
	}
	p.Overwrite(name, bad)
	days(4)
	before := len(names(t, p))
	if _, err := r.v.Let(ctx); err == nil {
		t.Error("nobody says that the pack is damaged")
	}
	if _, err := r.v.Due(ctx); err == nil {
		t.Error("its server does not say that the pack is damaged")
	}
	if after := len(names(t, p)); after != before {
		t.Errorf("%d objects went", before-after)
	}
	got, _ := readAll(t, r.recovery, ReadOptions{}, p)
	if n := same(t, "joined", got, m.truth(len(m.batches))); n != 0 {
		t.Errorf("%d are missing", n)
	}
	p.Overwrite(name, sound)
	if rep := must2(r.v.Let(ctx)); rep.Objects != 2*packsOfATier {
		t.Errorf("%d objects went once it is sound", rep.Objects)
	}
	if rep := must2(r.v.Let(ctx)); rep.Objects != 0 {
		t.Errorf("and then %d", rep.Objects)
	}
}
