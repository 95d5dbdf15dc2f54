package restore

import (
	"context"
	"fmt"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/relay"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
	"holdfast/internal/vault"
)

// goOn gives a restored engine the right to write into the source's vault, and serves it.
func (s *source) goOn(e *memory.Engine, store holdfast.ID, base holdfast.Position) {
	t := s.t
	v, err := vault.Open(t.Context(), s.options())
	fine(t, err)
	_, err = v.Adopt(t.Context(), store, base, vault.FromNothing)
	fine(t, err)
	policy, err := relay.ParsePolicy("engine+local")
	fine(t, err)
	s.engine = e
	s.relay, err = relay.New(relay.Options{Engine: e, Store: store, Policy: policy, Clock: s.clock, Vaults: []relay.Attached{{Name: "local", Open: func(ctx context.Context) (*vault.Vault, error) {
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
	s.core = core.New(core.Options{Engine: e, Copies: s.relay, Judges: judges, Clock: s.clock})
}

// TestRestoresFollowOneAnother restores as of a moment, goes on with that, and restores again: the newest, a moment in the new term, and one that was given up.
func TestRestoresFollowOneAnother(t *testing.T) {
	s := newSource(t)
	a := s.account("ann@example.org")
	for i := range 20 {
		s.put(a, fmt.Sprint(i, ".vcf"), fmt.Sprint("first ", i))
	}
	s.clock.Advance(time.Hour)
	moment := s.clock.Now()
	s.clock.Advance(time.Hour)
	for i := range 20 {
		s.put(a, fmt.Sprint(i, ".vcf"), fmt.Sprint("spoiled ", i))
	}
	s.clock.Advance(time.Hour)
	spoiled, before := s.clock.Now(), s.texts(s.engine, a)
	s.stop()

	for _, whole := range []bool{true, false} { // the vault goes on from where it was restored to, or is filled anew
		s.clock.Advance(time.Hour)
		e, rep := s.restore(Options{At: moment, Nonce: holdfast.NewID(nil)}, s.place)
		base := rep.Base
		if !whole {
			base = holdfast.Position{}
		}
		s.goOn(e, holdfast.NewID(nil), base)
		s.put(a, "3.vcf", fmt.Sprint("later ", whole))
		s.put(a, "new.vcf", "new")
		s.clock.Advance(time.Hour)
		then, between := s.clock.Now(), s.texts(e, a)
		s.clock.Advance(time.Hour)
		s.put(a, "4.vcf", fmt.Sprint("newest ", whole))
		s.stop()
		if between["0.vcf"] != "first 0" || between["3.vcf"] != fmt.Sprint("later ", whole) {
			t.Fatalf("whole %v: the store goes on with %v", whole, between)
		}
		for what, x := range map[string]struct {
			at   time.Time
			want map[string]string
			of   store.Engine
		}{"the newest": {want: s.texts(e, a), of: e}, "a moment of the new term": {at: then, want: between}, "what was given up": {at: spoiled, want: before}} {
			again, rep := s.restore(Options{At: x.at}, s.place)
			if len(rep.Losses) > 0 || len(rep.Damage) > 0 {
				t.Fatalf("whole %v, %s: %+v", whole, what, rep)
			}
			if got := s.texts(again, a); fmt.Sprint(got) != fmt.Sprint(x.want) {
				t.Fatalf("whole %v, %s is %v, want %v", whole, what, got, x.want)
			}
			if x.of == nil {
				continue
			}
			for seq := uint64(1); seq <= s.head(x.of, a).Seq; seq += 5 {
				if got, want := s.digest(again, a, seq), s.digest(x.of, a, seq); got != want {
					t.Fatalf("whole %v, %s: at %d the digest is %+v, want %+v", whole, what, seq, got, want)
				}
			}
		}
	}
}
