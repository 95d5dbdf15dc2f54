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

// burstFinder finds the changes of a burst: what its device deleted and overwrote, until it was quiet for the window. What it moved lives elsewhere, and is no part of it; neither is what it made.
type burstFinder struct {
	rec    holdfast.BurstRecord
	snap   store.Snapshot
	owner  holdfast.ID
	last   time.Time
	group  []*holdfast.Change // of the device, in one group
	moves  bool               // something in the group was put beside what was deleted
	chosen spans
	ended  bool
}

// burstSpans returns the changes of a burst. within opens a snapshot for each part.
func burstSpans(ctx context.Context, owner holdfast.ID, rec holdfast.BurstRecord, within func(context.Context, func(store.Snapshot) error) error) (spans, error) {
	b := &burstFinder{rec: rec, owner: owner, last: rec.Began}
	for from := rec.First - 1; !b.ended; {
		n := 0
		err := within(ctx, func(snap store.Snapshot) (err error) {
			b.snap = snap
			var page []*holdfast.Change
			err = snap.Changes(owner, from, historyPage, 0, func(ch *holdfast.Change) error {
				x := *ch
				page = append(page, &x)
				return nil
			})
			for n = 0; n < len(page) && err == nil && !b.ended; n++ {
				err = b.add(page[n])
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if from += uint64(n); n < historyPage {
			break
		}
	}
	return b.chosen, nil
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
	deletes, puts := 0, 0
	for _, x := range list {
		if x.Op == holdfast.OpDelete {
			deletes++
		} else {
			puts++
		}
	}
	if deletes > 0 && puts > 0 {
		return nil // a MOVE
	}
	for _, x := range list {
		a := actOf(x)
		if a.deleted+a.overwritten == 0 {
			continue
		}
		if a.overwritten > 0 && !b.chosen.contain(x.Prev) {
			was, err := changeAt(b.snap, b.owner, x.Prev, 0)
			if err != nil {
				return err
			}
			if was.Op != holdfast.OpPut {
				continue // it was made anew, and nothing was lost by it
			}
		}
		if x.At.Sub(b.last) > b.rec.Window+time.Second { // the record's beginning is rounded down
			b.ended = true
			return nil
		}
		b.last = x.At
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
