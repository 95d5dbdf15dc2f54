package core

import (
	"context"
	"fmt"

	"holdfast"
)

// NewCollection is what MakeCollection makes.
type NewCollection struct {
	Owner      holdfast.ID
	Parent     holdfast.ID
	Name       string
	Type       holdfast.CollectionType
	Components []string
	Properties holdfast.Properties
	Conditions Conditions
}

// MakeCollection makes a collection (MKCOL, RFC 5689). Errors: Exists, NotFound (the parent), Forbidden (a type that does not belong there), TooLarge.
func (s *Service) MakeCollection(ctx context.Context, p holdfast.Principal, n NewCollection) (holdfast.ID, holdfast.Receipt, error) {
	id := holdfast.NewID(s.random)
	parent, err := s.target(ctx, p, Place{Owner: n.Owner, Collection: n.Parent, Name: n.Name})
	if err != nil {
		return id, holdfast.Receipt{}, err
	}
	if err := s.mayHold(ctx, &parent, n.Owner, n.Name, n.Type, 1); err != nil {
		return id, holdfast.Receipt{}, err
	}
	if err := s.mayReach(ctx, Place{Owner: n.Owner, Collection: n.Parent, Name: n.Name}, Place{}); err != nil {
		return id, holdfast.Receipt{}, err
	}
	if err := s.mayLook(ctx, n.Owner, n.Name, octetsOf(n.Properties)); err != nil {
		return id, holdfast.Receipt{}, err
	}
	rec := holdfast.CollectionRecord{Parent: n.Parent, Name: n.Name, Type: n.Type, Components: n.Components}
	e := s.entry(p.Actor(), holdfast.OpPut, holdfast.KindCollection, id, "", rec.Encode(), n.Properties)
	r, err := s.commitFor(ctx, p, &holdfast.Group{Account: n.Owner, Entries: []holdfast.Entry{e}, If: n.Conditions}, n.Parent)
	return id, r, err
}

// mayHold says whether a collection of a type may hang in a parent: address books in the home of address books and nowhere else (RFC 6352
// section 5.2: they do not nest), calendars and subscriptions likewise (RFC 4791 section 4.2), folders in the home of files or in folders.
// more is how many collections the account will have more.
func (s *Service) mayHold(ctx context.Context, parent *holdfast.Collection, owner holdfast.ID, name string, t holdfast.CollectionType, more int) error {
	if err := holdfast.CheckName(name); err != nil {
		return fail("MakeCollection", holdfast.Invalid, name, err.Error())
	}
	home := ""
	if parent.Type == holdfast.TypeHome && parent.Parent == owner {
		home = parent.Name
	}
	ok := false
	switch t {
	case holdfast.TypeAddressbook:
		ok = home == holdfast.HomeAddressbooks
	case holdfast.TypeCalendar, holdfast.TypeSubscription:
		ok = home == holdfast.HomeCalendars && name != holdfast.NameInbox && name != holdfast.NameOutbox
	case holdfast.TypeAlbum:
		ok = home == holdfast.HomeAlbums
	case holdfast.TypeFolder:
		ok = home == holdfast.HomeFiles || parent.Type == holdfast.TypeFolder
	}
	if !ok {
		return &holdfast.Error{Op: "core.MakeCollection", Kind: holdfast.Forbidden, Ref: name, Rule: "collection-location-ok",
			Text: article(t) + " called " + name + " cannot be made in " + parent.Name + "; " + standing(t)}
	}
	person, err := s.person(ctx, owner.String())
	if err == nil && person.bindsAt(parent, name) {
		return boundThere(name)
	}
	if err == nil && more > 0 && person.collections()+more > s.limits.Collections {
		err = fail("MakeCollection", holdfast.TooLarge, name, "this account has as many collections as it may")
	}
	return err
}

// mayLook keeps the properties of all collections of an account within bounds: they are in memory while it is cached, and read whenever its homes are listed.
// more is how many octets there will be more.
func (s *Service) mayLook(ctx context.Context, owner holdfast.ID, ref string, more int) error {
	if more <= 0 {
		return nil
	}
	person, err := s.person(ctx, owner.String())
	if err != nil {
		return err
	}
	for _, c := range person.tree {
		more += octetsOf(c.Properties)
	}
	for _, b := range person.bindings {
		more += octetsOf(b.properties)
	}
	if more > s.limits.Looks {
		return fail("SetProperties", holdfast.TooLarge, ref, fmt.Sprintf("the collections of an account have at most %d octets of properties in all; nothing was changed", s.limits.Looks))
	}
	return nil
}

// octetsOf is about what properties take.
func octetsOf(ps holdfast.Properties) (n int) {
	for _, p := range ps {
		n += len(p.Space) + len(p.Local) + len(p.XML)
	}
	return n
}

// fixed refuses to do away with a part of an account.
func fixed(op, name string) error {
	return fail(op, holdfast.Forbidden, name, "this is a part of every account: it cannot be deleted, moved or replaced")
}

// article names a type of collection in a sentence.
func article(t holdfast.CollectionType) string {
	switch t {
	case holdfast.TypeAddressbook:
		return "an address book"
	case holdfast.TypeCalendar:
		return "a calendar"
	case holdfast.TypeFolder:
		return "a folder"
	case holdfast.TypeAlbum:
		return "an album"
	case holdfast.TypeSubscription:
		return "a subscription"
	case holdfast.TypeInbox, holdfast.TypeOutbox:
		return "an inbox or outbox"
	}
	return "a home of collections"
}

// standing says where collections of a type may stand.
func standing(t holdfast.CollectionType) string {
	switch t {
	case holdfast.TypeAddressbook:
		return "address books stand right below " + holdfast.HomeAddressbooks
	case holdfast.TypeCalendar, holdfast.TypeSubscription:
		return "calendars stand right below " + holdfast.HomeCalendars + ", under any name but inbox and outbox"
	case holdfast.TypeAlbum:
		return "albums stand right below " + holdfast.HomeAlbums
	case holdfast.TypeFolder:
		return "folders stand below " + holdfast.HomeFiles
	}
	return "it is a part of every account"
}

// Transfer is a COPY or MOVE (RFC 4918 sections 9.8, 9.9).
type Transfer struct {
	From, To   Place // To.Name is the new name; To.Collection its parent. From.Name "" is a whole collection
	Overwrite  bool
	Shallow    bool // COPY with Depth 0: a collection without its members
	Conditions Conditions
}

// crosses tells whether source and destination are in different accounts.
func (t *Transfer) crosses() bool { return t.From.Owner != t.To.Owner }

// Move moves a resource or collection within one account, in one commit; a resource or a folder into another account where a share reaches there, see cross. What another shares is called otherwise
// where it hangs in its guest's home. What stood at the destination is deleted in the same commit, and kept in history. The
// receipt's Created tells whether nothing stood there. Errors: NotFound, PreconditionFailed (Overwrite is false and something is there), Forbidden, Invalid,
// UIDConflict.
func (s *Service) Move(ctx context.Context, p holdfast.Principal, t Transfer) (holdfast.Receipt, error) {
	from, to, err := s.ends(ctx, p, t, Writes)
	switch {
	case err != nil:
		return holdfast.Receipt{}, err
	case t.From.Binding:
		return s.rebind(ctx, p, t, &to)
	case t.crosses() && t.From.Name == "":
		return s.crossWhole(ctx, p, t, &from, &to)
	case t.crosses():
		return s.cross(ctx, p, t, &to, true)
	}
	return s.transfer(ctx, p, t, append(reaches(t.From, &from), t.To.Collection), func(g *holdfast.Group, made bool) error {
		src, err := s.fetch(ctx, t.From, everything)
		if err == nil {
			err = stays(p, t.From, &from, &src)
		}
		if err != nil {
			return err
		}
		if t.From.Name == "" {
			return s.moveCollection(ctx, p, g, t, &to, &src)
		}
		return s.moveResource(p, g, t, made, &to, &src)
	})
}

// transfer is the commit that ends a COPY or MOVE: it clears the destination and puts there what fill adds. into are the collections that a guest must have the right to
// write. Where another change came between, it looks
// again: Overwrite is judged by what stands at the destination in the commit.
func (s *Service) transfer(ctx context.Context, p holdfast.Principal, t Transfer, into []holdfast.ID, fill func(g *holdfast.Group, made bool) error) (holdfast.Receipt, error) {
	var receipt holdfast.Receipt
	var err error
	for range maxRetries {
		g := &holdfast.Group{Account: t.To.Owner, If: t.Conditions, MaxOctets: s.limits.Quota}
		made, e := s.clear(ctx, p, g, t)
		if e == nil {
			e = fill(g, made)
		}
		if e != nil {
			return receipt, e
		}
		receipt, err = s.commitFor(ctx, p, g, into...)
		receipt.Created = made
		if gone := g.Entries[0]; err == nil && gone.Kind == holdfast.KindCollection && gone.Op == holdfast.OpDelete { // what stood there, with all that is in it
			s.done(ctx, p, t.To.Owner, act{seq: receipt.Seq - uint64(len(g.Entries)-1), collection: gone.Collection, deleted: s.membersOf(ctx, t.To.Owner, gone.Collection)})
		}
		if !between(err) || ctx.Err() != nil {
			break
		}
	}
	return receipt, err
}

// between tells whether a commit may have failed because the source or the destination came, went or changed since it was looked at.
func between(err error) bool {
	switch holdfast.KindOf(err) {
	case holdfast.PreconditionFailed, holdfast.Exists, holdfast.NotFound:
		return err != nil
	}
	return false
}

func (s *Service) moveResource(p holdfast.Principal, g *holdfast.Group, t Transfer, made bool, to *holdfast.Collection, src *holdfast.Resource) error {
	kind, index, err := s.judge(to, t.To.Name, src.ContentType, src.Body)
	if err != nil {
		return err
	}
	del := s.entry(p.Actor(), holdfast.OpDelete, src.Kind, t.From.Collection, t.From.Name, nil, nil)
	del.If.Seq = src.Seq
	put := s.entry(p.Actor(), holdfast.OpPut, kind, t.To.Collection, t.To.Name, src.Body, src.Properties)
	put.ContentType, put.Blob, put.Index = src.ContentType, src.Blob, index
	if made {
		put.If.Exists = holdfast.Absent
	}
	g.Entries = append(g.Entries, del, put)
	return nil
}

func (s *Service) moveCollection(ctx context.Context, p holdfast.Principal, g *holdfast.Group, t Transfer, to *holdfast.Collection, src *holdfast.Resource) error {
	rec, err := holdfast.DecodeCollection(src.Body)
	if err != nil {
		return &holdfast.Error{Op: "core.Move", Kind: holdfast.Corrupt, Ref: t.From.Name, Err: err}
	}
	if rec.Type.Fixed() {
		return fixed("Move", rec.Name)
	}
	if err := s.mayHold(ctx, to, t.To.Owner, t.To.Name, rec.Type, 0); err != nil {
		return err
	}
	if s.within(ctx, t.From.Owner, to.ID, t.From.Collection) {
		return fail("Move", holdfast.Forbidden, t.To.Name, "a collection cannot be moved into itself")
	}
	if err := s.mayReach(ctx, t.To, t.From); err != nil {
		return err
	}
	rec.Parent, rec.Name = t.To.Collection, t.To.Name
	put := s.entry(p.Actor(), holdfast.OpPut, holdfast.KindCollection, t.From.Collection, "", rec.Encode(), src.Properties)
	put.If.Seq = src.Seq
	g.Entries = append(g.Entries, put)
	return nil
}

// ends checks the rights on both ends, on the source for what need says, and returns the source's collection and the destination's parent. From one account to another go resources and folders.
func (s *Service) ends(ctx context.Context, p holdfast.Principal, t Transfer, need Access) (from, to holdfast.Collection, err error) {
	switch {
	case t.From.Binding, need < Writes:
		from, err = s.at(ctx, p, t.From, Reads)
	default:
		from, err = s.subject(ctx, p, t.From)
	}
	switch whole := t.From.Name == ""; {
	case err != nil:
		return from, to, err
	case whole && from.Type != holdfast.TypeFolder && (t.crosses() || p.Account != t.From.Owner):
		return from, to, fail("Move", holdfast.Forbidden, t.To.Name, "only its owner can copy or move this as a whole, and within their own account")
	}
	if err := holdfast.CheckName(t.To.Name); err != nil {
		return from, to, fail("Move", holdfast.Invalid, t.To.Name, err.Error())
	}
	if t.From.is(t.To) {
		return from, to, fail("Move", holdfast.Forbidden, t.To.Name, "source and destination are the same")
	}
	to, err = s.target(ctx, p, t.To)
	return from, to, err
}

// clear adds to a group what deletes the item at the destination, if there is one. made tells that there was none.
func (s *Service) clear(ctx context.Context, p holdfast.Principal, g *holdfast.Group, t Transfer) (made bool, err error) {
	snap, err := s.newest(ctx, t.To.Owner)
	if err != nil {
		return false, err
	}
	defer snap.Close()
	at, kind := t.To, holdfast.KindCollection
	c, err := snap.Child(t.To.Collection, t.To.Name)
	if err == nil {
		at = Place{Owner: t.To.Owner, Collection: c.ID}
	} else if holdfast.IsKind(err, holdfast.NotFound) {
		var r holdfast.Resource
		if r, err = snap.Resource(t.To.Collection, t.To.Name, 0); holdfast.IsKind(err, holdfast.NotFound) {
			return true, nil
		}
		kind = r.Kind
	}
	switch {
	case err != nil:
		return false, err
	case !t.Overwrite:
		return false, preconditionFailed(t.To.Name)
	case c.Type.Fixed():
		return false, fixed("Move", c.Name)
	case at.is(t.From):
		return false, fail("Move", holdfast.Forbidden, t.To.Name, "source and destination are the same")
	}
	g.Entries = append(g.Entries, s.entry(p.Actor(), holdfast.OpDelete, kind, at.Collection, at.Name, nil, nil))
	return false, nil
}
