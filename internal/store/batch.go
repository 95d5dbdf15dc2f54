package store

import (
	"crypto/sha256"

	"holdfast"
)

// BatchHash returns the position's hash after a batch: it binds the batches before it and, in order, each group by its account and the account's
// chain at the group's end.
func BatchHash(prev holdfast.Hash, groups []GroupEnd) holdfast.Hash {
	b := make([]byte, 0, 64+48*len(groups))
	b = append(b, "holdfast batch 1\n"...)
	b = append(b, prev[:]...)
	for _, g := range groups {
		b = append(b, g.Account[:]...)
		b = append(b, g.Chain[:]...)
	}
	return sha256.Sum256(b)
}

// GroupEnd is what a batch's hash says of one group.
type GroupEnd struct {
	Account holdfast.ID
	Chain   holdfast.Hash
}
