package dav

import (
	"sync"
	"sync/atomic"
	"time"

	"holdfast"
)

// budget is how many octets of something all requests together may hold.
type budget struct {
	most int64
	used atomic.Int64
}

// take asks for n octets more. Where they are too many it takes none and returns false.
func (b *budget) take(n int64) bool {
	if b.used.Add(n) <= b.most {
		return true
	}
	b.used.Add(-n)
	return false
}

// give gives octets back.
func (b *budget) give(n int64) { b.used.Add(-n) }

// soon is when to try again after a budget was used up: what it is used up by ends within a minute or two.
const soon = time.Minute

// crowded says that others hold too much by now. Nothing was changed, and the same request may be good a little later.
func crowded(op, text string) error {
	return &holdfast.Error{Op: op, Kind: holdfast.Unavailable, Retry: soon, Text: text}
}

// gate lets as many uploads, or files that are read, in at once as their memory allows, and of one account only as many as there are places left for others: one alone may have half of all places, each of two a third. So whoever has none finds one,
// however many slow ones another has.
type gate struct {
	most int

	mu  sync.Mutex
	all int
	of  map[holdfast.ID]int
}

// enter takes a place; false: there is none. Who has entered must leave.
func (g *gate) enter(account holdfast.ID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.of[account] >= g.most-g.all {
		return false
	}
	if g.of == nil {
		g.of = map[holdfast.ID]int{}
	}
	g.all++
	g.of[account]++
	return true
}

func (g *gate) leave(account holdfast.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all--
	if g.of[account]--; g.of[account] == 0 {
		delete(g.of, account)
	}
}

func noRoom(method string) error {
	return &holdfast.Error{Op: "dav." + method, Kind: holdfast.Full, Text: "the disk of this server has no room for this; nothing was stored"}
}

// admit takes a place for an upload, and refuses one that there is no memory or no disk for before the first of its octets is read. size is below zero where nobody said it. leave must be called when it is over.
func (q *request) admit(size int64) (leave func(), err error) {
	if size >= 0 && size <= trusted {
		return func() {}, nil
	}
	if q.h.o.Room != nil && size > 0 && !q.h.o.Room(size) {
		return nil, noRoom(q.r.Method)
	}
	if !q.h.uploads.enter(q.p.Account) {
		return nil, crowded("dav."+q.r.Method, "too many uploads are under way by now; nothing was stored, try again a little later")
	}
	return func() { q.h.uploads.leave(q.p.Account) }, nil
}

// sends takes a place for a file that is read: for as long as its client takes, memory holds up to two pieces of a MiB of it. leave must be called when it is over.
func (q *request) sends(size int64) (leave func(), err error) {
	if size <= trusted {
		return func() {}, nil
	}
	if !q.h.downloads.enter(q.p.Account) {
		return func() {}, crowded("dav."+q.r.Method, "too many files are being read by now; try again a little later")
	}
	return func() { q.h.downloads.leave(q.p.Account) }, nil
}
