package scrub

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/place"
	memplace "holdfast/internal/place/memory"
	"holdfast/internal/seal"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
	"holdfast/internal/vault"
	"holdfast/internal/vfs"
)

func fine(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func judge(_ *holdfast.Collection, name, _ string, _ []byte) (holdfast.Kind, holdfast.Index, error) {
	return holdfast.KindAddress, holdfast.Index{UID: "uid " + name}, nil
}

type spot struct {
	account holdfast.ID
	seq     uint64
}

// rotting is an engine whose disk changes octets of some changes, and cannot read others.
type rotting struct {
	store.Engine
	mu     sync.Mutex
	rotten map[spot]bool
	unread map[spot]bool
	lost   map[spot]bool // rows that are gone
	hollow map[spot]bool // whose octets were let go of
	mends  int
	reads  int // changes
	cut    func(reads int)
}

func (e *rotting) Snapshot(ctx context.Context) (store.Snapshot, error) {
	s, err := e.Engine.Snapshot(ctx)
	return &rotten{s, e}, err
}

func (e *rotting) Mend(ctx context.Context, id holdfast.ID, seq uint64, body []byte) error {
	err := e.Engine.Mend(ctx, id, seq, body)
	if err == nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.mends++
		delete(e.rotten, spot{id, seq})
	}
	return err
}

type rotten struct {
	store.Snapshot
	e *rotting
}

var errDisk = errors.New("input/output error")

func (s *rotten) Changes(id holdfast.ID, after uint64, limit int, f store.Fields, fn func(*holdfast.Change) error) error {
	return s.Snapshot.Changes(id, after, limit, f, func(c *holdfast.Change) error {
		s.e.mu.Lock()
		bad, unread := s.e.rotten[spot{id, c.Seq}], s.e.unread[spot{id, c.Seq}]
		s.e.reads++
		n := s.e.reads
		s.e.mu.Unlock()
		if s.e.cut != nil {
			s.e.cut(n)
		}
		if unread {
			return errDisk
		}
		if s.e.hollow[spot{id, c.Seq}] {
			x := *c
			x.Prune()
			return fn(&x)
		}
		if s.e.lost[spot{id, c.Seq}] {
			return nil
		}
		if bad {
			x := *c
			x.Body = bytes.Clone(c.Body)
			x.Body[0] ^= 1
			return fn(&x)
		}
		return fn(c)
	})
}

// rig is a store with a vault that has all of it.
type rig struct {
	t      *testing.T
	clock  *clock.Fake
	engine *rotting
	place  *memplace.Place
	ring   *seal.Ring
	ids    []holdfast.ID
	dir    string
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, clock: clock.NewFake(morning), dir: t.TempDir()}
	idle(t, r.clock)
	r.engine = &rotting{Engine: memory.New(), rotten: map[spot]bool{}, unread: map[spot]bool{}}
	c := core.New(core.Options{Engine: r.engine, Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judge}, Clock: r.clock})
	for _, name := range []string{"alice", "bob", "carol"} {
		a, _, err := c.CreateAccount(t.Context(), holdfast.Actor{}, name+"@example.org", "")
		fine(t, err)
		r.ids = append(r.ids, a.ID)
		p := holdfast.Principal{Account: a.ID}
		for i := range 12 {
			at, err := c.Locate(t.Context(), p, a.ID, []string{"addressbooks", "default", fmt.Sprint(i%5, ".vcf")})
			fine(t, err)
			_, _, err = c.Put(t.Context(), p, core.PutRequest{Place: at.Place(), Body: []byte(fmt.Sprint(name, " octets ", i))})
			fine(t, err)
		}
	}
	r.fill()
	return r
}

// fill makes a vault that has everything.
func (r *rig) fill() {
	t := r.t
	var err error
	r.ring, err = seal.NewRing(false)
	fine(t, err)
	id := r.engine.Info().Store
	recovery, err := seal.NewRecovery(id, morning, false)
	fine(t, err)
	fine(t, r.ring.Add(recovery))
	r.place = memplace.New(r.clock)
	v, err := vault.Create(t.Context(), vault.Options{Place: r.place, Ring: r.ring, Clock: r.clock}, vault.Meta{Vault: holdfast.NewID(rand.Reader), Store: id, Name: "local", Created: morning})
	fine(t, err)
	term, err := v.Adopt(t.Context(), id, holdfast.Position{}, vault.FromNothing)
	fine(t, err)
	w, err := v.Writer(t.Context(), term, holdfast.Position{})
	fine(t, err)
	fine(t, r.engine.After(t.Context(), 0, 0, func(b *holdfast.Batch) error {
		return w.Append(t.Context(), vault.PackBatches([]*holdfast.Batch{b}, r.clock.Now()))
	}))
	w.Close()
}

// source reads clones of places: each is a vault.
func (r *rig) source(places ...place.Place) Source {
	return FromVaults(func(ctx context.Context) (list []*vault.Vault, err error) {
		for _, p := range places {
			v, err := vault.Open(ctx, vault.Options{Place: p, With: []*seal.Identity{r.ring.Server}, Clock: r.clock})
			if err != nil {
				return list, err
			}
			list = append(list, v)
		}
		return list, nil
	}, r.dir+"/spool")
}

func (r *rig) scrubber(src Source) *Scrubber {
	return &Scrubber{Engine: r.engine, Book: OpenBook(vfs.OS, r.dir), Clock: r.clock, Pace: func(ctx context.Context, _ int64) error { return context.Cause(ctx) }, Source: src, Log: slog.New(slog.DiscardHandler)}
}

func (r *rig) round(s *Scrubber) *Round {
	r.t.Helper()
	out, err := s.Round(r.t.Context())
	fine(r.t, err)
	return out
}

// damage returns a copy of the vault in which an octet of each segment's end rotted.
func (r *rig) damaged() *memplace.Place {
	p := r.place.Clone()
	fine(r.t, p.List(r.t.Context(), "tail/", "", func(i place.Info) error {
		b, err := place.ReadAll(r.t.Context(), p, i.Name, 1<<20)
		if err == nil {
			for k := len(b) / 4; k < len(b); k += 100 {
				b[k] ^= 1
			}
			p.Overwrite(i.Name, b)
		}
		return err
	}))
	return p
}

// TestWhatRotsInTheEngineIsMended: one octet in the engine is put back from the vault, of what is and of what was; rotten in the vault too it is named, with what to do; another vault has it still.
func TestWhatRotsInTheEngineIsMended(t *testing.T) {
	for _, x := range []struct {
		name   string
		places func(*rig) []place.Place
		mended bool
		why    string
	}{
		{"in the engine", func(r *rig) []place.Place { return []place.Place{r.place} }, true, ""},
		{"in both", func(r *rig) []place.Place { return []place.Place{r.damaged()} }, false, "holdfast repair --from"},
		{"in both, and another vault has it", func(r *rig) []place.Place { return []place.Place{r.damaged(), r.place} }, true, ""},
		{"without a vault", func(*rig) []place.Place { return nil }, false, "no vault"},
	} {
		t.Run(x.name, func(t *testing.T) {
			r := newRig(t)
			for _, seq := range []uint64{14, 15} {
				r.engine.rotten[spot{r.ids[1], seq}] = true
			}
			var src Source
			if list := x.places(r); list != nil {
				src = r.source(list...)
			}
			s := r.scrubber(src)
			var told []Finding
			s.Found = func(f Finding) { told = append(told, f) }
			rep := r.round(s)
			if rep.Found != 2 || len(rep.Findings) != 2 || len(told) != 2 || rep.Accounts != 3 {
				t.Fatalf("%+v, told %+v", rep, told)
			}
			for _, f := range append(told, rep.Findings...) {
				if f.Account != r.ids[1] || f.Kind != Octets || f.Name == "" || f.Mended != x.mended || !strings.Contains(f.Why, x.why) || x.mended != (f.From == "vault local") {
					t.Errorf("%+v", f)
				}
			}
			if again := r.round(s); x.mended && (again.Found != 0 || r.engine.mends != 2) || !x.mended && again.Left() != 2 {
				t.Errorf("the next round: %+v, %d mends", again, r.engine.mends)
			}
			if kept := OpenBook(vfs.OS, r.dir).State(); kept.Last == nil || kept.Now != nil || kept.Last.Left() != s.Book.State().Last.Left() {
				t.Errorf("kept: %+v", kept)
			}
		})
	}
}

// TestARoundGoesOnWhereItWasCut: after a restart nothing is read twice but a page, nothing is left out, and what was found before is known and mended.
func TestARoundGoesOnWhereItWasCut(t *testing.T) {
	r := newRig(t)
	all := r.round(r.scrubber(nil)).Changes
	r.engine.reads = 0
	var first holdfast.ID
	for i, id := range r.ids {
		if i == 0 || id.Compare(first) < 0 {
			first = id
		}
	}
	r.engine.rotten[spot{first, 8}] = true
	restarts := 0
	for done := false; !done; {
		if restarts++; restarts > 20 {
			t.Fatal("it never ends")
		}
		ctx, cancel := context.WithCancel(t.Context())
		begin := r.engine.reads
		r.engine.cut = func(n int) {
			if n-begin == 7 {
				cancel()
			}
		}
		rep, err := r.scrubber(r.source(r.place)).Round(ctx)
		if cancel(); err == nil {
			done = true
			if rep.Changes != all || rep.Accounts != 3 || rep.Found != 1 || rep.Mended != 1 {
				t.Errorf("after %d restarts: %+v, want %d changes", restarts, rep, all)
			}
		}
	}
	if restarts < 4 {
		t.Errorf("it was cut %d times only", restarts)
	}
	if more := int64(r.engine.reads) - all; more > int64(restarts)*2 {
		t.Errorf("%d changes were read more than once, with %d restarts", more, restarts)
	}
}

// TestWhatCannotBeReadIsNamed: a change that the disk cannot read is named, and what lies behind it is read.
func TestWhatCannotBeReadIsNamed(t *testing.T) {
	r := newRig(t)
	r.engine.unread[spot{r.ids[2], 5}] = true
	r.engine.rotten[spot{r.ids[2], 9}] = true
	rep := r.round(r.scrubber(r.source(r.place)))
	if rep.Found != 2 || rep.Mended != 1 || rep.Findings[0].Kind != Unread || rep.Findings[0].Seq != 5 || rep.Findings[1].Seq != 9 || !rep.Findings[1].Mended {
		t.Errorf("%+v", rep)
	}
}

// TestAMendedFindingMakesRoom: what is not mended is kept by name as long as there is room.
func TestAMendedFindingMakesRoom(t *testing.T) {
	var r Round
	for i := range MaxNamed {
		r.name(Finding{Seq: uint64(i + 1), Mended: i == 500})
	}
	r.name(Finding{Seq: 5000})
	r.name(Finding{Seq: 5001})
	if len(r.Findings) != MaxNamed || r.Findings[MaxNamed-1].Seq != 5000 {
		t.Errorf("%d are kept, the last is %d", len(r.Findings), r.Findings[len(r.Findings)-1].Seq)
	}
}

// TestAJournalThatEndsEarly has lost its newest changes, or one within: nothing in what is left is wrong.
func TestAJournalThatEndsEarly(t *testing.T) {
	r := newRig(t)
	head := func() store.Head {
		snap, err := r.engine.Snapshot(t.Context())
		fine(t, err)
		defer snap.Close()
		h, err := snap.Head(r.ids[1])
		fine(t, err)
		return h
	}()
	for _, c := range []struct {
		what string
		lost []uint64
		want string
	}{
		{"the newest two", []uint64{head.Seq - 1, head.Seq}, fmt.Sprintf("the journal ends at change %d, and the account has had %d", head.Seq-2, head.Seq)},
		{"one within", []uint64{7}, "the journal goes from 6 to 8"},
	} {
		r.engine.lost = map[spot]bool{}
		for _, seq := range c.lost {
			r.engine.lost[spot{r.ids[1], seq}] = true
		}
		round, err := r.scrubber(nil).Round(t.Context())
		fine(t, err)
		if round.Found != 1 || round.Left() != 1 || !strings.Contains(round.Findings[0].What, c.want) {
			t.Errorf("%s: %+v", c.what, round)
		}
	}
}

// TestWhatRetentionTookIsNoDamage as long as something has replaced it.
func TestWhatRetentionTookIsNoDamage(t *testing.T) {
	r := newRig(t)
	var old []uint64
	func() {
		snap, err := r.engine.Snapshot(t.Context())
		fine(t, err)
		defer snap.Close()
		newest := map[string]uint64{}
		fine(t, snap.Changes(r.ids[0], 0, 0, 0, func(c *holdfast.Change) error {
			if c.Prunable() {
				if seq := newest[c.Name]; seq > 0 {
					old = append(old, seq)
				}
				newest[c.Name] = c.Seq
			}
			return nil
		}))
	}()
	if n, _, err := r.engine.Prune(t.Context(), r.ids[0], old); err != nil || n == 0 {
		t.Fatalf("%d were let go of, %v", n, err)
	}
	round, err := r.scrubber(r.source()).Round(t.Context())
	fine(t, err)
	if round.Found != 0 {
		t.Errorf("%+v", round)
	}
	last := spot{r.ids[1], 0}
	snap, err := r.engine.Snapshot(t.Context())
	fine(t, err)
	h, err := snap.Head(last.account)
	fine(t, err)
	snap.Close()
	last.seq = h.Seq
	r.engine.hollow = map[spot]bool{last: true}
	if round, err = r.scrubber(nil).Round(t.Context()); err != nil || round.Found != 1 || round.Findings[0].Seq != last.seq || round.Findings[0].Kind != Octets {
		t.Errorf("what is there: %+v, %v", round, err)
	}
}
