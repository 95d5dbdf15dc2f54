package core

import (
	"context"

	"holdfast"
	"holdfast/internal/store"
)

// Finding is one thing that [Service.Check] found wrong.
type Finding = store.Finding

// ByUID returns the live resource that has the UID. Errors: NotFound.
func (r *Reader) ByUID(c holdfast.ID, uid string) (holdfast.Resource, error) {
	if err := r.mine(c); err != nil {
		return holdfast.Resource{}, err
	}
	return r.snap.ByUID(c, uid)
}

// Inspect is Read for the operator, who may take out every account, a suspended one too. It never serves a face that others reach. Errors: NotFound
// (the account), and what fn returns.
func (s *Service) Inspect(ctx context.Context, owner holdfast.ID, fn func(*Reader) error) error {
	person, err := s.person(ctx, owner.String())
	if err != nil {
		return err
	}
	r := &Reader{s: s, all: true, owner: person, p: holdfast.Principal{Account: owner}, began: s.clock.Now(), gen: s.dir.generation()}
	if r.snap, err = s.snapshot(ctx, owner); err != nil {
		return err
	}
	return r.run(fn)
}

// Outcome is what became of one item of [Service.PutMany].
type Outcome uint8

// The outcomes.
const (
	Refused  Outcome = iota // see Err
	Created                 // it was not there
	Same                    // these very octets were there
	Replaced                // other octets with this UID were there; they are kept in history
)

// Item is one resource for [Service.PutMany].
type Item struct {
	Name        string // where it goes if its UID is not there yet and the name is free
	Other       string // where it goes if Name is taken
	ContentType string
	Body        []byte
	Instead     holdfast.Hash // the ETag of a version with this UID that it may replace; zero: none
}

// ItemResult is what became of an item.
type ItemResult struct {
	Outcome Outcome
	Name    string // where it is
	UID     string
	Err     error // of kind Invalid, TooLarge, UIDConflict, Exists, Quota
}

// PutManyRequest is a part of an import.
type PutManyRequest struct {
	Owner      holdfast.ID
	Collection holdfast.ID
	Items      []Item // at most MaxGroup
	Replace    bool   // other octets with the same UID are replaced rather than refused
	DryRun     bool   // judge, commit nothing
}

// PutMany stores many resources with one commit, or with several where an item stands in another's way. Each is judged as Put would judge it; one that is
// refused does not keep the others back. A resource is found again by its UID, so what was stored already is not stored twice: an import that was cut short
// is simply run again.
//
// The error is of what kept it from going on: Forbidden, NotFound, Unavailable, Full. results then says what was done before.
func (s *Service) PutMany(ctx context.Context, p holdfast.Principal, q PutManyRequest) (results []ItemResult, err error) {
	c, err := s.target(ctx, p, Place{Owner: q.Owner, Collection: q.Collection})
	if err != nil {
		return nil, err
	}
	return s.putMany(ctx, p, p.Actor(), c, q)
}

// putMany is PutMany once it is known that the principal may.
func (s *Service) putMany(ctx context.Context, p holdfast.Principal, by holdfast.Actor, c holdfast.Collection, q PutManyRequest) ([]ItemResult, error) {
	if len(q.Items) > holdfast.MaxGroup {
		return nil, fail("PutMany", holdfast.TooLarge, c.Name, "too many items at once")
	}
	m := many{s: s, p: p, by: by, q: q, c: c, results: make([]ItemResult, len(q.Items)), uids: map[string]bool{}, names: map[string]bool{}}
	for i := range q.Items {
		if err := m.add(ctx, i); err != nil {
			return m.results, err
		}
	}
	return m.results, m.flush(ctx)
}

// many is one run of PutMany: a group that grows until an item needs what the group holds.
type many struct {
	s       *Service
	p       holdfast.Principal
	by      holdfast.Actor
	q       PutManyRequest
	c       holdfast.Collection
	results []ItemResult
	group   []holdfast.Entry
	index   []int // of each entry's item
	uids    map[string]bool
	names   map[string]bool
}

func (m *many) add(ctx context.Context, i int) error {
	x := m.q.Items[i]
	kind, index, err := m.s.judge(&m.c, x.Name, x.ContentType, x.Body)
	if err == nil {
		err = m.free(ctx, x.Name, x.Other)
	}
	if err != nil {
		m.results[i].Err = err
		return nil
	}
	m.results[i].UID = index.UID
	if m.uids[index.UID] || m.names[x.Name] || m.names[x.Other] {
		if err := m.flush(ctx); err != nil {
			return err
		}
	}
	e := m.s.entry(m.by, holdfast.OpPut, kind, m.c.ID, x.Name, x.Body, nil)
	e.ContentType, e.Index = x.ContentType, index
	ok, err := m.place(ctx, i, &e)
	if err != nil || !ok {
		return err
	}
	m.group, m.index = append(m.group, e), append(m.index, i)
	m.uids[index.UID], m.names[e.Name] = true, true
	return nil
}

// free refuses names in a home that what others share has there.
func (m *many) free(ctx context.Context, names ...string) error {
	if m.c.Type != holdfast.TypeHome {
		return nil
	}
	person, err := m.s.person(ctx, m.q.Owner.String())
	for _, name := range names {
		if err == nil && person.bindsAt(&m.c, name) {
			err = boundThere(name)
		}
	}
	return err
}

// place decides where the item goes, if it goes anywhere.
func (m *many) place(ctx context.Context, i int, e *holdfast.Entry) (bool, error) {
	snap, err := m.s.newest(ctx, m.c.Account)
	if err != nil {
		return false, err
	}
	defer snap.Close()
	r := &m.results[i]
	old, err := snap.ByUID(m.c.ID, e.Index.UID)
	switch {
	case err == nil && old.ETag == holdfast.HashOf(e.Body):
		r.Outcome, r.Name = Same, old.Name
		return false, nil
	case err == nil && !m.q.Replace && (old.ETag != m.q.Items[i].Instead || old.ETag.IsZero()):
		r.Err = &holdfast.Error{Op: "core.PutMany", Kind: holdfast.UIDConflict, Ref: old.Name, Rule: "no-uid-conflict",
			Text: "another version of this " + thing(&m.c) + " is there already, as " + old.Name}
		return false, nil
	case err == nil:
		r.Outcome, r.Name, e.Name = Replaced, old.Name, old.Name
		full, err := snap.Resource(m.c.ID, old.Name, WithProps)
		e.Properties, e.If.Seq = full.Properties, full.Seq
		return true, err
	case !holdfast.IsKind(err, holdfast.NotFound):
		return false, err
	}
	e.If.Exists = holdfast.Absent
	for _, name := range []string{e.Name, m.q.Items[i].Other} {
		x, err := snap.Resource(m.c.ID, name, 0)
		if err == nil && x.State == holdfast.Ghost { // its octets are lost, and nothing is overwritten
			r.Outcome, r.Name, e.Name, e.If = Created, name, name, holdfast.Precondition{Seq: x.Seq}
			full, err := snap.Resource(m.c.ID, name, WithProps)
			e.Properties = full.Properties
			return true, err
		}
		if holdfast.IsKind(err, holdfast.NotFound) && holdfast.CheckName(name) == nil {
			r.Outcome, r.Name, e.Name = Created, name, name
			return true, nil
		}
		if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
			return false, err
		}
	}
	r.Err = fail("PutMany", holdfast.Exists, e.Name, "another "+thing(&m.c)+" has this name already")
	return false, nil
}

// thing names what a collection holds.
func thing(c *holdfast.Collection) string {
	if c.Type == holdfast.TypeAddressbook {
		return "contact"
	}
	return "item"
}

// Judge tells whether an item could be stored in a collection of this record, which need not be there. Errors: those of Put that concern octets and name.
func (s *Service) Judge(c *holdfast.Collection, x Item) error {
	_, _, err := s.judge(c, x.Name, x.ContentType, x.Body)
	return err
}

// flush commits what is gathered. Where the group fails for the sake of one item, each is tried alone.
func (m *many) flush(ctx context.Context) error {
	entries, index := m.group, m.index
	m.group, m.index = nil, nil
	clear(m.uids)
	clear(m.names)
	if len(entries) == 0 || m.q.DryRun {
		return nil
	}
	err := m.commit(ctx, entries)
	if err == nil || !ofOne(err) {
		m.refuse(index, err)
		return err
	}
	if len(entries) == 1 {
		m.refuse(index, err)
		return nil
	}
	for k := range entries {
		err := m.commit(ctx, entries[k:k+1])
		m.refuse(index[k:k+1], err)
		if err != nil && !ofOne(err) {
			m.refuse(index[k+1:], err)
			return err
		}
	}
	return nil
}

func (m *many) commit(ctx context.Context, entries []holdfast.Entry) error {
	g := &holdfast.Group{Account: m.q.Owner, Entries: append([]holdfast.Entry(nil), entries...), MaxOctets: m.s.limits.Quota}
	_, err := m.s.commitFor(ctx, m.p, g, m.c.ID)
	return err
}

func (m *many) refuse(index []int, err error) {
	if err == nil {
		return
	}
	for _, i := range index {
		m.results[i].Outcome, m.results[i].Err = Refused, err
	}
}

// ofOne tells whether an error of a commit is about one of its items, so that the others may still go.
func ofOne(err error) bool {
	switch holdfast.KindOf(err) {
	case holdfast.PreconditionFailed, holdfast.UIDConflict, holdfast.Exists, holdfast.Quota, holdfast.Invalid, holdfast.TooLarge:
		return true
	}
	return false
}

// PathOf returns the path of a collection in its owner's tree, "addressbooks/default"; empty for one that cannot be reached from the root.
func (r *Reader) PathOf(id holdfast.ID) string {
	owner := r.owner.ID
	if x := r.others[id]; x != nil {
		owner = x.owner.ID
	}
	path, _ := pathOf(r.snap, owner, id) // what cannot be looked up has none
	return path
}
