package holdfast

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"io"
)

// ID is the immutable name of an account, a collection, a device or an entry: 16 random octets. It is what vaults, sync tokens and hrefs
// hold; no number that an engine counts ever leaves it.
type ID [16]byte

// idText is base32 in lower case without padding: safe in paths, host names and case-folding file systems.
var idText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// idTextLen is the length of an ID's text.
const idTextLen = 26

// NewID reads a fresh ID from r; nil means the system's random source.
func NewID(r io.Reader) ID {
	var id ID
	if r == nil {
		r = rand.Reader
	}
	if _, err := io.ReadFull(r, id[:]); err != nil {
		panic("holdfast: the random source failed: " + err.Error()) // an impossible state, not an answer
	}
	return id
}

// ParseID reads an ID's canonical text. Any other spelling (upper case, stray bits) is an error, so that one id has one href.
func ParseID(s string) (ID, error) {
	id, ok := decodeID(s)
	switch {
	case ok:
		return id, nil
	case len(s) != idTextLen:
		return ID{}, fmt.Errorf("an id has %d characters of a-z and 2-7, not %d", idTextLen, len(s))
	}
	return ID{}, fmt.Errorf("%q is not an id in canonical form: characters a-z and 2-7 only", s)
}

// decodeID is base32 by hand: every line of a journal has several ids, and a restore reads millions of lines.
func decodeID[T string | []byte](s T) (id ID, ok bool) {
	if len(s) != idTextLen {
		return id, false
	}
	bits, held, n := uint32(0), 0, 0
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z':
			c -= 'a'
		case c >= '2' && c <= '7':
			c -= '2' - 26
		default:
			return ID{}, false
		}
		bits, held = bits<<5|uint32(c), held+5
		if held >= 8 {
			held -= 8
			id[n] = byte(bits >> held)
			n++
		}
	}
	if bits&(1<<held-1) != 0 { // stray bits: another spelling
		return ID{}, false
	}
	return id, true
}

// String returns 26 characters of a-z and 2-7.
func (id ID) String() string { return idText.EncodeToString(id[:]) }

// IsZero tells whether the id was never set.
func (id ID) IsZero() bool { return id == ID{} }

// Compare orders ids by their octets, as digests do.
func (id ID) Compare(other ID) int { return bytes.Compare(id[:], other[:]) }

// AppendText appends what String returns.
func (id ID) AppendText(b []byte) ([]byte, error) { return idText.AppendEncode(b, id[:]), nil }

// MarshalText and UnmarshalText make JSON records hold the canonical text.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (id *ID) UnmarshalText(b []byte) error {
	v, ok := decodeID(b)
	if ok {
		*id = v
		return nil
	}
	v, err := ParseID(string(b))
	if err == nil {
		*id = v
	}
	return err
}

// Hash is a SHA-256.
type Hash [sha256.Size]byte

// HashOf returns the SHA-256 of b.
func HashOf(b []byte) Hash { return sha256.Sum256(b) }

// ParseHash reads 64 lower-case hexadecimal digits.
func ParseHash(s string) (Hash, error) {
	var h Hash
	if len(s) != 2*len(h) {
		return h, fmt.Errorf("a SHA-256 has %d hexadecimal digits, not %d", 2*len(h), len(s))
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return Hash{}, fmt.Errorf("%q is not a SHA-256 in hexadecimal", s)
	}
	if h.String() != s {
		return Hash{}, fmt.Errorf("%q is not in lower case", s)
	}
	return h, nil
}

// String returns 64 lower-case hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero tells whether the hash was never set.
func (h Hash) IsZero() bool { return h == Hash{} }

// MarshalText makes JSON hold the hexadecimal form.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (h *Hash) UnmarshalText(b []byte) error {
	v, err := ParseHash(string(b))
	if err == nil {
		*h = v
	}
	return err
}
