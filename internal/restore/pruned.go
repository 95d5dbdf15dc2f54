package restore

import (
	"context"
	"errors"
	"fmt"

	"holdfast/internal/vault"
)

// Retention lets go of the octets of versions that were replaced or deleted long ago. Such a version is restored as what it is, and nothing is lost. But one that nothing replaces in what is restored would be there and have no octets: as of a moment before retention began, or because it was let go of
// by mistake, or because a ledger alone knows of it. Such a version is a loss: it is named, and nobody is shown an empty item. Of the newest history it becomes a ghost: the change is applied without its octets, so that the history is whole, and whoever has the item keeps it. As of an earlier moment it is as if its change were missing: what devices have is
// newer. Which they are is known only once the whole history was read, so an account with versions that lack octets is read once before.

// errPruned ends the reading at the first version without octets.
var errPruned = errors.New("octets were let go of")

// hollows finds out which versions would be there without octets.
func (a *loading) hollows(ctx context.Context) error {
	a.hollow = map[uint64]bool{}
	now := map[itemKey][]uint64{} // and the versions before, down to one that has octets: they would be there in its place
	err := a.content.Changes(ctx, func(list []vault.Loaded) error {
		for i := 0; i < len(list); {
			end := groupEnd(list, i)
			if a.r.o.Seq > 0 && list[end].Seq > a.r.o.Seq {
				return errGap // the seq that was asked for is reached
			}
			for ; i <= end; i++ {
				c := &list[i]
				if at := (itemKey{c.Collection, c.Name}); c.Pruned {
					now[at] = append(now[at], c.Seq)
				} else {
					delete(now, at)
				}
			}
		}
		return nil
	})
	if err != nil && err != errGap {
		return err
	}
	for _, list := range now {
		if a.haunted() {
			list = list[len(list)-1:] // those before are versions that something replaced
		}
		for _, seq := range list {
			a.hollow[seq] = true
		}
	}
	return nil
}

// haunted tells whether what has no octets becomes a ghost.
func (a *loading) haunted() bool { return a.content == a.newest && a.r.o.Seq == 0 }

// groupEnd returns where a group ends, as far as it is there.
func groupEnd(list []vault.Loaded, from int) int {
	for list[from].More > 0 && from+1 < len(list) {
		from++
	}
	return from
}

// lacks tells whether a group has a version that cannot be there without octets.
func (a *loading) lacks(group []vault.Loaded) bool {
	if a.haunted() {
		return false
	}
	for i := range group {
		if a.isHollow(&group[i]) {
			return true
		}
	}
	return false
}

func (a *loading) isHollow(c *vault.Loaded) bool { return c.Pruned && a.hollow[c.Seq] }

// loseHollow names a version that is lost because its octets were let go of.
func (a *loading) loseHollow(c *vault.Loaded) {
	a.lose(vault.Loss{Account: a.id, Collection: c.Collection, Name: c.Name, Kind: c.Kind, From: c.Seq, To: c.Seq, Time: c.Stored, Reason: a.whyHollow(c.Size)})
	x := &a.losses[len(a.losses)-1]
	x.ETag, x.Ghost = c.ETag.String(), a.haunted()
	if !x.Ghost {
		a.count--
	}
}

func (a *loading) whyHollow(size int64) string {
	if a.content != a.newest || a.r.o.Seq > 0 {
		return fmt.Sprintf("retention had ended for this version, and its %d octets were let go of: a later one replaced or deleted it, longer ago than vault.retention; a later moment can be restored as it was", size)
	}
	return fmt.Sprintf("its %d octets were let go of, as retention does, though nothing that was read replaces or deletes it, or a ledger alone knows of it; another vault may have them, or a device: it is listed as a ghost to those that are older than this restore, so that they keep it", size)
}
