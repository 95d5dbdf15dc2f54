package core

import (
	"context"

	"holdfast"
)

// A COPY or MOVE between a guest's own collection and one that is shared with him, or between two that are shared by different owners, crosses from one account's
// journal into another's. No commit spans two journals: the copy is put first, the source deleted afterwards. A crash between leaves two, never none.

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
		if src.Blob != nil { // its octets are the other account's alone
			return first, fail("Copy", holdfast.Forbidden, t.From.Name, "a large file is not copied from one account to another here; download it and upload it there")
		}
		r, err := s.transfer(ctx, p, t, []holdfast.ID{to.ID}, func(g *holdfast.Group, made bool) error {
			err := s.copyResource(p, g, t, made, to, &src)
			if err == nil && mine != 0 {
				g.Entries[len(g.Entries)-1].If = holdfast.Precondition{Seq: mine}
			}
			return err
		})
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
