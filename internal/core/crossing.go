package core

import (
	"context"
	"math"

	"holdfast"
	"holdfast/internal/blob"
)

// A COPY or MOVE between a guest's own collection and one that is shared with him, or between two that are shared by different owners, crosses from one account's
// journal into another's. No commit spans two journals: the copy is put first, the source deleted afterwards. A crash between leaves two, never none. Large files lie in each account by themselves, so
// their octets are copied, and count there.

// cross copies a member into a collection of another account. move deletes it at its source, if it is still what was copied; where another change came between,
// that is copied too.
func (s *Service) cross(ctx context.Context, p holdfast.Principal, t Transfer, to *holdfast.Collection, move bool) (holdfast.Receipt, error) {
	var first holdfast.Receipt
	var mine uint64 // what this request has put there
	for range maxRetries {
		src, err := s.fetch(ctx, t.From, everything)
		if err != nil {
			return first, err
		}
		r, err := s.putAcross(ctx, p, t, to, &src, mine)
		if err != nil {
			return r, err
		}
		if mine == 0 {
			if first = r; !r.Created && !r.Replay {
				s.done(ctx, p, t.To.Owner, act{seq: r.Seq, collection: t.To.Collection, overwritten: 1})
			}
		}
		first.Epoch, first.Seq, first.Hash = r.Epoch, r.Seq, r.Hash
		mine, t.Overwrite, t.Conditions = r.Seq, true, nil
		if !move {
			return first, nil
		}
		e := s.entry(p.Actor(), holdfast.OpDelete, src.Kind, t.From.Collection, t.From.Name, nil, nil)
		e.If.Seq = src.Seq
		r, err = s.commitFor(ctx, p, &holdfast.Group{Account: t.From.Owner, Entries: []holdfast.Entry{e}}, t.From.Collection)
		if err == nil { // from there it is gone, however well it is kept elsewhere
			s.done(ctx, p, t.From.Owner, act{seq: r.Seq, collection: t.From.Collection, deleted: 1})
		}
		if !holdfast.IsKind(err, holdfast.PreconditionFailed) || ctx.Err() != nil {
			return first, err
		}
	}
	return first, preconditionFailed(t.From.Name)
}

// putAcross puts one member into another account; over what this request has put there, if mine is not 0.
func (s *Service) putAcross(ctx context.Context, p holdfast.Principal, t Transfer, to *holdfast.Collection, src *holdfast.Resource, mine uint64) (holdfast.Receipt, error) {
	if _, err := s.clear(ctx, p, &holdfast.Group{}, t); err != nil { // before the octets are; the commit judges it again
		return holdfast.Receipt{}, err
	}
	pins, err := s.carry(ctx, &t, []holdfast.Entry{{Name: src.Name, Blob: src.Blob}})
	defer pins.release()
	if err != nil {
		return holdfast.Receipt{}, err
	}
	return s.transfer(ctx, p, t, []holdfast.ID{t.To.Collection}, func(g *holdfast.Group, made bool) error {
		err := s.copyResource(p, g, t, made, to, src)
		if err == nil && mine != 0 {
			g.Entries[len(g.Entries)-1].If = holdfast.Precondition{Seq: mine}
		}
		return err
	})
}

// pins hold blobs until a change names them.
type pins []*blob.Pin

func (ps pins) release() {
	for _, p := range ps {
		p.Release()
	}
}

// carry makes the blobs that entries name blobs of the account that the entries are to be in: streamed from the source's, verified on the way, durable here and in the copies that the policy waits for.
// What has no room, in the account or on the disk, is refused before the octets of any of them are read.
func (s *Service) carry(ctx context.Context, t *Transfer, entries []holdfast.Entry) (held pins, err error) {
	octets := int64(0)
	for i := range entries {
		if b := entries[i].Blob; b != nil {
			octets += b.Size
		}
	}
	if octets == 0 {
		return nil, nil
	}
	if err := s.holds(ctx, t.To, octets); err != nil {
		return nil, err
	}
	for i := range entries {
		b := entries[i].Blob
		if b == nil {
			continue
		}
		if s.blobs == nil {
			return held, fail("Copy", holdfast.Unavailable, entries[i].Name, "the store of large files is not there")
		}
		pin, err := s.carryOne(ctx, t, *b, entries[i].Name)
		if err != nil {
			return held, err
		}
		held = append(held, pin)
		if err := s.copyOut(ctx, t.To.Owner, *b); err != nil {
			return held, err
		}
	}
	return held, nil
}

func (s *Service) carryOne(ctx context.Context, t *Transfer, b holdfast.Blob, name string) (*blob.Pin, error) {
	src, err := s.openBlob(ctx, t.From.Owner, b, name)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	pin, err := s.blobs.Put(ctx, t.To.Owner, src, b.Size)
	if err == nil && pin.Blob != b {
		pin.Release()
		err = fail("Copy", holdfast.Corrupt, name, "what is stored is not what was put there; run holdfast scrub")
	}
	return pin, err
}

// holds refuses octets that an account has no room for at a place, or the disk.
func (s *Service) holds(ctx context.Context, at Place, octets int64) error {
	room, err := s.room(ctx, at)
	switch {
	case err != nil:
		return err
	case octets > room:
		return overQuota(at.Name)
	case s.roomy != nil && !s.roomy(octets):
		return fail("Copy", holdfast.Full, at.Name, "the disk of this server has no room for this; nothing was copied")
	}
	return nil
}

// holdsTree is holds of a folder that is to come from another account, with all below it.
func (s *Service) holdsTree(ctx context.Context, t *Transfer) error {
	snap, err := s.newest(ctx, t.From.Owner)
	if err != nil {
		return err
	}
	all, err := snap.Collections(t.From.Owner)
	snap.Close()
	octets := int64(0)
	for _, c := range below(t.From.Collection, all) {
		octets += c.Octets
	}
	for _, c := range all {
		if c.ID == t.From.Collection {
			octets += c.Octets
		}
	}
	if err != nil {
		return err
	}
	return s.holds(ctx, t.To, octets)
}

// room is how many octets may come to an account at a place, in the stead of what is there.
func (s *Service) room(ctx context.Context, at Place) (int64, error) {
	if s.limits.Quota == 0 {
		return math.MaxInt64, nil
	}
	snap, err := s.newest(ctx, at.Owner)
	if err != nil {
		return 0, err
	}
	defer snap.Close()
	old, err := snap.Resource(at.Collection, at.Name, 0)
	if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
		return 0, err
	}
	all, err := snap.Collections(at.Owner)
	return max(0, s.limits.Quota-octetsOfAll(at.Owner, all)+old.Size), err
}

// crossWhole moves a folder into another account. It is deleted at its source only as it was copied: where something in it was changed meanwhile both stay, and the answer says so.
func (s *Service) crossWhole(ctx context.Context, p holdfast.Principal, t Transfer, from, to *holdfast.Collection) (holdfast.Receipt, error) {
	src, err := s.fetch(ctx, t.From, everything)
	if err != nil {
		return holdfast.Receipt{}, err
	}
	receipt, done, err := s.copyCollection(ctx, p, t, to, &src)
	if err != nil {
		return receipt, err
	}
	r, err := s.dropCopied(ctx, p, t.From, from, done.seqs)
	if holdfast.IsKind(err, holdfast.PreconditionFailed) {
		err = fail("Move", holdfast.PreconditionFailed, from.Name, "something in this was changed while it was copied: it is at both places now, and nothing is lost; look at both, and delete one")
	}
	if err == nil {
		s.done(ctx, p, t.From.Owner, act{seq: r.Seq, collection: from.ID, deleted: s.membersOf(ctx, t.From.Owner, from.ID)})
	}
	return receipt, err
}

// dropCopied deletes a folder if all that is in it is as it was copied. Errors: PreconditionFailed.
func (s *Service) dropCopied(ctx context.Context, p holdfast.Principal, at Place, from *holdfast.Collection, seqs map[holdfast.ID]uint64) (holdfast.Receipt, error) {
	r, err := s.fetch(ctx, at, WithBody)
	if err == nil {
		err = stays(p, at, from, &r)
	}
	if err == nil {
		err = s.onlyCopied(ctx, at, seqs)
	}
	if err != nil {
		return holdfast.Receipt{}, err
	}
	e := s.entry(p.Actor(), holdfast.OpDelete, holdfast.KindCollection, at.Collection, "", nil, nil)
	e.If.Seq = r.Seq
	var as []holdfast.Condition
	for id, seq := range seqs {
		as = append(as, holdfast.Condition{Collection: id, Seq: seq})
	}
	return s.commitFor(ctx, p, &holdfast.Group{Account: at.Owner, Entries: []holdfast.Entry{e}, If: [][]holdfast.Condition{as}}, reaches(at, from)...)
}

// onlyCopied fails where there is a folder in one that was not copied.
func (s *Service) onlyCopied(ctx context.Context, at Place, seqs map[holdfast.ID]uint64) error {
	snap, err := s.newest(ctx, at.Owner)
	if err != nil {
		return err
	}
	defer snap.Close()
	all, err := snap.Collections(at.Owner)
	if err != nil {
		return err
	}
	for _, c := range below(at.Collection, all) {
		if _, ok := seqs[c.ID]; !ok {
			return preconditionFailed(c.Name)
		}
	}
	return nil
}

// rebind gives what another shares another name in the home of its guest, which is where it stays.
func (s *Service) rebind(ctx context.Context, p holdfast.Principal, t Transfer, to *holdfast.Collection) (holdfast.Receipt, error) {
	me, err := s.person(ctx, p.Account.String())
	if err != nil {
		return holdfast.Receipt{}, err
	}
	b := me.bindings[t.From.Collection]
	if t.To.Owner != p.Account || to.Parent != p.Account || to.Name != b.Home {
		return holdfast.Receipt{}, fail("Move", holdfast.Forbidden, t.To.Name, "what is shared with you stays in your home; there you may call it otherwise. To have it elsewhere copy it")
	}
	snap, err := s.newest(ctx, p.Account)
	if err != nil {
		return holdfast.Receipt{}, err
	}
	taken, err := me.taken(snap, to.ID, t.To.Name)
	snap.Close()
	switch {
	case err != nil:
		return holdfast.Receipt{}, err
	case taken && !t.Overwrite:
		return holdfast.Receipt{}, preconditionFailed(t.To.Name)
	case taken:
		return holdfast.Receipt{}, fail("Move", holdfast.Forbidden, t.To.Name, "something has this name; move or delete that first")
	}
	at := Place{Owner: p.Account, Collection: p.Account, Name: holdfast.BindingName(t.From.Collection)}
	r, err := s.fetch(ctx, at, everything)
	if err != nil {
		return holdfast.Receipt{}, err
	}
	rec, err := holdfast.DecodeBinding(r.Body)
	if err != nil {
		return holdfast.Receipt{}, &holdfast.Error{Op: "core.Move", Kind: holdfast.Corrupt, Ref: at.Name, Err: err}
	}
	rec.Name = t.To.Name
	e := s.entry(p.Actor(), holdfast.OpPut, holdfast.KindBinding, at.Collection, at.Name, rec.Encode(), r.Properties)
	e.If.Seq = r.Seq
	receipt, err := s.commit(ctx, &holdfast.Group{Account: p.Account, Entries: []holdfast.Entry{e}, If: t.Conditions})
	receipt.Created = err == nil
	return receipt, err
}
