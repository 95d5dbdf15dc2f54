package store

import (
	"strconv"

	"holdfast"
)

// Mends tells why octets cannot be put in the place of a change's; nil if they can. live tells whether the change is what its item is now. Every engine asks it.
func Mends(c *holdfast.Change, live bool, body []byte) error {
	ref := changeRef(c.Account, c.Seq)
	switch {
	case c.Op != holdfast.OpPut || c.Blob != nil:
		return Err("Mend", holdfast.Invalid, ref, "this change has no octets of its own")
	case c.Pruned && !live: // of what is live they were let go of by mistake
		return Err("Mend", holdfast.Invalid, ref, "its octets were let go of by retention, and are not brought back; nothing was written")
	case holdfast.HashOf(body) != c.ETag:
		return Err("Mend", holdfast.Invalid, ref, "these octets do not have the hash that the change recorded; nothing was written")
	}
	return nil
}

// NoChange says that an account has no change of a seq, or that there is no such account.
func NoChange(op string, account holdfast.ID, seq uint64) error {
	return Err(op, holdfast.NotFound, changeRef(account, seq), "there is no such change")
}

func changeRef(account holdfast.ID, seq uint64) string {
	return account.String() + " change " + strconv.FormatUint(seq, 10)
}
