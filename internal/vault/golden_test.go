package vault_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/place"
	memplace "holdfast/internal/place/memory"
	"holdfast/internal/restore"
	"holdfast/internal/seal"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
)

var update = flag.Bool("update", false, "make the golden vault anew")

// golden is a vault as an earlier version wrote it, with the recovery key and what it holds. Once a version of the format is declared, its vault stays as it is, and is read for ever; that of version 0 is made anew (-update) where
// the format changes.
const golden = "testdata/golden-v0"

var began = time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)

func fine(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestGoldenVault reads the golden vault, looks at each object of it, and restores everything from it.
func TestGoldenVault(t *testing.T) {
	if *update {
		makeGolden(t)
	}
	file, err := os.ReadFile(filepath.Join(golden, "recovery.txt"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatal("the golden vault is absent; -update makes one")
	}
	fine(t, err)
	recovery, err := seal.ParseRecovery(file)
	fine(t, err)
	v, err := vault.Open(t.Context(), vault.Options{Place: load(t), With: []*seal.Identity{recovery.Identity}})
	fine(t, err)
	got := tell(t, v, recovery)
	want, err := os.ReadFile(filepath.Join(golden, "holds.txt"))
	fine(t, err)
	if *update {
		want = []byte(got)
		fine(t, os.WriteFile(filepath.Join(golden, "holds.txt"), want, 0o644))
	}
	if got != string(want) {
		t.Errorf("the golden vault reads as\n%s", got)
	}
	if n := strings.Count(got, "\n"); n < 45 {
		t.Errorf("it holds %d lines", n)
	}
	damage, err := v.Survey(t.Context())
	if err != nil || len(damage) > 0 {
		t.Errorf("damaged: %+v, %v", damage, err)
	}
	if damage, err = v.Rehash(t.Context(), 0); err != nil || len(damage) > 0 {
		t.Errorf("damaged when it is hashed again: %+v, %v", damage, err)
	}
}

// load takes the golden vault into memory.
func load(t *testing.T) *memplace.Place {
	t.Helper()
	p := memplace.New(clock.NewFake(began))
	root := filepath.Join(golden, "vault")
	fine(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		p.Overwrite(filepath.ToSlash(name), b)
		return err
	}))
	return p
}

// tell says everything that a vault holds: change by change, what a restore of it is like, and what its tail replays.
func tell(t *testing.T, v *vault.Vault, recovery *seal.Recovery) string {
	t.Helper()
	ctx := t.Context()
	var out strings.Builder
	r, err := vault.NewReader(ctx, []*vault.Vault{v}, vault.ReadOptions{Spool: t.TempDir(), Trust: recovery})
	fine(t, err)
	defer r.Close()
	fine(t, r.Accounts(ctx, func(h *vault.History) error {
		fmt.Fprintf(&out, "account %v\n", h.Account)
		err := h.Changes(ctx, func(list []vault.Loaded) error {
			for i := range list {
				c := &list[i]
				fmt.Fprintf(&out, "  epoch %d seq %d batch %d %d %d %q %v %v chain %v\n", c.Epoch, c.Seq, c.Batch, c.Op, c.Kind, c.Name, c.ETag, c.PropsHash, c.Chain)
			}
			return nil
		})
		for _, l := range h.Losses() {
			t.Errorf("lost: %+v", l)
		}
		return err
	}))
	for _, d := range r.Damage() {
		t.Errorf("damaged: %+v", d)
	}
	for id := range r.Erased() {
		fmt.Fprintf(&out, "erased %v\n", id)
	}
	rep := bring(t, memory.New(), v, recovery)
	for _, a := range rep.Accounts {
		fmt.Fprintf(&out, "restored %s: %d changes, digest %v, complete %v\n", a.Email, a.Changes, a.Digest, a.Complete)
	}
	end, term, err := v.End(ctx)
	fine(t, err)
	n := 0
	fine(t, v.Frames(ctx, term.Base.Batch, func(b *holdfast.Batch, _ time.Time) error { n++; return nil }))
	fmt.Fprintf(&out, "the tail ends at batch %d of term %d, hash %v; %d of it replay\n", end.Batch, term.Number, end.Hash, n)
	return out.String()
}

// bring restores a vault into an engine.
func bring(t *testing.T, e store.Engine, v *vault.Vault, recovery *seal.Recovery) *restore.Report {
	t.Helper()
	derive := func(_ *holdfast.Collection, r *holdfast.Resource) (holdfast.Index, bool) {
		return holdfast.Index{UID: r.Name}, r.Kind == holdfast.KindAddress
	}
	rep, err := restore.Run(t.Context(), restore.Options{Vaults: []*vault.Vault{v}, Recovery: recovery, Engine: e, Spool: t.TempDir(), Derive: derive, Nonce: holdfast.ID{9}, Clock: clock.NewFake(began)})
	fine(t, err)
	if len(rep.Losses) > 0 || len(rep.Damage) > 0 {
		t.Errorf("lost: %+v, damaged: %+v", rep.Losses, rep.Damage)
	}
	return rep
}

// maker writes the golden vault: a store's, and that of the store which was restored from it and went on.
type maker struct {
	t      *testing.T
	m      *storetest.Maker
	engine *memory.Engine
	v      *vault.Vault
	w      *vault.Writer
	people []storetest.Account
}

func makeGolden(t *testing.T) {
	ring, err := seal.NewRing(false)
	fine(t, err)
	recovery, err := seal.NewRecovery(holdfast.ID{0xaa}, began, false)
	fine(t, err)
	fine(t, ring.Add(recovery))
	clk := clock.NewFake(began)
	p := memplace.New(clk)
	opt := vault.Options{Place: p, Ring: ring, Clock: clk, KeepTail: time.Hour, Keep: 1000 * time.Hour}
	v, err := vault.Create(t.Context(), opt, vault.Meta{Vault: holdfast.ID{1}, Store: holdfast.ID{0xaa}, Name: "golden", Created: began})
	fine(t, err)
	g := &maker{t: t, m: storetest.NewMaker(2026), engine: memory.New(), v: v}
	term, err := v.Adopt(t.Context(), holdfast.ID{0xaa}, holdfast.Position{}, vault.FromNothing)
	fine(t, err)
	g.w, err = v.Writer(t.Context(), term, holdfast.Position{})
	fine(t, err)
	for _, login := range []string{"ada@example.org", "bob@example.org", "eve@example.org"} {
		g.people = append(g.people, storetest.NewAccount(t, g.m, g.engine, login))
	}
	for i := range 9 { // eight packs are joined into one
		g.some(i)
		clk.Advance(20 * time.Minute)
		g.round()
	}
	_, err = v.Erase(t.Context(), g.w, g.people[2].ID, nil)
	fine(t, err)
	fine(t, g.engine.Erase(t.Context(), g.people[2].ID))
	g.some(9)
	g.ship()
	fine(t, g.w.Head(t.Context(), vault.HeadInput{Vaults: []vault.Other{{Name: "attic", Kind: "dir", Location: "/mnt/attic", Domain: "attic"}}}))
	fine(t, v.PutService(t.Context(), map[string]any{"policy": "engine+golden"}))
	_, err = v.Rewrap(t.Context(), nil)
	fine(t, err)
	fine(t, g.w.Close())

	// The store is lost, and restored from its vault.
	g.engine = memory.New()
	rep := bring(t, g.engine, v, recovery)
	term, err = v.Adopt(t.Context(), holdfast.ID{0xbb}, rep.Base, vault.FromNothing)
	fine(t, err)
	g.w, err = v.Writer(t.Context(), term, rep.Base)
	fine(t, err)
	g.people = g.people[:2]
	g.some(10)
	g.round()
	g.some(11)
	g.ship()
	g.w.Roll()
	g.some(12)
	g.ship()
	fine(t, g.w.Close())
	g.save(p, recovery)
}

// some commits changes of all kinds.
func (g *maker) some(n int) {
	for i, a := range g.people {
		put := g.m.Put(a.Book, fmt.Sprint(n%4, ".vcf"), fmt.Sprint(n%4, ".vcf"), storetest.Card(fmt.Sprint(n), "Ada Müller", strings.Repeat(fmt.Sprint("note ", i, n), 20)))
		group := g.m.Group(a.ID, put)
		switch n % 4 {
		case 1: // several in one group
			group = g.m.Group(a.ID, g.m.Delete(a.Book, "0.vcf"), g.m.Put(a.Book, "moved.vcf", "moved.vcf", []byte(fmt.Sprint("moved ", n))))
		case 2: // not UTF-8
			put.Body = []byte("\xff\xfe\x00 binary")
			group = g.m.Group(a.ID, put)
		case 3:
			put.Properties = holdfast.Properties{{Space: "urn:x", Local: "color", XML: []byte(`<x:color xmlns:x="urn:x">blue</x:color>`)}}
			group = g.m.Group(a.ID, put)
		}
		if _, err := g.engine.Commit(g.t.Context(), group); err != nil && !store.IsJudgement(err) {
			g.t.Fatal(err)
		}
	}
}

// ship appends what the vault lacks, a frame for two batches.
func (g *maker) ship() {
	for {
		var list []*holdfast.Batch
		fine(g.t, g.engine.After(g.t.Context(), g.w.Position().Batch, 2, func(b *holdfast.Batch) error { list = append(list, b); return nil }))
		if len(list) == 0 {
			return
		}
		fine(g.t, g.w.Append(g.t.Context(), vault.PackBatches(list, began)))
	}
}

// round ships, seals, joins, and lets go.
func (g *maker) round() {
	g.ship()
	g.w.Roll()
	fine(g.t, g.v.Upkeep(g.t.Context(), g.w))
}

// save writes the place down as files.
func (g *maker) save(p place.Place, recovery *seal.Recovery) {
	fine(g.t, os.RemoveAll(golden))
	fine(g.t, p.List(g.t.Context(), "", "", func(i place.Info) error {
		b, err := place.ReadAll(g.t.Context(), p, i.Name, 1<<20)
		if err != nil {
			return err
		}
		to := filepath.Join(golden, "vault", filepath.FromSlash(i.Name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, b, 0o644)
	}))
	fine(g.t, os.WriteFile(filepath.Join(golden, "recovery.txt"), recovery.File(), 0o644))
	fine(g.t, os.WriteFile(filepath.Join(golden, "holds.txt"), nil, 0o644))
}
