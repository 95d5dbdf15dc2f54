package seal

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"holdfast"
)

// Ring is what a server holds: its own key, its signer, and the public halves of the recovery keys. It is kept in a file that only its owner reads. Its methods may be called
// from many goroutines: vaults share the ring, and see at once which recovery keys there are.
type Ring struct {
	Server *Identity
	Signer *Signer

	mu       sync.Mutex
	recovery []Held // replaced, never changed
}

// Recovery returns the recovery keys, in the order in which they were added. Nobody changes the list.
func (r *Ring) Recovery() []Held {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.recovery
}

// Held is a recovery key as the server knows it.
type Held struct {
	Recipient   *Recipient
	Made        time.Time
	Checked     time.Time // when it was last proven to open a vault; zero: never
	Certificate Certificate
}

// NewRing makes a server's keys, without a recovery key.
func NewRing(hybrid bool) (*Ring, error) {
	id, err := NewIdentity(hybrid)
	if err != nil {
		return nil, err
	}
	signer, err := NewSigner(rand.Reader)
	if err != nil {
		return nil, err
	}
	return &Ring{Server: id, Signer: signer}, nil
}

// Hold returns what a ring holds of a recovery key: its public half, and its certificate of the ring's signer.
func (k *Recovery) Hold(signer PublicKey) Held {
	return Held{Recipient: k.Recipient(), Made: k.Made, Certificate: k.Certify(signer)}
}

// Add takes a recovery key into the ring. Errors: those of AddHeld.
func (r *Ring) Add(k *Recovery) error { return r.AddHeld(k.Hold(r.Signer.Public())) }

// AddHeld is Add for who has not got the key itself. Errors: Exists; Invalid (a hybrid key and one that is not do not go together).
func (r *Ring) AddHeld(h Held) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.find(h.Recipient.Fingerprint()) >= 0 {
		return fail("Add", holdfast.Exists, "this recovery key is known already", nil)
	}
	if h.Recipient.Hybrid() != r.Server.Hybrid() {
		return fail("Add", holdfast.Invalid, "the recovery key and the server's key must both be hybrid, or neither", nil)
	}
	r.recovery = append(slices.Clip(r.recovery), h)
	return nil
}

// Drop takes a recovery key out of the ring, by its fingerprint. Errors: NotFound.
func (r *Ring) Drop(fingerprint string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.find(fingerprint)
	if i < 0 {
		return fail("Drop", holdfast.NotFound, "there is no recovery key with the fingerprint "+fingerprint, nil)
	}
	r.recovery = slices.Delete(slices.Clone(r.recovery), i, i+1)
	return nil
}

// Checked notes when a recovery key was proven to open a vault. Errors: NotFound.
func (r *Ring) Checked(fingerprint string, at time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.find(fingerprint)
	if i < 0 {
		return fail("Checked", holdfast.NotFound, "there is no recovery key with the fingerprint "+fingerprint, nil)
	}
	r.recovery = slices.Clone(r.recovery)
	r.recovery[i].Checked = at.UTC().Truncate(time.Second)
	return nil
}

func (r *Ring) find(fingerprint string) int {
	return slices.IndexFunc(r.recovery, func(h Held) bool { return h.Recipient.Fingerprint() == fingerprint })
}

// Recipients returns the keys that everything in a vault is wrapped for: the recovery keys', then the server's.
func (r *Ring) Recipients() []*Recipient {
	var out []*Recipient
	for _, h := range r.Recovery() {
		out = append(out, h.Recipient)
	}
	return append(out, r.Server.Recipient())
}

// Certificates returns what the recovery keys say of the signer.
func (r *Ring) Certificates() []Certificate {
	var out []Certificate
	for _, h := range r.Recovery() {
		out = append(out, h.Certificate)
	}
	return out
}

// ringFormat is the newest format of the file that this program knows.
const ringFormat = 1

type ringFile struct {
	Format   int        `json:"format"`
	Server   string     `json:"server"`
	Signer   string     `json:"signer"`
	Recovery []heldFile `json:"recovery"`
}

type heldFile struct {
	Recipient   string      `json:"recipient"`
	Made        time.Time   `json:"made"`
	Checked     time.Time   `json:"checked,omitzero"`
	Certificate Certificate `json:"certificate"`
}

// Encode returns the ring as JSON, secrets included.
func (r *Ring) Encode() []byte {
	f := ringFile{Format: ringFormat, Server: r.Server.Secret(), Signer: r.Signer.Secret(), Recovery: []heldFile{}}
	for _, h := range r.Recovery() {
		f.Recovery = append(f.Recovery, heldFile{h.Recipient.String(), h.Made.UTC(), h.Checked.UTC(), h.Certificate})
	}
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		panic("seal: a ring does not encode: " + err.Error())
	}
	return append(b, '\n')
}

// ParseRing reads what Encode wrote. Errors: Invalid, without the secrets.
func ParseRing(b []byte) (*Ring, error) {
	var f ringFile
	if err := json.NewDecoder(bytes.NewReader(b)).Decode(&f); err != nil || f.Format < 1 {
		return nil, fail("ParseRing", holdfast.Invalid, "the server's keys cannot be read", nil)
	}
	if f.Format > ringFormat {
		return nil, fail("ParseRing", holdfast.Invalid, fmt.Sprintf("the server's keys were written by a later version of Holdfast (format %d, this one knows %d)", f.Format, ringFormat), nil)
	}
	r := &Ring{}
	var err error
	if r.Server, err = ParseIdentity(f.Server); err != nil {
		return nil, err
	}
	if r.Signer, err = ParseSigner(f.Signer); err != nil {
		return nil, err
	}
	for _, h := range f.Recovery {
		to, err := ParseRecipient(h.Recipient)
		if err != nil {
			return nil, err
		}
		r.recovery = append(r.recovery, Held{to, h.Made, h.Checked, h.Certificate})
	}
	return r, nil
}
