package vault

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"

	"holdfast"
)

// Batches have numbers without gaps. So a reader knows what is missing of a vault from the numbers alone, also where no head and no later change of the same account would tell.

// joinRanges sorts ranges, and makes one of those that touch.
func joinRanges(list []BatchRange) (out []BatchRange) {
	slices.SortFunc(list, func(a, b BatchRange) int {
		return cmp.Or(cmp.Compare(a.Term, b.Term), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	for _, x := range list {
		if n := len(out); n > 0 && out[n-1].Term == x.Term && x.From <= out[n-1].To+1 {
			out[n-1].To = max(out[n-1].To, x.To)
			continue
		}
		out = append(out, x)
	}
	return out
}

// coverage is which batches a reader found in one vault.
type coverage struct {
	have    []BatchRange
	unknown bool              // a pack does not say which it has
	named   map[uint64]uint64 // by term: up to which batch heads say that it came, or lines of frames that cannot be opened
	torn    []tornFrame

	newest Head   // that can be read
	end    uint64 // what stands behind the vault's end and cannot be read, see Torn

	badTerms []string  // that cannot be read or believed, for which no head stands in, and that were not released
	replaced []PackRef // that later ones took the place of
	badHead  bool      // the newest cannot be read
	blind    []string  // objects that could not be read to their ends
	hurt     bool      // something is damaged
}

// tornFrame is a frame whose octets do not have their hash.
type tornFrame struct {
	BatchRange
	segment string
	err     error
}

// names notes a frame that is there and cannot be opened.
func (c *coverage) names(term uint64, f foundFrame) { c.named[term] = max(c.named[term], f.Last) }

// holds tells whether all batches of a range were found.
func (c *coverage) holds(x BatchRange) bool {
	return slices.ContainsFunc(c.have, func(h BatchRange) bool { return h.Term == x.Term && h.From <= x.From && x.To <= h.To })
}

// untold tells whether a pack was made of segments before packs said which batches they hold.
func (p PackRef) untold() bool { return len(p.Batches) == 0 && len(p.Segments) > 0 && p.Changes > 0 }

// missing returns what lacks of the newest term's stream, as terms and heads name it, or as later batches do. Where a term lies between of which nothing is known, that is what heads say.
func (c *coverage) missing(terms map[uint64]Term, unknown []uint64) (out []BatchRange) {
	upto := uint64(math.MaxUint64)
	for _, n := range slices.Backward(slices.Sorted(maps.Keys(terms))) {
		t := terms[n]
		if slices.Contains(unknown, n+1) {
			upto = math.MaxUint64
		}
		out = append(out, c.missingIn(t, upto)...)
		if t.Continues == FromNothing {
			break
		}
		upto = min(upto, t.Base.Batch)
	}
	return out
}

// missingWithin returns what lacks inside of terms of which nothing is known, where no later one goes on from nothing.
func (c *coverage) missingWithin(terms map[uint64]Term, unknown []uint64) (out []BatchRange) {
	for _, n := range unknown {
		i := slices.IndexFunc(c.have, func(h BatchRange) bool { return h.Term == n })
		over := false
		for m, t := range terms {
			over = over || m > n && t.Continues == FromNothing
		}
		if i >= 0 && !over {
			out = append(out, c.missingIn(Term{Number: n, Base: Position{Batch: c.have[i].From - 1}}, math.MaxUint64)...)
		}
	}
	return out
}

// missingIn is missing of one term, of which what is above upto was given up.
func (c *coverage) missingIn(t Term, upto uint64) (out []BatchRange) {
	hole := func(from, to uint64) {
		if to = min(to, upto); from <= to {
			out = append(out, BatchRange{t.Number, from, to})
		}
	}
	next := t.Base.Batch + 1
	for _, h := range c.have {
		if h.Term != t.Number {
			continue
		}
		hole(next, h.From-1)
		next = max(next, h.To+1)
	}
	end := c.named[t.Number]
	if upto < math.MaxUint64 {
		end = upto // the next term goes on from there
	}
	hole(next, end)
	return out
}

// tell notes what is missing of a vault, and which frames are damaged: a torn one whose batches stand elsewhere is what a power cut left, and no damage.
func (r *Reader) tell(ctx context.Context, v *Vault, c *coverage, terms map[uint64]Term, unknown []uint64) {
	if !r.o.At.IsZero() || ctx.Err() != nil {
		return // who asks for an earlier moment reads the newest as well
	}
	c.have = joinRanges(c.have)
	s := r.stand(v, c, terms)
	torn := c.end
	if c.holds(BatchRange{s.term, torn, torn}) {
		torn = 0
	}
	if torn > 0 {
		s.doubt(BatchRange{From: torn}, "the tail ends with something that cannot be read and may have been batch %d", torn)
	}
	for _, f := range c.torn {
		if !c.holds(f.BatchRange) {
			r.hurt(v, f.segment, f.err)
		}
		if f.To == torn {
			torn = 0 // it was told
		}
	}
	if torn > 0 {
		r.hurt(v, dirTail, fail("Read", holdfast.Corrupt, v.p.String(), s.doubts[len(s.doubts)-1].what, nil))
	}
	if c.unknown {
		return
	}
	for _, h := range append(c.missing(terms, unknown), c.missingWithin(terms, unknown)...) {
		s.doubt(h, "no object holds the batches %d to %d of term %d", h.From, h.To, h.Term)
		r.holes = append(r.holes, h)
		r.hurt(v, dirTail, fail("Read", holdfast.Corrupt, v.p.String(), s.doubts[len(s.doubts)-1].what, nil))
	}
}
