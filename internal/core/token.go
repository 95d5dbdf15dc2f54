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
//
// seq is that of the last change in the collection, check the first octets of the account's chain there, and the MAC is keyed with the account's
// token key, which is journaled with the account. A token is good wherever the history has the same chain at its seq, whatever the epoch: a restore
// without loss costs a phone nothing. An authentic token that the history does not have is no mistake of the client: it is evidence that this
// store lacks what the client has seen.
const (
	tokenPrefix  = "urn:holdfast:sync:"
	tokenVersion = 1
	checkLen     = 12
	macLen       = 16
	tokenLen     = 1 + 16 + 4 + 8 + checkLen + macLen
)

type syncToken struct {
	collection holdfast.ID
	epoch, seq uint64
	check      [checkLen]byte
}

func (t syncToken) text(key []byte) string {
	b := make([]byte, 0, tokenLen)
	b = append(b, tokenVersion)
	b = append(b, t.collection[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(t.epoch))
	b = binary.BigEndian.AppendUint64(b, t.seq)
	b = append(b, t.check[:]...)
	b = append(b, tokenMAC(key, b)...)
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// decodeToken reads the octets of what has the form of a token.
func decodeToken(s string) (b [tokenLen]byte, ok bool) {
	enc, found := strings.CutPrefix(s, tokenPrefix)
	if !found || len(enc) != base64.RawURLEncoding.EncodedLen(tokenLen) {
		return b, false
	}
	n, err := base64.RawURLEncoding.Strict().Decode(b[:], []byte(enc))
	return b, err == nil && n == tokenLen && b[0] == tokenVersion // it passes over line ends, and is then shorter
}

// parseToken reads a token and verifies its MAC. ok is false for whatever this account did not hand out.
func parseToken(key []byte, s string) (t syncToken, ok bool) {
	b, ok := decodeToken(s)
	if !ok {
		return t, false
	}
	body, mac := b[:tokenLen-macLen], b[tokenLen-macLen:]
	if !hmac.Equal(mac, tokenMAC(key, body)) {
		return t, false
	}
	copy(t.collection[:], b[1:])
	t.epoch = uint64(binary.BigEndian.Uint32(b[17:]))
	t.seq = binary.BigEndian.Uint64(b[21:])
	copy(t.check[:], b[29:])
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
