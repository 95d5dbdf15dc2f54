package vault

import (
	"slices"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/place/memory"
)

// TestWhatIsWithinADamagedMember asks for what a damaged pack held a part of: up to a moment, and up to where a store went another way. No head names just that, and it is said all the same that it is missing.
func TestWhatIsWithinADamagedMember(t *testing.T) {
	seal := func(r *rig) {
		r.w.Roll()
		must2(r.v.Seal(ctx, r.w))
	}
	sealed := func(r *rig) *memory.Place { // the packs alone are left, and the second is damaged
		seal(r)
		p := r.place.(*memory.Place)
		for _, name := range names(t, p) {
			if n := ParseName(name); n.Class == Segment || n.Class == SegmentKey {
				fine(t, p.Remove(ctx, name))
			}
		}
		name := dirPages + number(2) + packSuffix
		b := must2(place.ReadAll(ctx, p, name, 1<<20))
		for i := range b {
			b[i] ^= 1
		}
		p.Overwrite(name, b)
		return p
	}
	t.Run("a moment", func(t *testing.T) {
		r, m := newRig(t, nil), newMaker(9, 2)
		for i := range 20 {
			r.clock.Advance(time.Minute)
			if r.ship(m.batch(2)); i == 4 {
				seal(r)
			}
		}
		moment := r.clock.Now().Add(-10 * time.Minute)
		p := sealed(r)
		got, _ := readAll(t, r.recovery, ReadOptions{At: moment}, p)
		told(t, got, m, 10)
	})
	t.Run("a moment before the head", func(t *testing.T) {
		r, m := newRig(t, nil), newMaker(9, 2)
		r.ship(m.batch(2), m.batch(2), m.batch(2))
		seal(r)
		r.clock.Advance(time.Hour)
		r.ship(m.batch(2), m.batch(2))
		moment := r.clock.Now()
		r.clock.Advance(time.Minute)
		p := sealed(r)
		got, _ := readAll(t, r.recovery, ReadOptions{At: moment}, p)
		told(t, got, m, 5)
	})
	t.Run("a fork", func(t *testing.T) {
		r := newRig(t, nil)
		a, b := twoMakers(10)
		r.ship(a.batches[:4]...)
		seal(r)
		r.ship(a.batches[4:]...)
		for range 10 {
			r.ship(a.batch(2))
		}
		p := sealed(r)
		r.adopt(b.pos, FromFork)
		got, _ := readAll(t, r.recovery, ReadOptions{}, p)
		told(t, got, b, 10)
	})
}

// told tells whether what is missing up to a batch is among the losses.
func told(t *testing.T, got map[holdfast.ID]*restored, m *maker, upto int) {
	t.Helper()
	for id, truth := range m.truth(upto) {
		x := got[id]
		if x == nil {
			t.Errorf("%v: nobody knows of it", id)
			continue
		}
		for seq := range truth {
			if _, ok := x.seqs[seq]; !ok && !slices.ContainsFunc(x.losses, func(l Loss) bool { return l.From <= seq && seq <= l.To }) {
				t.Errorf("%v: change %d is missing, and nobody says so: %+v", id, seq, x.losses)
				break
			}
		}
	}
}
