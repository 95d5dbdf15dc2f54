package core

import (
	"context"
	"fmt"

	"holdfast"
)

// Folders stand at most so deep in their home, and the names that lead to one have at most so many octets, percent-encoded. A face must be able to name whatever is there with all that may be in it: what
// cannot be asked for is as good as lost, and a MOVE brings it to where no MKCOL could have made it.
const (
	MaxDeep = 64
	MaxWay  = 8 << 10
)

// mayReach refuses a collection at a place where it, or something below it, could not be named any more. with is what comes there; zero for something new and empty. Errors: TooLarge.
func (s *Service) mayReach(ctx context.Context, at, with Place) error {
	owner, err := s.person(ctx, at.Owner.String())
	if err != nil {
		return err
	}
	deep, way := owner.way(at.Collection, owner.ID)
	deep, way = deep+1, way+encoded(at.Name)
	if !with.Collection.IsZero() {
		from := owner
		if with.Owner != at.Owner {
			if from, err = s.person(ctx, with.Owner.String()); err != nil {
				return err
			}
		}
		d, w := from.extent(with.Collection)
		deep, way = deep+d, way+w
	}
	switch {
	case deep > MaxDeep:
		return fail("MakeCollection", holdfast.TooLarge, at.Name, fmt.Sprintf("folders would be %d deep, and can be %d; nothing was changed", deep, MaxDeep))
	case way > MaxWay:
		return fail("MakeCollection", holdfast.TooLarge, at.Name, fmt.Sprintf("the names that lead to a folder would have %d octets together, and can have %d; nothing was changed", way, MaxWay))
	}
	return nil
}

// way counts the collections below top on the way down to one, itself included, and the octets of their names. A home counts, if top is the account.
func (p *Person) way(id, top holdfast.ID) (deep, octets int) {
	for c, ok := p.tree[id]; ok && c.ID != top && deep < maxDepth; c, ok = p.tree[c.Parent] {
		deep, octets = deep+1, octets+encoded(c.Name)
	}
	return deep, octets
}

// extent is how deep a collection is, and how many octets the names have that lead to one in it.
func (p *Person) extent(top holdfast.ID) (deep, octets int) {
	for id := range p.tree {
		if p.within(id, top) {
			d, o := p.way(id, top)
			deep, octets = max(deep, d), max(octets, o)
		}
	}
	return deep, octets
}

// encoded counts the octets of a name in a path, with the slash before it: percent-encoded (RFC 3986), whatever is not unreserved.
func encoded(name string) int {
	n := 1
	for _, c := range []byte(name) {
		if n++; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~') {
			n += 2
		}
	}
	return n
}
