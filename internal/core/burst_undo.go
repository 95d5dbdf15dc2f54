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
	from   uint64
	over   bool // nothing more of it is in the journal by now
}

func newBurstFinder(owner holdfast.ID, rec holdfast.BurstRecord) *burstFinder {
	return &burstFinder{rec: rec, owner: owner, last: rec.Began, from: rec.First - 1}
}

// burstSpans returns the changes of a burst. within opens a snapshot for each part.
func burstSpans(ctx context.Context, owner holdfast.ID, rec holdfast.BurstRecord, within func(context.Context, func(store.Snapshot) error) error) (spans, error) {
	b, err := findBurst(ctx, owner, rec, within)
	if err != nil {
		return nil, err
	}
	return b.chosen, nil
}

func findBurst(ctx context.Context, owner holdfast.ID, rec holdfast.BurstRecord, within func(context.Context, func(store.Snapshot) error) error) (*burstFinder, error) {
	b := newBurstFinder(owner, rec)
	for !b.over {
		if err := b.follow(ctx, within, historyPage); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// follow follows a burst over the next changes, up to so many, or to its end: where its device comes again after it was quiet, where the journal ends, or where so many changes in a row were made after the window that it is no clock which jumped.
func (b *burstFinder) follow(ctx context.Context, within func(context.Context, func(store.Snapshot) error) error, limit int) error {
	for b.over = b.ended; !b.over && limit > 0; limit -= historyPage {
		err := within(ctx, func(snap store.Snapshot) error { return b.page(snap) })
		if err != nil {
			return err
		}
	}
	return nil
}

// page takes the next changes.
func (b *burstFinder) page(snap store.Snapshot) error {
	var page []*holdfast.Change
	err := snap.Changes(b.owner, b.from, historyPage, 0, func(ch *holdfast.Change) error {
		x := *ch
		page = append(page, &x)
		return nil
	})
	late := 0
	b.snap = snap
	for i := 0; i < len(page) && err == nil && !b.ended; i++ {
		if b.after(page[i]) {
			late++
		}
		if err = b.add(page[i]); err == nil {
			b.from = page[i].Seq
		}
	}
	b.snap = nil
	b.ended = b.ended || late == historyPage
	b.over = b.ended || len(page) < historyPage
	return err
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
