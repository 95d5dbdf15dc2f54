package storetest

import (
	"bytes"
	"slices"

	"holdfast"
	"holdfast/internal/store"
)

// mendTests are of octets that rot, and are put back.
var mendTests = []clause{
	{"S12_OctetsAreMendedInPlace", testMend},
	{"S12_NothingElseIsWritten", testMendRefuses},
}

// testMend: octets that rotted, of what is and of what was, are as they were once they are mended, for good, and nothing else moved.
func testMend(k *kit) {
	long := bytes.Repeat([]byte("0123456789abcdef"), 2000) // beyond one page
	bodies := map[uint64][]byte{}
	for i, body := range [][]byte{[]byte("a version that was"), []byte("what is"), long} {
		bodies[k.do(k.m.Put(k.a.Book, []string{"a.vcf", "a.vcf", "b.vcf"}[i], "", body)).Seq] = body
	}
	before, at := k.everything(), k.h.Engine.Info().Position
	for seq, body := range bodies {
		k.h.Rot(k, k.a.ID, seq)
		if k.found() == 0 {
			k.Fatalf("change %d: what rotted is not found", seq)
		}
		for range 2 { // the second time it is sound
			if err := k.h.Engine.Mend(k.Context(), k.a.ID, seq, body); err != nil {
				k.Fatalf("change %d: %v", seq, err)
			}
		}
	}
	k.reopen()
	if n := k.found(); n != 0 {
		k.Errorf("%d things are damaged after all was mended", n)
	}
	if now := k.everything(); !slices.Equal(now, before) {
		k.Errorf("mended, the store is another:\n%s", difference(now, before))
	}
	if now := k.h.Engine.Info().Position; now != at {
		k.Errorf("the stream moved on from %v to %v", at, now)
	}
	k.do(k.put("c.vcf", "1"))
}

// testMendRefuses: octets of another hash are not taken, whether the change is damaged or not, nor is there anything to mend in what has no octets.
func testMendRefuses(k *kit) {
	body := []byte("octets")
	seq := k.do(k.m.Put(k.a.Book, "a.vcf", "", body)).Seq
	gone := k.do(k.m.Delete(k.a.Book, "a.vcf")).Seq
	before := k.everything()
	mend := func(what string, account holdfast.ID, seq uint64, body []byte, want holdfast.ErrorKind) {
		k.kind(what, k.h.Engine.Mend(k.Context(), account, seq, body), want)
	}
	mend("other octets", k.a.ID, seq, []byte("other!"), holdfast.Invalid)
	mend("no octets", k.a.ID, seq, nil, holdfast.Invalid)
	mend("a deletion", k.a.ID, gone, body, holdfast.Invalid)
	mend("a seq above", k.a.ID, gone+1, body, holdfast.NotFound)
	mend("seq 0", k.a.ID, 0, body, holdfast.NotFound)
	mend("a stranger", holdfast.ID{9}, seq, body, holdfast.NotFound)
	if now := k.everything(); !slices.Equal(now, before) {
		k.Errorf("refused, and the store changed:\n%s", difference(now, before))
	}
	k.h.Rot(k, k.a.ID, seq)
	mend("other octets, where there is damage", k.a.ID, seq, []byte("other!"), holdfast.Invalid)
	if k.found() == 0 {
		k.Error("the damage is gone, and was not mended")
	}
	if err := k.h.Engine.Mend(k.Context(), k.a.ID, seq, body); err != nil {
		k.Error(err)
	}
}

// found counts what the engine's own check finds.
func (k *kit) found() (n int) {
	k.Helper()
	if err := k.h.Engine.Check(k.Context(), true, nil, func(store.Finding) { n++ }); err != nil {
		k.Fatal(err)
	}
	return n
}
