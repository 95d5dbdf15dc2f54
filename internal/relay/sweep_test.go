package relay

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
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
	t      testing.TB
	clock  *clock.Fake
	wrap   func(place.Place) place.Place // what stands before the vaults' places; nil: nothing
	byList bool                          // the vaults are told by lists
	retry  time.Duration                 // what they do not let go of; zero: the default

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
	CountService(&s.waited, s.clock.Now(), time.Hour)
	t.Cleanup(func() { s.stop() })
	return s
}

// start starts a process.
func (s *sweeper) start() {
	p, err := ParsePolicy("engine+local")
	fine(s.t, err)
	o := Options{Engine: s.engine, Store: storeID, Policy: p, Backoff: 4 * time.Millisecond, Patience: 20 * time.Second, HeadEvery: 20 * time.Millisecond, UpkeepEvery: 50 * time.Millisecond,
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
		CountService(&s.waited, s.clock.Now(), time.Hour)
	}
}

func (s *sweeper) options(name string) SweepOptions {
	return SweepOptions{State: s.state[name], Save: func(x Swept) error { s.state[name] = x; return nil }, Counted: s.waited.Total, Watch: s.watch[name], ByList: s.byList, Again: s.retry,
		Open: func(ctx context.Context) (*vault.Vault, error) { return s.read(ctx, name) },
		Spool: func() (string, func(), error) {
			d, err := os.MkdirTemp(s.t.TempDir(), "spool")
			return d, func() { os.RemoveAll(d) }, err
		}}
}

// lasting is a place that others have open too.
type lasting struct{ place.Place }

func (lasting) Close() error { return nil }

func (s *sweeper) read(ctx context.Context, name string) (*vault.Vault, error) {
	return vault.Open(ctx, vault.Options{Place: lasting{s.places[name]}, Ring: s.ring, Watch: s.watch[name]})
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
			CountService(&s.waited, s.clock.Now(), time.Hour)
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
		for seed := range kinds[kind].seeds {
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
			CountService(&s.waited, s.clock.Now(), time.Hour)
		case 7:
			s.clock.Set(s.clock.Now().Add(-time.Duration(rnd.Int64N(int64(10 * 365 * 24 * time.Hour)))))
			CountService(&s.waited, s.clock.Now(), time.Hour)
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

// TestUploadsWhileItIsSwept has many put and store the same few files over and over, and break off, while both vaults are swept without a pause and with hardly any grace. What is stored is in the vaults.
func TestUploadsWhileItIsSwept(t *testing.T) {
	for kind, open := range sweptKinds {
		t.Run(kind, func(t *testing.T) {
			s, m := newSweeper(t, open), storetest.NewMaker(3)
			a := storetest.NewAccount(t, m, s.engine, "ann@example.org")
			var making sync.Mutex // of the maker
			var enough atomic.Bool
			done, all := make(chan struct{}), sync.WaitGroup{}
			for g := range 4 {
				all.Go(func() {
					rnd := rand.New(rand.NewPCG(uint64(g), 1))
					for i := 0; i < 500 && !enough.Load(); i++ {
						b := s.film(t, a, uint64(g%2*1000+i)*10+rnd.Uint64N(2), 300) // two of the four want the same
						err := Blobs{s.r}.PutBlob(t.Context(), a.ID, b, nil)
						if holdfast.IsKind(err, holdfast.Unavailable) {
							continue // it waited too long for what is about to go: nothing was promised
						}
						if err != nil {
							t.Error(err)
							return
						}
						if time.Sleep(time.Duration(rnd.IntN(80)) * time.Millisecond); rnd.IntN(3) == 0 {
							continue // it breaks off
						}
						making.Lock()
						s.commit(t, m, a, fmt.Sprint(g, " ", i), b)
						making.Unlock()
					}
				})
			}
			go func() { all.Wait(); close(done) }()
			gone, spared, held := int64(0), 0, map[string]int{}
			for over := false; !over; {
				select {
				case <-done:
					over = true
				default:
				}
				for _, name := range []string{"local", "attic"} {
					s.waited.Total += time.Hour
					s.clock.Advance(time.Second)
					o := s.options(name)
					o.Grace, o.Judge = 1, 1
					o.Told = func(names []string, _ int64) { spared += len(names) }
					rep, err := s.r.SweepVault(t.Context(), name, o)
					fine(t, err)
					if gone += rep.Gone; gone >= 8 {
						enough.Store(true)
					}
					for _, h := range rep.Held {
						held[name+": "+h]++
					}
				}
			}
			s.whole()
			if n := s.shelved(t); n == 0 || gone < 8 || int64(spared) != gone {
				t.Errorf("%d named, %d went, %d were told of", n, gone, spared)
			}
			t.Log(gone, "went", held)
		})
	}
}

// hooked is a place that says when something is about to be removed.
type hooked struct {
	place.Place
	before func(name string) error
}

func (h *hooked) Remove(ctx context.Context, name string) error {
	if err := h.before(name); err != nil {
		return err
	}
	return h.Place.Remove(ctx, name)
}

// waiting makes a service with an object in each vault that no change names, and that is due to go.
func waiting(t *testing.T) (s *sweeper, m *storetest.Maker, a storetest.Account, b holdfast.Blob) {
	s, m = newSweeper(t, sweptKinds["memory"]), storetest.NewMaker(1)
	a = storetest.NewAccount(t, m, s.engine, "ann@example.org")
	b = s.film(t, a, 1, 5000)
	fine(t, Blobs{s.r}.PutBlob(t.Context(), a.ID, b, nil))
	s.whole()
	s.sweep("local")
	s.hours(25)
	return s, m, a, b
}

// TestAnUploadMeetsARemoval: the same file is put and stored while its object is about to go. It is put anew, and the change is in the vault with it.
func TestAnUploadMeetsARemoval(t *testing.T) {
	s, m, a, b := waiting(t)
	stored := make(chan holdfast.Receipt, 1)
	s.again(func(string) error {
		go func() {
			if err := (Blobs{s.r}).PutBlob(t.Context(), a.ID, b, nil); err != nil {
				t.Error(err)
			}
			stored <- s.commit(t, m, a, "film", b)
		}()
		select {
		case r := <-stored:
			t.Error("it was told that the vault has what is about to go")
			stored <- r
		case <-time.After(50 * time.Millisecond): // whatever it does meanwhile
		}
		return nil
	})
	if rep := s.sweep("local"); rep.Gone != 1 {
		t.Fatalf("%+v", rep)
	}
	r := <-stored
	if _, _, err := s.r.Wait(t.Context(), r.Batch); err != nil {
		t.Fatal(err)
	}
	s.whole()
	s.shelved(t)
}

// again starts another process, with something that is called before each removal.
func (s *sweeper) again(before func(name string) error) {
	s.stop()
	s.wrap = func(p place.Place) place.Place { return &hooked{p, before} }
	s.start()
}

// slowPut is a place that says when a file's object is there, and has not told yet.
type slowPut struct {
	place.Place
	made func()
}

func (p *slowPut) Put(ctx context.Context, name string, r io.Reader) error {
	err := p.Place.Put(ctx, name, r)
	if vault.ParseName(name).Class == vault.BlobObject {
		p.made()
	}
	return err
}

// TestAPutThatOutlastsItsGrace: an object was there for long, unnamed, and went, before the call that made it came back. The change that names it is in the vault only with the octets.
func TestAPutThatOutlastsItsGrace(t *testing.T) {
	s, m := newSweeper(t, sweptKinds["memory"]), storetest.NewMaker(1)
	a := storetest.NewAccount(t, m, s.engine, "ann@example.org")
	s.stop()
	gone := int64(0)
	var once sync.Once
	s.wrap = func(p place.Place) place.Place {
		return &slowPut{p, func() {
			once.Do(func() {
				s.sweep("local")
				s.hours(25)
				gone = s.sweep("local").Gone
			})
		}}
	}
	s.start()
	b := s.film(t, a, 1, 5000)
	fine(t, Blobs{s.r}.PutBlob(t.Context(), a.ID, b, nil))
	s.commit(t, m, a, "film", b)
	s.whole()
	if s.shelved(t); gone != 1 {
		t.Error("it did not go")
	}
}

// TestWhatWasAskedForIsSpared: a vault that is asked for an object long after it was found unnamed, and before it goes, keeps it for another day.
func TestWhatWasAskedForIsSpared(t *testing.T) {
	s, m, a, b := waiting(t)
	s.again(func(name string) error { t.Error("goes:", name); return nil }) // the vaults are asked anew
	fine(t, Blobs{s.r}.PutBlob(t.Context(), a.ID, b, nil))
	if rep := s.sweep("local"); rep.Gone != 0 || rep.Unnamed != 1 {
		t.Fatalf("%+v", rep)
	}
	s.commit(t, m, a, "film", b)
	s.whole()
	s.hours(48)
	if rep := s.sweep("local"); rep.Gone != 0 || rep.Unnamed != 0 {
		t.Fatalf("%+v", rep)
	}
	s.shelved(t)
}

// TestAChangeThatRemembersMore: the relay put the file days ago and still knows that; meanwhile the object went. The change that names it is in the vault only with the octets.
func TestAChangeThatRemembersMore(t *testing.T) {
	s, m, a, b := waiting(t)
	if !s.r.workers["local"].shelf.has(blobKey{a.ID, b}) {
		t.Fatal("it is not remembered")
	}
	if rep := s.sweep("local"); rep.Gone != 1 {
		t.Fatalf("%+v", rep)
	}
	s.commit(t, m, a, "film", b)
	s.whole()
	if n := s.shelved(t); n != 2 {
		t.Error(n)
	}
}

// TestARemovalThatNobodyHeardTheEndOf: the request is lost on its way, the file is put and stored again, also by another process, and then the request arrives after all.
func TestARemovalThatNobodyHeardTheEndOf(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		s, m, a, b := waiting(t)
		late := ""
		s.again(func(name string) error {
			late = name
			return place.Err("Remove", holdfast.Unavailable, name, "the line is dead", nil)
		})
		if _, err := s.r.SweepVault(t.Context(), "local", s.options("local")); !holdfast.IsKind(err, holdfast.Unavailable) || late == "" {
			t.Fatal(err)
		}
		if restarted {
			s.again(func(string) error { return nil })
		}
		fine(t, Blobs{s.r}.PutBlob(t.Context(), a.ID, b, nil))
		s.commit(t, m, a, "film", b)
		s.whole()
		fine(t, s.places["local"].Remove(t.Context(), late))
		s.shelved(t)
		s.hours(50)
		s.sweep("local")
		if got := s.state["local"].Doubts; len(got) != 0 {
			t.Errorf("it is in doubt for ever: %+v", got)
		}
	}
}

// TestWhatThePlaceKeeps: where removing is Forbidden the object stays, is told of, and is tried again a week later.
func TestWhatThePlaceKeeps(t *testing.T) {
	s, _, _, _ := waiting(t)
	tries := 0
	s.again(func(name string) error {
		tries++
		return place.Err("Remove", holdfast.Forbidden, name, "this credential may not", nil)
	})
	for range 5 {
		if rep := s.sweep("local"); rep.Gone != 0 || rep.Unnamed != 1 || rep.Kept != 1 {
			t.Fatalf("%+v", rep)
		}
		s.hours(25)
	}
	if tries != 1 {
		t.Error(tries, "tries")
	}
	s.hours(48)
	if s.sweep("local"); tries != 2 {
		t.Error(tries, "tries a week later")
	}
}

// TestWhoHasNotTheNewestTermSweepsNothing: another store has taken the right to write.
func TestWhoHasNotTheNewestTermSweepsNothing(t *testing.T) {
	s, _, _, _ := waiting(t)
	taken := false
	s.again(func(string) error { return nil })
	o := s.options("local")
	o.Save = func(x Swept) error { // between the reading and the removal
		if s.state["local"] = x; len(x.Doubts) > 0 && !taken {
			taken = true
			v, err := vault.Open(t.Context(), vault.Options{Place: unleased{s.places["local"]}, Ring: s.ring})
			fine(t, err)
			end, _, err := v.End(t.Context())
			fine(t, err)
			_, err = v.Adopt(t.Context(), holdfast.ID{0xbb}, end, vault.FromEnd)
			fine(t, err)
		}
		return nil
	}
	if _, err := s.r.SweepVault(t.Context(), "local", o); !holdfast.IsKind(err, holdfast.Fenced) && !holdfast.IsKind(err, holdfast.Unavailable) || !taken {
		t.Error(err)
	}
	if s.objects("local") != 1 {
		t.Error("it went")
	}
}

// unleased is a place without a lease, as another machine sees it.
type unleased struct{ place.Place }
