package holdfast

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// AccountState is whether an account may be used.
type AccountState string

// The states of an account.
const (
	Active    AccountState = "active"
	Suspended AccountState = "suspended" // signs in nowhere; nothing is deleted
	Erasing   AccountState = "erasing"   // likewise, and after a while it is erased
)

// Names of the records in an account's root collection.
const (
	RecordAccount      = "account"
	RecordTokenKey     = "token-key"
	RecordDevicePrefix = "device-" // followed by the device's id
)

// AccountRecord is the body of the entry "account" in an account's root collection. It is a credential: never rewound.
type AccountRecord struct {
	Email    string       `json:"email"` // the login, in lower case
	State    AccountState `json:"state"`
	Created  time.Time    `json:"created"`
	Password string       `json:"password,omitempty"` // argon2id, PHC string format; empty: no sign-in to pages
}

// Encode returns the record's canonical JSON.
func (r AccountRecord) Encode() []byte { return mustJSON(r) }

// DecodeAccount reads what Encode wrote.
func DecodeAccount(body []byte) (AccountRecord, error) {
	var r AccountRecord
	if err := json.Unmarshal(body, &r); err != nil {
		return r, fmt.Errorf("account record: %w", err)
	}
	if _, err := ParseLogin(r.Email); err != nil {
		return r, fmt.Errorf("account record: %w", err)
	}
	return r, nil
}

// Account is a user; owns collections.
type Account struct {
	AccountRecord
	ID    ID
	Epoch uint64 // the incarnation of its history
	Seq   uint64 // its journal's head
}

// DeviceRecord is the body of the entry "device-ID" in an account's root collection: one app password, one row in the device list. A
// revoked device stays as a tombstone with its versions.
type DeviceRecord struct {
	ID      ID        `json:"id"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Secret  Hash      `json:"secret"` // SHA-256 of the app password: what is random needs no slow hash
}

// Encode returns the record's canonical JSON.
func (r DeviceRecord) Encode() []byte { return mustJSON(r) }

// DecodeDevice reads what Encode wrote.
func DecodeDevice(body []byte) (DeviceRecord, error) {
	var r DeviceRecord
	if err := json.Unmarshal(body, &r); err != nil {
		return r, fmt.Errorf("device record: %w", err)
	}
	if r.ID.IsZero() || r.Secret.IsZero() {
		return r, fmt.Errorf("device record: id or secret is missing")
	}
	return r, nil
}

// Actor is who made a change. A zero Device is the account's pages; both zero, the operator's command line.
type Actor struct {
	Account ID
	Device  ID
}

// Principal is who asks: a signed-in account, by which device (zero: by password on the pages). It is an argument, never a context value.
type Principal struct {
	Account ID
	Device  ID
}

// Actor returns the principal as the maker of changes.
func (p Principal) Actor() Actor { return Actor(p) }

// Sighting is what a device has shown to have seen of one collection: the last sync token that it presented, or the last full listing that it was
// given. It is an observation beside the journal, never a change; the newest wins.
type Sighting struct {
	Account    ID // owner of the collection
	Collection ID // zero: the device was seen, without a collection
	Device     ID
	Epoch, Seq uint64    // of the token presented, or of the listing's snapshot
	Chain      Hash      // the account's chain at Seq
	Full       bool      // a full listing was given, rather than a token presented
	At         time.Time // when, to the second
}

// MaxLogin is the longest login in octets (RFC 5321 section 4.5.3.1.3 without its brackets).
const MaxLogin = 254

// ParseLogin checks an e-mail-like name and returns it in canonical form: lower case, no surrounding space. Names that could not stand in a
// path or before the colon of HTTP Basic are refused.
func ParseLogin(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	local, domain, ok := strings.Cut(s, "@")
	switch {
	case !utf8.ValidString(s) || len(s) > MaxLogin:
		return "", fmt.Errorf("a name has at most %d octets of UTF-8", MaxLogin)
	case !ok || local == "" || domain == "" || strings.Contains(domain, "@"):
		return "", fmt.Errorf("%q is not a name like you@example.org", s)
	case local == "." || local == ".." || strings.HasPrefix(domain, ".") || strings.HasSuffix(domain, "."):
		return "", fmt.Errorf("%q is not a name like you@example.org", s)
	}
	for _, r := range s {
		if r <= ' ' || r == 0x7f || strings.ContainsRune(`/\:;,?#%&<>"'()[]{}|^`+"`", r) || r > 0x7f && !isLetterish(r) {
			return "", fmt.Errorf("%q: the character %q cannot stand in a name", s, r)
		}
	}
	return s, nil
}

// ParseLocalPart checks the part of a login before its "@" and returns it in canonical form, as ParseLogin does: it is what some servers call a user. What has an "@" is none.
func ParseLocalPart(s string) (string, error) {
	s = strings.TrimSpace(s)
	if strings.Contains(s, "@") {
		return "", fmt.Errorf("%q is more than the part before an @", s)
	}
	login, err := ParseLogin(s + "@a")
	return strings.TrimSuffix(login, "@a"), err
}
