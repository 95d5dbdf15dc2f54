package seal

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"

	"filippo.io/age"
	"golang.org/x/crypto/chacha20poly1305"

	"holdfast"
)

// Sealer encrypts many pieces to the same recipients, one after the other, and does the public-key work once. Each piece is an age file of its own, which `age -d` and Open read like any other. It may be used from many goroutines.
//
// All pieces have the header of the first in common, and with it the file key; what encrypts a piece is derived from that key and 16 random octets of the piece's own, so no two pieces share a key. (The age specification asks for a
// new file key for each file. Here one key stands for one segment of a tail, which is written in pieces.) Whoever may read one piece may read all, as it is with a segment's key.
type Sealer struct {
	header  []byte
	fileKey []byte
}

// The sizes of an age payload (C2SP age, "Payload").
const (
	fileKeySize  = 16
	payloadNonce = 16
	chunkSize    = 64 << 10
)

// NewSealer makes a sealer. All recipients are hybrid, or none is.
func NewSealer(to ...*Recipient) (*Sealer, error) {
	s := &Sealer{}
	recipients := make([]age.Recipient, len(to))
	for i, r := range to {
		recipients[i] = &listening{inner: r.age, heard: &s.fileKey}
	}
	var out bytes.Buffer
	_, err := age.Encrypt(&out, recipients...) // writes the header and a nonce
	if err != nil || len(s.fileKey) != fileKeySize || out.Len() <= payloadNonce {
		return nil, fail("NewSealer", holdfast.Internal, "the key could not be encrypted", err)
	}
	s.header = out.Bytes()[:out.Len()-payloadNonce]
	return s, nil
}

// listening is a recipient that remembers the file key which it wraps.
type listening struct {
	inner age.Recipient
	heard *[]byte
}

func (l *listening) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	*l.heard = bytes.Clone(fileKey)
	return l.inner.Wrap(fileKey)
}

// WrapWithLabels implements [age.RecipientWithLabels]: labels keep hybrid recipients apart from others.
func (l *listening) WrapWithLabels(fileKey []byte) ([]*age.Stanza, []string, error) {
	if x, ok := l.inner.(age.RecipientWithLabels); ok {
		*l.heard = bytes.Clone(fileKey)
		return x.WrapWithLabels(fileKey)
	}
	s, err := l.Wrap(fileKey)
	return s, nil, err
}

// Append encrypts what was packed and adds the piece to dst.
func (s *Sealer) Append(dst, packed []byte) ([]byte, error) {
	var nonce [payloadNonce]byte
	_, _ = rand.Read(nonce[:]) // never fails
	aead, err := s.payload(nonce[:])
	if err != nil {
		return dst, err
	}
	dst = append(append(dst, s.header...), nonce[:]...)
	for n := uint64(0); ; n++ {
		chunk := packed[:min(len(packed), chunkSize)]
		packed = packed[len(chunk):]
		at := chunkNonce(n, len(packed) == 0)
		dst = aead.Seal(dst, at[:], chunk, nil)
		if len(packed) == 0 {
			return dst, nil
		}
	}
}

// payload returns what encrypts one piece.
func (s *Sealer) payload(nonce []byte) (aead cipher.AEAD, err error) {
	key, err := hkdf.Key(sha256.New, s.fileKey, nonce, "payload", chacha20poly1305.KeySize)
	if err == nil {
		aead, err = chacha20poly1305.New(key)
	}
	if err != nil {
		return nil, fail("Append", holdfast.Internal, "the octets could not be encrypted", err)
	}
	return aead, nil
}

// chunkNonce is the nonce of a chunk: a counter of eleven octets, and whether this is the last.
func chunkNonce(n uint64, last bool) (at [chacha20poly1305.NonceSize]byte) {
	for i := range 8 {
		at[10-i] = byte(n >> (8 * i))
	}
	if last {
		at[11] = 1
	}
	return at
}

// Size returns how many octets a piece has.
func (s *Sealer) Size(packed int) int {
	chunks := max(1, (packed+chunkSize-1)/chunkSize)
	return len(s.header) + payloadNonce + packed + chunks*chacha20poly1305.Overhead
}
