package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/place/memory"
	"holdfast/internal/seal"
)

// opens tells how many of the vault's keys one identity opens, and how many there are.
func (r *rig) opens(p place.Place, id *seal.Identity) (opened, of int) {
	r.t.Helper()
	v := must(r.t, must2(Open(ctx, Options{Place: p, With: []*seal.Identity{id}})), nil)
	w := &rewrapper{v: v}
	fine(r.t, w.each(ctx, func(_ context.Context, k *wrappedKey) error {
		of++
		var err error
		if k.of == "account" {
			_, err = v.FindAccountKey(ctx, k.account)
		} else {
			var term, n uint64
			_, serr := fmt.Sscanf(k.name, "tail/%d/%d", &term, &n)
			fine(r.t, serr)
			_, err = v.segmentKey(ctx, term, n)
		}
		if err == nil {
			opened++
		}
		return nil
	}))
	return opened, of
}

// rewrapRig is a vault with segments, accounts and what the store says of itself.
func rewrapRig(t *testing.T) (*rig, *maker, *seal.Recovery) {
	r, m := newRig(t, nil), newMaker(7, 12)
	for range 40 {
		r.ship(m.batch(5))
	}
	for _, a := range m.accounts {
		_, err := r.v.AccountKey(ctx, a)
		fine(t, err)
	}
	fine(t, r.v.PutService(ctx, map[string]int{"round": 1}))
	fine(t, r.v.PutService(ctx, map[string]int{"round": 2}))
	return r, m, must2(seal.NewRecovery(holdfast.ID{0xff}, start, false))
}

func TestRewrap(t *testing.T) {
	r, m, next := rewrapRig(t)
	old := r.recovery
	fine(t, r.ring.Add(next))
	var last, of int64
	left, err := r.v.Rewrap(ctx, func(done, all int64) { last, of = done, all })
	fine(t, err)
	if len(left) != 0 || last != of || of < 13 {
		t.Fatalf("left %v, done %d of %d", left, last, of)
	}
	for what, id := range map[string]*seal.Identity{"the old key": old.Identity, "the new key": next.Identity, "the server's key": r.ring.Server} {
		if got, all := r.opens(r.place, id); got != all || int64(all) != of {
			t.Errorf("while both are there, %s opens %d of %d", what, got, all)
		}
	}
	fine(t, r.ring.Drop(old.Recipient().Fingerprint()))
	fine(t, r.v.PutService(ctx, map[string]int{"round": 3}))
	if _, err := r.v.Rewrap(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if got, _ := r.opens(r.place, old.Identity); got != 0 {
		t.Errorf("afterwards the old key opens %d keys", got)
	}
	if got, all := r.opens(r.place, next.Identity); got != all {
		t.Errorf("afterwards the new key opens %d of %d", got, all)
	}
	var service map[string]int
	v := must(t, must2(Open(ctx, Options{Place: r.place, With: []*seal.Identity{old.Identity}})), nil)
	if err := v.Service(ctx, &service); !holdfast.IsKind(err, holdfast.Unauthorized) {
		t.Errorf("the old key opens what the store says of itself: %v, %v", service, err)
	}
	before := r.names()
	if _, err := r.v.Rewrap(ctx, nil); err != nil || !slices.Equal(before, r.names()) {
		t.Errorf("a run with nothing to do changes the place: %v", err)
	}
	r.open()
	r.frames(m, 0)
}

func (r *rig) names() (out []string) {
	fine(r.t, r.place.List(ctx, "", "", func(i place.Info) error { out = append(out, i.Name); return nil }))
	return out
}

// cutPlace fails every call from the nth on that changes something: as a process that is killed there. The nth itself is done, or not.
type cutPlace struct {
	place.Place
	left int
	done bool
}

var errCut = errors.New("cut")

func (c *cutPlace) step(fn func() error) error {
	if c.left--; c.left < 0 {
		if c.left == -1 && c.done {
			_ = fn()
		}
		return errCut
	}
	return fn()
}

func (c *cutPlace) Put(ctx context.Context, name string, r io.Reader) error {
	return c.step(func() error { return c.Place.Put(ctx, name, r) })
}

func (c *cutPlace) Remove(ctx context.Context, name string) error {
	return c.step(func() error { return c.Place.Remove(ctx, name) })
}

// TestRewrapCut cuts a rotation at every change that it makes: at each moment the old key or the new one opens everything, and another run completes it.
func TestRewrapCut(t *testing.T) {
	r, _, next := rewrapRig(t)
	old, whole := r.recovery, r.place.(*memory.Place)
	fine(t, r.ring.Add(next))
	steps := 0
	for at := 0; ; at++ {
		p := whole.Clone()
		opt := r.opt
		opt.Place = &cutPlace{Place: p, left: at, done: at%2 == 0}
		_, err := must(t, must2(Open(ctx, opt)), nil).Rewrap(ctx, nil)
		if got, all := r.opens(p, old.Identity); got != all {
			t.Fatalf("cut at %d: the old key opens %d of %d while it is still the one to go by", at, got, all)
		}
		opt.Place = p
		if _, err := must(t, must2(Open(ctx, opt)), nil).Rewrap(ctx, nil); err != nil {
			t.Fatalf("cut at %d: the next run: %v", at, err)
		}
		if got, all := r.opens(p, next.Identity); got != all {
			t.Fatalf("cut at %d: after the next run the new key opens %d of %d", at, got, all)
		}
		if err == nil {
			break
		}
		steps++
	}
	if steps < 20 {
		t.Fatalf("only %d steps were cut", steps)
	}
}

// keepPlace lets nobody remove.
type keepPlace struct{ place.Place }

func (keepPlace) Remove(_ context.Context, name string) error {
	return place.Err("Remove", holdfast.Forbidden, name, "not now", nil)
}

func TestRewrapWhereNothingIsRemoved(t *testing.T) {
	r, _, next := rewrapRig(t)
	fine(t, r.ring.Add(next))
	opt := r.opt
	opt.Place = keepPlace{r.place}
	v := must(t, must2(Open(ctx, opt)), nil)
	left, err := v.Rewrap(ctx, nil)
	fine(t, err)
	if got, all := r.opens(r.place, next.Identity); got != all || len(left) != all+1 {
		t.Errorf("the new key opens %d of %d, %d objects are left", got, all, len(left))
	}
}

// TestRewrapDamaged wraps a key anew whose newest object is damaged, from the one before; one that no object opens stops it, and stays.
func TestRewrapDamaged(t *testing.T) {
	r, m, next := rewrapRig(t)
	p := r.place.(*memory.Place)
	a := m.accounts[3]
	p.Overwrite(AccountKeyName(a, 2), []byte("{}"))
	fine(t, r.ring.Add(next))
	_, err := r.v.Rewrap(ctx, nil)
	fine(t, err)
	if got, all := r.opens(p, next.Identity); got != all {
		t.Errorf("the new key opens %d of %d", got, all)
	}
	if names := r.names(); !slices.Contains(names, AccountKeyName(a, 3)) || slices.Contains(names, AccountKeyName(a, 2)) {
		t.Errorf("the damaged object was not replaced")
	}
	p.Overwrite(AccountKeyName(a, 3), []byte("{}"))
	if _, err := r.v.Rewrap(ctx, nil); !holdfast.IsKind(err, holdfast.Corrupt) {
		t.Errorf("a key that nothing opens: %v", err)
	}
}

func TestParseKeyName(t *testing.T) {
	a := holdfast.ID{1, 2}
	for name, want := range map[string]string{
		AccountKeyName(a, 1): a.String(), SegmentKeyName(3, 4): SegmentName(3, 4), SegmentKeyName(3, 4) + "." + number(2): SegmentName(3, 4),
		SegmentName(3, 4): "", "keys/abc/def": "", "keys/": "", "keys/abc/" + a.String(): "", SegmentKeyName(3, 4) + ".2": "", SegmentKeyName(3, 4) + "x": "", "heads/000000000001": "",
	} {
		k, ok := parseKeyName(name)
		if ok != (want != "") || ok && k.name != want {
			t.Errorf("%s: %v %v", name, ok, k)
		}
	}
}

func TestProve(t *testing.T) {
	r, _, next := rewrapRig(t)
	with := func(id *seal.Identity) *Vault {
		return must(t, must2(Open(ctx, Options{Place: r.place, With: []*seal.Identity{id}})), nil)
	}
	if n, err := with(r.recovery.Identity).Prove(ctx); err != nil || n != 14 {
		t.Errorf("the recovery key opens %d, %v", n, err)
	}
	if n, err := with(next.Identity).Prove(ctx); !holdfast.IsKind(err, holdfast.Unauthorized) || n != 0 {
		t.Errorf("another key opens %d, %v", n, err)
	}
	empty := Options{Place: memory.New(r.clock), Ring: r.ring, Clock: r.clock}
	v := must(t, must2(Create(ctx, empty, Meta{Vault: holdfast.ID{2}, Store: holdfast.ID{0xff}})), nil)
	if n, err := v.Prove(ctx); n != 0 || err != nil {
		t.Errorf("a vault with nothing in it: %d, %v", n, err)
	}
}
