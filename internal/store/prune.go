package store

import (
	"fmt"

	"holdfast"
)

// MaxPrune is how many changes Prune takes at once, so that nobody who writes waits long.
const MaxPrune = 200

// Prunes tells why the octets of a change cannot be let go of; nil if they can. live tells whether the change is what its item is now. Every engine asks it.
func Prunes(c *holdfast.Change, live bool) error {
	ref := changeRef(c.Account, c.Seq)
	switch {
	case !c.Prunable():
		return Err("Prune", holdfast.Invalid, ref, "this change has no octets that may be let go of; nothing was")
	case live:
		return Err("Prune", holdfast.Invalid, ref, "this is what the item is now, and its octets stay; nothing was let go of")
	}
	return nil
}

// PrunesSo judges how many changes are to be let go of at once.
func PrunesSo(account holdfast.ID, seqs []uint64) error {
	if len(seqs) > MaxPrune {
		return Err("Prune", holdfast.TooLarge, account.String(), fmt.Sprintf("at most %d changes are taken at once", MaxPrune))
	}
	return nil
}

// Arrives tells why a change that was committed elsewhere cannot be one without octets; empty if it can.
func Arrives(c *holdfast.Change) string {
	if c.Pruned && (!c.Prunable() || c.Body != nil) {
		return "says that its octets were let go of, which cannot be: it is a record, had none, or has them"
	}
	return ""
}

// Hollow says that an item is there whose octets are not: they were let go of although nothing had replaced it. It is never shown as an empty one.
func Hollow(op, ref string) error {
	return Err(op, holdfast.Corrupt, ref, "the octets of what is there now were let go of, which must not be: `holdfast scrub` puts back what a vault has of them, and a PUT of the item by any of its devices makes a sound version")
}

// LetGo says that the octets of an earlier version are not there any more.
func LetGo(op, ref string, size int64) error {
	return &holdfast.Error{Op: op, Kind: holdfast.NotFound, Ref: ref, Text: fmt.Sprintf("the %d octets of this version were let go of: it was replaced or deleted, and retention (vault.retention) has ended since; its ETag, size and times are what is left", size)}
}
