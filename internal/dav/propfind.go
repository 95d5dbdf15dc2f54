package dav

import (
	"net/http"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/davxml"
)

// propfind answers RFC 4918 section 9.1. A collection may be asked to any depth; above, where depth would not end or not help, infinity is refused.
func (q *request) propfind() error {
	depth, err := q.depth(davxml.DepthInfinity)
	if err != nil {
		return err
	}
	root, err := q.xmlBody()
	if err != nil {
		return err
	}
	if err := q.exists(); err != nil {
		return err
	}
	set := davxml.PropSet{Mode: davxml.AllProp}
	if root != nil {
		if set, err = davxml.ParsePropFind(root, q.h.o.Limits); err != nil {
			return err
		}
	}
	if depth == davxml.DepthInfinity && q.where&(AtCollection|AtMember) == 0 {
		return Refuse(http.StatusForbidden, davxml.DPropfindFiniteDepth, "this is asked with Depth 0 or 1 only")
	}
	return q.multistatus(depth, root, func(x *Query) error { return x.list(x.Ask(set)) })
}

// list answers for the target, and for what is in it as far as the depth goes.
func (q *Query) list(a *Ask) error {
	t := q.Target
	if err := q.fill(t, a); err != nil {
		return err
	}
	deep := q.Depth != davxml.DepthZero
	if !deep || !q.Prefer.DepthNoRoot {
		if err := a.Respond(t); err != nil {
			return err
		}
	}
	if !deep {
		return nil
	}
	switch t.Where {
	case AtRoot:
		return q.listAreas(a)
	case AtPrincipals, AtHomes:
		return q.listOwn(a)
	case AtHome, AtCollection:
		return q.listCollection(a)
	}
	return nil
}

// listAreas answers for what is below the root.
func (q *Query) listAreas(a *Ask) error {
	if q.req.path.form == formBare {
		return nil // "/" is asked only for who one is
	}
	for _, area := range []string{areaPrincipals, holdfast.HomeAddressbooks, holdfast.HomeCalendars, holdfast.HomeFiles} {
		t := &Target{Where: AtHomes, Href: q.Target.Href + area + "/"}
		if area == areaPrincipals {
			t.Where = AtPrincipals
		}
		if err := a.Respond(t); err != nil {
			return err
		}
	}
	return nil
}

// listOwn answers for the one principal or home that the one who asks may see.
func (q *Query) listOwn(a *Ask) error {
	p := q.req.path
	p.User, p.Slash = q.Principal.Account.String(), true
	p.users = p.form == formCloud && (p.Area == areaPrincipals || p.Area == holdfast.HomeAddressbooks)
	at, err := q.req.lookup(q.Reader, p)
	if err != nil {
		return err
	}
	t, err := q.target(at)
	if err != nil {
		return err
	}
	return a.Respond(t)
}

// listCollection answers for the members of a home or collection, and of those below it if the depth is infinity.
func (q *Query) listCollection(a *Ask) error {
	below := map[holdfast.ID][]holdfast.Collection{}
	if q.Target.Where == AtHome || q.Target.Collection.Type == holdfast.TypeFolder {
		all, err := q.Reader.Below(q.Target.Collection)
		if err != nil {
			return err
		}
		for _, c := range all {
			below[c.Parent] = append(below[c.Parent], c)
		}
	}
	if err := q.listBelow(a, q.Target, below); err != nil {
		return err
	}
	if c := q.Target.Collection; q.Target.Where == AtCollection && (a.set.Mode == davxml.AllProp || a.set.Asks(davxml.DGetETag)) {
		q.Reader.SawListing(c)
	}
	return nil
}

// childOf returns the target for a collection that hangs in the one of t.
func (q *Query) childOf(t *Target, c *holdfast.Collection) (*Target, error) {
	owner, err := q.Reader.OwnerOf(c)
	return &Target{Where: AtCollection, Href: t.Href + encodeSegment(c.Name) + "/", Account: owner, Collection: c}, err
}

func (q *Query) listBelow(a *Ask, t *Target, below map[holdfast.ID][]holdfast.Collection) error {
	err := q.Reader.List(t.Collection.ID, "", 0, a.Needs(t.Collection.Type), func(r *holdfast.Resource) error {
		return a.Respond(q.memberOf(t, r))
	})
	if err != nil {
		return err
	}
	children := below[t.Collection.ID]
	slices.SortFunc(children, func(a, b holdfast.Collection) int { return strings.Compare(a.Name, b.Name) })
	for i := range children {
		c, err := q.childOf(t, &children[i])
		if err != nil {
			return err
		}
		if err := a.Respond(c); err != nil {
			return err
		}
		if q.Depth == davxml.DepthInfinity {
			if err := q.listBelow(a, c, below); err != nil {
				return err
			}
		}
	}
	return nil
}
