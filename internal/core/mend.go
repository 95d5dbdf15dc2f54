package core

import (
	"context"
	"io"

	"holdfast"
	"holdfast/internal/blob"
)

// Mending is one item that is put as a vault has it, verbatim: octets, properties and, of a collection, its id.
type Mending struct {
	Was *holdfast.Entry
	// Replaces is the change whose octets are damaged, and the item must still be as that change left it; 0: the item must not be there.
	Replaces uint64
	// Lost says that nobody has its octets: it becomes a ghost, which devices that have it keep.
	Lost bool
	// Octets hands over, as a stream, the octets that Was names and does not hold (a blob). It may call its function again, from the beginning, where that failed.
	Octets func(fn func(io.Reader) error) error
}

// Mend puts items of an account in one group: all of them, or none. What today's judge would refuse is put all the same: it was accepted once, and is found by its name. They are ordinary changes, of no device.
//
// Errors: PreconditionFailed (somebody wrote one meanwhile), UIDConflict (another item has its UID by now), Exists (another collection has its name), NotFound, Full, Unavailable, those of Octets.
func (s *Service) Mend(ctx context.Context, account holdfast.ID, list ...Mending) (holdfast.Receipt, error) {
	g := &holdfast.Group{Account: account}
	for _, m := range list {
		was := m.Was
		if was.Op != holdfast.OpPut || was.Kind == holdfast.KindEpoch {
			return holdfast.Receipt{}, fail("Mend", holdfast.Invalid, was.Name, "only what was put can be put again")
		}
		if was.Blob != nil && !m.Lost {
			pin, err := s.bringIn(ctx, account, &m)
			if err != nil {
				return holdfast.Receipt{}, err
			}
			defer pin.Release() // the commit has returned by then
		}
		e := s.entry(holdfast.Actor{}, holdfast.OpPut, was.Kind, was.Collection, was.Name, was.Body, was.Properties)
		if e.ContentType, e.Blob, e.Index = was.ContentType, was.Blob, was.Index; m.Lost {
			e.Blob = nil
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

// bringIn stores the octets of a large file that is put again, and gives them to the copies, before its change is committed.
func (s *Service) bringIn(ctx context.Context, account holdfast.ID, m *Mending) (pin *blob.Pin, err error) {
	want := *m.Was.Blob
	if !s.takesBlobs() || m.Octets == nil {
		return nil, fail("Mend", holdfast.Invalid, m.Was.Name, "its octets lie beside its change, and cannot be had or kept here")
	}
	defer func() {
		if err != nil && pin != nil {
			pin.Release()
		}
	}()
	if err = m.Octets(func(r io.Reader) error {
		p, err := s.blobs.Put(ctx, account, r, want.Size)
		if err != nil {
			return err
		}
		if pin != nil {
			pin.Release()
		}
		pin = p
		return nil
	}); err != nil {
		return pin, err
	}
	if pin == nil || pin.Blob != want {
		return pin, fail("Mend", holdfast.Corrupt, m.Was.Name, "what was handed over is not its octets")
	}
	return pin, s.copyOut(ctx, account, want)
}
