// Package registry holds what a store knows of its vaults and keys, in two files of its data directory that only its owner reads:
//
//	keys.json     the server's key and signer, and the public halves of the recovery keys ([seal.Ring])
//	vaults.json   which vaults the store has, and how they are reached ([Registry])
//
// Both are replaced whole ([vfs.WriteFileAtomic]): after a power cut the old file is there, or the new one. The caller holds the data directory's lease.
//
// The file vaults.json is there from the moment on in which the store had its first vault, even if all are retired: a vault is made by itself only for a store that never had one, and a
// vault that is named there and cannot be found is unreachable, never made anew.
//
// A [Record] is what is kept of all this in each vault, encrypted, so that a store that is restored from it can go on.
package registry
