// Package s3 is a place in a bucket of an object store.
//
// # How objects lie there
//
//	NAME                       an object
//	NAME.frames!OFFSET         a piece of one that grows: what was appended there, OFFSET having 12 digits
//	NAME.frames!END            without octets: nobody appends behind it any more
//	NAME.frames                one that does not grow any more, whole; pieces beside it are left to be removed
//	.fence/N                   who may append: the one who made the highest
//	.fence/N!NAME.frames       what he appends to
//
// An exclamation mark sorts before all that stands in names, so a listing has an object's pieces where the object belongs.
//
// # Appending where nothing can be appended to
//
// Each append is a create that never overwrites, under the offset at which it begins. So it succeeds once for each end, whoever sends it: two writers of one object do not interleave, and a request that arrives late finds its offset taken. Its tag tells a create that was
// repeated, because its answer got lost, from another's.
//
// Two writers of different objects of one vault are kept apart by the fence. Who calls Fence makes the next number, which two cannot, and then closes what the one before had open. Who begins an object says so under his own number, then looks whether there is a higher one, and only then appends: either
// he sees that, or the object is seen and closed, at its first offset where nothing was appended yet. So when Fence has returned everything that anybody was told is stored is there to be read, and nothing else comes. No clock is asked.
//
// # When it has grown
//
// Settle closes an object and, where it has many pieces, puts it whole, compares, and removes them. The mark at its end stays, for those who still think that they may append.
//
// # Locks and versions
//
// In a bucket that locks, what [Options.Lock] names cannot be removed by anybody before that time has passed. In one that keeps versions an object is removed with all of them; a credential that may not do that is Forbidden to remove at all, as a mark alone would leave
// what was to be gone.
//
// # What is not known
//
// A machine that stood still, holding a fence that another took over, may go on when the objects that it knows were removed, mark and all: vaults keep those for days. A store that makes two creates of one name at the same moment, as some that keep objects in plain files do, fences nobody.
package s3
