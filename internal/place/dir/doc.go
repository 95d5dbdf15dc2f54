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
// Remove removes the name and fsyncs the directory.
//
// # What is found is durable before something is built on it
//
// Whoever made a name, or removed one, may have been killed before the fsync of its directory, and whoever appended before the fdatasync: the next process finds it all the same, takes it for done and does not do it again. So that the next power cut takes nothing away on which something was built:
//
//	read    a directory's names, or a growing object's octets, are looked at; that it was told of them is remembered
//	        before the first change through this Dir (a Put, an Append, a Remove), and under each lease:
//	fsync   each directory, and
//	fdatasync each growing object, that it was told of until then
//	        (under a lease also each directory at the top, and each of keys where they are no more than some: all of them are
//	        asked for next, and what comes together a file system makes durable together)
//	        from then on, once for each directory and each growing object, before it is told of
//
// Where one of these fails, this Dir tells of nothing and changes nothing any more. Who only reads syncs nothing. What a failed call left visible is taken back: a name whose directory could not be synced is removed, an append whose fdatasync failed is truncated away, as a later fdatasync
// may succeed without it. testdata/sequence.txt does not show these calls, ground_test.go demands them.
//
// By kind of object: all of them are found and not made again somewhere (account keys and blobs by who seals to them and who looks for them; terms, heads and packs by who numbers the next one and by who lets go of what they replace; a segment's frames by who asks where the vault ends; keys wrapped anew,
// records of erasures and their lists by who removes what they are about; and that something is gone, by who says that an account is erased), so there is no exception.
//
// # What is not known
//
// Between two processes that write at the same time, which the lease keeps apart, and within one while a Put has not returned, a name can be found that is not durable yet. A process that is killed between an fdatasync that failed and the truncation leaves octets of which the next one cannot know that they are not on the
// disk.
//
// After a power cut an append that did not return may be there, in part, or not; octets before it stay. After a failed write or fdatasync it is not known what the disk
// holds, and a second fdatasync may succeed without the octets: the object takes no more appends, and its owner begins another. Whether a disk keeps what it says is
// flushed cannot be seen from here. An append may write a sector anew that earlier octets share; that a disk which loses power then does not spoil those is assumed.
//
// testdata/sequence.txt shows the calls of each step; the tests pull the plug at each of them.
package dir
