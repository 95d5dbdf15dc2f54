package core

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"

	"holdfast"
)

// A sync token (RFC 6578) is a URI that holds (collection, epoch, seq, check, MAC):
//
//	urn:holdfast:sync:BASE64URL( 1 | collection 16 | epoch 4 | seq 8 | check 12 | mac 16 )
//	urn:holdfast:sync:BASE64URL( 2 | collection 16 | epoch 4 | seq 8 | check 12 | bound 8 | mac 16 )
//
// seq is that of the last change in the collection, check the first octets of the account's chain there, and the MAC is keyed with the account's
// token key, which is journaled with the account. A token is good wherever the history has the same chain at its seq, whatever the epoch: a restore
// without loss costs a phone nothing. An authentic token that the history does not have is no mistake of the client: it is evidence that this
// store lacks what the client has seen.
//
// bound says which folders of others hung in a home: whether they do is in their owners' journals too, of which this account's chain knows nothing. Where none hang there is none.
const (
	tokenPrefix  = "urn:holdfast:sync:"
	tokenPlain   = 1
	tokenBound   = 2
	checkLen     = 12
	boundLen     = 8
	macLen       = 16
	tokenLen     = 1 + 16 + 4 + 8 + checkLen + macLen
	tokenLongest = tokenLen + boundLen
)

type syncToken struct {
	collection holdfast.ID
	epoch, seq uint64
	check      [checkLen]byte
	bound      boundMark
}

// boundMark differs where other folders of others hang in a home, or the same ones otherwise; zero: none do.
type boundMark [boundLen]byte

func (t syncToken) text(key []byte) string {
	b := make([]byte, 0, tokenLongest)
	if b = append(b, tokenPlain); t.bound != (boundMark{}) {
		b[0] = tokenBound
	}
	b = append(b, t.collection[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(t.epoch))
	b = binary.BigEndian.AppendUint64(b, t.seq)
	b = append(b, t.check[:]...)
	if b[0] == tokenBound {
		b = append(b, t.bound[:]...)
	}
	b = append(b, tokenMAC(key, b)...)
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// decodeToken reads the octets of what has the form of a token.
func decodeToken(s string) (b []byte, ok bool) {
	enc, found := strings.CutPrefix(s, tokenPrefix)
	if !found || len(enc) > base64.RawURLEncoding.EncodedLen(tokenLongest) {
		return nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(enc)
	if err != nil || base64.RawURLEncoding.EncodedLen(len(b)) != len(enc) { // it passes over line ends, and is then shorter
		return nil, false
	}
	switch len(b) {
	case tokenLen:
		return b, b[0] == tokenPlain
	case tokenLongest:
		return b, b[0] == tokenBound
	}
	return nil, false
}

// parseToken reads a token and verifies its MAC. ok is false for whatever this account did not hand out.
func parseToken(key []byte, s string) (t syncToken, ok bool) {
	b, ok := decodeToken(s)
	if !ok {
		return t, false
	}
	body, mac := b[:len(b)-macLen], b[len(b)-macLen:]
	if !hmac.Equal(mac, tokenMAC(key, body)) {
		return t, false
	}
	copy(t.collection[:], b[1:])
	t.epoch = uint64(binary.BigEndian.Uint32(b[17:]))
	t.seq = binary.BigEndian.Uint64(b[21:])
	copy(t.check[:], b[29:])
	if b[0] == tokenBound {
		copy(t.bound[:], b[29+checkLen:])
	}
	return t, true
}

// collectionOf returns the collection that a token says it is of, before anybody knows whether that is true.
func collectionOf(s string) (id holdfast.ID, ok bool) {
	b, ok := decodeToken(s)
	if !ok {
		return id, false
	}
	copy(id[:], b[1:])
	return id, true
}

func tokenMAC(key, body []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("holdfast sync token\n"))
	m.Write(body)
	return m.Sum(nil)[:macLen]
}
