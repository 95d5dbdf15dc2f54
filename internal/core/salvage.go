package core

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"holdfast"
	"holdfast/internal/store"
)

// Trace is one change of a member of an address book or calendar, or the deletion of such a collection (Name "").
type Trace struct {
	*holdfast.Change                     // its Body is valid until the function that it is given to returns
	In               holdfast.Collection // as it is now, or was last
	Path             string              // of what was changed, as it is or was last
	There            bool                // its collection is there
}

// Traces calls fn with every change of the members of an account's address books and calendars, oldest first, those that are gone included, and with octets. It reads the whole journal, in snapshots that are short.
func (p *Past) Traces(ctx context.Context, fn func(Trace) error) error {
	for after, more := uint64(0), true; more; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := p.within(ctx, func(snap store.Snapshot) (err error) {
			tree, err := readTreeOfAll(snap, p.owner)
			if err != nil {
				return err
			}
			from := after
			err = snap.Changes(p.owner, after, tracePage, WithBody, func(ch *holdfast.Change) error {
				after = ch.Seq
				c := tree.all[ch.Collection]
				deleted := ch.Name == "" && ch.Op == holdfast.OpDelete
				if c.Type != holdfast.TypeAddressbook && c.Type != holdfast.TypeCalendar || ch.Name == "" && !deleted {
					return nil
				}
				return fn(Trace{Change: ch, In: c, Path: tree.pathOf(ch.Collection, ch.Name), There: tree.there(ch.Collection)})
			})
			more = after > from
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// tracePage is how many changes are read with their octets in one snapshot.
const tracePage = 100

// Books returns an account's address books and calendars that are there, by path.
func (p *Past) Books(ctx context.Context) (paths []string, books []holdfast.Collection, err error) {
	err = p.within(ctx, func(snap store.Snapshot) error {
		tree, err := readTreeOfAll(snap, p.owner)
		for _, id := range slices.SortedFunc(maps.Keys(tree.all), func(a, b holdfast.ID) int { return cmp.Compare(tree.path(a), tree.path(b)) }) {
			c := tree.all[id]
			if (c.Type == holdfast.TypeAddressbook || c.Type == holdfast.TypeCalendar) && tree.there(id) {
				paths, books = append(paths, tree.path(id)), append(books, c)
			}
		}
		return err
	})
	return paths, books, err
}

// Octets returns what a change put. Errors: NotFound (nothing, or retention has let go of it).
func (p *Past) Octets(ctx context.Context, seq uint64) (contentType string, body []byte, err error) {
	err = p.within(ctx, func(snap store.Snapshot) error {
		ch, err := changeAt(snap, p.owner, seq, WithBody|WithType)
		if err == nil && (ch.Op != holdfast.OpPut || ch.Pruned) {
			err = fail("Octets", holdfast.NotFound, p.owner.String(), "the octets were let go of by retention")
		}
		if err == nil {
			contentType, body = ch.ContentType, ch.Body
		}
		return err
	})
	return contentType, body, err
}

// Who names who made a change, as [Version] has it.
func (p *Past) Who(ctx context.Context, a holdfast.Actor) (by, device string, err error) {
	err = p.within(ctx, func(snap store.Snapshot) (err error) {
		by, device, err = newNames().of(snap, a)
		return err
	})
	return by, device, err
}

// Add puts new members into a collection, and does nothing else: a name that is taken gets no new version, a UID that another live member has is refused with
// UIDConflict, unless the octets are the same. The operator may do so while the account, or a device, waits for what that device has seen: what it alone had comes in before anybody is let go
// on, and whoever comes then lists more than there was, never less. Not while the store and a vault differ on which history counts: what is added could go with the one that loses.
//
// Errors: NotFound, TooLarge (more than MaxGroup), InDoubt, Unavailable, Full. Each item's own are in its result.
func (p *Past) Add(ctx context.Context, collection holdfast.ID, items []Item, dry bool) ([]ItemResult, error) {
	s := p.s
	person, err := s.person(ctx, p.owner.String())
	if err != nil {
		return nil, err
	}
	if err := p.mayAdd(person); err != nil {
		return nil, err
	}
	c, ok := person.tree[collection]
	if !ok || collection == p.owner {
		return nil, fail("Add", holdfast.NotFound, collection.String(), "there is no such collection")
	}
	items = slices.Clone(items)
	for i := range items {
		items[i].Instead = holdfast.Hash{}
	}
	return s.putMany(ctx, holdfast.Principal{Account: p.owner}, p.by, c, PutManyRequest{Owner: p.owner, Collection: collection, Items: items, DryRun: dry})
}

// Remake makes one of the collections anew that an account has from its first moment, where it has none of that path, and under the rules of [Past.Add]. A dry run makes nothing, and says what would be there. Errors: NotFound (it is none of these), Exists,
// TooLarge (the account has as many as it may), those of Add.
func (p *Past) Remake(ctx context.Context, path string, dry bool) (c holdfast.Collection, err error) {
	at := slices.IndexFunc(defaultCollections, func(d defaultCollection) bool { return d.home+"/"+d.name == path })
	if at < 0 {
		return c, fail("Remake", holdfast.NotFound, path, "no account has such a collection of itself")
	}
	person, err := p.s.person(ctx, p.owner.String())
	if err == nil {
		err = p.mayAdd(person)
	}
	if err != nil {
		return c, err
	}
	d := defaultCollections[at]
	for _, home := range person.tree {
		if home.Type != holdfast.TypeHome || home.Name != d.home || home.Parent != p.owner {
			continue
		}
		for _, x := range person.tree {
			if x.Parent == home.ID && x.Name == d.name {
				return c, fail("Remake", holdfast.Exists, path, "there is a collection of this name")
			}
		}
		if err := p.s.mayHold(ctx, &home, p.owner, d.name, d.typ, 1); err != nil {
			return c, err
		}
		c = holdfast.Collection{ID: holdfast.NewID(p.s.random), Account: p.owner, CollectionRecord: holdfast.CollectionRecord{Parent: home.ID, Name: d.name, Type: d.typ, Components: d.components}}
		if dry {
			return c, nil
		}
		label := holdfast.Properties{{Space: "DAV:", Local: "displayname", XML: labelXML(d.label)}}
		e := p.s.entry(p.by, holdfast.OpPut, holdfast.KindCollection, c.ID, "", c.CollectionRecord.Encode(), label)
		_, err := p.s.commit(ctx, &holdfast.Group{Account: p.owner, Entries: []holdfast.Entry{e}})
		return c, err
	}
	return c, fail("Remake", holdfast.NotFound, path, "the account has no home for it")
}

func (p *Past) mayAdd(person *Person) error {
	s := p.s
	if person.State != holdfast.Active || p.by != (holdfast.Actor{}) {
		return s.usable(holdfast.Principal{Account: p.by.Account, Device: p.by.Device}, person)
	}
	if d := s.doubt.of(person.ID); !d.Since.IsZero() && d.Vault != "" {
		return fail("Add", holdfast.InDoubt, person.Email, "the vault "+d.Vault+" has another history of this account; settle first which one counts: holdfast incident show "+person.Email)
	}
	return nil
}

// Holding is what a device is known to hold of an account, or may hold.
type Holding struct {
	Contacts, Calendars bool
	Books               []HeldBook // by path
}

// HeldBook is an address book or calendar that is there and has members.
type HeldBook struct {
	Path     string
	Contacts bool
	Items    int64
}

// Holds tells what a device is known to hold: the collections that it was seen in, and the one of which it has proof. One that the store does not have may be of either kind. A device that the store never saw, as after a restore, may hold all
// that there is.
func (s *Service) Holds(ctx context.Context, account, device holdfast.ID) (h Holding, err error) {
	snap, err := s.snapshot(ctx, account)
	if err != nil {
		return h, err
	}
	defer snap.Close()
	tree, err := readTreeOfAll(snap, account)
	if err != nil {
		return h, err
	}
	seen, err := snap.Sightings(account)
	if err != nil {
		return h, err
	}
	for id := range tree.all {
		seen = append(seen, s.seen.of(seenKey{device, id}))
	}
	has := map[holdfast.ID]bool{}
	for _, x := range seen {
		if x.Device == device && !x.Collection.IsZero() {
			has[x.Collection] = true
		}
	}
	strange := len(has) == 0
	for _, e := range s.doubt.of(account).Evidence {
		if e.Device == device {
			has[e.Collection] = true
		}
	}
	h.Contacts, h.Calendars = strange, strange
	for id := range has {
		c, known := tree.all[id]
		h.Contacts = h.Contacts || !known || c.Type == holdfast.TypeAddressbook
		h.Calendars = h.Calendars || !known || c.Type == holdfast.TypeCalendar
	}
	for id, c := range tree.all {
		book := c.Type == holdfast.TypeAddressbook
		if (strange || has[id]) && (book || c.Type == holdfast.TypeCalendar) && c.Items > 0 && tree.there(id) {
			h.Books = append(h.Books, HeldBook{tree.path(id), book, c.Items})
		}
	}
	slices.SortFunc(h.Books, func(a, b HeldBook) int { return cmp.Compare(a.Path, b.Path) })
	return h, nil
}

// Lacks says what of it files do not have that name so many items, by the path of their collection, of which so many are contacts and others; empty: nothing that anybody could tell. Of contacts a device exports all, of events maybe those of a
// window of time.
func (h *Holding) Lacks(contacts, others int, named map[string]int64) string {
	switch {
	case h.Contacts && contacts == 0:
		return "contacts"
	case h.Calendars && others == 0:
		return "calendars"
	}
	for _, b := range h.Books {
		switch n := named[b.Path]; {
		case n == 0:
			return b.Path
		case b.Contacts && 2*n < b.Items:
			return "most of " + b.Path
		}
	}
	return ""
}
