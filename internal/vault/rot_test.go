package vault

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/place/memory"
)

// rotten is a tail of three segments with several frames each, none of which a head names yet.
func rotten(t *testing.T) (*rig, *maker, *memory.Place, map[string][]int) {
	r, m := newRig(t, nil), newMaker(41, 3)
	for range 3 {
		for range 4 {
			fine(t, r.w.Append(ctx, PackBatches([]*holdfast.Batch{m.batch(2)}, r.clock.Now())))
		}
		r.w.Roll()
	}
	fine(t, r.w.Close())
	p, lines := r.place.(*memory.Place), map[string][]int{}
	for n := uint64(1); n <= 3; n++ {
		name := SegmentName(1, n)
		b := must2(place.ReadAll(ctx, p, name, 1<<20))
		for at := 0; ; {
			i := bytes.Index(b[at:], []byte(frameMagic+" "))
			if i < 0 {
				break
			}
			lines[name], at = append(lines[name], at+i), at+i+1
		}
		if len(lines[name]) != 4 {
			t.Fatalf("%s has %d frames", name, len(lines[name]))
		}
	}
	return r, m, p, lines
}

// TestALineThatRots damages the line of one frame after the other. Where only the line is hit its batches are read all the same, by everybody who has a key. Where more is hit nobody says that nothing is lost. Nobody loses what stands behind it, nobody
// makes a pack without it, and a repair from the store mends it.
func TestALineThatRots(t *testing.T) {
	r, m, whole, lines := rotten(t)
	hits := map[string]func(b []byte, i int){
		"its first octet":   func(b []byte, i int) { b[i] ^= 1 },
		"its first batch":   func(b []byte, i int) { b[i+4] ^= 1 },
		"its hash before":   func(b []byte, i int) { b[i+30] ^= 1 },
		"its length":        func(b []byte, i int) { k := lengthAt(b, i); b[k] ^= 1 },
		"its length, much":  func(b []byte, i int) { k := lengthAt(b, i); b[k] = '1' + '8' - b[k] + '0' },
		"its sum":           func(b []byte, i int) { b[i+bytes.IndexByte(b[i:], '\n')-5] ^= 1 },
		"its end":           func(b []byte, i int) { b[i+bytes.IndexByte(b[i:], '\n')] = ' ' },
		"all of it":         func(b []byte, i int) { clear(b[i : i+bytes.IndexByte(b[i:], '\n')]) },
		"it and its octets": func(b []byte, i int) { clear(b[i+2 : i+bytes.IndexByte(b[i:], '\n')+100]) },
	}
	n := 0
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		b := must2(place.ReadAll(ctx, whole, name, 1<<20))
		for k, i := range lines[name] {
			for _, how := range slices.Sorted(maps.Keys(hits)) {
				if n++; !*everyOctet && n%4 != 0 && (k < 3 || testing.Short()) {
					continue // a sample, and all of what ends a segment
				}
				bad := slices.Clone(b)
				hits[how](bad, i)
				p := whole.Clone()
				p.Overwrite(name, bad)
				where := fmt.Sprintf("%s, frame %d, %s", name, k, how)
				rot(t, where, r, m, p, whole, how)
			}
		}
	}
}

// lengthAt returns where the length stands in the line at i.
func lengthAt(b []byte, i int) int {
	for range 5 {
		i += bytes.IndexByte(b[i:], ' ') + 1
	}
	return i
}

// rot judges a vault of which one frame's line is damaged.
func rot(t *testing.T, where string, r *rig, m *maker, p, whole *memory.Place, how string) {
	t.Helper()
	got, damage, unsure := readSure(t, r.recovery, ReadOptions{}, p)
	missing := same(t, where, got, m.truth(len(m.batches)))
	lost := how == "it and its octets" || how == "its end" // a line's end alone tells where the octets begin
	switch {
	case len(damage) == 0:
		t.Errorf("%s: nobody says that anything is damaged", where)
	case missing > 0 && len(unsure) == 0:
		t.Errorf("%s: %d changes are missing, and the reader is sure of its losses", where, missing)
	case missing > 0 && !lost:
		t.Errorf("%s: %d changes are missing, though only the line is damaged: %v", where, missing, damage)
	case missing == 0 && len(unsure) > 0:
		t.Errorf("%s: nothing is missing: %q", where, unsure)
	}
	if both, _, unsure := readSure(t, r.recovery, ReadOptions{}, p, whole); same(t, where, both, m.truth(len(m.batches))) != 0 || len(unsure) > 0 {
		t.Errorf("%s: with a second vault something is missing, or unsure: %q", where, unsure)
	}
	o := r.opt
	o.Place = p.Clone()
	v := must2(Open(ctx, o))
	if found := must2(v.Survey(ctx)); len(found) == 0 {
		t.Errorf("%s: a survey finds nothing", where)
	}
	if found := must2(v.Rehash(ctx, m.pos.Batch)); len(found) == 0 {
		t.Errorf("%s: hashing again finds nothing", where)
	}
	if end, term, err := v.End(ctx); err != nil {
		t.Errorf("%s: the end: %v", where, err)
	} else if w, err := v.Writer(ctx, term, end); err == nil { // one that cannot be caught up with seals nothing
		for {
			rep, err := v.Seal(ctx, w)
			if err != nil && !damaging(err) {
				t.Errorf("%s: sealing: %v", where, err)
			}
			if err != nil || rep.Segments == 0 {
				break
			}
		}
		fine(t, w.Close())
		sealed, _, doubts := readSure(t, r.recovery, ReadOptions{}, o.Place)
		if n := same(t, where, sealed, m.truth(len(m.batches))); n > missing || n > 0 && len(doubts) == 0 {
			t.Errorf("%s: sealed, %d changes are missing, before it were %d; unsure: %q", where, n, missing, doubts)
		}
	} else if !damaging(err) && !holdfast.IsKind(err, holdfast.PreconditionFailed) {
		t.Errorf("%s: a writer: %v", where, err)
	}
	_, v = mend(t, r, m, p)
	clean(t, where, r, m, v)
	if _, _, unsure := readSure(t, r.recovery, ReadOptions{}, p); len(unsure) > 0 {
		t.Errorf("%s: repaired, and still unsure: %q", where, unsure)
	}
}

// TestDoubtsAreSettledByAnotherVault: what one vault cannot tell another can, unless it has not come as far.
func TestDoubtsAreSettledByAnotherVault(t *testing.T) {
	r, m, whole, lines := rotten(t)
	name := SegmentName(1, 3)
	b := must2(place.ReadAll(ctx, whole, name, 1<<20))
	last := lines[name][3]
	bad, short := whole.Clone(), whole.Clone()
	cut := slices.Clone(b)
	clear(cut[last+2 : last+500])
	bad.Overwrite(name, cut)
	short.Overwrite(name, b[:last])
	for _, c := range []struct {
		what   string
		others []place.Place
		unsure bool
	}{
		{"alone", []place.Place{bad}, true},
		{"with a whole one", []place.Place{bad, whole}, false},
		{"with one that came less far", []place.Place{bad, short}, true},
		{"with all", []place.Place{short, bad, whole}, false},
	} {
		got, _, unsure := readSure(t, r.recovery, ReadOptions{}, c.others...)
		if (len(unsure) > 0) != c.unsure {
			t.Errorf("%s: unsure: %q", c.what, unsure)
		}
		if n := same(t, c.what, got, m.truth(len(m.batches))); n > 0 != c.unsure {
			t.Errorf("%s: %d are missing", c.what, n)
		}
		if c.unsure && !strings.Contains(unsure[0], fmt.Sprint("batch ", m.pos.Batch)) {
			t.Errorf("%s: it does not say which batch: %q", c.what, unsure)
		}
	}
}

// TestASegmentOfATornFrameAlone: the first segment that is sealed in a round may hold nothing but a frame that a power cut tore; its batches stand in the next one.
func TestASegmentOfATornFrameAlone(t *testing.T) {
	r, m := newRig(t, nil), newMaker(42, 2)
	for range 4 {
		r.ship(m.batch(2))
	}
	r.w.Roll()
	must2(r.v.Seal(ctx, r.w))
	p := r.place.(*memory.Place)
	r.ship(m.batch(2))
	r.w.Roll()
	name := SegmentName(1, 2)
	b := must2(place.ReadAll(ctx, p, name, 1<<20))
	clear(b[len(b)-200 : len(b)-100])
	p.Overwrite(name, b)
	fine(t, r.w.Close())
	r.w = nil
	r.open()
	r.ship(m.batches[len(m.batches)-1])
	r.w.Roll()
	rep, err := r.v.Seal(ctx, r.w)
	if err != nil || rep.Segments != 2 {
		t.Fatalf("%d segments were sealed: %v", rep.Segments, err)
	}
	got, damage := readAll(t, r.recovery, ReadOptions{}, p)
	if n := same(t, "sealed", got, m.truth(len(m.batches))); n != 0 || len(damage) != 0 {
		t.Fatalf("%d are missing, %+v", n, damage)
	}
}

// TestWhatAPackWasMadeOfStandsIn: while segments and joined packs are still there, a damaged pack loses nothing, whoever reads, as of whichever moment; that it is damaged is said.
func TestWhatAPackWasMadeOfStandsIn(t *testing.T) {
	r, m := newRig(t, nil), newMaker(43, 3)
	pack := func() {
		for range 3 {
			r.clock.Advance(time.Minute)
			r.ship(m.batch(2))
		}
		r.w.Roll()
		must2(r.v.Seal(ctx, r.w))
	}
	for range packsOfATier {
		pack()
	}
	p := r.place.(*memory.Place)
	sealed := p.Clone()
	for _, name := range names(t, p) { // what the packs were made of goes first
		if strings.HasPrefix(name, dirTail) {
			p.Overwrite(name, nil)
		}
	}
	if rep := must2(r.v.Compact(ctx, r.w)); rep.Packs != packsOfATier {
		t.Fatalf("%d packs were joined", rep.Packs)
	}
	newest := func(p place.Place) string {
		last := ""
		for _, name := range names(t, p) {
			if strings.HasSuffix(name, packSuffix) {
				last = name
			}
		}
		return last
	}
	for where, p := range map[string]*memory.Place{"segments": sealed, "joined packs": p} {
		name := newest(p)
		b := slices.Clone(must2(place.ReadAll(ctx, p, name, 1<<20)))
		for i := 50; i < len(b); i += 200 { // every member
			b[i] ^= 1
		}
		p.Overwrite(name, b)
		got, damage, unsure := readSure(t, r.recovery, ReadOptions{}, p)
		if n := same(t, where, got, m.truth(len(m.batches))); n != 0 || len(unsure) > 0 || !slices.ContainsFunc(damage, func(d Damage) bool { return d.Object == name }) {
			t.Errorf("%s: %d changes are missing; unsure: %q; damage: %+v", where, n, unsure, damage)
		}
		at := len(m.batches) - 2
		got, _ = readAll(t, r.recovery, ReadOptions{At: start.Add(time.Duration(at) * time.Minute)}, p)
		if n := same(t, where, got, m.truth(at)); n != 0 {
			t.Errorf("%s, as of a moment: %d changes are missing", where, n)
		}
	}
}

// TestARepairedEndIsNoDoubt: the newest frame rotted after a head had named it, and was repaired: what is left of it stands in a segment that nobody reads, and keeps no store from starting.
func TestARepairedEndIsNoDoubt(t *testing.T) {
	r, m := newRig(t, nil), newMaker(44, 2)
	for range 4 {
		fine(t, r.w.Append(ctx, PackBatches([]*holdfast.Batch{m.batch(2)}, r.clock.Now())))
	}
	fine(t, r.w.Head(ctx, HeadInput{}))
	fine(t, r.w.Close())
	p, name := r.place.(*memory.Place), SegmentName(1, 1)
	b := slices.Clone(must2(place.ReadAll(ctx, p, name, 1<<20)))
	clear(b[bytes.LastIndex(b, []byte(frameMagic+" "))+2 : len(b)-100])
	p.Overwrite(name, b)
	if _, _, unsure := readSure(t, r.recovery, ReadOptions{}, p); len(unsure) == 0 {
		t.Fatal("the reader is sure though the newest frame is gone")
	}
	_, v := mend(t, r, m, p)
	clean(t, "repaired", r, m, v)
	if _, _, unsure := readSure(t, r.recovery, ReadOptions{}, p); len(unsure) > 0 {
		t.Errorf("repaired, and still unsure: %q", unsure)
	}
	if torn, err := v.Torn(ctx); torn != 0 || err != nil {
		t.Errorf("repaired, and its end is said to be torn: %d, %v", torn, err)
	}
}
