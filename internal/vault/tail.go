package vault

import (
	"context"
	"errors"

	"holdfast"
	"holdfast/internal/journal"
)

// takeTail sorts the segments of which no pack can be read, and puts them on shelves.
func (r *Reader) takeTail(ctx context.Context, v *Vault, sealed map[string]bool, rank func(*Member) int, have *coverage) error {
	var g *gather
	size := int64(0)
	flush := func() error {
		if g == nil {
			return nil
		}
		runs := g.runs()
		have.have = append(have.have, g.have...)
		g, size = nil, 0
		return r.spoolRuns(v, runs, rank)
	}
	err := v.eachSegment(ctx, func(s segmentRef) error {
		if sealed[SegmentName(s.term, s.n)] {
			return nil
		}
		if g != nil && (g.term != s.term || size+s.size > maxSealOctets) {
			if err := flush(); err != nil {
				return err
			}
		}
		if g == nil {
			g = newGather(s.term)
		}
		size += s.size
		return r.readSegment(ctx, v, s, g, rank, have)
	})
	if err != nil {
		return err
	}
	return flush()
}

// maxGather bounds the plain octets that are sorted in memory.
const maxGather = 16 << 20

// readSegment gathers what can be read of a segment. What becomes too much for the memory goes onto a shelf.
func (r *Reader) readSegment(ctx context.Context, v *Vault, s segmentRef, g *gather, rank func(*Member) int, have *coverage) error {
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
			if g.plain > maxGather {
				fault = r.spoolRuns(v, g.runs(), rank)
				g.done, g.plain = nil, 0
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
