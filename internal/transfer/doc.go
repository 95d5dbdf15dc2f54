// Package transfer takes people's data in and gives it back: import, the takeover of another server, and export.
//
// [Import] reads a file of vCards or of calendars, cuts it into items, one for each UID, mends what real programs write, and stores them through the core, many
// with one commit. It says what it mended and what it refused, and why. It can be cut short at any moment and run again: what is there already is met by its UID.
//
// [TakeOver] does the same with all that another server keeps for a person. It reads there and never writes, keeps names, looks and octets, and in the end reads back
// each item and compares it with what came.
//
// [Export] writes an account as it is at one moment, every live resource octet for octet, as a tar stream that ends with a [Manifest] of hashes. [Unpack]
// makes of it a directory or a zip file, and believes nothing: it hashes what it wrote and compares it with the manifest. A [Target] never overwrites, and
// appears whole or not at all.
package transfer
