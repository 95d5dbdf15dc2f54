package vault

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/place/dir"
	"holdfast/internal/place/memory"
	"holdfast/internal/vfs/crashfs"
)

// onDisk returns a simulated disk with the objects of a place, all durable.
func onDisk(t testing.TB, p place.Place) *crashfs.Disk {
	t.Helper()
	disk := crashfs.New(crashfs.Options{})
	d, err := dir.Open(disk.FS(), "/vault", dir.Options{Create: true})
	fine(t, err)
	defer d.Close()
	for _, name := range names(t, p) {
		b := must2(place.ReadAll(ctx, p, name, 1<<24))
		if strings.HasSuffix(name, place.Grows) {
			fine(t, d.Append(ctx, name, 0, b))
		} else {
			fine(t, d.Put(ctx, name, strings.NewReader(string(b))))
		}
	}
	disk.Settle()
	return disk
}

// TestPowerCuts pulls the plug on a vault in a directory, at moments all over its story: shipping, heads, sealing, joining, letting go, erasing. What was acknowledged can be read at once, with the recovery key alone. Then the
// story is gone on with, and ends as if nothing had been: nothing is called damaged that a power cut has left.
func TestPowerCuts(t *testing.T) {
	s := begin(t)
	for range 4 {
		s.m.batch(9)
	}
	base := onDisk(t, s.r.place)
	on := func(disk *crashfs.Disk) *story {
		d, err := dir.Open(disk.FS(), "/vault", dir.Options{Clock: s.r.clock, Preallocate: 8 << 10})
		fine(t, err)
		return s.on(d)
	}
	rounds := uint64(80)
	if testing.Short() {
		rounds = 8
	}
	calls := base.Clone()
	fine(t, on(calls).run(s.m.batches))
	total := calls.Stats().Ops
	torn := 0
	for seed := range rounds {
		rnd := rand.New(rand.NewPCG(seed, 2026))
		disk := base.Clone()
		n := 1 + rnd.IntN(total)
		if seed%4 != 0 {
			n = 8 + rnd.IntN(30) // among the appends
		}
		if seed == 34 {
			n = 24 // the first frame of a segment is torn, and its line with it
		}
		where := fmt.Sprintf("seed %d, a power cut at call %d of %d", seed, n, total)
		disk.CutAfter(n)
		cut := on(disk)
		_ = cut.run(s.m.batches)
		disk.PowerCut(rnd)
		after := on(disk)
		after.acked = cut.acked
		v, err := Open(ctx, after.r.opt)
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		end, _, err := v.End(ctx)
		if err != nil || end.Batch < uint64(cut.acked) || end.Hash != s.m.batches[end.Batch-1].Hash {
			t.Fatalf("%s: the vault ends at %d, %d were acknowledged, %v", where, end.Batch, cut.acked, err)
		}
		if left, err := v.Torn(ctx); err != nil || left > uint64(len(s.m.batches)) {
			t.Fatalf("%s: %d is torn, %v", where, left, err)
		} else if left > 0 {
			torn++
			after.checkAcked(where, after.r.place)
		} else {
			after.check(where, after.r.place, false)
		}
		if err := after.run(s.m.batches); err != nil {
			t.Fatalf("%s, gone on with: %v", where, err)
		}
		after.check(where+", gone on with", after.r.place, true)
	}
	t.Logf("%d power cuts at one of %d calls; a frame was torn %d times", rounds, total, torn)
	if torn == 0 && !testing.Short() {
		t.Error("no frame was ever torn, so nothing was shown of that")
	}
}

// holed is a vault of frames that are longer than a disk's sectors, the last of which a power cut has left with a hole: its line is there, its end is there, and between them are zeros.
func holed(t *testing.T) (*rig, *maker, *memory.Place) {
	r, m := newRig(t, nil), newMaker(5, 4)
	for range 12 {
		r.ship(m.batch(6))
	}
	p := r.place.(*memory.Place)
	name := SegmentName(1, 1)
	b := slices.Clone(must2(place.ReadAll(ctx, p, name, 1<<20)))
	clear(b[len(b)-600 : len(b)-300])
	p.Overwrite(name, b)
	fine(t, r.w.Close())
	r.w = nil
	return r, m, p
}

// TestAFrameWithAHole: what is torn does not count as durable; its batches are written again, and from then on nothing is damaged: not for who replays, not for who seals, not for who reads.
func TestAFrameWithAHole(t *testing.T) {
	r, m, p := holed(t)
	last := m.batches[len(m.batches)-1]
	r.open()
	end, _, err := r.v.End(ctx)
	if err != nil || end.Batch != last.Batch-1 || end.Hash != last.Prev {
		t.Fatalf("the vault ends at %d, %v", end.Batch, err)
	}
	if torn, err := r.v.Torn(ctx); torn != last.Batch || err != nil {
		t.Fatalf("torn: %d, %v", torn, err)
	}
	if _, damage := readAll(t, r.recovery, ReadOptions{}, p); len(damage) != 1 || !strings.Contains(damage[0].What, fmt.Sprintf("batches %d to %d", last.Batch, last.Batch)) {
		t.Fatalf("nobody says which batch is torn: %+v", damage)
	}
	if damage, err := r.v.Survey(ctx); len(damage) != 1 || err != nil {
		t.Fatalf("a survey finds %+v, %v", damage, err)
	}
	if damage, err := r.v.Rehash(ctx, last.Batch); len(damage) < 1 || err != nil {
		t.Fatalf("hashed again: %+v, %v", damage, err)
	}
	r.w.Roll()
	if rep, err := r.v.Seal(ctx, r.w); !holdfast.IsKind(err, holdfast.Corrupt) {
		t.Fatalf("a segment was sealed whose last batch stands nowhere else: %+v, %v", rep, err)
	}
	r.ship(last)
	if torn, err := r.v.Torn(ctx); torn != 0 || err != nil {
		t.Fatalf("torn after it was written again: %d, %v", torn, err)
	}
	r.frames(m, 0)
	for range 2 { // out of the tail, then out of a pack
		got, damage := readAll(t, r.recovery, ReadOptions{}, p)
		if n := same(t, "holed", got, m.truth(len(m.batches))); n != 0 || len(damage) != 0 {
			t.Fatalf("%d are missing, %+v", n, damage)
		}
		if damage, err := r.v.Survey(ctx); len(damage) != 0 || err != nil {
			t.Fatalf("a survey finds %+v, %v", damage, err)
		}
		if damage, err := r.v.Rehash(ctx, m.pos.Batch); len(damage) != 0 || err != nil {
			t.Fatalf("hashed again: %+v, %v", damage, err)
		}
		r.w.Roll()
		must2(r.v.Seal(ctx, r.w))
	}
}

// TestAHoleIsKnownByItsNumbers removes one segment after the other from between others, before and after a head, and cuts the last frame off: which batches lack is said, whoever's they are.
func TestAHoleIsKnownByItsNumbers(t *testing.T) {
	r, m := newRig(t, nil), newMaker(12, 3)
	first := []uint64{1}
	for i := range 8 {
		for range 3 {
			r.ship(m.batch(2))
		}
		r.w.Roll()
		first = append(first, m.pos.Batch+1)
		if i == 1 {
			must2(r.v.Seal(ctx, r.w))
		}
		if i == 4 {
			fine(t, r.w.Head(ctx, HeadInput{}))
		}
	}
	whole := r.place.(*memory.Place)
	if _, damage := readAll(t, r.recovery, ReadOptions{}, whole); len(damage) != 0 {
		t.Fatalf("a whole vault: %+v", damage)
	}
	for n := uint64(1); n <= 8; n++ {
		p := whole.Clone()
		p.Overwrite(SegmentName(1, n), nil)
		_, damage := readAll(t, r.recovery, ReadOptions{}, p)
		said := slices.ContainsFunc(damage, func(d Damage) bool {
			return strings.Contains(d.What, fmt.Sprintf("no object holds the batches %d to %d of term 1", first[n-1], first[n]-1))
		})
		switch {
		case n <= 2 && len(damage) == 0: // a pack was made of them
		case n == 8 && len(damage) == 0: // nothing in this vault tells of it: the store does, and another vault
			v := must2(Open(ctx, Options{Place: p}))
			if end, _, err := v.End(ctx); err != nil || end.Batch != first[7]-1 {
				t.Errorf("without its last segment the vault ends at %d, %v", end.Batch, err)
			}
		case n > 2 && n < 8 && said:
		default:
			t.Errorf("without segment %d: %+v", n, damage)
		}
		if n > 2 { // sealed around the hole it is known all the same
			o := r.opt
			o.Place = p
			v := must2(Open(ctx, o))
			end, term, err := v.End(ctx)
			fine(t, err)
			w, err := v.Writer(ctx, term, end)
			if err != nil { // the head before the hole cannot be caught up with
				continue
			}
			must2(v.Seal(ctx, w))
			fine(t, w.Close())
			_, after := readAll(t, r.recovery, ReadOptions{}, p)
			if len(after) != len(damage) {
				t.Errorf("sealed without segment %d: %+v, before %+v", n, after, damage)
			}
			_, v = mend(t, r, m, p)
			clean(t, fmt.Sprint("repaired without segment ", n), r, m, v)
		}
	}
}

// TestAnEmptySegmentKeepsNoErasureOpen: a process that was killed between making a segment and its first append leaves one that is never sealed, and holds no line of anybody.
func TestAnEmptySegmentKeepsNoErasureOpen(t *testing.T) {
	r, m := newRig(t, nil), newMaker(6, 2)
	r.ship(m.batch(2))
	r.w.Roll()
	p := r.place.(*memory.Place)
	p.Overwrite(SegmentName(1, 2), []byte{})
	left, err := r.v.Erase(ctx, r.w, m.accounts[0], nil)
	if err != nil || !slices.Equal(left, []string{SegmentName(1, 1)}) {
		t.Fatalf("what holds lines of the account is said to be %q, %v", left, err)
	}
}
