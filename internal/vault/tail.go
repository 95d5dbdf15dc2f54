package vault

import (
	"context"
	"errors"

	"holdfast"
	"holdfast/internal/journal"
)

// takeTail sorts the segments of which no pack can be read, and puts them on shelves.
func (r *Reader) takeTail(ctx context.Context, v *Vault, sealed map[string]bool, rank ranker, have *coverage) error {
	var g *gather
	size := int64(0)
	flush := func() error {
		if g == nil {
			return nil
		}
		size = 0
		return r.spoolGathered(v, g, rank)
	}
	settle := func() {
		if g != nil {
			best := g.settle(func(segment string, err error) { r.hurt(v, segment, err) })
			have.have = append(have.have, g.have...)
			if best != g {
				have.have = append(have.have, best.have...)
			}
		}
		g = nil
	}
	err := v.eachSegment(ctx, func(s segmentRef) error {
		if sealed[SegmentName(s.term, s.n)] {
			return nil
		}
		if g != nil && (g.term != s.term || size+s.size > maxSealOctets) {
			if err := flush(); err != nil {
				return err
			}
			if g.term != s.term {
				settle()
			}
		}
		if g == nil {
			g = newGather(s.term)
		}
		size += s.size
		return r.readSegment(ctx, v, s, g, rank, have)
	})
	if err == nil {
		err = flush()
	}
	settle()
	return err
}

// spoolGathered puts what was gathered on shelves, each line of a fork on its own.
func (r *Reader) spoolGathered(v *Vault, g *gather, rank ranker) error {
	for _, x := range append([]*gather{g}, g.sides...) {
		err := r.spoolRuns(v, x.runs(), func(m *Member) (int, uint64) {
			n, upto := rank(m)
			return n, min(upto, x.limit)
		})
		x.done, x.plain = nil, 0
		if err != nil {
			return err
		}
	}
	return nil
}

// maxGather bounds the plain octets that are sorted in memory.
const maxGather = 16 << 20

// readSegment gathers what can be read of a segment. What becomes too much for the memory goes onto a shelf.
func (r *Reader) readSegment(ctx context.Context, v *Vault, s segmentRef, g *gather, rank ranker, have *coverage) error {
	name := SegmentName(s.term, s.n)
	key, err := v.segmentKey(ctx, s.term, s.n)
	if err != nil {
		if s.size > 0 {
			r.hurt(v, SegmentKeyName(s.term, s.n), err)
		}
		if _, err := v.walk(ctx, name, func(f foundFrame) error { have.names(s.term, f); return nil }); err != nil {
			have.blind = append(have.blind, name)
		}
		return context.Cause(ctx)
	}
	g.segment = name
	var fault error // of this machine, not of the vault
	_, err = v.walk(ctx, name, func(f foundFrame) error {
		upto := g.upto
		err := v.batches(ctx, name, f, key, func(line journal.BatchLine, changes []holdfast.Change) error {
			if err := chain(line, changes); err != nil {
				return err
			}
			if r.o.At.IsZero() || !line.Stored.After(r.o.At) {
				g.add(line, changes, func(id holdfast.ID) bool { return !r.wanted(id) })
			}
			if g.octets() > maxGather {
				fault = r.spoolGathered(v, g, rank)
			}
			return fault
		})
		switch {
		case err == nil || fault != nil || ctx.Err() != nil:
			return err
		case errors.Is(err, errLine) && g.upto == upto: // all of it stands elsewhere as well: it is what a cut left
		case unread(err) && f.end: // what stands at an end is judged by the numbers
		case unread(err) && f.rotted:
			r.hurt(v, name, err)
		case unread(err):
			have.torn = append(have.torn, tornFrame{BatchRange{s.term, f.First, f.Last}, name, err})
		default:
			r.hurt(v, name, err)
			if !errors.Is(err, errLine) { // whole, and not opened by its key: it may be another segment's
				have.names(s.term, f)
				have.blind = append(have.blind, name)
			}
		}
		return nil
	})
	if err != nil && fault == nil && ctx.Err() == nil {
		r.hurt(v, name, err)
		have.blind = append(have.blind, name)
		return nil
	}
	return err
}
