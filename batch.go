package holdfast

import "crypto/sha256"

const tagBatch = "holdfast batch 1\n"

// Position is a point in the stream of a store's batches. The zero Position is before all of them.
type Position struct {
	Batch uint64
	Hash  Hash // binds all batches up to this one
}

// Batch is what a store made durable at once: whole groups, in commit order. Whoever holds one must not change it.
type Batch struct {
	Position
	Prev    Hash // the position's hash before it
	Changes []Change
	// Redacted says that an account of which the batch had changes was erased since: they are not in it, and its hash cannot be computed any more.
	Redacted bool
}

// GroupEnd is what a batch's hash says of one group.
type GroupEnd struct {
	Account ID
	Chain   Hash // the account's, at the group's end
}

// Ends returns what the batch's hash says of its groups.
func (b *Batch) Ends() []GroupEnd {
	var ends []GroupEnd
	for i := range b.Changes {
		if c := &b.Changes[i]; c.More == 0 {
			ends = append(ends, GroupEnd{c.Account, c.Chain})
		}
	}
	return ends
}

// BatchHash returns the position's hash after a batch: it binds the batches before it and, in order, each group by its account and the account's
// chain at the group's end.
func BatchHash(prev Hash, groups []GroupEnd) Hash {
	b := make([]byte, 0, len(tagBatch)+32+48*len(groups))
	b = append(b, tagBatch...)
	b = append(b, prev[:]...)
	for _, g := range groups {
		b = append(b, g.Account[:]...)
		b = append(b, g.Chain[:]...)
	}
	return sha256.Sum256(b)
}
