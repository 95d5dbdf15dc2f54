package vault

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"holdfast/internal/fault"
	"holdfast/internal/place"
	"holdfast/internal/place/memory"
)

// TestCutWhilePruning cuts both steps at each call that changes the place. Whatever is live, or was within the age, is there at once, and once the old pack is gone; and gone on with it ends as if nothing had been.
func TestCutWhilePruning(t *testing.T) {
	r := newPruneRig(t, 13, 3)
	for range 3 {
		r.clock.Advance(time.Hour)
		r.write(15)
		r.pack()
	}
	r.days(14)
	must2(r.v.Let(ctx))
	fine(t, r.w.Close())
	r.w = nil
	base := r.place.(*memory.Place)
	began := r.clock.Now()
	run := func(p place.Place) (rep PruneReport, let LetReport, err error) {
		r.clock.Set(began)
		opt := r.opt
		opt.Place = p
		v, err := Open(ctx, opt)
		if err != nil {
			return rep, let, err
		}
		end, term, err := v.End(ctx)
		if err != nil {
			return rep, let, err
		}
		w, err := v.Writer(ctx, term, end)
		if err != nil {
			return rep, let, err
		}
		defer w.Close()
		if rep, err = v.Prune(ctx, w, r.options()); err != nil {
			return rep, let, err
		}
		last, err := v.LastHead(ctx)
		if err != nil {
			return rep, let, err
		}
		if err = w.Head(ctx, HeadInput{Drills: []DrillRef{{Drill: "d", Result: "pass", Of: last.Vault, Head: last.Number, Accounts: r.m.accounts}}}); err != nil {
			return rep, let, err
		}
		for range 6 {
			r.clock.Advance(day)
			if err = w.Head(ctx, HeadInput{Whole: true}); err != nil {
				return rep, let, err
			}
		}
		let, err = v.Purge(ctx)
		return rep, let, err
	}
	plan := fault.Never()
	whole := base.Clone()
	rep, let, err := run(fault.Wrap(whole, plan))
	if err != nil || len(rep.Packs) == 0 || let.Objects != 2*len(rep.Packs) {
		t.Fatalf("%+v, %+v, %v", rep, let, err)
	}
	gone := r.check("whole", whole, ReadOptions{})
	every := 1
	if testing.Short() {
		every = 4
	}
	for _, act := range []fault.Act{fault.Before, fault.After, fault.Half, fault.Full} {
		for n := 1; n <= plan.Calls(); n += every {
			where := fmt.Sprintf("cut %v call %d of %d", act, n, plan.Calls())
			p := base.Clone()
			if _, _, err := run(fault.Wrap(p, fault.Cut(n, act))); err == nil && act != fault.After {
				t.Fatalf("%s: nobody noticed", where)
			}
			p = p.Clone() // nobody has its lease
			r.check(where, p, ReadOptions{})
			r.check(where+", as pruned", p, ReadOptions{AsPruned: true})
			began = began.Add(10 * day) // its heads may have come so far
			if _, _, err := run(p); err != nil {
				t.Fatalf("%s, gone on with: %v", where, err)
			}
			began = began.Add(-10 * day)
			if n := r.check(where+", gone on with", p, ReadOptions{}); n < gone {
				t.Fatalf("%s: %d versions were let go of in the end, %d are without a cut", where, n, gone)
			}
		}
	}
}

// TestRandomPruning lives a random life beside a twin that is never pruned: at no time is anything missing that was live within the age by the counted time, and what was live at any moment of that is restored as out of the twin.
func TestRandomPruning(t *testing.T) {
	seeds, steps := uint64(4), 260
	if testing.Short() {
		seeds, steps = 1, 260
	}
	packs, purged, joined := 0, 0, 0
	for seed := range seeds {
		r := newPruneRig(t, seed, 3)
		r.twin = newRig(t, memory.New(r.clock))
		r.twin.clock = r.clock
		rnd := rand.New(rand.NewPCG(seed, 1))
		for step := range steps {
			switch n := rnd.IntN(20); {
			case n < 8:
				r.clock.Advance(time.Duration(rnd.IntN(40)) * time.Hour)
				r.write(1 + rnd.IntN(6))
			case n < 11:
				r.pack()
			case n < 13:
				rep, err := r.v.Compact(ctx, r.w)
				fine(t, err)
				joined += rep.Packs
			case n < 15:
				must2(r.v.Let(ctx))
			case n < 17:
				r.prune()
			case n < 18:
				r.drill([]string{"pass", "pass", "pass", "fail", "inconclusive"}[rnd.IntN(5)], r.m.accounts[:1+rnd.IntN(3)]...)
			case n < 19:
				purged += must2(r.v.Purge(ctx)).Objects
			default:
				switch rnd.IntN(6) {
				case 0:
					r.clock.Advance(tenYears)
				case 1:
					r.clock.Advance(-30 * time.Hour)
				}
				r.open()
			}
			if step%20 == 19 {
				where := fmt.Sprintf("seed %d, step %d", seed, step)
				r.check(where, r.place, ReadOptions{})
				r.check(where+", as pruned", r.place, ReadOptions{AsPruned: true})
				r.compareEarlier(where, rnd)
			}
		}
		packs += r.packs
	}
	if packs == 0 || purged == 0 || joined == 0 {
		t.Errorf("%d packs were pruned, %d objects purged, %d packs joined: the test tests nothing", packs, purged, joined)
	}
	t.Logf("%d packs were pruned, %d objects purged, %d packs joined", packs, purged, joined)
}

// compareEarlier restores as of a moment within the age, out of the vault as it will be later and out of its twin.
func (r *pruneRig) compareEarlier(where string, rnd *rand.Rand) {
	r.t.Helper()
	now := must2(r.v.Counted(ctx))
	var within []int
	for i := range r.named {
		if now-r.named[i] < r.age {
			within = append(within, i)
		}
	}
	if len(within) == 0 {
		return
	}
	at := r.stored[within[rnd.IntN(len(within))]]
	_, mine := bodies(r.t, r.recovery, r.place, ReadOptions{At: at, AsPruned: true})
	_, other := bodies(r.t, r.twin.recovery, r.twin.place, ReadOptions{At: at})
	if len(mine) != len(other) {
		r.t.Fatalf("%s: as of %s there are %d items, the twin has %d", where, at, len(mine), len(other))
	}
	for key, body := range other {
		if mine[key] != body {
			r.t.Fatalf("%s: as of %s %s has other octets than in the twin", where, at, key)
		}
	}
}
