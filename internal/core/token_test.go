package core

import (
	"strings"
	"testing"

	"holdfast"
)

func someToken() (syncToken, []byte) {
	t := syncToken{collection: holdfast.ID{1, 2, 3}, epoch: 1, seq: 412}
	copy(t.check[:], "twelve bytes")
	return t, []byte("a key of an account, 32 octets..")
}

func boundToken() syncToken {
	t, _ := someToken()
	t.bound = boundMark{9, 8, 7}
	return t
}

func TestTokensRoundTripAndCannotBeForged(t *testing.T) {
	plain, key := someToken()
	for _, want := range []syncToken{plain, boundToken()} {
		roundTrips(t, want, key)
	}
}

func roundTrips(t *testing.T, want syncToken, key []byte) {
	t.Helper()
	text := want.text(key)
	if got, ok := parseToken(key, text); !ok || got != want {
		t.Fatalf("%+v %v", got, ok)
	}
	if _, ok := parseToken([]byte("another account's key"), text); ok {
		t.Error("a token of another account is taken")
	}
	for i := range text { // every single change of a character is noticed
		for _, c := range "AZaz09-_:" {
			if forged := text[:i] + string(c) + text[i+1:]; forged != text {
				if _, ok := parseToken(key, forged); ok {
					t.Errorf("%s is taken", forged)
				}
			}
		}
	}
}

// FuzzSyncToken: whatever a client sends is either a token of ours, which then has one spelling, or none.
func FuzzSyncToken(f *testing.F) {
	token, key := someToken()
	text := token.text(key)
	for _, seed := range []string{text, "", "urn:holdfast:sync:", text[:len(text)-1], text + "=", strings.ToUpper(text), "data:,1", "http://example.org/ns/sync/1",
		boundToken().text(key),
		tokenPrefix + strings.Repeat("\r", len(text)-len(tokenPrefix)), text[:40] + "\n\n\n\n" + text[44:]} { // what base64 passes over
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseToken(key, s)
		if _, formed := collectionOf(s); ok && !formed {
			t.Fatalf("%q is of no collection", s)
		}
		if ok && got.text(key) != s {
			t.Fatalf("%q is taken for %q", s, got.text(key))
		}
	})
}
