package restore

import (
	"fmt"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
)

func (s *source) remove(a holdfast.ID, name string) {
	s.t.Helper()
	p := holdfast.Principal{Account: a}
	at, err := s.core.Locate(s.t.Context(), p, a, []string{"addressbooks", "default", name})
	fine(s.t, err)
	_, err = s.core.Delete(s.t.Context(), p, at.Place(), holdfast.Precondition{}, nil)
	fine(s.t, err)
}

// TestRepairReadsBelowTheNewestTerm restores from a vault that lacks the newest changes, goes on with that in another vault, which has them and gives them up, and repairs from it.
func TestRepairReadsBelowTheNewestTerm(t *testing.T) {
	s := newSource(t)
	a := s.account("ann@example.org")
	for _, name := range []string{"same", "changed", "deleted before", "deleted after", "edited after", "deleted then", "both"} {
		s.put(a, name+".vcf", "first "+name)
	}
	s.remove(a, "deleted before.vcf")
	old := s.place.Clone()
	s.put(a, "changed.vcf", "second")
	s.put(a, "changed.vcf", "third")
	s.put(a, "deleted after.vcf", "second")
	s.put(a, "edited after.vcf", "second")
	s.remove(a, "deleted then.vcf")
	s.put(a, "new.vcf", "new")
	s.put(a, "came and went.vcf", "new")
	s.remove(a, "came and went.vcf")
	s.put(a, "both.vcf", "of the old store")
	gone := s.account("bob@example.org")
	s.put(gone, "1.vcf", "one")
	s.stop()

	e, _ := s.restore(Options{}, old)
	s.goOn(e, holdfast.NewID(nil), holdfast.Position{})
	defer func() { s.stop() }()
	s.clock.Advance(time.Hour)
	s.remove(a, "deleted after.vcf")
	s.put(a, "edited after.vcf", "by ann, later")
	s.put(a, "own.vcf", "own")
	want := s.texts(e, a)
	want["changed.vcf"], want["new.vcf"], want["both.vcf"] = "third", "new", "of the old store"

	if rep, _, err := s.repair(e, s.place, RepairOptions{Newest: true}); err != nil || rep.Missing != 1 { // bob, of whom the newest term has nothing
		t.Fatalf("the newest term alone: %v, %+v", err, rep)
	}
	before := e.Position()
	rep, found, err := s.repair(e, s.place, RepairOptions{DryRun: true})
	if err != nil || rep.Missing != 3 || e.Position() != before {
		t.Fatalf("to look only: %v, %+v, %+v", err, rep, found)
	}
	rep, found, err = s.repair(e, s.place, RepairOptions{})
	if err != nil || rep.Mended != 3 || rep.Left != 0 {
		t.Fatalf("%v, %+v, %+v", err, rep, found)
	}
	if got := s.texts(e, a); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("after the repair there is %v, want %v", got, want)
	}
	if got := s.texts(e, gone); got["1.vcf"] != "one" {
		t.Fatalf("bob has %v", got)
	}
	storetest.Verify(t, e)
	if rep, found, err := s.repair(e, s.place, RepairOptions{}); err != nil || rep.Missing != 0 {
		t.Fatalf("a second repair: %v, %+v, %+v", err, rep, found)
	}
	s.put(a, "new.vcf", "changed by ann")
	s.remove(a, "changed.vcf")
	if rep, found, err := s.repair(e, s.place, RepairOptions{}); err != nil || rep.Missing != 0 {
		t.Fatalf("a repair after ann went on: %v, %+v, %+v", err, rep, found)
	}
}

// TestRepairOfAGapThatWasGivenUp has each segment lost once: what was restored without it goes on in the whole vault, and gets from it what it lacks.
func TestRepairOfAGapThatWasGivenUp(t *testing.T) {
	mended := int64(0)
	for n := uint64(1); n < 4; n++ {
		s := newSource(t)
		a, b := s.account("ann@example.org"), s.account("bob@example.org")
		for i := range 300 {
			s.put([]holdfast.ID{a, b}[i%2], fmt.Sprint(i%170, ".vcf"), fmt.Sprint("text ", i))
		}
		s.stop()
		p, was := s.place.Clone(), s.engine
		p.Overwrite(vault.SegmentName(1, n), nil)
		e, lossy := s.restore(Options{}, p)
		s.goOn(e, holdfast.NewID(nil), holdfast.Position{})
		if len(lossy.Losses) == 0 {
			t.Fatalf("segment %d: nothing was lost", n)
		}
		rep, found, err := s.repair(e, s.place, RepairOptions{})
		if err != nil || rep.Left != 0 {
			t.Fatalf("segment %d: %v, %+v, %+v", n, err, rep, found)
		}
		mended += rep.Mended
		for _, id := range []holdfast.ID{a, b} {
			if have, want := s.records(e, id), s.records(was, id); have != want {
				t.Fatalf("segment %d: the account's records are %q after the repair, want %q", n, have, want)
			}
			if have, want := s.texts(e, id), s.texts(was, id); fmt.Sprint(have) != fmt.Sprint(want) {
				t.Fatalf("segment %d: there is %v after the repair, want %v", n, have, want)
			}
		}
		storetest.Verify(t, e)
		if rep, _, err := s.repair(e, s.place, RepairOptions{}); err != nil || rep.Missing != 0 {
			t.Fatalf("segment %d: a second repair: %v, %+v", n, err, rep)
		}
		s.stop()
	}
	if mended == 0 {
		t.Fatal("nothing was mended")
	}
}

// TestRepairLeavesOutWhatARestoreLeftOut restores as of a moment before items were spoiled, added and deleted. No repair brings that back, from whichever vault.
func TestRepairLeavesOutWhatARestoreLeftOut(t *testing.T) {
	s := newSource(t)
	a := s.account("ann@example.org")
	for i := range 5 {
		s.put(a, fmt.Sprint(i, ".vcf"), "first")
	}
	s.clock.Advance(time.Hour)
	moment := s.clock.Now()
	s.clock.Advance(time.Hour)
	s.put(a, "1.vcf", "spoiled")
	s.put(a, "rubbish.vcf", "rubbish")
	s.remove(a, "2.vcf")
	s.clock.Advance(time.Hour)
	s.stop()
	copied := s.place.Clone()
	e, _ := s.restore(Options{At: moment}, s.place)
	s.goOn(e, holdfast.NewID(nil), holdfast.Position{})
	defer func() { s.stop() }()
	s.clock.Advance(time.Hour)
	want := fmt.Sprint(s.texts(e, a))
	for _, from := range []struct {
		what string
		o    RepairOptions
	}{{"all", RepairOptions{}}, {"the newest", RepairOptions{Newest: true}}} {
		for i, p := range []place.Place{s.place, copied} {
			rep, found, err := s.repair(e, p, from.o)
			if err != nil || rep.Missing != 0 || fmt.Sprint(s.texts(e, a)) != want {
				t.Fatalf("%s of vault %d: %v, %+v, %+v", from.what, i, err, rep, found)
			}
		}
	}
}

// TestRepairBringsBackNobodyWhoWasErased has a copy of a vault that still knows an account which the store has erased since.
func TestRepairBringsBackNobodyWhoWasErased(t *testing.T) {
	s := newSource(t)
	defer func() { s.stop() }()
	a, b := s.account("ann@example.org"), s.account("bob@example.org")
	s.put(a, "1.vcf", "one")
	s.put(b, "1.vcf", "one")
	copied := s.place.Clone()
	_, err := s.core.BeginErase(t.Context(), holdfast.Actor{}, b)
	fine(t, err)
	fine(t, s.core.Erase(t.Context(), b))
	rep, found, err := s.repair(s.engine, copied, RepairOptions{})
	if err != nil || rep.Missing != 0 {
		t.Fatalf("%v, %+v, %+v", err, rep, found)
	}
}
