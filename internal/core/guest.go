package core

import (
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"slices"
	"strings"

	"holdfast"
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

// binding is another's collection in an account's home.
type binding struct {
	holdfast.BindingRecord
	properties holdfast.Properties // the guest's own
}

// allowed is the one place that says who may touch what: each account its own, and a guest one collection as far as the owner's record says, whatever the guest's
// own says.
func allowed(p holdfast.Principal, owner *Person, collection holdfast.ID) Access {
	if p.Account == owner.ID {
		return Owns
	}
	switch s, ok := owner.shares[holdfast.ShareName(collection, p.Account)]; {
	case !ok:
		return NoAccess
	case s.Rights == holdfast.RightWrite:
		return Writes
	}
	return Reads
}

// enter returns the account that a collection belongs to, if the principal may do there what need says and the account may be used. Whoever has no binding
// of the collection is refused from what is known of himself: nothing is looked up of who he asks for, so that the answer comes as fast whether that exists or not.
func (s *Service) enter(ctx context.Context, p holdfast.Principal, owner, collection holdfast.ID, need Access) (*Person, error) {
	if p.Account != owner {
		me, err := s.person(ctx, p.Account.String())
		if err != nil {
			return nil, err
		}
		if b, ok := me.bindings[collection]; !ok || b.Owner != owner {
			return nil, forbidden("Access", owner.String())
		}
	}
	if owner.IsZero() {
		return nil, forbidden("Access", "")
	}
	person, err := s.person(ctx, owner.String())
	if err != nil {
		return nil, err
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

// bindingAt returns the binding that stands in a home under the first of the names that are left, where no collection of the account's own does.
func (p *Person) bindingAt(home *holdfast.Collection, rest []string) (binding, bool) {
	if len(rest) == 0 || home.Type != holdfast.TypeHome {
		return binding{}, false
	}
	id, err := holdfast.ParseID(rest[0])
	b, ok := p.bindings[id]
	return b, err == nil && ok && b.Home == home.Name && b.Name == rest[0]
}

// bindsAt tells whether a name in a home is kept for a binding, whether that shows something now or not: a collection of the account's own would stand before it.
func (p *Person) bindsAt(home *holdfast.Collection, name string) bool {
	_, ok := p.bindingAt(home, []string{name})
	return ok
}

// bind returns where a path leads that goes through a binding. A binding whose right is gone, or whose collection is, shows nothing: the location is then as if it were
// not there.
func (s *Service) bind(p holdfast.Principal, at Location, b binding, owner *Person) (Location, error) {
	access := allowed(p, owner, b.Collection)
	c, ok := owner.tree[b.Collection]
	if access == NoAccess || !ok {
		return at, nil
	}
	if err := s.usable(p, owner); err != nil {
		return at, err
	}
	at.Owner, at.Access, at.Collection, at.Rest = owner.ID, access, b.view(c, at.Collection.ID, owner), at.Rest[1:]
	return at, nil
}

// view is a collection as it is in the home of a guest: it hangs there, under the binding's name, and has the guest's own properties. Where the guest has set none
// it has those of the owner's that are about the collection rather than about the owner.
func (b *binding) view(c holdfast.Collection, home holdfast.ID, owner *Person) holdfast.Collection {
	props := b.properties
	for _, group := range sharedProperties {
		if slices.ContainsFunc(group, func(n propertyName) bool { return b.properties.Get(n.space, n.local) != nil }) {
			continue
		}
		for _, n := range group {
			if x := c.Properties.Get(n.space, n.local); x != nil {
				props = props.With(n.space, n.local, x)
			}
		}
	}
	if b.properties.Get("DAV:", "displayname") == nil {
		props = props.With("DAV:", "displayname", nameForGuest(c, owner.Email))
	}
	c.Parent, c.Name, c.Properties = home, b.Name, props
	return c
}

type propertyName struct{ space, local string }

// sharedProperties are those that a guest sees of the owner's until he sets his own; those in one line say the same in two ways. Others may be the owner's private
// notes.
var sharedProperties = [][]propertyName{
	{{"urn:ietf:params:xml:ns:carddav", "addressbook-description"}},
	{{"urn:ietf:params:xml:ns:caldav", "calendar-description"}},
	{{"urn:ietf:params:xml:ns:caldav", "calendar-timezone"}, {"urn:ietf:params:xml:ns:caldav", "calendar-timezone-id"}},
	{{"http://apple.com/ns/ical/", "calendar-color"}},
	{{"http://apple.com/ns/ical/", "calendar-order"}},
}

// nameForGuest is what a collection is called in a guest's home: what its owner calls it. A name that every account has of itself says whose it is.
func nameForGuest(c holdfast.Collection, owner string) []byte {
	name := c.Properties.Get("DAV:", "displayname")
	text := c.Name
	for _, d := range defaultCollections {
		if bytes.Equal(name, labelXML(d.label)) {
			name, text = nil, d.label
		}
	}
	if name != nil {
		return name
	}
	return labelXML(text + " (" + owner + ")")
}

// labelXML is a display name as a property.
func labelXML(text string) []byte {
	var b bytes.Buffer
	b.WriteString(`<D:displayname xmlns:D="DAV:">`)
	xml.EscapeText(&b, []byte(text)) // a buffer takes all
	b.WriteString(`</D:displayname>`)
	return b.Bytes()
}

// bound is another's collection as a reader's account sees it.
type bound struct {
	binding
	owner  *Person
	access Access
}

// bound returns a collection that is bound in the reader's account, shared with it, and there. Errors: NotFound.
func (r *Reader) bound(c holdfast.ID) (*bound, error) {
	if x := r.others[c]; x != nil {
		return x, nil
	}
	b, ok := r.owner.bindings[c]
	if !ok {
		return nil, fail("Read", holdfast.NotFound, c.String(), "there is no such collection")
	}
	owner, err := r.person(b.Owner)
	if err != nil {
		return nil, err
	}
	x := &bound{binding: b, owner: owner, access: allowed(r.p, owner, c)}
	if _, ok := owner.tree[c]; !ok || x.access == NoAccess {
		return nil, fail("Read", holdfast.NotFound, c.String(), "this collection is not shared with you any more")
	}
	if r.others == nil {
		r.others = map[holdfast.ID]*bound{}
	}
	r.others[c] = x
	return x, nil
}

// enter lets the reader into a bound collection, if its owner's account may be used.
func (r *Reader) enter(c holdfast.ID) (*bound, error) {
	x, err := r.bound(c)
	if err == nil {
		err = r.s.usable(r.p, x.owner)
	}
	return x, err
}

// person returns an account as of the reader's moment or later. It asks the reader's own snapshot where it is not cached.
func (r *Reader) person(id holdfast.ID) (*Person, error) {
	if id == r.owner.ID {
		return r.owner, nil
	}
	if p, _ := r.s.dir.get(id.String(), r.s.clock.Now(), r.s.limits.DirectoryTTL); p != nil {
		return p, nil
	}
	if p := r.people[id]; p != nil {
		return p, nil
	}
	p, keep, err := loadShown(r.snap, id)
	if err != nil {
		return nil, err
	}
	if r.people == nil {
		r.people = map[holdfast.ID]*Person{}
	}
	if r.people[id] = p; keep {
		r.s.dir.put(id.String(), p, r.began, r.gen)
	}
	return p, nil
}

// Bound returns the collections of others that are shared with the reader's account, as they hang in its homes: Parent is the home, Name their segment in the path,
// Properties what this account sees. Account is the owner. One whose owner is suspended or in doubt is among them, though nobody gets into it: what is missing in a
// home is deleted by phones.
func (r *Reader) Bound() ([]holdfast.Collection, error) {
	var out []holdfast.Collection
	for _, b := range r.owner.bindings {
		x, err := r.bound(b.Collection)
		if err == nil {
			var c holdfast.Collection
			c, err = r.snap.Collection(b.Collection)
			home, ok := r.owner.paths[pathKey{r.owner.ID, b.Home}]
			if err == nil && ok && !c.Gone {
				out = append(out, x.view(c, home, x.owner))
			}
		}
		if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b holdfast.Collection) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// Visible returns what hangs in the account's tree: its own collections, see [Reader.Collections], then those that are bound in it, see [Reader.Bound].
func (r *Reader) Visible() ([]holdfast.Collection, error) {
	own, err := r.Collections()
	if err != nil {
		return nil, err
	}
	others, err := r.Bound()
	return append(own, others...), err
}

// Access says what the reader's principal may do with a collection that the reader gave.
func (r *Reader) Access(c *holdfast.Collection) Access {
	if c.Account == r.owner.ID {
		return Owns
	}
	if x := r.others[c.ID]; x != nil {
		return x.access
	}
	return NoAccess
}

// ShareOf returns the right that lets the reader's account into another's collection, which the reader gave; zero for its own.
func (r *Reader) ShareOf(c *holdfast.Collection) holdfast.ShareRecord {
	x := r.others[c.ID]
	if x == nil {
		return holdfast.ShareRecord{}
	}
	return x.owner.shares[holdfast.ShareName(c.ID, r.owner.ID)].ShareRecord
}

// OwnerOf returns the account that owns a collection that the reader gave.
func (r *Reader) OwnerOf(c *holdfast.Collection) (holdfast.Account, error) {
	p, err := r.person(c.Account)
	if err != nil {
		return holdfast.Account{}, err
	}
	return p.Account, nil
}

// SharedWith returns the guests of a collection of the reader's own account, by id, with their rights.
func (r *Reader) SharedWith(c holdfast.ID) []holdfast.ShareRecord {
	var out []holdfast.ShareRecord
	for _, x := range r.owner.shares {
		if x.Collection == c {
			out = append(out, x.ShareRecord)
		}
	}
	slices.SortFunc(out, func(a, b holdfast.ShareRecord) int { return a.Guest.Compare(b.Guest) })
	return out
}

// related tells whether two accounts share something, in either direction. Only who has a binding of the other's is asked for.
func (p *Person) related(id holdfast.ID, load func(holdfast.ID) (*Person, error)) (bool, error) {
	for _, x := range p.shares {
		if x.Guest == id {
			return true, nil
		}
	}
	for _, b := range p.bindings {
		if b.Owner != id {
			continue
		}
		owner, err := load(id)
		if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
			return false, err
		}
		if err == nil && allowed(holdfast.Principal{Account: p.ID}, owner, b.Collection) != NoAccess {
			return true, nil
		}
	}
	return false, nil
}

// resolvePrincipal finds whose principal a segment names: one's own as resolve does, or by its id that of an account with which this one shares something. Whoever
// else it names gets the same Forbidden, from what is known of the asker alone.
func (p *Person) resolvePrincipal(segment string, load func(holdfast.ID) (*Person, error)) (holdfast.ID, error) {
	if p.names(segment) {
		return p.ID, nil
	}
	id, err := holdfast.ParseID(segment)
	if err != nil {
		return id, forbidden("Resolve", segment)
	}
	ok, err := p.related(id, load)
	if err == nil && !ok {
		err = forbidden("Resolve", segment)
	}
	return id, err
}

// ResolvePrincipal is [Service.Resolve] for principals: it finds those too with whom the asker shares something, in either direction, by their ids.
func (s *Service) ResolvePrincipal(ctx context.Context, p holdfast.Principal, segment string) (holdfast.ID, error) {
	me, err := s.person(ctx, p.Account.String())
	if err != nil {
		return holdfast.ID{}, err
	}
	return me.resolvePrincipal(segment, func(id holdfast.ID) (*Person, error) { return s.person(ctx, id.String()) })
}

// ResolvePrincipal is [Service.ResolvePrincipal] for use inside [Service.Read].
func (r *Reader) ResolvePrincipal(segment string) (holdfast.ID, error) {
	return r.owner.resolvePrincipal(segment, r.person)
}

// Principal returns the account of a principal that ResolvePrincipal found.
func (r *Reader) Principal(id holdfast.ID) (holdfast.Account, error) {
	if id == r.owner.ID {
		return r.owner.Account, nil
	}
	if _, err := r.ResolvePrincipal(id.String()); err != nil {
		return holdfast.Account{}, err
	}
	return r.snap.Account(id)
}

// Related returns the accounts with which the reader's shares something, in either direction, by login.
func (r *Reader) Related() ([]holdfast.Account, error) {
	ids := map[holdfast.ID]bool{}
	for _, x := range r.owner.shares {
		ids[x.Guest] = true
	}
	for _, b := range r.owner.bindings {
		ids[b.Owner] = true
	}
	var out []holdfast.Account
	for id := range ids {
		a, err := r.Principal(id)
		switch {
		case err == nil:
			out = append(out, a)
		case !holdfast.IsKind(err, holdfast.Forbidden) && !holdfast.IsKind(err, holdfast.NotFound):
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b holdfast.Account) int { return strings.Compare(a.Email, b.Email) })
	return out, nil
}
