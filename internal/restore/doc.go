// Package restore builds a store out of vaults, and brings into a living one what it lacks.
//
// # What a restore does
//
// It reads each account's history out of the vaults, verified, and applies it to a new engine as it was: the same ids, seqs, chains. Then each account begins a new epoch with a change of its
// own, so that nobody takes two stores that were restored from one vault for one. Tokens of devices stay valid: they are judged by the chain, whatever the epoch.
//
// As of an earlier moment the content is that of then, but credentials (the account's record, devices, shares, bindings) are put again as they are newest: a password that was changed or a
// right that was taken back does not come back. An account that was made after that moment is restored as it is newest: it has no earlier state, and nothing is dropped.
//
// Where vaults lack something, what came before the gap is as it was. What came after it is applied too, entries being whole, but in a new epoch: its seqs and chains are new. A device that
// has seen the old ones proves with its token that something is missing; its account is in doubt then, and nobody is shown less than he had, until the operator has decided.
//
// # Being interrupted
//
// All is written in batches of whole groups. Run again, it passes over what is there.
package restore

import "holdfast"

func fail(op string, kind holdfast.ErrorKind, ref, text string, err error) error {
	return &holdfast.Error{Op: "restore." + op, Kind: kind, Ref: ref, Text: text, Err: err}
}
