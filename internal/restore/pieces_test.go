package restore

import (
	"fmt"
	"testing"

	"holdfast"
	"holdfast/internal/vault"
)

// TestPiecesAreBounded: however much of an account is read at once, what waits for the engine is in pieces, of whole groups and in order.
func TestPiecesAreBounded(t *testing.T) {
	r := &run{out: make(chan *piece, 100)}
	a := &loading{r: r, id: holdfast.ID{1}}
	const n, group = 7*maxPieceChanges/2 + 1, 3
	list := make([]vault.Loaded, n)
	for i := range list {
		c := &list[i].Change
		c.Account, c.Seq, c.Epoch, c.Kind, c.Op, c.Name = a.id, uint64(i+1), 1, holdfast.KindFile, holdfast.OpPut, fmt.Sprint(i)
		c.More = uint32(group - 1 - i%group)
	}
	list[n-1].More = 0
	fine(t, a.take(t.Context(), list))
	close(r.out)
	seq := uint64(0)
	for p := range r.out {
		if len(p.changes) >= maxPieceChanges+group {
			t.Errorf("a piece has %d changes", len(p.changes))
		}
		for _, c := range p.changes {
			if seq++; c.Seq != seq {
				t.Fatalf("change %d came as number %d", c.Seq, seq)
			}
		}
		if last := p.changes[len(p.changes)-1]; last.More != 0 {
			t.Errorf("a piece ends within a group, at change %d", last.Seq)
		}
	}
	if seq != n {
		t.Errorf("%d of %d changes came", seq, n)
	}
}
