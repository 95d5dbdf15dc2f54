package vault

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/place/memory"
	"holdfast/internal/seal"
)

// threeTerms is a vault whose store went another way at batch 12 of the first term, and took the right to write once more where the second one ended. The second may have a head; the third has none yet.
func threeTerms(t testing.TB, heads bool) (*rig, *maker) {
	r, m := newRig(t, nil), newMaker(4, 3)
	for range 20 {
		r.ship(m.batch(3))
	}
	r.w.Roll()
	must2(r.v.Seal(ctx, r.w))
	went := newMaker(4, 3)
	for range 12 {
		went.batch(3)
	}
	went.r = rand.New(rand.NewPCG(77, 7))
	r.adopt(went.pos, FromFork)
	for range 3 {
		r.ship(went.batch(3))
	}
	if heads {
		fine(t, r.w.Head(ctx, HeadInput{}))
	}
	r.adopt(went.pos, FromEnd)
	for range 3 {
		r.ship(went.batch(2))
	}
	return r, went
}

func (r *rig) adopt(base holdfast.Position, from Continuation) {
	r.t.Helper()
	fine(r.t, r.w.Close())
	must2(r.v.Adopt(ctx, holdfast.ID{0xff}, base, from))
	r.w = nil
	r.open()
}

// spoil returns what an object may be found as.
func spoil(t testing.TB, p place.Place, name string) map[string][]byte {
	b := must2(place.ReadAll(ctx, p, name, 1<<20))
	changed := bytes.Clone(b)
	changed[len(b)/3] ^= 4
	return map[string][]byte{"changed": changed, "cut": b[:len(b)/2], "removed": nil}
}

// unsure returns why a reader with the recovery key is not sure of what it read.
func (r *rig) unsure(p place.Place) []string {
	r.t.Helper()
	v := must2(Open(ctx, Options{Place: p, With: []*seal.Identity{r.recovery.Identity}}))
	reader := must2(NewReader(ctx, []*Vault{v}, ReadOptions{Spool: r.t.TempDir(), Trust: r.recovery}))
	defer reader.Close()
	return reader.Unsure()
}

// TestADamagedTermCostsNothing damages each term: its heads stand in for it, and everything is read as it went on, out of packs alone, and out of the tail where no head was written yet.
func TestADamagedTermCostsNothing(t *testing.T) {
	for _, sealed := range []bool{true, false} {
		r, m := threeTerms(t, sealed)
		whole := r.place.(*memory.Place)
		if sealed {
			r.w.Roll()
			for range 3 {
				must2(r.v.Seal(ctx, r.w))
			}
			for _, name := range names(t, whole) {
				if strings.HasPrefix(name, dirTail) {
					fine(t, whole.Remove(ctx, name))
				}
			}
		}
		for n := uint64(1); n <= 3; n++ {
			bad := spoil(t, whole, TermName(n))
			stranger := must2(seal.NewRing(false))
			bad["a stranger's"] = must2(seal.SignLine(stranger.Signer, Term{Number: n, Nonce: holdfast.ID{3}, Store: holdfast.ID{4}, Continues: FromNothing, Signer: stranger.Signer.Public(), At: start}))
			for how, octets := range bad {
				where := fmt.Sprintf("sealed %v, term %d %s", sealed, n, how)
				p := whole.Clone()
				p.Overwrite(TermName(n), octets)
				got, damage := readAll(t, r.recovery, ReadOptions{}, p)
				said := false
				for _, d := range damage {
					said = said || d.Object == TermName(n)
					if d.Object != TermName(n) && (sealed || d.Object != dirTail) {
						t.Errorf("%s: %+v", where, d)
					}
				}
				if !said {
					t.Errorf("%s: nobody says so", where)
				}
				if unsure := r.unsure(p); sealed && len(unsure) > 0 || !sealed && n == 3 && len(unsure) == 0 {
					t.Errorf("%s: unsure of %v", where, unsure)
				}
				if lacks := same(t, where, got, m.truth(len(m.batches))); lacks != 0 {
					t.Errorf("%s: %d are missing", where, lacks)
				}
			}
		}
	}
}

// TestTheFirstSignerIsKnown: the first set-up makes the vault before the recovery key. What says later that the key knows the signer stands in each head, so that no single object is needed.
func TestTheFirstSignerIsKnown(t *testing.T) {
	r, m := newRig(t, nil), newMaker(51, 3)
	later := must2(seal.NewRecovery(holdfast.ID{0xff}, start, false))
	r.ship(m.batch(3), m.batch(3))
	fine(t, r.w.Head(ctx, HeadInput{}))
	fine(t, r.ring.Add(later))
	must2(r.v.Rewrap(ctx, nil))
	fine(t, r.v.PutService(ctx, map[string]any{"certificates": r.ring.Certificates()}))
	for range 3 {
		r.ship(m.batch(3))
		r.w.Roll()
		must2(r.v.Seal(ctx, r.w))
	}
	whole := r.place.(*memory.Place)
	for _, name := range []string{dirService + number(1), TermName(1), HeadName(1), HeadName(3)} {
		for how, octets := range spoil(t, whole, name) {
			p := whole.Clone()
			p.Overwrite(name, octets)
			if name != dirService+number(1) {
				p.Overwrite(dirService+number(1), nil)
			}
			for _, x := range names(t, p) {
				if strings.HasPrefix(x, dirTail) {
					p.Overwrite(x, nil)
				}
			}
			if name == HeadName(3) { // it named a pack
				p = whole.Clone()
				p.Overwrite(name, octets)
			}
			got, _ := readAll(t, later, ReadOptions{}, p)
			if lacks := same(t, name+" "+how, got, m.truth(len(m.batches))); lacks != 0 {
				t.Errorf("%s %s: %d are missing", name, how, lacks)
			}
		}
	}
}

// TestAStrangersHeadIsNotBelieved has somebody without the store's keys write heads that carry what can be read of its certificates, with and without the term.
func TestAStrangersHeadIsNotBelieved(t *testing.T) {
	r, m := threeTerms(t, false)
	fine(t, r.w.Head(ctx, HeadInput{}))
	last := must2(r.v.LastHead(ctx))
	stranger := must2(seal.NewRing(false))
	forged := last
	forged.Number, forged.Previous, forged.Released = last.Number+1, r.v.heads.hash, []string{SegmentName(3, 1)}
	for how, signer := range map[string]seal.PublicKey{"its own name": stranger.Signer.Public(), "the store's name": last.Signer, "no name": nil} {
		for _, term := range []uint64{3, 4} {
			p := r.place.(*memory.Place).Clone()
			forged.Term, forged.Signer = term, signer
			p.Overwrite(HeadName(forged.Number), must2(seal.SignLine(stranger.Signer, forged)))
			for _, gone := range []bool{false, true} {
				if gone {
					p.Overwrite(TermName(3), nil)
				}
				where := fmt.Sprintf("%s, term %d, the third term is gone: %v", how, term, gone)
				got, damage := readAll(t, r.recovery, ReadOptions{}, p)
				if lacks := same(t, where, got, m.truth(len(m.batches))); lacks != 0 {
					t.Errorf("%s: %d are missing", where, lacks)
				}
				named := map[string]bool{}
				for _, d := range damage {
					named[d.Object] = true
				}
				if !named[HeadName(forged.Number)] {
					t.Errorf("%s: nobody says that the head is not believed", where)
				}
				o := r.opt
				o.Place = p
				if _, err := must2(Open(ctx, o)).Packs(ctx); !holdfast.IsKind(err, holdfast.Corrupt) {
					t.Errorf("%s: the store believes it: %v", where, err)
				}
			}
		}
	}
}

// TestOurOwnFirstTermIsGone: a stranger whose term follows has nobody erased, though ours cannot be read.
func TestOurOwnFirstTermIsGone(t *testing.T) {
	r, m := newRig(t, nil), newMaker(5, 2)
	r.ship(m.batch(3))
	fine(t, r.w.Head(ctx, HeadInput{}))
	fine(t, r.w.Close())
	p := r.place.(*memory.Place)
	p.Overwrite(TermName(1), nil)
	stranger := must2(seal.NewRing(false))
	p.Overwrite(TermName(2), must2(seal.SignLine(stranger.Signer, Term{Number: 2, Nonce: holdfast.ID{3}, Store: holdfast.ID{0xff}, Base: Position(m.pos), Continues: FromEnd, Signer: stranger.Signer.Public(), At: start})))
	p.Overwrite(ErasedName(m.accounts[0]), must2(seal.SignLine(stranger.Signer, Erasure{Account: m.accounts[0], At: start, Term: 2})))
	v := must2(Open(ctx, r.opt))
	must2(v.Adopt(ctx, holdfast.ID{0xff}, m.pos, FromEnd))
	if gone := must2(v.Erased(ctx)); len(gone) != 0 {
		t.Errorf("the stranger has %v erased", gone)
	}
	if _, err := v.LastHead(ctx); err != nil {
		t.Errorf("our own head is not believed: %v", err)
	}
}

// TestAHeadOfAnotherVault of the same store is not believed, as its packs are not here, and is named; where vault.json says another vault than the heads do, it is vault.json that is damaged.
func TestAHeadOfAnotherVault(t *testing.T) {
	r, m := newRig(t, nil), newMaker(6, 3)
	for range 3 {
		r.ship(m.batch(3))
		fine(t, r.w.Head(ctx, HeadInput{}))
	}
	whole := r.place.(*memory.Place)
	last := must2(r.v.LastHead(ctx))
	foreign := last
	foreign.Vault, foreign.Number, foreign.Previous = holdfast.ID{2}, last.Number+1, r.v.heads.hash
	foreign.Released, foreign.Accounts = []string{SegmentName(1, 1)}, nil
	p := whole.Clone()
	p.Overwrite(HeadName(foreign.Number), must2(seal.SignLine(r.ring.Signer, foreign)))
	s := look(t, "a head of another vault", r, m, p)
	if !strings.HasPrefix(s.alone, HeadName(foreign.Number)) || s.missing != 0 {
		t.Errorf("%+v", s)
	}
	p = whole.Clone()
	p.Overwrite(nameMeta, bytes.Replace(must2(place.ReadAll(ctx, p, nameMeta, 1<<16)), []byte(holdfast.ID{1}.String()), []byte(holdfast.ID{2}.String()), 1))
	if s := look(t, "another vault.json", r, m, p); !strings.HasPrefix(s.alone, nameMeta) || s.missing != 0 {
		t.Errorf("%+v", s)
	}
	o := r.opt
	o.Place = p
	v := must2(Open(ctx, o))
	fine(t, r.w.Close())
	w := must2(v.Writer(ctx, r.term, m.pos))
	r.v, r.w, r.place = v, w, p
	r.ship(m.batch(1))
	fine(t, w.Head(ctx, HeadInput{}))
	if h := must2(must2(Open(ctx, o)).LastHead(ctx)); h.Vault != (holdfast.ID{1}) {
		t.Errorf("the next head says vault %v", h.Vault)
	}
	must2(v.Repair(ctx, w, m, RepairOptions{Spool: t.TempDir()}))
	if s := look(t, "mended", r, m, p); s.alone != "" || s.missing != 0 {
		t.Errorf("mended: %+v", s)
	}
}

// TestAHeadThatDoesNotFollow the one before is read, as it is signed, and named.
func TestAHeadThatDoesNotFollow(t *testing.T) {
	r, m := newRig(t, nil), newMaker(6, 3)
	for range 4 {
		r.ship(m.batch(3))
		fine(t, r.w.Head(ctx, HeadInput{}))
	}
	p := r.place.(*memory.Place)
	b := must2(place.ReadAll(ctx, p, HeadName(3), 1<<20))
	var h Head
	fine(t, seal.OpenLine(b, r.ring.Signer.Public(), &h))
	h.Previous[0] ^= 1
	p.Overwrite(HeadName(3), must2(seal.SignLine(r.ring.Signer, h)))
	named := map[string]bool{}
	got, damage := readAll(t, r.recovery, ReadOptions{}, p)
	for _, d := range append(damage, must2(r.v.Survey(ctx))...) {
		named[d.Object] = true
	}
	if !named[HeadName(3)] || !named[HeadName(4)] || len(named) != 2 || same(t, "loose", got, m.truth(len(m.batches))) != 0 {
		t.Errorf("named are %v", named)
	}
	must2(r.v.Repair(ctx, r.w, m, RepairOptions{Spool: t.TempDir()}))
	if last := must2(r.v.LastHead(ctx)); len(last.Released) > 0 {
		t.Errorf("a repair has %v released", last.Released)
	}
}

// TestAVaultThatStoodStill and of which a term is damaged says nothing against another one that went on.
func TestAVaultThatStoodStill(t *testing.T) {
	r, m := threeTerms(t, false)
	stale := r.place.(*memory.Place).Clone()
	stale.Overwrite(TermName(3), nil)
	for range 5 {
		r.ship(m.batch(3))
	}
	for i, places := range [][]place.Place{{stale, r.place}, {r.place, stale}} {
		got, _ := readAll(t, r.recovery, ReadOptions{}, places...)
		if lacks := same(t, fmt.Sprint("order ", i), got, m.truth(len(m.batches))); lacks != 0 {
			t.Errorf("%d are missing", lacks)
		}
	}
}
