package drill

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/place"
	"holdfast/internal/vault"
)

// beside is a place at which something happens before each call of who reads it.
type beside struct {
	place.Place
	mu sync.Mutex
	do func()
}

func (b *beside) before() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.do()
}

func (b *beside) Get(ctx context.Context, name string, at, n int64) (io.ReadCloser, error) {
	b.before()
	return b.Place.Get(ctx, name, at, n)
}

func (b *beside) List(ctx context.Context, prefix, after string, fn func(place.Info) error) error {
	b.before()
	return b.Place.List(ctx, prefix, after, fn)
}

// duties returns what a living service does to its vault at any time: segments are sealed, packs are joined, heads written, what was replaced goes, and changes come; ship brings those into the vault.
func (s *source) duties(r *rand.Rand, ship bool) func() {
	n := 0
	return func() {
		n++
		switch r.IntN(8) {
		case 0:
			s.seal()
		case 1:
			for {
				rep, err := s.v.Compact(s.t.Context(), s.w)
				fine(s.t, err)
				if rep.Packs == 0 {
					break
				}
			}
		case 2:
			fine(s.t, s.w.Head(s.t.Context(), vault.HeadInput{}))
		case 3:
			s.clock.Advance(time.Duration(r.IntN(36)) * time.Hour)
			fine(s.t, s.v.Upkeep(s.t.Context(), s.w))
		case 4, 5:
			s.put(n%3, fmt.Sprintf("%d.vcf", n%15), fmt.Sprint("beside ", n))
			if ship {
				s.ship()
			}
		}
	}
}

// grow gives the vault packs that can be joined, and a tail.
func (s *source) grow(r *rand.Rand) {
	do := s.duties(r, true)
	for range 40 {
		do()
	}
	s.put(0, "last.vcf", "last")
	s.ship()
}

// TestADrillBesideTheVaultsDuties seals, joins, writes heads, lets go and ships before each call of a drill that reads the vault. It compares at one seq, and so passes; where an object goes under its hands it may not know, and must not say that something is lost.
func TestADrillBesideTheVaultsDuties(t *testing.T) {
	passed := 0
	for seed := range uint64(12) {
		s, r := newSource(t), rand.New(rand.NewPCG(seed, 1))
		s.grow(r)
		p := &beside{Place: s.place, do: s.duties(r, true)}
		res, proofs := Run(t.Context(), s.options(p))
		switch {
		case res.Result == Pass && len(proofs) == 3:
			passed++
		case res.Result != Inconclusive:
			t.Errorf("seed %d: %s, %d proofs: %q", seed, res.Result, len(proofs), res.Reasons)
		default:
			t.Logf("seed %d: %s: %q", seed, res.Result, res.Reasons)
		}
	}
	if passed < 8 {
		t.Errorf("%d of 12 passed", passed)
	}
}

// TestDutiesHideNoLoss: a vault that lost what it had confirmed fails, and proves nothing, also while it is sealed, joined and named in heads as if nothing were.
func TestDutiesHideNoLoss(t *testing.T) {
	for seed := range uint64(8) {
		s, r := newSource(t), rand.New(rand.NewPCG(seed, 2))
		s.grow(r)
		lost, at := s.place.Clone(), s.w.Position()
		s.put(1, "lost.vcf", "lost")
		s.ship()
		twin := *s // the same store, with the vault as it was before
		var err error
		twin.place = lost
		twin.v, err = vault.Open(t.Context(), vault.Options{Place: lost, Ring: s.ring, Clock: s.clock, SegmentOctets: 8 << 10})
		fine(t, err)
		terms, err := twin.v.Terms(t.Context())
		fine(t, err)
		twin.w, err = twin.v.Writer(t.Context(), terms[len(terms)-1], at)
		fine(t, err)
		t.Cleanup(func() { twin.w.Close() })
		o := s.options(&beside{Place: lost, do: twin.duties(r, false)})
		res, proofs := Run(t.Context(), o)
		outcome(t, fmt.Sprint("seed ", seed), res, Fail, "confirmed its changes up to")
		if len(proofs) > 0 || len(res.Digests.Different) != 1 {
			t.Errorf("seed %d: %d proofs, %+v", seed, len(proofs), res.Digests)
		}
	}
}

// TestADrillWhileTheClockJumps: years forth and back while it runs change nothing of what it finds, and no duration is negative.
func TestADrillWhileTheClockJumps(t *testing.T) {
	s := newSource(t)
	s.seal()
	o := s.options(s.place)
	now, n := s.clock.Now(), 0
	var mu sync.Mutex
	o.Pace = func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		n++
		s.clock.Set(now.AddDate([]int{5, -7, 30, -40}[n%4], 0, 0))
		return nil
	}
	r, proofs := Run(t.Context(), o)
	outcome(t, "with a clock that jumps", r, Pass, "")
	if len(proofs) != 3 || n < 4 || r.Seconds < 0 || r.Rate < 0 {
		t.Errorf("%d proofs, %d jumps, %v s, %v a second", len(proofs), n, r.Seconds, r.Rate)
	}
}

// idle lets time pass whenever somebody waits for it, until the test ends.
func idle(t *testing.T, c *clock.Fake) {
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			if c.Pending() > 0 {
				c.Advance(time.Millisecond)
			} else {
				time.Sleep(10 * time.Microsecond)
			}
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
}

// TestADrillYields: while people are served a drill reads its vault a quarter of the time, and all of it while nobody is.
func TestADrillYields(t *testing.T) {
	s := newSource(t)
	s.seal()
	idle(t, s.clock)
	busy := true
	run := func() (worked, took time.Duration) {
		p := &beside{Place: s.place}
		p.do = func() { worked += 5 * time.Millisecond; s.clock.Advance(5 * time.Millisecond) } // a slow disk
		o := s.options(p)
		worked = 0 // opening it is not the drill's
		pace := &Pace{Clock: s.clock, Busy: func() bool { return busy }, Share: 0.25}
		fine(t, pace.Wait(t.Context()))
		o.Pace = pace.Wait
		began := s.clock.Now()
		r, _ := Run(t.Context(), o)
		outcome(t, "yielding", r, Pass, "")
		return worked, s.clock.Now().Sub(began)
	}
	if worked, took := run(); worked == 0 || took < 3*worked || took > 4*worked+time.Second {
		t.Errorf("%v of work beside people took %v", worked, took)
	}
	busy = false
	if worked, took := run(); took > worked+100*time.Millisecond {
		t.Errorf("%v of work alone took %v", worked, took)
	}
}

// TestNoRestIsLongerThanItMay: a clock that jumps makes no drill wait for years.
func TestNoRestIsLongerThanItMay(t *testing.T) {
	c := clock.NewFake(time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC))
	idle(t, c)
	p := &Pace{Clock: c, Busy: func() bool { return true }, Share: 0.25}
	fine(t, p.Wait(t.Context()))
	for _, years := range []int{9, -18, 27} {
		c.Set(c.Now().AddDate(years, 0, 0))
		before := c.Now()
		fine(t, p.Wait(t.Context()))
		if rest := c.Now().Sub(before); rest > maxRest+100*time.Millisecond {
			t.Errorf("after a jump of %d years it rested %v", years, rest)
		}
	}
}
