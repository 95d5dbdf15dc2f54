package dav

import (
	"context"
	"slices"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/davxml"
)

// turns let some listings be made at once, and of one account fewer than all: each has one of the few snapshots that the store can be read by for as long as it takes, up to five seconds, and whoever gets or puts one thing needs one too. Others wait, and are
// let in as they came, but for those whose account has enough.
type turns struct {
	most int

	mu      sync.Mutex
	all     int
	of      map[holdfast.ID]int
	waiting []*turn
}

type turn struct {
	account holdfast.ID
	come    chan struct{} // closed once it is in
}

// listingPatience is for how long a listing waits for its turn.
const listingPatience = 10 * time.Second

// each is how many an account may have.
func (t *turns) each() int { return max(1, t.most-1) }

// free tells whether an account may begin one now. The lock is held.
func (t *turns) free(account holdfast.ID) bool { return t.all < t.most && t.of[account] < t.each() }

func (t *turns) take(account holdfast.ID) {
	if t.of == nil {
		t.of = map[holdfast.ID]int{}
	}
	t.all++
	t.of[account]++
}

// enter waits for a turn, or for ctx to end: then its error is not nil. Who has entered must leave.
func (t *turns) enter(ctx context.Context, account holdfast.ID) error {
	t.mu.Lock()
	if t.free(account) { // whoever waits is not free to begin
		t.take(account)
		t.mu.Unlock()
		return nil
	}
	me := &turn{account, make(chan struct{})}
	t.waiting = append(t.waiting, me)
	t.mu.Unlock()
	select {
	case <-me.come:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.waiting, me); i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
		return context.Cause(ctx)
	}
	return nil // it came at the same moment
}

func (t *turns) leave(account holdfast.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all--
	if t.of[account]--; t.of[account] == 0 {
		delete(t.of, account)
	}
	t.waiting = slices.DeleteFunc(t.waiting, func(w *turn) bool {
		in := t.free(w.account)
		if in {
			t.take(w.account)
			close(w.come)
		}
		return in
	})
}

// inTurn waits until the request may make a listing, and has fn make it. Its turn ends with fn, however that ends, so what is made is sent behind it.
func (q *request) inTurn(depth davxml.Depth, fn func() error) error {
	if depth == davxml.DepthZero && q.r.Method == "PROPFIND" {
		return fn()
	}
	ctx, cancel := clock.WithTimeout(q.r.Context(), q.h.o.Clock, listingPatience)
	err := q.h.listings.enter(ctx, q.p.Account)
	cancel()
	if err != nil {
		if q.r.Context().Err() != nil {
			return err
		}
		return crowded("dav."+q.r.Method, "too many listings are being made by now; try again a little later")
	}
	defer q.h.listings.leave(q.p.Account)
	return fn()
}
