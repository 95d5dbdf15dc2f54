package core

import (
	"context"
	"errors"

	"holdfast"
	"holdfast/internal/store"
)

// copyPart is how many members a COPY commits at once, copyOctets how many octets of them: it holds them in memory.
const (
	copyPart   = 500
	copyOctets = 8 << 20
)

// Copy copies a resource, or a collection with its members. A collection's copy is filled where no face looks (directly below the account's root)
// and appears at the destination in one last commit: whoever looks sees all of it or none, and a copy that was cut short leaves nothing in sight.
// Sub-collections are copied likewise. Errors: as Move.
func (s *Service) Copy(ctx context.Context, p holdfast.Principal, t Transfer) (holdfast.Receipt, error) {
	to, err := s.ends(ctx, p, t, Reads)
	if err != nil {
		return holdfast.Receipt{}, err
	}
	src, err := s.fetch(ctx, t.From, everything)
	if err != nil {
		return holdfast.Receipt{}, err
	}
	if t.From.Name == "" {
		return s.copyCollection(ctx, p, t, &to, &src)
	}
	if t.From.Owner != t.To.Owner {
		return s.cross(ctx, p, t, &to, false)
	}
	receipt, err := s.transfer(ctx, p, t, []holdfast.ID{t.To.Collection}, func(g *holdfast.Group, made bool) error { return s.copyResource(p, g, t, made, &to, &src) })
	if err == nil && !receipt.Created && !receipt.Replay {
		s.done(ctx, p, t.To.Owner, act{seq: receipt.Seq, collection: t.To.Collection, overwritten: 1})
	}
	return receipt, err
}

func (s *Service) copyResource(p holdfast.Principal, g *holdfast.Group, t Transfer, made bool, to *holdfast.Collection, src *holdfast.Resource) error {
	kind, index, err := s.judge(to, t.To.Name, src.ContentType, src.Body)
	if err != nil {
		return err
	}
	if n := len(g.Entries); n > 0 && g.Entries[0].Name != "" {
		g.Entries = g.Entries[:n-1] // a resource over a resource is its next version, not a new one
	}
	put := s.entry(p.Actor(), holdfast.OpPut, kind, t.To.Collection, t.To.Name, src.Body, src.Properties)
	put.ContentType, put.Blob, put.Index = src.ContentType, src.Blob, index
	if made {
		put.If.Exists = holdfast.Absent
	}
	g.Entries = append(g.Entries, put)
	return nil
}

func (s *Service) copyCollection(ctx context.Context, p holdfast.Principal, t Transfer, to *holdfast.Collection, src *holdfast.Resource) (holdfast.Receipt, error) {
	rec, err := holdfast.DecodeCollection(src.Body)
	if err != nil {
		return holdfast.Receipt{}, &holdfast.Error{Op: "core.Copy", Kind: holdfast.Corrupt, Ref: t.From.Name, Err: err}
	}
	more, looks := 1, octetsOf(src.Properties)
	if !t.Shallow {
		more, looks = s.below(ctx, t.From.Owner, t.From.Collection)
	}
	if err := s.mayHold(ctx, to, t.To.Owner, t.To.Name, rec.Type, more); err != nil {
		return holdfast.Receipt{}, err
	}
	if err := s.mayLook(ctx, t.To.Owner, t.To.Name, looks); err != nil {
		return holdfast.Receipt{}, err
	}
	if s.within(ctx, t.From.Owner, to.ID, t.From.Collection) {
		return holdfast.Receipt{}, fail("Copy", holdfast.Forbidden, t.To.Name, "a collection cannot be copied into itself")
	}
	if _, err := s.clear(ctx, p, &holdfast.Group{}, t); err != nil { // before all the work; the last commit judges it again
		return holdfast.Receipt{}, err
	}
	rec.Parent, rec.Name = t.To.Collection, t.To.Name
	aside, err := s.copyAside(ctx, p, t, rec, src.Properties)
	if err != nil {
		return holdfast.Receipt{}, err
	}
	r, err := s.transfer(ctx, p, t, []holdfast.ID{t.To.Collection}, func(g *holdfast.Group, _ bool) error {
		put := s.entry(p.Actor(), holdfast.OpPut, holdfast.KindCollection, aside.id, "", rec.Encode(), src.Properties)
		put.If.Seq = aside.seq
		g.Entries = append(g.Entries, put)
		return nil
	})
	if err != nil {
		err = s.abandon(ctx, p, t, aside, err)
	}
	return r, err
}

// below counts a collection and those below it, and the octets of their properties.
func (s *Service) below(ctx context.Context, owner, top holdfast.ID) (n, looks int) {
	person, err := s.person(ctx, owner.String())
	if err != nil {
		return 1, 0
	}
	for id, c := range person.tree {
		if person.within(id, top) {
			n, looks = n+1, looks+octetsOf(c.Properties)
		}
	}
	return n, looks
}

// within tells whether inner is outer or lies below it.
func (s *Service) within(ctx context.Context, owner, inner, outer holdfast.ID) bool {
	person, err := s.person(ctx, owner.String())
	return err == nil && person.within(inner, outer)
}

func (p *Person) within(inner, outer holdfast.ID) bool {
	for id := inner; !id.IsZero(); id = p.tree[id].Parent {
		if id == outer {
			return true
		}
	}
	return false
}

// aside is a copy that is not at its place yet, and the change that made it.
type aside struct {
	id  holdfast.ID
	seq uint64
}

// copyPrefix begins the names of copies that are not at their place yet. One that was left behind by a server that was killed is deleted later, see sweep.
const copyPrefix = ".copy-"

// copyAside makes a filled copy of a collection directly below the root. Its first commit judges the request's conditions, before there is anything
// to undo. If it fails, what was copied is deleted.
func (s *Service) copyAside(ctx context.Context, p holdfast.Principal, t Transfer, rec holdfast.CollectionRecord, props holdfast.Properties) (aside, error) {
	to := aside{id: holdfast.NewID(s.random)}
	rec.Parent, rec.Name = t.From.Owner, copyPrefix+to.id.String()
	e := s.entry(p.Actor(), holdfast.OpPut, holdfast.KindCollection, to.id, "", rec.Encode(), props)
	r, err := s.commit(ctx, &holdfast.Group{Account: t.From.Owner, Entries: []holdfast.Entry{e}, If: t.Conditions})
	if err != nil {
		return to, err
	}
	to.seq = r.Seq
	if err = s.copyMembers(ctx, p, t, to.id); err != nil {
		err = s.abandon(ctx, p, t, to, err)
	}
	return to, err
}

// abandon deletes a copy that does not come to its place, whatever became of the request, and returns why. A copy that is at its place after all, because
// the commit held although it was told to have failed, is left alone.
func (s *Service) abandon(ctx context.Context, p holdfast.Principal, t Transfer, a aside, why error) error {
	drop := s.entry(p.Actor(), holdfast.OpDelete, holdfast.KindCollection, a.id, "", nil, nil)
	drop.If.Seq = a.seq
	err := s.commitOne(context.WithoutCancel(ctx), t.From.Owner, drop)
	if holdfast.IsKind(err, holdfast.PreconditionFailed) {
		return why
	}
	if err != nil {
		s.log.Error("a copy that was cut short could not be deleted; nobody sees it, but it takes room", "account", t.From.Owner, "collection", a.id, "err", err)
	}
	return why
}

func (s *Service) commitOne(ctx context.Context, account holdfast.ID, e holdfast.Entry) error {
	_, err := s.commit(ctx, &holdfast.Group{Account: account, Entries: []holdfast.Entry{e}})
	return err
}

func (s *Service) copyMembers(ctx context.Context, p holdfast.Principal, t Transfer, into holdfast.ID) error {
	if t.Shallow {
		return nil
	}
	for after := ""; ; {
		octets := 0
		g := &holdfast.Group{Account: t.From.Owner, MaxOctets: s.limits.Quota}
		snap, err := s.newest(ctx, t.From.Owner)
		if err != nil {
			return err
		}
		err = snap.List(t.From.Collection, after, copyPart, everything, func(r *holdfast.Resource) error {
			if r.State == holdfast.Ghost {
				return store.Hollow("Copy", r.Name)
			}
			e := s.entry(p.Actor(), holdfast.OpPut, r.Kind, into, r.Name, append([]byte(nil), r.Body...), r.Properties)
			e.ContentType, e.Blob, e.Index = r.ContentType, r.Blob, r.Index()
			g.Entries = append(g.Entries, e)
			after = r.Name
			if octets += len(r.Body); octets >= copyOctets {
				return errPast
			}
			return nil
		})
		snap.Close()
		if err != nil && !errors.Is(err, errPast) {
			return err
		}
		if len(g.Entries) == 0 {
			return s.copyChildren(ctx, p, t, into)
		}
		if _, err := s.commit(ctx, g); err != nil {
			return err
		}
	}
}

func (s *Service) copyChildren(ctx context.Context, p holdfast.Principal, t Transfer, into holdfast.ID) error {
	person, err := s.person(ctx, t.From.Owner.String())
	if err != nil {
		return err
	}
	for id, c := range person.tree {
		if c.Parent != t.From.Collection || id == t.From.Collection {
			continue
		}
		child := holdfast.NewID(s.random)
		rec := holdfast.CollectionRecord{Parent: into, Name: c.Name, Type: c.Type, Components: c.Components}
		e := s.entry(p.Actor(), holdfast.OpPut, holdfast.KindCollection, child, "", rec.Encode(), c.Properties)
		if err := s.commitOne(ctx, t.From.Owner, e); err != nil {
			return err
		}
		sub := t
		sub.From.Collection = id
		if err := s.copyMembers(ctx, p, sub, child); err != nil {
			return err
		}
	}
	return nil
}
