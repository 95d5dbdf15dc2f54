package vault

import (
	"fmt"
	"maps"
	"math"

	"holdfast"
	"holdfast/internal/journal"
)

// A term has one writer. But a machine that was put back to an earlier state does not know what it wrote after that, and another one that reaches the same place may not see its lease: then two different batches of one number lie in one term. Neither
// may be taken for the other. What leads on the furthest is the term's stream; the rest was given up, as what a newer term has left behind.

// forks is what a gather knows of batches that do not follow one another.
type forks struct {
	segment string                   // that is read
	seen    map[uint64]holdfast.Hash // the newest batches that were taken in
	tip     holdfast.Hash            // after the newest
	sides   []*gather                // lines that left this one
	from    uint64                   // of such a line: the batch at which it left
	limit   uint64                   // up to which this one is the term's stream
}

func newForks() forks { return forks{seen: map[uint64]holdfast.Hash{}, limit: math.MaxUint64} }

// maxSeen bounds how many batches are remembered to be compared.
const maxSeen = 100_000

func (f *forks) note(p holdfast.Position) {
	f.tip, f.seen[p.Batch] = p.Hash, p.Hash
	if len(f.seen) > 2*maxSeen {
		maps.DeleteFunc(f.seen, func(n uint64, _ holdfast.Hash) bool { return n+maxSeen < p.Batch })
	}
}

// lineOf returns the line that a batch goes on, a new one where it is another batch than the one of its number; nil where it was taken in before, or cannot be told from one that was.
func (g *gather) lineOf(b journal.BatchLine) *gather {
	all := append([]*gather{g}, g.sides...)
	for _, x := range all {
		if x.seen[b.Batch] == b.Hash {
			return nil
		}
	}
	for _, x := range all {
		if x.upto > 0 && x.upto+1 == b.Batch && x.tip == b.Prev {
			return x
		}
	}
	if b.Batch > g.upto {
		return g
	}
	if _, known := g.seen[b.Batch]; !known {
		return nil
	}
	side := newGather(g.term)
	side.from, side.segment = b.Batch-1, g.segment
	g.sides = append(g.sides, side)
	return side
}

// settle decides which line is the term's stream: what leads on the furthest, the one that was written last where two lead as far. It returns that one, and says of each other why it is not.
func (g *gather) settle(say func(segment string, err error)) *gather {
	best := g
	for _, x := range g.sides {
		if x.upto >= best.upto {
			best = x
		}
	}
	if best != g {
		g.limit = best.from
	}
	for _, x := range g.sides {
		what := x
		if x == best {
			what = g
		} else {
			x.limit = 0
		}
		say(x.segment, g.forked(x, what))
	}
	return best
}

// forked is the error about a line that left this one; what is the one that does not lead on, nil where that is not decided.
func (g *gather) forked(x, what *gather) error {
	left := ""
	if what != nil {
		left = fmt.Sprintf(" (the line that ends with batch %d is left out)", what.upto)
	}
	return fail("Read", holdfast.Corrupt, x.segment, fmt.Sprintf("from batch %d on it holds other batches of term %d than the segments before: two wrote into this vault at the same time, or one that was put back; restore from it beside, compare, and make a new vault%s", x.from+1, g.term, left), nil)
}

// fork returns an error where two different batches have one number.
func (g *gather) fork() error {
	for _, x := range g.sides {
		return g.forked(x, nil)
	}
	return nil
}

// octets is how much was gathered.
func (g *gather) octets() (n int64) {
	for _, x := range g.sides {
		n += x.plain
	}
	return n + g.plain
}
