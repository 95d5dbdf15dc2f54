// Package sqlite is the default engine: one SQLite file, one writer that commits in groups, readers on snapshots.
//
// # How a commit becomes durable
//
// The writer takes all groups that wait, applies each inside one transaction, and commits once. With journal_mode=WAL and synchronous=FULL, SQLite does
// this, in this order, before COMMIT returns:
//
//	pwrite(db-wal, …)      the changed pages and, last, a frame that says "commit" with a running checksum
//	fdatasync(db-wal)      the commit point: after it the batch survives a power cut
//
// Only then are the waiting callers answered. The first write after a WAL was created is preceded by fsync of the directory that holds it. A batch
// that was cut short has no valid commit frame and disappears whole.
//
// The checkpointer, on its own connection, moves pages from the WAL into the database file: fdatasync(db-wal), pwrite(db, …), fdatasync(db). A cut
// inside it loses nothing, since the WAL is reset only after all that.
//
// A process may die between the pwrite and the fdatasync, or after a failed one. What it wrote is then in the kernel's cache: the next process would read it as if
// it were stored, and a power cut could still take it away. So Open, before SQLite looks, writes a log that it finds anew: temporary file, fsync,
// rename over the log, fsync of the directory. After that everything that can be read is durable.
//
// # What is not known
//
// A disk that acknowledges a flush that it did not do, and a file system that reports a failed write-back to nobody, cannot be noticed from here; the
// simulated power cuts in this package show as controls what is lost then. After a failed fsync the kernel may have dropped the dirty pages and a
// second fsync may succeed without them: so there is no second one. The engine stops, the process is to exit, and the next start reads what the disk
// really holds.
package sqlite
