package relay

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/fault"
	"holdfast/internal/place"
	"holdfast/internal/place/dir"
	"holdfast/internal/vault"
	"holdfast/internal/vfs"
	"holdfast/internal/vfs/crashfs"
)

// TestWhatCountsIsDurable: a process is killed before each of the calls by which it ships into a vault in a directory; the next one compares, and what it then takes for acknowledged is in the vault after a power cut.
func TestWhatCountsIsDurable(t *testing.T) {
	g := newRig(t, "engine+local", false, "local")
	g.put(g.a, "1")
	if _, _, err := g.wait(g.put(g.a, "2")); err != nil {
		t.Fatal(err)
	}
	g.stop()
	ctx := t.Context()
	base := crashfs.New(crashfs.Options{})
	d, err := dir.Open(base.FS(), "/vault", dir.Options{Create: true})
	fine(t, err)
	var names []string
	p := g.places["local"].Place
	fine(t, p.List(ctx, "", "", func(i place.Info) error { names = append(names, i.Name); return nil }))
	for _, name := range names {
		b, err := place.ReadAll(ctx, p, name, 1<<24)
		fine(t, err)
		if strings.HasSuffix(name, place.Grows) {
			fine(t, d.Append(ctx, name, 0, b))
		} else {
			fine(t, d.Put(ctx, name, strings.NewReader(string(b))))
		}
	}
	base.Settle()
	for i := range 3 {
		g.put(g.a, fmt.Sprint("more ", i))
	}
	open := func(fsys vfs.FS) (*vault.Vault, error) {
		d, err := dir.Open(fsys, "/vault", dir.Options{})
		if err != nil {
			return nil, err
		}
		return vault.Open(ctx, vault.Options{Place: d, Ring: g.ring, SegmentOctets: 8 << 10})
	}
	relayOn := func(fsys vfs.FS) *Relay {
		o := g.options("engine+local", false)
		o.Vaults[0].Open = func(context.Context) (*vault.Vault, error) { return open(fsys) }
		r, err := New(o)
		fine(t, err)
		return r
	}
	ship := func(fsys vfs.FS) error {
		v, err := open(fsys)
		if err != nil {
			return err
		}
		w, err := relayOn(fsys).connect(ctx, "local", v)
		if err != nil {
			return err
		}
		defer w.Close() // the lock of a process that is killed goes with it
		return g.engine.After(ctx, w.Position().Batch, 10, func(b *holdfast.Batch) error {
			var packed vault.Packed
			w.Pack(&packed, []*holdfast.Batch{b}, time.Unix(1, 0))
			return w.Append(ctx, &packed)
		})
	}
	whole := 0
	for n, done := 1, false; !done; n++ {
		for seed := range uint64(10) {
			disk := base.Clone()
			done = ship(fault.WrapFS(disk.FS(), fault.Cut(n, fault.Before))) == nil
			r := relayOn(disk.FS())
			fine(t, r.Reconcile(ctx))
			acked := r.Acked()
			if acked == g.engine.Position().Batch {
				whole++
			}
			disk.PowerCut(rand.New(rand.NewPCG(seed, uint64(n))))
			v, err := open(disk.FS())
			fine(t, err)
			if end, _, err := v.End(ctx); err != nil || end.Batch < acked || acked == 0 {
				t.Fatalf("killed before call %d, seed %d: %d were taken for acknowledged, and after the power cut the vault ends at %d, %v", n, seed, acked, end.Batch, err)
			}
		}
	}
	if whole == 0 {
		t.Error("never was all of it found")
	}
}
