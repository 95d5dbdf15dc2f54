package core

import (
	"bytes"
	"cmp"
	"context"

	"holdfast"
	"holdfast/internal/store"
)

// Location is where a path leads. Rest is empty for a collection; one name is a member of Collection, which may exist or not; more names lead
// through collections that are not there.
type Location struct {
	Owner      holdfast.ID
	Collection holdfast.Collection // what its own entry says; its counts and last change may be old
	Rest       []string
}

// Place returns the item that a location with at most one remaining name denotes.
func (l Location) Place() Place {
	p := Place{Owner: l.Owner, Collection: l.Collection.ID}
	if len(l.Rest) > 0 {
		p.Name = l.Rest[0]
	}
	return p
}

// Locate follows names ("addressbooks", "default", "x.vcf") from the root of owner's account, without a query in the common case. Errors: Forbidden,
// NotFound (the account), Unavailable.
func (s *Service) Locate(ctx context.Context, p holdfast.Principal, owner holdfast.ID, names []string) (Location, error) {
	person, err := s.active(ctx, p, owner)
	if err != nil {
		return Location{}, err
	}
	c, rest := person.walk(names)
	return Location{Owner: owner, Collection: c, Rest: rest}, nil
}

// active returns the owner's account if the principal may touch it and it may be used.
func (s *Service) active(ctx context.Context, p holdfast.Principal, owner holdfast.ID) (*Person, error) {
	if !allowed(p, owner) {
		return nil, forbidden("Access", owner.String())
	}
	person, err := s.person(ctx, owner.String())
	if err != nil {
		return nil, err
	}
	if person.State != holdfast.Active {
		return nil, fail("Access", holdfast.Unavailable, person.Email, "this account is suspended; nothing was deleted")
	}
	return person, s.doubt.standing(person)
}

// Reader reads one account as it is at one moment, for a principal whose rights were checked. It lives inside the function given to [Service.Read].
type Reader struct {
	s     *Service
	snap  store.Snapshot
	owner *Person
	p     holdfast.Principal
	steps map[pathKey]step // where Locate went

	doubted error // a token that came up here put the account in doubt
	failed  error // a question that can only be answered yes or no could not be answered
}

// step is what stands at a name: a collection, or none.
type step struct {
	to    holdfast.Collection
	found bool
}

// Resolve finds the account that a path segment names: its immutable id, or a login, former ones included. It decides from the asker's own
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

// allowed is the one place that says who may touch what: by now, each account its own.
func allowed(p holdfast.Principal, owner holdfast.ID) bool {
	return !owner.IsZero() && p.Account == owner
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
	snap, err := s.engine.Snapshot(ctx)
	if err != nil {
		return err
	}
	r := &Reader{s: s, snap: snap, owner: person, p: p}
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

// Locate is [Service.Locate] as of the reader's moment, for use inside [Service.Read]: it asks the reader's own snapshot, once for each collection on
// the way. The error is the engine's: a name that leads nowhere is no error, see [Location].
func (r *Reader) Locate(names []string) (Location, error) {
	at := Location{Owner: r.owner.ID, Collection: r.owner.tree[r.owner.ID], Rest: names}
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
	return at, nil
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
	case c.Account != r.owner.ID:
		return c, forbidden("Read", id.String())
	case c.Gone:
		return c, fail("Read", holdfast.NotFound, c.Name, "this collection was deleted")
	}
	return c, nil
}

// Resource returns a live resource. Errors: NotFound.
func (r *Reader) Resource(c holdfast.ID, name string, f Fields) (holdfast.Resource, error) {
	if err := r.mine(c); err != nil {
		return holdfast.Resource{}, err
	}
	return r.snap.Resource(c, name, f)
}

// List calls fn with the live members of a collection by ascending name, above after; limit 0: all.
func (r *Reader) List(c holdfast.ID, after string, limit int, f Fields, fn func(*holdfast.Resource) error) error {
	if err := r.mine(c); err != nil {
		return err
	}
	return r.snap.List(c, after, limit, f, fn)
}

// Between calls fn with the live members of a collection that take place between two moments, as [store.Tree] has it: from and to in Unix seconds, each
// member once, in no order. What is not timed is left out.
func (r *Reader) Between(c holdfast.ID, from, to int64, f Fields, fn func(*holdfast.Resource) error) error {
	if err := r.mine(c); err != nil {
		return err
	}
	return r.snap.Between(c, from, to, f, fn)
}

// mine keeps a reader inside the account whose rights were checked, and out of the root's records.
func (r *Reader) mine(id holdfast.ID) error {
	if id == r.owner.ID {
		return forbidden("Read", id.String())
	}
	if _, ok := r.owner.tree[id]; ok {
		return nil
	}
	_, err := r.Collection(id) // made after the directory was read
	return err
}

// Token returns the collection's sync token as of the reader's moment. It serves as CTag too: equal tokens, equal collections.
func (r *Reader) Token(c *holdfast.Collection) string {
	return r.tokenAt(c.ID, c.Epoch, c.Seq, c.Chain)
}

func (r *Reader) tokenAt(c holdfast.ID, epoch, seq uint64, chain holdfast.Hash) string {
	t := syncToken{collection: c, epoch: epoch, seq: seq}
	copy(t.check[:], chain[:])
	return t.text(r.owner.tokenKey)
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
	more, err = r.snap.ChangesSince(c.ID, from.seq, limit, f, func(x *holdfast.Resource) error {
		last = x.Seq
		if token == "" && x.State == holdfast.Tombstone {
			return nil
		}
		return fn(x)
	})
	if err != nil {
		return "", false, err
	}
	r.saw(c, from, token == "" && !more)
	if !more {
		return r.Token(c), false, nil
	}
	head, err := r.snap.Chain(r.owner.ID, last)
	if err != nil {
		return "", false, err
	}
	return r.tokenAt(c.ID, head.Epoch, last, head.Chain), true, nil
}

// TokenSeq returns the seq of a sync token given as a state token in an If header (RFC 6578 section 5); ok is false where it can never match. Where that
// cannot be known, Read fails, whatever its function returns.
func (r *Reader) TokenSeq(c *holdfast.Collection, token string) (seq uint64, ok bool) {
	t, err := r.checkToken(c, token)
	if err != nil && !holdfast.IsKind(err, holdfast.BadToken) {
		r.failed = err
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
	t, ok := parseToken(r.owner.tokenKey, token)
	if !ok {
		return t, badToken("")
	}
	head, err := r.snap.Chain(r.owner.ID, t.seq)
	if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
		return t, err
	}
	if err != nil || !bytes.HasPrefix(head.Chain[:], t.check[:]) {
		return t, r.lost(t)
	}
	return t, nil
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
		x.Epoch, x.Seq, x.Chain = c.Epoch, c.Seq, c.Chain
	case presented.seq == 0:
		return // a first page: nothing was confirmed yet
	default:
		x.Epoch, x.Seq = presented.epoch, presented.seq
		copy(x.Chain[:], presented.check[:])
	}
	r.s.Saw(x)
}

// Usage returns the account's live octets and its allowance (0: none), for RFC 4331. They are counted as a commit counts them: copies under way are in, what
// lies below a deleted collection is not.
func (r *Reader) Usage() (used, quota int64, err error) {
	all, err := r.snap.Collections(r.owner.ID)
	for _, c := range reachable(r.owner.ID, all, true) {
		if c.ID != r.owner.ID {
			used += c.Octets
		}
	}
	return used, r.s.limits.Quota, err
}

// Digest returns the account's digest at seq; 0: now.
func (r *Reader) Digest(seq uint64) (holdfast.Digest, error) { return r.snap.Digest(r.owner.ID, seq) }

// History gives the account's past: its versions, listings and digests at any seq.
func (r *Reader) History() store.History { return r.snap }
