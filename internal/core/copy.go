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
	_, to, err := s.ends(ctx, p, t, Reads)
	if err != nil {
		return holdfast.Receipt{}, err
	}
	src, err := s.fetch(ctx, t.From, everything)
	if err != nil {
		return holdfast.Receipt{}, err
	}
	if t.From.Name == "" {
		return s.copyWhole(ctx, p, t, &to, &src)
	}
	if t.crosses() {
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

// copyWhole answers the COPY of a collection. It goes on when who asked is gone, and who asks again is told what came of it.
func (s *Service) copyWhole(ctx context.Context, p holdfast.Principal, t Transfer, to *holdfast.Collection, src *holdfast.Resource) (holdfast.Receipt, error) {
	x := &copying{s: s, p: p, t: t, seqs: map[holdfast.ID]uint64{}, goesOn: true}
	if err := x.identify(ctx, src); err != nil {
		return holdfast.Receipt{}, err
	}
	return x.once(ctx, func() (holdfast.Receipt, error) { return x.make(context.WithoutCancel(ctx), to, src) })
}

// copyCollection copies a collection, always anew. It returns with the receipt what was copied.
func (s *Service) copyCollection(ctx context.Context, p holdfast.Principal, t Transfer, to *holdfast.Collection, src *holdfast.Resource) (holdfast.Receipt, *copying, error) {
	x := &copying{s: s, p: p, t: t, seqs: map[holdfast.ID]uint64{}}
	r, err := x.make(ctx, to, src)
	return r, x, err
}

// make makes the copy, and brings it to its place.
func (x *copying) make(ctx context.Context, to *holdfast.Collection, src *holdfast.Resource) (holdfast.Receipt, error) {
	s, p, t := x.s, x.p, x.t
	rec, err := holdfast.DecodeCollection(src.Body)
	if err != nil {
		return holdfast.Receipt{}, &holdfast.Error{Op: "core.Copy", Kind: holdfast.Corrupt, Ref: t.From.Name, Err: err}
	}
	props := src.Properties
	if t.From.Binding { // the guest does not see the owner's
		props = nil
	}
	more, looks := 1, octetsOf(props)
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
	with := t.From
	if t.Shallow {
		with = Place{}
	}
	if err := s.mayReach(ctx, t.To, with); err != nil {
		return holdfast.Receipt{}, err
	}
	if _, err := s.clear(ctx, p, &holdfast.Group{}, t); err != nil { // before all the work; the last commit judges it again
		return holdfast.Receipt{}, err
	}
	if x.goesOn {
		if r, is, err := x.met(ctx); err != nil || is {
			return r, err
		}
	}
	rec.Parent, rec.Name = t.To.Collection, t.To.Name
	aside, err := x.aside(ctx, rec, props)
	if err != nil {
		return holdfast.Receipt{}, err
	}
	r, err := s.transfer(ctx, p, t, []holdfast.ID{t.To.Collection}, func(g *holdfast.Group, _ bool) error {
		put := s.entry(p.Actor(), holdfast.OpPut, holdfast.KindCollection, aside.id, "", rec.Encode(), props)
		put.If.Seq = aside.seq
		g.Entries = append(g.Entries, put)
		return nil
	})
	if err != nil {
		err = x.abandon(ctx, aside, err)
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

// copying is a COPY of a collection under way.
type copying struct {
	s    *Service
	p    holdfast.Principal
	t    Transfer
	seqs map[holdfast.ID]uint64 // of each collection that was copied, the last change in it as it was when that began

	goesOn bool // with what the same request left aside
	same   sameCopy
	again  bool // it does
}

// commit commits a part of the copy, which nobody sees yet. Who may not write where it will be adds nothing.
func (x *copying) commit(ctx context.Context, g *holdfast.Group) (holdfast.Receipt, error) {
	g.Account = x.t.To.Owner
	return x.s.commitFor(ctx, x.p, g, x.t.To.Collection)
}

// aside makes a filled copy of a collection directly below the root. Its first commit judges the request's conditions, before there is anything
// to undo. If it fails, what was copied is deleted.
func (x *copying) aside(ctx context.Context, rec holdfast.CollectionRecord, props holdfast.Properties) (aside, error) {
	to := aside{id: holdfast.NewID(x.s.random)}
	if x.goesOn {
		var err error
		if to, x.again, err = x.place(ctx); err != nil {
			return to, err
		}
	}
	defer x.s.copying.fills(to.id)()
	if x.again {
		return to, x.fill(ctx, to)
	}
	if x.t.crosses() && !x.t.Shallow { // within an account the commits count it, and no octets are moved
		if err := x.s.holdsTree(ctx, &x.t); err != nil {
			return to, err
		}
	}
	rec.Parent, rec.Name = x.t.To.Owner, copyPrefix+to.id.String()
	e := x.s.entry(x.p.Actor(), holdfast.OpPut, holdfast.KindCollection, to.id, "", rec.Encode(), props)
	r, err := x.commit(ctx, &holdfast.Group{Entries: []holdfast.Entry{e}, If: x.t.Conditions})
	if err != nil {
		return to, err
	}
	to.seq = r.Seq
	return to, x.fill(ctx, to)
}

// fill copies what is in the source.
func (x *copying) fill(ctx context.Context, to aside) error {
	if x.t.Shallow {
		return nil
	}
	err := x.members(ctx, x.t.From.Collection, to.id)
	if err != nil {
		err = x.abandon(ctx, to, err)
	}
	return err
}

// abandon deletes a copy that does not come to its place, and returns why. What may come there when the same is asked again stays aside. A copy that is at its place after all, because
// the commit held although it was told to have failed, is left alone.
func (x *copying) abandon(ctx context.Context, a aside, why error) error {
	if x.goesOn && ofTheMoment(ctx, why) {
		return why
	}
	drop := x.s.entry(x.p.Actor(), holdfast.OpDelete, holdfast.KindCollection, a.id, "", nil, nil)
	drop.If.Seq = a.seq
	err := x.s.commitOne(context.WithoutCancel(ctx), x.t.To.Owner, drop)
	if holdfast.IsKind(err, holdfast.PreconditionFailed) {
		return why
	}
	if err != nil {
		x.s.log.Error("a copy that was cut short could not be deleted; nobody sees it, but it takes room", "account", x.t.To.Owner, "collection", a.id, "err", err)
	}
	return why
}

func (s *Service) commitOne(ctx context.Context, account holdfast.ID, e holdfast.Entry) error {
	_, err := s.commit(ctx, &holdfast.Group{Account: account, Entries: []holdfast.Entry{e}})
	return err
}

// members copies what is in a collection, and what is below it, into another one.
func (x *copying) members(ctx context.Context, from, into holdfast.ID) error {
	after, err := x.reached(ctx, into)
	if err != nil {
		return err
	}
	for {
		g, last, err := x.page(ctx, from, into, after)
		if err != nil {
			return err
		}
		if len(g.Entries) == 0 {
			return x.children(ctx, from, into)
		}
		if err := x.put(ctx, g); err != nil {
			return err
		}
		after = last
	}
}

// page makes the entries of the next members.
func (x *copying) page(ctx context.Context, from, into holdfast.ID, after string) (g *holdfast.Group, last string, err error) {
	octets := 0
	g, last = &holdfast.Group{MaxOctets: x.s.limits.Quota}, after
	if err := x.s.May(ctx, x.p, x.t.From.Owner, from, Reads); err != nil { // it may have ended since the page before
		return g, last, err
	}
	snap, err := x.s.newest(ctx, x.t.From.Owner)
	if err != nil {
		return g, last, err
	}
	defer snap.Close()
	if _, begun := x.seqs[from]; !begun {
		c, err := snap.Collection(from)
		if err != nil {
			return g, last, err
		}
		x.seqs[from] = c.Seq
	}
	err = snap.List(from, after, copyPart, everything, func(r *holdfast.Resource) error {
		if r.State == holdfast.Ghost {
			return store.Hollow("Copy", r.Name)
		}
		e := x.s.entry(x.p.Actor(), holdfast.OpPut, r.Kind, into, r.Name, append([]byte(nil), r.Body...), r.Properties)
		e.ContentType, e.Blob, e.Index = r.ContentType, r.Blob, r.Index()
		g.Entries = append(g.Entries, e)
		last = r.Name
		if octets += len(r.Body); octets >= copyOctets {
			return errPast
		}
		return nil
	})
	if errors.Is(err, errPast) {
		err = nil
	}
	return g, last, err
}

// put commits members. Their blobs come with them where they are to be another account's.
func (x *copying) put(ctx context.Context, g *holdfast.Group) error {
	if x.t.crosses() {
		pins, err := x.s.carry(ctx, &x.t, g.Entries)
		defer pins.release()
		if err != nil {
			return err
		}
	}
	_, err := x.commit(ctx, g)
	return err
}

func (x *copying) children(ctx context.Context, from, into holdfast.ID) error {
	person, err := x.s.person(ctx, x.t.From.Owner.String())
	if err != nil {
		return err
	}
	for id, c := range person.tree {
		if c.Parent != from || id == from {
			continue
		}
		child, err := x.child(ctx, into, c.Name)
		if err != nil {
			return err
		}
		if !child.IsZero() {
			if err := x.members(ctx, id, child); err != nil {
				return err
			}
			continue
		}
		child = holdfast.NewID(x.s.random)
		rec := holdfast.CollectionRecord{Parent: into, Name: c.Name, Type: c.Type, Components: c.Components}
		e := x.s.entry(x.p.Actor(), holdfast.OpPut, holdfast.KindCollection, child, "", rec.Encode(), c.Properties)
		if _, err := x.commit(ctx, &holdfast.Group{Entries: []holdfast.Entry{e}}); err != nil {
			return err
		}
		if err := x.members(ctx, id, child); err != nil {
			return err
		}
	}
	return nil
}
