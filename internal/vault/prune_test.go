package vault

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/place"
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

// TestSkippedAccountsAreNotPruned: of accounts in doubt, and of such as wait to be erased, nothing goes; of the others it does.
func TestSkippedAccountsAreNotPruned(t *testing.T) {
	r := newPruneRig(t, 3, 3)
	r.write(60)
	r.pack()
	r.days(14)
	must2(r.v.Let(ctx))
	o := r.options()
	o.Skip = func(id holdfast.ID) bool { return id == r.m.accounts[1] }
	dry := r.options()
	dry.Dry = true
	of := must2(r.v.Prune(ctx, nil, dry))
	rep := must2(r.v.Prune(ctx, r.w, o))
	if rep.Versions == 0 || rep.Versions >= of.Versions {
		t.Errorf("%d versions are counted without the account, %d with it", rep.Versions, of.Versions)
	}
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

// TestWhichPacksAreRipe: a pack that has just been named, or has a little to lose, stays as it is, and so does one as long as what it was pruned from is there; and a plan is good for the packs that it was made of.
func TestWhichPacksAreRipe(t *testing.T) {
	r := newPruneRig(t, 19, 3)
	r.opt.Keep = 5 * day
	r.open()
	r.write(60)
	r.days(12)
	r.pack()
	r.days(3)
	must2(r.v.Let(ctx))
	dry := r.options()
	dry.Dry = true
	if rep := must2(r.v.Prune(ctx, nil, dry)); rep.Early != 1 || len(rep.Packs) > 0 {
		t.Errorf("a pack of three days: %+v", rep)
	}
	r.days(3)
	few := dry
	few.Share = 100
	if rep := must2(r.v.Prune(ctx, nil, few)); rep.Few != 1 || len(rep.Packs) > 0 {
		t.Errorf("a pack of which not all may go, and all should: %+v", rep)
	}
	plan, err := r.v.PlanPruning(ctx, r.options())
	fine(t, err)
	first := plan.Report.Packs[0]
	if done := must2(r.v.PrunePack(ctx, r.w, plan, first.Old)); done.New == "" || done.Versions == 0 {
		t.Fatalf("%+v", done)
	}
	if done := must2(r.v.PrunePack(ctx, r.w, plan, first.Old)); done.New != "" {
		t.Errorf("a pack that was replaced since the plan was written anew: %+v", done)
	}
	r.write(40)
	r.days(16)
	must2(r.v.Let(ctx))
	if rep := r.prune(); len(rep.Packs) > 0 {
		t.Errorf("a pack whose old one waits was written anew: %+v", rep)
	}
	r.drill("pass", r.m.accounts...)
	if n := must2(r.v.Purge(ctx)).Objects; n != 2 {
		t.Fatalf("%d objects went", n)
	}
	dry.Share = 1
	if rep := must2(r.v.Prune(ctx, nil, dry)); len(rep.Packs) == 0 {
		t.Errorf("and after it went: %+v", rep)
	}
}

// TestWhatWasGivenUpIsNotPruned: of a history that went another way, and was given up, nothing goes, though its seqs are those of old versions of the one that goes on.
func TestWhatWasGivenUpIsNotPruned(t *testing.T) {
	r := newPruneRig(t, 23, 2)
	r.write(6)
	base := len(r.m.batches)
	other := newMaker(23, 2) // the same, and then another
	for range base {
		other.batch(3)
	}
	if other.pos != r.m.pos {
		t.Fatal("the two do not begin alike")
	}
	other.r = rand.New(rand.NewPCG(99, 99))
	r.write(40)
	r.pack()
	r.adopt(other.pos, FromFork)
	r.m, r.named, r.stored = other, r.named[:base], r.stored[:base]
	r.write(40)
	r.pack()
	r.days(14)
	must2(r.v.Let(ctx))
	rep := r.prune()
	if len(rep.Packs) == 0 {
		t.Fatalf("%+v", rep)
	}
	reader, err := NewReader(ctx, []*Vault{r.v}, ReadOptions{Spool: t.TempDir(), AsPruned: true})
	fine(t, err)
	defer reader.Close()
	whole := 0
	fine(t, reader.Accounts(ctx, func(h *History) error {
		for _, c := range h.all {
			if c.shelf.claims || c.rank > 0 {
				continue
			}
			lines, err := c.shelf.open(ctx, &c.full)
			fine(t, err)
			for i := range lines {
				if whole++; lines[i].Pruned {
					t.Errorf("change %d of a history that was given up lacks octets", lines[i].Seq)
				}
			}
		}
		return nil
	}))
	if whole == 0 {
		t.Error("there is no history that was given up: the test tests nothing")
	}
}

// TestWhatIsReadBackIsCompared has a pack lack more, and less, than its plan says: no head names it.
func TestWhatIsReadBackIsCompared(t *testing.T) {
	r := newPruneRig(t, 29, 2)
	r.write(30)
	r.pack()
	r.days(14)
	must2(r.v.Let(ctx))
	plan, err := r.v.PlanPruning(ctx, r.options())
	fine(t, err)
	right := plan.packs[plan.Report.Packs[0].Old]
	write := func(p *plannedPack) PackRef {
		made := &packing{}
		fine(t, r.v.readPack(ctx, p.ref, func(m Member, sealed []byte) error {
			if seqs := p.may(m.Offset); len(seqs) > 0 {
				sealed = must2(r.v.pruneMember(ctx, m, sealed, seqs, &Pruning{}))
			}
			made.add(m, sealed)
			return nil
		}))
		return must2(r.v.putPack(ctx, made))
	}
	more := &plannedPack{ref: right.ref, seqs: map[int64][]byte{}}
	fine(t, r.v.readPack(ctx, right.ref, func(m Member, _ []byte) error {
		more.seqs[m.Offset] = bytes.Repeat([]byte{1}, int(m.To))
		return nil
	}))
	o := plan.o
	if _, err := r.v.comparePruned(ctx, right, write(right), nil, o); err != nil {
		t.Error(err)
	}
	if _, err := r.v.comparePruned(ctx, right, write(more), nil, o); err == nil {
		t.Error("nobody noticed that it lacks more")
	}
	if _, err := r.v.comparePruned(ctx, more, write(right), nil, o); err == nil {
		t.Error("nobody noticed that it lacks less")
	}
}

// TestAHistoryThatIsNotWholeHasNothingOld: where changes are missing nobody can tell what they replaced, or were.
func TestAHistoryThatIsNotWholeHasNothingOld(t *testing.T) {
	r := newPruneRig(t, 31, 1)
	for range 2 {
		r.write(20)
		r.pack()
	}
	r.days(14)
	must2(r.v.Let(ctx))
	aged := must2(r.v.AgedHeads(ctx, r.age, ""))
	r.rot(must2(r.v.Packs(ctx))[0].Name + packSuffix)
	reader, err := NewReader(ctx, []*Vault{r.v}, ReadOptions{Spool: t.TempDir()})
	fine(t, err)
	defer reader.Close()
	fine(t, reader.Accounts(ctx, func(h *History) error {
		if old, ok, err := h.Superseded(ctx, aged.Accounts[h.Account]); ok || len(old.Seqs) > 0 || err != nil {
			t.Errorf("%d versions, %v, %v", len(old.Seqs), ok, err)
		}
		return nil
	}))
}
