package relay

import (
	"bytes"
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
	"holdfast/internal/blob/blobtest"
	"holdfast/internal/place"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
)

// film puts octets into the store, where no change names them yet.
func (g *rig) film(a storetest.Account, seed uint64, size int) holdfast.Blob {
	g.t.Helper()
	b, err := blobtest.Put(g.t.Context(), g.blobs, a.ID, blobtest.Octets(seed, size))
	fine(g.t, err)
	return b
}

// named commits a change that names a blob.
func (g *rig) named(a storetest.Account, name string, b holdfast.Blob) holdfast.Receipt {
	g.t.Helper()
	e := g.m.Put(a.Book, name, "", nil)
	e.Blob = &b
	r, err := g.engine.Commit(g.t.Context(), storetest.Sealed(a.ID, e))
	fine(g.t, err)
	return r
}

func (g *rig) putBlob(a storetest.Account, b holdfast.Blob) error {
	return Blobs{g.r}.PutBlob(g.t.Context(), a.ID, b, nil)
}

// vault opens a vault as a command would.
func (g *rig) vault(name string) *vault.Vault {
	g.t.Helper()
	v, err := vault.Open(g.t.Context(), vault.Options{Place: g.places[name].Place, Ring: g.ring})
	fine(g.t, err)
	return v
}

func (g *rig) has(name string, a storetest.Account, b holdfast.Blob) bool {
	g.t.Helper()
	err := g.vault(name).VerifyBlob(g.t.Context(), a.ID, b)
	if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
		g.t.Fatal(err)
	}
	return err == nil
}

// shelved looks whether a vault has each blob that its changes name, but for some.
func shelved(t testing.TB, p place.Place, o vault.Options, but ...holdfast.Hash) (named int) {
	t.Helper()
	o.Place = p
	v, err := vault.Open(context.Background(), o)
	fine(t, err)
	seen := map[blobKey]bool{}
	fine(t, v.Frames(context.Background(), 0, func(b *holdfast.Batch, _ time.Time) error {
	changes:
		for _, c := range b.Changes {
			if c.Blob == nil || seen[blobKey{c.Account, *c.Blob}] {
				continue
			}
			seen[blobKey{c.Account, *c.Blob}] = true
			for _, h := range but {
				if h == c.Blob.Hash {
					continue changes
				}
			}
			named++
			if err := v.VerifyBlob(context.Background(), c.Account, *c.Blob); err != nil {
				t.Errorf("the vault has batch %d, which names %v, and: %v", b.Batch, c.Blob.Hash, err)
			}
		}
		return nil
	}))
	return named
}

func (g *rig) shelved(name string, but ...holdfast.Hash) int {
	return shelved(g.t, g.places[name].Place, vault.Options{Ring: g.ring}, but...)
}

func (g *rig) caughtUp() {
	g.t.Helper()
	g.until("all caught up", func() bool {
		for _, v := range g.r.Status().Vaults {
			if v.State != Whole || v.LagChanges > 0 {
				return false
			}
		}
		return true
	})
}

// onBlob says what happens to blobs that are put into a place.
func (s *sick) on(fn func(ctx context.Context, r io.Reader) (io.Reader, error)) { s.onBlob.Store(&fn) }

func (s *sick) heal() { s.onBlob.Store(nil) }

func TestABlobIsInTheVaultBeforeItsChangeIs(t *testing.T) {
	g := newRig(t, "engine+local", false, "local", "attic")
	for i, size := range []int{1, 100_000, 3 << 20} {
		b := g.film(g.a, uint64(i), size)
		fine(t, g.putBlob(g.a, b))
		if !g.has("local", g.a, b) {
			t.Fatal("it is not in the vault that the policy waits for")
		}
		if g.has("attic", g.a, b) {
			t.Error("it is in a vault outside of the policy, though no change names it")
		}
		puts := g.places["local"].most.Load()
		fine(t, g.putBlob(g.a, b)) // again
		r := g.named(g.a, fmt.Sprint(i), b)
		if copies, _, err := g.wait(r); err != nil || !strings.Contains(copies, "local") {
			t.Fatal(copies, err)
		}
		if puts != 1 {
			t.Errorf("%d puts", puts)
		}
	}
	g.caughtUp()
	for _, name := range []string{"local", "attic"} {
		g.held(name)
		if n := g.shelved(name); n != 3 {
			t.Errorf("%s names %d", name, n)
		}
	}
}

// TestAVaultThatCatchesUpGetsTheBlobs: after it was away, and when it is new.
func TestAVaultThatCatchesUpGetsTheBlobs(t *testing.T) {
	g := newRig(t, "engine", false, "local")
	g.places["local"].down.Store(true)
	var all []holdfast.Blob
	for i := range 60 {
		b := g.film(g.a, uint64(i), 1+i*i*50)
		all = append(all, b)
		g.named(g.a, fmt.Sprint(i%20), b)
		g.named(g.a, "copy", b)
	}
	big := g.film(g.b, 99, maxPageOctets/8)
	for i := range 9 { // more than a page
		g.named(g.b, fmt.Sprint(i), big)
	}
	g.places["local"].down.Store(false)
	g.caughtUp()
	g.held("local")
	if n := g.shelved("local"); n != len(all)+1 {
		t.Errorf("%d blobs, want %d", n, len(all)+1)
	}
	g.places["attic"] = g.create("attic")
	for _, a := range g.options("engine", false).Vaults {
		if a.Name == "attic" {
			fine(t, g.r.Attach(a))
		}
	}
	g.caughtUp()
	if n := g.shelved("attic"); n != len(all)+1 {
		t.Errorf("filled with %d blobs, want %d", n, len(all)+1)
	}
	if most := g.places["attic"].most.Load(); most > putsAtOnce {
		t.Errorf("%d at once", most)
	}
}

func TestALedgerTakesNoBlobs(t *testing.T) {
	g := newRig(t, "engine", false)
	g.named(g.a, "1", g.film(g.a, 1, 1000))
	s := g.ledger("book")
	fine(t, g.r.Attach(s))
	g.caughtUp()
	if f := g.r.Status().Vaults[0].Files; f != (Files{}) {
		t.Errorf("%+v", f)
	}
}

func TestABlobWithoutItsVaultIsRefusedOrGoesOnAlone(t *testing.T) {
	g := newRig(t, "engine+local", false, "local")
	b := g.film(g.a, 1, 1000)
	g.places["local"].down.Store(true)
	_, _, _ = g.wait(g.put(g.a, "1")) // so that it is known
	g.until("refused", func() bool { return g.r.Ready() != nil })
	if err := g.putBlob(g.a, b); !holdfast.IsKind(err, holdfast.Unavailable) {
		t.Fatal(err)
	}
	g.places["local"].down.Store(false)
	g.until("ready", func() bool { return g.r.Ready() == nil })
	for _, why := range []struct {
		kind holdfast.ErrorKind
		text string
	}{{holdfast.Full, "its disk is full"}, {holdfast.Unavailable, "the cable is out"}} { // of blobs alone
		g.places["local"].on(func(context.Context, io.Reader) (io.Reader, error) {
			return nil, place.Err("Put", why.kind, "", why.text, nil)
		})
		if err := g.putBlob(g.a, b); !holdfast.IsKind(err, holdfast.Unavailable) || !strings.Contains(err.Error(), "try again") {
			t.Errorf("%s: %v", why.text, err)
		}
		if _, _, err := g.wait(g.put(g.a, "2")); err != nil {
			t.Errorf("a film that has no room keeps contacts out: %v", err)
		}
		if s := g.r.Status().Vaults[0]; s.Files.Fault != why.text {
			t.Errorf("%+v", s.Files)
		}
	}
	g.places["local"].heal()
	fine(t, g.putBlob(g.a, b))
	if s := g.r.Status().Vaults[0]; s.Files != (Files{}) {
		t.Errorf("%+v", s.Files)
	}

	g = newRig(t, "engine+local", true, "local")
	b = g.film(g.a, 1, 1000)
	g.places["local"].on(func(context.Context, io.Reader) (io.Reader, error) { return nil, errDown })
	fine(t, g.putBlob(g.a, b))
	r := g.named(g.a, "film", b)
	g.until("alone", func() bool { _, policy, err := g.wait(r); return err == nil && policy == "engine" })
	g.places["local"].heal()
	g.until("whole", func() bool { _, policy, err := g.wait(r); return err == nil && policy == "engine+local" })
	if g.shelved("local") != 1 {
		t.Error("the vault names no blob")
	}
}

// TestSomeOfSeveral: two of three are enough, and the third gets it later.
func TestSomeOfSeveral(t *testing.T) {
	g := newRig(t, "engine+2of(a,b,c)", false, "a", "b", "c")
	g.caughtUp()
	let := make(chan struct{})
	g.places["c"].on(func(_ context.Context, r io.Reader) (io.Reader, error) { <-let; return r, nil })
	b := g.film(g.a, 1, 200_000)
	fine(t, g.putBlob(g.a, b))
	if !g.has("a", g.a, b) || !g.has("b", g.a, b) {
		t.Error("it is not in two vaults")
	}
	r := g.named(g.a, "film", b)
	if copies, _, err := g.wait(r); err != nil || strings.Contains(copies, "c") {
		t.Error(copies, err)
	}
	if f := status(g, "c").Files; f.Moving != 1 || f.Of != 200_000 {
		t.Errorf("%+v", f)
	}
	close(let)
	g.caughtUp()
	if !g.has("c", g.a, b) {
		t.Error("the third has not got it")
	}
	for _, name := range []string{"a", "b"} {
		g.places[name].on(func(context.Context, io.Reader) (io.Reader, error) { return nil, errDown })
	}
	if err := g.putBlob(g.a, g.film(g.a, 2, 1000)); !holdfast.IsKind(err, holdfast.Unavailable) {
		t.Error("one of three is two:", err)
	}
}

func status(g *rig, name string) VaultStatus {
	for _, v := range g.r.Status().Vaults {
		if v.Name == name {
			return v
		}
	}
	return VaultStatus{}
}

func TestAVaultThatIsBeingFilledCountsForNothing(t *testing.T) {
	g := newRig(t, "engine+local", false, "local")
	g.stop()
	old := g.film(g.a, 1, 1000)
	g.named(g.a, "old", old)
	g.places["attic"] = g.create("attic")
	let := make(chan struct{})
	g.places["attic"].on(func(_ context.Context, r io.Reader) (io.Reader, error) { <-let; return r, nil })
	fine(t, g.run("engine+local+attic", false))
	g.until("filling", func() bool { return status(g, "attic").State == Filling && status(g, "local").State == Whole })
	b := g.film(g.a, 2, 1000)
	fine(t, g.putBlob(g.a, b))
	if !g.has("local", g.a, b) {
		t.Error("the vault that is whole was not waited for")
	}
	close(let)
	g.caughtUp()
	g.shelved("attic")
}

// trickle takes in few octets at a time, with a pause after each.
func trickle(r io.Reader, pause func()) (io.Reader, error) {
	var all bytes.Buffer
	for {
		n, err := io.CopyN(&all, r, 64<<10)
		if err == io.EOF {
			return &all, nil
		}
		if err != nil || n == 0 {
			return nil, err
		}
		pause()
	}
}

// TestItIsWaitedForAsLongAsOctetsMove: a film over a slow line takes longer than patience lasts; one that hangs is given up.
func TestItIsWaitedForAsLongAsOctetsMove(t *testing.T) {
	g := newRig(t, "engine+local", false, "local")
	g.stop()
	o := g.options("engine+local", false)
	o.Patience = 1500 * time.Millisecond // thirty times a pause: a machine that is busy pauses too
	fine(t, g.runWith(o))
	g.until("whole", g.r.Met)
	g.places["local"].on(func(_ context.Context, r io.Reader) (io.Reader, error) {
		return trickle(r, func() { time.Sleep(50 * time.Millisecond) })
	})
	began := time.Now()
	fine(t, g.putBlob(g.a, g.film(g.a, 1, 3<<20)))
	if took := time.Since(began); took < 2*time.Second {
		t.Fatalf("it took %v: patience was not tried", took)
	}
	hang := make(chan struct{})
	g.places["local"].on(func(ctx context.Context, r io.Reader) (io.Reader, error) { return trickle(r, func() { <-hang }) })
	began = time.Now()
	err := g.putBlob(g.a, g.film(g.a, 2, 2<<20))
	if took := time.Since(began); !holdfast.IsKind(err, holdfast.Unavailable) || took < o.Patience || took > time.Minute {
		t.Errorf("after %v: %v", took, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := (Blobs{g.r}).PutBlob(ctx, g.a.ID, g.film(g.a, 3, 2<<20), nil); !holdfast.IsKind(err, holdfast.Unavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error("who gave up:", err)
	}
	close(hang)
}

func TestManyAtOnceAreBounded(t *testing.T) {
	g := newRig(t, "engine+local", false, "local")
	g.places["local"].on(func(_ context.Context, r io.Reader) (io.Reader, error) {
		time.Sleep(5 * time.Millisecond)
		return r, nil
	})
	g.places["local"].most.Store(0)
	same := g.film(g.b, 1, 50_000)
	var all sync.WaitGroup
	for i := range 40 {
		b := g.film(g.a, uint64(i), 1000)
		all.Go(func() {
			if err := g.putBlob(g.a, b); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			if err := g.putBlob(g.b, same); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if most := g.places["local"].most.Load(); most > putsAtOnce {
		t.Errorf("%d at once", most)
	}
	if n := len(g.objects("local")); n != 41 {
		t.Errorf("%d objects", n)
	}
}

// objects returns the names of the blobs' objects in a vault.
func (g *rig) objects(name string) (out []string) {
	fine(g.t, g.places[name].Place.List(context.Background(), "blobs/", "", func(i place.Info) error { out = append(out, i.Name); return nil }))
	return out
}

// rotting is a store of blobs of which one is damaged in the middle, or gone.
func (g *rig) rotting(h holdfast.Hash, err error) (heal func()) {
	var healed atomic.Bool
	o := g.options("engine+local", false)
	own := o.OpenBlob
	o.UpkeepEvery = 80 * time.Millisecond
	o.OpenBlob = func(ctx context.Context, account holdfast.ID, b holdfast.Blob) (blob.File, error) {
		f, e := own(ctx, account, b)
		if b.Hash == h && e == nil && !healed.Load() {
			return rotten1{f, err}, nil
		}
		return f, e
	}
	g.stop()
	fine(g.t, g.runWith(o))
	g.until("whole", g.r.Met)
	return func() { healed.Store(true) }
}

type rotten1 struct {
	blob.File
	err error
}

func (f rotten1) ReadAt(p []byte, at int64) (int, error) {
	if at+int64(len(p)) > f.Size()/2 {
		return 0, f.err
	}
	return f.File.ReadAt(p, at)
}

func TestWhatTheStoreHasDamagedIsTakenFromAnotherVault(t *testing.T) {
	for what, rot := range map[string]bool{"damaged": true, "gone": false} {
		g := newRig(t, "engine+local", false, "local")
		b := g.film(g.a, 1, 1<<20)
		fine(t, g.putBlob(g.a, b))
		g.named(g.a, "film", b)
		g.caughtUp()
		if rot {
			g.rotting(b.Hash, blob.Damaged("Open", b.Hash, "a bit turned"))
		} else {
			fine(t, g.blobs.Remove(t.Context(), g.a.ID, b.Hash))
		}
		g.places["attic"] = g.create("attic")
		for _, a := range g.options("engine+local", false).Vaults {
			if a.Name == "attic" {
				fine(t, g.r.Attach(a))
			}
		}
		g.caughtUp()
		if !g.has("attic", g.a, b) || g.shelved("attic") != 1 {
			t.Errorf("%s: the new vault lacks it", what)
		}
		if f := status(g, "attic").Files; f.Missing != 0 {
			t.Errorf("%s: %+v", what, f)
		}
	}
}

func TestOneRottenFileKeepsNothingElseWithoutACopy(t *testing.T) {
	g := newRig(t, "engine+local", false, "local")
	b := g.film(g.a, 1, 1<<20)
	heal := g.rotting(b.Hash, blob.Damaged("Open", b.Hash, "a bit turned"))
	if err := g.putBlob(g.a, b); !holdfast.IsKind(err, holdfast.Unavailable) || !strings.Contains(err.Error(), "cannot be read back") {
		t.Error("what cannot be read back is taken:", err)
	}
	g.named(g.a, "film", b) // as an older store has it
	other := g.film(g.a, 2, 1000)
	fine(t, g.putBlob(g.a, other))
	for _, r := range []holdfast.Receipt{g.named(g.a, "other", other), g.put(g.a, "card")} {
		if _, _, err := g.wait(r); err != nil {
			t.Fatal(err)
		}
	}
	if f := status(g, "local").Files; f.Missing != 1 {
		t.Errorf("it is not said: %+v", f)
	}
	if g.shelved("local", b.Hash) != 1 || g.has("local", g.a, b) {
		t.Error("something else is in the vault")
	}
	heal()
	g.until("there", func() bool { return status(g, "local").Files.Missing == 0 })
	g.shelved("local")
}

// TestADiskThatIsAwayStopsTheVault, as then not this one file is lost.
func TestADiskThatIsAwayStopsTheVault(t *testing.T) {
	g := newRig(t, "engine+local", false, "local")
	b := g.film(g.a, 1, 1<<20)
	heal := g.rotting(b.Hash, blob.Err("Open", holdfast.Unavailable, "", "its disk is not mounted", nil))
	g.named(g.a, "film", b)
	r := g.put(g.a, "card")
	if _, _, err := g.wait(r); !holdfast.IsKind(err, holdfast.Unavailable) {
		t.Error("a change passed a blob that may be there:", err)
	}
	g.until("said", func() bool { return strings.Contains(status(g, "local").Reason, "not mounted") })
	heal()
	g.until("acked", func() bool { return g.r.Acked() >= r.Batch })
	g.shelved("local")
}

// TestAnotherFileUnderItsNameIsNotTaken: a vault that gives other octets of the same length spoils no other one.
func TestAnotherFileUnderItsNameIsNotTaken(t *testing.T) {
	g := newRig(t, "engine+local", false, "local")
	one, two := g.film(g.a, 1, 300_000), g.film(g.a, 2, 300_000)
	fine(t, errors.Join(g.putBlob(g.a, one), g.putBlob(g.a, two)))
	g.named(g.a, "1", one)
	g.named(g.a, "2", two)
	g.caughtUp()
	list := g.objects("local")
	p := g.places["local"].Place
	first, err := place.ReadAll(t.Context(), p, list[0], 1<<20)
	fine(t, err)
	second, err := place.ReadAll(t.Context(), p, list[1], 1<<20)
	fine(t, err)
	for name, octets := range map[string][]byte{list[0]: second, list[1]: first} {
		fine(t, p.Remove(t.Context(), name))
		fine(t, p.Put(t.Context(), name, bytes.NewReader(octets)))
	}
	fine(t, g.blobs.Remove(t.Context(), g.a.ID, one.Hash))
	g.places["attic"] = g.create("attic")
	for _, a := range g.options("engine+local", false).Vaults {
		if a.Name == "attic" {
			fine(t, g.r.Attach(a))
		}
	}
	g.caughtUp()
	if g.has("attic", g.a, one) || !g.has("attic", g.a, two) || status(g, "attic").Files.Missing != 1 {
		t.Errorf("%+v", status(g, "attic").Files)
	}
}

// TestAnErasedAccountIsNotWaitedFor: neither its octets nor its key are there any more.
func TestAnErasedAccountIsNotWaitedFor(t *testing.T) {
	g := newRig(t, "engine", false, "local")
	g.places["local"].down.Store(true)
	b := g.film(g.a, 1, 1000)
	g.named(g.a, "film", b)
	fine(t, g.engine.Erase(t.Context(), g.a.ID))
	fine(t, g.blobs.Remove(t.Context(), g.a.ID, b.Hash))
	g.put(g.b, "card")
	g.places["local"].down.Store(false)
	g.caughtUp()
	if f := status(g, "local").Files; f.Missing != 0 || len(g.objects("local")) != 0 {
		t.Errorf("%+v", f)
	}
	leaving := g.m.Record(g.b.ID, g.b.Login)
	leaving.Body = holdfast.AccountRecord{Email: g.b.Login, State: holdfast.Erasing, Created: leaving.At}.Encode()
	_, err := g.engine.Commit(t.Context(), storetest.Sealed(g.b.ID, leaving))
	fine(t, err)
	fine(t, g.r.Beside(t.Context(), "local", func(ctx context.Context, v *vault.Vault, w *vault.Writer) error {
		_, err := v.Erase(ctx, w, g.b.ID, nil)
		return err
	}))
	b = g.film(g.b, 2, 1000)
	r := g.named(g.b, "film", b) // the vault has erased it, and the store not yet
	g.until("passed", func() bool { return len(g.r.copies(r.Batch)) == 2 })
	if len(g.objects("local")) != 0 {
		t.Error("it is there")
	}
}

// TestWhoWorksAloneWaitsForNoFilm: a vault is detached, and mended alone, while a film is on its way.
func TestWhoWorksAloneWaitsForNoFilm(t *testing.T) {
	g := newRig(t, "engine+local", false, "local", "attic")
	g.caughtUp()
	block := func(ctx context.Context, r io.Reader) (io.Reader, error) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	g.places["local"].on(block)
	g.places["attic"].on(block)
	b := g.film(g.a, 1, 1<<20)
	said := make(chan error, 1)
	go func() { said <- g.putBlob(g.a, b) }()
	g.until("on its way", func() bool { return g.places["local"].blobs.Load() == 1 })
	w := g.r.workers["local"]
	fine(t, w.alone(t.Context(), func() error {
		if n := g.places["local"].blobs.Load(); n != 0 {
			t.Errorf("%d are on their way", n)
		}
		return nil
	}))
	if err := <-said; !holdfast.IsKind(err, holdfast.Unavailable) {
		t.Error(err)
	}
	g.named(g.a, "film", b)
	g.until("on its way", func() bool { return g.places["attic"].blobs.Load() == 1 })
	fine(t, g.r.Detach("attic"))
	if n := g.places["attic"].blobs.Load(); n != 0 {
		t.Errorf("%d are on their way", n)
	}
}

// TestAFilmOnItsWayKeepsNothingBehindIt: what was shipped before it gets its head, and a vault that lost it is found out.
func TestAFilmOnItsWayKeepsNothingBehindIt(t *testing.T) {
	g := newRig(t, "engine", false, "attic")
	g.stop()
	o := g.options("engine", false)
	o.HeadEvery, o.Late = 20*time.Millisecond, 40*time.Millisecond
	fine(t, g.runWith(o))
	g.caughtUp()
	let := make(chan struct{})
	g.places["attic"].on(func(_ context.Context, r io.Reader) (io.Reader, error) { <-let; return r, nil })
	r := g.put(g.a, "card")
	g.until("shipped", func() bool { return len(g.r.copies(r.Batch)) == 2 })
	g.named(g.a, "film", g.film(g.a, 1, 1<<20))
	g.until("on its way", func() bool { return g.places["attic"].blobs.Load() == 1 })
	last := g.put(g.b, "behind it")
	g.until("named by a head", func() bool {
		h, err := g.vault("attic").LastHead(t.Context())
		return err == nil && h.Position.Batch == r.Batch
	})
	if len(g.r.copies(last.Batch)) != 1 {
		t.Error("a change passed the film")
	}
	p := g.places["attic"].Place // it loses what it stored
	var frames string
	fine(t, p.List(t.Context(), "tail/", "", func(i place.Info) error {
		if strings.HasSuffix(i.Name, ".frames") {
			frames = i.Name
		}
		return nil
	}))
	fine(t, p.Remove(t.Context(), frames))
	g.until("found out", func() bool { return !status(g, "attic").Lied.IsZero() })
	close(let)
	g.caughtUp()
}
