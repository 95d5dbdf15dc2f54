package relay

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/place"
	memplace "holdfast/internal/place/memory"
	"holdfast/internal/seal"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
	"holdfast/internal/vaultd"
)

// keptByServer is how long the servers of these tests keep what lists name.
const keptByServer = 36 * time.Hour

// served is a vault behind the rules of a remote vault's server.
func served(t testing.TB, c clock.Clock) place.Place {
	x, err := vaultd.OpenIndex(filepath.Join(t.TempDir(), "index.sqlite"))
	fine(t, err)
	t.Cleanup(func() { x.Close() })
	g, err := vaultd.NewGuard(t.Context(), memplace.New(c), x, vaultd.Options{Clock: c, KeepUnnamed: keptByServer})
	fine(t, err)
	return g
}

func newServed(t testing.TB) *sweeper {
	s := newSweeper(t, served)
	s.byList, s.retry = true, 48*time.Hour
	return s
}

// days has the service run for days, of which its servers hear: the time of a vault goes on with its heads.
func (s *sweeper) days(n int, m *storetest.Maker, a storetest.Account) {
	s.t.Helper()
	for range n {
		s.hours(24)
		had := s.heads()
		_, err := s.engine.Commit(s.t.Context(), storetest.Sealed(a.ID, m.Put(a.Book, fmt.Sprint(m.ID(), ".vcf"), "", storetest.Card("u", "Ann", ""))))
		fine(s.t, err)
		s.whole()
		for i := 0; ; i++ {
			if now := s.heads(); now["local"] > had["local"] && now["attic"] > had["attic"] {
				break
			}
			if i > 3000 {
				s.t.Fatal("no head came")
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// heads counts the heads of each vault.
func (s *sweeper) heads() map[string]int {
	out := map[string]int{}
	for name, p := range s.places {
		fine(s.t, p.List(s.t.Context(), "heads/", "", func(place.Info) error { out[name]++; return nil }))
	}
	return out
}

// TestAServerIsTold: what no change names is put on a list a day later, and its server lets it go by its own clock. From the list on nobody relies on it, whoever opens the vault, and whatever else is lost.
func TestAServerIsTold(t *testing.T) {
	for _, forgets := range []bool{false, true} {
		t.Run(fmt.Sprint("the store forgets ", forgets), func(t *testing.T) {
			s, m := newServed(t), storetest.NewMaker(1)
			a := storetest.NewAccount(t, m, s.engine, "ann@example.org")
			named, left := s.film(t, a, 1, 5000), s.film(t, a, 2, 70_000)
			for _, b := range []holdfast.Blob{named, left} {
				fine(t, Blobs{s.r}.PutBlob(t.Context(), a.ID, b, nil))
			}
			s.commit(t, m, a, "film", named)
			s.whole()
			s.sweep("local")
			s.days(2, m, a)
			if rep := s.sweep("local"); rep.Listed != 1 || rep.Gone != 0 || s.objects("local") != 2 {
				t.Fatalf("%+v", rep)
			}
			if forgets {
				s.stop()
				clear(s.state)
				s.start()
			}
			fine(t, Blobs{s.r}.PutBlob(t.Context(), a.ID, left, nil))
			s.commit(t, m, a, "film 2", left)
			s.whole()
			if s.objects("local") != 3 || s.objects("attic") != 2 {
				t.Errorf("%d and %d objects: the one on the list should not count", s.objects("local"), s.objects("attic"))
			}
			s.sweep("local")
			s.days(3, m, a)
			if rep := s.sweep("local"); rep.Gone != 1 || rep.Listed != 0 || s.objects("local") != 2 {
				t.Errorf("%+v, %d objects", rep, s.objects("local"))
			}
			s.shelved(t)
			s.r.mu.Lock()
			w := s.r.workers["local"]
			s.r.mu.Unlock()
			w.shelf.unlearn()
			fine(t, Blobs{s.r}.PutBlob(t.Context(), a.ID, left, nil)) // once more, and it is there
			if s.objects("local") != 2 {
				t.Error("it was put again")
			}
		})
	}
}

// TestANamedFileOnAList: a list names what a change names, by whoever has the store's keys. The next sweep puts it anew, so nothing is lost when the server goes by the list, and sweeps go on.
func TestANamedFileOnAList(t *testing.T) {
	s, m := newServed(t), storetest.NewMaker(1)
	a := storetest.NewAccount(t, m, s.engine, "ann@example.org")
	named := s.film(t, a, 1, 5000)
	fine(t, Blobs{s.r}.PutBlob(t.Context(), a.ID, named, nil))
	s.commit(t, m, a, "film", named)
	s.whole()
	s.days(1, m, a)
	var names []string
	fine(t, s.places["local"].List(t.Context(), "blobs/", "", func(i place.Info) error { names = append(names, i.Name); return nil }))
	b, err := seal.SignLine(s.ring.Signer, vault.UnnamedList{Vault: holdfast.ID{1}, Term: 1, Number: 1, Names: names})
	fine(t, err)
	fine(t, s.places["local"].Put(t.Context(), vault.UnnamedListName(1), bytes.NewReader(b)))
	if rep := s.sweep("local"); rep.Mended != 1 || len(rep.Held) != 0 {
		t.Errorf("%+v", rep)
	}
	s.days(4, m, a)
	fine(t, s.places["local"].(*vaultd.Guard).Prune(t.Context(), false, func(string, int64) {}))
	if s.objects("local") != 1 {
		t.Error(s.objects("local"), "objects")
	}
	s.allThere()
	if rep := s.sweep("local"); rep.Mended != 0 || len(rep.Held) != 0 {
		t.Errorf("%+v", rep)
	}
}

// TestALostAnswerAboutAList: the list came and its answer did not, or neither did. Nobody relies on what it names, and in the end it goes.
func TestALostAnswerAboutAList(t *testing.T) {
	for _, came := range []bool{false, true} {
		t.Run(fmt.Sprint("it came ", came), func(t *testing.T) {
			s, m := newServed(t), storetest.NewMaker(1)
			a := storetest.NewAccount(t, m, s.engine, "ann@example.org")
			left := s.film(t, a, 2, 70_000)
			fine(t, Blobs{s.r}.PutBlob(t.Context(), a.ID, left, nil))
			s.whole()
			s.sweep("local")
			s.days(2, m, a)
			lost := false
			s.stop()
			s.wrap = func(p place.Place) place.Place {
				return &losing{p, func(name string) (bool, bool) {
					is := vault.ParseName(name).Class == vault.UnnamedObject && !lost
					lost = lost || is
					return is, came
				}}
			}
			s.start()
			if _, err := s.r.SweepVault(t.Context(), "local", s.options("local")); err == nil || !lost {
				t.Fatal("the answer was not lost")
			}
			s.whole()
			fine(t, Blobs{s.r}.PutBlob(t.Context(), a.ID, left, nil))
			s.commit(t, m, a, "film", left)
			s.whole()
			if s.objects("local") != 2 {
				t.Error(s.objects("local"), "objects: the first does not count")
			}
			for range 8 {
				s.days(1, m, a)
				s.sweep("local")
			}
			if s.objects("local") != 1 {
				t.Error(s.objects("local"), "objects in the end")
			}
			s.shelved(t)
		})
	}
}

// losing is a place whose answers to some puts get lost.
type losing struct {
	place.Place
	loses func(name string) (lost, came bool)
}

func (l *losing) Put(ctx context.Context, name string, r io.Reader) error {
	lost, came := l.loses(name)
	if lost && !came {
		return place.Err("Put", holdfast.Unavailable, name, "nobody answers", nil)
	}
	err := l.Place.Put(ctx, name, r)
	if lost {
		return place.Err("Put", holdfast.Unavailable, name, "nobody answers", err)
	}
	return err
}

// TestListedAtRandom has uploads that break off, files that are stored again and deleted, restarts at which all that is not in a vault or the store is lost, and sweeps at any point, while the servers let go of what they may. Nothing that a change names is ever gone from them; in the end nothing is there that none names.
func TestListedAtRandom(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { listedAtRandom(t, newServed(t), seed) })
	}
}

// allThere reads what the store names, in each vault, as who has nothing but the vault and its keys.
func (s *sweeper) allThere() {
	s.t.Helper()
	for name, p := range s.places {
		v, err := vault.Open(s.t.Context(), vault.Options{Place: lasting{p}, Ring: s.ring})
		fine(s.t, err)
		fine(s.t, s.r.namedBlobs(s.t.Context(), func(id holdfast.ID, b holdfast.Blob) error {
			d, err := v.CheckBlob(s.t.Context(), id, b, true)
			if d != nil {
				s.t.Errorf("%s: %+v", name, *d)
			}
			return err
		}))
	}
}

func listedAtRandom(t *testing.T, s *sweeper, seed uint64) {
	rnd, m := rand.New(rand.NewPCG(seed, 11)), storetest.NewMaker(seed)
	a := storetest.NewAccount(t, m, s.engine, "ann@example.org")
	names, counts := 0, map[string]int{}
	vaults := []string{"local", "attic"}
	for range 120 {
		switch rnd.IntN(10) {
		case 0, 1, 2, 3:
			b := s.film(t, a, rnd.Uint64N(12), 1+rnd.IntN(3)*40_000)
			fine(t, Blobs{s.r}.PutBlob(t.Context(), a.ID, b, nil))
			if rnd.IntN(4) == 0 {
				names++
				s.commit(t, m, a, fmt.Sprint(names), b)
			} else {
				counts["broken off"]++
			}
		case 4:
			s.stop()
			if rnd.IntN(2) == 0 {
				clear(s.state)
			}
			s.start()
		case 5:
			name := vaults[rnd.IntN(2)]
			fine(t, s.places[name].(*vaultd.Guard).Prune(t.Context(), false, func(n string, _ int64) {
				if vault.ParseName(n).Class == vault.BlobObject {
					counts["pruned"]++
				}
			}))
		case 6, 7:
			s.days(1+rnd.IntN(2), m, a)
		default:
			rep := s.sweep(vaults[rnd.IntN(2)])
			counts["listed"] += int(rep.Listed)
			counts["gone"] += int(rep.Gone)
		}
		if rnd.IntN(10) == 0 {
			s.whole()
			s.allThere()
		}
	}
	s.whole()
	for range 10 {
		s.days(1, m, a)
		for _, name := range vaults {
			rep := s.sweep(name)
			counts["listed"] += int(rep.Listed)
			counts["gone"] += int(rep.Gone)
		}
	}
	s.allThere()
	want := map[blobKey]bool{}
	fine(t, s.r.namedBlobs(t.Context(), func(id holdfast.ID, b holdfast.Blob) error { want[blobKey{id, b}] = true; return nil }))
	for _, name := range vaults {
		if got := s.objects(name); got != len(want) {
			t.Errorf("%s has %d objects, and %d are named", name, got, len(want))
		}
	}
	t.Log(counts)
	if counts["listed"] < 5 || counts["gone"]+counts["pruned"] < 5 {
		t.Error("hardly anything was shown")
	}
}
