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

func all(string) (time.Time, bool) { return time.Time{}, true }

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
	now := start.Add(24 * time.Hour)
	x, err := b.Standing("local", time.Time{}, now)
	if err != nil || x.Last.ID != "e" || x.Passed.ID != "a1" || x.Failed.ID != "e" {
		t.Errorf("the standing: %+v %v", x, err)
	}
	if p, err := b.ProvenIn("local", alice); err != nil || p.Seq != 7 || p.Drill != "a1" || p.Chain != (holdfast.Hash{1}) || !p.At.Equal(start.Add(time.Minute)) {
		t.Errorf("a proof in one vault: %+v, %v", p, err)
	}
	if p, err := b.ProvenIn("attic", alice); err != nil || p.Vault != "attic" || p.Seq != 9 {
		t.Errorf("the newest proof: %+v, %v", p, err)
	}
	if p, err := b.ProvenIn("local", holdfast.ID{2}); err != nil || !p.At.IsZero() {
		t.Errorf("nobody proved this: %+v, %v", p, err)
	}
	if _, err := b.Show("nothing"); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Errorf("nothing: %v", err)
	}
	if r, ok, err := LastPass(file, now, all); err != nil || !ok || r.ID != "x1" {
		t.Errorf("as somebody else reads it: %+v %v %v", r, ok, err)
	}

	fine(t, b.Begin(*result("cut", "local", start.Add(20*time.Hour), Pass)))
	fine(t, b.Close())
	b = openTestBook(t, file, 3, start.Add(21*time.Hour))
	if r, err := b.Show("cut"); err != nil || r.Result != Inconclusive || len(r.Reasons) != 1 || !r.Ended.Equal(start.Add(21*time.Hour)) {
		t.Errorf("what was running: %+v, %v", r, err)
	}
	fine(t, b.Forget(alice))
	if p, err := b.ProvenIn("attic", alice); err != nil || !p.At.IsZero() {
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

// TestWhatIsDatedInTheFuture was noted while a clock was wrong. It does not stand for the newest until then.
func TestWhatIsDatedInTheFuture(t *testing.T) {
	file := filepath.Join(t.TempDir(), "drills.db")
	b := openTestBook(t, file, 2, start)
	alice := holdfast.ID{1}
	for i := range 3 {
		r := result(string(rune('x'+i)), "local", start.AddDate(10, 0, i), Pass)
		_, err := b.End(r, nil)
		fine(t, err)
		r.ID, r.Account = "asked"+r.ID, alice.String()
		_, err = b.End(r, nil)
		fine(t, err)
	}
	if x, err := b.Standing("local", time.Time{}, start); err != nil || x.Last.ID != "" || x.Passed.ID != "" {
		t.Errorf("of the future alone: %+v, %v", x, err)
	}
	if at, err := b.Asked(alice, start); err != nil || !at.IsZero() {
		t.Errorf("asked for at %v, %v", at, err)
	}
	_, err := b.End(result("a", "local", start, Pass), nil)
	fine(t, err)
	_, err = b.End(result("b", "local", start.Add(time.Hour), Fail), nil)
	fine(t, err)
	x, err := b.Standing("local", time.Time{}, start.Add(2*time.Hour))
	if err != nil || x.Last.ID != "b" || x.Passed.ID != "a" || x.Failed.ID != "b" {
		t.Errorf("the standing: %s, %s, %s, %v", x.Last.ID, x.Passed.ID, x.Failed.ID, err)
	}
	if r, ok, err := LastPass(file, start.Add(2*time.Hour), all); err != nil || ok {
		t.Errorf("what was found wanting since: %+v, %v", r, err)
	}
}

// TestWhatProvesNothingOfTheOthers: one account that somebody asked for, and vaults that are no more, or failed since.
func TestWhatProvesNothingOfTheOthers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "drills.db")
	b := openTestBook(t, file, 9, start)
	alice, bob := holdfast.ID{1}, holdfast.ID{2}
	ask := func(id string, who holdfast.ID, at time.Time, what Outcome) {
		r := result(id, "local", at, what)
		r.Account = who.String()
		_, err := b.End(r, nil)
		fine(t, err)
	}
	ask("a", alice, start, Pass)
	if r, ok, err := LastPass(file, start.Add(time.Hour), all); err != nil || ok {
		t.Errorf("one account alone: %+v, %v", r, err)
	}
	_, err := b.End(result("b", "local", start.Add(time.Minute), Pass), nil)
	fine(t, err)
	if r, ok, err := LastPass(file, start.Add(time.Hour), all); err != nil || !ok || r.ID != "b" {
		t.Errorf("the vault's own: %+v, %v", r, err)
	}
	if r, ok, err := LastPass(file, start.Add(time.Hour), func(string) (time.Time, bool) { return time.Time{}, false }); err != nil || ok {
		t.Errorf("of a vault that is no more: %+v, %v", r, err)
	}
	if r, ok, err := LastPass(file, start.Add(time.Hour), func(string) (time.Time, bool) { return start.Add(2 * time.Minute), true }); err != nil || ok {
		t.Errorf("of a vault that was there before: %+v, %v", r, err)
	}
	failed := func(want string) {
		t.Helper()
		if x, err := b.Standing("local", time.Time{}, start.Add(time.Hour)); err != nil || x.Failed.ID != want || x.Passed.ID != "b" {
			t.Errorf("failed: %s, want %q; %v", x.Failed.ID, want, err)
		}
	}
	ask("c", alice, start.Add(2*time.Minute), Fail)
	failed("c")
	ask("d", bob, start.Add(3*time.Minute), Pass)
	failed("c")
	ask("e", alice, start.Add(4*time.Minute), Pass)
	failed("")
}

// TestWhatFailedIsTriedAgain, each time until it has passed, and the others have their turns all the same.
func TestWhatFailedIsTriedAgain(t *testing.T) {
	s := newSource(t)
	for i := range 700 {
		_, _, err := s.core.CreateAccount(t.Context(), holdfast.Actor{}, string(rune('a'+i%26))+string(rune('a'+i/26%26))+string(rune('a'+i/676))+"@example.net", "")
		fine(t, err)
	}
	const day = 24 * time.Hour
	b := openTestBook(t, filepath.Join(t.TempDir(), "drills.db"), 9, start)
	bad, now, seen := s.ids[1], start, map[holdfast.ID]int{}
	fine(t, each(t.Context(), s.engine, func(id holdfast.ID) error { seen[id] = 0; return nil }))
	turn := func(broken bool) map[holdfast.ID]bool {
		c, err := Choose(t.Context(), s.engine, Choosing{Whole: 10, Within: 30 * day, Interval: day, Now: now, Random: rand.New(rand.NewPCG(1, 2)),
			ProvenAt: func(id holdfast.ID) (time.Time, error) { p, err := b.ProvenIn("local", id); return p.At, err },
			Tried:    func(id holdfast.ID) (time.Time, bool, error) { return b.Tried("local", id) }})
		fine(t, err)
		r := result(now.String(), "local", now, Pass)
		r.only = c.Only
		if broken {
			r.Result = Fail
			r.different(bad)
		}
		_, err = b.End(r, nil)
		fine(t, err)
		for id := range c.Only {
			seen[id]++
		}
		return c.Only
	}
	r := result("asked", "local", now, Fail)
	r.only, r.Account = map[holdfast.ID]bool{bad: true}, bad.String()
	r.different(bad)
	_, err := b.End(r, nil)
	fine(t, err)
	for i := range 40 {
		now = now.Add(time.Hour)
		if !turn(true)[bad] {
			t.Fatalf("turn %d does not try what failed", i)
		}
	}
	never := 0
	for _, n := range seen {
		if n == 0 {
			never++
		}
	}
	if never > 0 {
		t.Errorf("%d accounts were not tried in 40 drills that failed for one", never)
	}
	turn(false)
	if _, suspect, err := b.Tried("local", bad); err != nil || suspect {
		t.Errorf("it passed, and is suspect still: %v", err)
	}
	now = now.Add(3 * day)
	c, d := turn(false), turn(false)
	if c[bad] && d[bad] && len(c) > 300 {
		t.Errorf("it is chosen as if it had failed")
	}
}
