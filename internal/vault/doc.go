// Package vault is the format of a vault: an independent, encrypted copy of everything that a store has acknowledged, over a place that keeps objects.
//
// docs/vault-format.md draws it; HOLDFAST.txt, which lies in every vault, says how a person reads it with age, zstd and jq.
//
// # How a change comes to lie in a vault
//
// A store ships its batches. A [Writer] seals each into a frame and appends it to a segment of the tail: when that returned, the batch is durable there. Now and then a head says,
// signed, how far every account has come. Segments that are full are sealed into packs: there each account's lines are encrypted to its own key. Nothing that is
// rewritten or read on the way grows with the number of accounts.
//
// # Who may write
//
// A store has the right to write by a term. The term with the highest number has it; a store that finds a newer one than its own stops (Fenced). Making the next term is an exclusive
// creation, so of two stores one wins. On one machine a lease of the place keeps a second writer out besides.
//
// # What is not known
//
// A vault that is consistently old cannot be told from a young one by looking at it alone: somebody else must have seen a newer head. The engine, another vault, a head that was kept
// elsewhere and the tokens in devices are such witnesses.
package vault
