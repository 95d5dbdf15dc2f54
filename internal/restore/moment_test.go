package restore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
)

// hourly ships a source's batches into its vault, each an hour after the one before, and seals them if asked.
func (s *source) hourly(seal bool) {
	t := s.t
	v, err := vault.Open(t.Context(), s.options())
	fine(t, err)
	term, err := v.Adopt(t.Context(), storeID, holdfast.Position{}, vault.FromNothing)
	fine(t, err)
	w, err := v.Writer(t.Context(), term, holdfast.Position{})
	fine(t, err)
	fine(t, s.engine.After(t.Context(), 0, 0, func(b *holdfast.Batch) error {
		defer s.clock.Advance(time.Hour)
		return w.Append(t.Context(), vault.PackBatches([]*holdfast.Batch{b}, s.clock.Now()))
	}))
	w.Roll()
	for seal {
		rep, err := v.Seal(t.Context(), w)
		fine(t, err)
		seal = rep.Segments > 0
	}
	fine(t, w.Close())
}

// TestAMomentBeforeAnAccount: an account that was made after the moment is restored as it is newest, whether its changes lie in the tail or in a pack; where that would be all of them, nothing is restored.
func TestAMomentBeforeAnAccount(t *testing.T) {
	for _, packed := range []bool{false, true} {
		s := &source{t: t}
		s.init(t)
		began := s.clock.Now()
		s.clock.Advance(time.Hour)
		first := s.clock.Now()
		m := storetest.NewMaker(4)
		early := storetest.NewAccount(t, m, s.engine, "early@example.org")
		hours := time.Duration(s.engine.Position().Batch)
		late := storetest.NewAccount(t, m, s.engine, "late@example.org")
		_, err := s.engine.Commit(t.Context(), storetest.Sealed(late.ID, m.Put(late.Book, "1.vcf", "1", []byte("one"))))
		fine(t, err)
		s.hourly(packed)
		_, rep := s.restore(Options{At: first.Add(hours*time.Hour - time.Minute)}, s.place)
		if len(rep.Accounts) != 2 || rep.Accounts[0].ID != early.ID || rep.Accounts[1].Email != "late@example.org" || rep.Accounts[1].Changes == 0 {
			t.Errorf("packed %v: %+v", packed, rep.Accounts)
		}
		if _, rep := s.restore(Options{At: first}, s.place); len(rep.Accounts) != 2 {
			t.Errorf("packed %v: the first moment: %+v", packed, rep)
		}
		for _, o := range []Options{{At: began}, {At: first.Add(-time.Second)}, {At: first, Account: "late@example.org"}} {
			e := memory.New()
			_, err := s.into(e, o, s.place)
			if !holdfast.IsKind(err, holdfast.Invalid) || !strings.Contains(fmt.Sprint(err), "there was nothing yet") {
				t.Errorf("packed %v, as of %v: %v", packed, o.At, err)
			}
			if o.Account == "" && !strings.Contains(fmt.Sprint(err), "the first change that can be read is of "+first.Format(time.RFC3339)) {
				t.Errorf("packed %v: it does not name the first moment: %v", packed, err)
			}
			if e.Position().Batch != 0 {
				t.Errorf("packed %v: something was restored", packed)
			}
		}
	}
}
