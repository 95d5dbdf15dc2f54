package relay

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/clock"
	"holdfast/internal/place"
	"holdfast/internal/place/dir"
	memplace "holdfast/internal/place/memory"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
	"holdfast/internal/vfs"
)

// sweeper is a service whose vaults are swept.
type sweeper struct {
	*service
	t     testing.TB
	clock *clock.Fake
	wrap  func(place.Place) place.Place // what stands before the vaults' places; nil: nothing

	waited clock.Waited // both as the file has them
	state  map[string]Swept

	watch map[string]*vault.Watch // of the process
	r     *Relay
	stop  func()
}

func newSweeper(t testing.TB, open func(testing.TB, clock.Clock) place.Place) *sweeper {
	s := &sweeper{t: t, clock: clock.NewFake(time.Now()), state: map[string]Swept{}}
	s.service = newService(t, func(t testing.TB) place.Place { return open(t, s.clock) })
	s.start()
	CountService(&s.waited, s.clock.Now())
	t.Cleanup(func() { s.stop() })
	return s
}

// start starts a process.
func (s *sweeper) start() {
	p, err := ParsePolicy("engine+local")
	fine(s.t, err)
	o := Options{Engine: s.engine, Store: storeID, Policy: p, Backoff: 4 * time.Millisecond, Patience: time.Second, HeadEvery: 20 * time.Millisecond, UpkeepEvery: 50 * time.Millisecond,
		Upkeep: func(ctx context.Context, v *vault.Vault, w *vault.Writer) error { return v.Upkeep(ctx, w) },
		OpenBlob: func(ctx context.Context, account holdfast.ID, b holdfast.Blob) (blob.File, error) {
			return s.blobs.Open(ctx, account, b.Hash)
		}}
	s.watch = map[string]*vault.Watch{}
	for _, name := range []string{"local", "attic"} {
		s.watch[name] = &vault.Watch{}
		was := s.state[name]
		was.Watches(s.watch[name])
		o.Vaults = append(o.Vaults, Attached{Name: name, Open: func(ctx context.Context) (*vault.Vault, error) { return s.open(ctx, name) }})
	}
	s.r, err = New(o)
	fine(s.t, err)
	fine(s.t, s.r.Reconcile(s.t.Context()))
	s.stop = sync.OnceFunc(runs(s.r))
	s.whole()
}

func (s *sweeper) open(ctx context.Context, name string) (*vault.Vault, error) {
	p := s.places[name]
	if s.wrap != nil {
		p = s.wrap(p)
	}
	return vault.Open(ctx, vault.Options{Place: p, Ring: s.ring, SegmentOctets: 4 << 10, Watch: s.watch[name]})
}

func (s *sweeper) whole() {
	s.t.Helper()
	for i := 0; wholes(s.r) < 2; i++ {
		if i > 3000 {
			s.t.Fatalf("never whole: %+v", s.r.Status())
		}
		time.Sleep(time.Millisecond)
	}
}

// hours has the service run for hours.
func (s *sweeper) hours(n int) {
	for range n {
		s.clock.Advance(time.Hour)
		CountService(&s.waited, s.clock.Now())
	}
}

func (s *sweeper) options(name string) SweepOptions {
	return SweepOptions{State: s.state[name], Save: func(x Swept) error { s.state[name] = x; return nil }, Counted: s.waited.Total, Watch: s.watch[name],
		Open: func(ctx context.Context) (*vault.Vault, error) { return s.open(ctx, name) },
		Spool: func() (string, func(), error) {
			d, err := os.MkdirTemp(s.t.TempDir(), "spool")
			return d, func() { os.RemoveAll(d) }, err
		}}
}

func (s *sweeper) sweep(name string) SweepReport {
	s.t.Helper()
	rep, err := s.r.SweepVault(s.t.Context(), name, s.options(name))
	fine(s.t, err)
	return rep
}

// objects counts the objects of blobs in a vault.
func (s *sweeper) objects(name string) (n int) {
	s.t.Helper()
	fine(s.t, s.places[name].List(s.t.Context(), "blobs/", "", func(place.Info) error { n++; return nil }))
	return n
}

var sweptKinds = map[string]func(testing.TB, clock.Clock) place.Place{
	"memory": func(_ testing.TB, c clock.Clock) place.Place { return memplace.New(c) },
	"dir": func(t testing.TB, c clock.Clock) place.Place {
		p, err := dir.Open(vfs.OS, t.TempDir(), dir.Options{Create: true, Clock: c})
		fine(t, err)
		return p
	},
}

// TestWhatNoChangeNamesGoes: an upload breaks off, and what it left goes a day of service later, and not before; what is named stays.
func TestWhatNoChangeNamesGoes(t *testing.T) {
	for kind, open := range sweptKinds {
		t.Run(kind, func(t *testing.T) {
			s, m := newSweeper(t, open), storetest.NewMaker(1)
			a := storetest.NewAccount(t, m, s.engine, "ann@example.org")
			named, left := s.film(t, a, 1, 5000), s.film(t, a, 2, 70_000)
			for _, b := range []holdfast.Blob{named, left} {
				fine(t, Blobs{s.r}.PutBlob(t.Context(), a.ID, b, nil))
			}
			s.commit(t, m, a, "film", named)
			s.whole()
			if rep := s.sweep("local"); rep.Unnamed != 1 || rep.Objects != 2 || rep.Gone != 0 {
				t.Fatalf("%+v", rep)
			}
			s.hours(22)
			s.clock.Advance(10 * 365 * 24 * time.Hour) // a clock that is put ahead is an hour at most
			CountService(&s.waited, s.clock.Now())
			if rep := s.sweep("local"); rep.Gone != 0 || rep.Left <= 0 {
				t.Fatalf("it went early: %+v", rep)
			}
			s.hours(1)
			if rep := s.sweep("local"); rep.Gone != 1 || rep.Unnamed != 0 {
				t.Fatalf("it stays: %+v", rep)
			}
			if s.objects("local") != 1 || s.shelved(t) != 2 {
				t.Error("something else went")
			}
			fine(t, Blobs{s.r}.PutBlob(t.Context(), a.ID, left, nil)) // the same again, after it went
			s.commit(t, m, a, "film 2", left)
			s.whole()
			if s.shelved(t) != 4 {
				t.Error("what was put anew is not there")
			}
		})
	}
}

// TestSweptAtRandom has uploads that break off, or take their time, files that are stored again, replaced and deleted, accounts that are erased, restarts, and clocks that jump by years, and sweeps at any point. Nothing that any change names is ever gone; in the end nothing is there that none names.
func TestSweptAtRandom(t *testing.T) {
	for kind, open := range sweptKinds {
		for seed := range uint64(3) {
			t.Run(fmt.Sprint(kind, " ", seed), func(t *testing.T) { sweptAtRandom(t, newSweeper(t, open), seed) })
		}
	}
}

func sweptAtRandom(t *testing.T, s *sweeper, seed uint64) {
	rnd, m := rand.New(rand.NewPCG(seed, 9)), storetest.NewMaker(seed)
	people := []storetest.Account{}
	for i := range 3 {
		people = append(people, storetest.NewAccount(t, m, s.engine, fmt.Sprintf("p%d@example.org", i)))
	}
	type upload struct {
		a storetest.Account
		b holdfast.Blob
	}
	var under []upload // the vault has the octets, and the change is still to come
	counts, names := map[string]int{}, 0
	commit := func(u upload) {
		names++
		s.commit(t, m, u.a, fmt.Sprint(names), u.b)
		counts["named"]++
	}
	for range 200 {
		switch a := people[rnd.IntN(len(people))]; rnd.IntN(12) {
		case 0, 1, 2, 3:
			u := upload{a, s.film(t, a, rnd.Uint64N(40), 1+rnd.IntN(3)*40_000)} // often one that was there before
			fine(t, Blobs{s.r}.PutBlob(t.Context(), a.ID, u.b, nil))
			switch rnd.IntN(3) {
			case 0:
				commit(u)
			case 1:
				under = append(under, u)
			default:
				counts["broken off"]++
			}
		case 4:
			for _, u := range under {
				commit(u)
			}
			under = nil
		case 5:
			if rnd.IntN(4) > 0 {
				continue
			}
			s.stop()
			under = nil // their clients got no answer
			s.start()
			counts["restarts"]++
		case 6:
			s.clock.Advance(time.Duration(rnd.Int64N(int64(10 * 365 * 24 * time.Hour))))
			CountService(&s.waited, s.clock.Now())
		case 7:
			s.clock.Set(s.clock.Now().Add(-time.Duration(rnd.Int64N(int64(10 * 365 * 24 * time.Hour)))))
			CountService(&s.waited, s.clock.Now())
		case 8, 9:
			s.hours(rnd.IntN(20))
		default:
			name := []string{"local", "attic"}[rnd.IntN(2)]
			rep := s.sweep(name)
			counts["gone"] += int(rep.Gone)
			counts["held"] += len(rep.Held)
		}
		if rnd.IntN(20) == 0 {
			s.whole()
			s.shelved(t)
		}
	}
	s.whole()
	for range 6 { // days
		s.hours(25)
		for _, name := range []string{"local", "attic"} {
			counts["gone"] += int(s.sweep(name).Gone)
		}
	}
	want := map[blobKey]bool{}
	fine(t, s.r.namedBlobs(t.Context(), func(id holdfast.ID, b holdfast.Blob) error { want[blobKey{id, b}] = true; return nil }))
	for _, name := range []string{"local", "attic"} {
		if got := s.objects(name); got != len(want) {
			t.Errorf("%s has %d objects, and %d are named", name, got, len(want))
		}
	}
	s.shelved(t)
	t.Log(counts)
	if counts["gone"] < 3 || counts["named"] < 20 {
		t.Error("hardly anything was shown")
	}
}
