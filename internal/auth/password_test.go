package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"holdfast"
)

func TestPasswordRules(t *testing.T) {
	for _, c := range []struct{ password, word string }{
		{"short", "too short"}, {"", "too short"}, {"éééé", "too short"}, {strings.Repeat("ab", 200), "too long"}, {"aaaaaaaaaaaa", "one character"},
		{"Alice@example.org", "same as the name"}, {"abcdefghij\xff", "valid text"}, {"abcdefghij", ""}, {"four words and more", ""}, {"пароль-подлиннее", ""},
	} {
		err := CheckPassword(c.password, alice)
		if c.word == "" && err != nil || c.word != "" && (!holdfast.IsKind(err, holdfast.Invalid) || !strings.Contains(err.Error(), c.word)) {
			t.Errorf("%q: %v, want %q", c.password, err, c.word)
		}
	}
}

func TestHash(t *testing.T) {
	h := newHasher(cheap, rand.Reader)
	stored, err := h.hash(t.Context(), "Crème brûlée")
	must(t, err)
	if !strings.HasPrefix(stored, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Errorf("not in PHC format: %s", stored)
	}
	for password, want := range map[string]bool{"Crème brûlée": true, "Cre\u0300me bru\u0302le\u0301e": true, "creme brulee": false, "": false} {
		if ok, renew, err := h.verify(t.Context(), stored, password); ok != want || renew || err != nil {
			t.Errorf("%q: %v %v %v", password, ok, renew, err)
		}
	}
	if ok, _, err := h.verify(t.Context(), "", ""); ok || err != nil {
		t.Errorf("no hash must fit nothing: %v %v", ok, err)
	}
	stronger := newHasher(Params{KiB: 128, Passes: 1, Threads: 1}, rand.Reader)
	if ok, renew, err := stronger.verify(t.Context(), stored, "Crème brûlée"); !ok || !renew || err != nil {
		t.Errorf("a weak hash must be found good and weak: %v %v %v", ok, renew, err)
	}
}

// A vector of RFC 9106 cannot be used: it needs a secret and associated data. This one is from the reference implementation's command line:
// echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1.
func TestHashOfReference(t *testing.T) {
	const stored = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if ok, _, err := newHasher(Params{}, rand.Reader).verify(t.Context(), stored, "password"); !ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
}

func TestHashDamaged(t *testing.T) {
	h := newHasher(cheap, rand.Reader)
	for _, s := range []string{"x", "$argon2id$v=19$m=64,t=1,p=1$AAAA$AAAA", "$argon2id$v=19$m=4000000000,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=64,t=0,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", "$argon2i$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=64,t=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=64,t=1,p=1$!$!"} {
		if _, _, err := h.verify(t.Context(), s, "x"); !holdfast.IsKind(err, holdfast.Corrupt) {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestHashesAtOnceAreBounded(t *testing.T) {
	h := newHasher(Params{KiB: 64, Passes: 1, Threads: 1, AtOnce: 1, Waiting: 1}, rand.Reader)
	h.slots <- struct{}{} // somebody computes
	h.waiting.Add(1)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { _, err := h.hash(ctx, "one who waits"); done <- err }()
	for h.waiting.Load() < 2 {
		select {
		case err := <-done:
			t.Fatal(err)
		default:
		}
	}
	if _, err := h.hash(t.Context(), "one too many"); !holdfast.IsKind(err, holdfast.Unavailable) {
		t.Errorf("got %v", err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkArgon2(b *testing.B) {
	h := newHasher(Params{}, rand.Reader)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.hash(b.Context(), password); err != nil {
			b.Fatal(err)
		}
	}
}
