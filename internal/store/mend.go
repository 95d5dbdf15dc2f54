package store

import (
	"strconv"

	"holdfast"
)

// Mends tells why octets cannot be put in the place of a change's; nil if they can. Every engine asks it.
func Mends(c *holdfast.Change, body []byte) error {
	ref := changeRef(c.Account, c.Seq)
	switch {
	case c.Op != holdfast.OpPut || c.Blob != nil:
		return Err("Mend", holdfast.Invalid, ref, "this change has no octets of its own")
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
