package vault

import (
	"context"
	"slices"

	"holdfast"
	"holdfast/internal/journal"
)

// gaps reads the vault as whoever restores from it does, and writes what of each account's history is not there.
func (r *repair) gaps(ctx context.Context) error {
	upto := r.w.Position().Batch // what comes from now on is no gap
	reader, err := NewReader(ctx, []*Vault{r.v}, ReadOptions{Spool: r.o.Spool})
	if err != nil {
		return err
	}
	defer reader.Close()
	heads, stop := r.heads(ctx, upto)
	defer stop()
	at, more := <-heads
	err = reader.Accounts(ctx, func(h *History) error {
		for more && at.Account.Compare(h.Account) < 0 { // the vault knows nothing of it
			if err := r.fill(ctx, at.Account, 1, at.Seq); err != nil {
				return err
			}
			at, more = <-heads
		}
		upto := uint64(0)
		if more && at.Account == h.Account {
			upto = at.Seq
			at, more = <-heads
		}
		return r.history(ctx, h, upto)
	})
	for ; more && err == nil; at, more = <-heads {
		err = r.fill(ctx, at.Account, 1, at.Seq)
	}
	if err == nil {
		err = stop()
	}
	if err == nil {
		err = r.flush(ctx)
	}
	if err != nil {
		return err
	}
	for _, h := range reader.holes { // now every account has what was in them
		if h.To = min(h.To, upto); h.From <= h.To {
			r.head.Covered = append(r.head.Covered, h)
		}
	}
	return r.say(ctx)
}

// heads returns the origin's accounts one after the other. stop ends that, and returns its error.
func (r *repair) heads(ctx context.Context, batch uint64) (<-chan AccountHead, func() error) {
	ctx, cancel := context.WithCancel(ctx)
	out, ended := make(chan AccountHead), make(chan error, 1)
	go func() {
		defer close(out)
		ended <- r.from.Accounts(ctx, batch, func(h AccountHead) error {
			select {
			case out <- h:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
	}()
	var err error
	done := false
	return out, func() error {
		if !done {
			// All accounts were taken where no error came before: then it has ended by itself.
			done = true
			select {
			case err = <-ended:
				cancel()
			default:
				cancel()
				for range out {
				}
				err = <-ended
			}
		}
		return err
	}
}

// history finds what is missing of one account, up to a seq, and fills it in. What the vault has and the origin does not know stays as it is.
func (r *repair) history(ctx context.Context, h *History, upto uint64) error {
	first, next := uint64(1), uint64(1) // of the part that is read, and behind it
	var last holdfast.Hash
	ours := func() (bool, error) { // whether the part is the origin's history
		if next == first || next-1 > upto {
			return true, nil
		}
		chain, err := r.from.Chain(ctx, h.Account, next-1)
		if holdfast.IsKind(err, holdfast.NotFound) {
			return true, nil
		}
		return chain == last, err
	}
	check := func() error {
		same, err := ours()
		if err == nil && !same {
			err = r.fill(ctx, h.Account, first, next-1)
		}
		return err
	}
	err := h.Changes(ctx, func(list []Loaded) error {
		for i := range list {
			c := &list[i]
			if c.Seq > next {
				if err := check(); err != nil {
					return err
				}
				if err := r.fill(ctx, h.Account, next, c.Seq-1); err != nil {
					return err
				}
				first, next = c.Seq, c.Seq
			}
			next, last = c.Seq+1, c.Chain
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := check(); err != nil {
		return err
	}
	for _, l := range h.Losses() { // beyond what could be read
		upto = max(upto, l.To)
	}
	if next > upto {
		return nil
	}
	return r.fill(ctx, h.Account, next, upto)
}

// fill takes the changes of an account from one seq to another from the origin, for the next pack.
func (r *repair) fill(ctx context.Context, account holdfast.ID, from, to uint64) error {
	if r.s.erased[account] || to < from {
		return nil
	}
	var now *run
	n := uint64(0)
	err := r.from.Changes(ctx, account, from, to, func(list []Loaded) error {
		for i := range list {
			c := &list[i]
			if now == nil || now.Epoch != c.Epoch || now.To+1 != c.Seq || now.Chain != c.Before || len(now.lines) > maxMember && !now.open {
				now = &run{Member: Member{Account: account, Epoch: c.Epoch, From: c.Seq, Before: c.Before, Term: r.w.Term().Number, BatchFrom: c.Batch, First: c.Stored}}
				r.runs = append(r.runs, now)
			}
			if r.v.meta.Ledger() {
				named(&c.Change)
			}
			had := len(now.lines)
			now.lines = journal.AppendLine(now.lines, &c.Change, journal.Stored{Batch: c.Batch, At: c.Stored})
			r.plain += len(now.lines) - had
			now.open = c.More > 0
			now.To, now.Chain, now.BatchTo, now.Last = c.Seq, c.Chain, c.Batch, c.Stored
			n++
		}
		if r.plain > maxGather {
			now = nil
			return r.flush(ctx)
		}
		return nil
	})
	if err == nil && n > 0 {
		r.rep.Changes += n
		r.o.Done("account", account.String(), n)
	}
	return err
}

// flush writes what was taken into a pack.
func (r *repair) flush(ctx context.Context) error {
	if len(r.runs) == 0 {
		return nil
	}
	runs := slices.Clone(r.runs)
	r.runs, r.plain = nil, 0
	return r.write(ctx, runs, nil, nil, nil)
}
