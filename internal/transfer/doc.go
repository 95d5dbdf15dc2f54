// Package transfer takes people's data in and gives it back: import and export.
//
// [Import] reads a file of vCards, cuts it into contacts, mends what real programs write, and stores them through the core, many with one commit. It
// says what it mended and what it refused, and why. It can be cut short at any moment and run again: what is there already is met by its UID.
//
// [Export] writes an account as it is at one moment, every live resource octet for octet, as a tar stream that ends with a [Manifest] of hashes. [Unpack]
// makes of it a directory or a zip file, and believes nothing: it hashes what it wrote and compares it with the manifest. A [Target] never overwrites, and
// appears whole or not at all.
package transfer
