package relay

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/blob/blobtest"
	memblobs "holdfast/internal/blob/memory"
	"holdfast/internal/clock"
	"holdfast/internal/fault"
	"holdfast/internal/place"
	"holdfast/internal/place/dir"
	memplace "holdfast/internal/place/memory"
	"holdfast/internal/seal"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
	"holdfast/internal/vfs"
)

// kinds are places of each kind. again returns one as it is after whoever had it was killed.
var kinds = map[string]struct {
	seeds uint64 // how many are tried
	open  func(testing.TB) place.Place
	again func(place.Place) place.Place
}{
	"memory": {2, func(testing.TB) place.Place { return memplace.New(clock.System) }, func(p place.Place) place.Place { return p.(*memplace.Place).Clone() }},
	"dir": {1, func(t testing.TB) place.Place {
		p, err := dir.Open(vfs.OS, t.TempDir(), dir.Options{Create: true})
		fine(t, err)
		return p
	}, func(p place.Place) place.Place { return p }},
}

// service is a store with two vaults, of which changes wait for the first.
type service struct {
	ring   *seal.Ring
	engine *memory.Engine
	blobs  *memblobs.Store
	places map[string]place.Place
}

func newService(t testing.TB, open func(testing.TB) place.Place) *service {
	t.Helper()
	ring, err := seal.NewRing(false)
	fine(t, err)
	s := &service{ring: ring, engine: memory.New(), blobs: memblobs.New(nil), places: map[string]place.Place{}}
	for i, name := range []string{"local", "attic"} {
		s.places[name] = open(t)
		_, err = vault.Create(t.Context(), vault.Options{Place: s.places[name], Ring: ring}, vault.Meta{Vault: holdfast.ID{byte(i + 1)}, Store: storeID, Name: name})
		fine(t, err)
	}
	return s
}

// relay wires one over places whose calls go wrong as a plan says.
func (s *service) relay(t testing.TB, plan *fault.Plan) *Relay {
	t.Helper()
	p, err := ParsePolicy("engine+local")
	fine(t, err)
	o := Options{Engine: s.engine, Store: storeID, Policy: p, Backoff: 4 * time.Millisecond, Patience: 100 * time.Millisecond, HeadEvery: 7 * time.Millisecond, UpkeepEvery: 40 * time.Millisecond,
		Upkeep: func(ctx context.Context, v *vault.Vault, w *vault.Writer) error { return v.Upkeep(ctx, w) },
		OpenBlob: func(ctx context.Context, account holdfast.ID, b holdfast.Blob) (blob.File, error) {
			return s.blobs.Open(ctx, account, b.Hash)
		}}
	for _, name := range []string{"local", "attic"} {
		at := fault.Wrap(s.places[name], plan)
		o.Vaults = append(o.Vaults, Attached{Name: name, Open: func(ctx context.Context) (*vault.Vault, error) {
			return vault.Open(ctx, vault.Options{Place: at, Ring: s.ring, SegmentOctets: 4 << 10})
		}})
	}
	r, err := New(o)
	fine(t, err)
	return r
}

// runs runs a relay until stop is called.
func runs(r *Relay) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	return func() { cancel(); <-done }
}

func (s *service) film(t testing.TB, a storetest.Account, seed uint64, size int) holdfast.Blob {
	t.Helper()
	b, err := blobtest.Put(t.Context(), s.blobs, a.ID, blobtest.Octets(seed, size))
	fine(t, err)
	return b
}

func (s *service) commit(t testing.TB, m *storetest.Maker, a storetest.Account, name string, b holdfast.Blob) holdfast.Receipt {
	t.Helper()
	e := m.Put(a.Book, name, "", nil)
	e.Blob = &b
	got, err := s.engine.Commit(t.Context(), storetest.Sealed(a.ID, e))
	fine(t, err)
	return got
}

// shelved looks whether each vault has what its changes name. It returns how many blobs they name.
func (s *service) shelved(t testing.TB) (n int) {
	t.Helper()
	for _, p := range s.places {
		n += shelved(t, p, vault.Options{Ring: s.ring})
	}
	return n
}

// TestRandomFaultsWithFiles stores files and contacts while vaults fail in all ways that places can, and restarts. At no time does a vault have a change whose octets it lacks, and what was acknowledged is in the vault that it waited for.
func TestRandomFaultsWithFiles(t *testing.T) {
	for kind, k := range kinds {
		for seed := range k.seeds {
			t.Run(fmt.Sprint(kind, " ", seed), func(t *testing.T) {
				s := newService(t, k.open)
				randomFiles(t, s, seed, k.again)
			})
		}
	}
}

func randomFiles(t *testing.T, s *service, seed uint64, again func(place.Place) place.Place) {
	rnd, m := rand.New(rand.NewPCG(seed, 5)), storetest.NewMaker(seed)
	a := storetest.NewAccount(t, m, s.engine, "ann@example.org")
	counts, acked := map[string]int{}, map[holdfast.Blob]bool{}
	for round := range 8 {
		plan := fault.Seeded(seed*100+uint64(round), 60, fault.Before, fault.After, fault.Half, fault.Full)
		if round == 0 {
			plan = fault.Never()
		}
		r := s.relay(t, plan)
		for tries := 0; r.Reconcile(t.Context()) != nil; tries++ {
			if tries > 100 {
				t.Fatalf("round %d: never compared", round)
			}
		}
		stop := runs(r)
		for i := 0; i < 500 && !r.Met(); i++ {
			time.Sleep(time.Millisecond)
		}
		for i := range 25 {
			for i := 0; i < 30 && r.Ready() != nil; i++ {
				time.Sleep(time.Millisecond)
			}
			b := s.film(t, a, rnd.Uint64N(400), 1+rnd.IntN(150_000))
			err := Blobs{r}.PutBlob(t.Context(), a.ID, b, nil)
			if err != nil && rnd.IntN(3) > 0 { // now and then it is committed all the same, as it is where the engine alone is enough
				counts["refused"]++
				continue
			}
			got := s.commit(t, m, a, fmt.Sprint(round, i%9), b)
			if _, policy, err := r.Wait(t.Context(), got.Batch); err == nil && policy == "engine+local" {
				counts["acked"]++
				acked[b] = true
			} else {
				counts["not acked"]++
			}
		}
		stop()
		for name, p := range s.places {
			s.places[name] = again(p) // what a killed process held, nobody holds
		}
		counts["named"] = s.shelved(t)
		v, err := vault.Open(t.Context(), vault.Options{Place: s.places["local"], Ring: s.ring})
		fine(t, err)
		for b := range acked {
			if err := v.VerifyBlob(t.Context(), a.ID, b); err != nil {
				t.Fatalf("round %d: it was acknowledged, and %v", round, err)
			}
		}
	}
	t.Log(counts)
	if counts["acked"] < 40 || counts["refused"]+counts["not acked"] == 0 {
		t.Error("hardly anything was shown")
	}
}

// TestKilledAtEachCall has a vault filled, and the process killed at each call that it makes there. Whatever it had come to, the vault lacks no octets of what it has; the next start finishes it.
func TestKilledAtEachCall(t *testing.T) {
	for kind, k := range kinds {
		t.Run(kind, func(t *testing.T) {
			step := 1
			if kind == "dir" || testing.Short() {
				step = 3
			}
			all := killedAt(t, k.open, k.again, 0, fault.None)
			for n := 1; n <= all; n += step {
				killedAt(t, k.open, k.again, n, []fault.Act{fault.Before, fault.After, fault.Half}[n%3])
			}
			if all < 20 {
				t.Error("hardly anything was called:", all)
			}
		})
	}
}

// wholes tells how many vaults have everything.
func wholes(r *Relay) (n int) {
	for _, v := range r.Status().Vaults {
		if v.State == Whole && v.LagChanges == 0 {
			n++
		}
	}
	return n
}

// killedAt makes one run, and returns how many calls there were.
func killedAt(t *testing.T, open func(testing.TB) place.Place, again func(place.Place) place.Place, n int, act fault.Act) int {
	t.Helper()
	s, m := newService(t, open), storetest.NewMaker(7)
	a := storetest.NewAccount(t, m, s.engine, "ann@example.org")
	for i := range 6 {
		s.commit(t, m, a, fmt.Sprint(i), s.film(t, a, uint64(i), 1000+i*30_000))
	}
	plan := fault.Never()
	if n > 0 {
		plan = fault.Cut(n, act)
	}
	r := s.relay(t, plan)
	if r.Reconcile(t.Context()) == nil {
		stop := runs(r)
		for i := 0; i < 3000 && plan.Struck() == 0 && wholes(r) < 2; i++ {
			time.Sleep(time.Millisecond)
		}
		stop()
	}
	for name, p := range s.places {
		s.places[name] = again(p)
	}
	s.shelved(t)
	r = s.relay(t, fault.Never())
	fine(t, r.Reconcile(t.Context()))
	defer runs(r)()
	for i := 0; wholes(r) < 2; i++ {
		if i > 3000 {
			t.Fatalf("killed at call %d (%v), it never becomes whole: %+v", n, act, r.Status())
		}
		time.Sleep(time.Millisecond)
	}
	if got := s.shelved(t); got != 12 {
		t.Errorf("killed at call %d (%v): %d blobs", n, act, got)
	}
	return plan.Calls()
}
