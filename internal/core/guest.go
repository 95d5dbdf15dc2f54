package core

import (
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"maps"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/store"
)

// binding is another's collection in an account's home.
type binding struct {
	holdfast.BindingRecord
	properties holdfast.Properties // the guest's own
	seq        uint64              // the change that wrote it last
	name       string              // that it has in the home now, see hang
}

// hang finds under which name each binding hangs in its home. What the account has of its own under that name stands before it, wherever that came from: the binding is then called as its collection's
// id says beside, and nothing of either is out of sight.
func (p *Person) hang(snap store.Snapshot) error {
	p.hangs = map[pathKey]holdfast.ID{}
	for _, b := range slices.SortedFunc(maps.Values(p.bindings), func(a, b binding) int {
		return cmp.Or(a.Created.Compare(b.Created), a.Collection.Compare(b.Collection))
	}) {
		home, ok := p.paths[pathKey{p.ID, b.Home}]
		if !ok {
			continue
		}
		taken, err := p.taken(snap, home, b.Name)
		if err != nil {
			return err
		}
		if b.name = b.Name; taken {
			b.name = b.otherName()
		}
		p.bindings[b.Collection], p.hangs[pathKey{home, b.name}] = b, b.Collection
	}
	return nil
}

// taken tells whether something else has a name in one of the account's homes.
func (p *Person) taken(snap store.Snapshot, home holdfast.ID, name string) (bool, error) {
	k := pathKey{home, name}
	if _, own := p.paths[k]; own || !p.hangs[k].IsZero() {
		return true, nil
	}
	if home != p.paths[pathKey{p.ID, holdfast.HomeFiles}] { // other homes hold no resources
		return false, nil
	}
	_, err := snap.Resource(home, name, 0)
	return found(err)
}

// otherName is what a binding is called where its name is taken.
func (b *binding) otherName() string { return suffixed(b.Name, " ("+b.Collection.String()+")") }

// suffixed lengthens a name, which is cut where both are too long.
func suffixed(name, end string) string {
	return strings.ToValidUTF8(name[:min(len(name), holdfast.MaxName-len(end))], "") + end
}

// bindingAt returns the binding that stands in a home under the first of the names that are left, where no collection of the account's own does.
func (p *Person) bindingAt(home *holdfast.Collection, rest []string) (binding, bool) {
	if len(rest) == 0 || home.Type != holdfast.TypeHome {
		return binding{}, false
	}
	id, ok := p.hangs[pathKey{home.ID, rest[0]}]
	return p.bindings[id], ok
}

// bindsAt tells whether a name in a home is kept for a binding, whether that shows something now or not: something of the account's own would stand before it.
func (p *Person) bindsAt(home *holdfast.Collection, name string) bool {
	_, ok := p.bindingAt(home, []string{name})
	return ok
}

func boundThere(name string) error {
	return fail("Write", holdfast.Exists, name, "what somebody shares with this account has this name")
}

// bind returns where a path leads that goes through a binding, to the collection that is bound. A binding whose right is gone, or whose collection is, shows nothing: the location is then as if it
// were not there.
func (s *Service) bind(p holdfast.Principal, at Location, b binding, owner *Person) (Location, error) {
	access := allowed(p, owner, b.Collection)
	c, ok := owner.tree[b.Collection]
	if access == NoAccess || !ok {
		return at, nil
	}
	if err := s.usable(p, owner); err != nil {
		return at, err
	}
	at.Owner, at.Access, at.Binding, at.Collection, at.Rest = owner.ID, access, true, b.view(c, at.Collection.ID, owner), at.Rest[1:]
	at.Above = owner.namesTo(c.ID)
	return at, nil
}

// into goes one step further, into a collection that lies in the one that is bound or below. It stays where it is if the principal has no right there any more.
func (at *Location) into(p holdfast.Principal, owner *Person, c holdfast.Collection) bool {
	access := at.Access // of what was made in this moment, that of what it lies in
	if _, ok := owner.tree[c.ID]; ok {
		if access = allowed(p, owner, c.ID); access == NoAccess {
			return false
		}
	}
	at.Access, at.Binding, at.Collection, at.Rest = access, false, c, at.Rest[1:]
	at.Above = append(at.Above, c.Name)
	return true
}

// namesTo returns the names that lead to a collection from its home.
func (p *Person) namesTo(id holdfast.ID) (out []string) {
	for c, ok := p.tree[id]; ok && c.Parent != p.ID && !c.Parent.IsZero(); c, ok = p.tree[c.Parent] {
		out = append(out, c.Name)
	}
	slices.Reverse(out)
	return out
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
	if b.properties.Get("DAV:", "displayname") == nil && c.Type != holdfast.TypeFolder { // a folder is called what its path says
		props = props.With("DAV:", "displayname", nameForGuest(c, owner.Email))
	}
	c.Parent, c.Name, c.Properties = home, b.name, props
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

// bound is another's collection as a reader's account sees it: one that is bound there, or lies below one.
type bound struct {
	binding
	owner  *Person
	access Access
	root   bool // it is the one that is bound
}

// bound returns another's collection that the reader's account reaches by a binding, that is shared with it, and there. Errors: NotFound (it is bound, and shows nothing), Forbidden.
func (r *Reader) bound(c holdfast.ID) (*bound, error) {
	if x := r.others[c]; x != nil {
		return x, nil
	}
	x, err := r.findBound(c)
	if err != nil {
		return nil, err
	}
	if r.others == nil {
		r.others = map[holdfast.ID]*bound{}
	}
	r.others[c] = x
	return x, nil
}

func (r *Reader) findBound(c holdfast.ID) (*bound, error) {
	none := forbidden("Read", c.String())
	b, root := r.owner.bindings[c]
	of := b.Owner
	if !root {
		at, err := r.snap.Collection(c)
		if err != nil {
			return nil, err
		}
		if of = at.Account; !r.owner.knows(of) {
			return nil, none
		}
	}
	owner, err := r.person(of)
	if err != nil {
		return nil, err
	}
	known, err := r.knownAbove(owner, c)
	if err != nil {
		return nil, err
	}
	x := &bound{binding: b, owner: owner, access: allowed(r.p, owner, known), root: root}
	if !root {
		var ok bool
		if x.binding, ok = r.owner.boundAbove(owner, known); !ok || x.access == NoAccess {
			return nil, none
		}
	}
	if _, ok := owner.tree[known]; !ok || root && known != c || x.access == NoAccess {
		return nil, fail("Read", holdfast.NotFound, c.String(), "this collection is not shared with you any more")
	}
	return x, nil
}

// knownAbove returns a collection itself, or, where it was made after its owner's account was looked at, the first above it that was there then.
func (r *Reader) knownAbove(owner *Person, id holdfast.ID) (holdfast.ID, error) {
	for range maxDepth {
		if _, ok := owner.tree[id]; ok {
			return id, nil
		}
		c, err := r.snap.Collection(id)
		if err != nil {
			return id, err
		}
		if c.Account != owner.ID || c.Gone || c.Parent.IsZero() || c.Parent == owner.ID {
			break
		}
		id = c.Parent
	}
	return id, nil
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
	x, err := r.bound(c.ID)
	if err != nil {
		return NoAccess
	}
	return x.access
}

// Hangs tells whether a collection that the reader gave is another's as it hangs in a home of the reader's account.
func (r *Reader) Hangs(c *holdfast.Collection) bool {
	_, home := r.owner.tree[c.Parent]
	return home && c.Account != r.owner.ID
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

// SharedWith returns the guests of a collection of the reader's own account, by id, with their rights: those that they have in it, and those that they have in what it lies in.
func (r *Reader) SharedWith(c holdfast.ID) []holdfast.ShareRecord {
	var out []holdfast.ShareRecord
	for guest := range r.owner.given {
		x := holdfast.ShareRecord{Collection: c, Guest: guest, Rights: holdfast.RightRead}
		if own, ok := r.owner.shares[holdfast.ShareName(c, guest)]; ok {
			x = own.ShareRecord
		}
		switch r.owner.reach(guest, c) {
		case NoAccess:
			continue
		case Writes:
			x.Rights = holdfast.RightWrite
		}
		out = append(out, x)
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
