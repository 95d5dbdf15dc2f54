package vault

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/place"
)

// MaxStep is the most time that counts between two heads. Whoever decides that something is old enough to be let go of must not be fooled by a clock: one that jumps ahead by years counts for a day, one that jumps back
// for nothing, and so does a service that stood still.
const MaxStep = 24 * time.Hour

// ledger is what the heads say, added up: which packs there are, and how long each has been named. It is read on from where it was.
type ledger struct {
	mu      sync.Mutex
	number  uint64 // of the newest head that was read
	last    time.Time
	counted time.Duration // from the first head to that one
	packs   []namedPack
	left    []namedPack // that later ones replaced

	released map[string]time.Duration // objects that heads release, with the counted time at which that was said
	holes    []string                 // heads that cannot be read, and that no later one releases

	kept map[string]time.Time // what the place did not let go of, and when that was

	proven map[holdfast.ID]uint64 // accounts that drills of this vault restored and passed, with the newest head that such a drill began after
}

// namedPack is a pack with the counted time at which a head first named it, or replaced it.
type namedPack struct {
	PackRef
	at     time.Duration
	head   uint64 // the number of that head
	pruned bool   // of one that was replaced: what has its place lacks octets of it
}

// readLedger brings the ledger up to the newest head. A head that cannot be read is an error, as what it says is not known, until a later one releases it. The lock is held.
func (v *Vault) readLedger(ctx context.Context) error {
	l := &v.ledger
	if l.released == nil {
		l.released, l.proven = map[string]time.Duration{}, map[holdfast.ID]uint64{}
	}
	err := v.Heads(ctx, l.number, func(name string, h Head, _ holdfast.Hash, err error) error {
		if err != nil {
			if !damaging(err) {
				return err
			}
			l.number, _ = numberOf(name, dirHeads, "")
			l.holes = append(l.holes, name)
			clear(l.proven) // it may have said that a drill failed
			return nil
		}
		if !l.last.IsZero() {
			l.counted += min(max(0, h.PlaceAt.Sub(l.last)), MaxStep)
		}
		l.number, l.last = h.Number, h.PlaceAt
		l.release(h.Released)
		l.prove(&h)
		for _, p := range h.Packs {
			l.packs = slices.DeleteFunc(l.packs, func(o namedPack) bool {
				replaced := slices.Contains(p.Replaces, o.Name)
				if replaced {
					l.left = append(l.left, namedPack{o.PackRef, l.counted, h.Number, p.Pruned != nil})
				}
				return replaced
			})
			l.packs = append(l.packs, namedPack{PackRef: p, at: l.counted, head: h.Number})
		}
		return nil
	})
	if err == nil && len(l.holes) > 0 {
		err = fail("Heads", holdfast.Corrupt, l.holes[0], "the head cannot be read, and what it names is not known; `holdfast vault repair` mends that", nil)
	}
	return err
}

// release notes what a head releases: nobody reads it any more.
func (l *ledger) release(names []string) {
	for _, name := range names {
		if _, ok := l.released[name]; !ok {
			l.released[name] = l.counted
		}
		l.holes = slices.DeleteFunc(l.holes, func(o string) bool { return o == name })
		l.packs = slices.DeleteFunc(l.packs, func(p namedPack) bool { return p.Name == name })
	}
}

// prove notes what a head says of drills of this vault: a passed one proves the accounts that it restored, a failed one takes back what others proved. One that began after a head which is not there yet proves nothing.
func (l *ledger) prove(h *Head) {
	for _, d := range h.Drills {
		switch {
		case d.Of != h.Vault:
		case d.Result == "fail":
			clear(l.proven)
		case d.Result == "pass" && d.Head < h.Number:
			for _, id := range d.Accounts {
				l.proven[id] = max(l.proven[id], d.Head)
			}
		}
	}
}

// LetReport tells what was let go of.
type LetReport struct {
	Objects int
	Kept    int // that the place does not let us remove
}

// Let removes what is needed no more: the segments of which a pack was made that a head has named for KeepTail, and packs that others have replaced for Keep. Time is counted along the heads. A pack is read and
// verified once more before what it was made of goes, segments and packs. What a pruning replaced does not go here, see Purge.
func (v *Vault) Let(ctx context.Context) (LetReport, error) {
	var rep LetReport
	err := v.due(ctx, v.verifyPack, func(name string) error { return v.let(ctx, name, &rep) })
	return rep, err
}

// due calls fn with the names of what is needed no more; a segment's keys after it, so that nothing is left that could not be read. sound judges a pack before what it was made of goes.
func (v *Vault) due(ctx context.Context, sound func(context.Context, PackRef) error, fn func(string) error) error {
	l := &v.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := v.readLedger(ctx); err != nil {
		return err
	}
	there, err := v.segmentNames(ctx)
	if err != nil {
		return err
	}
	now := v.o.Clock.Now()
	for _, p := range l.packs {
		if l.counted-p.at < v.o.KeepTail || !slices.ContainsFunc(p.Segments, func(s string) bool { return there[s] && !l.keeps(s, now) }) {
			continue
		}
		if err := sound(ctx, p.PackRef); err != nil {
			return err
		}
		if err := v.soundOriginals(ctx, p.PackRef, sound); err != nil {
			return err
		}
		for _, s := range p.Segments {
			if !there[s] || l.keeps(s, now) {
				continue
			}
			first := strings.TrimSuffix(s, place.Grows) + ".key"
			keys, err := v.versions(ctx, first, first+".")
			if err != nil {
				return err
			}
			for _, name := range append([]string{s}, keys...) {
				if err := fn(name); err != nil {
					return err
				}
			}
		}
	}
	judged := map[string]bool{}
	for _, p := range l.left {
		if p.pruned || l.counted-p.at < v.o.Keep {
			continue
		}
		if err := v.dueReplaced(ctx, p, sound, judged, fn); err != nil {
			return err
		}
	}
	return v.dueReleased(ctx, fn)
}

// dueReplaced calls fn with a pack that others took the place of, and its index, if what has its place now is sound: until then it is what stands in. judged are the packs that were found sound. Where what was joined of it was
// pruned later, that has its place as long as it waits; where it is gone, this one waits as it would have. The lock is held.
func (v *Vault) dueReplaced(ctx context.Context, p namedPack, sound func(context.Context, PackRef) error, judged map[string]bool, fn func(string) error) error {
	for _, suffix := range []string{packSuffix, indexSuffix} {
		if v.ledger.keeps(p.Name+suffix, v.o.Clock.Now()) {
			continue
		}
		if there, err := v.isThere(ctx, p.Name+suffix); err != nil {
			return err
		} else if !there {
			continue // it went before
		}
		now, ok := v.ledger.inPlaceOf(p.Name)
		if x, pruned := v.ledger.prunedAfter(p.Name); pruned {
			there, err := v.isThere(ctx, x.Name+packSuffix)
			if err != nil {
				return err
			}
			if !there {
				p.at, p.head = x.at, x.head
				if why, err := v.keptBy(ctx, p, sound); err != nil || len(why) > 0 {
					return err
				}
			} else {
				now = x.PackRef
			}
		}
		if ok && !judged[now.Name] {
			if err := sound(ctx, now); err != nil {
				return err
			}
			judged[now.Name] = true
		}
		if err := fn(p.Name + suffix); err != nil {
			return err
		}
	}
	return nil
}

// isThere tells whether an object is.
func (v *Vault) isThere(ctx context.Context, name string) (bool, error) {
	_, err := v.p.Stat(ctx, name)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// inPlaceOf returns the pack that holds now what one held that was replaced; ok is false where that was released: a repair has written it elsewhere.
func (l *ledger) inPlaceOf(name string) (now PackRef, ok bool) {
	for range len(l.left) + 1 {
		x, last, found := l.next(name)
		if !found || last {
			return x.PackRef, found
		}
		name = x.Name
	}
	return now, false
}

// prunedAfter returns the next pack after one that was replaced which was pruned itself; ok is false where none was.
func (l *ledger) prunedAfter(name string) (x namedPack, ok bool) {
	for range len(l.left) + 1 {
		x, last, found := l.next(name)
		if !found || last || x.pruned {
			return x, found && !last
		}
		name = x.Name
	}
	return x, false
}

// next returns the pack that replaced one; last tells that none replaced that.
func (l *ledger) next(name string) (x namedPack, last, found bool) {
	replaces := func(p namedPack) bool { return slices.Contains(p.Replaces, name) }
	if i := slices.IndexFunc(l.packs, replaces); i >= 0 {
		return l.packs[i], true, true
	}
	if i := slices.IndexFunc(l.left, replaces); i >= 0 {
		return l.left[i], false, true
	}
	return namedPack{}, false, false
}

// dueReleased calls fn with what was released long enough ago: a segment with its keys, a pack with its index. The lock is held.
func (v *Vault) dueReleased(ctx context.Context, fn func(string) error) error {
	l := &v.ledger
	for _, name := range slices.Sorted(maps.Keys(l.released)) {
		if l.counted-l.released[name] < v.o.Keep {
			continue
		}
		names := []string{name}
		if first, ok := strings.CutSuffix(name, place.Grows); ok {
			keys, err := v.versions(ctx, first+".key", first+".key.")
			if err != nil {
				return err
			}
			names = append(names, keys...)
		} else if strings.HasPrefix(name, dirPages) {
			names = []string{name + packSuffix, name + indexSuffix}
		}
		for _, x := range names {
			if err := fn(x); err != nil {
				return err
			}
		}
	}
	return nil
}

// Upkeep does what is due: seals closed segments, joins packs, lets go of what is needed no more.
func (v *Vault) Upkeep(ctx context.Context, w *Writer) error {
	for {
		rep, err := v.Seal(ctx, w)
		if err != nil {
			return err
		}
		if rep.Segments == 0 {
			break
		}
		v.o.Log.Info("a pack was made", "vault", v.meta.Name, "pack", rep.Pack, "segments", rep.Segments, "accounts", rep.Accounts, "changes", rep.Changes, "octets", rep.Octets)
	}
	for {
		rep, err := v.Compact(ctx, w)
		if err != nil {
			return err
		}
		if rep.Packs == 0 {
			break
		}
		v.o.Log.Info("packs were joined", "vault", v.meta.Name, "pack", rep.Pack, "packs", rep.Packs, "changes", rep.Changes, "octets", rep.Octets)
	}
	rep, err := v.Let(ctx)
	if rep.Objects > 0 {
		v.o.Log.Info("what was needed no more was let go of", "vault", v.meta.Name, "objects", rep.Objects)
	}
	return err
}

// let removes an object. The lock of the ledger is held.
func (v *Vault) let(ctx context.Context, name string, rep *LetReport) error {
	err := v.p.Remove(ctx, name)
	switch holdfast.KindOf(err) {
	case holdfast.Forbidden:
		rep.Kept++
		v.ledger.keep(name, v.o.Clock.Now())
		return nil
	case holdfast.NotFound:
		return nil
	}
	if err == nil {
		rep.Objects++
	}
	return err
}

func (v *Vault) segmentNames(ctx context.Context) (map[string]bool, error) {
	out := map[string]bool{}
	err := v.eachSegment(ctx, func(s segmentRef) error {
		out[SegmentName(s.term, s.n)] = true
		return nil
	})
	return out, err
}
