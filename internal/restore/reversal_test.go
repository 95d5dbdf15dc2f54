package restore

import (
	"fmt"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
)

// TestReversalsAreRestored restores a store in which was rewound and undone: it is the same, its history says so, and the reversal can be undone there.
func TestReversalsAreRestored(t *testing.T) {
	s := newSource(t)
	a := s.account("ann@example.org")
	for i := range 30 {
		s.put(a, fmt.Sprint(i, ".vcf"), fmt.Sprint("good ", i))
	}
	good := s.head(s.engine, a).Seq
	s.clock.Advance(time.Minute)
	for i := range 20 {
		s.put(a, fmt.Sprint(i, ".vcf"), fmt.Sprint("bad ", i))
	}
	past, err := s.core.PastOf(t.Context(), a)
	fine(t, err)
	bad := s.head(s.engine, a).Seq
	s.clock.Advance(time.Hour)
	moment := s.clock.Now()
	s.clock.Advance(time.Hour)
	rewound, err := past.Rewind(t.Context(), core.RewindRequest{Seq: good}, nil)
	fine(t, err)
	if len(rewound.Steps) != 20 {
		t.Fatal(rewound)
	}
	e, rep := s.restore(Options{}, s.place)
	h := s.head(s.engine, a)
	for seq := good; seq <= h.Seq; seq++ {
		if got, want := s.digest(e, a, seq), s.digest(s.engine, a, seq); got != want || len(rep.Losses) > 0 {
			t.Fatalf("at %d the digest is %+v, want %+v; %+v", seq, got, want, rep.Losses)
		}
	}
	there := core.New(core.Options{Engine: e, Judges: judges, Clock: s.clock})
	past, err = there.PastOf(t.Context(), a)
	fine(t, err)
	lines, _, err := past.History(t.Context(), core.HistoryQuery{Limit: 2}) // the epoch's record, then the rewind
	fine(t, err)
	if lines[1].Reversal == nil || lines[1].Reversal.ID != rewound.Record.ID || !lines[1].Reversal.Done {
		t.Fatalf("%+v", lines[1])
	}
	undone, err := past.Undo(t.Context(), core.UndoRequest{Reversal: rewound.Record.ID}, nil)
	fine(t, err)
	if len(undone.Steps) != 20 || len(undone.Left) > 0 {
		t.Fatalf("%+v", undone)
	}

	// As of a moment before it, there is no such reversal, and the account is as it was.
	e, _ = s.restore(Options{At: moment}, s.place)
	if got, want := s.digest(e, a, bad), s.digest(s.engine, a, bad); got != want {
		t.Fatal("the content is not that of the moment")
	}
	there = core.New(core.Options{Engine: e, Judges: judges, Clock: s.clock})
	past, err = there.PastOf(t.Context(), a)
	fine(t, err)
	_, err = past.Undo(t.Context(), core.UndoRequest{Reversal: rewound.Record.ID}, nil)
	if !holdfast.IsKind(err, holdfast.NotFound) {
		t.Fatal(err)
	}
	if again, err := past.Rewind(t.Context(), core.RewindRequest{Seq: good}, nil); err != nil || len(again.Steps) != 20 {
		t.Fatalf("%+v, %v", again, err)
	}
}
