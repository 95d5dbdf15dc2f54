package vault

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/place/memory"
	"holdfast/internal/seal"
)

// TestAStrangerIsNotBelieved lets somebody who can write into the place, and has none of the store's keys, take the right to write, say that an account was erased, and that all packs were replaced. A restore reads everything all the
// same, and says what it did not believe; and so does the store when it has taken its right back.
func TestAStrangerIsNotBelieved(t *testing.T) {
	r := newRig(t, nil)
	m := newMaker(5, 4)
	for range 40 {
		r.ship(m.batch(3))
	}
	r.w.Roll()
	fine(t, r.v.Upkeep(ctx, r.w))
	packs, err := r.v.Packs(ctx)
	fine(t, err)
	stranger := must2(seal.NewRing(false))
	end, term, err := r.v.End(ctx)
	fine(t, err)
	sign := func(name string, what any) {
		b, err := seal.SignLine(stranger.Signer, what)
		fine(t, err)
		fine(t, r.place.Put(ctx, name, bytes.NewReader(b)))
	}
	last, err := r.v.LastHead(ctx)
	fine(t, err)
	sign(TermName(2), Term{Number: 2, Nonce: holdfast.ID{3}, Store: term.Store, Base: Position(end), Continues: FromEnd, Signer: stranger.Signer.Public(), At: start})
	sign(ErasedName(m.accounts[0]), Erasure{Account: m.accounts[0], At: start, Term: 2})
	forged := Head{Number: last.Number + 1, Vault: r.v.meta.Vault, Store: term.Store, Term: 2, At: start, PlaceAt: start.Add(time.Hour), Position: Position(end), Packs: []PackRef{{Name: "pages/000000000999", Replaces: []string{packs[0].Name}}}, Released: []string{packs[0].Name}}
	sign(HeadName(last.Number+1), forged)

	v, err := Open(ctx, Options{Place: r.place, With: []*seal.Identity{r.recovery.Identity}})
	fine(t, err)
	reader, err := NewReader(ctx, []*Vault{v}, ReadOptions{Spool: t.TempDir(), Trust: r.recovery})
	fine(t, err)
	defer reader.Close()
	found := map[holdfast.ID]uint64{}
	fine(t, reader.Accounts(ctx, func(h *History) error {
		return h.Changes(ctx, func(list []Loaded) error { found[h.Account] = list[len(list)-1].Seq; return nil })
	}))
	for id, h := range m.heads {
		if found[id] != h.Seq {
			t.Errorf("account %s: read up to %d of %d", id, found[id], h.Seq)
		}
	}
	named := map[string]bool{}
	for _, d := range reader.Damage() {
		named[d.Object] = true
	}
	if !named[TermName(2)] || !named[HeadName(last.Number+1)] {
		t.Errorf("what was not believed is not named: %v", named)
	}
	back, err := Open(ctx, r.opt)
	fine(t, err)
	fine(t, r.w.Close())
	_, err = back.Adopt(ctx, term.Store, end, FromEnd)
	fine(t, err)
	if gone, err := back.Erased(ctx); err != nil || len(gone) != 0 {
		t.Errorf("the store believes that %v were erased, %v", gone, err)
	}
	if _, err := back.Packs(ctx); !holdfast.IsKind(err, holdfast.Corrupt) {
		t.Errorf("the store believes the head: %v", err)
	}
}

// TestANumberThatNobodyCountsTo lies in a name that a stranger made. A survey and a reader name it, and come to an end.
func TestANumberThatNobodyCountsTo(t *testing.T) {
	r, m := newRig(t, nil), newMaker(5, 2)
	r.ship(m.batch(3))
	p := r.place.(*memory.Place)
	far := uint64(999_999_999_999)
	p.Overwrite(SegmentName(far, 1), []byte("nothing"))
	got, damage := readAll(t, r.recovery, ReadOptions{}, p)
	if lacks := same(t, "far", got, m.truth(len(m.batches))); lacks != 0 {
		t.Errorf("%d are missing", lacks)
	}
	for _, list := range [][]Damage{damage, must2(r.v.Survey(ctx))} {
		if !slices.ContainsFunc(list, func(d Damage) bool { return d.Object == TermName(far) }) {
			t.Errorf("the term is not named: %+v", list)
		}
	}
}
