package vault

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"holdfast"
)

// candidate is a member, of whichever vault, that may be a part of an account's history.
type candidate struct {
	Member        // as far as it can be used
	full   Member // as its index has it
	shelf  *shelf
	rank   int
	bad    error  // why it is not, or not beyond To
	gone   bool   // nothing of it can be used
	told   bool   // it was named as damage
	whole  partOf // of one that was given up from a batch on: what was not
}

// partOf is the part of a member up to a batch, behind which it was given up.
type partOf struct {
	rank int
	upto uint64
}

// Loaded is a change as it was read: verified, chained, with the batch that it was in.
type Loaded struct {
	holdfast.Change
	Batch  uint64
	Stored time.Time
}

// Loss is what could not be read: of whom, which, and why.
type Loss struct {
	Account    holdfast.ID
	Collection holdfast.ID // zero: not known
	Name       string
	Kind       holdfast.Kind
	From, To   uint64 // seqs
	Time       time.Time
	Reason     string
}

// History is one account's history, chosen out of all vaults: what leads back from its newest chain.
type History struct {
	Account holdfast.ID
	r       *Reader
	all     []*candidate
	spared  []*shelf // for which others stand in already
	losses  []Loss
	named   []Loss
	short   []parted // see missed
}

// Losses returns what is missing. It is complete after Changes.
func (h *History) Losses() []Loss { return append(slices.Clone(h.losses), h.named...) }

// Size returns about how many octets the vaults have of the account: what lies in several places counts several times.
func (h *History) Size() (n int64) {
	for _, c := range h.all {
		if !c.shelf.claims {
			n += c.full.Length
		}
	}
	return n
}

// Span returns when the vaults had the first and the last of the account's changes, as their indexes say it; zero where they have none, and merely a head names it.
func (h *History) Span() (first, last time.Time) {
	for _, c := range h.all {
		if c.shelf.claims {
			continue
		}
		if first.IsZero() || c.full.First.Before(first) {
			first = c.full.First
		}
		if c.full.Last.After(last) {
			last = c.full.Last
		}
	}
	return first, last
}

// step is a part of one candidate.
type step struct {
	c    *candidate
	to   uint64
	loss *Loss // instead: what is missing before the next step
}

// target returns where the history ends: what is newest and was not given up. claimed tells that only a head says so. ok is false where there is nothing at all.
func (h *History) target() (best *candidate, ok bool) {
	for _, c := range h.all {
		if c.gone {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(c.rank, best.rank), cmp.Compare(c.Epoch, best.Epoch), cmp.Compare(c.To, best.To), cmp.Compare(c.Term, best.Term)) > 0 {
			best = c
		}
	}
	return best, best != nil
}

// plan walks back from the newest chain: which candidates, up to which seq, oldest first.
func (h *History) plan() []step {
	t, ok := h.target()
	if !ok {
		return nil
	}
	var out []step
	seq, chain, epoch := t.To, t.Chain, t.Epoch
	for seq > 0 {
		c := h.find(seq, chain, epoch)
		if c != nil {
			out = append(out, step{c: c, to: seq})
			seq, chain, epoch = c.From-1, c.Before, c.Epoch
			continue
		}
		below := h.below(seq)
		loss := Loss{Account: h.Account, From: 1, To: seq, Reason: h.why(seq), Time: t.Last}
		if below != nil {
			loss.From = below.To + 1
			loss.Time = below.Last
			out = append(out, step{loss: &loss})
			seq, chain, epoch = below.To, below.Chain, below.Epoch
			continue
		}
		out = append(out, step{loss: &loss})
		break
	}
	slices.Reverse(out)
	return out
}

// find returns the candidate that holds a seq, best one that ends there with the chain; one that goes on beyond it may be of another history, which is seen when it is read.
func (h *History) find(seq uint64, chain holdfast.Hash, epoch uint64) (best *candidate) {
	for _, c := range h.all {
		if c.gone || c.shelf.claims || c.From > seq || c.To < seq || c.Epoch > epoch || c.To == seq && c.Chain != chain {
			continue
		}
		if best == nil || better(c, best, seq) {
			best = c
		}
	}
	return best
}

func better(a, b *candidate, seq uint64) bool {
	if x, y := a.To == seq, b.To == seq; x != y {
		return x
	}
	return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(b.From, a.From)) > 0
}

// below returns the candidate that ends nearest below a seq.
func (h *History) below(seq uint64) (best *candidate) {
	for _, c := range h.all {
		if !c.gone && !c.shelf.claims && c.To < seq && (best == nil || cmp.Or(cmp.Compare(c.To, best.To), cmp.Compare(c.rank, best.rank)) > 0) {
			best = c
		}
	}
	return best
}

// why says what is known of a missing seq.
func (h *History) why(seq uint64) string {
	for _, c := range h.all {
		if c.bad != nil && c.shelf != nil {
			return fmt.Sprintf("%s in vault %s: %s", c.shelf.name, c.shelf.vault.meta.Name, wording(c.shelf.name, c.bad))
		}
	}
	for _, c := range h.all {
		if c.shelf.claims && c.To >= seq {
			return "a head of vault " + c.shelf.vault.meta.Name + " names it, and no object holds it"
		}
	}
	return "no object holds it"
}

// maxTries bounds how often a plan is made anew: each time one candidate less can be used, or less of it.
func (h *History) maxTries() int { return 2*len(h.all) + 2 }

// Changes calls fn with the history's changes, whole groups in order, verified: each chain follows from the one before, but for what losses cut. Memory is that of one member. A change behind a gap has Before set
// to the chain that its member says.
func (h *History) Changes(ctx context.Context, fn func([]Loaded) error) error {
	h.losses, h.named = nil, nil
	if err := h.part(ctx); err != nil {
		return err
	}
	if !h.r.o.At.IsZero() {
		if err := h.cut(ctx); err != nil {
			return err
		}
	}
	w := walker{h: h, fn: fn}
	for n := 0; n < h.maxTries(); n++ {
		again, err := w.run(ctx, h.plan())
		if err != nil {
			return err
		}
		if !again {
			return w.end()
		}
	}
	return fail("History", holdfast.Corrupt, h.Account.String(), "the vaults contradict each other on this account", nil)
}

// part takes of members that were given up from a batch on what was not.
func (h *History) part(ctx context.Context) error {
	for _, c := range h.all {
		if c.whole.rank == 0 {
			continue
		}
		x := *c
		upto := c.whole.upto
		x.rank, x.whole, c.whole = c.whole.rank, partOf{}, partOf{}
		lines, err := c.shelf.open(ctx, &c.full)
		if err != nil && ctx.Err() != nil {
			return err
		}
		x.shrink(lines, func(l *Loaded) bool { return l.Batch <= upto })
		h.all = append(h.all, &x)
		if err != nil {
			h.missed(&x, x.full.To, lines, err, func(l *Loaded) bool { return l.Batch <= upto })
			if err := h.standIns(ctx, c.shelf, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// standIns takes in what stands in for a pack of which a member cannot be read, and why; once.
func (h *History) standIns(ctx context.Context, s *shelf, why error) error {
	if slices.Contains(h.spared, s) {
		return nil
	}
	h.spared = append(h.spared, s)
	list, err := h.r.spare(ctx, s, h.Account, why)
	if err != nil || len(list) == 0 {
		return err
	}
	before := len(h.all)
	h.all = append(h.all, list...)
	if err := h.part(ctx); err != nil || h.r.o.At.IsZero() {
		return err
	}
	return h.cutFrom(ctx, before)
}

// cut leaves out what came after the moment that is asked for.
func (h *History) cut(ctx context.Context) error { return h.cutFrom(ctx, 0) }

func (h *History) cutFrom(ctx context.Context, first int) error {
	for _, c := range h.all[first:] {
		at := h.r.o.At
		switch {
		case c.First.After(at):
			c.gone = true
		case c.Last.After(at) && !c.shelf.claims:
			lines, err := c.shelf.open(ctx, &c.full)
			if err != nil && ctx.Err() != nil {
				return err
			}
			c.shrink(lines, func(l *Loaded) bool { return !l.Stored.After(at) })
			if err != nil {
				h.missed(c, c.full.To, lines, err, func(l *Loaded) bool { return !l.Stored.After(at) })
				if err := h.standIns(ctx, c.shelf, err); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// shrink makes a candidate end with the last group whose lines all pass.
func (c *candidate) shrink(lines []Loaded, ok func(*Loaded) bool) {
	last := -1
	for i := range lines {
		if !ok(&lines[i]) {
			break
		}
		if lines[i].More == 0 {
			last = i
		}
	}
	if last < 0 {
		c.gone = true
		return
	}
	c.To, c.Chain, c.BatchTo, c.Last = lines[last].Seq, lines[last].Chain, lines[last].Batch, lines[last].Stored
}

// walker reads a plan forward, and remembers how far it came when the plan is made anew.
type walker struct {
	h     *History
	fn    func([]Loaded) error
	seq   uint64
	chain holdfast.Hash
	held  []Loaded // of a group whose end was not read yet
	gaps  []Loss
}

// run reads the steps. again tells that a candidate turned out to be bad, and that the plan must be made anew.
func (w *walker) run(ctx context.Context, plan []step) (again bool, err error) {
	for _, s := range plan {
		if s.loss != nil {
			if s.loss.To > w.seq {
				l := *s.loss
				l.From = max(l.From, w.seq+1)
				w.gaps = append(w.gaps, l)
				w.seq, w.chain, w.held = l.To, holdfast.Hash{}, nil
			}
			continue
		}
		if s.to <= w.seq {
			continue
		}
		if again, err := w.step(ctx, s); again || err != nil {
			return again, err
		}
	}
	return false, nil
}

// step reads one candidate's part.
func (w *walker) step(ctx context.Context, s step) (again bool, err error) {
	lines, err := s.c.shelf.open(ctx, &s.c.full)
	if err != nil && (len(lines) == 0 || lines[len(lines)-1].Seq < s.to) {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		s.c.bad = err
		w.h.missed(s.c, s.to, lines, err, func(l *Loaded) bool { return l.Seq < s.to })
		s.c.shrink(lines, func(*Loaded) bool { return true })
		return true, w.h.standIns(ctx, s.c.shelf, err)
	}
	from, to := 0, 0 // of the lines, which are in order: those that are wanted
	fresh := w.seq == 0 || len(w.gaps) > 0 && w.gaps[len(w.gaps)-1].To == w.seq
	for i := range lines {
		l := &lines[i]
		if l.Seq <= w.seq || l.Seq > s.to {
			continue
		}
		if to == 0 && !fresh && l.Before != w.chain || w.seq == 0 && l.Seq == 1 && l.Before != (holdfast.Hash{}) {
			s.c.gone, s.c.bad = true, fail("History", holdfast.Corrupt, w.h.Account.String(), "it is of another history of the account", nil)
			return true, nil
		}
		if to == 0 {
			from = i
		}
		to = i + 1
	}
	part := lines[from:to:to]
	if len(part) == 0 || part[0].Seq != w.seq+1 && !fresh {
		s.c.gone = true
		return true, nil
	}
	if err := w.h.refill(ctx, s.c, part); err != nil {
		return false, err
	}
	last := &part[len(part)-1]
	w.seq, w.chain = last.Seq, last.Chain
	return false, w.give(part)
}

// give hands on whole groups, and holds back the beginning of one.
func (w *walker) give(part []Loaded) error {
	if len(w.held) > 0 {
		part = append(w.held, part...)
	}
	w.held = part
	n := len(w.held)
	for n > 0 && w.held[n-1].More > 0 {
		n--
	}
	if n == 0 {
		return nil
	}
	w.name(w.held[:n])
	err := w.fn(w.held[:n:n])
	w.held = slices.Clone(w.held[n:])
	return err
}

// name finds out what was lost, where a later change says which version it replaced.
func (w *walker) name(list []Loaded) {
	for i := range list {
		c := &list[i]
		for _, g := range w.gaps {
			if c.Prev >= g.From && c.Prev <= g.To {
				w.h.named = append(w.h.named, Loss{Account: w.h.Account, Collection: c.Collection, Name: c.Name, Kind: c.Kind, From: c.Prev, To: c.Prev, Time: g.Time, Reason: g.Reason})
			}
		}
	}
}

// end says what is missing at the end too: a group that was cut, and what a head names beyond.
func (w *walker) end() error {
	w.h.losses = append(w.gaps, w.h.unreadAbove(w.seq)...)
	if len(w.held) > 0 {
		first, last := w.held[0].Seq, w.held[0].GroupEnd()
		w.h.losses = append(w.h.losses, Loss{Account: w.h.Account, From: first, To: last, Time: w.held[0].Stored, Reason: "only a part of the group is there"})
	}
	return nil
}

// Held calls fn with all that the vaults hold of the account, of whichever history: the newest, and those that were given up. It comes in parts, each verified in itself, those of earlier terms first; what stands in several places may come several times.
// newest leaves out what was given up. want tells whether a part is to be read, by its last seq and the chain there. What cannot be read is remembered as damage.
func (h *History) Held(ctx context.Context, newest bool, want func(to uint64, chain holdfast.Hash) (bool, error), fn func([]Loaded) error) error {
	list := slices.DeleteFunc(slices.Clone(h.all), func(c *candidate) bool { return c.shelf.claims || newest && c.rank == 0 })
	slices.SortStableFunc(list, func(a, b *candidate) int {
		return cmp.Or(cmp.Compare(a.full.Term, b.full.Term), cmp.Compare(a.full.Epoch, b.full.Epoch), cmp.Compare(a.full.From, b.full.From), cmp.Compare(a.full.To, b.full.To))
	})
	for _, c := range list {
		ok, err := want(c.full.To, c.full.Chain)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		lines, err := c.shelf.open(ctx, &c.full)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil && !c.told {
			c.told = true
			h.r.hurt(c.shelf.vault, c.shelf.name, err)
		}
		if len(lines) == 0 {
			continue
		}
		if err := fn(lines); err != nil {
			return err
		}
	}
	return nil
}
