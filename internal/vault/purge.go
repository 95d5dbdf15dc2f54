package vault

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/clock"
)

// The second step of letting go of old versions: the pack that one without them took the place of goes. Until then it is there, and stands in. Everything that is asked before it goes is asked of heads and hashes, so that a server without a key can ask it too.

// Purge removes the packs that were replaced by ones without their old versions, where KeepPruned has gone by since, a drill which began after the head that says so has restored every account in question and passed, and what has their place is sound and has all their members. Time is counted
// along the heads. Whoever calls it knows that the store's other vaults are whole.
func (v *Vault) Purge(ctx context.Context) (LetReport, error) {
	var rep LetReport
	err := v.duePurged(ctx, v.verifyPack, func(name string) error { return v.let(ctx, name, &rep) })
	return rep, err
}

// duePurged calls fn with what Purge removes. sound judges what is left.
func (v *Vault) duePurged(ctx context.Context, sound func(context.Context, PackRef) error, fn func(string) error) error {
	return v.waiting(ctx, sound, func(p namedPack, why []string) error {
		if len(why) > 0 {
			return nil
		}
		for _, suffix := range []string{packSuffix, indexSuffix} { // the index last: it is asked who was in the pack
			if err := fn(p.Name + suffix); err != nil {
				return err
			}
		}
		return nil
	})
}

// Waiting is a pack that was replaced by one without its old versions, and is there still.
type Waiting struct {
	Pack   string
	Octets int64         // as it lies
	Left   time.Duration // that is to go by yet, counted along heads
	Why    []string      // what keeps it, time among it; empty: it is due
}

// Waiting returns the packs that wait to be purged.
func (v *Vault) Waiting(ctx context.Context) (out []Waiting, err error) {
	err = v.waiting(ctx, v.CheckPack, func(p namedPack, why []string) error {
		out = append(out, Waiting{p.Name, p.Size + p.IndexSize, max(0, v.o.KeepPruned-(v.ledger.counted-p.at)), why})
		return nil
	})
	return out, err
}

// waiting calls fn with each pack that waits, and what keeps it. The lock is held while fn runs.
func (v *Vault) waiting(ctx context.Context, sound func(context.Context, PackRef) error, fn func(namedPack, []string) error) error {
	l := &v.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := v.readLedger(ctx); err != nil {
		return err
	}
	for _, p := range l.left {
		if !p.pruned {
			continue
		}
		there, err := v.isThere(ctx, p.Name+packSuffix)
		if err == nil && !there {
			there, err = v.isThere(ctx, p.Name+indexSuffix) // a cut between the two
		}
		if err != nil {
			return err
		}
		if !there {
			continue
		}
		why, err := v.keptBy(ctx, p, sound)
		if err == nil {
			err = fn(p, why)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// keptBy returns what keeps a pack that was pruned, at a counted time and by a head; nothing: it may go. The lock is held. Errors: those of the place.
func (v *Vault) keptBy(ctx context.Context, p namedPack, sound func(context.Context, PackRef) error) ([]string, error) {
	l := &v.ledger
	var why []string
	if waited := l.counted - p.at; waited < v.o.KeepPruned {
		why = append(why, fmt.Sprintf("it has waited for %s of %s by the vault's own time", clock.Words(waited), clock.Words(v.o.KeepPruned)))
	}
	list, err := v.membersOf(ctx, p.PackRef)
	if err != nil {
		return append(why, p.Name+indexSuffix+" cannot be read, which says whom it holds"), passOver(err)
	}
	now, ok := l.inPlaceOf(p.Name)
	var taken []Member
	if ok {
		if taken, err = v.membersOf(ctx, now); err != nil {
			return append(why, now.Name+indexSuffix+" cannot be read, which has its place"), passOver(err)
		}
	}
	unproven, example := v.unproven(list, taken, p.head)
	if unproven > 0 {
		why = append(why, fmt.Sprintf("no drill that began after the head %d, and passed, has restored %s of its accounts, such as %s", p.head, fmt.Sprint(unproven), example))
	}
	if len(why) > 0 {
		return why, nil
	}
	if left, err := v.uncovered(ctx, list, taken); err != nil || left > 0 {
		return append(why, fmt.Sprintf("no pack has %d of its members", left)), passOver(err)
	}
	if ok {
		if err := sound(ctx, now); err != nil {
			return append(why, fmt.Sprintf("%s, which has its place, is damaged: %v", now.Name, err)), passOver(err)
		}
	}
	return nil, nil
}

// passOver leaves out what is damage: it is told in other words.
func passOver(err error) error {
	if err != nil && damaging(err) {
		return nil
	}
	return err
}

// membersOf reads a pack's index. Members of accounts that were erased are left out: nobody can open them any more.
func (v *Vault) membersOf(ctx context.Context, p PackRef) (out []Member, err error) {
	erased, err := v.Erased(ctx)
	if err != nil {
		return nil, err
	}
	list, err := v.index(ctx, p)
	for err == nil {
		var m Member
		if m, err = list.next(); err == nil && !erased[m.Account] {
			out = append(out, m)
		}
	}
	if err == io.EOF {
		err = nil
	}
	return out, err
}

// unproven counts the accounts of a pack that no drill has restored since a head. A member that stands octet for octet in what has the pack's place needs no proof.
func (v *Vault) unproven(list, taken []Member, head uint64) (n int, example holdfast.ID) {
	same := map[holdfast.Hash]bool{}
	for i := range taken {
		same[taken[i].SHA256] = true
	}
	var last holdfast.ID
	for i := range list {
		m := &list[i]
		if same[m.SHA256] || m.Account == last || v.ledger.proven[m.Account] >= head {
			continue
		}
		if last = m.Account; n == 0 {
			example = last
		}
		n++
	}
	return n, example
}

// uncovered counts the members that stand neither in what took their pack's place nor in any other pack. The lock is held.
func (v *Vault) uncovered(ctx context.Context, list, taken []Member) (int, error) {
	missing := notIn(list, taken)
	for _, p := range v.ledger.packs {
		if len(missing) == 0 {
			break
		}
		more, err := v.membersOf(ctx, p.PackRef)
		if err != nil && !damaging(err) {
			return len(missing), err
		}
		missing = notIn(missing, more)
	}
	return len(missing), nil
}

// notIn returns the members whose changes none of others holds.
func notIn(list, others []Member) (out []Member) {
	by := map[holdfast.ID][]Member{}
	for _, o := range others {
		by[o.Account] = append(by[o.Account], o)
	}
	for _, m := range list {
		if !slices.ContainsFunc(by[m.Account], func(o Member) bool {
			return o.Epoch == m.Epoch && o.From <= m.From && (o.To > m.To || o.To == m.To && o.Chain == m.Chain)
		}) {
			out = append(out, m)
		}
	}
	return out
}

// soundOriginals judges, before segments of a pack go, what was pruned on the way to it and still has them whole. The lock is held.
func (v *Vault) soundOriginals(ctx context.Context, p PackRef, sound func(context.Context, PackRef) error) error {
	for _, x := range v.ledger.left {
		if !x.pruned || !slices.ContainsFunc(x.Segments, func(s string) bool { return slices.Contains(p.Segments, s) }) {
			continue
		}
		there, err := v.isThere(ctx, x.Name+packSuffix)
		if err == nil && there {
			err = sound(ctx, x.PackRef)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
