package seal

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"

	"holdfast"
)

// PublicKey is the public half of a [Signer]: Ed25519 (RFC 8032), 32 octets; base64 in JSON.
type PublicKey []byte

// Signer signs what a store says of itself.
type Signer struct{ key ed25519.PrivateKey }

// NewSigner makes a key from 32 random octets.
func NewSigner(random io.Reader) (*Signer, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return nil, fail("NewSigner", holdfast.Internal, "no key could be made", err)
	}
	return &Signer{ed25519.NewKeyFromSeed(seed)}, nil
}

// ParseSigner reads what Secret returned. The error (Invalid) does not repeat it.
func ParseSigner(text string) (*Signer, error) {
	seed, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fail("ParseSigner", holdfast.Invalid, "this is no signing key", nil)
	}
	return &Signer{ed25519.NewKeyFromSeed(seed)}, nil
}

// Secret returns the key in base64.
func (s *Signer) Secret() string { return base64.StdEncoding.EncodeToString(s.key.Seed()) }

// Public returns the public half.
func (s *Signer) Public() PublicKey { return PublicKey(s.key.Public().(ed25519.PublicKey)) }

// Sign signs a message.
func (s *Signer) Sign(msg []byte) []byte { return ed25519.Sign(s.key, msg) }

// String does not show the key.
func (s *Signer) String() string { return "signer" }

// GoString keeps the key out of %#v.
func (s *Signer) GoString() string { return s.String() }

// Equal tells whether both are the same key.
func (k PublicKey) Equal(o PublicKey) bool { return len(k) > 0 && bytes.Equal(k, o) }

// Verify tells whether sig is the key's signature of msg.
func Verify(key PublicKey, msg, sig []byte) bool {
	return len(key) == ed25519.PublicKeySize && ed25519.Verify(ed25519.PublicKey(key), msg, sig)
}

// SignLine returns v as one line of JSON, a second line with the base64 of its signature, and a last newline.
func SignLine(s *Signer, v any) ([]byte, error) {
	line, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("seal.SignLine: %w", err)
	}
	sig := s.Sign(line)
	out := append(line, '\n')
	out = base64.StdEncoding.AppendEncode(out, sig)
	return append(out, '\n'), nil
}

// SplitLine returns the two parts of what SignLine wrote, without a judgement of the signature. Errors: Corrupt.
func SplitLine(b []byte) (line, sig []byte, err error) {
	line, rest, ok := bytes.Cut(b, []byte("\n"))
	enc, ok2 := bytes.CutSuffix(rest, []byte("\n"))
	if ok && ok2 && !bytes.Contains(enc, []byte("\n")) {
		sig, err = base64.StdEncoding.Strict().AppendDecode(nil, enc)
		if err == nil && len(sig) == ed25519.SignatureSize {
			return line, sig, nil
		}
	}
	return nil, nil, fail("SplitLine", holdfast.Corrupt, "a signed line and its signature are expected", nil)
}

// OpenLine reads into v what SignLine wrote, once the signature was found to be the key's. Errors: Corrupt.
func OpenLine(b []byte, key PublicKey, v any) error {
	line, sig, err := SplitLine(b)
	if err != nil {
		return err
	}
	if !Verify(key, line, sig) {
		return fail("OpenLine", holdfast.Corrupt, "the signature is not that of the key that it should be", nil)
	}
	if err := json.Unmarshal(line, v); err != nil {
		return fail("OpenLine", holdfast.Corrupt, "the signed line is no JSON of the kind that is expected", err)
	}
	return nil
}
