package holdfast

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Op is what an entry does to its item. Numbers are journaled.
type Op uint8

// The operations. Everything that an account is comes from these two on items; a collection is an item too (name "").
const (
	OpPut    Op = 1 // the item is there, with these octets and properties, all of them
	OpDelete Op = 2 // the item is gone; its versions are kept
)

// MaxGroup is the most entries that one group takes. Larger work (an import, a rewind, the COPY of a tree) is done in several groups, so
// that one person never stalls the writer.
const MaxGroup = 1000

// Entry is one mutation of one item, before it is committed. It is whole: it says everything about the item after it, so that it can be
// applied even where earlier ones are missing.
type Entry struct {
	ID          ID // random; the same in every copy of the journal
	Op          Op
	Kind        Kind
	Collection  ID
	Name        string // "" is the collection itself
	ContentType string
	Body        []byte
	Blob        *Blob // instead of Body
	Properties  Properties
	Actor       Actor
	At          time.Time // to the microsecond, UTC

	// Index is derived from the octets by who understands them (vcard, ical). It is not journaled: it can always be derived again.
	Index Index
	// If is judged inside the commit.
	If Precondition

	// Lost says that the octets are nowhere: whoever sets it sets ETag and Size to what they were, and Body to nil. It makes a ghost. A history says it by Change.Pruned.
	Lost bool

	// Set by Group.Seal.
	More      uint32 // how many entries of the group follow
	ETag      Hash   // SHA-256 of the octets; zero for OpDelete. Of what is Lost it was there before
	Size      int64
	PropsHash Hash // zero: no properties
	PropsRaw  []byte
	Hash      Hash // the canonical entry's
}

// Recurs tells whether a put may be a repeat of one that is there already, with the same octets: its client lost the answer. No octets are like any other no octets, so who demands to be the first that makes an empty file, as one does that stands for a lock, is not told that he was.
func (e *Entry) Recurs() bool {
	return e.Op == OpPut && (e.Size > 0 || e.If.Exists != Absent)
}

// Index is what queries need to know of a resource's octets.
type Index struct {
	UID   string // unique among the live members of a collection
	Times Times
}

// Times is when a resource takes place, for time ranges (RFC 4791 section 9.9). Only Timed resources are found by time.
type Times struct {
	Timed bool
	// First and Last are Unix seconds of the first start and the last end, over all instances and rather too wide than too narrow; [math.MinInt64]:
	// since ever, [math.MaxInt64]: for ever.
	First, Last int64
	Months      []byte // what else is known of the instances, for who made it: engines keep it as it is, empty as nil
}

// Touches tells whether it takes place before to and has not ended before from. What is not Timed never does.
func (t Times) Touches(from, to int64) bool { return t.Timed && t.First < to && t.Last >= from }

// String returns the times in words, for whoever looks for a fault.
func (t Times) String() string {
	if !t.Timed {
		return "none"
	}
	text := func(at int64) string {
		if at == math.MinInt64 || at == math.MaxInt64 {
			return "ever"
		}
		return time.Unix(at, 0).UTC().Format(time.RFC3339)
	}
	return text(t.First) + " to " + text(t.Last) + " (" + hex.EncodeToString(t.Months) + ")"
}

// Equal tells whether both say the same.
func (t Times) Equal(o Times) bool {
	return t.Timed == o.Timed && t.First == o.First && t.Last == o.Last && bytes.Equal(t.Months, o.Months)
}

// Existence is a demand on whether an item is there.
type Existence uint8

// The demands.
const (
	Whatever Existence = iota
	Absent             // If-None-Match: *
	Present            // If-Match: *
)

// Precondition is judged against the item's current state inside the commit, so that nothing can come between.
type Precondition struct {
	Exists    Existence
	Match     []Hash // If-Match: the current ETag is one of these
	NoneMatch []Hash // If-None-Match: the current ETag is none of these
	Seq       uint64 // the item is still as this change left it; 0: no demand. For read-modify-write inside the core.
	// Bare demands that the item, if live, has no dead properties: a new version that was written without looking would drop them. Where only this
	// fails, the error's Rule is RuleBare.
	Bare bool
	// SameUID demands that the item, if it is live and has a UID, keeps it: who writes an object over a different one has mistaken its name (RFC 4791
	// section 5.3.2.1). Where only this fails, the error is a UIDConflict with the item itself.
	SameUID bool
}

// RuleBare is the Rule of the error for a failed Precondition.Bare.
const RuleBare = "bare"

// IsZero tells whether nothing is demanded.
func (p Precondition) IsZero() bool {
	return p.Exists == Whatever && len(p.Match) == 0 && len(p.NoneMatch) == 0 && p.Seq == 0 && !p.Bare && !p.SameUID
}

// Check judges all but Bare and SameUID against the current ETag and seq of an item that is live or not.
func (p Precondition) Check(live bool, etag Hash, seq uint64) bool {
	switch {
	case p.Exists == Absent && live, p.Exists == Present && !live:
		return false
	case len(p.Match) > 0 && (!live || !slices.Contains(p.Match, etag)):
		return false
	case live && slices.Contains(p.NoneMatch, etag):
		return false
	case p.Seq != 0 && p.Seq != seq:
		return false
	}
	return true
}

// Condition is one condition of an If header (RFC 4918 section 10.4) on one item.
type Condition struct {
	Not        bool
	Collection ID
	Name       string
	Const      bool   // a condition already decided by who parsed it (an unknown lock token): Value is its truth
	Value      bool   //
	ETag       *Hash  // the item is live and has this ETag …
	Seq        uint64 // … or the collection's last change is this one (a sync token as state token)
}

// Group is what is committed at once: all or nothing, with consecutive seqs, under one account.
type Group struct {
	Account ID
	Entries []Entry
	If      [][]Condition // the If header: one of the lists holds, every condition of it; empty: no demand
	// MaxOctets is the account's allowance after the group: live octets in collections that are not gone, nor below one that is; 0: none. A group that does
	// not grow the account always passes.
	MaxOctets int64
}

// Change is a committed entry.
type Change struct {
	Entry
	Account ID
	Epoch   uint64
	Seq     uint64
	Prev    uint64 // seq of the item's version before; 0: none
	Item    uint64
	Chain   Hash // chain(Seq)
	Before  Hash // chain(Seq-1); only [Batch] says it
	// Pruned says that this is a put whose octets were let go of by retention: Body is nil, ETag and Size still say what they were; entry, chain and batch
	// hash hold without them. Whoever reads octets looks at it first: nil is not an empty body.
	Pruned bool
}

// Prunable tells whether the change has octets that retention may let go of once a later change of the item took its place: it is a put, they are some and
// its own (no blob), and no record, of whatever kind, of an account or a collection.
func (c *Change) Prunable() bool {
	return c.Op == OpPut && c.Blob == nil && c.Size > 0 && c.Name != "" && c.Collection != c.Account
}

// Prune lets go of the octets of a change that is Prunable.
func (c *Change) Prune() { c.Body, c.Pruned = nil, true }

// GroupEnd is the seq of the last change of the change's group. No restore, watermark or token stops inside a group.
func (c *Change) GroupEnd() uint64 { return c.Seq + uint64(c.More) }

// Receipt is what a commit returns: the promise.
type Receipt struct {
	Account ID
	Epoch   uint64
	Seq     uint64   // the group's last
	Hash    Hash     // the chain at Seq
	Batch   uint64   // the batch that holds it, of the store that answered
	Copies  []string // who holds it durably: "engine", then vaults by name
	Policy  string   // the policy that was met: "engine", "engine+local"
	Replay  bool     // the octets were there already: a retry met its own write, nothing was added
	Created bool     // the group's last entry made an item that was not there before
}

// String returns the receipt as a dictionary of RFC 9651, the value of the header Holdfast-Receipt.
func (r Receipt) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "epoch=%d, seq=%d, hash=:%s:, copies=(", r.Epoch, r.Seq, base64.StdEncoding.EncodeToString(r.Hash[:]))
	for i, c := range r.Copies {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(`"` + c + `"`)
	}
	b.WriteString(`), policy="` + r.Policy + `"`)
	return b.String()
}
