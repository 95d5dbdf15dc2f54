// Package store is the contract of engines: the databases that hold journals and current state.
//
// It is a contract of outcomes. Package storetest has one test for each clause and runs them over every engine:
//
//	S1   a commit is all or nothing
//	S2   success survives a power cut
//	S3   preconditions (If-Match, If-None-Match, If, UID conflict, quota, logins) are judged inside the commit
//	S4   an account's seq is gapless, in commit order
//	S5   every committed change is in the outbox until each vault has it
//	S6   ChangesSince misses nothing, tombstones and paging included
//	S7   a snapshot is one moment; what it shows of names, UIDs and times is what the entries said
//	S8   a second writer is fenced
//	S9   error kinds are equal across engines
//	S10  digests are equal across engines
//	S11  what is erased is gone
//	S12  damaged octets are mended in place, by octets of their recorded hash alone
//	S13  what is pruned is the octets of superseded versions alone
//	S14  a blob that any change names is known to be named, and listed once
//
// Engines know nothing of formats: what queries need to know of octets comes with the entry ([holdfast.Index]). They do read the records of
// accounts and collections, because logins and paths are unique and only a commit can judge that.
package store

import (
	"context"
	"fmt"
	"time"

	"holdfast"
)

// Engine is one store. All methods may be called from many goroutines.
type Engine interface {
	// Commit makes the group durable and visible, whole or not at all, and returns once a power cut cannot undo it. g must be sealed; the engine
	// keeps no reference to it. The first commit of an account must hold its root collection and its record (see [NewAccount] in core).
	//
	// Errors by kind: PreconditionFailed (an Entry.If or Group.If does not hold; for If-Match on an absent item NotFound, which keeps phones
	// from dropping the edit), UIDConflict (Ref: the name of the resource that has the UID, or that should keep another), Exists (Ref: a path or login that is taken), NotFound
	// (account or collection unknown or gone), Quota, TooLarge (more than MaxGroup entries), Invalid, Full, Unavailable, Fenced.
	//
	// A put whose precondition fails although the live item holds these very octets and properties, last written by this very actor, is a
	// retry that meets its own write: the receipt names the change that did it (Replay), and nothing is added. This holds for groups of one entry, and not at a ghost: its octets are not there.
	// Nor does it hold for a put of no octets that demands that nothing is there (see [holdfast.Entry.Recurs]).
	//
	// An entry that is Lost makes a ghost, as a change does that Apply brings without octets. Only what found out that nobody has them makes one; no face does.
	Commit(ctx context.Context, g *holdfast.Group) (holdfast.Receipt, error)

	// Snapshot opens a read of one moment: everything acknowledged before the call is in it. It must be closed, within MaxSnapshot.
	Snapshot(ctx context.Context) (Snapshot, error)

	// Observe records what devices have seen, the newest of each (device, collection) winning. It is durable some time later; it is never a
	// change and shows in no digest.
	Observe(ctx context.Context, s []holdfast.Sighting) error

	Outbox

	// Erase removes an account: every change, item and observation of it, for good. What is kept is that it was erased, and the SHA-256 of its logins, which are never given to another. Its batches are redacted. It is done in pieces, so
	// that nobody waits long; where it was cut it is called again. Once it has begun the account is not found any more. Errors: NotFound (there is no such account, nor was there one that was erased), Full, Unavailable.
	Erase(ctx context.Context, account holdfast.ID) error

	// Mend puts octets back in the place of a change's whose octets are damaged: those that have exactly the hash that the change recorded. Nothing else of the store is different afterwards, and it is no change: no seq, chain or digest
	// moves; a ghost is live again, found by no UID and at all times until it is written anew. It is durable when it returns nil. Where the change has these octets, nothing is done. Errors: NotFound (there is no such change), Invalid (the octets have another hash, or the change has none of its own),
	// Corrupt (the store is damaged in more than octets, and writing could make it worse), Full, Unavailable, Fenced.
	Mend(ctx context.Context, account holdfast.ID, seq uint64, body []byte) error

	// Prune lets the octets go of changes that a later change of the same item replaced or deleted, and of nothing else: seqs, chains, digests, ETags and sizes are what they were, and the change says from then on that it is
	// [holdfast.Change.Pruned]. It is all or nothing, and durable when it returns nil. versions and octets count what was let go of; what had been already is passed over. A reader who has a snapshot open sees either.
	// Errors: Invalid (one of them is live, a record, a deletion, empty or a blob; nothing was let go of), TooLarge (more than MaxPrune), NotFound (there is no such change), Corrupt (as Mend), Full, Unavailable, Fenced.
	Prune(ctx context.Context, account holdfast.ID, seqs []uint64) (versions int, octets int64, err error)

	// Check reads the whole store and verifies it: structure, chains and sums; if octets is set, the hash of every body, and, if derive is not nil, what the
	// index says of every live member. It reports findings through report and goes on; the error is for what kept it from checking.
	Check(ctx context.Context, octets bool, derive Derive, report func(Finding)) error

	// Info tells what the engine is and how it fares.
	Info() Info

	// Close waits for running commits and lets go. Nothing acknowledged depends on it.
	Close() error
}

// Holder is an engine that lets somebody else decide when those are woken whose groups are durable in it: who waits for a vault too is then woken once instead of twice. An engine need not be one.
type Holder interface {
	// Hold has fn called after each commit, by the engine's writer: what Commit returns is known, and wake lets the callers have it. fn does not block, and sees to it that wake is called once, soon, whatever happens to the vaults.
	// Where fn is nil callers are woken at once. It replaces what was set before.
	Hold(fn func(batch uint64, wake func()))
}

// Refresher is an engine that holds pages of its file in its own memory. An engine need not be one.
type Refresher interface {
	// Refresh has snapshots that are opened from now on read the file, and not what was read of it before. What the operating system holds of it in memory is read from there all the same.
	Refresh()
}

// MaxSnapshot is how long a snapshot may live. A longer one would keep a write-ahead log from being reset.
const MaxSnapshot = 5 * time.Second

// Snapshot is a read of one moment. It is used by one goroutine at a time. What its methods return belongs to the caller; the Body of what
// is handed to a callback is valid until the callback returns, unless cloned. What was pruned is never shown as an empty body: changes and earlier versions say that
// they are Pruned. What is there now without its octets, because nobody has them ([Outbox].Apply brought it so, or an entry that is Lost), is a ghost: listings and ChangesSince have it with
// its State and no octets, whatever is asked for, Between whenever it is asked, ByUID never; Resource with its octets is Unavailable ([Hollow]). It counts as live in every precondition, count and digest.
type Snapshot interface {
	Directory
	Tree
	History
	Close()
}

// Directory finds accounts.
type Directory interface {
	// AccountByLogin returns the id of the account that has the login, or had it: former logins are aliases for ever. login is canonical (ParseLogin).
	AccountByLogin(login string) (holdfast.ID, error)
	// AccountsByLocalPart looks at up to limit logins, former ones too, whose part before the "@" is local, by ascending login (octet order), and returns the account of each: one with
	// two such logins comes twice. local is canonical (ParseLocalPart), limit is at least 1. Its cost grows with what it finds, not with how many logins there are.
	AccountsByLocalPart(local string, limit int) ([]holdfast.ID, error)
	// Account returns an account by its id.
	Account(id holdfast.ID) (holdfast.Account, error)
	// Erased tells whether an account was erased, or is about to be.
	Erased(id holdfast.ID) (bool, error)
	// Accounts returns up to limit accounts (0: all) by ascending id, above after.
	Accounts(after holdfast.ID, limit int) ([]holdfast.Account, error)
	// Sightings returns what the devices of all accounts have seen in this account's collections, by collection and device.
	Sightings(account holdfast.ID) ([]holdfast.Sighting, error)
	// Ghosts counts the items of an account, or (zero) of all, that are known to be lost: ghosts in collections that are there. It does not take longer where there is more else.
	Ghosts(account holdfast.ID) (int64, error)
}

// Tree is the current state. Its resources have what Entry.Index said of them, if they are live.
type Tree interface {
	// Collections returns the collections of an account by ascending id, those that are gone included.
	Collections(account holdfast.ID) ([]holdfast.Collection, error)
	// Collection returns one collection, gone or not.
	Collection(id holdfast.ID) (holdfast.Collection, error)
	// Child returns the live collection called name in the live collection parent.
	Child(parent holdfast.ID, name string) (holdfast.Collection, error)
	// Resource returns one live resource, by name. name "" is the collection's own entry.
	Resource(collection holdfast.ID, name string, f Fields) (holdfast.Resource, error)
	// ByUID returns the live resource that has the UID.
	ByUID(collection holdfast.ID, uid string) (holdfast.Resource, error)
	// List calls fn with up to limit live members by ascending name (octet order), above after. limit 0: all. The collection's own entry is left out.
	List(collection holdfast.ID, after string, limit int, f Fields, fn func(*holdfast.Resource) error) error
	// Between calls fn with the live members that take place between two moments (Unix seconds): those whose Index.Times is Timed, with First < to and
	// Last >= from; each once, in no order. Its cost grows with what it finds, not with what else lies in the collection.
	Between(collection holdfast.ID, from, to int64, f Fields, fn func(*holdfast.Resource) error) error
	// ChangesSince calls fn with the items of a collection that changed after seq: each once, as it is now, tombstones included, by ascending
	// seq; at most limit of them (0: all). The collection's own entry is left out. more tells that the limit cut it: the seq of the last item
	// is then the place to go on from.
	ChangesSince(collection holdfast.ID, seq uint64, limit int, f Fields, fn func(*holdfast.Resource) error) (more bool, err error)
}

// Fields says what a read needs beyond the index: what is not asked for may be left empty.
type Fields uint8

// What can be asked for.
const (
	WithBody  Fields = 1 << iota // Body or Blob
	WithProps                    // Properties
	WithType                     // ContentType and Device
)

// History is what was.
type History interface {
	// Head returns the account's newest point.
	Head(account holdfast.ID) (Head, error)
	// Chain returns the epoch and hash of the account's chain at seq.
	Chain(account holdfast.ID, seq uint64) (Head, error)
	// Changes calls fn with the account's changes above after, by ascending seq, at most limit of them (0: all); bodies only if WithBody is in f.
	Changes(account holdfast.ID, after uint64, limit int, f Fields, fn func(*holdfast.Change) error) error
	// Versions calls fn with all changes of one item, newest first.
	Versions(collection holdfast.ID, name string, f Fields, fn func(*holdfast.Change) error) error
	// ResourceAt returns a resource as it was at seq; NotFound where it was not there or was deleted.
	ResourceAt(collection holdfast.ID, name string, seq uint64, f Fields) (holdfast.Resource, error)
	// ListAt is List as of seq. Its cost grows with the collection and with what changed since.
	ListAt(collection holdfast.ID, seq uint64, f Fields, fn func(*holdfast.Resource) error) error
	// NamesBlob tells whether any change of an account names a blob: of a present version, of an earlier one or of what was deleted, acknowledged or not. It does not take longer where there are more changes.
	NamesBlob(account holdfast.ID, h holdfast.Hash) (bool, error)
	// Blobs calls fn with up to limit blobs (0: all) that NamesBlob says are named, each once, by ascending hash, from one on. See [EachBlob].
	Blobs(account holdfast.ID, from holdfast.Hash, limit int, fn func(holdfast.Blob) error) error
	// Digest returns the account's digest at seq; 0: now, which costs O(collections). An earlier one is made by walking back.
	Digest(account holdfast.ID, seq uint64) (holdfast.Digest, error)
}

// Head is a point of an account's journal.
type Head struct {
	Epoch, Seq uint64
	Chain      holdfast.Hash
	Batch      uint64 // that holds the change
}

// Position is a point in the stream of a store's batches.
type Position = holdfast.Position

// Outbox hands committed changes to vaults, in commit order, and takes back what a vault has and the store lost. How far a vault has come is its own to know.
type Outbox interface {
	// Position returns the newest batch. It costs next to nothing.
	Position() Position
	// After calls fn with the batches above one, in order, whole, until limit changes are passed (0: no limit) or nothing is left.
	After(ctx context.Context, batch uint64, limit int, fn func(*holdfast.Batch) error) error
	// HashAt returns the position's hash after a batch; ok is false where there is no such batch, or none is known any more. Batch 0 has the zero hash.
	HashAt(ctx context.Context, batch uint64) (hash holdfast.Hash, ok bool, err error)
	// Behind tells how much lies above a batch: changes, and octets of their bodies. Above a hundred thousand changes the octets are estimated. Errors: NotFound (there is no such batch).
	Behind(ctx context.Context, batch uint64) (changes, octets int64, err error)
	// Follow hands over each batch after it was committed, in order, as it was written and without reading it back. At most depth of them wait: who is slower misses the rest,
	// notices by their numbers, and reads them by After. The octets are shared with whoever committed them: nobody changes them. stop ends it.
	Follow(depth int) (batches <-chan *holdfast.Batch, stop func())
	// Apply makes a batch durable that was committed before, here or elsewhere, with the seqs, chains, epochs and hashes that it has. Each account's changes must follow its journal; chains that are
	// zero are computed. Of what is there already, by its chain, nothing is done. If b.Hash is set, the batch must follow the store's position and lead to b.Position; otherwise it gets the
	// next number. Index is taken from the changes. Errors: Invalid (it does not follow), Full, Unavailable, Fenced.
	Apply(ctx context.Context, b *holdfast.Batch) error
}

// Derive says what the index should say of a live member's octets: r has its Name, Kind, ContentType and Body, which it must not keep or change. ok is false
// where that is not known: the octets would not be taken today.
type Derive func(c *holdfast.Collection, r *holdfast.Resource) (x holdfast.Index, ok bool)

// Misfit returns what is wrong with what the index says of a resource, one sentence for each; derived is what its octets say. Every engine says it alike.
func Misfit(r *holdfast.Resource, derived holdfast.Index) (what []string) {
	if r.UID != derived.UID {
		what = append(what, fmt.Sprintf("the index has the UID %q, the octets have %q", r.UID, derived.UID))
	}
	t := derived.Times
	if !t.Timed {
		t = holdfast.Times{}
	}
	if !r.Times.Equal(t) {
		what = append(what, fmt.Sprintf("the index has the times %s, the octets have %s", r.Times, t))
	}
	return what
}

// Finding is one thing that Check found wrong.
type Finding struct {
	Account    holdfast.ID
	Collection holdfast.ID
	Name       string
	Seq        uint64
	What       string // one sentence
	Lost       bool   // it is a ghost: known to be lost, and no damage of this store
}

// Info tells what an engine is and how it fares.
type Info struct {
	Engine   string      // "sqlite 3.54.0", "memory"
	Store    holdfast.ID // the identity of the store
	Position Position    // the newest batch
	Accounts int64
	Octets   int64 // on disk
	ReadOnly bool  // the disk is full
	Failed   error // not nil: the engine stopped; the process should exit and start again
}
