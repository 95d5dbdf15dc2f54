// Package locks keeps the locks of WebDAV (RFC 4918 section 6): who says that he is editing what, until when.
//
// A lock is no data. It is in no journal, no digest and no vault: it says something about the next hour, and a restored store begins without any. But a client that was told that it
// holds one believes so over a restart of the server, so each account's locks lie in a file of their own, written whole and atomically before a lock is answered.
//
// A lock is on a path (its root), as the RFC has it, and stays there whatever happens to the resource by another way than WebDAV. Writes are noted while they are under way ([Account.Begin]),
// so that no lock is given in the middle of one: a lock that was answered means that nothing else is being written there.
package locks
