package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// Share is a right that one account gives another, as an operator sees it.
type Share struct {
	holdfast.ShareRecord
	Owner holdfast.Account
	With  holdfast.Account
	Path  string // of the collection, in its owner's tree; empty where it was deleted
	At    string // where it hangs in the guest's tree; empty where it does not
	// Active tells whether the guest sees it: the collection is there, and bound in his home.
	Active bool
}

// Share lets a guest into an address book, a calendar or a folder with all that is in it, and hangs it into his home; where he has a right already, it is replaced. First the owner's record is
// committed, then the guest's: what a crash left between is mended by doing it again. So is a binding that the guest has deleted. Errors: NotFound (an account, the
// collection), Invalid (rights; what cannot be shared, with a sentence), TooLarge (over a limit),
// InDoubt (either account).
func (s *Service) Share(ctx context.Context, actor holdfast.Actor, owner, collection, guest holdfast.ID, rights holdfast.Right) error {
	if !rights.Valid() {
		return fail("Share", holdfast.Invalid, string(rights), fmt.Sprintf("rights are %q or %q", holdfast.RightRead, holdfast.RightWrite))
	}
	hangs, err := s.mayShare(ctx, owner, collection, guest, rights)
	if err != nil {
		return err
	}
	now := s.Now().Truncate(time.Second)
	err = s.record(ctx, actor, holdfast.KindShare, owner, holdfast.ShareName(collection, guest), func(old []byte) ([]byte, error) {
		rec := holdfast.ShareRecord{Collection: collection, Guest: guest, Created: now}
		if old != nil {
			if rec, err = holdfast.DecodeShare(old); err != nil {
				return nil, err
			}
		}
		rec.Rights = rights
		return rec.Encode(), nil
	})
	if err != nil {
		return err
	}
	return s.record(ctx, actor, holdfast.KindBinding, guest, holdfast.BindingName(collection), func(old []byte) ([]byte, error) {
		if old != nil {
			return old, nil
		}
		return holdfast.BindingRecord{Owner: owner, Collection: collection, Home: hangs.home, Name: hangs.name, Created: now}.Encode(), nil
	})
}

// hook is where a collection hangs in a guest's tree.
type hook struct{ home, name string }

// mayShare tells where in the guest's tree a collection would hang, or why it cannot be shared.
func (s *Service) mayShare(ctx context.Context, owner, collection, guest holdfast.ID, rights holdfast.Right) (at hook, err error) {
	from, err := s.person(ctx, owner.String())
	if err != nil {
		return at, err
	}
	to, err := s.person(ctx, guest.String())
	if err != nil {
		return at, err
	}
	for _, p := range []*Person{from, to} {
		if err := s.doubt.standing(p); err != nil {
			return at, err
		}
	}
	c, ok := from.tree[collection]
	refuse := func(text string) (hook, error) { return at, fail("Share", holdfast.Invalid, c.Name, text) }
	if at.name = collection.String(); !ok {
		return at, s.notHis(ctx, from, collection)
	}
	switch {
	case owner == guest:
		return refuse("an account cannot share with itself")
	case c.Type == holdfast.TypeAddressbook:
		at.home = holdfast.HomeAddressbooks
	case c.Type == holdfast.TypeCalendar:
		at.home = holdfast.HomeCalendars
	case c.Type == holdfast.TypeFolder:
		at.home = holdfast.HomeFiles
		if (&share{ShareRecord: holdfast.ShareRecord{Rights: rights}}).access() < from.reach(guest, c.Parent) {
			return refuse("what this lies in is shared with them to write already; a right inside of it takes nothing away. Change the right of that, or move this out of it")
		}
		if at.name, err = s.freeName(ctx, from, to, &c); err != nil {
			return at, err
		}
	default:
		return refuse("address books, calendars and folders can be shared, this is none of them")
	}
	if _, taken := to.paths[pathKey{to.paths[pathKey{to.ID, at.home}], at.name}]; taken {
		return refuse("the other account has a collection of its own where this would hang; rename or delete that first")
	}
	return at, s.roomToShare(from, to, collection)
}

// notHis says why an account cannot share what is not in its own tree.
func (s *Service) notHis(ctx context.Context, from *Person, collection holdfast.ID) error {
	for _, b := range from.bindings {
		owner, err := s.person(ctx, b.Owner.String())
		if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
			return err
		}
		if b.Collection == collection || err == nil && owner.within(collection, b.Collection) {
			return fail("Share", holdfast.Invalid, "", "this belongs to somebody else, who alone can share it")
		}
	}
	return fail("Share", holdfast.NotFound, collection.String(), "there is no such collection")
}

// freeName finds what a folder is called in the guest's home: as its owner calls it, or, where the guest has something of that name, with whose it is behind it. What hangs there already keeps its name.
func (s *Service) freeName(ctx context.Context, from, to *Person, c *holdfast.Collection) (string, error) {
	if b, ok := to.bindings[c.ID]; ok {
		return b.name, nil
	}
	home := to.paths[pathKey{to.ID, holdfast.HomeFiles}]
	snap, err := s.newest(ctx, to.ID)
	if err != nil {
		return "", err
	}
	defer snap.Close()
	name := c.Name
	for n := 1; n <= s.limits.Collections+2; n++ {
		taken, err := to.taken(snap, home, name)
		if err != nil || !taken {
			return name, err
		}
		if name = suffixed(c.Name, " ("+from.Email+")"); n > 1 {
			name = suffixed(c.Name, fmt.Sprintf(" (%s) %d", from.Email, n))
		}
	}
	return suffixed(c.Name, " ("+c.ID.String()+")"), nil
}

// sharesInAll is how many shares an account may give in all, for each that it may give of one collection.
const sharesInAll = 10

// roomToShare keeps what an account's cached records take within bounds.
func (s *Service) roomToShare(from, to *Person, collection holdfast.ID) error {
	if _, ok := from.shares[holdfast.ShareName(collection, to.ID)]; !ok {
		n := 0
		for _, x := range from.shares {
			if x.Collection == collection {
				n++
			}
		}
		if n >= s.limits.Shares || len(from.shares) >= sharesInAll*s.limits.Shares {
			return fail("Share", holdfast.TooLarge, from.Email, "this is shared with as many as it may be; end another share first")
		}
	}
	if _, ok := to.bindings[collection]; !ok && to.collections()+1 > s.limits.Collections {
		return fail("Share", holdfast.TooLarge, to.Email, "this account has as many collections as it may")
	}
	return nil
}

// collections counts what the limit of collections bounds: the account's own, without its root, and those of others that are bound in it.
func (p *Person) collections() int { return len(p.tree) - 1 + len(p.bindings) }

// Unshare ends a share: first the right, at once, then what hangs in the guest's home. Nothing of the owner's is touched. It is done for accounts in doubt too. Errors: NotFound where there was nothing to
// end.
func (s *Service) Unshare(ctx context.Context, actor holdfast.Actor, owner, collection, guest holdfast.ID) error {
	right := s.drop(ctx, actor, holdfast.KindShare, owner, holdfast.ShareName(collection, guest))
	if right != nil && !holdfast.IsKind(right, holdfast.NotFound) {
		return right
	}
	if p, err := s.person(ctx, guest.String()); err == nil && p.bindings[collection].Owner != owner { // it names another owner, or is none
		return right
	}
	err := s.drop(ctx, actor, holdfast.KindBinding, guest, holdfast.BindingName(collection))
	if holdfast.IsKind(err, holdfast.NotFound) {
		return right
	}
	return err
}

// record writes a record of sharing by fn, which gets what was there, or nil. Where nothing changes nothing is committed. Its properties stay.
func (s *Service) record(ctx context.Context, actor holdfast.Actor, kind holdfast.Kind, account holdfast.ID, name string, fn func(old []byte) ([]byte, error)) error {
	return s.retry(ctx, func() error {
		old, err := s.fetch(ctx, Place{Owner: account, Collection: account, Name: name}, everything)
		if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
			return err
		}
		found := err == nil
		if !found {
			old.Body = nil
		}
		body, err := fn(old.Body)
		if err != nil {
			return err
		}
		if found && old.ETag == holdfast.HashOf(body) {
			return nil
		}
		e := s.entry(actor, holdfast.OpPut, kind, account, name, body, old.Properties)
		if e.If.Seq = old.Seq; !found {
			e.If = holdfast.Precondition{Exists: holdfast.Absent}
		}
		return s.commitOne(ctx, account, e)
	})
}

func (s *Service) drop(ctx context.Context, actor holdfast.Actor, kind holdfast.Kind, account holdfast.ID, name string) error {
	return s.commitOne(ctx, account, s.entry(actor, holdfast.OpDelete, kind, account, name, nil, nil))
}

// sharesAtOnce is how many accounts are looked through in one snapshot.
const sharesAtOnce = 500

// Shares returns what is shared by or with an account, or with the zero ID by and with all, by owner and path. It looks through all accounts, because a guest who
// deleted what was shared with him has no record of it.
func (s *Service) Shares(ctx context.Context, account holdfast.ID) ([]Share, error) {
	var out []Share
	for after, more := (holdfast.ID{}), true; more; {
		snap, err := s.snapshot(ctx)
		if err != nil {
			return nil, err
		}
		l := shareLister{snap: snap, of: account, accounts: map[holdfast.ID]holdfast.Account{}}
		after, more, err = l.some(after)
		snap.Close()
		if err != nil {
			return nil, err
		}
		out = append(out, l.out...)
	}
	slices.SortFunc(out, func(a, b Share) int {
		return cmp.Or(cmp.Compare(a.Owner.Email, b.Owner.Email), cmp.Compare(a.Path, b.Path), a.Collection.Compare(b.Collection), cmp.Compare(a.With.Email, b.With.Email))
	})
	return out, nil
}

type shareLister struct {
	snap     store.Snapshot
	of       holdfast.ID // zero: all
	accounts map[holdfast.ID]holdfast.Account
	out      []Share
}

// errPast ends the listing of one kind of records.
var errPast = errors.New("core: past the records that were looked for")

// some looks through the accounts after one, and tells where to go on.
func (l *shareLister) some(after holdfast.ID) (next holdfast.ID, more bool, err error) {
	list, err := l.snap.Accounts(after, sharesAtOnce)
	if err != nil {
		return after, false, err
	}
	for _, a := range list {
		l.accounts[a.ID] = a
		if err := l.by(a); err != nil {
			return after, false, err
		}
		next = a.ID
	}
	return next, len(list) == sharesAtOnce, nil
}

// by lists what an account shares.
func (l *shareLister) by(a holdfast.Account) error {
	var records []holdfast.ShareRecord
	err := l.snap.List(a.ID, holdfast.RecordSharePrefix, 0, WithBody, func(r *holdfast.Resource) error {
		if !strings.HasPrefix(r.Name, holdfast.RecordSharePrefix) {
			return errPast
		}
		rec, err := holdfast.DecodeShare(r.Body)
		if err != nil {
			return &holdfast.Error{Op: "core.Shares", Kind: holdfast.Corrupt, Ref: r.Name, Err: err}
		}
		if l.of.IsZero() || l.of == a.ID || l.of == rec.Guest {
			records = append(records, rec)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errPast) {
		return err
	}
	for _, rec := range records {
		x := Share{ShareRecord: rec, Owner: a}
		if x.With, err = l.account(rec.Guest); err != nil {
			return err
		}
		if x.Path, err = pathOf(l.snap, a.ID, rec.Collection); err != nil {
			return err
		}
		if x.At, err = l.hangs(&rec); err != nil {
			return err
		}
		x.Active = x.At != "" && x.Path != ""
		l.out = append(l.out, x)
	}
	return nil
}

// hangs returns where a share hangs in the guest's tree, if it does.
func (l *shareLister) hangs(rec *holdfast.ShareRecord) (string, error) {
	r, err := l.snap.Resource(rec.Guest, holdfast.BindingName(rec.Collection), WithBody)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	b, err := holdfast.DecodeBinding(r.Body)
	if err != nil {
		return "", &holdfast.Error{Op: "core.Shares", Kind: holdfast.Corrupt, Ref: r.Name, Err: err}
	}
	return b.Home + "/" + b.Name, nil
}

// account finds a guest. One that is not there is told by his id alone.
func (l *shareLister) account(id holdfast.ID) (holdfast.Account, error) {
	if a, ok := l.accounts[id]; ok {
		return a, nil
	}
	a, err := l.snap.Account(id)
	if holdfast.IsKind(err, holdfast.NotFound) {
		a, err = holdfast.Account{ID: id}, nil
	}
	if err == nil {
		l.accounts[id] = a
	}
	return a, err
}

// pathOf returns the path of a collection in an account's tree; empty for one that cannot be reached from the root.
func pathOf(snap store.Snapshot, root, id holdfast.ID) (string, error) {
	var names []string
	for id != root {
		c, err := snap.Collection(id)
		if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
			return "", err
		}
		if err != nil || c.Account != root || c.Gone || c.Name == "" || len(names) > 100 {
			return "", nil
		}
		names = append([]string{c.Name}, names...)
		id = c.Parent
	}
	return strings.Join(names, "/"), nil
}
