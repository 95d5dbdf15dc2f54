package store

import (
	"fmt"
	"math"
	"time"

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

// Whenever is when a ghost takes place, as nobody knows it: a listing by time must not leave it out, or devices take it for deleted.
var Whenever = holdfast.Times{Timed: true, First: math.MinInt64, Last: math.MaxInt64}

// GhostFound is what a check says of a ghost.
const GhostFound = "it is known to be lost: its octets were in nothing that this store was restored from"

// Hollow says that an item is a ghost: it is there, and its octets are nowhere. It is never shown as an empty one.
func Hollow(op, ref string) error {
	return &holdfast.Error{Op: "store." + op, Kind: holdfast.Unavailable, Ref: ref, Retry: time.Hour, Text: "the octets of this item are known to be lost: keep your copy. Any device that has it still makes it whole by changing and saving it there, and `holdfast repair --from VAULT` by a vault that has it"}
}

// LetGo says that the octets of an earlier version are not there any more.
func LetGo(op, ref string, size int64) error {
	return &holdfast.Error{Op: op, Kind: holdfast.NotFound, Ref: ref, Text: fmt.Sprintf("the %d octets of this version were let go of: it was replaced or deleted, and retention (vault.retention) has ended since; its ETag, size and times are what is left", size)}
}
