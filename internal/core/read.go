package core

import (
	"bytes"
	"cmp"
	"context"
	"time"

	"holdfast"
	"holdfast/internal/store"
	"holdfast/internal/store/asof"
)

// active returns an account if it is the principal's own and may be used.
func (s *Service) active(ctx context.Context, p holdfast.Principal, account holdfast.ID) (*Person, error) {
	return s.enter(ctx, p, account, holdfast.ID{}, Owns)
}

// Reader reads one account as it is at one moment, for a principal whose rights were checked, and what others share with that account. It lives inside the function
// given to [Service.Read].
type Reader struct {
	s     *Service
	snap  store.Snapshot
	owner *Person
	p     holdfast.Principal
	steps map[pathKey]step         // where Locate went
	way   map[holdfast.ID][]string // where NamesOf went

	began  time.Time // before the snapshot was opened
	gen    uint64    // of the directory, at that moment
	people map[holdfast.ID]*Person
	others map[holdfast.ID]*bound

	doubted error // a token that came up here put the account in doubt
	all     bool  // it reads for the operator
	failed  error // a question that can only be answered yes or no could not be answered
}

// Resolve finds the account that a path segment names: its immutable id, a login, former ones included, or what stands before the "@" of one. It decides from the asker's own
// account and looks nothing else up: whoever has no right there gets the same Forbidden, as fast, whether the account exists or not, so that
// accounts cannot be guessed.
//
// It opens a snapshot where the asker is not cached: inside [Service.Read] use [Reader.Resolve].
func (s *Service) Resolve(ctx context.Context, p holdfast.Principal, segment string) (holdfast.ID, error) {
	if segment == p.Account.String() {
		return p.Account, nil
	}
	person, err := s.person(ctx, p.Account.String())
	if err != nil {
		return holdfast.ID{}, err
	}
	return person.resolve(segment)
}

func (p *Person) resolve(segment string) (holdfast.ID, error) {
	if p.names(segment) {
		return p.ID, nil
	}
	return holdfast.ID{}, forbidden("Resolve", segment)
}

func forbidden(op, ref string) error {
	return fail(op, holdfast.Forbidden, ref, "you have no right here; sign in with the account that this address belongs to")
}

// Read calls fn with a reader of one moment of owner's account. Errors: Forbidden, NotFound, Unavailable, and what fn returns; InDoubt where the account
// is in doubt, also if it came to be so by what fn asked, whatever fn returns.
func (s *Service) Read(ctx context.Context, p holdfast.Principal, owner holdfast.ID, fn func(*Reader) error) error {
	person, err := s.active(ctx, p, owner)
	if err != nil {
		return err
	}
	r := &Reader{s: s, owner: person, p: p, began: s.clock.Now(), gen: s.dir.generation()}
	if r.snap, err = s.snapshot(ctx, owner); err != nil {
		return err
	}
	err = r.run(fn)
	if r.doubted != nil {
		s.keepDoubts(context.WithoutCancel(ctx)) // after the snapshot was closed: it waits for the disk
		return r.doubted
	}
	return cmp.Or(err, r.failed)
}

func (r *Reader) run(fn func(*Reader) error) error {
	defer r.snap.Close()
	return fn(r)
}

// Owner returns the account that is read.
func (r *Reader) Owner() holdfast.Account { return r.owner.Account }

// Resolve is [Service.Resolve] for use inside [Service.Read]: it asks neither the engine nor the service. Errors: Forbidden.
func (r *Reader) Resolve(segment string) (holdfast.ID, error) { return r.owner.resolve(segment) }

// Collections returns the account's live collections that can be reached from its root, without the root itself, parents before children.
func (r *Reader) Collections() ([]holdfast.Collection, error) {
	all, err := r.snap.Collections(r.owner.ID)
	if err != nil {
		return nil, err
	}
	cs := reachable(r.owner.ID, all, false)
	return cs[min(1, len(cs)):], nil
}

// Collection returns a live collection with its counts and its last change. Errors: NotFound.
func (r *Reader) Collection(id holdfast.ID) (holdfast.Collection, error) {
	c, err := r.snap.Collection(id)
	switch {
	case err != nil:
		return c, err
	case c.Account != r.owner.ID && !r.owner.knows(c.Account):
		return c, forbidden("Read", id.String())
	case c.Gone:
		return c, fail("Read", holdfast.NotFound, c.Name, "this collection was deleted")
	case c.Account != r.owner.ID:
		x, err := r.enter(id)
		if err != nil {
			return c, err
		}
		if x.root {
			return r.view(c, x), nil
		}
	}
	return c, nil
}

// view is a collection of another's where it hangs in the home of the reader's account.
func (r *Reader) view(c holdfast.Collection, x *bound) holdfast.Collection {
	return x.view(c, r.owner.paths[pathKey{r.owner.ID, x.Home}], x.owner)
}

// At is Collection where a path led to it: one that is bound may lie in another one that is bound too, and looks different there. Errors: NotFound.
func (r *Reader) At(l *Location) (holdfast.Collection, error) {
	c, err := r.Collection(l.Collection.ID)
	if err != nil || !l.Bound() || l.Binding {
		return c, err
	}
	return r.snap.Collection(c.ID)
}

// Below returns what lies below a collection that the reader gave, parents before children: below a home also what is bound there, without what is below that.
func (r *Reader) Below(c *holdfast.Collection) ([]holdfast.Collection, error) {
	if err := r.mine(c.ID); err != nil {
		return nil, err
	}
	all, err := r.snap.Collections(c.Account)
	if err != nil {
		return nil, err
	}
	out := below(c.ID, all)
	if c.Type == holdfast.TypeHome {
		others, err := r.Bound()
		if err != nil {
			return nil, err
		}
		for _, x := range others {
			if x.Parent == c.ID {
				out = append(out, x)
			}
		}
	}
	return out, nil
}

// Between calls fn with the live members of a collection that take place between two moments, as [store.Tree] has it: from and to in Unix seconds, each
// member once, in no order. What is not timed is left out.
func (r *Reader) Between(c holdfast.ID, from, to int64, f Fields, fn func(*holdfast.Resource) error) error {
	if err := r.mine(c); err != nil {
		return err
	}
	return r.snap.Between(c, from, to, f, r.shown(fn))
}

// mine keeps a reader inside the account whose rights were checked, and out of the root's records.
func (r *Reader) mine(id holdfast.ID) error {
	if id == r.owner.ID {
		return forbidden("Read", id.String())
	}
	if _, ok := r.owner.tree[id]; ok {
		return nil
	}
	_, err := r.Collection(id) // another's, or made after the directory was read
	return err
}

// Token returns the collection's sync token as of the reader's moment. It serves as CTag too: equal tokens, equal collections.
func (r *Reader) Token(c *holdfast.Collection) string {
	owner, err := r.person(c.Account)
	if err != nil {
		r.failed = err
		return ""
	}
	at := store.Head{Epoch: c.Epoch, Seq: c.Seq, Chain: c.Chain}
	if walks(c) {
		if at, err = r.snap.Head(c.Account); err != nil {
			r.failed = err
			return ""
		}
	}
	var bound boundMark
	if c.ID == r.filesHome() {
		if _, bound, err = r.boundFolders(); err != nil {
			r.failed = err
		}
	}
	return owner.tokenAt(c.ID, at, bound)
}

// tokenAt makes a token of one of the account's collections. Its key is the owner's, whoever asks.
func (p *Person) tokenAt(c holdfast.ID, at store.Head, bound boundMark) string {
	t := syncToken{collection: c, epoch: at.Epoch, seq: at.Seq, bound: bound}
	copy(t.check[:], at.Chain[:])
	return t.text(p.tokenKey)
}

// Changes answers a sync-collection report (RFC 6578): it calls fn with the members that changed since the token, tombstones included, each once;
// an empty token lists all live members. limit 0: all. It returns the token to go on from; more tells that the limit cut the answer.
//
// Errors: BadToken for a token that this collection never handed out. InDoubt for one that it did hand out but whose history this store does
// not have: the device has seen more than we hold, and must not be told to list anew.
func (r *Reader) Changes(c *holdfast.Collection, token string, limit int, f Fields, fn func(*holdfast.Resource) error) (next string, more bool, err error) {
	var from syncToken
	if token != "" {
		if from, err = r.checkToken(c, token); err != nil {
			return "", false, err
		}
	}
	if err := r.mine(c.ID); err != nil {
		return "", false, err
	}
	last := uint64(0)
	tell := r.shown(fn)
	more, err = r.snap.ChangesSince(c.ID, from.seq, limit, f, func(x *holdfast.Resource) error {
		last = x.Seq
		if token == "" && x.State == holdfast.Tombstone {
			return nil
		}
		return tell(x)
	})
	if err != nil {
		return "", false, err
	}
	r.saw(c, from, token == "" && !more)
	if !more {
		return r.Token(c), false, nil
	}
	owner, err := r.person(c.Account)
	if err != nil {
		return "", false, err
	}
	head, err := r.snap.Chain(owner.ID, last)
	if err != nil {
		return "", false, err
	}
	head.Seq = last
	return owner.tokenAt(c.ID, head, boundMark{}), true, nil
}

// TokenSeq returns the seq of a sync token given as a state token in an If header (RFC 6578 section 5); ok is false where it can never match. Where that
// cannot be known, Read fails, whatever its function returns.
func (r *Reader) TokenSeq(c *holdfast.Collection, token string) (seq uint64, ok bool) {
	t, err := r.checkToken(c, token)
	if err != nil && !holdfast.IsKind(err, holdfast.BadToken) {
		r.failed = err
	}
	if err == nil && walks(c) { // its token is of the whole journal: it is judged here, and the commit sees whether a member came since
		head, err := r.snap.Head(c.Account)
		if err != nil {
			r.failed = err
		}
		return c.Seq, err == nil && head.Seq == t.seq && r.Token(c) == token
	}
	return t.seq, err == nil
}

// CheckToken judges a sync token where its collection is not found any more. It returns nil for one that this account handed out and whose history
// the store has: the collection is truly gone. Errors: InDoubt for one whose history is missing: the collection may be missing too; BadToken for
// what this account never handed out.
func (r *Reader) CheckToken(token string) error {
	_, err := r.authentic(token)
	return err
}

func (r *Reader) checkToken(c *holdfast.Collection, token string) (syncToken, error) {
	t, err := r.authentic(token)
	if err == nil && t.collection != c.ID {
		err = badToken(c.Name)
	}
	return t, err
}

// authentic judges a token's MAC and its history, before anybody asks of which collection it is: a collection that was made anew in a store that
// lost it has another id, and what its token proves is proved all the same.
func (r *Reader) authentic(token string) (syncToken, error) {
	owner, err := r.issuer(token)
	if err != nil {
		return syncToken{}, err
	}
	t, ok := parseToken(owner.tokenKey, token)
	if !ok {
		return t, badToken("")
	}
	ok, err = known(r.snap, owner.ID, t)
	if v, late := r.snap.(*asof.View); late && err == nil && !ok {
		if ok, err = known(v.Newest(), owner.ID, t); ok { // it was shown to the device, and is not acknowledged all the same: nothing is lost
			err = fail("Changes", holdfast.Unavailable, owner.Email, "the newest changes have not reached every copy that they must reach; try again")
		}
	}
	if err == nil && !ok {
		err = r.lost(owner, t)
	}
	return t, err
}

// known tells whether an account's history has what a token says of it.
func known(snap store.Snapshot, account holdfast.ID, t syncToken) (bool, error) {
	head, err := snap.Chain(account, t.seq)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return false, nil
	}
	return err == nil && bytes.HasPrefix(head.Chain[:], t.check[:]), err
}

// issuer returns the account that would have handed out a token: the owner of its collection, also where that is not shared any more, because what a store lost may
// be the share. Where nobody can be found it is the reader's own: it then says what the token is worth.
func (r *Reader) issuer(token string) (*Person, error) {
	id, ok := collectionOf(token)
	if !ok {
		return r.owner, nil
	}
	if _, ok := r.owner.tree[id]; ok {
		return r.owner, nil
	}
	owner := r.owner.bindings[id].Owner
	if owner.IsZero() {
		c, err := r.snap.Collection(id)
		if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
			return nil, err
		}
		owner = c.Account
	}
	if owner.IsZero() {
		return r.owner, nil
	}
	p, err := r.person(owner)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return r.owner, nil
	}
	return p, err
}

func badToken(ref string) error {
	return &holdfast.Error{Op: "core.Changes", Kind: holdfast.BadToken, Ref: ref, Rule: "valid-sync-token",
		Text: "this sync token was not handed out for this collection; ask without one"}
}

// SawListing records that the principal's device was given a full listing of the collection.
func (r *Reader) SawListing(c *holdfast.Collection) { r.saw(c, syncToken{}, true) }

func (r *Reader) saw(c *holdfast.Collection, presented syncToken, full bool) {
	x := holdfast.Sighting{Account: c.Account, Collection: c.ID, Device: r.p.Device, Full: full}
	switch {
	case full:
		r.listedAnew(c)
		x.Epoch, x.Seq, x.Chain = c.Epoch, c.Seq, c.Chain
	case presented.seq == 0:
		return // a first page: nothing was confirmed yet
	default:
		x.Epoch, x.Seq = presented.epoch, presented.seq
		copy(x.Chain[:], presented.check[:])
	}
	r.s.Saw(x)
}

// listedAnew tells the guard of a device that had presented a token of the collection before, and now lists all of it. What devices had seen before a restore is in no vault: one that is older may have had tokens, and is taken for one that had.
func (r *Reader) listedAnew(c *holdfast.Collection) {
	if r.p.Device.IsZero() {
		return
	}
	last := r.s.seen.of(seenKey{r.p.Device, c.ID})
	if last.Device.IsZero() {
		written, err := r.snap.Sightings(c.Account)
		if err != nil {
			return // it is a help, and the listing goes on without
		}
		for _, x := range written {
			if x.Device == r.p.Device && x.Collection == c.ID {
				last = x
			}
		}
	}
	owner, err := r.person(c.Account)
	if err != nil {
		return
	}
	if !last.Device.IsZero() && !last.Full || last.Device.IsZero() && r.owner.wasRestored(r.p.Device, owner) {
		r.s.guard.reset(r.p.Device, c.ID, r.s.Now())
	}
}

// Usage is how much room something takes, for RFC 4331.
type Usage struct {
	Top   holdfast.ID // whose: an account's, or a folder's that is shared with the reader's
	Used  int64       // live octets in it, counted as a commit counts them: a file by its size, wherever its octets lie; copies under way and an account's own records are in; earlier versions, and what lies below a deleted collection, are not
	Room  int64       // that may come
	Quota int64       // the allowance that sets bounds to it; 0: none does
}

// Top is what the usage is of that holds for a collection, see Usage.
func (r *Reader) Top(c *holdfast.Collection) (holdfast.ID, error) {
	if c.Account == r.owner.ID {
		return r.owner.ID, nil
	}
	x, err := r.bound(c.ID)
	if err != nil {
		return holdfast.ID{}, err
	}
	return x.Collection, nil
}

// Usage returns what the account of a collection takes, and its allowance; of a folder of another's what is shared of it, and the room that its owner's account has, for which that counts.
func (r *Reader) Usage(c *holdfast.Collection) (u Usage, err error) {
	if u.Top, err = r.Top(c); err != nil {
		return u, err
	}
	all, err := r.snap.Collections(c.Account)
	if err != nil {
		return u, err
	}
	total := octetsOfAll(c.Account, all)
	if u.Used = total; u.Top != c.Account {
		u.Used = 0
		for _, x := range all {
			if x.ID == u.Top {
				u.Used = x.Octets
			}
		}
		for _, x := range below(u.Top, all) {
			u.Used += x.Octets
		}
	}
	u.Quota = r.s.limits.Quota
	u.Room = max(0, u.Quota-total)
	return u, nil
}

// Digest returns the account's digest at seq; 0: now.
func (r *Reader) Digest(seq uint64) (holdfast.Digest, error) { return r.snap.Digest(r.owner.ID, seq) }

// History gives the account's past: its versions, listings and digests at any seq.
func (r *Reader) History() store.History { return r.snap }
