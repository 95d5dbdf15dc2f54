package auth

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"holdfast"
)

// Limits of an account's password, in characters. The upper one only keeps hashing bounded.
const (
	MinPassword = 10
	MaxPassword = 256
)

// Params are the cost of a password hash (argon2id, RFC 9106). They are written into each hash; a hash that is weaker than the present ones is made anew
// when its owner signs in. Zero values mean the defaults.
type Params struct {
	KiB     uint32 // memory; default 19 MiB
	Passes  uint32 // over it; default 2
	Threads uint8  // default 1
	AtOnce  int    // hashes computed at the same time, so that memory is bounded; default 2
	Waiting int    // sign-ins that may wait for that; default 32
}

func (p Params) withDefaults() Params {
	def(&p.KiB, 19<<10)
	def(&p.Passes, 2)
	def(&p.Threads, 1)
	def(&p.AtOnce, 2)
	def(&p.Waiting, 32)
	return p
}

// What is accepted from a stored hash: a damaged record must not take all memory.
const (
	maxKiB    = 1 << 20
	maxPasses = 64
	saltLen   = 16
	keyLen    = 32
)

// CheckPassword tells in one sentence why a password cannot be taken; nil if it can. login may be empty. Errors: Invalid.
func CheckPassword(password, login string) error {
	n := utf8.RuneCountInString(password)
	bad := func(text string) error { return fail("CheckPassword", holdfast.Invalid, text) }
	switch {
	case !utf8.ValidString(password):
		return bad("the password is not valid text (UTF-8)")
	case n < MinPassword:
		return bad(fmt.Sprintf("the password is too short: it needs at least %d characters; four words that do not belong together are good and easy to keep in mind", MinPassword))
	case n > MaxPassword:
		return bad(fmt.Sprintf("the password is too long: at most %d characters are taken", MaxPassword))
	case login != "" && strings.EqualFold(strings.TrimSpace(password), strings.TrimSpace(login)):
		return bad("the password is the same as the name; anybody would try that first")
	case strings.Trim(password, password[:1]) == "":
		return bad("the password is one character repeated; anybody would try that first")
	}
	return nil
}

// HashPassword checks a new password and returns its argon2id hash in PHC format, as the account's record holds it. Errors: Invalid (see [CheckPassword]),
// Unavailable if too many hashes are being computed, the context's.
func (s *Service) HashPassword(ctx context.Context, login, password string) (string, error) {
	if err := CheckPassword(password, login); err != nil {
		return "", err
	}
	return s.hasher.hash(ctx, password)
}

// hasher computes password hashes, few at a time.
type hasher struct {
	params  Params
	random  io.Reader
	slots   chan struct{}
	waiting atomic.Int32
	dummy   phc // compared with where there is no account, so that time does not tell
}

func newHasher(p Params, random io.Reader) *hasher {
	p = p.withDefaults()
	return &hasher{params: p, random: random, slots: make(chan struct{}, p.AtOnce),
		dummy: phc{kib: p.KiB, passes: p.Passes, threads: p.Threads, salt: make([]byte, saltLen), key: make([]byte, keyLen)}}
}

// phc is a hash with its parameters.
type phc struct {
	kib, passes uint32
	threads     uint8
	salt, key   []byte
}

var phc64 = base64.RawStdEncoding.Strict()

func (h phc) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.kib, h.passes, h.threads,
		phc64.EncodeToString(h.salt), phc64.EncodeToString(h.key))
}

// parsePHC reads what String wrote, within bounds.
func parsePHC(s string) (phc, error) {
	var h phc
	var version int
	part := strings.Split(s, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" {
		return h, fmt.Errorf("the stored hash is not argon2id in PHC format")
	}
	if _, err := fmt.Sscanf(part[2]+"$"+part[3], "v=%d$m=%d,t=%d,p=%d", &version, &h.kib, &h.passes, &h.threads); err != nil {
		return h, fmt.Errorf("the stored hash's parameters: %w", err)
	}
	var err error
	if h.salt, err = phc64.DecodeString(part[4]); err == nil {
		h.key, err = phc64.DecodeString(part[5])
	}
	switch {
	case err != nil:
		return h, fmt.Errorf("the stored hash: %w", err)
	case version != argon2.Version || h.kib == 0 || h.kib > maxKiB || h.passes == 0 || h.passes > maxPasses || h.threads == 0:
		return h, fmt.Errorf("the stored hash's parameters are out of range")
	case len(h.salt) < 8 || len(h.salt) > 64 || len(h.key) < 16 || len(h.key) > 64:
		return h, fmt.Errorf("the stored hash's salt or key has an odd length")
	}
	return h, nil
}

// weaker tells whether a hash costs less than new ones do.
func (h phc) weaker(p Params) bool {
	return h.kib < p.KiB || h.passes < p.Passes || len(h.key) < keyLen
}

func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	out := phc{kib: h.params.KiB, passes: h.params.Passes, threads: h.params.Threads, salt: make([]byte, saltLen)}
	if _, err := io.ReadFull(h.random, out.salt); err != nil {
		return "", &holdfast.Error{Op: "auth.HashPassword", Kind: holdfast.Internal, Err: err}
	}
	var err error
	if out.key, err = h.derive(ctx, out, keyLen, password); err != nil {
		return "", err
	}
	return out.String(), nil
}

// verify tells whether a password fits a stored hash, and whether the hash should be made anew. An empty stored hash fits nothing, and costs as much as
// one that is there. Errors: Corrupt, Unavailable, the context's.
func (h *hasher) verify(ctx context.Context, stored, password string) (ok, renew bool, err error) {
	want := h.dummy
	if stored != "" {
		if want, err = parsePHC(stored); err != nil {
			return false, false, &holdfast.Error{Op: "auth.SignIn", Kind: holdfast.Corrupt, Text: "the stored password hash is damaged; tell the operator of this server", Err: err}
		}
	}
	key, err := h.derive(ctx, want, len(want.key), password)
	if err != nil {
		return false, false, err
	}
	same := subtle.ConstantTimeCompare(key, want.key) == 1
	return same && stored != "", want.weaker(h.params), nil
}

// derive computes argon2id in one of few slots. The password is taken in Unicode form C: one keyboard's é is another's.
func (h *hasher) derive(ctx context.Context, p phc, n int, password string) ([]byte, error) {
	if int(h.waiting.Add(1)) > h.params.Waiting+h.params.AtOnce {
		h.waiting.Add(-1)
		return nil, &holdfast.Error{Op: "auth.SignIn", Kind: holdfast.Unavailable, Retry: 5 * time.Second, Text: "many people are signing in just now; try again in a few seconds"}
	}
	defer h.waiting.Add(-1)
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return argon2.IDKey([]byte(norm.NFC.String(password)), p.salt, p.passes, p.kib, p.threads, uint32(n)), nil
}
