package core

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"holdfast"
	"holdfast/internal/store"
)

// HistoryQuery says which part of an account's history is asked for.
type HistoryQuery struct {
	Path   string // of a collection or an item, also of a deleted one; empty: all
	Before uint64 // only changes below this one; 0: from the newest
	Limit  int    // at most so many lines; 0: 50
}

// The bounds of HistoryQuery.Limit.
const (
	defaultHistory = 50
	maxHistory     = 1000
)

// Version is one line of history.
type Version struct {
	holdfast.Change        // without octets
	Path            string // of the item as it is or was last; empty for the account's own records
	Text            []byte // the octets that say what people call the item: what was put, or what was deleted
	By              string // the account that did it; empty: the operator
	Device          string // with which device; empty: with none
	Was             *holdfast.Change
	Reversal        *holdfast.ReversalRecord // that it belongs to
	Burst           holdfast.ID              // likewise; zero: none
}

// History returns what was done to an account, or to one thing in it, newest first; more tells that there is more below the last one. Without a path a whole reversal is one line: its record. Errors: NotFound (nothing ever had that path).
func (p *Past) History(ctx context.Context, q HistoryQuery) (lines []Version, more bool, err error) {
	if q.Limit <= 0 {
		q.Limit = defaultHistory
	}
	q.Limit = min(q.Limit, maxHistory)
	l := &historian{past: p, q: q, names: newNames()}
	if err := l.within(ctx, l.begin); err != nil {
		return nil, false, err
	}
	if l.spot.name != "" {
		err = l.within(ctx, l.item)
	} else {
		err = l.walk(ctx)
	}
	for i := range l.lines {
		if err == nil {
			err = l.within(ctx, func(snap store.Snapshot) error { return l.complete(snap, &l.lines[i]) })
		}
		if err == nil {
			l.lines[i].Burst, err = l.bursts.of(ctx, l, &l.lines[i].Change)
		}
	}
	return l.lines, l.more, err
}

// historian gathers lines of history.
type historian struct {
	past      *Past
	q         HistoryQuery
	tree      treeOfAll
	spot      spot
	reversals reversals
	bursts    bursts
	head      uint64

	lines []Version
	more  bool

	names names
}

// within calls fn with a snapshot of what is acknowledged.
func (l *historian) within(ctx context.Context, fn func(store.Snapshot) error) error {
	snap, err := l.past.s.snapshot(ctx, l.past.owner)
	if err != nil {
		return err
	}
	defer snap.Close()
	return fn(snap)
}

func (l *historian) begin(snap store.Snapshot) (err error) {
	if l.tree, err = readTreeOfAll(snap, l.past.owner); err != nil {
		return err
	}
	if l.q.Path != "" {
		if l.spot, err = l.tree.locate(snap, l.q.Path); err != nil {
			return err
		}
	}
	if l.reversals, err = readReversals(snap, l.past.owner); err != nil {
		return err
	}
	if l.bursts, err = readBursts(snap, l.past.owner); err != nil {
		return err
	}
	h, err := snap.Head(l.past.owner)
	l.head = h.Seq
	return err
}

// errEnough ends a read that has all it needs.
var errEnough = errors.New("core: enough")

// add takes a change as a line; errEnough tells that there is no room.
func (l *historian) add(ch *holdfast.Change) error {
	if len(l.lines) == l.q.Limit {
		l.more = true
		return errEnough
	}
	x := *ch
	x.Body = nil
	l.lines = append(l.lines, Version{Change: x, Path: l.tree.pathOf(ch.Collection, ch.Name)})
	return nil
}

// item gathers the versions of the members that the path names.
func (l *historian) item(snap store.Snapshot) error {
	var all []*holdfast.Change
	for _, c := range l.spot.collections {
		n := 0
		err := snap.Versions(c, l.spot.name, WithProps, func(ch *holdfast.Change) error {
			if l.q.Before > 0 && ch.Seq >= l.q.Before {
				return nil
			}
			if n++; n > l.q.Limit+1 {
				return errEnough
			}
			x := *ch
			all = append(all, &x)
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			return err
		}
	}
	slices.SortFunc(all, func(a, b *holdfast.Change) int { return cmp.Compare(b.Seq, a.Seq) })
	for _, ch := range all {
		if err := l.add(ch); err != nil {
			break
		}
	}
	return nil
}

// historyPage is how many changes are read in one snapshot.
const historyPage = 1000

// walk goes back through the account's journal.
func (l *historian) walk(ctx context.Context) error {
	tops := map[holdfast.ID]bool{}
	for _, c := range l.spot.collections {
		tops[c] = true
	}
	to := l.head
	if l.q.Before > 0 {
		to = min(to, l.q.Before-1)
	}
	for to > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		next := to
		err := l.within(ctx, func(snap store.Snapshot) (err error) {
			next, err = l.page(snap, to, tops)
			return err
		})
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return err
		}
		to = next
	}
	return nil
}

// page takes the lines among the changes up to a seq, and returns up to where to go on.
func (l *historian) page(snap store.Snapshot, to uint64, tops map[holdfast.ID]bool) (next uint64, err error) {
	from := to - min(to, historyPage)
	var page []*holdfast.Change
	err = snap.Changes(l.past.owner, from, int(to-from), WithProps, func(ch *holdfast.Change) error {
		x := *ch
		page = append(page, &x)
		return nil
	})
	if err != nil {
		return 0, err
	}
	slices.Reverse(page)
	for _, ch := range page {
		if l.q.Path != "" && (ch.Collection == l.past.owner || !l.tree.within(ch.Collection, tops)) {
			continue
		}
		r, err := l.reversals.of(snap, ch)
		if err != nil {
			return 0, err
		}
		if r != nil && l.q.Path == "" && (ch.Kind != holdfast.KindReversal || ch.Seq != r.seq) {
			if first := r.groupOf(ch.Seq).first; ch.Kind != holdfast.KindReversal && first <= from {
				return first, nil // the rest of the group is passed over at once
			}
			continue
		}
		if err := l.add(ch); err != nil {
			return 0, err
		}
	}
	return from, nil
}

// complete finds what a line says beside its change.
func (l *historian) complete(snap store.Snapshot, v *Version) error {
	r, err := l.reversals.of(snap, &v.Change)
	if err != nil {
		return err
	}
	if r != nil {
		v.Reversal = &r.ReversalRecord
	}
	if v.Prev != 0 {
		if v.Was, err = changeAt(snap, l.past.owner, v.Prev, WithBody|WithProps); err != nil {
			return err
		}
		if v.Op == holdfast.OpDelete {
			v.Text = v.Was.Body
		}
		v.Was.Body = nil
	}
	if v.Op == holdfast.OpPut && v.Kind != holdfast.KindTokenKey && v.Kind != holdfast.KindAccount {
		full, err := changeAt(snap, l.past.owner, v.Seq, WithBody)
		if err != nil {
			return err
		}
		v.Text = full.Body
	}
	if v.Kind.Credential() && v.Kind != holdfast.KindDevice { // records of rights and keys have no name for people
		v.Text = nil
	}
	v.By, v.Device, err = l.names.of(snap, v.Actor)
	return err
}

// changeAt returns one change of an account.
func changeAt(snap store.Snapshot, account holdfast.ID, seq uint64, f Fields) (out *holdfast.Change, err error) {
	err = snap.Changes(account, seq-1, 1, f, func(ch *holdfast.Change) error {
		x := *ch
		x.Body = slices.Clone(ch.Body)
		out = &x
		return nil
	})
	if err == nil && (out == nil || out.Seq != seq) {
		err = fail("History", holdfast.Corrupt, account.String(), "a change of the journal is missing; run `holdfast doctor --full`")
	}
	return out, err
}

// names remembers how accounts and devices are called.
type names struct {
	accounts, devices map[holdfast.ID]string
}

func newNames() names { return names{map[holdfast.ID]string{}, map[holdfast.ID]string{}} }

// of says who made a change: the account by its login or, where it is not there any more, by its id, and the device by its name, also where that was revoked. Both are empty for the operator.
func (n names) of(snap store.Snapshot, a holdfast.Actor) (by, device string, err error) {
	if a == (holdfast.Actor{}) {
		return "", "", nil
	}
	by, ok := n.accounts[a.Account]
	if !ok {
		by = a.Account.String()
		who, err := snap.Account(a.Account)
		if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
			return "", "", err
		}
		if err == nil {
			by = who.Email
		}
		n.accounts[a.Account] = by
	}
	if a.Device.IsZero() {
		return by, "", nil
	}
	device, ok = n.devices[a.Device]
	if !ok {
		if device, err = deviceName(snap, a); err != nil {
			return "", "", err
		}
		n.devices[a.Device] = device
	}
	return by, device, nil
}

// deviceName finds what a device was called last. One without a record is called by its id.
func deviceName(snap store.Snapshot, a holdfast.Actor) (string, error) {
	name := a.Device.String()
	err := snap.Versions(a.Account, holdfast.RecordDevicePrefix+name, WithBody, func(ch *holdfast.Change) error {
		if ch.Op != holdfast.OpPut {
			return nil
		}
		if d, err := holdfast.DecodeDevice(ch.Body); err == nil {
			name = d.Name
		}
		return errEnough
	})
	if errors.Is(err, errEnough) || holdfast.IsKind(err, holdfast.NotFound) {
		err = nil
	}
	return name, err
}
