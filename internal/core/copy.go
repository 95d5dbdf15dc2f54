package core

import (
	"context"
	"errors"

	"holdfast"
)

// copyPart is how many members a COPY commits at once.
const copyPart = 500

// Copy copies a resource, or a collection with its members. A collection's copy is filled where no face looks (directly below the account's root)
// and appears at the destination in one last commit: whoever looks sees all of it or none, and a copy that was cut short leaves nothing in sight.
// Sub-collections are copied likewise. Errors: as Move.
func (s *Service) Copy(ctx context.Context, p holdfast.Principal, t Transfer) (holdfast.Receipt, error) {
	to, err := s.ends(ctx, p, t)
	if err != nil {
		return holdfast.Receipt{}, err
	}
	src, err := s.fetch(ctx, t.From, everything)
	if err != nil {
		return holdfast.Receipt{}, err
	}
	g := &holdfast.Group{Account: t.From.Owner, If: t.Conditions, MaxOctets: s.limits.Quota}
	made, err := s.clear(ctx, p, g, t)
	if err != nil {
		return holdfast.Receipt{}, err
	}
	if t.From.Name == "" {
		err = s.copyCollection(ctx, p, g, t, &to, &src)
	} else {
		err = s.copyResource(p, g, t, &to, &src)
	}
	if err != nil {
		return holdfast.Receipt{}, err
	}
	r, err := s.commit(ctx, g)
	r.Created = made
	return r, err
}

func (s *Service) copyResource(p holdfast.Principal, g *holdfast.Group, t Transfer, to *holdfast.Collection, src *holdfast.Resource) error {
	kind, index, err := s.judge(to, t.To.Name, src.ContentType, src.Body)
	if err != nil {
		return err
	}
	if n := len(g.Entries); n > 0 && g.Entries[0].Name != "" {
		g.Entries = g.Entries[:n-1] // a resource over a resource is its next version, not a new one
	}
	put := s.entry(p.Actor(), holdfast.OpPut, kind, t.To.Collection, t.To.Name, src.Body, src.Properties)
	put.ContentType, put.Blob, put.Index = src.ContentType, src.Blob, index
	g.Entries = append(g.Entries, put)
	return nil
}

func (s *Service) copyCollection(ctx context.Context, p holdfast.Principal, g *holdfast.Group, t Transfer, to *holdfast.Collection, src *holdfast.Resource) error {
	rec, err := holdfast.DecodeCollection(src.Body)
	if err != nil {
		return &holdfast.Error{Op: "core.Copy", Kind: holdfast.Corrupt, Ref: t.From.Name, Err: err}
	}
	if err := s.mayHold(ctx, to, t.To.Owner, t.To.Name, rec.Type); err != nil {
		return err
	}
	if s.within(ctx, t.From.Owner, to.ID, t.From.Collection) {
		return fail("Copy", holdfast.Forbidden, t.To.Name, "a collection cannot be copied into itself")
	}
	rec.Parent, rec.Name = t.To.Collection, t.To.Name
	id, err := s.copyAside(ctx, p, t, rec, src.Properties)
	if err != nil {
		return err
	}
	g.Entries = append(g.Entries, s.entry(p.Actor(), holdfast.OpPut, holdfast.KindCollection, id, "", rec.Encode(), src.Properties))
	return nil
}

// within tells whether inner is outer or lies below it.
func (s *Service) within(ctx context.Context, owner, inner, outer holdfast.ID) bool {
	person, err := s.person(ctx, owner.String())
	if err != nil {
		return false
	}
	for id := inner; !id.IsZero(); id = person.tree[id].Parent {
		if id == outer {
			return true
		}
	}
	return false
}

// copyAside makes a filled copy of a collection directly below the root. If it fails, what was copied is deleted.
func (s *Service) copyAside(ctx context.Context, p holdfast.Principal, t Transfer, rec holdfast.CollectionRecord, props holdfast.Properties) (holdfast.ID, error) {
	id := holdfast.NewID(s.random)
	rec.Parent, rec.Name = t.From.Owner, ".copy-"+id.String()
	err := s.commitOne(ctx, t.From.Owner, s.entry(p.Actor(), holdfast.OpPut, holdfast.KindCollection, id, "", rec.Encode(), props))
	if err != nil {
		return id, err
	}
	if err = s.copyMembers(ctx, p, t, id); err != nil {
		drop := s.entry(p.Actor(), holdfast.OpDelete, holdfast.KindCollection, id, "", nil, nil)
		err = errors.Join(err, s.commitOne(context.WithoutCancel(ctx), t.From.Owner, drop))
	}
	return id, err
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
		g := &holdfast.Group{Account: t.From.Owner, MaxOctets: s.limits.Quota}
		snap, err := s.engine.Snapshot(ctx)
		if err != nil {
			return err
		}
		err = snap.List(t.From.Collection, after, copyPart, everything, func(r *holdfast.Resource) error {
			e := s.entry(p.Actor(), holdfast.OpPut, r.Kind, into, r.Name, append([]byte(nil), r.Body...), r.Properties)
			e.ContentType, e.Blob, e.Index = r.ContentType, r.Blob, holdfast.Index{UID: r.UID}
			g.Entries = append(g.Entries, e)
			after = r.Name
			return nil
		})
		snap.Close()
		if err != nil {
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
