package vault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/journal"
	"holdfast/internal/place"
	"holdfast/internal/place/memory"
	"holdfast/internal/seal"
)

var ctx = context.Background()

var start = time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)

func must[T any](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func fine(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// maker makes a store's batches, and remembers all of them: the model.
type maker struct {
	r        *rand.Rand
	store    holdfast.ID
	pos      holdfast.Position
	accounts []holdfast.ID
	heads    map[holdfast.ID]AccountHead
	items    map[holdfast.ID]map[string]uint64 // the seq of each name
	batches  []*holdfast.Batch
	now      time.Time
}

func newMaker(seed uint64, accounts int) *maker {
	m := &maker{r: rand.New(rand.NewPCG(seed, 0)), store: holdfast.ID{0xff}, heads: map[holdfast.ID]AccountHead{}, items: map[holdfast.ID]map[string]uint64{}, now: start}
	for i := range accounts {
		m.accounts = append(m.accounts, holdfast.ID{byte(i >> 8), byte(i), 7})
	}
	return m
}

func (m *maker) id() (id holdfast.ID) {
	for i := range id {
		id[i] = byte(m.r.Uint32())
	}
	return id
}

// change makes the next change of an account.
func (m *maker) change(account holdfast.ID, more int) holdfast.Change {
	name := fmt.Sprintf("%d.vcf", m.r.IntN(12))
	e := holdfast.Entry{ID: m.id(), Op: holdfast.OpPut, Kind: holdfast.KindAddress, Collection: holdfast.ID{1, account[1]}, Name: name, ContentType: "text/vcard", Actor: holdfast.Actor{Account: account}, At: m.now,
		Body: fmt.Appendf(nil, "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:%s\r\nFN:Person %d\r\nTEL:+49 %d\r\nEND:VCARD\r\n", m.id(), m.r.IntN(1e6), m.r.IntN(1e9))}
	if m.r.IntN(5) == 0 {
		e.Op, e.Body, e.ContentType = holdfast.OpDelete, nil, ""
	}
	g := holdfast.Group{Account: account, Entries: []holdfast.Entry{e}}
	g.Seal()
	h := m.heads[account]
	if h.Epoch == 0 {
		h = AccountHead{Account: account, Epoch: 1}
	}
	c := holdfast.Change{Entry: g.Entries[0], Account: account, Epoch: h.Epoch, Seq: h.Seq + 1}
	c.More = uint32(more)
	c.Hash = c.Entry.CanonicalHash(c.Collection)
	if m.items[account] == nil {
		m.items[account] = map[string]uint64{}
	}
	c.Prev = m.items[account][name]
	m.items[account][name] = c.Seq
	c.Before = h.Chain
	journal.Extend(&c, h.Chain)
	m.heads[account] = AccountHead{account, h.Epoch, c.Seq, c.Chain}
	return c
}

// batch makes the next batch, of up to groups groups.
func (m *maker) batch(groups int) *holdfast.Batch {
	m.now = m.now.Add(time.Second)
	b := &holdfast.Batch{Prev: m.pos.Hash}
	for range 1 + m.r.IntN(groups) {
		account := m.accounts[m.r.IntN(len(m.accounts))]
		n := 1 + m.r.IntN(2)*m.r.IntN(3)
		for i := range n {
			b.Changes = append(b.Changes, m.change(account, n-1-i))
		}
	}
	b.Position = holdfast.Position{Batch: m.pos.Batch + 1, Hash: holdfast.BatchHash(m.pos.Hash, b.Ends())}
	m.pos = b.Position
	m.batches = append(m.batches, b)
	return b
}

// rig is a vault in a place, with its keys.
type rig struct {
	t        testing.TB
	clock    *clock.Fake
	place    place.Place
	ring     *seal.Ring
	recovery *seal.Recovery
	opt      Options
	v        *Vault
	term     Term
	w        *Writer
}

func newRig(t testing.TB, p place.Place) *rig {
	t.Helper()
	r := &rig{t: t, clock: clock.NewFake(start)}
	if p == nil {
		p = memory.New(r.clock)
	}
	r.place = p
	r.ring = must(t, must2(seal.NewRing(false)), nil)
	r.recovery = must2(seal.NewRecovery(holdfast.ID{0xff}, start, false))
	fine(t, r.ring.Add(r.recovery))
	r.opt = Options{Place: p, Ring: r.ring, Clock: r.clock, SegmentOctets: 16 << 10}
	v, err := Create(ctx, r.opt, Meta{Vault: holdfast.ID{1}, Store: holdfast.ID{0xff}, Name: "local", Created: start})
	r.v = must(t, v, err)
	term, err := r.v.Adopt(ctx, holdfast.ID{0xff}, holdfast.Position{}, FromNothing)
	r.term = must(t, term, err)
	r.open()
	return r
}

func must2[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// open opens the vault anew, as a process that starts.
func (r *rig) open() {
	r.t.Helper()
	if r.w != nil {
		fine(r.t, r.w.Close())
	}
	v, err := Open(ctx, r.opt)
	r.v = must(r.t, v, err)
	end, term, err := r.v.End(ctx)
	fine(r.t, err)
	w, err := r.v.Writer(ctx, term, end)
	r.w, r.term = must(r.t, w, err), term
}

// ship appends batches, some of them together.
func (r *rig) ship(list ...*holdfast.Batch) {
	r.t.Helper()
	for len(list) > 0 {
		n := min(len(list), 1+int(list[0].Batch)%3)
		fine(r.t, r.w.Append(ctx, PackBatches(list[:n], r.clock.Now())))
		list = list[n:]
	}
}
