package dav

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"holdfast"
	"holdfast/internal/blob"
	memoryblobs "holdfast/internal/blob/memory"
	"holdfast/internal/core"
	"holdfast/internal/store"
)

// watched is an engine of which it is known how many snapshots are open.
type watched struct {
	store.Engine
	open *atomic.Int64
}

func (e watched) Snapshot(ctx context.Context) (store.Snapshot, error) {
	s, err := e.Engine.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	e.open.Add(1)
	return watchedSnapshot{s, e.open}, nil
}

type watchedSnapshot struct {
	store.Snapshot
	open *atomic.Int64
}

func (s watchedSnapshot) Close() {
	s.open.Add(-1)
	s.Snapshot.Close()
}

// slowBlobs are told of each blob before it is opened.
type slowBlobs struct {
	blob.Store
	opens func()
}

func (s slowBlobs) Open(ctx context.Context, account holdfast.ID, h holdfast.Hash) (blob.File, error) {
	s.opens()
	return s.Store.Open(ctx, account, h)
}

// TestNobodyWaitsForASnapshotWhileAFileIsOpened: its octets may have to come from a vault that takes minutes, and there are few snapshots.
func TestNobodyWaitsForASnapshotWhileAFileIsOpened(t *testing.T) {
	var open, held atomic.Int64
	opened := false
	g := newRig(t, wrapped(func(e store.Engine) store.Engine { return watched{e, &open} }), func(c *core.Options, _ *Options) {
		c.Blobs = blob.NewKeeper(slowBlobs{memoryblobs.New(c.Clock), func() { opened = true; held.Store(open.Load()) }})
	})
	octets := strings.Repeat("x", 100_000)
	g.want(201, "PUT", g.files()+"f", octets)
	opened = false
	if r := g.want(200, "GET", g.files()+"f", ""); r.body != octets || !opened {
		t.Errorf("%d octets came, opened %v", len(r.body), opened)
	}
	if n := held.Load(); n != 0 {
		t.Errorf("%d snapshots were held", n)
	}
}
