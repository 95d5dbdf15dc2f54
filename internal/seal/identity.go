package seal

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync/atomic"

	"filippo.io/age"

	"holdfast"
)

// Identity is the secret half of an age key: it opens what was sealed to its [Recipient]. Its String does not show the secret.
type Identity struct {
	secret    string
	age       age.Identity
	recipient *Recipient
	known     atomic.Pointer[known]
}

// Recipient is the public half of an age key: it seals.
type Recipient struct {
	text   string
	age    age.Recipient
	header atomic.Int64 // octets of a file's header for it alone; 0: nobody asked yet
}

// NewIdentity makes a key: X25519, or, if hybrid is set, ML-KEM-768 with X25519, which age reads from version 1.3 on.
func NewIdentity(hybrid bool) (*Identity, error) {
	if hybrid {
		i, err := age.GenerateHybridIdentity()
		if err != nil {
			return nil, fail("NewIdentity", holdfast.Internal, "no key could be made", err)
		}
		return ofHybrid(i), nil
	}
	i, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, fail("NewIdentity", holdfast.Internal, "no key could be made", err)
	}
	return ofX25519(i), nil
}

func ofX25519(i *age.X25519Identity) *Identity {
	return &Identity{secret: i.String(), age: i, recipient: &Recipient{text: i.Recipient().String(), age: i.Recipient()}}
}

func ofHybrid(i *age.HybridIdentity) *Identity {
	return &Identity{secret: i.String(), age: i, recipient: &Recipient{text: i.Recipient().String(), age: i.Recipient()}}
}

// ParseIdentity reads the line of an age key file: AGE-SECRET-KEY-1… or AGE-SECRET-KEY-PQ-1…. The error (Invalid) does not repeat it.
func ParseIdentity(text string) (*Identity, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "AGE-SECRET-KEY-PQ-1") {
		if i, err := age.ParseHybridIdentity(text); err == nil {
			return ofHybrid(i), nil
		}
	} else if i, err := age.ParseX25519Identity(text); err == nil {
		return ofX25519(i), nil
	}
	return nil, fail("ParseIdentity", holdfast.Invalid, "this is no key: a line that begins with AGE-SECRET-KEY- is expected, whole and without a mistake", nil)
}

// Secret returns the line that ParseIdentity reads.
func (i *Identity) Secret() string { return i.secret }

// Recipient returns the public half.
func (i *Identity) Recipient() *Recipient { return i.recipient }

// Hybrid tells whether the key withstands quantum computers too.
func (i *Identity) Hybrid() bool { return i.recipient.Hybrid() }

// String names the key by its fingerprint.
func (i *Identity) String() string { return "key " + i.recipient.Fingerprint() }

// GoString keeps the secret out of %#v.
func (i *Identity) GoString() string { return i.String() }

// ParseRecipient reads a public key: age1… or age1pq1….
func ParseRecipient(text string) (*Recipient, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "age1pq1") {
		if r, err := age.ParseHybridRecipient(text); err == nil {
			return &Recipient{text: r.String(), age: r}, nil
		}
	} else if r, err := age.ParseX25519Recipient(text); err == nil {
		return &Recipient{text: r.String(), age: r}, nil
	}
	return nil, fail("ParseRecipient", holdfast.Invalid, "this is no public key: age1… is expected, whole and without a mistake", nil)
}

// String returns the public key as age writes it.
func (r *Recipient) String() string { return r.text }

// Hybrid tells whether what is sealed to it withstands quantum computers too. Hybrid recipients and others do not mix in one sealed object.
func (r *Recipient) Hybrid() bool { return strings.HasPrefix(r.text, "age1pq1") }

// Fingerprint names the key: the first 16 hex digits of the SHA-256 of its text.
func (r *Recipient) Fingerprint() string {
	h := sha256.Sum256([]byte(r.text))
	return hex.EncodeToString(h[:8])
}
