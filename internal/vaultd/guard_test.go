package vaultd_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/fault"
	"holdfast/internal/place"
	"holdfast/internal/seal"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
	"holdfast/internal/vaultd"
)

// TestWholeLife writes for six weeks through a guard that is opened anew all the time: nothing that a right writer does is refused.
func TestWholeLife(t *testing.T) {
	r := newRig(t)
	for day := range 50 {
		r.write(5)
		r.clock.Advance(20 * time.Hour)
		fine(t, r.w.Head(t.Context(), vault.HeadInput{}))
		if day%5 == 0 {
			fine(t, r.v.Upkeep(t.Context(), r.w))
		}
		if day%9 == 0 {
			r.restart()
			r.reopen()
		}
	}
	if got, want := r.rebuilt(), r.engine.Position(); got != want {
		t.Fatalf("the vault is at %v, the store at %v", got, want)
	}
	segments, oldest := 0, ""
	fine(t, r.disk.List(t.Context(), "tail/", "", func(i place.Info) error {
		if vault.ParseName(i.Name).Class == vault.Segment {
			if segments++; oldest == "" {
				oldest = i.Name
			}
		}
		return nil
	}))
	if vault.ParseName(oldest).Number < 3 {
		t.Errorf("%d segments, from %s on: nothing was let go of", segments, oldest)
	}
}

// reopen has the store begin anew, over the guard as it is now.
func (r *rig) reopen() {
	r.t.Helper()
	fine(r.t, r.w.Close())
	r.opt.Place = r.guard
	v, err := vault.Open(r.t.Context(), r.opt)
	fine(r.t, err)
	end, term, err := v.End(r.t.Context())
	fine(r.t, err)
	if r.w, err = v.Writer(r.t.Context(), term, end); err != nil {
		r.t.Fatal(err)
	}
	r.v = v
}

// TestGuardRefuses tries what a store that is wrong about itself, or somebody with a stolen append credential, could send.
func TestGuardRefuses(t *testing.T) {
	r := newRig(t)
	r.write(30)
	r.w.Roll()
	fine(t, r.v.Upkeep(t.Context(), r.w))
	fine(t, r.w.Head(t.Context(), vault.HeadInput{}))
	last, err := r.v.LastHead(t.Context())
	fine(t, err)
	other, err := seal.NewRing(false)
	fine(t, err)
	segment := vault.SegmentName(1, 900)
	fine(t, put(r.guard, vault.SegmentKeyName(1, 900), r.segmentKey(900)))
	old := octets(t, r.disk, vault.SegmentName(1, 1))
	frames, err := vault.SplitFrames(old)
	fine(t, err)
	head := func(change func(*vault.Head), by *seal.Ring) []byte {
		h := last
		h.Number, h.Previous, h.PlaceAt, h.Accounts, h.Packs = last.Number+1, holdfast.HashOf(octets(t, r.disk, vault.HeadName(last.Number))), r.clock.Now(), nil, nil
		change(&h)
		b, err := seal.SignLine(by.Signer, h)
		fine(t, err)
		return b
	}
	termBy := func(by *seal.Ring, change func(*vault.Term)) []byte {
		tm := vault.Term{Number: 2, Nonce: holdfast.ID{9}, Store: holdfast.ID{8}, Base: vault.Position(r.engine.Position()), Continues: vault.FromEnd, Signer: by.Signer.Public(), At: r.clock.Now()}
		change(&tm)
		b, err := seal.SignLine(by.Signer, tm)
		fine(t, err)
		return b
	}
	term := func(change func(*vault.Term)) []byte { return termBy(r.ring, change) }
	next := vault.HeadName(last.Number + 1)
	before := snapshot(t, r.disk)
	for name, err := range map[string]error{
		"an unknown name":               put(r.guard, "notes.txt", []byte("x")),
		"a head of a stranger's":        put(r.guard, next, head(func(*vault.Head) {}, other)),
		"a head over a hole":            put(r.guard, vault.HeadName(last.Number+2), head(func(h *vault.Head) { h.Number++ }, r.ring)),
		"a head that follows nothing":   put(r.guard, next, head(func(h *vault.Head) { h.Previous[0]++ }, r.ring)),
		"a head of a later position":    put(r.guard, next, head(func(h *vault.Head) { h.Position.Batch++ }, r.ring)),
		"a head of an earlier position": put(r.guard, next, head(func(h *vault.Head) { h.Position.Batch-- }, r.ring)),
		"a head of another position":    put(r.guard, next, head(func(h *vault.Head) { h.Position.Hash[3]++ }, r.ring)),
		"a head of ten years ahead":     put(r.guard, next, head(func(h *vault.Head) { h.PlaceAt = h.PlaceAt.AddDate(10, 0, 0) }, r.ring)),
		"a head of another vault":       put(r.guard, next, head(func(h *vault.Head) { h.Vault[0]++ }, r.ring)),
		"a head of another store":       put(r.guard, next, head(func(h *vault.Head) { h.Store[0]-- }, r.ring)),
		"a head of a term to come":      put(r.guard, next, head(func(h *vault.Head) { h.Term++ }, r.ring)),
		"a head without its pack":       put(r.guard, next, head(func(h *vault.Head) { h.Packs = []vault.PackRef{{Name: "pages/000000000777"}} }, r.ring)),
		"an account that goes back":     put(r.guard, next, head(func(h *vault.Head) { h.Accounts = []vault.AccountHead{{Account: r.people[0].ID, Epoch: 1, Seq: 1}} }, r.ring)),
		"an account of an earlier epoch": put(r.guard, next, head(func(h *vault.Head) {
			h.Accounts = []vault.AccountHead{{Account: r.people[0].ID, Epoch: 0, Seq: 1 << 40}}
		}, r.ring)),
		"a stranger's term":               put(r.guard, vault.TermName(2), termBy(other, func(*vault.Term) {})),
		"a term too many":                 put(r.guard, vault.TermName(3), term(func(tm *vault.Term) { tm.Number = 3 })),
		"a term that nobody signed":       put(r.guard, vault.TermName(2), append(term(func(*vault.Term) {}), 'x')),
		"a term from another end":         put(r.guard, vault.TermName(2), term(func(tm *vault.Term) { tm.Base.Hash[0]++ })),
		"a term from an end to come":      put(r.guard, vault.TermName(2), term(func(tm *vault.Term) { tm.Continues = vault.FromFork; tm.Base.Batch++ })),
		"a term from a fork that is none": put(r.guard, vault.TermName(2), term(func(tm *vault.Term) { tm.Continues = vault.FromFork; tm.Base.Batch = frames[0].Last; tm.Base.Hash[0]++ })),
		"a term from somewhere":           put(r.guard, vault.TermName(2), term(func(tm *vault.Term) { tm.Continues = "anywhere" })),
		"a key of nothing":                put(r.guard, vault.SegmentKeyName(1, 901), []byte("{}")),
		"another's key":                   put(r.guard, vault.SegmentKeyName(1, 901), octets(t, r.disk, vault.SegmentKeyName(1, 1))),
		"a key of a term to come":         put(r.guard, vault.SegmentKeyName(2, 1), octets(t, r.disk, vault.SegmentKeyName(1, 1))),
		"an erasure that nobody signed":   put(r.guard, vault.ErasedName(r.people[0].ID), []byte(`{"account":"`+r.people[0].ID.String()+`"}`)),
		"a service that can be read":      put(r.guard, "service/000000000009", []byte(`{"store":"x"}`)),
		"too much":                        put(r.guard, "service/000000000009", []byte("age-encryption.org/v1\n"+strings.Repeat("x", 17<<20))),
		"another vault":                   put(r.guard, "vault.json", []byte(`{"format":0,"vault":"`+holdfast.ID{2}.String()+`","store":"`+holdfast.ID{3}.String()+`"}`)),
		"another head of a name":          put(r.guard, vault.HeadName(1), head(func(*vault.Head) {}, r.ring)),
		"no frame":                        r.guard.Append(t.Context(), segment, 0, []byte("octets")),
		"an old frame":                    r.guard.Append(t.Context(), segment, 0, old),
		"an old frame behind":             r.guard.Append(t.Context(), vault.SegmentName(1, 1), int64(len(old)), old),
		"half of a frame":                 r.guard.Append(t.Context(), segment, 0, old[:len(old)-1]),
		"a frame that was changed":        r.guard.Append(t.Context(), segment, 0, bytes.Replace(old, []byte("age-"), []byte("agE-"), 1)),
		"a frame to no segment":           r.guard.Append(t.Context(), "tail/x.frames", 0, old),
		"removing a head":                 r.guard.Remove(t.Context(), vault.HeadName(1)),
		"removing the newest segment":     r.guard.Remove(t.Context(), vault.SegmentName(1, 1)),
		"removing a key":                  r.guard.Remove(t.Context(), vault.AccountKeyName(r.people[0].ID, 1)),
		"removing the vault":              r.guard.Remove(t.Context(), "vault.json"),
		"removing the newest service":     r.guard.Remove(t.Context(), "terms/000000000001"),
	} {
		switch holdfast.KindOf(err) {
		case holdfast.Invalid, holdfast.PreconditionFailed, holdfast.Fenced, holdfast.Forbidden, holdfast.Exists, holdfast.TooLarge:
		default:
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := snapshot(t, r.disk); after != before {
		t.Error("something was changed all the same")
	}
	r.write(5) // and the right one goes on
	fine(t, put(r.guard, next, head(func(*vault.Head) {}, r.ring)))
	fine(t, put(r.guard, vault.TermName(2), term(func(tm *vault.Term) { tm.Base = vault.Position(r.engine.Position()) })))
	if err := r.guard.Append(t.Context(), segment, 0, old); !holdfast.IsKind(err, holdfast.Fenced) {
		t.Errorf("who lost the right to write: %v", err)
	}
}

// snapshot describes everything that a place holds.
func snapshot(t *testing.T, p place.Place) string {
	var b strings.Builder
	fine(t, p.List(t.Context(), "", "", func(i place.Info) error {
		fmt.Fprintln(&b, i.Name, holdfast.HashOf(octets(t, p, i.Name)))
		return nil
	}))
	return b.String()
}

// TestClones lets two processes believe that they are the store: a machine's image that was started twice. One of them is refused.
func TestClones(t *testing.T) {
	r := newRig(t)
	r.write(10)
	clone, err := vault.Open(t.Context(), r.opt)
	fine(t, err)
	w, err := clone.Writer(t.Context(), r.w.Term(), r.w.Position())
	fine(t, err)
	list := r.next()
	if len(list) != 0 {
		t.Fatal("not shipped")
	}
	at := r.w.Position()
	r.write(3)
	for range 2 {
		ghost := &holdfast.Batch{Prev: at.Hash, Position: holdfast.Position{Batch: at.Batch + 1, Hash: holdfast.Hash{7}}}
		if err := w.Append(t.Context(), vault.PackBatches([]*holdfast.Batch{ghost}, r.clock.Now())); !holdfast.IsKind(err, holdfast.PreconditionFailed) {
			t.Fatalf("the clone: %v", err)
		}
	}
	_, err = r.engine.Commit(t.Context(), storetest.Sealed(r.people[0].ID, r.m.Put(r.people[0].Book, "last.vcf", "", []byte("x"))))
	fine(t, err)
	for tries := 0; ; tries++ { // numbers that the clone has taken are passed over
		err := r.w.Append(t.Context(), vault.PackBatches(r.next(), r.clock.Now()))
		if err == nil {
			break
		}
		if tries == 5 || !holdfast.IsKind(err, holdfast.Exists) {
			t.Fatal(err)
		}
	}
	if got := r.rebuilt(); got != r.engine.Position() {
		t.Fatalf("%v", got)
	}
}

// TestANewSignerIsTakenOnce lets a store begin with another signing key, because its server's operator says so, once.
func TestANewSignerIsTakenOnce(t *testing.T) {
	r := newRig(t)
	g, err := vaultd.NewGuard(t.Context(), r.disk, r.index, vaultd.Options{Clock: r.clock, NewSigner: true})
	fine(t, err)
	term := func(n uint64) []byte {
		by, err := seal.NewRing(false)
		fine(t, err)
		b, err := seal.SignLine(by.Signer, vault.Term{Number: n, Nonce: holdfast.ID{9}, Store: holdfast.ID{8}, Base: vault.Position(r.engine.Position()), Continues: vault.FromEnd, Signer: by.Signer.Public(), At: r.clock.Now()})
		fine(t, err)
		return b
	}
	fine(t, put(g, vault.TermName(2), term(2)))
	if err := put(g, vault.TermName(3), term(3)); !holdfast.IsKind(err, holdfast.Forbidden) {
		t.Errorf("a second new signer: %v", err)
	}
}

// TestLettingGo tells what goes when, by the server's own counted time.
func TestLettingGo(t *testing.T) {
	r := newRig(t)
	r.write(40)
	fine(t, r.v.PutService(t.Context(), "one"))
	fine(t, r.v.PutService(t.Context(), "two"))
	r.w.Roll()
	fine(t, r.v.Upkeep(t.Context(), r.w))
	account := r.people[0].ID
	left, err := r.v.Erase(t.Context(), r.w, account, nil)
	if fine(t, err); len(left) == 0 {
		t.Fatal("it was erased at once: one slip, or one thief, would be enough")
	}
	pruned := func(dry bool) (names []string) {
		fine(t, r.guard.Prune(t.Context(), dry, func(name string, octets int64) { names = append(names, name) }))
		return names
	}
	days := func(n int) {
		for range n {
			r.clock.Advance(24 * time.Hour)
			r.write(1)
			fine(t, r.w.Head(t.Context(), vault.HeadInput{}))
		}
	}
	r.clock.Advance(10 * 365 * 24 * time.Hour) // a clock that jumps ahead
	r.write(1)
	fine(t, r.w.Head(t.Context(), vault.HeadInput{}))
	if got := pruned(false); len(got) != 0 {
		t.Fatalf("a jump of the clock let go of %q", got)
	}
	days(5)
	if got := pruned(true); len(got) != 0 {
		t.Fatalf("after six days %q would go", got)
	}
	days(2)
	r.restart()
	want := "keys/" + account.String()[:3] + "/" + account.String() + ".000000000001 service/000000000001"
	if got := strings.Join(pruned(true), " "); got != want {
		t.Fatalf("after a week %q would go, want %q", got, want)
	}
	if got := strings.Join(pruned(false), " "); got != want {
		t.Fatalf("after a week %q went", got)
	}
	r.reopen()
	days(6)
	got := pruned(false)
	if len(got) < 4 || vault.ParseName(got[0]).Class != vault.Segment {
		t.Fatalf("after two weeks %q went", got)
	}
	for _, name := range got {
		if n := vault.ParseName(name); n.Class != vault.Segment && n.Class != vault.SegmentKey {
			t.Errorf("%s went", name)
		}
	}
	if got := pruned(false); len(got) != 0 {
		t.Errorf("and then %q", got)
	}
}

func TestRoom(t *testing.T) {
	r := newRig(t)
	r.write(3)
	small, err := vaultd.NewGuard(t.Context(), r.disk, r.index, vaultd.Options{Clock: r.clock, MaxOctets: 5000})
	fine(t, err)
	if err := put(small, vault.SegmentKeyName(1, 900), r.segmentKey(900)); !holdfast.IsKind(err, holdfast.Full) {
		t.Errorf("more than its share: %v", err)
	}
}

// TestAfterAnError has the disk fail in each way at each call of a story, and goes on: what the guard believes of the vault is what the disk holds.
func TestAfterAnError(t *testing.T) {
	for i, act := range []fault.Act{fault.Before, fault.After, fault.Half, fault.Full} {
		for n := 1 + i%2; ; n += 2 {
			r := newRig(t)
			plan := fault.By(func(call int, _ string) fault.Act {
				if call == n {
					return act
				}
				return fault.None
			})
			g, err := vaultd.NewGuard(t.Context(), fault.Wrap(r.disk, plan), r.index, vaultd.Options{Clock: r.clock})
			fine(t, err)
			r.guard = g
			r.opt.Place = g
			steps := []func() error{
				func() error { return r.tryShip(4) },
				func() error { return r.w.Head(t.Context(), vault.HeadInput{}) },
				func() error { return r.tryShip(2) },
				func() error { r.w.Roll(); return r.v.Upkeep(t.Context(), r.w) },
				func() error { _, err := r.v.Erase(t.Context(), r.w, r.people[1].ID, nil); return err },
				func() error { return r.tryShip(3) },
				func() error { return r.w.Head(t.Context(), vault.HeadInput{}) },
				func() error {
					fine(t, r.w.Close())
					end, _, err := r.v.End(t.Context())
					if err != nil {
						return err
					}
					_, err = r.v.Adopt(t.Context(), storeID, end, vault.FromEnd)
					return err
				},
				func() error { return r.tryShip(1) },
			}
			r.reopen()
			for i, step := range steps {
				for tries := 0; ; tries++ {
					err := step()
					if err == nil {
						break
					}
					if tries == 3 {
						t.Fatalf("%v at call %d: step %d never succeeds: %v", act, n, i, err)
					}
					r.reopen() // as the relay does
				}
				r.reopen()
			}
			if got, want := r.rebuilt(), r.engine.Position(); got != want {
				t.Fatalf("%v at call %d: the vault is at %v, the store at %v", act, n, got, want)
			}
			if n > plan.Calls() {
				break
			}
		}
	}
}

// tryShip commits changes, and ships from where the vault stands.
func (r *rig) tryShip(n int) error {
	for range n {
		a := r.people[r.n%len(r.people)]
		r.n++
		if _, err := r.engine.Commit(r.t.Context(), storetest.Sealed(a.ID, r.m.Put(a.Book, fmt.Sprint(r.n%7, ".vcf"), "", storetest.Card(fmt.Sprint(r.n), "Person", "")))); err != nil {
			return err
		}
	}
	r.sent = r.w.Position().Batch
	for _, b := range r.next() {
		if err := r.w.Append(r.t.Context(), vault.PackBatches([]*holdfast.Batch{b}, r.clock.Now())); err != nil {
			return err
		}
	}
	return nil
}
