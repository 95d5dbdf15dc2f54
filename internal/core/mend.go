package core

import (
	"context"

	"holdfast"
)

// Mending is one item that is put as a vault has it, verbatim: octets, properties and, of a collection, its id.
type Mending struct {
	Was *holdfast.Entry
	// Replaces is the change whose octets are damaged, and the item must still be as that change left it; 0: the item must not be there.
	Replaces uint64
	// Lost says that nobody has its octets: it becomes a ghost, which devices that have it keep.
	Lost bool
}

// Mend puts items of an account in one group: all of them, or none. What today's judge would refuse is put all the same: it was accepted once, and is found by its name. They are ordinary changes, of no device.
//
// Errors: PreconditionFailed (somebody wrote one meanwhile), UIDConflict (another item has its UID by now), Exists (another collection has its name), NotFound, Full, Unavailable.
func (s *Service) Mend(ctx context.Context, account holdfast.ID, list ...Mending) (holdfast.Receipt, error) {
	g := &holdfast.Group{Account: account}
	for _, m := range list {
		was := m.Was
		if was.Op != holdfast.OpPut || was.Kind == holdfast.KindEpoch || was.Blob != nil {
			return holdfast.Receipt{}, fail("Mend", holdfast.Invalid, was.Name, "only what was put can be put again")
		}
		e := s.entry(holdfast.Actor{}, holdfast.OpPut, was.Kind, was.Collection, was.Name, was.Body, was.Properties)
		if e.ContentType, e.Index = was.ContentType, was.Index; m.Lost {
			e.Body, e.Index, e.Lost, e.ETag, e.Size = nil, holdfast.Index{}, true, was.ETag, was.Size
		}
		e.If = holdfast.Precondition{Exists: holdfast.Absent}
		if m.Replaces > 0 {
			e.If = holdfast.Precondition{Seq: m.Replaces, SameUID: true}
		}
		g.Entries = append(g.Entries, e)
	}
	return s.commit(ctx, g)
}
