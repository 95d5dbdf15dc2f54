package core

import (
	"context"
	"slices"

	"holdfast"
)

// Location is where a path leads. Rest is empty for a collection; one name is a member of Collection, which may exist or not; more names lead
// through collections that are not there.
type Location struct {
	Home       holdfast.ID         // the account in whose tree the path is
	Owner      holdfast.ID         // the account that Collection belongs to: another one than Home where it is shared
	Access     Access              // what the principal may do there
	Collection holdfast.Collection // what its own entry says, as seen from Home; its counts and last change may be old
	Rest       []string

	// Of what is another's:
	Binding bool     // Collection is the one that is bound, where it hangs in the guest's home
	Above   []string // the names that lead to Collection from its home in its owner's tree
}

// Bound tells whether the collection is another's, bound in the home of a guest.
func (l Location) Bound() bool { return l.Owner != l.Home }

// Place returns the item that a location with at most one remaining name denotes.
func (l Location) Place() Place {
	p := Place{Owner: l.Owner, Collection: l.Collection.ID, Binding: l.Binding && len(l.Rest) == 0}
	if len(l.Rest) > 0 {
		p.Name = l.Rest[0]
	}
	return p
}

// Locate follows names ("addressbooks", "default", "x.vcf") from the root of home's account, into collections of others that are bound there too, without a query in
// the common case. Errors: Forbidden, NotFound (the account), Unavailable, InDoubt.
func (s *Service) Locate(ctx context.Context, p holdfast.Principal, home holdfast.ID, names []string) (Location, error) {
	person, err := s.active(ctx, p, home)
	if err != nil {
		return Location{}, err
	}
	c, rest := person.walk(names)
	at := Location{Home: home, Owner: home, Access: Owns, Collection: c, Rest: rest}
	b, ok := person.bindingAt(&c, rest)
	if !ok {
		return at, nil
	}
	owner, err := s.person(ctx, b.Owner.String())
	if holdfast.IsKind(err, holdfast.NotFound) {
		return at, nil
	}
	if err != nil {
		return at, err
	}
	if at, err = s.bind(p, at, b, owner); err != nil || !at.Binding {
		return at, err
	}
	for len(at.Rest) > 0 {
		id, ok := owner.paths[pathKey{at.Collection.ID, at.Rest[0]}]
		if !ok || !at.into(p, owner, owner.tree[id]) {
			break
		}
	}
	return at, nil
}

// Locate is [Service.Locate] as of the reader's moment, for use inside [Service.Read]: it asks the reader's own snapshot, once for each collection on
// the way. The error is the engine's: a name that leads nowhere is no error, see [Location].
func (r *Reader) Locate(names []string) (Location, error) {
	at := Location{Home: r.owner.ID, Owner: r.owner.ID, Access: Owns, Collection: r.owner.tree[r.owner.ID], Rest: names}
	for len(at.Rest) > 0 && holds(at.Collection.Type) {
		next, err := r.step(pathKey{at.Collection.ID, at.Rest[0]})
		if err != nil {
			return at, err
		}
		if !next.found {
			break
		}
		at.Collection, at.Rest = next.to, at.Rest[1:]
	}
	b, ok := r.owner.bindingAt(&at.Collection, at.Rest)
	if !ok {
		return at, nil
	}
	owner, err := r.person(b.Owner)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return at, nil
	}
	if err != nil {
		return at, err
	}
	if at, err = r.s.bind(r.p, at, b, owner); err != nil || !at.Binding {
		return at, err
	}
	for len(at.Rest) > 0 && holds(at.Collection.Type) {
		next, err := r.step(pathKey{at.Collection.ID, at.Rest[0]})
		if err != nil || !next.found || !at.into(r.p, owner, next.to) {
			return at, err
		}
	}
	return at, nil
}

// NamesOf returns the names that lead to a collection that the reader gave from its home in its owner's tree, by whichever path it was reached.
func (r *Reader) NamesOf(c *holdfast.Collection) ([]string, error) {
	if out, ok := r.way[c.ID]; ok {
		return out, nil
	}
	var out []string
	for id := c.ID; len(out) < maxDepth; {
		x, err := r.snap.Collection(id)
		if err != nil {
			return nil, err
		}
		if x.Parent == x.Account || x.Parent.IsZero() {
			break
		}
		out, id = append(out, x.Name), x.Parent
	}
	slices.Reverse(out)
	if r.way == nil {
		r.way = map[holdfast.ID][]string{}
	}
	r.way[c.ID] = out
	return out, nil
}

// holds tells whether collections of a type hold collections.
func holds(t holdfast.CollectionType) bool {
	return t == holdfast.TypeRoot || t == holdfast.TypeHome || t == holdfast.TypeFolder
}

func (r *Reader) step(k pathKey) (step, error) {
	if to, ok := r.steps[k]; ok {
		return to, nil
	}
	c, err := r.snap.Child(k.parent, k.name)
	if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
		return step{}, err
	}
	to := step{c, err == nil}
	if len(r.steps) < maxSteps {
		if r.steps == nil {
			r.steps = map[pathKey]step{}
		}
		r.steps[k] = to
	}
	return to, nil
}

// maxSteps bounds what a reader remembers of its way: a request may name very many things that are not there.
const maxSteps = 1000

// step is what stands at a name: a collection, or none.
type step struct {
	to    holdfast.Collection
	found bool
}
