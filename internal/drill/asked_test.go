package drill

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"holdfast"
)

// TestWhatWasAskedForStandsForNoOther: drills of one account that somebody asked for, however many, are neither the vault's last one nor its last proof, push no result of the vault's own out of the book, and are told to nobody else. An erased account's are forgotten.
func TestWhatWasAskedForStandsForNoOther(t *testing.T) {
	at := time.Unix(1_800_000_000, 0).UTC()
	b, _, err := OpenBook(filepath.Join(t.TempDir(), "drills.db"), 3, at)
	fine(t, err)
	defer b.Close()
	hers, his := holdfast.ID{1}, holdfast.ID{2}
	n := 0
	end := func(account holdfast.ID, o Outcome) string {
		n++
		at = at.Add(time.Minute)
		r := Result{ID: fmt.Sprintf("d%02d", n), Started: at, Ended: at, Result: o, Vault: "local"}
		if !account.IsZero() {
			r.Account = account.String()
		}
		var proofs []Proof
		if o == Pass {
			proofs = []Proof{{Account: hers, Seq: uint64(n)}}
		}
		_, err := b.End(&r, proofs)
		fine(t, err)
		return r.ID
	}
	own := end(holdfast.ID{}, Pass)
	failed := end(holdfast.ID{}, Fail)
	for range 10 {
		end(hers, Pass)
	}
	last := end(his, Inconclusive)
	x, err := b.Standing("local", time.Time{}, at)
	fine(t, err)
	if x.Last.ID != failed || x.Passed.ID != own {
		t.Errorf("the vault's last drill is %q, the last that passed %q", x.Last.ID, x.Passed.ID)
	}
	ids := func(account holdfast.ID) (out string) {
		list, err := b.About(account, 100)
		fine(t, err)
		for _, r := range list {
			out += r.ID + " "
		}
		return out
	}
	if got := ids(hers); got != "d12 d11 d02 d01 " {
		t.Errorf("to her it tells of %s", got)
	}
	if got := ids(his); got != last+" d02 d01 " {
		t.Errorf("to him it tells of %s", got)
	}
	if when, err := b.Asked(his, at); err != nil || !when.Equal(at) {
		t.Errorf("he asked last at %v, %v", when, err)
	}
	if when, err := b.Asked(holdfast.ID{3}, at); err != nil || !when.IsZero() {
		t.Errorf("who never asked asked at %v, %v", when, err)
	}
	fine(t, b.Forget(hers))
	if got := ids(hers); got != "d02 d01 " {
		t.Errorf("after her erasure it tells of %s", got)
	}
}
