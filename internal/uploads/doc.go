// Package uploads keeps large files while they arrive in chunks, until they are whole: what a client sends over an evening, a line that breaks and a restart of either side.
//
//	waited.json                how much time the service has run
//	ACCOUNT/ID/upload.json     one upload: its name, where it goes, when it was touched, what became of it; without it a directory is nothing, and is removed
//	ACCOUNT/ID/.new-N          a chunk that is being taken in; removed at the start
//	ACCOUNT/ID/c-HEX           a chunk, as package blob stores octets; HEX is its name
//
// A chunk is taken in under a name that nobody looks for, synced, renamed, and its directory synced: only after that is it answered. So one that was acknowledged is there after a power cut, whole, and one that
// was not is there whole or not at all. Each upload has a directory of its own, which is never used again: what a crash left of one can not become a part of another.
//
// What lies here is no change of an account: it is in no journal, digest or vault. It becomes a file by being read once, from its first chunk to its last, and put as any other file is.
package uploads
