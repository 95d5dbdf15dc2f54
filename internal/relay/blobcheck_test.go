package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
)

// spoil changes what lies under a name; nil: it is removed.
func (g *rig) spoil(vault, object string, fn func([]byte) []byte) {
	g.t.Helper()
	p := g.places[vault].Place
	b, err := place.ReadAll(g.t.Context(), p, object, 64<<20)
	fine(g.t, err)
	fine(g.t, p.Remove(g.t.Context(), object))
	if fn != nil {
		fine(g.t, p.Put(g.t.Context(), object, bytes.NewReader(fn(b))))
	}
}

// objectOf returns the name of a blob's object.
func (g *rig) objectOf(vault string, a storetest.Account, b holdfast.Blob) string {
	g.t.Helper()
	v := g.vault(vault)
	for _, name := range g.objects(vault) {
		p := g.places[vault].Clone()
		fine(g.t, p.Remove(g.t.Context(), name))
		w, err := openAt(p, g)
		fine(g.t, err)
		if has, _ := w.HasBlob(g.t.Context(), a.ID, b); !has {
			if has, _ := v.HasBlob(g.t.Context(), a.ID, b); has {
				return name
			}
		}
	}
	g.t.Fatalf("the vault %s has no object of %v", vault, b.Hash)
	return ""
}

func openAt(p place.Place, g *rig) (*vault.Vault, error) {
	return vault.Open(g.t.Context(), vault.Options{Place: p, Ring: g.ring})
}

// check looks at a vault, and returns what was found.
func (g *rig) check(name string, o BlobCheck) (BlobReport, []BlobFinding) {
	g.t.Helper()
	var list []BlobFinding
	o.Found = func(f BlobFinding) { list = append(list, f) }
	if o.Upto == 0 {
		o.Upto = g.engine.Position().Batch
	}
	rep, err := g.r.CheckBlobs(g.t.Context(), g.vault(name), o)
	fine(g.t, err)
	if int(rep.Found) != len(list) {
		g.t.Errorf("%+v, and %d were told", rep, len(list))
	}
	return rep, list
}

// album is a rig with files in the store and in its vaults.
func album(t *testing.T) (g *rig, blobs []holdfast.Blob) {
	g = newRig(t, "engine+local", false, "local", "attic")
	for i := range 12 {
		a := []storetest.Account{g.a, g.b}[i%2]
		b := g.film(a, uint64(i), 1000+i*20_000)
		blobs = append(blobs, b)
		g.named(a, fmt.Sprint("photo ", i), b)
	}
	for i := range 2 { // one is replaced, one deleted
		g.named(g.a, fmt.Sprint("photo ", 2*i), blobs[4])
		_, err := g.engine.Commit(t.Context(), storetest.Sealed(g.b.ID, g.m.Delete(g.b.Book, fmt.Sprint("photo ", 1))))
		if i == 0 {
			fine(t, err)
		}
	}
	g.caughtUp()
	return g, blobs
}

func TestAVaultThatHasAllBlobsHasThem(t *testing.T) {
	g, blobs := album(t)
	for _, deep := range []bool{false, true} {
		rep, list := g.check("local", BlobCheck{Deep: deep})
		octets := int64(0)
		for _, b := range blobs {
			octets += b.Size
		}
		if len(list) > 0 || rep.Blobs != 12 || rep.Octets != octets {
			t.Errorf("%+v %+v", rep, list)
		}
	}
}

func TestWhatAVaultLacksIsFoundAndMended(t *testing.T) {
	g, blobs := album(t)
	of := func(i int) string { return g.objectOf("local", []storetest.Account{g.a, g.b}[i%2], blobs[i]) }
	gone, replaced, deleted, short, rotten := of(3), of(0), of(1), of(6), of(9)
	other, err := place.ReadAll(t.Context(), g.places["local"].Place, of(11), 1<<20)
	fine(t, err)
	g.spoil("local", gone, nil)
	g.spoil("local", replaced, nil)
	g.spoil("local", deleted, nil)
	g.spoil("local", short, func(b []byte) []byte { return b[:len(b)-1] })
	g.spoil("local", rotten, func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
	names := func(list []BlobFinding) (out []string) {
		for _, f := range list {
			out = append(out, f.Name+"/"+fmt.Sprint(f.Seq > 0, f.Mended))
		}
		slices.Sort(out)
		return out
	}
	_, list := g.check("local", BlobCheck{})
	if got := names(list); !slices.Equal(got, []string{"photo 0/true false", "photo 1/true false", "photo 3/true false", "photo 6/true false"}) {
		t.Errorf("by names and lengths: %v", got)
	}
	_, list = g.check("local", BlobCheck{Deep: true})
	if len(list) != 5 || list[0].Damage.Object == "" || !strings.HasPrefix(list[0].Damage.Object, "blobs/") {
		t.Errorf("by octets: %+v", list)
	}
	// One is nowhere, and one in the other vault alone.
	fine(t, g.blobs.Remove(t.Context(), g.b.ID, blobs[3].Hash))
	fine(t, g.blobs.Remove(t.Context(), g.a.ID, blobs[0].Hash))
	g.spoil("attic", g.objectOf("attic", g.a, blobs[0]), func([]byte) []byte { return other })
	rep, list := g.check("local", BlobCheck{Deep: true, Into: "local"})
	if got := names(list); !slices.Equal(got, []string{"photo 0/true false", "photo 1/true true", "photo 3/true true", "photo 6/true true", "photo 9/true true"}) || rep.Mended != 4 {
		t.Errorf("mended: %v, %+v", got, rep)
	}
	for _, f := range list {
		if (f.Why == "") != f.Mended {
			t.Errorf("%+v", f)
		}
	}
	if _, list = g.check("local", BlobCheck{Deep: true}); len(list) != 1 || list[0].Blob != blobs[0] {
		t.Errorf("afterwards: %+v", list)
	}
	g.film(g.a, 0, 1000) // its device puts it again
	rp, _, err := g.r.RepairVault(t.Context(), "local", RepairOptions{Spool: t.TempDir(), Open: func(context.Context) (*vault.Vault, error) { return openAt(g.places["local"].Place, g) }})
	if err != nil || len(rp.Damaged) != 1 {
		t.Errorf("%+v %v", rp, err)
	}
	if _, list = g.check("local", BlobCheck{Deep: true}); len(list) != 0 {
		t.Errorf("repaired: %+v", list)
	}
}

// TestAVaultThatIsAwayMayHaveIt: what neither the store nor a vault that answers has is lost only once the others were asked too. Until then it is said whom it waits for, and when to try again; once that is back, it is there.
func TestAVaultThatIsAwayMayHaveIt(t *testing.T) {
	g, blobs := album(t)
	b := blobs[3]
	g.spoil("local", g.objectOf("local", g.b, b), nil)
	fine(t, g.blobs.Remove(t.Context(), g.b.ID, b.Hash))
	g.places["attic"].down.Store(true)
	g.until("attic is away", func() bool { g.put(g.a, "card"); return !g.r.workers["attic"].look().up })
	k := blobKey{g.b.ID, b}
	err := g.r.mendBlob(t.Context(), "local", k)
	var l *lacks
	var e *holdfast.Error
	if !errors.As(err, &l) || !errors.As(err, &e) || e.Kind != holdfast.Unavailable || e.Retry <= 0 || !strings.Contains(e.Text, `the vault "attic" is away and may have it`) {
		t.Errorf("while a vault is away: %v", err)
	}
	if _, list := g.check("local", BlobCheck{Into: "local"}); len(list) != 1 || !strings.Contains(list[0].Why, `"attic" is away`) || strings.Contains(list[0].Why, "whoever has the file") {
		t.Errorf("found: %+v", list)
	}
	g.places["attic"].down.Store(false)
	g.until("attic is back", func() bool { return g.r.workers["attic"].look().up })
	fine(t, g.r.mendBlob(t.Context(), "local", k))
	g.spoil("attic", g.objectOf("attic", g.b, b), nil) // and nobody is away
	g.spoil("local", g.objectOf("local", g.b, b), nil)
	if err := g.r.mendBlob(t.Context(), "local", k); !errors.As(err, &l) || !holdfast.IsKind(err, holdfast.NotFound) || len(l.away) > 0 {
		t.Errorf("it is nowhere: %v", err)
	}
}

// TestWhatIsStillOnItsWayIsNotMissed: a vault that lags lacks what newer changes name.
func TestWhatIsStillOnItsWayIsNotMissed(t *testing.T) {
	g, blobs := album(t)
	upto := g.engine.Position().Batch
	g.places["attic"].down.Store(true)
	g.named(g.a, "new", g.film(g.a, 77, 5000))
	g.spoil("attic", g.objectOf("attic", g.a, blobs[2]), nil)
	if _, list := g.check("attic", BlobCheck{Upto: upto}); len(list) != 1 || list[0].Blob != blobs[2] {
		t.Errorf("%+v", list)
	}
	if _, list := g.check("attic", BlobCheck{}); len(list) != 2 {
		t.Errorf("a vault that should have it: %+v", list)
	}
	fine(t, g.engine.Erase(t.Context(), g.a.ID))
	if _, list := g.check("attic", BlobCheck{}); len(list) != 0 {
		t.Errorf("of an erased account: %+v", list)
	}
}

// TestALookGoesOnWhereItWasCut looks at each blob once.
func TestALookGoesOnWhereItWasCut(t *testing.T) {
	g, blobs := album(t)
	var at BlobPlace
	seen := int64(0)
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		rep, err := g.r.CheckBlobs(ctx, g.vault("local"), BlobCheck{From: at, Past: func(p BlobPlace) {
			if at = p; n == 1 {
				cancel()
			}
			n++
		}})
		cancel()
		if seen += rep.Blobs; err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if seen != int64(len(blobs)) {
		t.Errorf("%d of %d", seen, len(blobs))
	}
	g.places["local"].down.Store(true)
	v := g.vault("local")
	if _, err := g.r.CheckBlobs(t.Context(), v, BlobCheck{Found: func(f BlobFinding) { t.Errorf("%+v", f) }}); err != nil {
		t.Fatal(err)
	}
	away, err := openAt(awayPlace{g.places["local"].Place}, g)
	fine(t, err)
	if _, err := g.r.CheckBlobs(t.Context(), away, BlobCheck{Deep: true, Found: func(f BlobFinding) { t.Errorf("a place that cannot be reached damages %+v", f) }}); !holdfast.IsKind(err, holdfast.Unavailable) {
		t.Error(err)
	}
}

// awayPlace lists blobs, and gives none.
type awayPlace struct{ place.Place }

func (p awayPlace) List(ctx context.Context, prefix, after string, fn func(place.Info) error) error {
	if strings.HasPrefix(prefix, "blobs/") {
		return place.Err("List", holdfast.Unavailable, "", "it cannot be reached", errDown)
	}
	return p.Place.List(ctx, prefix, after, fn)
}
