package holdfast

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"
	"time"
)

// The canonical encodings. Each starts with a tag that names its version; fields stand in fixed order, octet strings behind their length, numbers as
// eight octets, big-endian. They are frozen: golden tests hold them.
const (
	tagEntry = "holdfast entry 1\n"
	tagChain = "holdfast chain 1\n"
	tagItem  = "holdfast item 1\n"
	tagState = "holdfast state 1\n"
)

// Seal completes a group before it is committed: positions, hashes and sizes. It does the hashing outside of the writer. It must be
// called once, after the last edit of any entry.
func (g *Group) Seal() {
	n := len(g.Entries)
	var buf []byte
	for i := range g.Entries {
		e := &g.Entries[i]
		e.More = uint32(n - 1 - i)
		e.At = e.At.UTC().Truncate(time.Microsecond)
		buf = e.seal(buf[:0])
	}
}

func (e *Entry) seal(buf []byte) []byte {
	switch {
	case e.Op != OpPut:
		e.ETag, e.Size = Hash{}, 0
	case e.Lost:
	case e.Blob != nil:
		e.ETag, e.Size = e.Blob.Hash, e.Blob.Size
	default:
		e.ETag, e.Size = HashOf(e.Body), int64(len(e.Body))
	}
	e.PropsRaw, e.PropsHash = e.Properties.Encode(), Hash{}
	if e.PropsRaw != nil {
		e.PropsHash = HashOf(e.PropsRaw)
	}
	buf = e.appendCanonical(buf)
	e.Hash = sha256.Sum256(buf)
	return buf
}

// CanonicalHash returns the hash of the entry as Seal left it, or as it was read back from an engine or a vault; collection is where it lies.
func (e *Entry) CanonicalHash(collection ID) Hash {
	c := *e
	c.Collection = collection
	return sha256.Sum256(c.appendCanonical(make([]byte, 0, 512)))
}

// appendCanonical appends the canonical form of a sealed entry: the octets by their hash, so that a history without bodies can be verified.
func (e *Entry) appendCanonical(b []byte) []byte {
	b = append(b, tagEntry...)
	b = append(b, e.ID[:]...)
	b = append(b, byte(e.Op), byte(e.Kind), bit(e.Blob != nil))
	b = appendNumber(b, uint64(e.More))
	b = append(b, e.Collection[:]...)
	b = appendField(b, []byte(e.Name))
	b = appendField(b, []byte(e.ContentType))
	b = append(b, e.ETag[:]...)
	b = appendNumber(b, uint64(e.Size))
	b = append(b, e.PropsHash[:]...)
	b = append(b, e.Actor.Account[:]...)
	b = append(b, e.Actor.Device[:]...)
	return appendNumber(b, uint64(e.At.UnixMicro()))
}

// ChainHash returns chain(seq): the hash that binds an account's change to all before it. prev is chain(seq-1), zero for seq 1.
func ChainHash(account ID, epoch, seq uint64, prev, entry Hash) Hash {
	var a [len(tagChain) + 16 + 8 + 8 + 32 + 32]byte
	b := append(a[:0], tagChain...)
	b = append(b, account[:]...)
	b = appendNumber(b, epoch)
	b = appendNumber(b, seq)
	b = append(b, prev[:]...)
	b = append(b, entry[:]...)
	return sha256.Sum256(b)
}

// ItemHash is an item's contribution to its collection's [Sum]: what the index says of it, nothing that cannot be found in the journal.
func ItemHash(collection ID, name string, seq uint64, state State, at time.Time, etag, props Hash) Hash {
	b := make([]byte, 0, 256)
	b = append(b, tagItem...)
	b = append(b, collection[:]...)
	b = appendField(b, []byte(name))
	b = appendNumber(b, seq)
	b = append(b, byte(state))
	b = appendNumber(b, uint64(at.UnixMicro()))
	b = append(b, etag[:]...)
	b = append(b, props[:]...)
	return sha256.Sum256(b)
}

// Sum is a sum of hashes modulo 2^256, big-endian: adding and taking away one item costs the same whatever the collection holds.
type Sum [32]byte

// Add returns s + h.
func (s Sum) Add(h Hash) Sum {
	var out Sum
	var carry uint64
	for i := 24; i >= 0; i -= 8 {
		var v uint64
		v, carry = bits.Add64(binary.BigEndian.Uint64(s[i:]), binary.BigEndian.Uint64(h[i:]), carry)
		binary.BigEndian.PutUint64(out[i:], v)
	}
	return out
}

// Sub returns s - h.
func (s Sum) Sub(h Hash) Sum {
	var out Sum
	var borrow uint64
	for i := 24; i >= 0; i -= 8 {
		var v uint64
		v, borrow = bits.Sub64(binary.BigEndian.Uint64(s[i:]), binary.BigEndian.Uint64(h[i:]), borrow)
		binary.BigEndian.PutUint64(out[i:], v)
	}
	return out
}

// CollectionSum is a collection's line in an account's state.
type CollectionSum struct {
	ID     ID
	Parent ID
	Gone   bool
	Items  int64 // live members
	Octets int64 // theirs
	Sum    Sum   // over all items: live, tombstones, and the collection's own
}

// Digest is an account's whole content at a seq in two hashes: the chain proves the history, the state proves that the index says what the
// history says. Equal on every engine, and in every restore.
type Digest struct {
	Epoch, Seq uint64
	Chain      Hash
	State      Hash
}

// StateHash returns the state part of a digest. The order of the collections given does not matter.
func StateHash(account ID, cs []CollectionSum) Hash {
	cs = slices.SortedFunc(slices.Values(cs), func(a, b CollectionSum) int { return a.ID.Compare(b.ID) })
	b := append([]byte(tagState), account[:]...)
	b = appendNumber(b, uint64(len(cs)))
	for _, c := range cs {
		b = append(b, c.ID[:]...)
		b = append(b, c.Parent[:]...)
		b = append(b, bit(c.Gone))
		b = appendNumber(b, uint64(c.Items))
		b = appendNumber(b, uint64(c.Octets))
		b = append(b, c.Sum[:]...)
	}
	return sha256.Sum256(b)
}

func bit(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func appendNumber(b []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(b, v) }

func appendField(b, f []byte) []byte { return append(binary.AppendUvarint(b, uint64(len(f))), f...) }

func takeUvarint(b []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, errors.New("cut short")
	}
	return v, b[n:], nil
}

func takeField(b []byte) (f, rest []byte, err error) {
	n, b, err := takeUvarint(b)
	if err != nil || n > uint64(len(b)) {
		return nil, nil, errors.New("cut short")
	}
	return b[:n], b[n:], nil
}
