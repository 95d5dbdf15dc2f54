// Package vaultd keeps a vault for another store, and trusts nobody with it: what `holdfast vault serve` runs.
//
// # Who may do what
//
// There are three credentials. Read reads. Append reads and adds: it can neither remove nor overwrite anything that is sound. Prune reads and removes, but only what the server's own rules let go. The server has no key: it sees names, sizes and
// times, and octets that are encrypted.
//
// # What the guard takes
//
// A [Guard] is a place over another place, and takes only what a right writer could write next: the next term, signed by who it names; heads in order, signed, each holding the hash of the one before, of the newest term, at
// a position that the tail has reached, with accounts that do not go back, naming packs that are there with the hashes that it says; keys that the store signed; frames that are whole, have their hashes and go on exactly where the stream ends. So a store that was put back from an old image,
// a clone of it that runs beside it, and one that lost the right to write are refused, whatever they believe of themselves.
//
// A blob, the octets of a large file, comes once, encrypted, under a name of its form, and its versions one after the other; no head names it, and nobody but the store can judge it.
//
// What is damaged here may be written again with the octets that came first; see docs/design/0019.
//
// # What the guard lets go
//
// Segments of which a pack was made that a head has named for KeepTail, packs that others replaced for Keep, keys of which a newer version was there for Keep, and the keys of an account that was erased, after
// KeepErased, and so the blobs that a signed list of such an account names, and the list behind them. A pack that was replaced by one which a head calls pruned goes after KeepPruned, and only if a head names a drill that passed, began after the head that named the new pack, and restored
// every account of whose members the new index does not have the very octets; the new pack must have its hash, and some pack each member of the old one. Time is the server's own, counted along heads whose time the server has judged, at most a day from one to the next: a clock that jumps makes nothing old.
//
// # What is not known
//
// A stolen append credential can add rubbish that is well-formed, and take the right to write from its owner, who notices at once. It cannot make anything that a restore takes for the store's: that needs
// the store's signer. Who has that as well, because he has the store, can call anything pruned and proven, and rubbish a pack that others were joined to: what he replaces so stays for KeepPruned, or for Keep, and who
// keeps the prune credential elsewhere has that time to notice. So it is with files that he says nothing names, for KeepUnnamed. Who has the disk of this server has all of it; the store's own verification and a restore find what he changed, see GUARANTEES.md.
package vaultd
