package restore

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/place"
	memplace "holdfast/internal/place/memory"
	"holdfast/internal/relay"
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

func judge(_ *holdfast.Collection, name, _ string, body []byte) (holdfast.Kind, holdfast.Index, error) {
	return holdfast.KindAddress, holdfast.Index{UID: "uid " + name}, nil
}

var judges = map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judge}

// source is a service with a vault.
type source struct {
	t        *testing.T
	clock    *clock.Fake
	engine   *memory.Engine
	place    *memplace.Place
	ring     *seal.Ring
	recovery *seal.Recovery
	core     *core.Service
	relay    *relay.Relay
	stop     func()

	blobs blob.Store // of an album
	files string     // where they lie
}

func newSource(t *testing.T) *source {
	s := &source{t: t}
	s.init(t)
	policy, err := relay.ParsePolicy("engine+local")
	fine(t, err)
	s.start(policy)
	return s
}

// init makes keys, an engine and a vault.
func (s *source) init(t testing.TB) {
	s.clock, s.engine = clock.NewFake(time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)), memory.New()
	var err error
	s.ring, err = seal.NewRing(false)
	fine(t, err)
	s.recovery, err = seal.NewRecovery(storeID, s.clock.Now(), false)
	fine(t, err)
	fine(t, s.ring.Add(s.recovery))
	s.place = memplace.New(s.clock)
	_, err = vault.Create(t.Context(), s.options(), vault.Meta{Vault: holdfast.NewID(rand.Reader), Store: storeID, Name: "local", Created: s.clock.Now()})
	fine(t, err)
}

// start starts the service.
func (s *source) start(policy relay.Policy) {
	t := s.t
	var err error
	s.relay, err = relay.New(relay.Options{Engine: s.engine, Store: storeID, Policy: policy, Clock: s.clock, Vaults: []relay.Attached{{Name: "local", Open: func(ctx context.Context) (*vault.Vault, error) {
		return vault.Open(ctx, s.options())
	}}}})
	fine(t, err)
	fine(t, s.relay.Reconcile(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.relay.Run(ctx) }()
	s.stop = func() { cancel(); <-done }
	for !s.relay.Met() {
		time.Sleep(time.Millisecond)
	}
	s.core = core.New(core.Options{Engine: s.engine, Copies: s.relay, Judges: judges, Clock: s.clock})
}

func (s *source) options() vault.Options {
	return vault.Options{Place: s.place, Ring: s.ring, Clock: s.clock, SegmentOctets: 32 << 10}
}

func (s *source) account(email string) holdfast.ID {
	a, _, err := s.core.CreateAccount(s.t.Context(), holdfast.Actor{}, email, "")
	fine(s.t, err)
	return a.ID
}

func (s *source) put(a holdfast.ID, name, text string) holdfast.Receipt {
	p := holdfast.Principal{Account: a}
	at, err := s.core.Locate(s.t.Context(), p, a, []string{"addressbooks", "default", name})
	fine(s.t, err)
	r, _, err := s.core.Put(s.t.Context(), p, core.PutRequest{Place: at.Place(), Body: []byte(text)})
	fine(s.t, err)
	return r
}

func (s *source) digest(e store.Engine, a holdfast.ID, seq uint64) holdfast.Digest {
	s.t.Helper()
	snap, err := e.Snapshot(s.t.Context())
	fine(s.t, err)
	defer snap.Close()
	d, err := snap.Digest(a, seq)
	fine(s.t, err)
	return d
}

func (s *source) head(e store.Engine, a holdfast.ID) store.Head {
	snap, err := e.Snapshot(s.t.Context())
	fine(s.t, err)
	defer snap.Close()
	h, err := snap.Head(a)
	fine(s.t, err)
	return h
}

// restore restores out of places into a new engine.
func (s *source) restore(o Options, places ...place.Place) (*memory.Engine, *Report) {
	s.t.Helper()
	e := memory.New()
	rep, err := s.into(e, o, places...)
	fine(s.t, err)
	storetest.Verify(s.t, e)
	return e, rep
}

func (s *source) into(e store.Engine, o Options, places ...place.Place) (*Report, error) {
	for _, p := range places {
		v, err := vault.Open(s.t.Context(), vault.Options{Place: p, With: []*seal.Identity{s.recovery.Identity}})
		fine(s.t, err)
		o.Vaults = append(o.Vaults, v)
	}
	o.Recovery, o.Engine, o.Spool, o.Derive, o.Clock = s.recovery, e, s.t.TempDir(), core.DeriveBy(judges), s.clock
	if o.Nonce.IsZero() {
		o.Nonce = holdfast.ID{1}
	}
	return Run(s.t.Context(), o)
}

func TestRestoreEqualsItsSource(t *testing.T) {
	s := newSource(t)
	var ids []holdfast.ID
	for i := range 7 {
		ids = append(ids, s.account(fmt.Sprintf("p%d@example.org", i)))
	}
	for i := range 300 {
		s.put(ids[i%7], fmt.Sprint(i%23, ".vcf"), fmt.Sprint("text ", i))
	}
	e, rep := s.restore(Options{}, s.place)
	if len(rep.Accounts) != 7 || len(rep.Losses) != 0 || len(rep.Damage) != 0 {
		t.Fatalf("%+v", rep)
	}
	for i, id := range ids {
		h := s.head(s.engine, id)
		for _, seq := range []uint64{1, 5, h.Seq / 2, h.Seq} {
			if got, want := s.digest(e, id, seq), s.digest(s.engine, id, seq); got != want {
				t.Fatalf("at %d the digest is %+v, want %+v", seq, got, want)
			}
		}
		if now := s.head(e, id); now.Epoch != 2 || now.Seq != h.Seq+1 {
			t.Errorf("it goes on at %+v, the source ends at %+v", now, h)
		}
		if a := rep.Accounts[i]; a.Email != fmt.Sprintf("p%d@example.org", i) || a.Digest != s.digest(s.engine, id, h.Seq).State || !a.Complete || a.Epoch != 2 {
			t.Errorf("%+v", a)
		}
	}
	// Run again over what is there, nothing is done.
	before := e.Position()
	if _, err := s.into(e, Options{}, s.place); err != nil || e.Position() != before {
		t.Fatalf("run again it went from %+v to %+v, %v", before, e.Position(), err)
	}
}

func TestATokenStaysValid(t *testing.T) {
	s := newSource(t)
	a := s.account("ann@example.org")
	s.put(a, "1.vcf", "one")
	p := holdfast.Principal{Account: a}
	at, err := s.core.Locate(t.Context(), p, a, []string{"addressbooks", "default"})
	fine(t, err)
	var token string
	fine(t, s.core.Read(t.Context(), p, a, func(r *core.Reader) error {
		c, err := r.Collection(at.Collection.ID)
		token = r.Token(&c)
		return err
	}))
	s.put(a, "2.vcf", "two")
	e, _ := s.restore(Options{}, s.place)
	c2 := core.New(core.Options{Engine: e, Judges: judges, Clock: s.clock})
	var names []string
	fine(t, c2.Read(t.Context(), p, a, func(r *core.Reader) error {
		c, err := r.Collection(at.Collection.ID)
		fine(t, err)
		_, _, err = r.Changes(&c, token, 0, 0, func(x *holdfast.Resource) error { names = append(names, x.Name); return nil })
		return err
	}))
	if len(names) != 1 || names[0] != "2.vcf" {
		t.Fatalf("a device that had seen the first is told of %q", names)
	}
}

func TestRestoreAsOfAMoment(t *testing.T) {
	s := newSource(t)
	a := s.account("ann@example.org")
	dev, _, err := s.core.AddDevice(t.Context(), holdfast.Actor{}, a, "phone", holdfast.Hash{1})
	fine(t, err)
	s.put(a, "1.vcf", "one")
	s.clock.Advance(time.Hour)
	moment := s.clock.Now()
	seq := s.head(s.engine, a).Seq
	s.clock.Advance(time.Hour)
	s.put(a, "1.vcf", "spoiled")
	_, err = s.core.RevokeDevice(t.Context(), holdfast.Actor{}, a, dev.ID)
	fine(t, err)
	late := s.account("late@example.org")
	s.put(late, "1.vcf", "late")
	e, rep := s.restore(Options{At: moment}, s.place)
	if len(rep.Accounts) != 2 {
		t.Fatalf("%+v", rep)
	}
	if got, want := s.digest(e, a, seq), s.digest(s.engine, a, seq); got != want {
		t.Fatal("the content is not that of the moment")
	}
	c2 := core.New(core.Options{Engine: e, Judges: judges, Clock: s.clock})
	if list, err := c2.Devices(t.Context(), a); err != nil || len(list) != 0 {
		t.Fatalf("a device that was revoked since came back: %v, %v", list, err)
	}
	if got, want := s.digest(e, late, 0).Seq, s.digest(s.engine, late, 0).Seq+1; got != want {
		t.Fatalf("an account that was made later is at %d, want %d", got, want)
	}
	// One account, up to a seq.
	e, rep = s.restore(Options{Account: "ann@example.org", Seq: seq + 1}, s.place)
	if len(rep.Accounts) != 1 || s.digest(e, a, seq+1) != s.digest(s.engine, a, seq+1) {
		t.Fatalf("%+v", rep)
	}
	if _, err := s.into(memory.New(), Options{Account: "nobody@example.org"}, s.place); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Fatal(err)
	}
}

func TestRestoreOneCollection(t *testing.T) {
	s := newSource(t)
	a := s.account("ann@example.org")
	s.put(a, "1.vcf", "one")
	e, _ := s.restore(Options{Account: a.String(), Collection: "addressbooks/default"}, s.place)
	snap, err := e.Snapshot(t.Context())
	fine(t, err)
	all, err := snap.Collections(a)
	fine(t, err)
	gone := 0
	for _, c := range all {
		if c.Gone && c.Name == "default" && c.Type == holdfast.TypeAddressbook {
			t.Error("the collection that was asked for is gone")
		}
		if c.Gone {
			gone++
		}
	}
	if gone == 0 {
		t.Error("nothing else is gone")
	}
	if _, err := s.into(memory.New(), Options{Account: a.String(), Collection: "addressbooks/nowhere"}, s.place); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Fatal(err)
	}
}

func TestADamagedVaultRestoresWhatCanBe(t *testing.T) {
	s := newSource(t)
	a, b := s.account("ann@example.org"), s.account("bob@example.org")
	for i := range 400 {
		s.put([]holdfast.ID{a, b}[i%2], fmt.Sprint(i%31, ".vcf"), fmt.Sprint("text ", i))
	}
	whole := s.place.Clone()
	for n := uint64(1); n < 6; n++ {
		p := s.place.Clone()
		name := vault.SegmentName(1, n)
		if _, err := p.Stat(t.Context(), name); err != nil {
			break
		}
		p.Overwrite(name, nil)
		e, rep := s.restore(Options{}, p)
		if len(rep.Losses) == 0 {
			t.Fatalf("segment %d is gone, and nothing is said to be lost: %+v", n, rep)
		}
		snap, err := e.Snapshot(t.Context())
		fine(t, err)
		for _, id := range []holdfast.ID{a, b} {
			if _, err := snap.Account(id); err != nil {
				t.Fatal(err)
			}
		}
		_, rep = s.restore(Options{}, p, whole)
		if len(rep.Losses) != 0 {
			t.Fatalf("a second vault has it all: %+v", rep.Losses)
		}
	}
}
