package vault

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/fault"
	"holdfast/internal/place"
	"holdfast/internal/place/memory"
	"holdfast/internal/seal"
)

const day = 24 * time.Hour

// pruneRig is a vault whose waits are short, and what its model knows.
type pruneRig struct {
	*rig
	m      *maker
	age    time.Duration
	named  []time.Duration // by batch: the counted time of the head that named it first
	stored []time.Time     // by batch
	twin   *rig            // of the same store, and never pruned
	packs  int             // that were pruned
}

func newPruneRig(t testing.TB, seed uint64, accounts int) *pruneRig {
	r := &pruneRig{rig: newRig(t, nil), m: newMaker(seed, accounts), age: 10 * day}
	r.opt.KeepTail, r.opt.Keep, r.opt.KeepPruned = 2*day, day, 5*day
	r.open()
	return r
}

// write ships batches and has a head name them.
func (r *pruneRig) write(n int) {
	r.t.Helper()
	var list []*holdfast.Batch
	for range n {
		list = append(list, r.m.batch(3))
		r.stored = append(r.stored, r.clock.Now())
	}
	r.ship(list...)
	if r.twin != nil {
		r.twin.ship(list...)
	}
	fine(r.t, r.w.Head(ctx, HeadInput{Whole: true}))
	counted := must2(r.v.Counted(ctx))
	for len(r.named) < len(r.m.batches) {
		r.named = append(r.named, counted)
	}
}

// pack closes the tail and makes a pack of it.
func (r *pruneRig) pack() {
	r.t.Helper()
	r.w.Roll()
	must2(r.v.Seal(ctx, r.w))
}

func (r *pruneRig) days(n int) {
	r.t.Helper()
	for range n {
		r.clock.Advance(day)
		r.write(1)
	}
}

func (r *pruneRig) options() PruneOptions {
	return PruneOptions{Age: r.age, Spool: r.t.TempDir()}
}

func (r *pruneRig) prune() PruneReport {
	r.t.Helper()
	rep, err := r.v.Prune(ctx, r.w, r.options())
	fine(r.t, err)
	r.packs += len(rep.Packs)
	return rep
}

// drill records that a drill began now and ended so.
func (r *pruneRig) drill(result string, accounts ...holdfast.ID) {
	r.t.Helper()
	h := must2(r.v.LastHead(ctx))
	fine(r.t, r.w.Head(ctx, HeadInput{Drills: []DrillRef{{Drill: "d", Vault: "local", Result: result, Of: h.Vault, Head: h.Number, Accounts: accounts}}}))
}

// bodies reads a vault: the octets of each version, nil where they were let go of; and those that are live in the end.
func bodies(t testing.TB, recovery *seal.Recovery, p place.Place, o ReadOptions) (all map[holdfast.ID]map[uint64][]byte, live map[string]string) {
	t.Helper()
	v := must2(Open(ctx, Options{Place: p, With: []*seal.Identity{recovery.Identity}}))
	o.Spool, o.Trust = t.TempDir(), recovery
	r, err := NewReader(ctx, []*Vault{v}, o)
	fine(t, err)
	defer r.Close()
	all, live = map[holdfast.ID]map[uint64][]byte{}, map[string]string{}
	fine(t, r.Accounts(ctx, func(h *History) error {
		mine := map[uint64][]byte{}
		all[h.Account] = mine
		err := h.Changes(ctx, func(list []Loaded) error {
			for i := range list {
				c := &list[i]
				key := fmt.Sprint(c.Account, c.Collection, c.Name)
				if delete(live, key); c.Op != holdfast.OpPut {
					continue
				}
				if live[key] = string(c.Body); c.Pruned {
					live[key] = "pruned"
				}
				if mine[c.Seq] = c.Body; !c.Pruned && holdfast.HashOf(c.Body) != c.ETag {
					t.Fatalf("the octets of %d are others", c.Seq)
				}
			}
			return nil
		})
		if len(h.Losses()) > 0 {
			t.Fatalf("%+v", h.Losses())
		}
		return err
	}))
	if len(r.Damage()) > 0 {
		t.Fatalf("%+v", r.Damage())
	}
	return all, live
}

// check compares a vault with the model: every version is there, and with its octets unless a head has named for the age what replaced it. It returns how many were let go of.
func (r *pruneRig) check(where string, p place.Place, o ReadOptions) (gone int) {
	r.t.Helper()
	all, _ := bodies(r.t, r.recovery, p, o)
	now := must2(must2(Open(ctx, Options{Place: p})).Counted(ctx))
	by := map[string]*holdfast.Change{}
	check := func(c *holdfast.Change, may bool) {
		body, there := all[c.Account][c.Seq]
		switch {
		case !there:
			r.t.Fatalf("%s: version %d of %v is not there", where, c.Seq, c.Account)
		case body == nil && !may:
			r.t.Fatalf("%s: the octets of version %d of %v were let go of, and were needed", where, c.Seq, c.Account)
		case body == nil:
			gone++
		case !bytes.Equal(body, c.Body):
			r.t.Fatalf("%s: version %d of %v has other octets", where, c.Seq, c.Account)
		}
	}
	for i, b := range r.m.batches[:len(r.named)] {
		for j := range b.Changes {
			c := &b.Changes[j]
			key := fmt.Sprint(c.Account, c.Collection, c.Name)
			if was := by[key]; was != nil {
				check(was, now-r.named[i] >= r.age)
			}
			if delete(by, key); c.Op == holdfast.OpPut {
				by[key] = c
			}
		}
	}
	for _, c := range by {
		check(c, false)
	}
	return gone
}

// TestPruneAndPurge goes the whole way once: what is old goes in two steps, and the first of them leaves all of it there.
func TestPruneAndPurge(t *testing.T) {
	r := newPruneRig(t, 3, 2)
	for range 6 {
		r.clock.Advance(day)
		r.write(12)
	}
	r.pack()
	r.days(3)
	if rep := r.prune(); len(rep.Packs) != 0 || rep.Versions != 0 {
		t.Fatalf("nothing is old: %+v", rep)
	}
	r.days(11)
	count := r.options()
	count.Dry = true
	if rep := must2(r.v.Prune(ctx, nil, count)); len(rep.Packs) != 0 || rep.Early != 1 || rep.Versions == 0 || len(r.prune().Packs) != 0 {
		t.Fatalf("its segments are there yet: %+v", rep)
	}
	must2(r.v.Let(ctx))
	dry := must2(r.v.Prune(ctx, nil, count))
	rep := r.prune()
	if len(rep.Packs) != 1 || rep.Versions == 0 || len(dry.Packs) != 1 || dry.Packs[0].Pruning != rep.Packs[0].Pruning || dry.Versions != rep.Versions {
		t.Fatalf("%+v, and said before %+v", rep, dry)
	}
	if n := r.check("pruned", r.place, ReadOptions{}); n != 0 {
		t.Errorf("%d versions lack octets while the old pack is there", n)
	}
	if n := r.check("as pruned", r.place, ReadOptions{AsPruned: true}); int64(n) != rep.Packs[0].Versions {
		t.Errorf("%d versions were let go of, said were %d", n, rep.Packs[0].Versions)
	}
	if again := r.prune(); len(again.Packs) != 0 {
		t.Errorf("and again: %+v", again)
	}
	small := must2(r.place.Stat(ctx, rep.Packs[0].New+packSuffix)).Size
	if large := must2(r.place.Stat(ctx, rep.Packs[0].Old+packSuffix)).Size; small >= large {
		t.Errorf("%d octets became %d", large, small)
	}
	r.drill("pass", r.m.accounts...)
	r.days(4)
	if n := must2(r.v.Purge(ctx)).Objects; n != 0 {
		t.Errorf("%d objects went before their time", n)
	}
	r.days(1)
	if must2(r.v.Let(ctx)); len(must2(r.v.Waiting(ctx))) != 1 {
		t.Error("what waits to be purged went with the rest")
	}
	if n := must2(r.v.Purge(ctx)).Objects; n != 2 {
		t.Errorf("%d objects went", n)
	}
	if n := r.check("purged", r.place, ReadOptions{}); int64(n) != rep.Packs[0].Versions {
		t.Errorf("%d versions were let go of", n)
	}
	if w := must2(r.v.Waiting(ctx)); len(w) != 0 {
		t.Errorf("%+v", w)
	}
}

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

// TestSkippedAccountsAreNotPruned: of accounts in doubt, and of such as wait to be erased, nothing goes; of the others it does.
func TestSkippedAccountsAreNotPruned(t *testing.T) {
	r := newPruneRig(t, 3, 3)
	r.write(60)
	r.pack()
	r.days(14)
	must2(r.v.Let(ctx))
	o := r.options()
	o.Skip = func(id holdfast.ID) bool { return id == r.m.accounts[1] }
	rep := must2(r.v.Prune(ctx, r.w, o))
	all, _ := bodies(t, r.recovery, r.place, ReadOptions{AsPruned: true})
	gone := map[holdfast.ID]int{}
	for id, versions := range all {
		for _, body := range versions {
			if body == nil {
				gone[id]++
			}
		}
	}
	if len(rep.Packs) != 1 || gone[r.m.accounts[0]] == 0 || gone[r.m.accounts[1]] != 0 || gone[r.m.accounts[2]] == 0 {
		t.Errorf("%+v, %v", rep, gone)
	}
}

// TestADamagedVaultIsNotPruned: where anything cannot be read nothing is written anew.
func TestADamagedVaultIsNotPruned(t *testing.T) {
	r := newPruneRig(t, 3, 2)
	r.write(40)
	r.pack()
	r.write(40)
	r.pack()
	r.days(14)
	must2(r.v.Let(ctx))
	before := len(names(t, r.place))
	r.rot(must2(r.v.Packs(ctx))[0].Name + packSuffix)
	rep, err := r.v.Prune(ctx, r.w, r.options())
	if err == nil && len(rep.Damage) == 0 || len(rep.Packs) > 0 || len(names(t, r.place)) != before {
		t.Errorf("%+v, %v", rep, err)
	}
}

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
			if left := must2(r.v.Survey(ctx)); len(left) > 0 {
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
