// Package dir is a place in a directory.
//
// # How an object becomes durable
//
// Put writes a temporary file in the object's directory, fsyncs it, links it to its name (which never overwrites), removes the temporary name and fsyncs the directory: after a power
// cut the object is there whole or not at all. A directory that it needs is made first, and its name is made durable in its parent.
//
// Append writes at the object's end and calls fdatasync before it returns. So that this is one write to the disk and not two (data, and the file's new size in the file
// system's own log), the file is extended ahead in chunks of zeros that are really written; only the append that extends it pays for that. The first append makes
// the file with O_EXCL and fsyncs the directory. What ends an object is its last octet that is not zero, which is why nothing that ends in a zero octet can be appended.
//
// # What is not known
//
// After a power cut an append that did not return may be there, in part, or not; octets before it stay. After a failed write or fdatasync it is not known what the disk
// holds, and a second fdatasync may succeed without the octets: the object takes no more appends, and its owner begins another. Whether a disk keeps what it says is
// flushed cannot be seen from here. An append may write a sector anew that earlier octets share; that a disk which loses power then does not spoil those is assumed.
//
// testdata/sequence.txt shows the calls of each step; the tests pull the plug at each of them.
package dir
