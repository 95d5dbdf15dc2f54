package vault

import (
	"bytes"
	"context"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/journal"
	"holdfast/internal/seal"
)

// fenceEvery is how often a writer that has a lease looks whether a newer term was made all the same.
const fenceEvery = time.Second

// Writer appends a store's batches to a vault's tail. Its methods may be called from many goroutines; appends are done one after the other.
type Writer struct {
	v    *Vault
	term Term

	mu      sync.Mutex
	lease   io.Closer
	pos     holdfast.Position
	next    uint64   // the number of the segment that is begun next
	seg     *segment // nil: none is open
	fence   time.Time
	buf     []byte                      // of the newest append, to be used again
	changed map[holdfast.ID]AccountHead // since the last head
	ending  Ending                      // of the newest append
	closed  bool
}

// segment is the one that is appended to.
type segment struct {
	name  string
	by    *seal.Sealer
	size  int64
	began time.Time
}

// Writer returns a writer that goes on at a position, which must be the vault's end, in a new segment. It keeps the place's lease until it is closed; in a place that has none, whoever wrote before is fenced off. Errors: Fenced (the term is
// not the newest), Busy (another process writes), PreconditionFailed (the end is elsewhere).
func (v *Vault) Writer(ctx context.Context, term Term, at holdfast.Position) (*Writer, error) {
	if _, err := v.ring("Writer"); err != nil {
		return nil, err
	}
	lease, err := v.lease()
	if err != nil {
		return nil, err
	}
	w := &Writer{v: v, term: term, lease: lease, pos: at, changed: map[holdfast.ID]AccountHead{}}
	if err := w.begin(ctx, at); err != nil {
		lease.Close()
		return nil, err
	}
	return w, nil
}

func (w *Writer) begin(ctx context.Context, at holdfast.Position) error {
	if err := w.v.fenceFor(ctx, w.term); err != nil {
		return err
	}
	end, newest, err := w.v.End(ctx)
	switch {
	case err != nil:
		return err
	case newest.Number != w.term.Number || newest.Nonce != w.term.Nonce:
		return fenced("Writer", w.v.p.String())
	case end != at:
		return fail("Writer", holdfast.PreconditionFailed, w.v.p.String(), "the vault ends at another position than the one to go on from", nil)
	}
	if w.next, err = w.v.nextSegment(ctx, w.term.Number); err != nil {
		return err
	}
	head, err := w.v.LastHead(ctx)
	if err != nil {
		return err
	}
	return w.catchUp(ctx, head)
}

// catchUp finds what changed since the last head.
func (w *Writer) catchUp(ctx context.Context, head Head) error {
	after := head.Position.Batch
	if head.Term != w.term.Number {
		after = w.term.Base.Batch
	}
	if after >= w.pos.Batch {
		return nil
	}
	return w.v.lines(ctx, after, func(line journal.BatchLine, _ []holdfast.Change) error {
		for _, e := range line.Ends {
			w.changed[e.Account] = AccountHead{e.Account, e.Epoch, e.Seq, e.Chain}
		}
		return nil
	})
}

// Position returns the newest position that is durable in the vault.
func (w *Writer) Position() holdfast.Position {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pos
}

// Term returns the writer's term.
func (w *Writer) Term() Term { return w.term }

// Pack writes batches down as the vault has them, for Append: a ledger without the octets of items. See [Packed.Pack].
func (w *Writer) Pack(p *Packed, batches []*holdfast.Batch, stored time.Time) {
	if w.v.meta.Ledger() {
		p.PackNames(batches, stored)
		return
	}
	p.Pack(batches, stored)
}

// Append makes batches durable in the vault, in one append to its tail. They follow its position. After an error the same batches can be appended again: they go to a new segment. Errors:
// PreconditionFailed (they do not follow), Invalid (they were packed for another kind of vault), Fenced, Full, Unavailable.
func (w *Writer) Append(ctx context.Context, list ...*Packed) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	pos := w.pos
	for _, p := range list {
		if p.First != pos.Batch+1 || p.Prev != pos.Hash {
			return fail("Append", holdfast.PreconditionFailed, w.v.p.String(), "the batches do not follow what the vault has", nil)
		}
		if p.names != w.v.meta.Ledger() {
			return fail("Append", holdfast.Invalid, w.v.p.String(), "a ledger takes names and no octets, and another vault takes both", nil)
		}
		pos = holdfast.Position{Batch: p.Last, Hash: p.Hash}
	}
	if err := w.ready(ctx); err != nil {
		return err
	}
	octets := reusable(w.buf)
	for _, p := range list {
		var err error
		if octets, err = p.frame(octets, w.seg.by); err != nil {
			return err
		}
	}
	w.buf = octets
	if err := w.v.p.Append(ctx, w.seg.name, w.seg.size, octets); err != nil {
		w.seg, w.buf = nil, nil // what it ends with is not known: nobody appends to it again; nor whether somebody still reads the octets
		return err
	}
	w.seg.size += int64(len(octets))
	w.pos = pos
	w.ending = Ending{pos, w.seg.name, w.seg.size, bytes.Clone(octets[max(0, len(octets)-endingOctets):]), w.v.o.Clock.Now()}
	for _, p := range list {
		for _, h := range p.heads {
			w.changed[h.Account] = h
		}
	}
	return nil
}

// ready makes sure that nobody else has the right to write, and that a segment is open.
func (w *Writer) ready(ctx context.Context) error {
	if w.closed {
		return fail("Append", holdfast.Unavailable, w.v.p.String(), "the writer was closed", nil)
	}
	now := w.v.o.Clock.Now()
	if since := now.Sub(w.fence); since >= fenceEvery || since < 0 {
		newer, err := w.v.newer(ctx, w.term.Number)
		if err != nil {
			return err
		}
		if newer {
			return fenced("Append", w.v.p.String())
		}
		w.fence = now
	}
	if w.seg != nil {
		if age := now.Sub(w.seg.began); w.seg.size >= w.v.o.SegmentOctets || age >= w.v.o.SegmentAge || age < 0 { // a clock that was put back must not keep it open for years
			w.seg = nil
		}
	}
	if w.seg != nil {
		return nil
	}
	return w.open(ctx, now)
}

// open begins a segment: first its key, so that no octet of it could not be read.
func (w *Writer) open(ctx context.Context, now time.Time) error {
	id, err := seal.NewIdentity(w.v.o.Hybrid)
	if err != nil {
		return err
	}
	n := w.next
	w.next++ // also on error: the name may be taken then
	name := SegmentName(w.term.Number, n)
	b, err := wrapKey(w.v.o.Ring, "segment", name, 1, id)
	if err != nil {
		return err
	}
	by, err := seal.NewSealer(id.Recipient())
	if err != nil {
		return err
	}
	if err := w.v.p.Put(ctx, SegmentKeyName(w.term.Number, n), bytes.NewReader(b)); err != nil {
		return err
	}
	w.seg = &segment{name: name, by: by, began: now}
	return nil
}

// Changed returns how many accounts changed since the last head.
func (w *Writer) Changed() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.changed)
}

// Head writes a head: how far every account that changed has come, and what else in says. Many accounts make several heads. Where nothing changed and in says nothing there is none.
func (w *Writer) Head(ctx context.Context, in HeadInput) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	accounts := slices.SortedFunc(maps.Values(w.changed), func(a, b AccountHead) int { return a.Account.Compare(b.Account) })
	for len(accounts) > 0 || in.Packs != nil || in.Covered != nil || in.Released != nil || in.Drills != nil || in.Whole {
		n := min(len(accounts), maxHeadAccounts)
		if _, err := w.v.writeHead(ctx, w.term, w.pos, accounts[:n], in); err != nil {
			return err
		}
		for _, a := range accounts[:n] {
			delete(w.changed, a.Account)
		}
		accounts, in = accounts[n:], HeadInput{}
	}
	return nil
}

// Roll closes the segment that is appended to, so that it can be sealed.
func (w *Writer) Roll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seg = nil
}

// Open returns the number of the segment that is appended to; 0 where none is. Those below are closed.
func (w *Writer) Open() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seg == nil {
		return 0
	}
	return w.next - 1
}

// closedBelow returns the number below which nobody appends to a segment of the term any more.
func (w *Writer) closedBelow() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seg == nil {
		return w.next
	}
	return w.next - 1
}

// Close gives the lease back. What was appended is durable already.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed, w.seg = true, nil
	return w.lease.Close()
}
