package vault

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/place/memory"
)

// ready returns a vault one of whose packs was pruned, is proven, and has waited long enough.
func ready(t testing.TB, seed uint64) (*pruneRig, PrunedPack) {
	r := newPruneRig(t, seed, 3)
	for range 6 {
		r.clock.Advance(day)
		r.write(12)
	}
	r.pack()
	r.days(14)
	must2(r.v.Let(ctx))
	rep := r.prune()
	if len(rep.Packs) != 1 {
		t.Fatalf("%+v", rep)
	}
	return r, rep.Packs[0]
}

// TestWhatKeepsAPruning breaks each condition of the second step alone: nothing goes, and it is said why. With all of them it goes. A server without a key judges alike.
func TestWhatKeepsAPruning(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*pruneRig, PrunedPack)
		goes bool
	}{
		"all is well": {func(r *pruneRig, _ PrunedPack) { r.drill("pass", r.m.accounts...); r.days(5) }, true},
		"time":        {func(r *pruneRig, _ PrunedPack) { r.drill("pass", r.m.accounts...); r.days(4) }, false},
		"a clock ten years ahead": {func(r *pruneRig, _ PrunedPack) {
			r.drill("pass", r.m.accounts...)
			r.clock.Advance(tenYears)
			r.write(1)
			r.open()
			r.clock.Advance(tenYears)
			r.write(1)
		}, false},
		"no drill":    {func(r *pruneRig, _ PrunedPack) { r.days(6) }, false},
		"one account": {func(r *pruneRig, _ PrunedPack) { r.drill("pass", r.m.accounts[:2]...); r.days(6) }, false},
		"by parts": {func(r *pruneRig, _ PrunedPack) {
			r.drill("pass", r.m.accounts[:2]...)
			r.days(6)
			r.drill("pass", r.m.accounts[2])
		}, true},
		"a failed drill":           {func(r *pruneRig, _ PrunedPack) { r.drill("fail", r.m.accounts...); r.days(6) }, false},
		"an inconclusive drill":    {func(r *pruneRig, _ PrunedPack) { r.drill("inconclusive", r.m.accounts...); r.days(6) }, false},
		"a drill that failed then": {func(r *pruneRig, _ PrunedPack) { r.drill("pass", r.m.accounts...); r.days(6); r.drill("fail") }, false},
		"a drill from before": {func(r *pruneRig, x PrunedPack) {
			before := uint64(0)
			fine(r.t, r.v.Heads(ctx, 0, func(_ string, h Head, _ holdfast.Hash, err error) error {
				if slices.ContainsFunc(h.Packs, func(p PackRef) bool { return p.Name == x.New }) {
					before = h.Number - 1
				}
				return err
			}))
			fine(r.t, r.w.Head(ctx, HeadInput{Drills: []DrillRef{{Drill: "d", Result: "pass", Of: must2(r.v.LastHead(ctx)).Vault, Head: before, Accounts: r.m.accounts}}}))
			r.days(6)
		}, false},
		"a drill from the future": {func(r *pruneRig, _ PrunedPack) {
			fine(r.t, r.w.Head(ctx, HeadInput{Drills: []DrillRef{{Drill: "d", Result: "pass", Of: must2(r.v.LastHead(ctx)).Vault, Head: 1 << 40, Accounts: r.m.accounts}}}))
			r.days(6)
		}, false},
		"a drill of another vault": {func(r *pruneRig, _ PrunedPack) {
			fine(r.t, r.w.Head(ctx, HeadInput{Drills: []DrillRef{{Drill: "d", Vault: "local", Result: "pass", Of: holdfast.ID{9}, Head: must2(r.v.LastHead(ctx)).Number, Accounts: r.m.accounts}}}))
			r.days(6)
		}, false},
		"the new pack is damaged": {func(r *pruneRig, x PrunedPack) {
			r.drill("pass", r.m.accounts...)
			r.days(6)
			r.rot(x.New + packSuffix)
		}, false},
		"its index is damaged": {func(r *pruneRig, x PrunedPack) {
			r.drill("pass", r.m.accounts...)
			r.days(6)
			r.rot(x.New + indexSuffix)
		}, false},
		"the old index is damaged": {func(r *pruneRig, x PrunedPack) {
			r.drill("pass", r.m.accounts...)
			r.days(6)
			r.rot(x.Old + indexSuffix)
		}, false},
		"a head that cannot be read": {func(r *pruneRig, x PrunedPack) {
			r.drill("pass", r.m.accounts...)
			r.days(6)
			n := must2(r.v.LastHead(ctx)).Number - 2
			r.rot(HeadName(n))
			fine(r.t, r.w.Head(ctx, HeadInput{Released: []string{HeadName(n)}}))
		}, false},
		"a pack that lacks a member": {func(r *pruneRig, x PrunedPack) {
			made := &packing{}
			var ref PackRef
			for _, p := range must2(r.v.Packs(ctx)) {
				if p.Name == x.New {
					ref = p
				}
			}
			first := true
			fine(r.t, r.v.readPack(ctx, ref, func(m Member, sealed []byte) error {
				if !first {
					made.add(m, sealed)
				}
				first = false
				return nil
			}))
			lacks := must2(r.v.putPack(ctx, made))
			lacks.Replaces, lacks.Pruned = []string{x.New}, &Pruning{1, 1}
			fine(r.t, r.w.Head(ctx, HeadInput{Packs: []PackRef{lacks}}))
			r.drill("pass", r.m.accounts...)
			r.days(6)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r, x := ready(t, 11)
			c.do(r, x)
			before := names(t, r.place)
			r.open()
			outside := must2(Open(ctx, Options{Place: r.place, KeepTail: r.opt.KeepTail, Keep: r.opt.Keep, KeepPruned: r.opt.KeepPruned}))
			due, _ := outside.Due(ctx)
			if slices.Contains(due, x.Old+packSuffix) != c.goes {
				t.Errorf("a server lets %q go", due)
			}
			w, err := r.v.Waiting(ctx)
			fine(t, err)
			if _, err := r.v.Purge(ctx); err != nil {
				t.Error(err)
			}
			gone := len(before) - len(names(t, r.place))
			i := slices.IndexFunc(w, func(w Waiting) bool { return w.Pack == x.Old })
			if (gone > 0) != c.goes || i < 0 || (len(w[i].Why) == 0) != c.goes {
				t.Errorf("%d objects went; %+v", gone, w)
			}
		})
	}
}

// rot damages an object.
func (r *pruneRig) rot(name string) {
	r.t.Helper()
	flip(r.place.(*memory.Place), name)
}

// TestAJoinedPackWaitsAsWell joins packs that were pruned: what was pruned waits as long, and is proven as before, though what has its place is another pack now and the one in between is gone.
func TestAJoinedPackWaitsAsWell(t *testing.T) {
	r := newPruneRig(t, 5, 3)
	for range packsOfATier {
		r.clock.Advance(time.Hour)
		r.write(12)
		r.pack()
		if len(must2(r.v.Packs(ctx))) == packsOfATier-1 {
			break
		}
	}
	r.days(16)
	must2(r.v.Let(ctx))
	rep := r.prune()
	if len(rep.Packs) < 2 {
		t.Fatalf("%+v", rep)
	}
	r.pack()
	if joined := must2(r.v.Compact(ctx, r.w)); joined.Packs != packsOfATier {
		t.Fatalf("%+v", joined)
	}
	r.days(3)
	must2(r.v.Let(ctx))
	for _, x := range rep.Packs {
		if ok := must2(r.v.isThere(ctx, x.New+packSuffix)); ok {
			t.Error("what was joined is there after its time")
		}
		if ok := must2(r.v.isThere(ctx, x.Old+packSuffix)); !ok {
			t.Fatal("what was pruned went with what was joined")
		}
	}
	if n := r.check("joined", r.place, ReadOptions{}); n != 0 {
		t.Errorf("%d versions lack octets that are there yet", n)
	}
	gone := r.check("joined, as pruned", r.place, ReadOptions{AsPruned: true})
	if gone == 0 {
		t.Error("nothing was let go of")
	}
	r.days(3)
	if n := must2(r.v.Purge(ctx)).Objects; n != 0 {
		t.Errorf("%d objects went without a drill", n)
	}
	r.drill("pass", r.m.accounts...)
	if n := must2(r.v.Purge(ctx)).Objects; n != 2*len(rep.Packs) {
		t.Errorf("%d objects went", n)
	}
	if n := r.check("purged", r.place, ReadOptions{}); n != gone {
		t.Errorf("%d versions lack octets, and %d did before", n, gone)
	}
}

// TestAWrongPruningIsNotProven has a pack lack the octets of a version that is live, as a mistake in the rule would. While the old pack is there a restore has all of it; read as it will be later, as drills read, the octets are missing.
func TestAWrongPruningIsNotProven(t *testing.T) {
	r := newPruneRig(t, 7, 2)
	r.write(12)
	r.pack()
	r.days(4)
	must2(r.v.Let(ctx))
	p := must2(r.v.Packs(ctx))[0]
	wrong := &plannedPack{ref: p, seqs: map[int64][]byte{}}
	_, before := bodies(t, r.recovery, r.place, ReadOptions{})
	fine(t, r.v.readPack(ctx, p, func(m Member, _ []byte) error {
		for range m.To - m.From + 1 {
			wrong.seqs[m.Offset] = append(wrong.seqs[m.Offset], 1)
		}
		return nil
	}))
	if _, err := r.v.prunePack(ctx, r.w, wrong, r.options().withDefaults(r.v)); err != nil {
		t.Fatal(err)
	}
	_, after := bodies(t, r.recovery, r.place, ReadOptions{})
	if len(before) != len(after) {
		t.Fatal("items are missing")
	}
	for key, body := range before {
		if after[key] != body {
			t.Errorf("%s is not restored", key)
		}
	}
	missing := 0
	_, later := bodies(t, r.recovery, r.place, ReadOptions{AsPruned: true})
	for _, body := range later {
		if body == "pruned" {
			missing++
		}
	}
	if missing == 0 {
		t.Error("a drill would not see that live octets are missing")
	}
}

// TestADrillOfAnotherVaultProvesNothing: a head may say what it likes of another vault; of its own, only what a drill can have seen.
func TestADrillOfAnotherVaultProvesNothing(t *testing.T) {
	l := &ledger{proven: map[holdfast.ID]uint64{}}
	a, own, other := holdfast.ID{1}, holdfast.ID{2}, holdfast.ID{3}
	say := func(d DrillRef) int {
		d.Accounts = []holdfast.ID{a}
		l.prove(&Head{Number: 10, Vault: own, Drills: []DrillRef{d}})
		return len(l.proven)
	}
	for _, d := range []DrillRef{{Of: other, Result: "pass", Head: 9}, {Result: "pass", Head: 9}, {Of: own, Result: "running", Head: 9}, {Of: own, Result: "pass", Head: 10}} {
		if say(d) != 0 {
			t.Errorf("%+v proves something", d)
		}
	}
	if say(DrillRef{Of: own, Result: "pass", Head: 9}) != 1 || say(DrillRef{Of: own, Result: "pass", Head: 4}) != 1 || l.proven[a] != 9 {
		t.Errorf("%v", l.proven)
	}
	if say(DrillRef{Of: other, Result: "fail", Head: 9}) != 1 || say(DrillRef{Of: own, Result: "fail", Head: 9}) != 0 {
		t.Errorf("%v", l.proven)
	}
}

// nothing is an origin that knows nothing.
type nothing struct{}

func (nothing) Accounts(context.Context, uint64, func(AccountHead) error) error { return nil }
func (nothing) Chain(context.Context, holdfast.ID, uint64) (holdfast.Hash, error) {
	return holdfast.Hash{}, fail("Chain", holdfast.NotFound, "", "nothing is known", nil)
}
func (nothing) Changes(context.Context, holdfast.ID, uint64, uint64, func([]Loaded) error) error {
	return nil
}

// TestWhatWasPrunedMendsWhatTookItsPlace damages a pruned pack, in a member and all of it: while the old one is there a repair writes it again out of that, though nobody else has anything.
func TestWhatWasPrunedMendsWhatTookItsPlace(t *testing.T) {
	for name, rot := range map[string]func(*memory.Place, PrunedPack){
		"a member":  func(p *memory.Place, x PrunedPack) { flip(p, x.New+packSuffix) },
		"the index": func(p *memory.Place, x PrunedPack) { flip(p, x.New+indexSuffix) },
		"all of it": func(p *memory.Place, x PrunedPack) { p.Overwrite(x.New+packSuffix, []byte("rot")) },
	} {
		t.Run(name, func(t *testing.T) {
			r, x := ready(t, 17)
			rot(r.place.(*memory.Place), x)
			if _, err := r.v.Repair(ctx, r.w, nothing{}, RepairOptions{Spool: t.TempDir()}); err != nil {
				t.Fatal(err)
			}
			r.open()
			if left := append(must2(r.v.Survey(ctx)), must2(r.v.Rehash(ctx, 0))...); len(left) > 0 {
				t.Errorf("%+v", left)
			}
			r.check("repaired", r.place, ReadOptions{})
			r.check("repaired, as pruned", r.place, ReadOptions{AsPruned: true})
		})
	}
}

// flip changes an octet of an object.
func flip(p *memory.Place, name string) {
	b := bytes.Clone(must2(place.ReadAll(ctx, p, name, 1<<20)))
	b[len(b)/2] ^= 1
	p.Overwrite(name, b)
}
