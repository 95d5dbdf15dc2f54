package collect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/blob/collect"
	"holdfast/internal/blob/memory"
	"holdfast/internal/clock"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// service is what a collector works for: a store of blobs, changes that name some of them, and a process that can be killed.
type service struct {
	t     *testing.T
	clock *clock.Fake
	store *memory.Store
	keep  *blob.Keeper
	c     *collect.Collector
	kept  collect.State // what was saved

	mu       sync.Mutex
	named    map[blob1]bool
	accounts map[holdfast.ID]bool
	mute     bool   // the engine does not answer
	asked    func() // called after a question was answered, once
	unsaved  bool   // the state cannot be saved
}

type blob1 struct {
	account holdfast.ID
	hash    holdfast.Hash
}

func newService(t *testing.T) *service {
	s := &service{t: t, clock: clock.NewFake(start), named: map[blob1]bool{}, accounts: map[holdfast.ID]bool{{1}: true, {2}: true}}
	s.store = memory.New(s.clock)
	s.start()
	return s
}

// start begins a process: its pins are none.
func (s *service) start() {
	s.keep = blob.NewKeeper(s.store)
	s.c = collect.New(collect.Options{Keeper: s.keep, Names: s.names, Clock: s.clock, State: s.kept, Save: s.save})
}

func (s *service) names(_ context.Context, account holdfast.ID, h holdfast.Hash) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if then := s.asked; then != nil {
		s.asked = nil
		defer func() {
			s.mu.Unlock()
			then()
			s.mu.Lock()
		}()
	}
	switch {
	case s.mute:
		return false, &holdfast.Error{Op: "store.Names", Kind: holdfast.Unavailable}
	case !s.accounts[account]:
		return false, &holdfast.Error{Op: "store.Names", Kind: holdfast.NotFound}
	}
	return s.named[blob1{account, h}], nil
}

func (s *service) save(_ context.Context, x collect.State) error {
	if s.unsaved {
		return errors.New("no room")
	}
	s.kept = x
	return nil
}

func (s *service) put(account holdfast.ID, octets string) *blob.Pin {
	s.t.Helper()
	p, err := s.keep.Put(s.t.Context(), account, bytes.NewReader([]byte(octets)), 1<<20)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// commit makes a change that names a blob.
func (s *service) commit(account holdfast.ID, p *blob.Pin) {
	s.mu.Lock()
	s.named[blob1{account, p.Hash}] = true
	s.mu.Unlock()
	p.Release()
}

func (s *service) there(account holdfast.ID, h holdfast.Hash) bool {
	return s.store.Verify(s.t.Context(), account, h) == nil
}

// hours lets time pass while the process runs.
func (s *service) hours(n int) {
	s.t.Helper()
	for i := range n {
		s.clock.Advance(time.Hour)
		if i%6 != 5 {
			s.c.Look(s.t.Context())
		} else if _, err := s.c.Pass(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestWhatNoChangeNamesIsLetGoOfAfterADay(t *testing.T) {
	s := newService(t)
	s.commit(holdfast.ID{1}, s.put(holdfast.ID{1}, "named"))
	s.put(holdfast.ID{1}, "given up").Release()
	pinned := s.put(holdfast.ID{1}, "under way")
	s.hours(24)
	for _, x := range []string{"named", "given up", "under way"} {
		if !s.there(holdfast.ID{1}, holdfast.HashOf([]byte(x))) {
			t.Errorf("%q is gone within a day", x)
		}
	}
	s.hours(11)
	s.clock.Advance(time.Hour)
	if r, err := s.c.Pass(t.Context()); err != nil || r.Named != 1 || r.Waiting != 1 || r.Blobs != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	for x, want := range map[string]bool{"named": true, "given up": false, "under way": true} {
		if s.there(holdfast.ID{1}, holdfast.HashOf([]byte(x))) != want {
			t.Errorf("%q: there %v", x, !want)
		}
	}
	pinned.Release()
	s.hours(36)
	if s.there(holdfast.ID{1}, pinned.Hash) {
		t.Error("what nobody holds any more stays")
	}
}

func TestAClockThatJumpsLetsNothingGo(t *testing.T) {
	for _, jump := range []time.Duration{25 * time.Hour, 10 * 365 * 24 * time.Hour} {
		s := newService(t)
		p := s.put(holdfast.ID{1}, "given up")
		p.Release()
		s.hours(6) // it is condemned
		s.clock.Set(s.clock.Now().Add(jump))
		s.hours(12)
		if !s.there(holdfast.ID{1}, p.Hash) {
			t.Errorf("a clock that was put ahead by %v let it go", jump)
		}
		s.kept.Counted.Last = start // a process that is begun again, after what it takes for a long time
		s.start()
		if _, err := s.c.Pass(t.Context()); err != nil || !s.there(holdfast.ID{1}, p.Hash) {
			t.Errorf("a clock that was put ahead by %v let it go at the next start: %v", jump, err)
		}
		s.clock.Set(start.Add(-365 * 24 * time.Hour))
		s.hours(48)
		if s.there(holdfast.ID{1}, p.Hash) {
			t.Error("it stays for ever where a clock was put back")
		}
	}
}

func TestAServiceThatIsStoppedEachNightLetsGoAllTheSame(t *testing.T) {
	s := newService(t)
	p := s.put(holdfast.ID{1}, "given up")
	p.Release()
	days := 0
	for ; s.there(holdfast.ID{1}, p.Hash) && days < 30; days++ {
		s.hours(8)
		s.clock.Advance(16 * time.Hour)
		s.start()
	}
	if days < 2 || days > 6 {
		t.Errorf("it was let go of after %d days", days)
	}
}

func TestWhereItIsNotKnownWhoNamesItItStays(t *testing.T) {
	s := newService(t)
	p, q := s.put(holdfast.ID{1}, "given up"), s.put(holdfast.ID{9}, "of somebody whom the store does not know")
	p.Release()
	q.Release()
	s.hours(29)
	s.mute = true
	s.clock.Advance(10 * time.Hour)
	if r, err := s.c.Pass(t.Context()); err == nil || r.LetGo != 0 || !s.there(holdfast.ID{1}, p.Hash) {
		t.Errorf("%+v, %v", r, err)
	}
	s.mute = false
	r, err := s.c.Pass(t.Context())
	if err != nil || s.there(holdfast.ID{1}, p.Hash) || !s.there(holdfast.ID{9}, q.Hash) || !slices.Equal(r.Strangers, []holdfast.ID{{9}}) {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestWhatHappensAfterTheFirstQuestion: a blob that was to be let go of is named, or made anew, before it is.
func TestWhatHappensAfterTheFirstQuestion(t *testing.T) {
	for what, then := range map[string]func(*service){
		"named": func(s *service) { s.commit(holdfast.ID{1}, s.put(holdfast.ID{1}, "again")) },
		"made anew": func(s *service) {
			if err := s.store.Remove(t.Context(), holdfast.ID{1}, holdfast.HashOf([]byte("again"))); err != nil {
				t.Error(err)
			}
			s.put(holdfast.ID{1}, "again").Release()
		},
	} {
		s := newService(t)
		p := s.put(holdfast.ID{1}, "again")
		p.Release()
		s.hours(29)
		s.clock.Advance(time.Hour)
		s.asked = func() { then(s) }
		if r, err := s.c.Pass(t.Context()); err != nil || r.LetGo != 0 || s.asked != nil || !s.there(holdfast.ID{1}, p.Hash) {
			t.Errorf("%s: %+v, %v", what, r, err)
		}
	}
}

func TestWhatWasMadeAnewWaitsAnew(t *testing.T) {
	s := newService(t)
	p := s.put(holdfast.ID{1}, "again")
	p.Release()
	s.hours(29)
	if err := s.store.Remove(t.Context(), holdfast.ID{1}, p.Hash); err != nil {
		t.Fatal(err)
	}
	s.put(holdfast.ID{1}, "again").Release()
	s.hours(19)
	if !s.there(holdfast.ID{1}, p.Hash) {
		t.Error("it was let go of within a day")
	}
	s.hours(12)
	if s.there(holdfast.ID{1}, p.Hash) {
		t.Error("it stays")
	}
}

func TestAnUploadDoesNotMeetARemovalHalfWay(t *testing.T) {
	s := newService(t)
	p := s.put(holdfast.ID{1}, "again")
	p.Release()
	done := make(chan *blob.Pin)
	asked := false
	gone, err := s.keep.LetGo(t.Context(), holdfast.ID{1}, p.Hash, func() (bool, error) {
		asked = true
		go func() { done <- s.put(holdfast.ID{1}, "again") }()
		select {
		case <-done:
			t.Error("it was put while it was judged")
		case <-time.After(50 * time.Millisecond):
		}
		return true, nil
	})
	if err != nil || !gone || !asked {
		t.Fatal(gone, err)
	}
	q := <-done
	if !s.there(holdfast.ID{1}, q.Hash) {
		t.Error("what was put is gone")
	}
	if gone, err := s.keep.LetGo(t.Context(), holdfast.ID{1}, q.Hash, func() (bool, error) { return true, nil }); gone || err != nil {
		t.Errorf("what is pinned was let go of: %v", err)
	}
}

// TestConcurrently puts, commits and collects at once, with no grace at all.
func TestConcurrently(t *testing.T) {
	s := newService(t)
	c := collect.New(collect.Options{Keeper: s.keep, Names: s.names, Clock: s.clock, Grace: 1})
	stop := make(chan struct{})
	var work, pass sync.WaitGroup
	pass.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			s.clock.Advance(time.Second)
			if _, err := c.Pass(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	for w := range 4 {
		work.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 3))
			for i := range 400 {
				p := s.put(holdfast.ID{1}, fmt.Sprint("photo ", rng.IntN(20)+i/100*20))
				if rng.IntN(4) > 0 {
					p.Release()
					continue
				}
				s.commit(holdfast.ID{1}, p)
				if !s.there(holdfast.ID{1}, p.Hash) {
					t.Error("a named one was let go of")
				}
			}
		})
	}
	work.Wait()
	close(stop)
	pass.Wait()
	for k := range s.named {
		if !s.there(k.account, k.hash) {
			t.Error("a named one was let go of")
		}
	}
}

// TestSimulation does everything in any order: uploads that become changes or do not, kills, clocks that jump, engines and disks that fail.
func TestSimulation(t *testing.T) {
	seeds := uint64(300)
	if testing.Short() {
		seeds = 30
	}
	letGo := 0
	for seed := range seeds {
		letGo += simulate(t, seed)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if letGo < 5*int(seeds) {
		t.Errorf("only %d were let go of, so this test finds nothing", letGo)
	}
}

func simulate(t *testing.T, seed uint64) (letGo int) {
	rng := rand.New(rand.NewPCG(seed, 11))
	s := newService(t)
	type upload struct {
		account holdfast.ID
		pin     *blob.Pin
	}
	var under []upload
	for range 150 {
		id := holdfast.ID{byte(1 + rng.IntN(2))}
		switch what := rng.IntN(100); {
		case what < 30:
			under = append(under, upload{id, s.put(id, fmt.Sprint("photo ", rng.IntN(12)))})
		case what < 45 && len(under) > 0:
			i := rng.IntN(len(under))
			s.commit(under[i].account, under[i].pin)
			under = slices.Delete(under, i, i+1)
		case what < 60 && len(under) > 0:
			i := rng.IntN(len(under))
			under[i].pin.Release()
			under = slices.Delete(under, i, i+1)
		case what < 66:
			under = nil
			s.start()
		case what < 69:
			s.clock.Set(s.clock.Now().Add(time.Duration(rng.Int64N(int64(20000 * time.Hour)))))
		case what < 72:
			s.clock.Set(s.clock.Now().Add(-time.Duration(rng.Int64N(int64(20000 * time.Hour)))))
		case what < 75:
			s.unsaved = !s.unsaved
		case what < 78:
			s.mute = !s.mute
		default:
			for range 1 + rng.IntN(10) {
				s.clock.Advance(time.Duration(rng.Int64N(int64(10 * time.Hour))))
				r, err := s.c.Pass(t.Context())
				if err != nil && !s.mute {
					t.Errorf("a pass: %v", err)
				}
				letGo += r.LetGo
			}
		}
		for k := range s.named {
			if !s.there(k.account, k.hash) {
				t.Errorf("a named blob is gone")
			}
		}
		for _, u := range under {
			if !s.there(u.account, u.pin.Hash) {
				t.Errorf("a blob was let go of under its upload")
			}
		}
	}
	for _, u := range under {
		u.pin.Release()
	}
	s.mute, s.unsaved = false, false
	s.hours(72)
	for id := range s.accounts {
		if err := s.store.List(t.Context(), id, nil, 0, func(i blob.Info) error {
			if !s.named[blob1{id, i.Hash}] {
				t.Errorf("what nobody names is there for ever")
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	return letGo
}
