// Package memory is the model of an engine: simple, in one piece, and obviously right. Other engines are compared with it.
//
// An account is the list of its changes, and nothing else counts. For each item of a collection the engine remembers which of these changes
// were its own. A read as of a seq picks, of each item, the newest change that is not above that seq. So the present, a snapshot and any moment in the
// past are read by the same few lines (see view), and a commit that fails is undone by cutting the lists back.
//
// Nothing is durable: a process that ends takes it along. One lock guards all of it.
package memory

import (
	"context"
	"slices"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// Engine is a [store.Engine] that lives in memory.
type Engine struct {
	mu       sync.Mutex
	id       holdfast.ID
	closed   bool
	batches  []batch // batches[i] has number i+1
	accounts map[holdfast.ID]*account
	owners   map[holdfast.ID]*account // of every collection that ever was
	logins   map[string]claim         // every login that ever was
	seen     map[sightingKey]holdfast.Sighting
	feeds    map[chan *holdfast.Batch]struct{}
	erased   map[holdfast.ID]uint64 // accounts that were erased, by the batch after which
	forever  map[holdfast.Hash]bool // the SHA-256 of their logins
}

var _ store.Engine = (*Engine)(nil)

// batch is what was committed at once, and its point in the stream. A commit is a batch of one group.
type batch struct {
	at       store.Position
	parts    []part // one for each group
	redacted bool   // some were of accounts that were erased
}

// part is a group in a batch: account.changes[from:to].
type part struct {
	account  *account
	from, to int
}

// ends returns what the batch's hash says of its groups.
func (b *batch) ends() (out []holdfast.GroupEnd) {
	for _, p := range b.parts {
		out = append(out, holdfast.GroupEnd{Account: p.account.id, Chain: p.account.changes[p.to-1].Chain})
	}
	return out
}

// claim says whose a login is, for ever, and since which batch.
type claim struct {
	account holdfast.ID
	batch   uint64
}

type sightingKey struct{ account, collection, device holdfast.ID }

// account is a journal and an index into it.
type account struct {
	id          holdfast.ID
	changes     []*version // changes[i] has seq i+1
	collections map[holdfast.ID]*collection
	created     uint64 // items so far
}

// collection is an index into the account's changes.
type collection struct {
	id    holdfast.ID
	items map[string][]*version // of each name, "" included, by ascending seq
	log   []*version            // all changes in it, by ascending seq
	uids  map[string][]string   // the names that ever bore a UID: where to look, not what is true
}

// version is a change, and what follows from it and all before it. It is never altered once it is committed.
type version struct {
	holdfast.Change
	batch  uint64
	made   time.Time                 // when this incarnation of the item was created
	record holdfast.CollectionRecord // of the item "": what the newest put said
	props  holdfast.Properties       // of the item "": those of the newest put
	totals totals                    // of the collection, after this change
}

// totals is what a collection sums up to.
type totals struct {
	items, octets int64
	sum           holdfast.Sum
}

// New returns an empty engine.
func New() *Engine {
	return &Engine{
		id:       holdfast.NewID(nil),
		accounts: map[holdfast.ID]*account{},
		owners:   map[holdfast.ID]*account{},
		logins:   map[string]claim{},
		seen:     map[sightingKey]holdfast.Sighting{},
		feeds:    map[chan *holdfast.Batch]struct{}{},
		erased:   map[holdfast.ID]uint64{},
		forever:  map[holdfast.Hash]bool{},
	}
}

// Observe implements [store.Engine].
func (e *Engine) Observe(ctx context.Context, seen []holdfast.Sighting) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.usable(ctx, "Observe"); err != nil {
		return err
	}
	for _, s := range seen {
		s.At = s.At.UTC().Truncate(time.Second)
		key := sightingKey{s.Account, s.Collection, s.Device}
		if old, ok := e.seen[key]; !ok || newer(s, old) {
			e.seen[key] = s
		}
	}
	return nil
}

// newer tells whether sighting a takes the place of b.
func newer(a, b holdfast.Sighting) bool {
	if c := a.At.Compare(b.At); c != 0 {
		return c > 0
	}
	if a.Epoch != b.Epoch {
		return a.Epoch > b.Epoch
	}
	return a.Seq > b.Seq
}

// Info implements [store.Engine].
func (e *Engine) Info() store.Info {
	e.mu.Lock()
	defer e.mu.Unlock()
	return store.Info{Engine: "memory", Store: e.id, Position: e.position(), Accounts: int64(len(e.accounts))}
}

// Close implements [store.Engine]. All is forgotten with the last reference.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	return nil
}

// usable is the answer to whoever comes after Close, or no longer waits.
func (e *Engine) usable(ctx context.Context, op string) error {
	if e.closed {
		return store.Err(op, holdfast.Unavailable, "", "The store is closed.")
	}
	if err := ctx.Err(); err != nil {
		return &holdfast.Error{Op: "store." + op, Kind: holdfast.Unavailable, Text: "The caller no longer waits.", Err: err}
	}
	return nil
}

// position returns the newest point of the stream.
func (e *Engine) position() store.Position {
	if len(e.batches) == 0 {
		return store.Position{}
	}
	return e.batches[len(e.batches)-1].at
}

// nextPosition returns the point after a batch.
func nextPosition(prev store.Position, ends []holdfast.GroupEnd) store.Position {
	return store.Position{Batch: prev.Batch + 1, Hash: holdfast.BatchHash(prev.Hash, ends)}
}

// search returns how many of vs, by ascending seq, are not above seq.
func search(vs []*version, seq uint64) int {
	n, _ := slices.BinarySearchFunc(vs, seq, func(v *version, seq uint64) int {
		if v.Seq <= seq {
			return -1
		}
		return 1
	})
	return n
}
