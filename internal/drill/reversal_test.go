package drill

import (
	"testing"

	"holdfast/internal/core"
)

// TestADrillOfReversals: records of undos and rewinds come through a vault as everything does, out of the tail and out of packs, and with the recovery key.
func TestADrillOfReversals(t *testing.T) {
	s := newSource(t)
	past, err := s.core.PastOf(t.Context(), s.ids[0])
	fine(t, err)
	r, err := past.Rewind(t.Context(), core.RewindRequest{Seq: 14}, nil)
	fine(t, err)
	u, err := past.Undo(t.Context(), core.UndoRequest{Reversal: r.Record.ID}, nil)
	fine(t, err)
	if len(r.Steps) == 0 || len(u.Steps) != len(r.Steps) {
		t.Fatal(r, u)
	}
	s.ship()
	for _, where := range []string{"out of the tail", "out of packs"} {
		res, proofs := Run(t.Context(), s.options(s.place))
		outcome(t, where, res, Pass, "")
		if res.Digests.Equal != 3 || len(proofs) != 3 {
			t.Errorf("%s: %+v", where, res)
		}
		s.seal()
	}
}
