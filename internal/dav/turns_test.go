package dav

import (
	"context"
	"errors"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/davxml"
	"holdfast/internal/store"
)

// TestTurnsOfListings: one account never has all of them, whoever waits is let in as he came, and who gives up takes none.
func TestTurnsOfListings(t *testing.T) {
	g := turns{most: 3}
	alice, bob := holdfast.ID{1}, holdfast.ID{2}
	enter := func(who holdfast.ID) chan error {
		in := make(chan error, 1)
		go func() { in <- g.enter(t.Context(), who) }()
		return in
	}
	waits := func(n int) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			g.mu.Lock()
			is := len(g.waiting)
			g.mu.Unlock()
			if is == n {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%d wait, not %d", is, n)
			}
		}
	}
	for range 2 {
		if err := <-enter(alice); err != nil {
			t.Fatal(err)
		}
	}
	third := enter(alice)
	waits(1)
	if err := <-enter(bob); err != nil {
		t.Fatal(err)
	}
	second := enter(bob)
	waits(2)
	given, cancel := context.WithCancelCause(t.Context())
	gone := make(chan error, 1)
	go func() { gone <- g.enter(given, bob) }()
	waits(3)
	why := errors.New("the client is gone")
	cancel(why)
	if err := <-gone; !errors.Is(err, why) {
		t.Error(err)
	}
	g.leave(bob)
	if err := <-second; err != nil { // she has two already
		t.Error(err)
	}
	waits(1)
	g.leave(alice)
	if err := <-third; err != nil {
		t.Error(err)
	}
	g.leave(alice)
	g.leave(alice)
	g.leave(bob)
	if g.all != 0 || len(g.of) != 0 || len(g.waiting) != 0 {
		t.Errorf("%d are in, %d wait", g.all, len(g.waiting))
	}
}

// busy is an engine whose snapshots are counted.
type busy struct {
	store.Engine
	mu   sync.Mutex
	held func() // called with each snapshot; it may wait
}

func (b *busy) Snapshot(ctx context.Context) (store.Snapshot, error) {
	b.mu.Lock()
	held := b.held
	b.mu.Unlock()
	if held != nil {
		held()
	}
	return b.Engine.Snapshot(ctx)
}

// TestListingsLeaveRoom: while some of an account are made, as many as it may, one thing is got and put at once.
func TestListingsLeaveRoom(t *testing.T) {
	var e *busy
	g := newRig(t, func(c *core.Options, o *Options) {
		e = &busy{Engine: c.Engine}
		c.Engine, o.MaxListings = e, 2
	})
	g.want(201, "PUT", g.files()+"f", "x")
	leave, began := make(chan struct{}), make(chan struct{}, 10)
	e.mu.Lock()
	e.held = func() { began <- struct{}{}; <-leave }
	e.mu.Unlock()
	ended := make(chan int, 5)
	for range 5 {
		go func() { ended <- g.do("PROPFIND", g.files(), find("D:getetag"), "Depth: 1").StatusCode }()
	}
	<-began
	for waiting, end := 0, time.Now().Add(10*time.Second); waiting < 4; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			close(leave)
			t.Fatalf("%d wait, %d more are made", waiting, len(began))
		}
		g.handler.listings.mu.Lock()
		waiting = len(g.handler.listings.waiting)
		g.handler.listings.mu.Unlock()
	}
	if n := len(began); n != 0 {
		t.Errorf("%d more are read at once", n)
	}
	e.mu.Lock()
	e.held = nil
	e.mu.Unlock()
	g.want(200, "GET", g.files()+"f", "")
	g.want(207, "PROPFIND", g.files()+"f", find("D:getetag"), "Depth: 0")
	g.want(204, "PUT", g.files()+"f", "y")
	close(leave)
	for range 5 {
		if status := <-ended; status != 207 {
			t.Errorf("a listing: %d", status)
		}
	}
}

// TestATurnEndsWithItsListing, also with one that panics, as net/http goes on behind that.
func TestATurnEndsWithItsListing(t *testing.T) {
	h := &Handler{o: Options{Clock: clock.System}}
	h.listings.most = 3
	q := &request{h: h, r: httptest.NewRequest("REPORT", "/", nil)}
	why := errors.New("no such thing")
	if err := q.inTurn(davxml.DepthOne, func() error { return why }); !errors.Is(err, why) {
		t.Error(err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = q.inTurn(davxml.DepthOne, func() error { panic("a bug") })
	}()
	if h.listings.all != 0 || len(h.listings.of) != 0 {
		t.Errorf("%d turns are taken", h.listings.all)
	}
}
