package vault

import (
	"bytes"
	"context"
	"io"
	"testing"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/place"
	"holdfast/internal/place/memory"
)

// weighed counts the octets that are written into a place.
type weighed struct {
	place.Place
	octets int64
}

func (w *weighed) Put(ctx context.Context, name string, r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	w.octets += int64(len(b))
	return w.Place.Put(ctx, name, bytes.NewReader(b))
}

func (w *weighed) Append(ctx context.Context, name string, at int64, p []byte) error {
	w.octets += int64(len(p))
	return w.Place.Append(ctx, name, at, p)
}

// TestACheckpointDoesNotGrowWithTheAccounts: a hundred changes of ten accounts, the heads and the pack that come with them, weigh the same whether the vault holds few accounts or many.
func TestACheckpointDoesNotGrowWithTheAccounts(t *testing.T) {
	few, many := 20, 500
	if testing.Short() {
		many = 100
	}
	a, b := checkpoint(t, few), checkpoint(t, many)
	t.Logf("100 changes wrote %d octets with %d accounts, %d with %d", a, few, b, many)
	if b > a+a/20 {
		t.Errorf("100 changes wrote %d octets with %d accounts, and %d with %d", a, few, b, many)
	}
}

// checkpoint makes a vault of so many accounts, and returns what a hundred changes of ten of them write, until they are sealed and named in a head.
func checkpoint(t *testing.T, accounts int) int64 {
	w := &weighed{Place: memory.New(clock.NewFake(start))}
	r, m := newRig(t, w), newMaker(1, accounts)
	one := func(list []holdfast.ID) {
		x := &holdfast.Batch{Prev: m.pos.Hash}
		for _, id := range list {
			x.Changes = append(x.Changes, m.change(id, 0))
		}
		x.Position = holdfast.Position{Batch: m.pos.Batch + 1, Hash: holdfast.BatchHash(m.pos.Hash, x.Ends())}
		m.pos = x.Position
		fine(t, r.w.Append(ctx, PackBatches([]*holdfast.Batch{x}, r.clock.Now())))
	}
	settle := func() {
		r.w.Roll()
		for {
			rep, err := r.v.Seal(ctx, r.w)
			fine(t, err)
			if rep.Segments == 0 {
				break
			}
		}
		fine(t, r.w.Head(ctx, HeadInput{}))
	}
	one(m.accounts)
	settle()
	w.octets = 0
	for i := range 100 {
		one(m.accounts[i%10 : i%10+1])
	}
	settle()
	return w.octets
}
