package vaultd_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/place"
	"holdfast/internal/place/dir"
	"holdfast/internal/seal"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
	"holdfast/internal/vaultd"
	"holdfast/internal/vfs"
)

var start = time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)

var storeID = holdfast.ID{0xff}

func fine(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openDir(t *testing.T, root string) place.Place {
	t.Helper()
	d, err := dir.Open(vfs.OS, root, dir.Options{Create: true})
	fine(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

// rig is a vault behind a guard, and the store that writes into it.
type rig struct {
	t      *testing.T
	clock  *clock.Fake
	root   string
	disk   place.Place
	index  *vaultd.Index
	guard  *vaultd.Guard
	ring   *seal.Ring
	opt    vault.Options
	v      *vault.Vault
	w      *vault.Writer
	engine *memory.Engine
	m      *storetest.Maker
	people []storetest.Account
	sent   uint64
	n      int
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, clock: clock.NewFake(start), root: t.TempDir(), engine: memory.New(), m: storetest.NewMaker(1)}
	d, err := dir.Open(vfs.OS, r.root+"/vault", dir.Options{Create: true, Clock: r.clock})
	fine(t, err)
	t.Cleanup(func() { d.Close() })
	r.disk = d
	r.restart()
	r.ring, err = seal.NewRing(false)
	fine(t, err)
	r.opt = vault.Options{Place: r.guard, Ring: r.ring, Clock: r.clock, SegmentOctets: 4 << 10}
	r.v, err = vault.Create(t.Context(), r.opt, vault.Meta{Vault: holdfast.ID{1}, Store: storeID, Name: "friend", Created: start})
	fine(t, err)
	term, err := r.v.Adopt(t.Context(), storeID, holdfast.Position{}, vault.FromNothing)
	fine(t, err)
	r.w, err = r.v.Writer(t.Context(), term, holdfast.Position{})
	fine(t, err)
	for i := range 3 {
		r.people = append(r.people, storetest.NewAccount(t, r.m, r.engine, fmt.Sprintf("p%d@example.org", i)))
	}
	r.ship()
	return r
}

// restart opens the guard anew over what the disk holds.
func (r *rig) restart() {
	r.t.Helper()
	if r.index != nil {
		fine(r.t, r.index.Close())
	}
	var err error
	r.index, err = vaultd.OpenIndex(r.root + "/index.sqlite")
	fine(r.t, err)
	r.guard, err = vaultd.NewGuard(r.t.Context(), r.disk, r.index, vaultd.Options{Clock: r.clock})
	fine(r.t, err)
	r.t.Cleanup(func() { r.index.Close() })
}

// write commits changes, and ships them.
func (r *rig) write(n int) {
	r.t.Helper()
	for range n {
		a := r.people[r.n%len(r.people)]
		r.n++
		_, err := r.engine.Commit(r.t.Context(), storetest.Sealed(a.ID, r.m.Put(a.Book, fmt.Sprint(r.n%7, ".vcf"), "", storetest.Card(fmt.Sprint(r.n), "Person", ""))))
		fine(r.t, err)
	}
	r.ship()
}

// next returns the batches that the vault does not have.
func (r *rig) next() (list []*holdfast.Batch) {
	r.t.Helper()
	fine(r.t, r.engine.After(r.t.Context(), r.sent, 0, func(b *holdfast.Batch) error { list = append(list, b); return nil }))
	return list
}

func (r *rig) ship() {
	r.t.Helper()
	for _, b := range r.next() {
		fine(r.t, r.w.Append(r.t.Context(), vault.PackBatches([]*holdfast.Batch{b}, r.clock.Now())))
		r.sent = b.Batch
	}
}

// rebuilt tells how far a reader with the store's keys comes.
func (r *rig) rebuilt() holdfast.Position {
	r.t.Helper()
	v, err := vault.Open(r.t.Context(), vault.Options{Place: r.disk, Ring: r.ring})
	fine(r.t, err)
	end, _, err := v.End(r.t.Context())
	fine(r.t, err)
	return end
}

func octets(t *testing.T, p place.Place, name string) []byte {
	t.Helper()
	b, err := place.ReadAll(context.Background(), p, name, 64<<20)
	fine(t, err)
	return b
}

func put(g place.Place, name string, b []byte) error {
	return g.Put(context.Background(), name, bytes.NewReader(b))
}
