// Package seal holds the keys of a store and of its vaults, and what is done with them: encrypting, wrapping, signing.
//
// Nothing here is of our own making but the composition. Octets are sealed as age(zstd(plain)) (age: C2SP's format, version 1; zstd: RFC 8878), so that whoever has a
// key reads them with `age -d -i KEY | zstd -d`. Signatures are Ed25519 (RFC 8032).
//
// The keys:
//
//	recovery   an age identity that the operator keeps on paper or on a stick, and the server does not have. It opens everything.
//	server     an age identity in the data directory. It opens everything as well, so that drills and scrubs need nobody; a thief of the disk has it.
//	account    an age identity for each account and vault; that account's lines are encrypted to it. Destroying it erases them.
//	segment    an age identity for each segment of a vault's tail.
//	signer     an Ed25519 key in the data directory, with which the server signs what it says of a vault's state.
//
// Account and segment keys lie in the vault, wrapped for the recovery key and the server's. Their public halves stand nowhere, so that who holds a vault cannot
// make lines that look like ours. What the recovery key adds to that is a [Certificate]: a MAC over the signer's public key, by which the one who holds the recovery key knows
// the signer again without having seen the server.
package seal

import "holdfast"

func fail(op string, kind holdfast.ErrorKind, text string, err error) error {
	return &holdfast.Error{Op: "seal." + op, Kind: kind, Text: text, Err: err}
}
