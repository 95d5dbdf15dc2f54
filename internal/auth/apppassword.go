package auth

import (
	"crypto/rand"
	"encoding/base32"
	"io"

	"holdfast"
)

// appLetters is the alphabet of app passwords: base32 in lower case. It has no colon (Basic and DAVx5 split at one) and no 0, 1, 8 or 9, which people
// mistake for letters.
const appLetters = "abcdefghijklmnopqrstuvwxyz234567"

// appLen is the length of an app password's canonical text: 128 bits, 5 in each letter.
const appLen = 26

var appText = base32.NewEncoding(appLetters).WithPadding(base32.NoPadding)

// AppPassword is a new app password. Only its hash is ever stored.
type AppPassword struct {
	Text string        // in groups, as it is shown: "abcd-efgh-…"
	Hash holdfast.Hash // what [core.Service.AddDevice] takes
}

// NewAppPassword makes an app password of 128 bits from random; nil means the system's source.
func NewAppPassword(random io.Reader) (AppPassword, error) {
	var b [16]byte
	if _, err := io.ReadFull(orSystem(random), b[:]); err != nil {
		return AppPassword{}, &holdfast.Error{Op: "auth.NewAppPassword", Kind: holdfast.Internal, Err: err}
	}
	text := appText.EncodeToString(b[:])
	return AppPassword{Text: group(text), Hash: holdfast.HashOf([]byte(text))}, nil
}

// group puts a dash after every fourth letter.
func group(s string) string {
	var b []byte
	for i := range len(s) {
		if i > 0 && i%4 == 0 {
			b = append(b, '-')
		}
		b = append(b, s[i])
	}
	return string(b)
}

// HashAppPassword returns the hash of an app password as somebody typed it. In one of our own form, dashes and white space are passed over and capitals count as small letters
// (phones like to begin with one). Any other is another server's, see [TakeAppPassword], and counts octet for octet. ok is false for what cannot be an app password.
func HashAppPassword(typed string) (h holdfast.Hash, ok bool) {
	if h, ok = hashOwn(typed); ok {
		return h, true
	}
	if len(typed) > maxTaken || lettersIn(typed) < minTaken {
		return h, false
	}
	return holdfast.HashOf([]byte(typed)), true
}

// hashOwn hashes what has the form of [NewAppPassword]'s.
func hashOwn(typed string) (h holdfast.Hash, ok bool) {
	var buf [appLen]byte
	n := 0
	for i := range len(typed) {
		c := typed[i]
		switch {
		case c == '-' || c == ' ' || c == '\t' || c == '\r' || c == '\n':
			continue
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c >= 'a' && c <= 'z' || c >= '2' && c <= '7':
		default:
			return h, false
		}
		if n == appLen {
			return h, false
		}
		buf[n] = c
		n++
	}
	if n != appLen {
		return h, false
	}
	return holdfast.HashOf(buf[:]), true
}

func orSystem(r io.Reader) io.Reader {
	if r == nil {
		return rand.Reader
	}
	return r
}
