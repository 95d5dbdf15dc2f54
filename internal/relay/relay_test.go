package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	memblobs "holdfast/internal/blob/memory"
	"holdfast/internal/clock"
	"holdfast/internal/place"
	memplace "holdfast/internal/place/memory"
	"holdfast/internal/seal"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
)

func fine(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var storeID = holdfast.ID{0xaa}

// sick is a place that fails when it is told to.
type sick struct {
	*memplace.Place
	down, full atomic.Bool
	slow       atomic.Int64                                                              // how long an append takes
	onBlob     atomic.Pointer[func(ctx context.Context, r io.Reader) (io.Reader, error)] // what happens to a blob that is put
	onPut      atomic.Pointer[func(name string) error]                                   // asked before anything is put
	blobs      atomic.Int64                                                              // puts of blobs that are under way
	most       atomic.Int64                                                              // the most at once
}

var errDown = errors.New("the cable is out")

func (s *sick) fault() error {
	switch {
	case s.down.Load():
		return place.Err("Append", holdfast.Unavailable, "", "it cannot be reached", errDown)
	case s.full.Load():
		return place.Err("Append", holdfast.Full, "", "its disk is full", nil)
	}
	return nil
}

func (s *sick) Append(ctx context.Context, name string, at int64, p []byte) error {
	time.Sleep(time.Duration(s.slow.Load()))
	if err := s.fault(); err != nil {
		return err
	}
	return s.Place.Append(ctx, name, at, p)
}

func (s *sick) Put(ctx context.Context, name string, r io.Reader) error {
	if err := s.fault(); err != nil {
		return err
	}
	if on := s.onPut.Load(); on != nil {
		if err := (*on)(name); err != nil {
			return err
		}
	}
	if strings.HasPrefix(name, "blobs/") {
		s.most.Store(max(s.most.Load(), s.blobs.Add(1)))
		defer s.blobs.Add(-1)
		if on := s.onBlob.Load(); on != nil {
			var err error
			if r, err = (*on)(ctx, r); err != nil {
				return err
			}
		}
	}
	return s.Place.Put(ctx, name, r)
}

func (s *sick) Get(ctx context.Context, name string, at, n int64) (io.ReadCloser, error) {
	if s.down.Load() {
		return nil, s.fault()
	}
	return s.Place.Get(ctx, name, at, n)
}

// rig is a store with vaults.
type rig struct {
	t      *testing.T
	engine store.Engine
	blobs  *memblobs.Store // the store's own
	ring   *seal.Ring
	places map[string]*sick
	r      *Relay
	stop   func()
	m      *storetest.Maker
	a, b   storetest.Account

	mu        sync.Mutex
	conflicts []Conflict
}

func newRig(t *testing.T, policy string, degraded bool, vaults ...string) *rig {
	t.Helper()
	ring, err := seal.NewRing(false)
	fine(t, err)
	g := &rig{t: t, engine: memory.New(), blobs: memblobs.New(nil), ring: ring, places: map[string]*sick{}, m: storetest.NewMaker(1)}
	for _, name := range vaults {
		g.places[name] = g.create(name)
	}
	g.start(policy, degraded)
	g.a, g.b = storetest.NewAccount(t, g.m, g.engine, "ann@example.org"), storetest.NewAccount(t, g.m, g.engine, "bob@example.org")
	return g
}

func (g *rig) create(name string) *sick {
	s := &sick{Place: memplace.New(clock.System)}
	_, err := vault.Create(context.Background(), vault.Options{Place: s, Ring: g.ring}, vault.Meta{Vault: holdfast.NewID(nil), Store: storeID, Name: name, Created: time.Unix(1, 0)})
	fine(g.t, err)
	return s
}

func (g *rig) options(policy string, degraded bool) Options {
	p, err := ParsePolicy(policy)
	fine(g.t, err)
	o := Options{Engine: g.engine, Store: storeID, Policy: p, Degraded: degraded, Backoff: 5 * time.Millisecond, Patience: 300 * time.Millisecond, Conflict: func(_ context.Context, c Conflict) error {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.conflicts = append(g.conflicts, c)
		return nil
	}}
	o.OpenBlob = func(ctx context.Context, account holdfast.ID, b holdfast.Blob) (blob.File, error) {
		return g.blobs.Open(ctx, account, b.Hash)
	}
	for name, s := range g.places {
		o.Vaults = append(o.Vaults, Attached{Name: name, Domain: "d-" + name, Kind: "memory", Open: func(ctx context.Context) (*vault.Vault, error) {
			return vault.Open(ctx, vault.Options{Place: s, Ring: g.ring, SegmentOctets: 8 << 10})
		}})
	}
	return o
}

// start starts the relay as a process does.
func (g *rig) start(policy string, degraded bool) {
	g.t.Helper()
	fine(g.t, g.run(policy, degraded))
	g.until("whole", g.r.Met)
}

// run is start without waiting for the vaults, whatever they are like. It returns what the comparison says.
func (g *rig) run(policy string, degraded bool) error { return g.runWith(g.options(policy, degraded)) }

func (g *rig) runWith(o Options) error {
	r, err := New(o)
	fine(g.t, err)
	err = r.Reconcile(g.t.Context())
	ctx, cancel := context.WithCancel(g.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	g.r, g.stop = r, sync.OnceFunc(func() { cancel(); <-done })
	g.t.Cleanup(g.stop)
	return err
}

func (g *rig) until(what string, ok func() bool) {
	g.t.Helper()
	for range 2000 {
		if ok() {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	g.t.Fatalf("never %s: %+v", what, g.r.Status())
}

func (g *rig) put(a storetest.Account, name string) holdfast.Receipt {
	g.t.Helper()
	r, err := g.engine.Commit(g.t.Context(), storetest.Sealed(a.ID, g.m.Put(a.Book, name, "", storetest.Card(name, name, ""))))
	fine(g.t, err)
	return r
}

func (g *rig) wait(r holdfast.Receipt) (string, string, error) {
	ctx, cancel := context.WithTimeout(g.t.Context(), 5*time.Second)
	defer cancel()
	copies, policy, err := g.r.Wait(ctx, r.Batch)
	return strings.Join(copies, " "), policy, err
}

// held compares a vault with the engine, batch by batch.
func (g *rig) held(name string) {
	g.t.Helper()
	v, err := vault.Open(g.t.Context(), vault.Options{Place: g.places[name], Ring: g.ring})
	fine(g.t, err)
	m := memory.New()
	fine(g.t, v.Frames(g.t.Context(), 0, func(b *holdfast.Batch, _ time.Time) error { return m.Apply(g.t.Context(), b) }))
	if got, want := m.Info().Position, g.engine.Info().Position; got != want {
		g.t.Fatalf("the vault %s rebuilds %+v, the store is at %+v", name, got, want)
	}
}

func TestPolicy(t *testing.T) {
	for text, want := range map[string]string{"engine": "engine", "engine+local": "engine+local", "engine + 2of(local, attic,s3)": "engine+2of(local,attic,s3)", "engine+1of(a)+b": "engine+a+b"} {
		if p, err := ParsePolicy(text); err != nil || p.String() != want {
			t.Errorf("%q is %q, %v", text, p, err)
		}
	}
	for _, bad := range []string{"", "local", "engine+", "engine+engine", "engine+Local", "engine+3of(a,b)", "engine+0of(a)", "engine+2of(a,b", "engine+a+a", "engine+xof(a)"} {
		if _, err := ParsePolicy(bad); !holdfast.IsKind(err, holdfast.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	p, _ := ParsePolicy("engine+2of(a,b,c)+d")
	for _, x := range []struct {
		a, b, c, d uint64
		want       uint64
	}{{9, 8, 7, 9, 8}, {9, 8, 7, 3, 3}, {1, 2, 3, 9, 2}, {11, 12, 7, 11, 11}} {
		got, ok := p.acked(10, map[string]mark{"a": {true, x.a}, "b": {true, x.b}, "c": {true, x.c}, "d": {true, x.d}})
		if !ok || got != x.want {
			t.Errorf("%+v gives %d", x, got)
		}
	}
	if _, ok := p.acked(10, map[string]mark{"a": {true, 9}, "b": {false, 9}, "c": {false, 9}, "d": {true, 9}}); ok {
		t.Error("one of three is two")
	}
}

func TestAcknowledged(t *testing.T) {
	g := newRig(t, "engine+local", false, "local", "attic")
	for i := range 50 {
		copies, policy, err := g.wait(g.put(g.a, fmt.Sprint(i)))
		if err != nil || policy != "engine+local" || !strings.HasPrefix(copies, "engine ") || !strings.Contains(copies, "local") {
			t.Fatal(copies, policy, err)
		}
	}
	g.until("attic has all", func() bool { return len(g.r.copies(g.engine.Info().Position.Batch)) == 3 })
	g.held("local")
	g.held("attic")
	if s := g.r.Status(); s.Verdict != VerdictOK || s.Copies != 3 || s.Domains != 3 {
		t.Errorf("%+v", s)
	}
}

func TestManyWriters(t *testing.T) {
	g := newRig(t, "engine+local", false, "local")
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range 40 {
				r, err := g.engine.Commit(t.Context(), storetest.Sealed(g.a.ID, g.m.Put(g.a.Book, fmt.Sprint(n, i), "", []byte("x"))))
				if err == nil {
					_, _, err = g.r.Wait(t.Context(), r.Batch)
				}
				if err != nil || g.r.Acked() < r.Batch {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	g.held("local")
}

func TestStrictRefusesWithoutItsVault(t *testing.T) {
	for _, how := range []string{"down", "full"} {
		g := newRig(t, "engine+local", false, "local")
		_, _, err := g.wait(g.put(g.a, "1"))
		fine(t, err)
		s := g.places["local"]
		if how == "down" {
			s.down.Store(true)
		} else {
			s.full.Store(true)
		}
		r := g.put(g.a, "2")
		if _, _, err := g.wait(r); !holdfast.IsKind(err, holdfast.Unavailable) {
			t.Fatalf("%s: acknowledged, %v", how, err)
		}
		if g.r.Acked() >= r.Batch {
			t.Fatal("acked without its vault")
		}
		g.until("refused", func() bool { return holdfast.IsKind(g.r.Ready(), holdfast.Unavailable) })
		s.down.Store(false)
		s.full.Store(false)
		g.until("ready again", func() bool { return g.r.Ready() == nil })
		if copies, policy, err := g.wait(r); err != nil || copies != "engine local" || policy != "engine+local" {
			t.Fatal(copies, policy, err)
		}
		g.held("local")
	}
}

func TestDegradedGoesOnAlone(t *testing.T) {
	g := newRig(t, "engine+local", true, "local")
	g.places["local"].down.Store(true)
	r := g.put(g.a, "1")
	g.until("alone", func() bool {
		copies, policy, err := g.wait(r)
		return err == nil && copies == "engine" && policy == "engine"
	})
	if g.r.Ready() != nil || g.r.Acked() != r.Batch {
		t.Fatal("it waits for a vault that is down")
	}
	g.places["local"].down.Store(false)
	g.until("whole", func() bool {
		copies, policy, err := g.wait(r)
		return err == nil && copies == "engine local" && policy == "engine+local"
	})
	g.held("local")
}

func TestASlowVaultIsSaidSlow(t *testing.T) {
	g := newRig(t, "engine+local", false, "local")
	g.places["local"].slow.Store(int64(2 * time.Second))
	r := g.put(g.a, "1")
	if _, _, err := g.wait(r); !holdfast.IsKind(err, holdfast.Unavailable) {
		t.Fatalf("acknowledged by a vault that did not answer: %v", err)
	}
	g.places["local"].slow.Store(0)
	g.until("acked", func() bool { return g.r.Acked() >= r.Batch })
}

func TestANewVaultIsFilled(t *testing.T) {
	g := newRig(t, "engine", false)
	for i := range 300 {
		g.put(g.a, fmt.Sprint(i%7))
	}
	s := g.create("attic")
	s.slow.Store(int64(5 * time.Millisecond))
	g.places["attic"] = s
	fine(t, g.r.Attach(g.options("engine", false).Vaults[0]))
	g.until("whole", func() bool { return g.r.Status().Vaults[0].State == Whole })
	g.held("attic")
	if err := g.r.Attach(g.options("engine", false).Vaults[0]); !holdfast.IsKind(err, holdfast.Exists) {
		t.Fatal(err)
	}
	fine(t, g.r.Detach("attic"))
	if n := len(g.r.Status().Vaults); n != 0 {
		t.Fatal(n)
	}
}

// rebuilt returns an engine that is what ours was after a batch.
func (g *rig) rebuilt(upto uint64) *memory.Engine {
	m := memory.New()
	fine(g.t, g.engine.After(g.t.Context(), 0, 0, func(b *holdfast.Batch) error {
		if b.Batch > upto {
			return nil
		}
		return m.Apply(g.t.Context(), b)
	}))
	return m
}

func TestAStoreFromAnOlderImageIsBroughtUp(t *testing.T) {
	g := newRig(t, "engine+local", false, "local", "attic")
	for i := range 60 {
		_, _, err := g.wait(g.put([]storetest.Account{g.a, g.b}[i%2], fmt.Sprint(i%9)))
		fine(t, err)
	}
	end := g.engine.Info().Position
	for _, back := range []uint64{end.Batch, end.Batch - 1, 30, 3, 2, 1, 0} {
		g.stop()
		g.engine = g.rebuilt(back)
		g.start("engine+local", false)
		if got := g.engine.Info().Position; got != end {
			t.Fatalf("put back to batch %d it is at %+v, want %+v", back, got, end)
		}
	}
	if _, _, err := g.wait(g.put(g.b, "later")); err != nil {
		t.Fatal(err)
	}
	g.held("local")
}

func TestAKilledStoreShipsWhatItHadNotShipped(t *testing.T) {
	g := newRig(t, "engine+local", false, "local")
	g.places["local"].down.Store(true)
	for i := range 20 {
		g.put(g.a, fmt.Sprint(i))
	}
	g.stop()
	g.places["local"].down.Store(false)
	g.places["local"].Place = g.places["local"].Clone() // nobody has its lease
	g.start("engine+local", false)
	g.until("shipped", func() bool { return g.r.Acked() == g.engine.Info().Position.Batch })
	g.held("local")
}

func TestDifferentWays(t *testing.T) {
	g := newRig(t, "engine+local", false, "local")
	for i := range 10 {
		_, _, err := g.wait(g.put(g.a, fmt.Sprint(i)))
		fine(t, err)
	}
	common := g.engine.Info().Position
	old := g.rebuilt(common.Batch)
	carol := storetest.NewAccount(t, g.m, g.engine, "carol@example.org")
	g.put(g.a, "theirs")
	_, _, err := g.wait(g.put(carol, "carol's"))
	fine(t, err)
	g.stop()
	// The image goes on by itself, while the vault is out of reach.
	g.engine = old
	g.put(g.a, "ours")
	g.put(g.b, "bob's")
	g.start("engine+local", false)
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.conflicts) != 1 || g.conflicts[0].Account != g.a.ID || g.conflicts[0].Common != 14 || g.conflicts[0].Ours != 15 || g.conflicts[0].Theirs != 15 {
		t.Fatalf("conflicts: %+v", g.conflicts)
	}
	g.until("shipped", func() bool { return g.r.Acked() == g.engine.Info().Position.Batch })
	g.held("local")
	snap, err := g.engine.Snapshot(t.Context())
	fine(t, err)
	defer snap.Close()
	for _, x := range []struct {
		a    storetest.Account
		name string
		want bool
	}{{g.a, "ours", true}, {g.a, "theirs", false}, {g.b, "bob's", true}, {carol, "carol's", true}} {
		if _, err := snap.Resource(x.a.Book, x.name, 0); (err == nil) != x.want {
			t.Errorf("%s: %v", x.name, err)
		}
	}
}

func TestAnothersVaultIsRefused(t *testing.T) {
	g := newRig(t, "engine+local", false, "local")
	g.stop()
	o := g.options("engine+local", false)
	o.Store = holdfast.ID{0xbb}
	r, err := New(o)
	fine(t, err)
	if err := r.Reconcile(t.Context()); !holdfast.IsKind(err, holdfast.Fenced) {
		t.Fatal(err)
	}
	g.places["local"].down.Store(true)
	if r, err = New(g.options("engine+local", false)); err == nil {
		err = r.Reconcile(t.Context())
	}
	if !holdfast.IsKind(err, holdfast.Unavailable) {
		t.Fatalf("a vault that cannot be reached: %v", err)
	}
	p, _ := ParsePolicy("engine+cellar")
	if _, err := New(Options{Engine: g.engine, Policy: p}); !holdfast.IsKind(err, holdfast.Invalid) || !strings.Contains(err.Error(), "cellar") {
		t.Fatal(err)
	}
}

// TestUpkeepIsInNobodysWay: an upkeep that never ends keeps no change from being acknowledged, nor the relay from stopping.
func TestUpkeepIsInNobodysWay(t *testing.T) {
	g := newRig(t, "engine+local", false, "local")
	g.stop()
	o := g.options("engine+local", false)
	began := make(chan struct{})
	o.UpkeepEvery = 8 * time.Millisecond
	o.Upkeep = func(ctx context.Context, _ *vault.Vault, w *vault.Writer) error {
		close(began)
		<-ctx.Done()
		return ctx.Err()
	}
	r, err := New(o)
	fine(t, err)
	fine(t, r.Reconcile(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	g.r = r
	<-began
	for i := range 5 {
		if _, policy, err := g.wait(g.put(g.a, fmt.Sprint(i))); err != nil || policy != "engine+local" {
			t.Fatal(policy, err)
		}
	}
	cancel()
	<-done
}
