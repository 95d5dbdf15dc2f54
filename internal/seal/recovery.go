package seal

import (
	"bufio"
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"holdfast"
)

// Recovery is the operator's own key: with it and one vault everything is rebuilt. The server does not keep it.
type Recovery struct {
	*Identity
	Store holdfast.ID // whose; zero where the file does not say
	Made  time.Time   // zero where the file does not say
}

// NewRecovery makes a recovery key for a store.
func NewRecovery(store holdfast.ID, made time.Time, hybrid bool) (*Recovery, error) {
	id, err := NewIdentity(hybrid)
	if err != nil {
		return nil, err
	}
	return &Recovery{id, store, made.UTC().Truncate(time.Second)}, nil
}

// What stands before the values in a key file. The rest of it is for people, and for `age -i`.
const (
	storeComment = "# store: "
	madeComment  = "# made: "
	wordComment  = "# check word: "
)

// File returns the key as an age identity file with comments.
func (r *Recovery) File() []byte {
	var b strings.Builder
	b.WriteString("# Holdfast recovery key. With it and one vault everything is rebuilt; whoever has both reads everything.\n")
	b.WriteString("# Keep it away from the server: on paper, on a stick, in a password manager. Never in the data directory or a vault.\n")
	fmt.Fprintf(&b, "%s%s\n%s%s\n%s%s\n# public key: %s\n%s\n", storeComment, r.Store, madeComment, r.Made.Format(time.RFC3339), wordComment, r.CheckWord(), r.Recipient(), r.Secret())
	return []byte(b.String())
}

// maxFile bounds a key file: far more than File writes.
const maxFile = 64 << 10

// ParseRecovery reads a key file: what File wrote, what a person typed from the sheet, or any age identity file with one key. A check word that stands there must be the
// key's. Errors: Invalid, without the key.
func ParseRecovery(file []byte) (*Recovery, error) {
	if len(file) > maxFile {
		return nil, fail("ParseRecovery", holdfast.Invalid, "this is too long for a key file", nil)
	}
	r, word := &Recovery{}, ""
	lines := bufio.NewScanner(bytes.NewReader(file))
	lines.Buffer(nil, maxFile+1)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if s, ok := strings.CutPrefix(line, storeComment); ok {
			id, err := holdfast.ParseID(s)
			if err != nil {
				return nil, fail("ParseRecovery", holdfast.Invalid, "the store in the key file cannot be read", nil)
			}
			r.Store = id
		} else if s, ok := strings.CutPrefix(line, madeComment); ok {
			r.Made, _ = time.Parse(time.RFC3339, s) // only for people
		} else if s, ok := strings.CutPrefix(line, wordComment); ok {
			word = s
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if r.Identity != nil {
			return nil, fail("ParseRecovery", holdfast.Invalid, "there is more than one key in the file; give one", nil)
		}
		id, err := ParseIdentity(strings.ToUpper(line))
		if err != nil {
			return nil, fail("ParseRecovery", holdfast.Invalid, "a line of the key file is no key: AGE-SECRET-KEY-… is expected, whole and without a mistake", nil)
		}
		r.Identity = id
	}
	switch {
	case r.Identity == nil:
		return nil, fail("ParseRecovery", holdfast.Invalid, "there is no key in the file: a line that begins with AGE-SECRET-KEY- is expected", nil)
	case word != "" && word != r.CheckWord():
		return nil, fail("ParseRecovery", holdfast.Invalid, "the check word does not fit the key: one of the two was mistyped", nil)
	}
	return r, nil
}

// CheckWord returns a word that can be spoken and depends on every character of the key, for comparing by eye. It tells nothing of the key: it is made from the public half.
func (r *Recovery) CheckWord() string {
	const consonants, vowels = "bdfghjklmnprstvz", "aiou"
	h := sha256.Sum256([]byte("holdfast check word\n" + r.Recipient().String()))
	var b strings.Builder
	for i := range 4 {
		b.WriteByte(consonants[h[i]&15])
		b.WriteByte(vowels[h[i]>>4&3])
	}
	return b.String()
}

// Sheet returns a page to print.
func (r *Recovery) Sheet() string {
	var b strings.Builder
	fmt.Fprintf(&b, "HOLDFAST RECOVERY KEY\n\nStore       %s\nMade        %s\nCheck word  %s\n\n", r.Store, r.Made.Format("2006-01-02 15:04 UTC"), r.CheckWord())
	secret := r.Secret()
	for len(secret) > 0 {
		n := min(64, len(secret))
		b.WriteString("    " + secret[:n] + "\n")
		secret = secret[n:]
	}
	b.WriteString("\nWith this key and one vault everything can be rebuilt, on any machine:\n\n    holdfast restore --from VAULT --key FILE --into NEW-DIRECTORY\n\n" +
		"FILE holds the key above, on one line. `holdfast key check FILE` proves that it fits.\nWhoever has this sheet and a vault can read everything. Keep it away from the server.\n")
	return b.String()
}

// Certificate says that the holder of a recovery key knows a signer: a MAC over the signer's public key, keyed from the recovery key.
type Certificate struct {
	Recovery string `json:"recovery"` // fingerprint
	MAC      []byte `json:"mac"`
}

// Certify returns a certificate of a signer.
func (r *Recovery) Certify(signer PublicKey) Certificate {
	return Certificate{r.Recipient().Fingerprint(), r.mac(signer)}
}

// Trusts tells whether one of the certificates is this key's, of this signer.
func (r *Recovery) Trusts(signer PublicKey, list []Certificate) bool {
	for _, c := range list {
		if c.Recovery == r.Recipient().Fingerprint() && hmac.Equal(c.MAC, r.mac(signer)) {
			return true
		}
	}
	return false
}

func (r *Recovery) mac(signer PublicKey) []byte {
	key, err := hkdf.Key(sha256.New, []byte(r.Secret()), nil, "holdfast signer certificate 1", 32)
	if err != nil {
		panic("seal: 32 octets are always to be had: " + err.Error())
	}
	m := hmac.New(sha256.New, key)
	m.Write(signer)
	return m.Sum(nil)
}
