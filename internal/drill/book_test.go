package drill

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
)

var start = time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)

func openTestBook(t *testing.T, file string, keep int, now time.Time) *Book {
	t.Helper()
	b, lost, err := OpenBook(file, keep, now)
	fine(t, err)
	if lost {
		t.Fatal("a book was begun anew")
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func result(id, vault string, at time.Time, what Outcome) *Result {
	return &Result{ID: id, Started: at, Ended: at.Add(time.Minute), Result: what, Vault: vault, Digests: Digests{Different: []string{}}, Reasons: []string{}}
}

// TestBook keeps the newest results and the last pass of each vault, and the newest proofs; a drill whose process ended is inconclusive.
func TestBook(t *testing.T) {
	file := filepath.Join(t.TempDir(), "drills.db")
	b := openTestBook(t, file, 3, start)
	alice := holdfast.ID{1}
	_, err := b.End(result("a1", "local", start, Pass), []Proof{{Account: alice, Epoch: 1, Seq: 7, Chain: holdfast.Hash{1}, State: holdfast.Hash{2}}})
	fine(t, err)
	for i, what := range []Outcome{Fail, Inconclusive, Fail, Fail} {
		_, err := b.End(result(string(rune('b'+i)), "local", start.Add(time.Duration(i+1)*time.Hour), what), nil)
		fine(t, err)
	}
	_, err = b.End(result("x1", "attic", start.Add(10*time.Hour), Pass), []Proof{{Account: alice, Seq: 9}})
	fine(t, err)
	list, err := b.List(100)
	fine(t, err)
	if len(list) != 4 || list[0].ID != "x1" || list[1].ID != "e" || list[3].ID != "a1" {
		t.Errorf("kept: %+v", list)
	}
	last, passed, ok, err := b.Last("local")
	if err != nil || !ok || last.ID != "e" || passed.ID != "a1" {
		t.Errorf("the last: %v %v %v %v", last.ID, passed.ID, ok, err)
	}
	if p, err := b.ProvenIn("local", alice); err != nil || p.Seq != 7 || p.Drill != "a1" || p.Chain != (holdfast.Hash{1}) || !p.At.Equal(start.Add(time.Minute)) {
		t.Errorf("a proof in one vault: %+v, %v", p, err)
	}
	if p, err := b.Proven(alice); err != nil || p.Vault != "attic" || p.Seq != 9 {
		t.Errorf("the newest proof: %+v, %v", p, err)
	}
	if p, err := b.Proven(holdfast.ID{2}); err != nil || !p.At.IsZero() {
		t.Errorf("nobody proved this: %+v, %v", p, err)
	}
	if _, err := b.Show("nothing"); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Errorf("nothing: %v", err)
	}
	if r, ok, err := LastPass(file); err != nil || !ok || r.ID != "x1" {
		t.Errorf("as somebody else reads it: %+v %v %v", r, ok, err)
	}

	fine(t, b.Begin(*result("cut", "local", start.Add(20*time.Hour), Pass)))
	fine(t, b.Close())
	b = openTestBook(t, file, 3, start.Add(21*time.Hour))
	if r, err := b.Show("cut"); err != nil || r.Result != Inconclusive || len(r.Reasons) != 1 || !r.Ended.Equal(start.Add(21*time.Hour)) {
		t.Errorf("what was running: %+v, %v", r, err)
	}
	fine(t, b.Forget(alice))
	if p, err := b.Proven(alice); err != nil || !p.At.IsZero() {
		t.Errorf("an erased account: %+v, %v", p, err)
	}
	fine(t, b.Close())
	fine(t, os.WriteFile(file, []byte("this is no database at all, and was one once"), 0o600))
	b, lost, err := OpenBook(file, 3, start)
	if err != nil || !lost {
		t.Fatalf("a book that cannot be read: %v, %v", lost, err)
	}
	fine(t, b.Close())
}

// TestNobodyWaitsLongerThanThat runs drills for two months, of which every eighth does not pass, over a store that is too large to be tried as a whole.
func TestNobodyWaitsLongerThanThat(t *testing.T) {
	s := newSource(t)
	for i := range 300 {
		_, _, err := s.core.CreateAccount(t.Context(), holdfast.Actor{}, string(rune('a'+i%26))+string(rune('a'+i/26%26))+"@example.net", "")
		fine(t, err)
	}
	const day = 24 * time.Hour
	proven, now := map[holdfast.ID]time.Time{}, start
	random := rand.New(rand.NewPCG(1, 2))
	tried := 0
	for turn := range 60 {
		now = now.Add(day)
		c, err := Choose(t.Context(), s.engine, Choosing{Whole: 10, Within: 30 * day, Interval: day, Now: now, Random: random, ProvenAt: func(id holdfast.ID) (time.Time, error) { return proven[id], nil }})
		fine(t, err)
		tried += len(c.Only)
		if c.Sample.Whole || c.Sample.Random == 0 || len(c.Only) > 140 {
			t.Fatalf("chosen: %d, %+v", len(c.Only), c.Sample)
		}
		if turn%8 != 7 {
			for id := range c.Only {
				proven[id] = now
			}
		}
	}
	fine(t, each(t.Context(), s.engine, func(id holdfast.ID) error {
		if age := now.Sub(proven[id]); age > 30*day {
			t.Errorf("account %s was proven %s ago", id, age)
		}
		return nil
	}))
	whole, err := Choose(t.Context(), s.engine, Choosing{Whole: 1e6, Within: 30 * day, Interval: day, Now: now, Random: random})
	if err != nil || !whole.Sample.Whole || whole.Only != nil || whole.Sample.Of != 303 {
		t.Errorf("a small store: %+v, %v", whole, err)
	}
	x := Sample{Of: 303, Random: 100}
	if x.confidence(); x.AtMost < 0.029 || x.AtMost > 0.03 {
		t.Errorf("100 by lot: at most %f", x.AtMost)
	}
}

// TestAProofFromTheFuture is none: a clock was wrong.
func TestAProofFromTheFuture(t *testing.T) {
	s := newSource(t)
	c, err := Choose(t.Context(), s.engine, Choosing{Whole: 1, Within: 30 * 24 * time.Hour, Interval: 24 * time.Hour, Now: start, Random: rand.New(rand.NewPCG(1, 2)), ProvenAt: func(id holdfast.ID) (time.Time, error) {
		if id == s.ids[1] {
			return start.AddDate(10, 0, 0), nil
		}
		return start.Add(-time.Hour), nil
	}})
	if err != nil || !c.Only[s.ids[1]] {
		t.Errorf("chosen: %v, %v", c.Only, err)
	}
}

// TestPace works for its share of the time while people are served, and all of it while nobody is.
func TestPace(t *testing.T) {
	fake := clock.NewFake(start)
	busy := true
	p := &Pace{Clock: fake, Busy: func() bool { return busy }, Share: 0.25}
	wait := func(worked time.Duration) time.Duration {
		fake.Advance(worked)
		began := fake.Now()
		done := make(chan error, 1)
		go func() { done <- p.Wait(t.Context()) }()
		for {
			select {
			case err := <-done:
				fine(t, err)
				return fake.Now().Sub(began)
			case <-time.After(time.Millisecond):
				fake.Advance(10 * time.Millisecond)
			}
		}
	}
	wait(0)
	if rest := wait(100 * time.Millisecond); rest < 300*time.Millisecond || rest > 400*time.Millisecond {
		t.Errorf("after 100 ms it rested for %s", rest)
	}
	if rest := wait(time.Hour); rest > 3*time.Second { // the machine slept
		t.Errorf("after an hour it rested for %s", rest)
	}
	busy = false
	if rest := wait(100 * time.Millisecond); rest > 20*time.Millisecond {
		t.Errorf("nobody was there, and it rested for %s", rest)
	}
}
