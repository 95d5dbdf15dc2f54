package core

import (
	"context"

	"holdfast"
)

// Mend puts one item of an account as a vault has it, verbatim: octets, properties and, of a collection, its id. replaces is the change whose octets are damaged, and the item must still be as that change left it; 0: the
// item must not be there. What today's judge would refuse is put all the same: it was accepted once, and is found by its name. It is an ordinary change, of no device.
//
// Errors: PreconditionFailed (somebody wrote it meanwhile), UIDConflict (another item has its UID by now), Exists (another collection has its name), NotFound, Full, Unavailable.
func (s *Service) Mend(ctx context.Context, account holdfast.ID, was *holdfast.Entry, replaces uint64) (holdfast.Receipt, error) {
	if was.Op != holdfast.OpPut || was.Kind == holdfast.KindEpoch || was.Blob != nil {
		return holdfast.Receipt{}, fail("Mend", holdfast.Invalid, was.Name, "only what was put can be put again")
	}
	e := s.entry(holdfast.Actor{}, holdfast.OpPut, was.Kind, was.Collection, was.Name, was.Body, was.Properties)
	e.ContentType, e.Index = was.ContentType, was.Index
	e.If = holdfast.Precondition{Exists: holdfast.Absent}
	if replaces > 0 {
		e.If = holdfast.Precondition{Seq: replaces, SameUID: true}
	}
	return s.commit(ctx, &holdfast.Group{Account: account, Entries: []holdfast.Entry{e}})
}
