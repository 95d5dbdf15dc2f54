package vault

import (
	"context"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"sync"

	"holdfast"
)

// Rehash reads every object that the vault needs, and compares it with the hash that is recorded of it: packs with what signed heads say, frames with their lines. What is small, the terms, heads, keys and the service's records, is opened as
// [Vault.Survey] does it. It returns what is damaged or missing, up to a batch that the vault is known to have.
//
// Nothing of people's data is opened, so that it goes as fast as octets are read and hashed. What was written wrongly, and has the hash of that, is therefore found by [Vault.Survey], by a [Reader], and by each drill, and not here.
func (v *Vault) Rehash(ctx context.Context, upto uint64) ([]Damage, error) {
	s, err := v.spine(ctx)
	if err != nil {
		return nil, err
	}
	x := &rehash{survey: s, upto: upto, have: coverage{have: s.covered, named: maps.Clone(s.named)}, accounts: map[holdfast.ID]bool{}, keyed: map[string]bool{}}
	s.hasKey = func(k *wrappedKey) {
		if k.of == "account" {
			x.accounts[k.account] = true
		} else {
			x.keyed[k.name] = true
		}
	}
	for _, look := range []func(context.Context) error{s.lookAtKeys, x.packs, x.segments, s.lookAtService} {
		if err := look(ctx); err != nil {
			return nil, err
		}
	}
	if err := x.missing(); err != nil {
		return nil, err
	}
	return s.damage(), nil
}

// rehash is one run of Rehash.
type rehash struct {
	*survey
	upto     uint64
	accounts map[holdfast.ID]bool // that have a key
	keyed    map[string]bool      // segments that have one

	mu   sync.Mutex
	have coverage // by packs and segments
	tail coverage // by segments alone: what is the pack's spare is to be whole as well
	ends map[segmentRef]ends
}

// ends is what is known of a segment's ends.
type ends struct {
	first, last FrameHeader // that are sound; zero where there is none
	left        bool        // octets behind the last are no frame
	torn        error       // and are more than the beginning of one
	bad         error       // anything else
}

// say is note, from several goroutines.
func (x *rehash) say(name string, err error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.note(name, err)
}

func (x *rehash) packs(ctx context.Context) error {
	for _, p := range x.survey.packs {
		x.have.have, x.have.unknown = append(x.have.have, p.Batches...), x.have.unknown || p.untold()
	}
	return each(ctx, x.survey.packs, func(ctx context.Context, p PackRef) error {
		err := x.v.CheckPack(ctx, p)
		if err == nil {
			err = x.openable(ctx, p)
		}
		return x.say(refOf(err, p.Name+packSuffix), err)
	})
}

// openable fails where an account that a pack has members of has no key any more.
func (x *rehash) openable(ctx context.Context, p PackRef) error {
	r, err := x.v.p.Get(ctx, p.Name+indexSuffix, 0, -1)
	if err != nil {
		return err
	}
	defer r.Close()
	for list := newMembers(r); ; {
		m, err := list.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if !x.accounts[m.Account] && !x.erased[m.Account] {
			return fail("Rehash", holdfast.NotFound, p.Name+packSuffix, fmt.Sprintf("the account %s, of which it has changes, has no key in this vault", m.Account), nil)
		}
	}
}

func (x *rehash) segments(ctx context.Context) error {
	var list []segmentRef
	if err := x.v.eachSegment(ctx, func(r segmentRef) error {
		if r.size > 0 && !x.released[SegmentName(r.term, r.n)] {
			list = append(list, r)
		}
		return nil
	}); err != nil {
		return err
	}
	x.ends = map[segmentRef]ends{}
	if err := each(ctx, list, x.segment); err != nil {
		return err
	}
	x.tail.have = joinRanges(slices.Clone(x.tail.have))
	for i, r := range list {
		name, err := SegmentName(r.term, r.n), x.ends[r].bad
		if !x.keyed[name] {
			err = firstErr(err, fail("Rehash", holdfast.NotFound, name, SegmentKeyName(r.term, r.n)+": there is no such object", nil))
		}
		if i > 0 && list[i-1].term == r.term {
			err = firstErr(err, x.follows(ctx, list[i-1], r))
		}
		switch e := x.ends[r]; {
		case i+1 < len(list) && list[i+1].term == r.term:
			if e.left && !x.goesOn(r, list[i+1]) {
				err = firstErr(err, e.torn, fail("Rehash", holdfast.Corrupt, name, "its end cannot be read, and no other segment holds it", nil))
			}
		default:
			err = firstErr(err, e.torn)
		}
		if err := x.note(name, err); err != nil {
			return err
		}
	}
	for _, f := range x.tail.torn {
		if f.From <= x.upto && !x.tail.holds(f.BatchRange) {
			if err := x.note(f.segment, f.err); err != nil {
				return err
			}
		}
	}
	return nil
}

// follows fails where a segment's first line names a batch, or what comes before it, that the segment before contradicts. What an append wrote that was not known to have come stands in both: it begins where a frame does.
func (x *rehash) follows(ctx context.Context, before, r segmentRef) error {
	last, first := x.ends[before].last, x.ends[r].first
	switch {
	case last.First == 0 || first.First == 0 || first.First > last.Last+1: // what lies between is looked for elsewhere
		return nil
	case first.First == last.Last+1 && first.Prev == last.Hash:
		return nil
	case first.First <= last.Last:
		again := false
		_, err := x.v.walk(ctx, SegmentName(before.term, before.n), func(f foundFrame) error {
			again = again || f.First == first.First && f.Prev == first.Prev
			return nil
		})
		if again || err != nil {
			return err
		}
	}
	return strayed(SegmentName(r.term, r.n), first)
}

// goesOn tells whether a segment begins where the one before ends, or earlier: then what is at the end of that is what an append left that failed, and stands again in this one.
func (x *rehash) goesOn(before, r segmentRef) bool {
	first := x.ends[r].first.First
	return first > 0 && first <= x.ends[before].last.Last+1
}

// strayed is the error about a frame whose line does not go on from the one before: one of the two is not what was written.
func strayed(segment string, h FrameHeader) error {
	return fail("Rehash", holdfast.Corrupt, segment, fmt.Sprintf("the frame of the batches %d to %d does not follow the one before", h.First, h.Last), nil)
}

// segment hashes one segment's frames. One that was let go of meanwhile is none: what it held is looked for elsewhere.
func (x *rehash) segment(ctx context.Context, r segmentRef) error {
	name := SegmentName(r.term, r.n)
	var found, torn []foundFrame
	var e ends
	left, err := x.v.walkWhole(ctx, name, func(f foundFrame) error {
		n := len(found)
		switch {
		case f.rotted && f.broken: // an append that was interrupted, or is being made
		case f.rotted && f.end:
			e.torn = damaged(name, f, "", nil)
		case f.rotted:
			e.bad = firstErr(e.bad, damaged(name, f, "", nil))
		case f.torn:
			torn = append(torn, f)
		default:
			if n > 0 && found[n-1].at+found[n-1].Octets+1 == f.begin && (found[n-1].Last+1 != f.First || found[n-1].Hash != f.Prev) {
				e.bad = firstErr(e.bad, strayed(name, f.FrameHeader))
			}
			found = append(found, f)
		}
		return nil
	})
	if holdfast.IsKind(err, holdfast.NotFound) {
		return nil
	}
	if err != nil && !damaging(err) {
		return err
	}
	e.bad, e.left = firstErr(e.bad, err), left > 0
	if n := len(found); n > 0 {
		e.first, e.last = found[0].FrameHeader, found[n-1].FrameHeader
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ends[r] = e
	for _, f := range found {
		x.tail.have = append(x.tail.have, BatchRange{r.term, f.First, f.Last})
	}
	for _, f := range torn {
		x.tail.torn = append(x.tail.torn, tornFrame{BatchRange{r.term, f.First, f.Last}, name, damaged(name, f, "its octets do not have their hash", nil)})
	}
	return nil
}

// missing names what no object holds.
func (x *rehash) missing() error {
	c := &x.have
	c.have = joinRanges(append(c.have, x.tail.have...))
	if c.unknown {
		return nil
	}
	newest := uint64(0)
	for n := range x.terms {
		newest = max(newest, n)
	}
	c.named[newest] = max(c.named[newest], x.upto)
	var unknown []uint64
	for n := uint64(1); n <= min(x.topTerm, maxTerms); n++ {
		if _, ok := x.terms[n]; !ok {
			unknown = append(unknown, n)
		}
	}
	for _, h := range append(c.missing(x.terms, unknown), c.missingWithin(x.terms, unknown)...) {
		if err := x.note(dirTail, fail("Rehash", holdfast.Corrupt, x.v.p.String(), fmt.Sprintf("no object holds the batches %d to %d of term %d", h.From, h.To, h.Term), nil)); err != nil {
			return err
		}
	}
	return nil
}

// each calls fn with each of a list, on as many processors as there are. The first error ends it.
func each[T any](ctx context.Context, list []T, fn func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan T)
	var done sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(list)) {
		done.Go(func() {
			for x := range work {
				if ctx.Err() != nil {
					continue
				}
				if err := fn(ctx, x); err != nil {
					cancel(err)
				}
			}
		})
	}
	for x := range slices.Values(list) {
		work <- x
	}
	close(work)
	done.Wait()
	return context.Cause(ctx)
}
