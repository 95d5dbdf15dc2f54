package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"holdfast"
)

// maxRetries bounds how often a read-modify-write is tried anew because another change came between.
const maxRetries = 8

// retry runs fn again while it fails because another change came between its read and its write.
func (s *Service) retry(ctx context.Context, fn func() error) error {
	var err error
	for range maxRetries {
		if err = fn(); !holdfast.IsKind(err, holdfast.PreconditionFailed) {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return err
}

// commit seals and commits a group and completes its receipt. It is the only caller of the engine's Commit.
func (s *Service) commit(ctx context.Context, g *holdfast.Group) (holdfast.Receipt, error) {
	if err := s.copies.Ready(); err != nil {
		return holdfast.Receipt{}, err
	}
	s.begin()
	g.Seal()
	r, err := s.engine.Commit(ctx, g)
	if slices.ContainsFunc(g.Entries, func(e holdfast.Entry) bool { return e.Kind == holdfast.KindAccount }) {
		s.dir.renamed()
	}
	for i := range g.Entries {
		if g.Entries[i].Kind <= holdfast.KindCollection {
			s.dir.drop(g.Account) // also on error: what is not known is read anew
			break
		}
	}
	if err != nil {
		return r, err
	}
	if r.Copies, r.Policy, err = s.copies.Wait(ctx, r.Batch); err != nil {
		return r, err // it is there and not shown; whoever sends it again meets it
	}
	s.shown.raise(r.Batch)
	s.acked.Add(1)
	return r, nil
}

// commitFor commits what a principal writes into collections, all of one account. A guest's right is judged inside the commit: the record of each share must be as it was
// looked at, so that after a share was ended nothing of the guest's is acknowledged. Where the record is another one the right is looked at again.
func (s *Service) commitFor(ctx context.Context, p holdfast.Principal, g *holdfast.Group, into ...holdfast.ID) (holdfast.Receipt, error) {
	if p.Account == g.Account {
		return s.commit(ctx, g)
	}
	asked := g.If
	var last []holdfast.Condition
	var failed error
	for range maxRetries {
		shares, err := s.warrants(ctx, p, g.Account, into)
		if err != nil {
			return holdfast.Receipt{}, err
		}
		if last != nil && slices.EqualFunc(last, shares, sameWarrant) {
			break // the request's own condition failed
		}
		last, g.If = shares, nil
		for _, l := range asked {
			g.If = append(g.If, slices.Concat(l, shares))
		}
		if len(asked) == 0 {
			g.If = [][]holdfast.Condition{shares}
		}
		r, err := s.commit(ctx, g)
		if !holdfast.IsKind(err, holdfast.PreconditionFailed) || ctx.Err() != nil {
			return r, err
		}
		failed = err
	}
	return holdfast.Receipt{}, failed
}

// Place names an item: a member of a collection, or (Name "") the collection itself.
type Place struct {
	Owner      holdfast.ID
	Collection holdfast.ID
	Name       string
	Binding    bool // (Name "") another's collection as it hangs in the home of who asks, and not where it lies in its owner's tree
}

// is tells whether two places are of one item.
func (p Place) is(o Place) bool {
	return p.Owner == o.Owner && p.Collection == o.Collection && p.Name == o.Name
}

// Conditions are what a request demands beside its own precondition: its If header, resolved.
type Conditions = [][]holdfast.Condition

// PutRequest is a PUT of one resource.
type PutRequest struct {
	Place
	ContentType string
	Body        []byte
	If          holdfast.Precondition
	Conditions  Conditions

	set  holdfast.Properties // dead properties that the new version gets, beside those that it has
	blob *holdfast.Blob      // instead of Body
}

// etag returns what the new version's will be.
func (q *PutRequest) etag() holdfast.Hash {
	if q.blob != nil {
		return q.blob.Hash
	}
	return holdfast.HashOf(q.Body)
}

// with returns properties and those that the request sets.
func (q *PutRequest) with(props holdfast.Properties) holdfast.Properties {
	for _, x := range q.set {
		props = props.With(x.Space, x.Local, x.XML)
	}
	return props
}

// Put stores a resource's octets, verbatim. Dead properties of the resource stay. The receipt's Created tells a new resource from a new version.
//
// Errors: Forbidden, NotFound (the collection), Invalid (Rule: the RFC's precondition), TooLarge, PreconditionFailed, UIDConflict (Ref: the name of the one that has
// the UID, or that has another UID and would be overwritten), Quota, Full, Unavailable.
func (s *Service) Put(ctx context.Context, p holdfast.Principal, q PutRequest) (holdfast.Receipt, holdfast.Hash, error) {
	return s.put(ctx, p, q)
}

func (s *Service) put(ctx context.Context, p holdfast.Principal, q PutRequest) (holdfast.Receipt, holdfast.Hash, error) {
	var receipt holdfast.Receipt
	var etag holdfast.Hash
	c, err := s.target(ctx, p, q.Place)
	if err != nil {
		return receipt, etag, err
	}
	kind, index, err := s.judge(&c, q.Name, q.ContentType, q.Body)
	if err != nil {
		return receipt, etag, err
	}
	put := func(props holdfast.Properties, seq uint64) error {
		e := s.entry(p.Actor(), holdfast.OpPut, kind, c.ID, q.Name, q.Body, q.with(props))
		e.ContentType, e.Blob, e.Index, e.If = q.ContentType, q.blob, index, q.If
		if seq != 0 {
			e.If.Seq = seq
		}
		e.If.Bare, e.If.SameUID = seq == 0, true
		g := &holdfast.Group{Account: q.Owner, Entries: []holdfast.Entry{e}, If: q.Conditions, MaxOctets: s.limits.Quota}
		var err error
		receipt, err = s.commitFor(ctx, p, g, c.ID)
		etag = g.Entries[0].ETag
		return err
	}
	if err = put(nil, 0); ruleOf(err) == holdfast.RuleBare {
		err = s.putKeeping(ctx, q.Place, put)
	}
	if holdfast.IsKind(err, holdfast.PreconditionFailed) {
		err = s.heal(ctx, &q, err, put)
	}
	if err == nil && !receipt.Created && !receipt.Replay {
		s.done(ctx, p, q.Owner, act{seq: receipt.Seq, collection: c.ID, overwritten: 1})
	}
	return receipt, etag, err
}

// putKeeping puts a new version of a resource that has dead properties, which the version keeps. The resource's seq is demanded too, so that a
// PROPPATCH between is not lost; where one was, it is tried again.
func (s *Service) putKeeping(ctx context.Context, at Place, put func(holdfast.Properties, uint64) error) error {
	var last uint64
	var err error
	for range maxRetries {
		r, e := s.fetch(ctx, at, WithProps)
		if holdfast.IsKind(e, holdfast.NotFound) {
			r.Seq, e = 0, nil
		}
		if e != nil {
			return e
		}
		if r.Seq == last && last != 0 {
			return err // nothing came between: the request's own condition failed
		}
		last = r.Seq
		if err = put(r.Properties, r.Seq); !holdfast.IsKind(err, holdfast.PreconditionFailed) {
			return err
		}
	}
	return err
}

func ruleOf(err error) string {
	var e *holdfast.Error
	if errors.As(err, &e) {
		return e.Rule
	}
	return ""
}

// target checks that the principal may write at the place, and returns its collection.
func (s *Service) target(ctx context.Context, p holdfast.Principal, at Place) (holdfast.Collection, error) {
	return s.at(ctx, p, at, Writes)
}

// at checks that the principal may do at the place what need says, and returns its collection.
func (s *Service) at(ctx context.Context, p holdfast.Principal, at Place, need Access) (holdfast.Collection, error) {
	person, err := s.enter(ctx, p, at.Owner, at.Collection, need)
	if err != nil {
		return holdfast.Collection{}, err
	}
	c, ok := person.tree[at.Collection]
	if !ok {
		return c, fail("Write", holdfast.NotFound, at.Name, "there is no such collection")
	}
	if c.ID == at.Owner {
		return c, forbidden("Write", at.Name)
	}
	if need >= Writes && person.bindsAt(&c, at.Name) {
		return c, boundThere(at.Name)
	}
	return c, nil
}

// whole checks that the principal may change, move or do away with a collection itself, which is a change of what it lies in too. What is bound in a home is no part of what it lies in there.
func (s *Service) whole(ctx context.Context, p holdfast.Principal, at Place) (holdfast.Collection, error) {
	c, err := s.target(ctx, p, Place{Owner: at.Owner, Collection: at.Collection})
	if err != nil || p.Account == at.Owner {
		return c, err
	}
	if at.Binding || s.May(ctx, p, at.Owner, c.Parent, Writes) != nil {
		return c, needPrivileges(at.Collection.String())
	}
	return c, nil
}

// subject checks that the principal may change an item, and returns the collection that it is or is in.
func (s *Service) subject(ctx context.Context, p holdfast.Principal, at Place) (holdfast.Collection, error) {
	if at.Name == "" {
		return s.whole(ctx, p, at)
	}
	return s.target(ctx, p, at)
}

// reaches are the collections that a principal must have the right to write for what is done to an item in one: that, and for a collection itself what it lies in.
func reaches(at Place, c *holdfast.Collection) []holdfast.ID {
	if at.Name == "" {
		return []holdfast.ID{c.ID, c.Parent}
	}
	return []holdfast.ID{c.ID}
}

func (s *Service) judge(c *holdfast.Collection, name, contentType string, body []byte) (holdfast.Kind, holdfast.Index, error) {
	if err := holdfast.CheckName(name); err != nil {
		return 0, holdfast.Index{}, fail("Put", holdfast.Invalid, name, err.Error())
	}
	if int64(len(body)) > s.limits.Resource {
		return 0, holdfast.Index{}, &holdfast.Error{Op: "core.Put", Kind: holdfast.TooLarge, Ref: name, Rule: "max-resource-size",
			Text: fmt.Sprintf("a resource has at most %d octets, this one has %d", s.limits.Resource, len(body))}
	}
	judge := s.judges[c.Type]
	if c.Type == holdfast.TypeAlbum {
		judge = judgeReference
	}
	if judge == nil {
		return 0, holdfast.Index{}, fail("Put", holdfast.Forbidden, name, article(c.Type)+" takes no resources here")
	}
	return judge(c, name, contentType, body)
}

// Delete makes a resource a tombstone, or a collection with all that is in it; its versions are kept. A guest who deletes a collection where it hangs in his home takes it out of there, and no more.
// Errors: NotFound, PreconditionFailed, Forbidden.
func (s *Service) Delete(ctx context.Context, p holdfast.Principal, at Place, pre holdfast.Precondition, cond Conditions) (holdfast.Receipt, error) {
	if at.Binding {
		return s.unbind(ctx, p, at, pre, cond)
	}
	c, err := s.subject(ctx, p, at)
	if err != nil {
		return holdfast.Receipt{}, err
	}
	if at.Name == "" && c.Type.Fixed() {
		return holdfast.Receipt{}, fixed("Delete", c.Name)
	}
	r, err := s.fetch(ctx, at, recordOf(at))
	if err == nil && r.State == holdfast.Ghost {
		err = s.sees(ctx, p, &r)
	}
	if err == nil {
		err = stays(p, at, &c, &r)
	}
	if err != nil {
		return holdfast.Receipt{}, err
	}
	e := s.entry(p.Actor(), holdfast.OpDelete, r.Kind, at.Collection, at.Name, nil, nil)
	e.If = pre
	if p.Account != at.Owner && at.Name == "" && e.If.Seq == 0 {
		e.If.Seq = r.Seq
	}
	receipt, err := s.commitFor(ctx, p, &holdfast.Group{Account: at.Owner, Entries: []holdfast.Entry{e}, If: cond}, reaches(at, &c)...)
	if err == nil {
		gone := 1
		if at.Name == "" {
			gone = s.membersOf(ctx, at.Owner, at.Collection)
		}
		s.done(ctx, p, at.Owner, act{seq: receipt.Seq, collection: at.Collection, deleted: gone})
	}
	return receipt, err
}

// recordOf asks for a collection's own record with it.
func recordOf(at Place) Fields {
	if at.Name == "" {
		return WithBody
	}
	return 0
}

// stays checks that a collection, of which r is the record, still lies in what the right of a guest was looked at in.
func stays(p holdfast.Principal, at Place, c *holdfast.Collection, r *holdfast.Resource) error {
	if p.Account == at.Owner || at.Name != "" {
		return nil
	}
	rec, err := holdfast.DecodeCollection(r.Body)
	if err == nil && rec.Parent != c.Parent {
		err = preconditionFailed(c.Name)
	}
	return err
}

// membersOf returns how many members a collection has, a deleted one too, with what is below it; at least 1, also where that cannot be known.
func (s *Service) membersOf(ctx context.Context, owner, id holdfast.ID) int {
	snap, err := s.engine.Snapshot(ctx)
	if err != nil {
		return 1
	}
	defer snap.Close()
	n, err := itemsBelow(snap, owner, id)
	if err != nil {
		return 1
	}
	return max(1, n)
}

// unbind takes another's collection out of the home of its guest. The right stays: it is the owner's to take.
func (s *Service) unbind(ctx context.Context, p holdfast.Principal, at Place, pre holdfast.Precondition, cond Conditions) (holdfast.Receipt, error) {
	if _, err := s.enter(ctx, p, at.Owner, at.Collection, Reads); err != nil {
		return holdfast.Receipt{}, err
	}
	e := s.entry(p.Actor(), holdfast.OpDelete, holdfast.KindBinding, p.Account, holdfast.BindingName(at.Collection), nil, nil)
	e.If = pre
	return s.commit(ctx, &holdfast.Group{Account: p.Account, Entries: []holdfast.Entry{e}, If: cond})
}

// SetProperties changes the dead properties of a resource or (Name "") a collection by fn, all or nothing. fn may be called again where another change
// came between. A guest has properties of his own on a collection where it hangs in his home, whatever his right: they lie in his own account, and the owner sees
// nothing of them. Errors: NotFound, PreconditionFailed, TooLarge, Forbidden, and what fn returns.
func (s *Service) SetProperties(ctx context.Context, p holdfast.Principal, at Place, cond Conditions, fn func(holdfast.Properties) (holdfast.Properties, error)) (holdfast.Receipt, error) {
	var receipt holdfast.Receipt
	var c holdfast.Collection
	var err error
	if at.Binding {
		if _, err := s.enter(ctx, p, at.Owner, at.Collection, Reads); err != nil {
			return receipt, err
		}
		at = Place{Owner: p.Account, Collection: p.Account, Name: holdfast.BindingName(at.Collection)}
	} else if c, err = s.subject(ctx, p, at); err != nil {
		return receipt, err
	}
	var last uint64
	for range maxRetries {
		r, err := s.fetch(ctx, at, everything)
		if err != nil || r.Seq == last {
			return receipt, cmp.Or(err, preconditionFailed(at.Name))
		}
		last = r.Seq
		props, err := fn(r.Properties)
		if err != nil {
			return receipt, err
		}
		if len(props) > holdfast.MaxProperties || len(props.Encode()) > holdfast.MaxPropertiesBytes {
			return receipt, fail("SetProperties", holdfast.TooLarge, at.Name, fmt.Sprintf("a resource has at most %d properties of %d octets in all", holdfast.MaxProperties, holdfast.MaxPropertiesBytes))
		}
		if r.Kind == holdfast.KindCollection || r.Kind == holdfast.KindBinding {
			if err := s.mayLook(ctx, at.Owner, at.Name, octetsOf(props)-octetsOf(r.Properties)); err != nil {
				return receipt, err
			}
		}
		e := s.entry(p.Actor(), holdfast.OpPut, r.Kind, at.Collection, at.Name, r.Body, props)
		e.ContentType, e.Blob, e.Index = r.ContentType, r.Blob, r.Index()
		e.If.Seq = r.Seq
		receipt, err = s.commitFor(ctx, p, &holdfast.Group{Account: at.Owner, Entries: []holdfast.Entry{e}, If: cond}, reaches(at, &c)...)
		if !holdfast.IsKind(err, holdfast.PreconditionFailed) {
			return receipt, err
		}
	}
	return receipt, preconditionFailed(at.Name)
}

func preconditionFailed(ref string) error {
	return fail("Write", holdfast.PreconditionFailed, ref, "a condition of the request does not hold")
}

// everything about one item.
const everything = WithBody | WithProps | WithType

// fetch reads one live item as it is now, for a write. Errors: NotFound, Unavailable (what is now is not acknowledged).
func (s *Service) fetch(ctx context.Context, at Place, f Fields) (holdfast.Resource, error) {
	snap, err := s.newest(ctx, at.Owner)
	if err != nil {
		return holdfast.Resource{}, err
	}
	defer snap.Close()
	return snap.Resource(at.Collection, at.Name, f)
}
