package vault

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/journal"
)

// span is the part of a vault's stream that one term holds: its batches above its base, up to upto.
type span struct {
	term Term
	upto uint64
}

// line returns the spans of the newest term's stream, newest first: the term, and those that it goes on from.
func (v *Vault) line(ctx context.Context) ([]span, error) {
	terms, err := v.Terms(ctx)
	if err != nil {
		return nil, err
	}
	var out []span
	upto := uint64(math.MaxUint64)
	for _, t := range slices.Backward(terms) {
		out = append(out, span{t, upto})
		if t.Continues == FromNothing {
			break
		}
		upto = min(upto, t.Base.Batch)
	}
	return out, nil
}

// End returns the newest position that is durable in the vault, and the term that has the right to write; a term of number 0 where there is none yet. It needs no key.
func (v *Vault) End(ctx context.Context) (holdfast.Position, Term, error) {
	end, _, term, err := v.ends(ctx)
	return end, term, err
}

// Torn returns the newest batch, as far as it is known, of what stands behind the vault's end and cannot be read; 0 where nothing does, or the mere beginning of a frame, as every interrupted append leaves it. A power cut may leave
// such a frame too, but its batches the store has: it made them durable first. Where the store does not have them, they may have been acknowledged, and it must not go on as if they had never been.
func (v *Vault) Torn(ctx context.Context) (uint64, error) {
	_, torn, _, err := v.ends(ctx)
	return torn, err
}

func (v *Vault) ends(ctx context.Context) (end holdfast.Position, torn uint64, term Term, err error) {
	term, err = v.lastTerm(ctx)
	if err != nil || term.Number == 0 {
		return end, 0, term, err
	}
	head, err := v.LastHead(ctx)
	if err != nil {
		return term.Base.Is(), 0, term, err
	}
	end, torn, err = v.endsIn(ctx, term, head)
	return end, torn, term, err
}

// endsIn is ends of a term, with the newest head.
func (v *Vault) endsIn(ctx context.Context, term Term, head Head) (end holdfast.Position, torn uint64, err error) {
	end = term.Base.Is()
	if head.Term == term.Number && head.Position.Batch > end.Batch {
		end = head.Position.Is()
	}
	numbers, err := v.segments(ctx, term.Number)
	if err != nil {
		return end, 0, err
	}
	for _, n := range slices.Backward(numbers) {
		last, named, bad, err := v.lastIn(ctx, SegmentName(term.Number, n))
		if err != nil {
			return end, 0, err
		}
		if last.Batch > end.Batch {
			end = last
		}
		if bad && named <= end.Batch {
			named = end.Batch + 1
		}
		if named > end.Batch && v.letGo(ctx, SegmentName(term.Number, n)) {
			named = 0 // a repair has put others in its place
		}
		torn = max(torn, named)
		if last.Batch > 0 {
			break
		}
	}
	if torn <= end.Batch {
		torn = 0
	}
	return end, torn, nil
}

// lastIn returns the position after the last whole frame of a segment; which batch lines of torn frames behind it name, 0 if none; and whether the octets that are left are something else than the beginning of a frame.
func (v *Vault) lastIn(ctx context.Context, segment string) (last holdfast.Position, torn uint64, bad bool, err error) {
	var newest foundFrame
	var before holdfast.Position
	_, err = v.walkWhole(ctx, segment, func(f foundFrame) error {
		switch {
		case f.rotted:
			bad = f.end && !f.broken
		case f.torn:
			torn = f.Last
		default:
			newest, before, last, torn = f, last, f.End(), 0
		}
		return nil
	})
	if err == nil && last.Batch > 0 && v.lies(ctx, segment, newest) {
		last, bad = before, true // as if it was not there: its batches are written again
	}
	return last, torn, bad, err
}

// letGo tells whether a head releases an object: nobody reads it any more. Where the heads cannot be read that is not known, and it is not.
func (v *Vault) letGo(ctx context.Context, name string) bool {
	l := &v.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = v.readLedger(ctx)
	_, gone := l.released[name]
	return gone
}

// lies tells whether a frame's line says another end than its batches do. Without a key that cannot be told, and it is believed.
func (v *Vault) lies(ctx context.Context, segment string, f foundFrame) bool {
	n := parseTailName(segment)
	if len(v.with()) == 0 {
		return false
	}
	key, err := v.segmentKey(ctx, n.Term, n.Number)
	if err != nil {
		return false
	}
	var end holdfast.Position
	err = v.batches(ctx, segment, f, key, func(b journal.BatchLine, _ []holdfast.Change) error { end = b.Position; return nil })
	return errors.Is(err, errLine) && end != f.End()
}

// EndOf returns the newest position that is durable in the tail of one term, whether it is the newest term or not; zero where there is nothing. It needs no key.
func (v *Vault) EndOf(ctx context.Context, term uint64) (holdfast.Position, error) {
	head, err := v.LastHead(ctx)
	if err != nil {
		return holdfast.Position{}, err
	}
	return v.endOf(ctx, Term{}, head, term)
}

// HashAt returns the hash after a batch of the newest term's stream, from its tail; ok is false where it is not known any more, or not yet.
func (v *Vault) HashAt(ctx context.Context, batch uint64) (hash holdfast.Hash, ok bool, err error) {
	if batch == 0 {
		return hash, true, nil
	}
	spans, err := v.line(ctx)
	if err != nil {
		return hash, false, err
	}
	for _, s := range spans {
		if batch > s.upto || batch < s.term.Base.Batch {
			continue
		}
		if batch == s.term.Base.Batch {
			return s.term.Base.Hash, true, nil
		}
		if hash, ok, err = v.hashIn(ctx, s.term.Number, batch); ok || err != nil {
			return hash, ok, err
		}
	}
	head, err := v.LastHead(ctx)
	if err == nil && head.Position.Batch == batch && len(spans) > 0 && head.Term == spans[0].term.Number {
		return head.Position.Hash, true, nil
	}
	return hash, false, err
}

// hashIn looks for a batch in the segments of one term, newest first.
func (v *Vault) hashIn(ctx context.Context, term, batch uint64) (hash holdfast.Hash, ok bool, err error) {
	numbers, err := v.segments(ctx, term)
	if err != nil {
		return hash, false, err
	}
	for _, n := range slices.Backward(numbers) {
		first, err := v.begins(ctx, SegmentName(term, n))
		if err != nil {
			return hash, false, err
		}
		if first == 0 || first > batch+1 {
			continue
		}
		var in *foundFrame
		if _, err := v.walk(ctx, SegmentName(term, n), func(f foundFrame) error {
			switch {
			case f.Last == batch:
				hash, ok = f.Hash, true
			case f.First-1 == batch:
				hash, ok = f.Prev, true
			case f.First <= batch && batch < f.Last:
				in = &f
			}
			return nil
		}); err != nil || ok {
			return hash, ok, err
		}
		if in == nil {
			continue
		}
		key, err := v.segmentKey(ctx, term, n)
		if err != nil {
			return hash, false, err
		}
		err = v.batches(ctx, SegmentName(term, n), *in, key, func(b journal.BatchLine, _ []holdfast.Change) error {
			if b.Batch == batch {
				hash, ok = b.Hash, true
			}
			return nil
		})
		return hash, ok, err
	}
	return hash, false, nil
}

// Frames calls fn with the batches of the newest term's stream above one, in order, as they lie in the tail. Errors: NotFound (the tail begins later: the batches are in packs alone), Corrupt.
func (v *Vault) Frames(ctx context.Context, after uint64, fn func(b *holdfast.Batch, stored time.Time) error) error {
	var before holdfast.Position
	return v.lines(ctx, after, func(line journal.BatchLine, changes []holdfast.Change) error {
		if err := chain(line, changes); err != nil {
			return err
		}
		if before.Batch > 0 && line.Prev != before.Hash {
			return fail("Frames", holdfast.Corrupt, v.p.String(), fmt.Sprintf("batch %d does not follow the one before it: two wrote into this vault at the same time, or one that was put back", line.Batch), nil)
		}
		before = line.Position
		return fn(&holdfast.Batch{Position: line.Position, Prev: line.Prev, Changes: changes, Redacted: line.Redacted}, line.Stored)
	})
}

// chain fills in the chains of a batch's changes, and judges that each group leads to where its end says.
func chain(line journal.BatchLine, changes []holdfast.Change) error {
	next, first := 0, true
	var prev holdfast.Hash
	for i := range changes {
		c := &changes[i]
		if next >= len(line.Ends) {
			return fail("Frames", holdfast.Corrupt, "", "a batch has more groups than it says", nil)
		}
		end := line.Ends[next]
		if first {
			prev = end.Before
		}
		c.Before = prev
		journal.Extend(c, prev)
		prev, first = c.Chain, c.More == 0
		if first {
			if c.Account != end.Account || c.Seq != end.Seq || c.Epoch != end.Epoch || c.Chain != end.Chain {
				return fail("Frames", holdfast.Corrupt, c.Account.String(), "the changes of a batch do not lead to the chain that it says", nil)
			}
			next++
		}
	}
	return nil
}

// lines is Frames of what stands there.
func (v *Vault) lines(ctx context.Context, after uint64, fn func(journal.BatchLine, []holdfast.Change) error) error {
	spans, err := v.line(ctx)
	if err != nil {
		return err
	}
	at := after
	var torn error // of a frame that was passed over: another one has to hold its batches
	for _, s := range slices.Backward(spans) {
		if s.upto <= at {
			continue
		}
		numbers, err := v.segmentsFrom(ctx, s.term.Number, at+1)
		if err != nil {
			return err
		}
		for _, n := range numbers {
			if at, torn, err = v.framesIn(ctx, s, n, at, torn, fn); err != nil {
				return err
			}
		}
	}
	end, _, err := v.End(ctx)
	if err == nil && at < end.Batch {
		err = v.missing(torn)
	}
	return err
}

// segmentsFrom returns the segments of a term that can hold a batch or later ones: looked for from the newest on, so that it costs what follows the batch and no more.
func (v *Vault) segmentsFrom(ctx context.Context, term, batch uint64) ([]uint64, error) {
	numbers, err := v.segments(ctx, term)
	if err != nil {
		return nil, err
	}
	for i, n := range slices.Backward(numbers) {
		first, err := v.begins(ctx, SegmentName(term, n))
		if err != nil {
			return nil, err
		}
		if first > 0 && first <= batch {
			return numbers[i:], nil
		}
	}
	return numbers, nil
}

// missing says why the batches that follow cannot be handed out.
func (v *Vault) missing(torn error) error {
	if torn != nil {
		return torn
	}
	return fail("Frames", holdfast.NotFound, v.p.String(), "the tail of the vault does not hold the batches that follow the one asked for; they are in its packs", nil)
}

// framesIn hands out the batches of one segment that follow at, and returns how far that went, and the error of a frame that it passed over.
func (v *Vault) framesIn(ctx context.Context, s span, n, at uint64, torn error, fn func(journal.BatchLine, []holdfast.Change) error) (uint64, error, error) {
	name := SegmentName(s.term.Number, n)
	var frames []foundFrame
	if _, err := v.walk(ctx, name, func(f foundFrame) error {
		if f.rotted || f.Last > at && f.First <= s.upto {
			frames = append(frames, f)
		}
		return nil
	}); err != nil || len(frames) == 0 {
		return at, torn, err
	}
	key, err := v.segmentKey(ctx, s.term.Number, n)
	if err != nil {
		return at, torn, err
	}
	for _, f := range frames {
		if !f.rotted && f.Last <= at { // it stands here twice
			continue
		}
		if f.First > at+1 {
			return at, torn, v.missing(torn)
		}
		err := v.batches(ctx, name, f, key, func(line journal.BatchLine, changes []holdfast.Change) error {
			switch {
			case line.Batch <= at || line.Batch > s.upto:
				return nil
			case line.Batch > at+1:
				return v.missing(torn)
			}
			at = line.Batch
			return fn(line, changes)
		})
		if unread(err) && !f.broken {
			torn = err
		}
		if err != nil && !unread(err) && !errors.Is(err, errLine) {
			return at, torn, err
		}
	}
	return at, torn, nil
}
