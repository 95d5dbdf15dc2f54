package drill

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/place"
	memplace "holdfast/internal/place/memory"
	"holdfast/internal/seal"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
	"holdfast/internal/vault"
)

func fine(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var storeID = holdfast.ID{0xaa}

func judge(_ *holdfast.Collection, name, _ string, _ []byte) (holdfast.Kind, holdfast.Index, error) {
	return holdfast.KindAddress, holdfast.Index{UID: "uid " + name}, nil
}

// source is a living store with a vault that somebody ships to by hand.
type source struct {
	t        *testing.T
	clock    *clock.Fake
	engine   *memory.Engine
	place    *memplace.Place
	ring     *seal.Ring
	recovery *seal.Recovery
	core     *core.Service
	v        *vault.Vault
	w        *vault.Writer
	ids      []holdfast.ID
}

func newSource(t *testing.T) *source {
	s := &source{t: t, clock: clock.NewFake(time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)), engine: memory.New()}
	var err error
	s.ring, err = seal.NewRing(false)
	fine(t, err)
	s.recovery, err = seal.NewRecovery(storeID, s.clock.Now(), false)
	fine(t, err)
	fine(t, s.ring.Add(s.recovery))
	s.place = memplace.New(s.clock)
	o := vault.Options{Place: s.place, Ring: s.ring, Clock: s.clock, SegmentOctets: 8 << 10}
	s.v, err = vault.Create(t.Context(), o, vault.Meta{Vault: holdfast.NewID(rand.Reader), Store: storeID, Name: "local", Created: s.clock.Now()})
	fine(t, err)
	term, err := s.v.Adopt(t.Context(), storeID, holdfast.Position{}, vault.FromNothing)
	fine(t, err)
	s.w, err = s.v.Writer(t.Context(), term, holdfast.Position{})
	fine(t, err)
	t.Cleanup(func() { s.w.Close() })
	s.core = core.New(core.Options{Engine: s.engine, Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judge}, Clock: s.clock})
	for _, name := range []string{"alice", "bob", "carol"} {
		a, _, err := s.core.CreateAccount(t.Context(), holdfast.Actor{}, name+"@example.org", "")
		fine(t, err)
		s.ids = append(s.ids, a.ID)
	}
	for i := range 40 {
		s.put(i%3, fmt.Sprintf("%d.vcf", i%15), fmt.Sprint("octets ", i))
	}
	s.ship()
	return s
}

func (s *source) put(who int, name, text string) {
	s.t.Helper()
	p := holdfast.Principal{Account: s.ids[who]}
	at, err := s.core.Locate(s.t.Context(), p, s.ids[who], []string{"addressbooks", "default", name})
	fine(s.t, err)
	_, _, err = s.core.Put(s.t.Context(), p, core.PutRequest{Place: at.Place(), Body: []byte(text)})
	fine(s.t, err)
}

// ship brings the vault up to the store.
func (s *source) ship() {
	s.t.Helper()
	fine(s.t, s.engine.After(s.t.Context(), s.w.Position().Batch, 0, func(b *holdfast.Batch) error {
		return s.w.Append(s.t.Context(), vault.PackBatches([]*holdfast.Batch{b}, s.clock.Now()))
	}))
}

// seal makes packs of all that was shipped.
func (s *source) seal() {
	s.w.Roll()
	for {
		rep, err := s.v.Seal(s.t.Context(), s.w)
		fine(s.t, err)
		if rep.Segments == 0 {
			return
		}
	}
}

// options are those of a drill of a place, with the server's key.
func (s *source) options(p place.Place) Options {
	s.t.Helper()
	v, err := vault.Open(s.t.Context(), vault.Options{Place: p, With: []*seal.Identity{s.ring.Server}, Clock: s.clock})
	fine(s.t, err)
	e := memory.New()
	return Options{ID: "d1", Name: "local", Vault: v, KeyUsed: ServerKey, Live: s.engine, Batch: s.w.Position().Batch, Dir: filepath.Join(s.t.TempDir(), "drill"), Clock: s.clock,
		Open: func(context.Context, string, bool) (store.Engine, error) { return kept{e}, nil }}
}

// kept is an engine that stays when it is closed: a drill opens what it filled again.
type kept struct{ store.Engine }

func (kept) Close() error { return nil }

// outcome fails unless a drill came out as it should, for a reason that says why.
func outcome(t *testing.T, where string, r *Result, want Outcome, why string) {
	t.Helper()
	if r.Result != want || why != "" && !slices.ContainsFunc(r.Reasons, func(s string) bool { return strings.Contains(s, why) }) {
		t.Errorf("%s: %s, want %s because of %q: %q", where, r.Result, want, why, r.Reasons)
	}
}

func TestADrillPasses(t *testing.T) {
	s := newSource(t)
	for _, where := range []string{"out of the tail", "out of packs", "both"} {
		r, proofs := Run(t.Context(), s.options(s.place))
		outcome(t, where, r, Pass, "")
		if r.Accounts != 3 || r.Digests.Equal != 3 || len(proofs) != 3 || r.Changes.Expected == 0 || r.Changes.Restored != r.Changes.Expected || r.Blobs.Rehashed == 0 || r.Blobs.Octets == 0 || !r.Ended.Equal(r.Started) {
			t.Errorf("%s: %+v, %d proofs", where, r, len(proofs))
		}
		if where == "out of the tail" {
			s.seal()
		} else {
			s.put(1, "more.vcf", where)
			s.ship()
		}
	}
}

func TestADrillWithTheRecoveryKey(t *testing.T) {
	s := newSource(t)
	s.seal()
	o := s.options(s.place)
	var err error
	o.Vault, err = vault.Open(t.Context(), vault.Options{Place: s.place, With: []*seal.Identity{s.recovery.Identity}, Clock: s.clock})
	fine(t, err)
	o.Trust, o.KeyUsed = s.recovery, RecoveryKey
	r, _ := Run(t.Context(), o)
	outcome(t, "recovery", r, Pass, "")
	other, err := seal.NewRecovery(storeID, s.clock.Now(), false)
	fine(t, err)
	o = s.options(s.place)
	o.Vault, err = vault.Open(t.Context(), vault.Options{Place: s.place, With: []*seal.Identity{other.Identity}, Clock: s.clock})
	fine(t, err)
	o.Trust, o.KeyUsed = other, RecoveryKey
	r, _ = Run(t.Context(), o)
	outcome(t, "another key", r, Fail, "")
}

// TestADrillDuringWrites lets the store take changes while a drill runs: at each of its rests one more.
func TestADrillDuringWrites(t *testing.T) {
	s := newSource(t)
	o := s.options(s.place)
	n := 0
	var mu sync.Mutex
	o.Pace = func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		n++
		s.put(n%3, fmt.Sprintf("%d.vcf", n%15), fmt.Sprint("meanwhile ", n))
		if n%2 == 0 {
			s.ship()
		}
		return nil
	}
	r, proofs := Run(t.Context(), o)
	outcome(t, "during writes", r, Pass, "")
	if n == 0 || len(proofs) != 3 {
		t.Fatalf("%d changes came meanwhile, %d proofs", n, len(proofs))
	}
}

// TestAVaultThatKeepsNothing: the store was told that all is durable, and the vault has stopped keeping it a while ago.
func TestAVaultThatKeepsNothing(t *testing.T) {
	s := newSource(t)
	old := s.place.Clone()
	s.put(0, "new.vcf", "new")
	s.put(2, "new.vcf", "new")
	s.ship()
	r, proofs := Run(t.Context(), s.options(old))
	outcome(t, "behind its word", r, Fail, "confirmed its changes up to")
	if len(proofs) != 0 || len(r.Digests.Different) != 2 {
		t.Errorf("%d proofs, %+v", len(proofs), r.Digests)
	}
	o := s.options(old)
	o.Batch = 1 // it had confirmed no more than that
	r, _ = Run(t.Context(), o)
	outcome(t, "behind, and it never said otherwise", r, Pass, "")
}

// TestNothingIsProvenWithoutAMeasure: the vault was not heard of since the service began, so nobody knows what it has to hold; an old copy of it is there.
func TestNothingIsProvenWithoutAMeasure(t *testing.T) {
	s := newSource(t)
	o := s.options(s.place)
	o.Batch = 0
	r, proofs := Run(t.Context(), o)
	outcome(t, "without a measure", r, Inconclusive, "not been heard of")
	if len(proofs) > 0 {
		t.Errorf("%d proofs", len(proofs))
	}
}

// lying is an engine whose bodies, or items, are not what they were.
type lying struct {
	store.Engine
	body  bool // octets of one change rotted
	state bool // the index lost an item
	lost  bool // the rows of some changes are gone

	letGo func(*holdfast.Change) bool // whose octets retention took
}

func (e lying) Snapshot(ctx context.Context) (store.Snapshot, error) {
	s, err := e.Engine.Snapshot(ctx)
	return lyingSnapshot{s, e}, err
}

func (lying) Close() error { return nil }

type lyingSnapshot struct {
	store.Snapshot
	e lying
}

func (s lyingSnapshot) Changes(id holdfast.ID, after uint64, limit int, f store.Fields, fn func(*holdfast.Change) error) error {
	return s.Snapshot.Changes(id, after, limit, f, func(c *holdfast.Change) error {
		if s.e.letGo != nil && c.Prunable() && s.e.letGo(c) {
			x := *c
			x.Prune()
			c = &x
		}
		if s.e.lost && c.Seq >= 9 && c.Seq < 12 {
			return nil
		}
		if s.e.body && c.Seq == 12 && len(c.Body) > 0 {
			x := *c
			x.Body = append([]byte("x"), c.Body[1:]...)
			c = &x
		}
		return fn(c)
	})
}

func (s lyingSnapshot) Digest(id holdfast.ID, seq uint64) (holdfast.Digest, error) {
	d, err := s.Snapshot.Digest(id, seq)
	if s.e.state {
		d.State[0] ^= 1
	}
	return d, err
}

// TestWhatRotsIsFound: one octet in the engine, in what was restored, in the vault, in all of them; and an index that lost something.
func TestWhatRotsIsFound(t *testing.T) {
	s := newSource(t)
	s.seal()
	rotten := s.place.Clone()
	var pack string
	fine(t, rotten.List(t.Context(), "pages/", "", func(i place.Info) error {
		if strings.HasSuffix(i.Name, ".pack") {
			pack = i.Name
		}
		return nil
	}))
	b, err := place.ReadAll(t.Context(), rotten, pack, 1<<20)
	fine(t, err)
	b = slices.Clone(b)
	b[len(b)/2] ^= 1
	rotten.Overwrite(pack, b)
	gone := rotten.Clone() // and the tail that holds the same is gone
	fine(t, rotten.List(t.Context(), "tail/", "", func(i place.Info) error { gone.Overwrite(i.Name, nil); return nil }))
	for _, c := range []struct {
		what string
		live store.Engine
		p    place.Place
		out  func(store.Engine) store.Engine
		want Outcome
		why  string
	}{
		{"the engine's octets", lying{Engine: s.engine, body: true}, s.place, nil, Fail, "in the living store the octets of change 12"},
		{"the engine's index", lying{Engine: s.engine, state: true}, s.place, nil, Fail, "not those that the living store says"},
		{"the engine lost its middle", lying{Engine: s.engine, lost: true}, s.place, nil, Fail, "in the living store the history breaks at change 12, after change 8"},
		{"what was restored lost its middle", s.engine, s.place, func(e store.Engine) store.Engine { return lying{Engine: e, lost: true} }, Fail, "breaks at change 12"},
		{"what was restored", s.engine, s.place, func(e store.Engine) store.Engine { return lying{Engine: e, body: true} }, Fail, "as it was restored, the octets of change 12"},
		{"the restored index", s.engine, s.place, func(e store.Engine) store.Engine { return lying{Engine: e, state: true} }, Fail, "not those"},
		{"a pack whose segments are still there", s.engine, rotten, nil, Inconclusive, "damaged"},
		{"a pack that was all", s.engine, gone, nil, Fail, "lost"},
		{"the engine and the vault", lying{Engine: s.engine, body: true}, gone, nil, Fail, "lost"},
	} {
		o := s.options(c.p)
		o.Live = c.live
		if c.out != nil {
			e := memory.New()
			o.Open = func(context.Context, string, bool) (store.Engine, error) { return c.out(kept{e}), nil }
		}
		r, proofs := Run(t.Context(), o)
		outcome(t, c.what, r, c.want, c.why)
		if len(proofs) > 0 {
			t.Errorf("%s: it proves %d accounts", c.what, len(proofs))
		}
	}
}

// TestWhatCannotBeTried is neither a pass nor a failure of the vault.
func TestWhatCannotBeTried(t *testing.T) {
	s := newSource(t)
	full := &holdfast.Error{Op: "test", Kind: holdfast.Full}
	o := s.options(s.place)
	o.Open = func(context.Context, string, bool) (store.Engine, error) { return nil, full }
	r, _ := Run(t.Context(), o)
	outcome(t, "no room", r, Inconclusive, "no room")

	ctx, cancel := context.WithCancel(t.Context())
	o = s.options(s.place)
	var n atomic.Int32
	o.Pace = func(ctx context.Context) error {
		if n.Add(1) == 3 {
			cancel()
		}
		return context.Cause(ctx)
	}
	r, _ = Run(ctx, o)
	outcome(t, "interrupted", r, Inconclusive, "interrupted")

	o = s.options(s.place)
	o.Open = func(context.Context, string, bool) (store.Engine, error) { return nil, errors.New("no such device") }
	r, _ = Run(t.Context(), o)
	outcome(t, "broken", r, Inconclusive, "no such device")
}

// TestAnErasedAccountIsNotMissed, neither where it was erased before nor while a drill runs.
func TestAnErasedAccountIsNotMissed(t *testing.T) {
	s := newSource(t)
	o := s.options(s.place)
	var once sync.Once
	o.Pace = func(context.Context) error {
		once.Do(func() { fine(t, s.engine.Erase(t.Context(), s.ids[1])) })
		return nil
	}
	r, _ := Run(t.Context(), o)
	outcome(t, "erased meanwhile", r, Pass, "")
	if r.Accounts != 2 {
		t.Errorf("%d accounts were compared", r.Accounts)
	}
}

// TestOnlyTheChosen restores no more than what was chosen.
func TestOnlyTheChosen(t *testing.T) {
	s := newSource(t)
	o := s.options(s.place)
	o.Chosen = Chosen{Only: map[holdfast.ID]bool{s.ids[2]: true}, Sample: Sample{Of: 3, Random: 1}}
	r, proofs := Run(t.Context(), o)
	outcome(t, "one of them", r, Pass, "")
	if r.Accounts != 1 || len(proofs) != 1 || proofs[0].Account != s.ids[2] || r.Sample.AtMost < 0.9 {
		t.Errorf("%+v, %v", r, proofs)
	}
}

// TestWhatRetentionTookIsNoDamage, on either side, as long as something has replaced it.
func TestWhatRetentionTookIsNoDamage(t *testing.T) {
	s := newSource(t)
	newest := map[holdfast.ID]bool{} // entries that nothing has replaced
	last := map[spot]holdfast.ID{}
	fine(t, s.engine.After(t.Context(), 0, 0, func(b *holdfast.Batch) error {
		for _, c := range b.Changes {
			delete(newest, last[spot{c.Collection, c.Name}])
			last[spot{c.Collection, c.Name}], newest[c.ID] = c.ID, true
		}
		return nil
	}))
	for _, x := range []struct {
		what string
		take func(*holdfast.Change) bool
		want Outcome
		why  string
	}{
		{"what was replaced", func(c *holdfast.Change) bool { return !newest[c.ID] }, Pass, ""},
		{"what is there", func(c *holdfast.Change) bool { return newest[c.ID] }, Fail, "nothing has replaced them"},
	} {
		o := s.options(s.place)
		o.Live = lying{Engine: s.engine, letGo: x.take}
		r, _ := Run(t.Context(), o)
		outcome(t, x.what+", in the engine", r, x.want, x.why)
		o = s.options(s.place)
		e := memory.New()
		o.Open = func(context.Context, string, bool) (store.Engine, error) {
			return lying{Engine: kept{e}, letGo: x.take}, nil
		}
		r, _ = Run(t.Context(), o)
		outcome(t, x.what+", as it was restored", r, x.want, x.why)
	}
}
