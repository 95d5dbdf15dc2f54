package dav

import (
	"slices"

	"holdfast"
	"holdfast/internal/locks"
)

// spot is where something is for locks: in whose tree, and the names that lead there from its home of files. What several accounts reach has one, by whichever path they come.
type spot struct {
	account holdfast.ID
	names   []string
	guest   bool // who asks is one there
}

// spot returns a place's.
func (at *place) spot() spot {
	if !at.loc.Bound() {
		return at.hook()
	}
	return spot{at.loc.Owner, slices.Concat(at.loc.Above, at.loc.Rest), true}
}

// hook is the spot in the tree of who asks: of what is bound there, the binding's.
func (at *place) hook() spot { return spot{account: at.owner, names: at.path.Names} }

// shared are the names of what is shared with a guest, of whose home p is a path to the spot.
func (s spot) shared(p Path) []string { return s.names[:max(0, len(s.names)-len(p.Names)+1)] }

// above is the spot of what it lies in.
func (s spot) above() []string { return s.names[:max(0, len(s.names)-1)] }

// locksAt are the locks where a spot is.
func (h *Handler) locksAt(s spot) *locks.Account { return h.o.Locks.Of(s.account) }

// sees tells whether a lock stands in what a place is shared by, if it is shared.
func (at *place) sees(l *locks.Lock) bool {
	s := at.spot()
	top := s.shared(at.path)
	return !s.guest || len(l.Root) >= len(top) && slices.Equal(l.Root[:len(top)], top)
}

// heldAt is the place of the request to which locks are told: one in the account that has them, and rather one from which they are seen.
func (q *request) heldAt(held *locks.Held) *place {
	base := &q.place
	if q.dest == nil {
		return base
	}
	in := func(at *place) bool { return q.h.lockable(at) && at.spot().account == held.Account }
	if !in(base) || !base.sees(&held.Locks[0]) && in(q.dest) {
		base = q.dest
	}
	return base
}

// lockRoot is the href of where a lock stands, in the form of a path of the same home, at is the path's spot. A guest is told of one that stands above what is shared with him as if it stood there: that is as far as it concerns him.
func lockRoot(base Path, at spot, l *locks.Lock) string {
	names, slash := l.Root, l.Collection
	if at.guest {
		names, slash = base.Names[:1], true
		if top := at.shared(base); len(l.Root) >= len(top) && slices.Equal(l.Root[:len(top)], top) {
			names, slash = slices.Concat(names, l.Root[len(top):]), l.Collection
		}
	}
	base.Names, base.Slash = names, slash
	return base.Href()
}

// spotOf is the spot of a target, of which p is the path.
func (q *Query) spotOf(t *Target, p Path) spot {
	if t.Account.ID == q.Principal.Account {
		return spot{account: t.Account.ID, names: p.Names}
	}
	names, err := q.Reader.NamesOf(t.Collection)
	if q.Fail(err); t.Resource != nil {
		names = append(slices.Clip(names), t.Resource.Name)
	}
	return spot{t.Account.ID, names, true}
}
