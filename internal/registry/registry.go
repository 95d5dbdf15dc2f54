package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/vfs"
)

// The names of the files in the data directory.
const (
	VaultsName = "vaults.json"
	KeysName   = "keys.json"
)

// Mode says when a vault is waited for.
type Mode string

// The modes of a vault.
const (
	Sync  Mode = "sync"  // it is compared at every start before anything is read, and a policy may name it
	Async Mode = "async" // it follows behind, and loudly if it falls back
)

// Entry is one vault of a store.
type Entry struct {
	Name     string      `json:"name"`
	Kind     string      `json:"kind"`     // "dir", "remote", "s3" or "ledger"
	Location string      `json:"location"` // an absolute path, a URL, or s3: and a URL
	Domain   string      `json:"domain"`   // what ends together has the same
	Mode     Mode        `json:"mode"`
	Vault    holdfast.ID `json:"vault"` // which vault stands there
	Added    time.Time   `json:"added"`
	// Making is true from the moment in which it is decided to make the vault until it is known to be there: only then may a place that is empty become it.
	Making      bool   `json:"making,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"` // SHA-256 of a remote's certificate, in hex; empty: the system's roots judge it
	Credential  string `json:"credential,omitempty"`  // secret: with which a remote or a bucket is written to
	Prune       string `json:"prune,omitempty"`       // secret: with which a remote is asked to remove what is released, and with which is removed in a bucket
	Region      string `json:"region,omitempty"`      // of a bucket
	CA          string `json:"ca,omitempty"`          // certificates in PEM that a bucket's store is judged by; empty: the system's roots
	LockSeconds int64  `json:"lock_s,omitempty"`      // for how long objects are locked in a bucket that can; 0: not at all
}

// GoString keeps the secrets out of %#v.
func (e Entry) GoString() string { return "vault " + e.Name }

// String keeps the secrets out of %v.
func (e Entry) String() string { return "vault " + e.Name }

// Registry is the list of a store's vaults, by name.
type Registry struct {
	Format int     `json:"format"`
	Vaults []Entry `json:"vaults"`
}

// format is the newest format of the file that this program knows.
const format = 1

// nameForm is what a vault may be called: it stands in policies, in receipts and in metrics.
var nameForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)

// CheckName tells why a vault cannot be called so; nil if it can. Errors: Invalid.
func CheckName(name string) error {
	if !nameForm.MatchString(name) || name == "engine" || name == "none" {
		return fail("CheckName", holdfast.Invalid, name, "a vault's name is short: lower-case letters, digits and hyphens, a letter first, and not \"engine\" or \"none\"", nil)
	}
	return nil
}

func fail(op string, kind holdfast.ErrorKind, ref, text string, err error) error {
	return &holdfast.Error{Op: "registry." + op, Kind: kind, Ref: ref, Text: text, Err: err}
}

// Read returns the registry of a data directory; had is false where the store never had a vault. Errors: Invalid (it cannot be read; the text names no secret).
func Read(fsys vfs.FS, dir string) (r *Registry, had bool, err error) {
	name := filepath.Join(dir, VaultsName)
	b, err := vfs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return &Registry{Format: format}, false, nil
	}
	if err != nil {
		return nil, false, fail("Read", holdfast.Unavailable, name, "the list of vaults cannot be read", err)
	}
	r, err = Parse(b)
	if err != nil {
		return nil, false, fail("Read", holdfast.Invalid, name, "the list of vaults cannot be understood; put the file back from a copy, or `holdfast restore` brings it back", err)
	}
	return r, true, nil
}

// Parse reads what Encode wrote. Errors: Invalid.
func Parse(b []byte) (*Registry, error) {
	r := &Registry{}
	if err := json.NewDecoder(bytes.NewReader(b)).Decode(r); err != nil || r.Format < 1 {
		return nil, fail("Parse", holdfast.Invalid, "", "it is no list of vaults", nil)
	}
	if r.Format > format {
		return nil, fail("Parse", holdfast.Invalid, "", fmt.Sprintf("a later version of Holdfast wrote it (format %d, this one knows %d)", r.Format, format), nil)
	}
	for i, e := range r.Vaults {
		if err := e.check(); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(r.Vaults[:i], func(o Entry) bool { return o.Name == e.Name }) {
			return nil, fail("Parse", holdfast.Invalid, e.Name, "two vaults have this name", nil)
		}
	}
	return r, nil
}

func (e *Entry) check() error {
	switch {
	case e.Kind == "" || e.Location == "" || e.Domain == "":
		return fail("Parse", holdfast.Invalid, e.Name, "a vault needs a kind, a location and a domain", nil)
	case e.Mode != Sync && e.Mode != Async:
		return fail("Parse", holdfast.Invalid, e.Name, "a vault is sync or async", nil)
	}
	return CheckName(e.Name)
}

// Encode returns the registry as JSON, secrets included.
func (r *Registry) Encode() []byte {
	out := Registry{Format: format, Vaults: r.Vaults}
	if out.Vaults == nil {
		out.Vaults = []Entry{}
	}
	b, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		panic("registry: a list of vaults does not encode: " + err.Error())
	}
	return append(b, '\n')
}

// Write replaces the registry of a data directory, durably.
func (r *Registry) Write(fsys vfs.FS, dir string) error {
	return vfs.WriteFileAtomic(fsys, filepath.Join(dir, VaultsName), r.Encode(), 0o600)
}

// Find returns the vault of a name; nil: there is none.
func (r *Registry) Find(name string) *Entry {
	for i := range r.Vaults {
		if r.Vaults[i].Name == name {
			return &r.Vaults[i]
		}
	}
	return nil
}

// Add takes a vault into the list. Errors: Invalid, Exists.
func (r *Registry) Add(e Entry) error {
	if err := e.check(); err != nil {
		return err
	}
	for _, o := range r.Vaults {
		if o.Name == e.Name {
			return fail("Add", holdfast.Exists, e.Name, "there is a vault of this name already: choose another name, or take that one off the list first (holdfast vault retire)", nil)
		}
		if o.Kind == e.Kind && o.Location == e.Location {
			return fail("Add", holdfast.Exists, e.Name, "the vault "+o.Name+" lies there already", nil)
		}
	}
	e.Added = e.Added.UTC().Truncate(time.Second)
	r.Vaults = append(r.Vaults, e)
	slices.SortFunc(r.Vaults, func(a, b Entry) int { return a.Added.Compare(b.Added) })
	return nil
}

// Remove takes a vault off the list. Errors: NotFound.
func (r *Registry) Remove(name string) error {
	i := slices.IndexFunc(r.Vaults, func(e Entry) bool { return e.Name == name })
	if i < 0 {
		return fail("Remove", holdfast.NotFound, name, "there is no vault of this name", nil)
	}
	r.Vaults = slices.Delete(r.Vaults, i, i+1)
	return nil
}
