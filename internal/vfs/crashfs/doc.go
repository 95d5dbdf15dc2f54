// Package crashfs is a simulated disk: files in memory that lose, at a power
// cut, what a real disk may lose.
//
// A [Disk] keeps for each file the content that was synced and the writes and
// truncations since, and for each directory the names that were synced and the
// changes since. [Disk.CutAfter] arms the moment at which the power goes;
// everything then fails until [Disk.PowerCut] decides, with a seeded source of
// chance, what survived: what was synced, and of the rest nothing, all, a
// prefix with a torn end, a subset, or a choice for each sector of 512 octets.
//
// The disk has two faces: [Disk.FS] for code that writes files through package
// vfs, and package sqlitevfs for SQLite. Both may be used on the same disk at
// the same time.
//
// # What is assumed
//
// A sync of a file makes its content and size durable, and nothing about its
// name. A sync of a directory makes the names inside of it durable, not the
// content of the files and not the directory's own name.
//
// A rename is one step: at no time both names, at no time none. A truncation is
// one step: the size changes or it does not, and what was not cut off keeps its
// octets. SQLite relies on that: it truncates a WAL that it has copied into the
// database and does not sync the truncation; a WAL left with holes would bring
// old pages back.
//
// A sector of 512 octets is written as a whole, except that the end of a torn
// prefix falls on any octet. Octets outside of a write are safe
// ([Options.GarbageSectors] takes that away). What was durable never rots.
//
// This is less than what common journaling file systems do on a disk that keeps
// its word: they also keep an order that code should not rely on.
//
// # Controls
//
// A simulation that finds nothing proves nothing until it is seen to find. The
// switches LyingSync and NoDirSync are bad hardware: with each of them a test
// must see data lost.
//
// # Use
//
//	disk := crashfs.New(crashfs.Options{})
//	rng := rand.New(rand.NewPCG(seed, 0))
//	for range cuts {
//		disk.CutAfter(1 + rng.IntN(100))
//		... open, work, note what was acknowledged, until disk.Off() ...
//		disk.PowerCut(rng)
//		... open again, compare with what was acknowledged ...
//	}
package crashfs
