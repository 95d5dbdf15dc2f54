package vault

import (
	"bytes"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/place/memory"
	"holdfast/internal/seal"
)

var everyOctet = flag.Bool("octets", false, "change every octet of the small vault, not a sample of them")

// smallVault has one of each kind of object, and a tail of three segments, the last of them behind the last head.
func smallVault(t testing.TB) (*rig, *maker, *memory.Place) {
	r, m := newRig(t, nil), newMaker(31, 2)
	roll := func(batches int) {
		for range batches {
			r.ship(m.batch(1))
		}
		r.w.Roll()
	}
	roll(2)
	must2(r.v.Seal(ctx, r.w))
	p := r.place.(*memory.Place)
	for _, name := range []string{SegmentName(1, 1), SegmentKeyName(1, 1)} { // as after a while: the pack alone holds them
		fine(t, p.Remove(ctx, name))
	}
	roll(2)
	roll(1)
	fine(t, r.v.PutService(ctx, "x"))
	fine(t, r.w.Head(ctx, HeadInput{}))
	roll(1)
	if _, err := r.v.Erase(ctx, r.w, holdfast.ID{9, 9}, nil); err != nil {
		t.Fatal(err)
	}
	fine(t, r.w.Close())
	return r, m, p
}

// sight is what can be seen of a vault.
type sight struct {
	alone   string // what the vault itself tells: damage, or losses; empty: nothing
	missing int    // changes that it does not give back
	unsaid  int    // of them, those that no loss names
	sure    bool   // the losses are said to be all
}

// look reads a vault in all ways: everything with the recovery key, each object by itself, and the newest position.
func look(t testing.TB, where string, r *rig, m *maker, p place.Place) (s sight) {
	t.Helper()
	got, damage, unsure := readSure(t, r.recovery, ReadOptions{}, p)
	s.sure = len(unsure) == 0
	for id, seqs := range m.truth(len(m.batches)) {
		for seq := range seqs {
			g := got[id]
			if g != nil && !g.seqs[seq].IsZero() {
				continue
			}
			s.missing++
			if g == nil || !slices.ContainsFunc(g.losses, func(l Loss) bool { return l.From <= seq && seq <= l.To && l.Reason != "" }) {
				s.unsaid++
			}
		}
	}
	same(t, where, got, m.truth(len(m.batches))) // nothing is invented
	for _, g := range got {
		for _, l := range g.losses {
			s.alone = "a loss: " + l.Reason
		}
	}
	o := r.opt
	o.Place = p
	v, err := Open(ctx, o)
	if err == nil {
		var more []Damage
		if more, err = v.Survey(ctx); err == nil {
			damage = append(damage, more...)
		}
	}
	if err == nil {
		_, _, err = v.End(ctx)
	}
	if err != nil {
		s.alone = err.Error()
	}
	for _, d := range damage {
		s.alone = d.Object + ": " + d.What
	}
	return s
}

// idle tells whether an octet of an object says nothing that anybody relies on: it may be another one, and everything is read as it was.
func idle(name string, b []byte, i int) bool {
	switch {
	case name == nameMeta, strings.HasPrefix(name, dirKeys), strings.Contains(name, ".key"):
		return true // names and numbers for people; the key itself is sealed, and is opened
	case strings.HasSuffix(name, place.Grows):
		return i+1 == len(b) || bytes.HasPrefix(b[i+1:], []byte(frameMagic+" ")) // the newline behind a frame
	}
	return b[i] == '\n' || i+2 < len(b) && b[i+2] == '\n' || i+2 == len(b) // the end of a line, and what base64 leaves over
}

// TestEveryOctet changes each octet of a small vault, one at a time. The vault itself tells, unless the octet says nothing to anybody and all is read as it was. Nothing is ever invented, and a second vault leaves nothing lost.
func TestEveryOctet(t *testing.T) {
	r, m, whole := smallVault(t)
	if s := look(t, "whole", r, m, whole); s.alone != "" || s.missing != 0 {
		t.Fatalf("the vault is not whole to begin with: %+v", s)
	}
	step := 149
	if testing.Short() {
		step = 601
	}
	if *everyOctet {
		step = 1
	}
	octets, unseen := 0, map[string]int{}
	at := 0
	for _, name := range names(t, whole) {
		b := must2(place.ReadAll(ctx, whole, name, 1<<20))
		for i := range b {
			if at++; at%step != 0 {
				continue
			}
			bad := slices.Clone(b)
			bad[i] ^= 1 << (at / step % 8)
			p := whole.Clone()
			p.Overwrite(name, bad)
			where := fmt.Sprintf("%s, octet %d of %d changed", name, i, len(b))
			s := look(t, where, r, m, p)
			octets++
			if s.unsaid > 0 && s.sure {
				t.Errorf("%s (%q to %q): %d changes are missing, and the reader is sure of its losses: %+v", where, b[i], bad[i], s.unsaid, s)
			}
			if s.alone == "" {
				if unseen[name]++; s.missing > 0 || !idle(name, b, i) {
					t.Errorf("%s (%q to %q): nobody noticed; %d changes are missing", where, b[i], bad[i], s.missing)
				}
			}
			if octets%5 == 0 || *everyOctet && octets%50 == 0 {
				got, _, unsure := readSure(t, r.recovery, ReadOptions{}, p, whole)
				if n := same(t, where, got, m.truth(len(m.batches))); n != 0 || len(unsure) > 0 {
					t.Errorf("%s: %d are missing though a second vault has them; unsure: %q", where, n, unsure)
				}
			}
		}
	}
	t.Logf("%d of %d octets were changed; not noticed, and harmless: %v", octets, at, unseen)
}

// The witnesses that notice what was done to a vault.
const (
	itself = "the vault itself"
	others = "the store, or another vault" // that know how far it had come
	nobody = "nobody, and nothing is lost"
)

// TestEachObject removes, cuts, swaps and rolls back each object of a small vault, and says who notices. What the vault itself cannot tell is how far it had come behind its last head: that only somebody else knows.
func TestEachObject(t *testing.T) {
	r, m, whole := smallVault(t)
	last := SegmentName(1, 4)
	all, n := names(t, whole), 0
	for _, name := range all {
		b := must2(place.ReadAll(ctx, whole, name, 1<<20))
		done := map[string][]byte{"removed": nil, "emptied": {}, "cut to one octet": b[:1], "cut in its middle": b[:len(b)/2], "cut by one octet": b[:len(b)-1]}
		for _, other := range all { // of the same kind
			if other != name && kindOf(other) == kindOf(name) {
				done["swapped with "+other] = must2(place.ReadAll(ctx, whole, other, 1<<20))
			}
		}
		if frames := strings.Count(string(b), "\n"+frameMagic+" "); strings.HasSuffix(name, place.Grows) && frames > 0 {
			done["rolled back by a frame"] = b[:strings.LastIndex(string(b), "\n"+frameMagic+" ")+1]
		}
		for how, bad := range done {
			if n++; testing.Short() && n%4 != 0 {
				continue // a sample
			}
			p := whole.Clone()
			p.Overwrite(name, bad)
			where := name + " " + how
			s := look(t, where, r, m, p)
			want := expected(name, how, last)
			got := nobody
			switch {
			case s.alone != "":
				got = itself
			case s.missing > 0:
				got = others
			}
			if got != want {
				t.Errorf("%s: noticed by %s, want %s (%+v)", where, got, want, s)
			}
			if s.unsaid > 0 && s.sure && got != others {
				t.Errorf("%s: %d changes are missing, no loss names them, and the reader is sure", where, s.unsaid)
			}
			read, _, unsure := readSure(t, r.recovery, ReadOptions{}, p, whole)
			if n := same(t, where, read, m.truth(len(m.batches))); n != 0 || len(unsure) > 0 {
				t.Errorf("%s: %d are missing though a second vault has them; unsure: %q", where, n, unsure)
			}
		}
	}
}

// kindOf returns what objects that can be taken for each other have in common.
func kindOf(name string) string {
	dir, _, _ := strings.Cut(name, "/")
	return dir + name[strings.LastIndexByte(name, '.')+1:]
}

// expected returns who is to notice.
func expected(name, how, last string) string {
	removed, cut := how == "removed", strings.HasPrefix(how, "cut")
	text := name == nameMeta || strings.HasPrefix(name, dirKeys) || strings.HasSuffix(name, ".key")
	switch {
	case name == last && (removed || cut || how == "emptied"): // an append that was interrupted looks just so
		return others
	case text && how == "cut by one octet": // the newline at its end
		return nobody
	case removed && (name == HeadName(2) || strings.HasPrefix(name, dirService) || strings.HasPrefix(name, dirErased)): // the store writes them again
		return nobody
	}
	return itself
}

// TestRolledBackAsAWhole puts a vault back to what it was a while ago, all of it: it is a sound vault, and tells nothing. Who knows its newest head, how far it had come, or another vault, does.
func TestRolledBackAsAWhole(t *testing.T) {
	r, m := newRig(t, nil), newMaker(33, 2)
	for range 5 {
		r.ship(m.batch(2))
	}
	fine(t, r.w.Head(ctx, HeadInput{}))
	old := r.place.(*memory.Place).Clone()
	for range 5 {
		r.ship(m.batch(2))
	}
	fine(t, r.w.Head(ctx, HeadInput{}))
	newest := must2(r.v.LastHead(ctx))
	s := look(t, "rolled back", r, m, old)
	if s.alone != "" || s.missing == 0 {
		t.Fatalf("a vault of a while ago: %+v", s)
	}
	v := must2(Open(ctx, Options{Place: old, With: []*seal.Identity{r.recovery.Identity}}))
	end, _, err := v.End(ctx)
	if head := must2(v.LastHead(ctx)); err != nil || end.Batch >= m.pos.Batch || head.Number >= newest.Number {
		t.Fatalf("neither its end %d nor its head %d tells that it is old", end.Batch, head.Number)
	}
	got, _ := readAll(t, r.recovery, ReadOptions{}, old, r.place)
	if n := same(t, "with another vault", got, m.truth(len(m.batches))); n != 0 {
		t.Fatalf("%d are missing though another vault has them", n)
	}
}

// TestADamagedRecordOfAnErasure erases nobody, is said, and is written again by whoever knows that the account was erased.
func TestADamagedRecordOfAnErasure(t *testing.T) {
	r, m, p := smallVault(t)
	gone := holdfast.ID{9, 9}
	p.Overwrite(ErasedName(gone), must2(place.ReadAll(ctx, p, ErasedName(gone), 1<<20))[5:])
	if s := look(t, "damaged", r, m, p); !strings.HasPrefix(s.alone, ErasedName(gone)) {
		t.Fatalf("nobody says that the record is damaged: %+v", s)
	}
	r.w = nil
	r.open()
	if told := must2(r.v.Erased(ctx)); told[gone] {
		t.Fatal("a damaged record erases")
	}
	must2(r.v.Erase(ctx, r.w, gone, nil))
	if told := must2(r.v.Erased(ctx)); !told[gone] {
		t.Fatal("the record was not written again")
	}
	if s := look(t, "written again", r, m, p); s.alone != "" {
		t.Fatalf("it is still damaged: %+v", s)
	}
}
