// Package holdfast holds the nouns of a personal-data cloud that does not lose data.
//
// An [Account] owns collections. A [Collection] holds resources: contacts, events, files. Whatever changes, changes through one door: a
// [Group] of entries is committed whole, and each [Entry] becomes a [Change] with the next number (seq) in its account's journal. Changes are
// hash-chained, so two copies of a journal can be compared by one hash, and the current state of an account is nothing but what its changes say;
// the [Digest] proves that.
//
// Even an account's own record, its devices and its collections are resources: they lie in the account's root collection, whose id is the
// account's id. That is why one restore, one rewind and one digest cover everything.
//
// A commit returns a [Receipt]: the promise that the change is durable, and where.
//
// This package imports the standard library alone. It holds the canonical encodings (entry, chain, digest) on which every engine, vault
// and restore must agree; golden tests keep them as they are.
//
// The words are explained in GLOSSARY.md, the promises in GUARANTEES.md, the house in ARCHITECTURE.md.
package holdfast
