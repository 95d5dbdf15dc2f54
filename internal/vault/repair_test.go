package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/place/memory"
)

// The maker is the store: it knows everything that it made.
var _ Origin = (*maker)(nil)

func (m *maker) Accounts(_ context.Context, batch uint64, fn func(AccountHead) error) error {
	ends := m.changed(0, batch)
	for _, id := range slices.SortedFunc(maps.Keys(ends), holdfast.ID.Compare) {
		if err := fn(ends[id]); err != nil {
			return err
		}
	}
	return nil
}

func (m *maker) changed(after, upto uint64) map[holdfast.ID]AccountHead {
	ends := map[holdfast.ID]AccountHead{}
	for _, b := range m.batches {
		for i := range b.Changes {
			if c := &b.Changes[i]; b.Batch > after && b.Batch <= upto {
				ends[c.Account] = AccountHead{c.Account, c.Epoch, c.Seq, c.Chain}
			}
		}
	}
	return ends
}

func (m *maker) Chain(_ context.Context, account holdfast.ID, seq uint64) (hash holdfast.Hash, err error) {
	err = m.Changes(context.Background(), account, seq, seq, func(list []Loaded) error { hash = list[0].Chain; return nil })
	return hash, err
}

func (m *maker) Changes(_ context.Context, account holdfast.ID, from, to uint64, fn func([]Loaded) error) error {
	for _, b := range m.batches {
		for _, c := range b.Changes {
			if c.Account == account && c.Seq >= from && c.Seq <= to {
				if err := fn([]Loaded{{c, b.Batch, start}}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// ship goes on with a vault's writer from where the vault ends, as a relay does.
func (m *maker) ship(t testing.TB, v *Vault) *Writer {
	t.Helper()
	end, term, err := v.End(ctx)
	fine(t, err)
	w, err := v.Writer(ctx, term, end)
	fine(t, err)
	for _, b := range m.batches {
		if b.Batch > end.Batch {
			fine(t, w.Append(ctx, PackBatches([]*holdfast.Batch{b}, start)))
		}
	}
	fine(t, w.Head(ctx, HeadInput{Whole: true}))
	return w
}

// mend repairs a vault from outside: nobody has it open.
func mend(t testing.TB, r *rig, m *maker, p place.Place) (RepairReport, *Vault) {
	t.Helper()
	o := r.opt
	o.Place = p
	v, err := OpenDamaged(ctx, o, r.v.meta)
	fine(t, err)
	_, err = v.MendSpine(ctx, SpineOrigin{Store: m.store,
		Holds: func(_ context.Context, at holdfast.Position) (bool, error) {
			return at.Batch == 0 || at.Batch <= m.pos.Batch && m.batches[at.Batch-1].Hash == at.Hash, nil
		},
		Changed: func(_ context.Context, after, upto uint64) ([]AccountHead, error) {
			return slices.Collect(maps.Values(m.changed(after, upto))), nil
		}})
	fine(t, err)
	w := m.ship(t, v)
	defer w.Close()
	fine(t, v.PutService(ctx, "x"))
	rep, err := v.Repair(ctx, w, m, RepairOptions{Spool: t.TempDir()})
	fine(t, err)
	return rep, v
}

// clean fails unless a vault is undamaged, and rebuilds everything alone.
func clean(t testing.TB, where string, r *rig, m *maker, v *Vault) {
	t.Helper()
	damage, err := v.Survey(ctx)
	fine(t, err)
	for _, d := range damage {
		t.Errorf("%s: after the repair %s is still damaged: %s", where, d.Object, d.What)
	}
	if damage = must2(v.Rehash(ctx, m.pos.Batch)); len(damage) > 0 {
		t.Errorf("%s: after the repair, hashed again: %v", where, damage)
	}
	got, damage := readAll(t, r.recovery, ReadOptions{}, v.p)
	if n := same(t, where, got, m.truth(len(m.batches))); n != 0 || len(damage) > 0 {
		t.Errorf("%s: after the repair %d changes are missing; damage: %v", where, n, damage)
	}
	for _, g := range got {
		if len(g.losses) > 0 {
			t.Errorf("%s: after the repair there are losses: %v", where, g.losses)
		}
	}
}

// damages returns what may happen to an object.
func damages(rnd *rand.Rand, b []byte) map[string][]byte {
	i := rnd.IntN(len(b))
	bad := slices.Clone(b)
	bad[i] ^= 1 << rnd.IntN(8)
	return map[string][]byte{"removed": nil, "cut": b[:len(b)*2/3], "emptied": {}, fmt.Sprint("changed at ", i): bad}
}

// TestRepairEachObject damages each object of a small vault in each way, and repairs it, once from outside and once while its writer has it open.
func TestRepairEachObject(t *testing.T) {
	r, m, whole := damagedVault(t)
	fine(t, r.w.Close())
	rnd := rand.New(rand.NewPCG(2, 2))
	for _, name := range names(t, whole) {
		b := must2(place.ReadAll(ctx, whole, name, 1<<20))
		for how, bad := range damages(rnd, b) {
			if rnd.IntN(4) > 0 && (testing.Short() || how == "emptied") {
				continue // a sample
			}
			where := name + " " + how
			p := whole.Clone()
			p.Overwrite(name, bad)
			hashed(t, where, r, m, p, name)
			_, v := mend(t, r, m, p)
			clean(t, where, r, m, v)
			if !testing.Short() && rnd.IntN(3) == 0 {
				repairOpen(t, where+", while it is written to", r, m, whole.Clone(), name, bad)
			}
		}
	}
}

// hashed fails unless what is damaged is found by hashing alone, where reading all of it finds it.
func hashed(t testing.TB, where string, r *rig, m *maker, p *memory.Place, name string) {
	o := r.opt
	o.Place = p
	v, err := OpenDamaged(ctx, o, r.v.Meta())
	fine(t, err)
	_, deep := readAll(t, r.recovery, ReadOptions{}, p)
	found := must2(v.Rehash(ctx, m.pos.Batch))
	if deep = append(deep, must2(v.Survey(ctx))...); len(deep) > 0 != (len(found) > 0) {
		t.Errorf("%s: hashing finds %v, and reading all of it %v", where, found, deep)
	}
}

// repairOpen damages a vault that is open, whose keys are in memory.
func repairOpen(t testing.TB, where string, r *rig, m *maker, p *memory.Place, name string, bad []byte) {
	o := r.opt
	o.Place = p
	v := must2(Open(ctx, o))
	w := m.ship(t, v)
	for _, id := range m.accounts {
		must2(v.AccountKey(ctx, id))
	}
	p.Overwrite(name, bad)
	fine(t, v.PutService(ctx, "x"))
	_, err := v.Repair(ctx, w, m, RepairOptions{Spool: t.TempDir()})
	if err != nil && strings.HasPrefix(name, dirTerms) {
		return // the relay mends that from outside
	}
	fine(t, err)
	fine(t, w.Close())
	if strings.HasPrefix(name, dirTerms) {
		return
	}
	clean(t, where, r, m, v)
}

// TestRepairMany damages several objects at once.
func TestRepairMany(t *testing.T) {
	r, m, whole := damagedVault(t)
	fine(t, r.w.Close())
	rounds := 12
	if testing.Short() {
		rounds = 5
	}
	for seed := range uint64(rounds) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		p, all := whole.Clone(), names(t, whole)
		all = slices.DeleteFunc(all, func(name string) bool { return strings.HasPrefix(name, dirTerms) }) // without any term nobody knows whose it is
		where := fmt.Sprint("seed ", seed, ":")
		for range 2 + rnd.IntN(4) {
			name := all[rnd.IntN(len(all))]
			for how, bad := range damages(rnd, must2(place.ReadAll(ctx, whole, name, 1<<20))) {
				where += " " + name + " " + how
				p.Overwrite(name, bad)
				break
			}
		}
		_, v := mend(t, r, m, p)
		clean(t, where, r, m, v)
		rep, _ := mend(t, r, m, p) // a second one finds nothing
		if len(rep.Damaged) > 0 || rep.Changes > 0 {
			t.Errorf("%s: the second repair does something again: %v", where, rep)
		}
	}
}

// TestARepairDoesNotTakeTheRightToWrite leaves a vault alone that another store writes into, and one that has what the store lacks.
func TestARepairDoesNotTakeTheRightToWrite(t *testing.T) {
	r, m, whole := damagedVault(t)
	fine(t, r.w.Close())
	p := whole.Clone()
	o := r.opt
	o.Place = p
	v := must2(Open(ctx, o))
	must2(v.Adopt(ctx, holdfast.ID{0xee}, holdfast.Position{}, FromNothing))
	p.Overwrite(HeadName(2), []byte("x"))
	origin := SpineOrigin{Store: m.store, Holds: func(context.Context, holdfast.Position) (bool, error) { return false, nil }}
	if _, err := v.MendSpine(ctx, origin); !holdfast.IsKind(err, holdfast.Fenced) {
		t.Errorf("another store's vault: %v", err)
	}
	p = whole.Clone()
	p.Overwrite(TermName(1), []byte("x"))
	o.Place = p
	if _, err := must2(Open(ctx, o)).MendSpine(ctx, origin); !holdfast.IsKind(err, holdfast.PreconditionFailed) {
		t.Errorf("a vault with more than the store has: %v", err)
	}
	if terms := names(t, p); slices.Contains(terms, TermName(2)) {
		t.Error("a term was made all the same")
	}
}

// TestTheDamagedGoesLater keeps what was replaced for a while, and then lets go of it.
func TestTheDamagedGoesLater(t *testing.T) {
	r, m, whole := damagedVault(t)
	fine(t, r.w.Close())
	p := whole.Clone()
	bad := []string{dirPages + number(1) + packSuffix, HeadName(1), SegmentName(1, 4)}
	for _, name := range bad {
		b := must2(place.ReadAll(ctx, p, name, 1<<20))
		b[len(b)/2] ^= 1
		p.Overwrite(name, b)
	}
	_, v := mend(t, r, m, p)
	clean(t, "first", r, m, v)
	there := func() (n int) {
		for _, name := range names(t, p) {
			if slices.Contains(bad, name) {
				n++
			}
		}
		return n
	}
	must2(v.Let(ctx))
	if there() != len(bad) {
		t.Fatal("what was replaced went at once")
	}
	w := m.ship(t, v)
	for range 20 {
		r.clock.Advance(MaxStep)
		fine(t, w.Head(ctx, HeadInput{Whole: true}))
	}
	must2(v.Let(ctx))
	if there() != 0 {
		t.Fatal("what was replaced stays for ever", names(t, p))
	}
	fine(t, w.Close())
	clean(t, "after letting go", r, m, v)
}

// TestARepairThatIsCut cuts a repair at each of its changes, and runs it again.
func TestARepairThatIsCut(t *testing.T) {
	r, m, whole := damagedVault(t)
	fine(t, r.w.Close())
	bad := whole.Clone()
	for _, name := range []string{dirPages + number(1) + packSuffix, SegmentName(1, 4), SegmentKeyName(1, 3), AccountKeyName(m.accounts[0], 1), HeadName(1), nameReadMe} {
		b := must2(place.ReadAll(ctx, bad, name, 1<<20))
		b[len(b)/2] ^= 1
		bad.Overwrite(name, b)
	}
	missing := func(p place.Place) int {
		got, _ := readAll(t, r.recovery, ReadOptions{}, p)
		return same(t, "cut", got, m.truth(len(m.batches)))
	}
	cuts, before := 0, missing(bad)
	for n := 0; ; n++ {
		p := bad.Clone()
		o := r.opt
		o.Place = &cutPlace{Place: p, left: n, done: n%2 == 0}
		v := must2(Open(ctx, o))
		end, term, err := v.End(ctx)
		fine(t, err)
		w, err := v.Writer(ctx, term, end)
		fine(t, err)
		_, err = v.Repair(ctx, w, m, RepairOptions{Spool: t.TempDir()})
		fine(t, w.Close())
		if now := missing(p); now > before {
			t.Errorf("cut at %d: %d changes cannot be read, and %d could not before", n, now, before)
		}
		_, after := mend(t, r, m, p)
		clean(t, fmt.Sprint("cut at ", n), r, m, after)
		if err == nil {
			break
		}
		if cuts++; !errors.Is(err, errCut) {
			t.Fatal(err)
		}
	}
	if cuts < 8 {
		t.Errorf("only %d cuts", cuts)
	}
}
