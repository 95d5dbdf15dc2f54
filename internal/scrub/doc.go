// Package scrub reads everything that the living engine holds, again and again, and puts back what rotted.
//
// A round goes through the accounts by ascending id, and through each one's journal in pages, each in a snapshot of its own: it hashes every body again and follows the chain from its first change. It keeps to a rate, yields
// to people, and goes on after a restart where it was. What it finds is named (account, item, seq) and kept in the data directory, at most [MaxNamed] of it by name.
//
// Behind an account's journal come its large files, whose octets lie beside the engine ([Files]): each is hashed whole, and put back out of a vault where it is missing or not what was put.
//
// Octets that do not have the hash that their change recorded are put back, by [store.Engine.Mend], if a vault has octets of exactly that hash. Whatever else is wrong (a chain that breaks, a page that cannot be read) is named and left: nothing here can
// know what is right.
package scrub
