package vault

import (
	"cmp"
	"fmt"
	"slices"
)

// Of some members only a part is asked for: what was there by a moment, or up to where a store went another way. Where such a member cannot be read, no head need name just that part, and no later change need follow it. So it is noted, and is lost unless something else goes that far.

// parted is what may have been a part of a member that cannot be read.
type parted struct {
	Loss
	rank int
}

// missed notes what of a member, up to a seq, could not be read, if its part does not end before that. in tells whether a change is of the part, and not its last.
func (h *History) missed(c *candidate, to uint64, lines []Loaded, err error, in func(*Loaded) bool) {
	from, n := c.full.From, len(lines)
	if n > 0 {
		from = lines[n-1].Seq + 1
	}
	if n > 0 && !in(&lines[n-1]) || from > to {
		return
	}
	x := parted{Loss{Account: h.Account, From: from, To: to, Time: c.full.Last, Reason: fmt.Sprintf("%s in vault %s: %v; how many of these were asked for is not always known", c.shelf.name, c.shelf.vault.meta.Name, err)}, c.rank}
	if !slices.Contains(h.short, x) {
		h.short = append(h.short, x)
	}
}

// unreadAbove returns what was noted above a seq: nothing that was read goes that far. What was given up does not count, unless there is nothing else.
func (h *History) unreadAbove(seq uint64) (out []Loss) {
	rank := 0
	if t, ok := h.target(); ok {
		rank = t.rank
	}
	slices.SortStableFunc(h.short, func(a, b parted) int { return cmp.Compare(a.From, b.From) })
	for _, x := range h.short {
		if x.rank < rank || x.From <= seq {
			continue
		}
		out = append(out, x.Loss)
		seq = x.To
	}
	return out
}
