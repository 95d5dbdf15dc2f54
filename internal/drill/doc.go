// Package drill proves that a vault restores: it rebuilds accounts out of one vault alone into an empty engine, and compares what came out with the living store.
//
// # What is compared
//
// The history of each account leads to one chain, and its live items to one state; both together are its digest. A drill restores as far as the vault goes, and asks the living store for its digest at the very same seq, so that it need not stop
// for anybody who writes meanwhile. Digests are made of recorded hashes: so each body is read and hashed again, and the chain followed from the first change on, in what was restored and in the living store.
//
// How far the vault has to go is what it confirmed before the drill began (the batch up to which the store was told that it is durable there), and not what it says now: a vault that answers and keeps nothing does not pass.
//
// # What the results mean
//
//   - pass: every account that was to be restored was, as far as it had to, and every digest is equal; nothing damaged was met.
//   - fail: something is missing, or different.
//   - inconclusive: it could not be found out, or something damaged was met though all could be restored. It alarms as a failure does, for nothing is proven.
//
// A result is kept (see Book), and named in the next signed head of each vault by its hash.
package drill

import "holdfast"

func fail(op string, kind holdfast.ErrorKind, ref, text string, err error) error {
	return &holdfast.Error{Op: "drill." + op, Kind: kind, Ref: ref, Text: text, Err: err}
}
