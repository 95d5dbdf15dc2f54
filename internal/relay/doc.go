// Package relay is the way of a store's changes into its vaults, and back where the store lost some.
//
// # The walk of a batch
//
// The engine hands each batch over after its commit ([store.Outbox].Follow). One worker for each vault takes what has gathered, seals it into a frame and appends it; while that is on its way to
// the disk, the engine commits on and the next frame gathers. When the append has returned, the vault's watermark passes the batch, and whoever waits for the policy is answered. No timer is in the way.
//
// # What must stay true
//
// A vault's watermark never passes a batch before all batches below it are durable there, so the policy's watermark (acked) is a prefix of the stream. Acked never goes back while the process
// runs. At every start, before anything is read, [Relay.Reconcile] compares the store with its vaults: what a vault has and the store lost is applied again; where both went
// different ways that is said, and nobody reads the accounts on which they differ.
//
// Nor does it pass a change before the octets of the large file that it names are there ([Blobs], shelf.go). One file that neither the store nor another vault has whole keeps nothing else without a copy: it is named, and tried again.
//
// A vault that is new is filling until it has caught up with the store once; until then it counts for nothing, and the store is as safe as it was without it.
package relay
