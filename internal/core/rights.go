package core

import (
	"context"

	"holdfast"
	"holdfast/internal/store"
)

// Access is what a principal may do with something.
type Access uint8

// What there is, each including what stands before it.
const (
	NoAccess Access = iota
	Reads           // sees it
	Writes          // adds, changes and deletes members
	Owns            // and everything else
)

// share is a right that an account gives, and the octets that say so.
type share struct {
	holdfast.ShareRecord
	etag holdfast.Hash
}

// access is what the right lets a guest do.
func (s *share) access() Access {
	if s.Rights == holdfast.RightWrite {
		return Writes
	}
	return Reads
}

// give notes the rights of each guest by collection, so that asking for one costs no text.
func (p *Person) give() {
	p.given = map[holdfast.ID]map[holdfast.ID]Access{}
	for _, x := range p.shares {
		if p.given[x.Guest] == nil {
			p.given[x.Guest] = map[holdfast.ID]Access{}
		}
		p.given[x.Guest][x.Collection] = x.access()
	}
}

// allowed is the one place that says who may touch what: each account its own, and a guest a collection as far as the owner's records say, whatever the guest's own say. A right in a folder is one
// in all that lies below it, for as long as it lies there; of several the strongest counts.
func allowed(p holdfast.Principal, owner *Person, collection holdfast.ID) Access {
	if p.Account == owner.ID {
		return Owns
	}
	best := owner.reach(p.Account, collection)
	if owner.newest != nil {
		if _, ok := owner.newest.tree[collection]; ok {
			best = min(best, owner.newest.reach(p.Account, collection))
		}
	}
	return best
}

// reach is the strongest right of a guest in a collection and in those that it lies in.
func (p *Person) reach(guest, collection holdfast.ID) (best Access) {
	given := p.given[guest]
	if len(given) == 0 {
		return NoAccess
	}
	for id := collection; !id.IsZero() && id != p.ID; id = p.tree[id].Parent {
		best = max(best, given[id])
	}
	return best
}

// boundAbove tells whether a collection of owner's, or one that it lies in, is bound in an account: what no binding leads to is not the account's to reach, whatever it may.
func (p *Person) boundAbove(owner *Person, collection holdfast.ID) (binding, bool) {
	for id := collection; !id.IsZero() && id != owner.ID; id = owner.tree[id].Parent {
		if b, ok := p.bindings[id]; ok && b.Owner == owner.ID {
			return b, true
		}
	}
	return binding{}, false
}

// May tells whether a principal may do in a collection what need says: nil if so. Errors: Forbidden, NotFound (the account), Unavailable and InDoubt (the account cannot be used now).
func (s *Service) May(ctx context.Context, p holdfast.Principal, owner, collection holdfast.ID, need Access) error {
	_, err := s.enter(ctx, p, owner, collection, need)
	return err
}

// enter returns the account that a collection belongs to, if the principal may do there what need says and the account may be used. Whoever has no binding
// of anything of the account is refused from what is known of himself: nothing is looked up of who he asks for, so that the answer comes as fast whether that exists or not.
func (s *Service) enter(ctx context.Context, p holdfast.Principal, owner, collection holdfast.ID, need Access) (*Person, error) {
	if owner.IsZero() {
		return nil, forbidden("Access", "")
	}
	var me *Person
	if p.Account != owner {
		var err error
		if me, err = s.person(ctx, p.Account.String()); err != nil {
			return nil, err
		}
		if !me.knows(owner) {
			return nil, forbidden("Access", owner.String())
		}
	}
	person, err := s.person(ctx, owner.String())
	if err != nil {
		return nil, err
	}
	if me != nil {
		if _, ok := me.boundAbove(person, collection); !ok {
			return nil, forbidden("Access", owner.String())
		}
	}
	switch a := allowed(p, person, collection); {
	case a == NoAccess:
		return nil, forbidden("Access", owner.String())
	case a == Reads && need > Reads:
		return nil, readOnly(collection.String())
	case a < need:
		return nil, needPrivileges(collection.String())
	}
	return person, s.usable(p, person)
}

// knows tells whether something of another account is bound in this one.
func (p *Person) knows(owner holdfast.ID) bool {
	for _, b := range p.bindings {
		if b.Owner == owner {
			return true
		}
	}
	return false
}

// usable tells why an account cannot be used now; nil if it can.
func (s *Service) usable(p holdfast.Principal, person *Person) error {
	if person.State != holdfast.Active {
		text := "this account is suspended; nothing was deleted"
		if p.Account != person.ID {
			text = "the account that shares this is suspended; nothing was deleted"
		}
		return fail("Access", holdfast.Unavailable, person.Email, text)
	}
	return s.doubt.stands(p, person)
}

func needPrivileges(ref string) error {
	return &holdfast.Error{Op: "core.Access", Kind: holdfast.Forbidden, Ref: ref, Rule: "need-privileges",
		Text: "this is shared with you, but not for that; ask its owner. Nothing was changed"}
}

func readOnly(ref string) error {
	return &holdfast.Error{Op: "core.Access", Kind: holdfast.Forbidden, Ref: ref, Rule: "need-privileges",
		Text: "this is shared with you to read, not to change; ask its owner. Nothing was changed"}
}

// warrants are the conditions under which a guest may write into some collections, for the commit to judge: the record that gives him the right is as it is now, and what lies between the collection
// that it is of and the one that he writes into lies where it does. All is read, not taken from the directory: what was ended in this moment may still be in there.
func (s *Service) warrants(ctx context.Context, p holdfast.Principal, owner holdfast.ID, into []holdfast.ID) (out []holdfast.Condition, err error) {
	snap, err := s.newest(ctx, owner)
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	for _, c := range into {
		w, err := warrant(snap, p, owner, c)
		if err != nil {
			return nil, err
		}
		out = append(out, w...)
	}
	return out, nil
}

func warrant(snap store.Snapshot, p holdfast.Principal, owner, into holdfast.ID) (way []holdfast.Condition, err error) {
	refused := needPrivileges(into.String())
	for id := into; id != owner && !id.IsZero() && len(way) < maxDepth; {
		name := holdfast.ShareName(id, p.Account)
		r, err := snap.Resource(owner, name, WithBody)
		switch {
		case err == nil:
			rec, err := holdfast.DecodeShare(r.Body)
			if err != nil {
				return nil, &holdfast.Error{Op: "core.Write", Kind: holdfast.Corrupt, Ref: name, Err: err}
			}
			if rec.Rights == holdfast.RightWrite {
				return append(way, holdfast.Condition{Collection: owner, Name: name, ETag: &r.ETag}), nil
			}
			refused = readOnly(into.String())
		case !holdfast.IsKind(err, holdfast.NotFound):
			return nil, err
		}
		if r, err = snap.Resource(id, "", WithBody); holdfast.IsKind(err, holdfast.NotFound) {
			break
		} else if err != nil {
			return nil, err
		}
		c, err := holdfast.DecodeCollection(r.Body)
		if err != nil {
			return nil, &holdfast.Error{Op: "core.Write", Kind: holdfast.Corrupt, Ref: id.String(), Err: err}
		}
		way, id = append(way, holdfast.Condition{Collection: id, ETag: &r.ETag}), c.Parent
	}
	return nil, refused
}

// sameWarrant tells whether two warrants say the same.
func sameWarrant(a, b holdfast.Condition) bool {
	return a.Collection == b.Collection && a.Name == b.Name && *a.ETag == *b.ETag
}
