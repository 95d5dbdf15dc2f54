package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/store/memory"
	"holdfast/internal/vault"
)

// opened opens a vault of the rig though it is damaged.
func (g *rig) opened(name string, id holdfast.ID) func(context.Context) (*vault.Vault, error) {
	return func(ctx context.Context) (*vault.Vault, error) {
		return vault.OpenDamaged(ctx, vault.Options{Place: g.places[name], Ring: g.ring}, vault.Meta{Vault: id, Store: storeID, Name: name, Created: time.Unix(1, 0)})
	}
}

// sealedUp ships enough that there are packs, heads and a tail.
func (g *rig) sealedUp(name string) {
	for i := range 40 {
		g.put(g.a, fmt.Sprint(i, ".vcf"))
		g.put(g.b, fmt.Sprint(i%7, ".vcf"))
		if i%10 == 9 {
			_, _, err := g.wait(g.put(g.a, "last.vcf"))
			fine(g.t, err)
			fine(g.t, g.r.workers[name].beside(context.Background(), func(ctx context.Context, v *vault.Vault, w *vault.Writer) error {
				if w.Roll(); i < 20 {
					return v.Upkeep(ctx, w)
				}
				return w.Head(ctx, vault.HeadInput{})
			}))
		}
	}
}

// whole reads a vault alone, and compares it with the store change by change.
func (g *rig) whole(where, name string) {
	g.t.Helper()
	v, err := vault.Open(context.Background(), vault.Options{Place: g.places[name], Ring: g.ring})
	fine(g.t, err)
	damage, err := v.Survey(context.Background())
	fine(g.t, err)
	r, err := vault.NewReader(context.Background(), []*vault.Vault{v}, vault.ReadOptions{Spool: g.t.TempDir()})
	fine(g.t, err)
	defer r.Close()
	snap, err := g.engine.Snapshot(context.Background())
	fine(g.t, err)
	defer snap.Close()
	seen := 0
	fine(g.t, r.Accounts(context.Background(), func(h *vault.History) error {
		at := uint64(0)
		if err := h.Changes(context.Background(), func(list []vault.Loaded) error {
			for i := range list {
				if want, err := snap.Chain(h.Account, list[i].Seq); err != nil || want.Chain != list[i].Chain || list[i].Seq != at+1 {
					g.t.Errorf("%s: change %d of %s follows %d, or is another one: %v", where, list[i].Seq, h.Account, at, err)
				}
				at = list[i].Seq
			}
			return nil
		}); err != nil {
			return err
		}
		head, err := snap.Head(h.Account)
		if seen++; err != nil || head.Seq != at || len(h.Losses()) > 0 {
			g.t.Errorf("%s: %s ends at %d, the store at %d; %v %v", where, h.Account, at, head.Seq, h.Losses(), err)
		}
		return nil
	}))
	if damage = append(damage, r.Damage()...); seen != 2 || len(damage) > 0 {
		g.t.Errorf("%s: %d accounts; damaged: %v", where, seen, damage)
	}
}

// TestAVaultIsRepairedBesideTheAppends damages each object of a vault that is written to, has it repaired while changes come, and starts the store again with it.
func TestAVaultIsRepairedBesideTheAppends(t *testing.T) {
	g := newRig(t, "engine+local", false, "local")
	defer func() { g.stop() }()
	g.sealedUp("local")
	var all []string
	p := g.places["local"]
	fine(t, p.List(context.Background(), "", "", func(i place.Info) error { all = append(all, i.Name); return nil }))
	v, err := g.opened("local", holdfast.ID{})(context.Background())
	fine(t, err)
	id := v.Meta().Vault
	step := 1
	if testing.Short() {
		step = 4
	}
	for n := 0; n < len(all); n += step {
		name := all[n]
		b, err := place.ReadAll(context.Background(), p, name, 1<<20)
		if holdfast.IsKind(err, holdfast.NotFound) {
			continue // a repair before this one let go of it
		}
		fine(t, err)
		bad := slices.Clone(b)
		bad[len(bad)*3/5] ^= 4
		if n%3 == 0 {
			bad = nil
		}
		p.Overwrite(name, bad)
		stopped := n%2 == 0
		if stopped { // the store starts with the damage
			g.stop()
			_ = g.run("engine+local", false)
		}
		g.put(g.b, "while.vcf")
		_, anew, err := g.r.RepairVault(context.Background(), "local", RepairOptions{Open: g.opened("local", id), Spool: t.TempDir()})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if anew != (name == vault.TermName(1)) {
			t.Errorf("%s: filled anew: %v", name, anew)
		}
		_, _, err = g.wait(g.put(g.a, "after.vcf"))
		fine(t, err)
		g.whole(name, "local")
	}
	g.stop()
	g.start("engine+local", false)
	fine(t, g.r.Reconcile(context.Background()))
	_, _, err = g.wait(g.put(g.a, "again.vcf"))
	fine(t, err)
	g.whole("at the end", "local")
}

// TestWhatTheStoreLacksComesFromAnotherVault asks for changes that the store does not have.
func TestWhatTheStoreLacksComesFromAnotherVault(t *testing.T) {
	g := newRig(t, "engine+local", false, "local")
	for i := range 5 {
		g.put(g.a, fmt.Sprint(i, ".vcf"))
	}
	_, _, err := g.wait(g.put(g.a, "last.vcf"))
	fine(t, err)
	other, err := vault.Open(t.Context(), vault.Options{Place: g.places["local"], Ring: g.ring})
	fine(t, err)
	snap, err := g.engine.Snapshot(t.Context())
	fine(t, err)
	defer snap.Close()
	head, err := snap.Head(g.a.ID)
	fine(t, err)
	for _, others := range [][]*vault.Vault{nil, {other}} {
		o := &origin{engine: memory.New(), others: others, spool: t.TempDir()}
		var got []uint64
		fine(t, o.Changes(t.Context(), g.a.ID, 2, head.Seq, func(list []vault.Loaded) error {
			for i := range list {
				got = append(got, list[i].Seq)
				if want, err := snap.Chain(g.a.ID, list[i].Seq); err != nil || want.Chain != list[i].Chain {
					t.Errorf("change %d has another chain", list[i].Seq)
				}
			}
			return nil
		}))
		if others == nil && len(got) > 0 || others != nil && uint64(len(got)) != head.Seq-1 {
			t.Errorf("with %d other vaults: %v of 2 to %d", len(others), got, head.Seq)
		}
	}
}

// TestWhatTheStoreHasLetGoOfComesFromAnotherVault: a hole in a vault is filled with versions as the store has them, without octets, only where no other vault has those.
func TestWhatTheStoreHasLetGoOfComesFromAnotherVault(t *testing.T) {
	g := newRig(t, "engine+local", false, "local")
	for range 5 {
		g.put(g.a, "a.vcf")
	}
	_, _, err := g.wait(g.put(g.a, "last.vcf"))
	fine(t, err)
	other, err := vault.Open(t.Context(), vault.Options{Place: g.places["local"], Ring: g.ring})
	fine(t, err)
	snap, err := g.engine.Snapshot(t.Context())
	fine(t, err)
	defer snap.Close()
	head, err := snap.Head(g.a.ID)
	fine(t, err)
	var old []uint64
	fine(t, snap.Versions(g.a.Book, "a.vcf", 0, func(c *holdfast.Change) error { old = append(old, c.Seq); return nil }))
	old = old[1:]
	if n, _, err := g.engine.Prune(t.Context(), g.a.ID, old); n != len(old) || n < 3 || err != nil {
		t.Fatal(n, err)
	}
	for _, others := range [][]*vault.Vault{nil, {other}} {
		o := &origin{engine: g.engine, others: others, spool: t.TempDir()}
		pruned, seen := 0, uint64(0)
		fine(t, o.Changes(t.Context(), g.a.ID, 2, head.Seq, func(list []vault.Loaded) error {
			for i := range list {
				c := &list[i]
				if seen++; c.Pruned {
					pruned++
				} else if c.Op == holdfast.OpPut && holdfast.HashOf(c.Body) != c.ETag {
					t.Errorf("change %d has other octets", c.Seq)
				}
			}
			return nil
		}))
		if seen != head.Seq-1 || pruned != map[bool]int{true: len(old), false: 0}[others == nil] {
			t.Errorf("with %d other vaults: %d of %d changes are without octets, %d were read", len(others), pruned, len(old), seen)
		}
	}
}

// TestADamagedErasureIsWrittenAgain has two records of erasures that nobody can read: of an account that the store has erased, and of one that it has. The first is written again; the other erases nobody, and is told.
func TestADamagedErasureIsWrittenAgain(t *testing.T) {
	g := newRig(t, "engine+local", false, "local")
	defer func() { g.stop() }()
	_, _, err := g.wait(g.put(g.a, "1.vcf"))
	fine(t, err)
	_, _, err = g.wait(g.put(g.b, "1.vcf"))
	fine(t, err)
	fine(t, g.engine.Erase(t.Context(), g.b.ID))
	p := g.places["local"]
	for _, id := range []holdfast.ID{g.a.ID, g.b.ID} {
		fine(t, p.Put(t.Context(), vault.ErasedName(id), strings.NewReader("rubbish")))
	}
	rep, _, err := g.r.RepairVault(t.Context(), "local", RepairOptions{Open: g.opened("local", holdfast.ID{}), Spool: t.TempDir()})
	if err != nil || len(rep.Damaged) != 2 {
		t.Fatalf("%v, %+v", err, rep)
	}
	v, err := vault.Open(t.Context(), vault.Options{Place: p, Ring: g.ring})
	fine(t, err)
	told, err := v.Erased(t.Context())
	if err != nil || !told[g.b.ID] || told[g.a.ID] {
		t.Fatalf("%v, %v", told, err)
	}
	_, _, err = g.wait(g.put(g.a, "2.vcf"))
	fine(t, err)
}

// TestARepairGoesOnWhereTheVaultIsClosedAmidIt ends the writer's turn while a repair is under way, as an append does that meets the damage first: the repair is not said to be interrupted, and begins again.
func TestARepairGoesOnWhereTheVaultIsClosedAmidIt(t *testing.T) {
	g := newRig(t, "engine+local", false, "local")
	g.sealedUp("local")
	g.stop()
	o := g.options("engine+local", false)
	var asked atomic.Int64
	o.Service = func() any { return asked.Add(1) } // each time another, so that it is put
	fine(t, g.runWith(o))
	g.until("whole", g.r.Met)
	w := g.r.workers["local"]
	times := 0
	for closed := range 2 {
		left := closed + 1
		fails := func(name string) error {
			if !strings.HasPrefix(name, "service") || left == 0 {
				return nil
			}
			left--
			times++
			w.mu.Lock()
			w.cut()
			w.mu.Unlock()
			return errDown
		}
		g.places["local"].onPut.Store(&fails)
		rep, _, err := g.r.RepairVault(t.Context(), "local", RepairOptions{Open: g.opened("local", holdfast.NewID(nil)), Spool: t.TempDir()})
		if err != nil || len(rep.Damaged) > 0 {
			t.Errorf("closed %d times: %+v, %v", closed+1, rep, err)
		}
		g.until("whole", g.r.Met)
	}
	if times != 3 {
		t.Errorf("closed %d times", times)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := g.r.Beside(ctx, "local", func(ctx context.Context, _ *vault.Vault, _ *vault.Writer) error {
		w.mu.Lock()
		w.cut()
		w.mu.Unlock()
		<-ctx.Done()
		return context.Cause(ctx)
	})
	if !holdfast.IsKind(err, holdfast.Unavailable) || errors.Is(err, context.Canceled) {
		t.Error("closed amid a job:", err)
	}
	err = g.r.Beside(ctx, "local", func(ctx context.Context, _ *vault.Vault, _ *vault.Writer) error {
		cancel()
		<-ctx.Done()
		return context.Cause(ctx)
	})
	if !errors.Is(err, context.Canceled) {
		t.Error("who asked has gone:", err)
	}
}
