package core

import (
	"context"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// burstOf reads the record of a burst. Errors: NotFound.
func burstOf(snap store.Snapshot, account, id holdfast.ID) (holdfast.BurstRecord, error) {
	r, err := snap.Resource(account, holdfast.BurstName(id), WithBody)
	if err != nil {
		return holdfast.BurstRecord{}, err
	}
	rec, err := holdfast.DecodeBurst(r.Body)
	if err != nil {
		err = &holdfast.Error{Op: "core.History", Kind: holdfast.Corrupt, Ref: r.Name, Err: err}
	}
	return rec, err
}

// burstFinder finds the changes of a burst: what its device deleted and overwrote, until it was quiet for the window. What it moved lives elsewhere, and is no part of it; neither is what it made, save in the place of what it deleted.
type burstFinder struct {
	rec    holdfast.BurstRecord
	snap   store.Snapshot
	owner  holdfast.ID
	last   time.Time
	group  []*holdfast.Change // of the device, in one group
	chosen spans
	ended  bool // the device was quiet for the window, and then was not
}

// burstSpans returns the changes of a burst. within opens a snapshot for each part.
func burstSpans(ctx context.Context, owner holdfast.ID, rec holdfast.BurstRecord, within func(context.Context, func(store.Snapshot) error) error) (spans, error) {
	b, err := findBurst(ctx, owner, rec, within)
	if err != nil {
		return nil, err
	}
	return b.chosen, nil
}

// findBurst follows a burst to its end: where its device comes again after it was quiet, where the journal ends, or where so many changes in a row were made after the window that it is no clock which jumped.
func findBurst(ctx context.Context, owner holdfast.ID, rec holdfast.BurstRecord, within func(context.Context, func(store.Snapshot) error) error) (*burstFinder, error) {
	b := &burstFinder{rec: rec, owner: owner, last: rec.Began}
	for from := rec.First - 1; !b.ended; {
		n, over := 0, true
		err := within(ctx, func(snap store.Snapshot) (err error) {
			b.snap = snap
			var page []*holdfast.Change
			err = snap.Changes(owner, from, historyPage, 0, func(ch *holdfast.Change) error {
				x := *ch
				page = append(page, &x)
				return nil
			})
			for n = 0; n < len(page) && err == nil && !b.ended; n++ {
				over = over && b.after(page[n])
				err = b.add(page[n])
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if from += uint64(n); n < historyPage || over {
			break
		}
	}
	return b, nil
}

// after tells whether a change was made when the burst was over, if nothing of it came between. The record's beginning is rounded down.
func (b *burstFinder) after(ch *holdfast.Change) bool {
	return ch.At.Sub(b.last) > b.rec.Window+time.Second
}

func (b *burstFinder) add(ch *holdfast.Change) error {
	if ch.Actor != (holdfast.Actor{Account: b.rec.Account, Device: b.rec.Device}) {
		return nil
	}
	b.group = append(b.group, ch)
	if ch.More > 0 {
		return nil
	}
	list := b.group
	b.group = nil
	acts, err := actsOf(b.snap, b.owner, list)
	if err != nil {
		return err
	}
	for i, x := range list {
		counts := acts[i].deleted+acts[i].overwritten > 0
		if !counts && (len(list) > 1 || x.Kind < holdfast.KindAddress || !b.chosen.contain(x.Prev)) {
			continue
		}
		if b.after(x) {
			b.ended = true
			return nil
		}
		if counts {
			b.last = x.At
		}
		if n := len(b.chosen); n > 0 && b.chosen[n-1].last == x.Seq-1 {
			b.chosen[n-1].last = x.Seq
			continue
		}
		b.chosen = append(b.chosen, span{x.Seq, x.Seq})
	}
	return nil
}

// bursts are those of one account, and what is in them as far as anybody asked.
type bursts struct {
	list  []holdfast.BurstRecord
	spans map[holdfast.ID]spans
}

func readBursts(snap store.Snapshot, account holdfast.ID) (bursts, error) {
	out := bursts{spans: map[holdfast.ID]spans{}}
	err := snap.List(account, holdfast.RecordBurstPrefix, 0, WithBody, func(r *holdfast.Resource) error {
		if !strings.HasPrefix(r.Name, holdfast.RecordBurstPrefix) {
			return errPast
		}
		rec, err := holdfast.DecodeBurst(r.Body)
		if err != nil {
			return &holdfast.Error{Op: "core.History", Kind: holdfast.Corrupt, Ref: r.Name, Err: err}
		}
		out.list = append(out.list, rec)
		return nil
	})
	if err == errPast {
		err = nil
	}
	return out, err
}

// newestOf returns the burst of an actor that began last, by the order of changes; nil: it has none.
func (bs *bursts) newestOf(by holdfast.Actor) (out *holdfast.BurstRecord) {
	for i := range bs.list {
		if x := &bs.list[i]; x.Account == by.Account && x.Device == by.Device && (out == nil || x.First > out.First) {
			out = x
		}
	}
	return out
}

// of returns the burst that a change belongs to; zero for none.
func (bs *bursts) of(ctx context.Context, l *historian, ch *holdfast.Change) (holdfast.ID, error) {
	for _, rec := range bs.list {
		if ch.Actor.Device != rec.Device || ch.Actor.Account != rec.Account || ch.Seq < rec.First {
			continue
		}
		in, known := bs.spans[rec.ID]
		if !known {
			var err error
			if in, err = burstSpans(ctx, l.past.owner, rec, l.within); err != nil {
				return holdfast.ID{}, err
			}
			bs.spans[rec.ID] = in
		}
		if in.contain(ch.Seq) {
			return rec.ID, nil
		}
	}
	return holdfast.ID{}, nil
}
