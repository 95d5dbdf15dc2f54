package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/seal"
)

// KeyObject is a key that is wrapped for others' keys. `jq -r .wrapped | base64 -d | age -d -i recovery.txt` yields a key file.
type KeyObject struct {
	Format     int      `json:"format"`
	Of         string   `json:"of"` // "account" or "segment"
	Name       string   `json:"name"`
	Version    uint64   `json:"version"`
	Recipients []string `json:"recipients"` // fingerprints
	Wrapped    []byte   `json:"wrapped"`
	Signature  []byte   `json:"signature,omitempty"` // of the rest, by the store's signer; the first ones of format 0 have none
}

// signed is what a key object's signature is of.
func (k KeyObject) signed() ([]byte, error) {
	k.Signature = nil
	b, err := json.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("vault.KeyObject: %w", err)
	}
	return append([]byte("holdfast key 1\n"), b...), nil
}

// signedBy tells whether one of the signers has signed a key object. A vault's server cannot open it, and must know that it is the store's: a later version lets earlier ones go.
func (k KeyObject) signedBy(signers []seal.PublicKey) bool {
	b, err := k.signed()
	return err == nil && slices.ContainsFunc(signers, func(s seal.PublicKey) bool { return seal.Verify(s, b, k.Signature) })
}

// wrapKey makes a key object for the ring's recipients.
func wrapKey(ring *seal.Ring, of, name string, version uint64, id *seal.Identity) ([]byte, error) {
	to := ring.Recipients()
	wrapped, err := seal.Wrap(id, keyOf(of, name, version), to...)
	if err != nil {
		return nil, err
	}
	k := KeyObject{Format: Format, Of: of, Name: name, Version: version, Wrapped: wrapped}
	for _, r := range to {
		k.Recipients = append(k.Recipients, r.Fingerprint())
	}
	signed, err := k.signed()
	if err != nil {
		return nil, err
	}
	k.Signature = ring.Signer.Sign(signed)
	b, err := json.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("vault.wrapKey: %w", err)
	}
	return append(b, '\n'), nil
}

// keyOf is what a wrapped key says of itself. The rest of its object is not sealed: whoever holds the vault could give it another name.
func keyOf(of, name string, version uint64) string { return fmt.Sprintf("%s %s %d", of, name, version) }

// readKey reads a key object and opens it. One that says inside that it is another one's is damaged; older ones say nothing there. Errors: NotFound, Corrupt, Unauthorized (none of our keys opens it).
func (v *Vault) readKey(ctx context.Context, object, of, name string) (KeyObject, *seal.Identity, error) {
	var k KeyObject
	b, err := place.ReadAll(ctx, v.p, object, maxSmall)
	if err != nil {
		return k, nil, err
	}
	if err := json.Unmarshal(b, &k); err != nil || k.Of != of || k.Name != name {
		return k, nil, fail("Key", holdfast.Corrupt, object, "the key object is damaged", nil)
	}
	id, is, err := seal.Unwrap(k.Wrapped, v.with()...)
	if err != nil {
		return k, nil, fail("Key", holdfast.KindOf(err), object, "the key object cannot be opened", err)
	}
	if is != "" && is != keyOf(of, name, ParseName(object).Version) {
		return k, nil, fail("Key", holdfast.Corrupt, object, "it holds the key of another object ("+is+")", nil)
	}
	return k, id, nil
}

// segmentKey returns the key of a segment. The object that the segment began with is tried first; those that were wrapped anew come into play where it is gone, or is not for our keys.
func (v *Vault) segmentKey(ctx context.Context, term, n uint64) (*seal.Identity, error) {
	first := SegmentKeyName(term, n)
	_, id, err := v.readKey(ctx, first, "segment", SegmentName(term, n))
	if err == nil || holdfast.IsKind(err, holdfast.Unavailable) {
		return id, err
	}
	list, lerr := v.versions(ctx, first, first+".")
	if lerr != nil {
		return nil, lerr
	}
	for _, name := range slices.Backward(list) {
		if name == first {
			continue
		}
		if _, id, err := v.readKey(ctx, name, "segment", SegmentName(term, n)); err == nil {
			return id, nil
		}
	}
	return nil, err
}

// versions returns the names of a key's objects, oldest first: first, if it is there, and those that are prefix and a number.
func (v *Vault) versions(ctx context.Context, first, prefix string) ([]string, error) {
	var out []string
	err := v.p.List(ctx, strings.TrimSuffix(prefix, "."), "", func(i place.Info) error {
		if _, ok := numberOf(i.Name, prefix, ""); ok || i.Name == first {
			out = append(out, i.Name)
		}
		return nil
	})
	return out, err
}

// maxKeyBack bounds how many of an account's key objects are tried that cannot be opened.
const maxKeyBack = 20

// FindAccountKey returns the key to which an account's lines are encrypted. All versions hold the same one, so where the newest cannot be opened, damaged or put there by a stranger, an earlier one is as good. Errors: NotFound (it has none, or was erased), Corrupt, Unauthorized.
func (v *Vault) FindAccountKey(ctx context.Context, account holdfast.ID) (*seal.Identity, error) {
	v.mu.Lock()
	id := v.keys[account]
	v.mu.Unlock()
	if id != nil {
		return id, nil
	}
	list, err := v.versions(ctx, "", keysOf(account))
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fail("AccountKey", holdfast.NotFound, strings.TrimSuffix(keysOf(account), "."), "the account has no key in this vault", nil)
	}
	var first error
	for _, name := range slices.Backward(list[max(0, len(list)-maxKeyBack):]) {
		_, id, err := v.readKey(ctx, name, "account", account.String())
		if err == nil {
			v.remember(account, id)
			return id, nil
		}
		if !damaging(err) && !holdfast.IsKind(err, holdfast.Unauthorized) {
			return nil, err
		}
		if first == nil || holdfast.IsKind(first, holdfast.NotFound) { // gone meanwhile says nothing about the rest
			first = err
		}
	}
	return nil, first
}

func (v *Vault) remember(account holdfast.ID, id *seal.Identity) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for old := range v.keys { // any one: nothing is lost but a look-up
		if len(v.keys) < v.o.KeyCache {
			break
		}
		delete(v.keys, old)
	}
	v.keys[account] = id
}

func (v *Vault) forget(account holdfast.ID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.keys, account)
}

// AccountKey returns an account's key; makes one where it has none: writes it, and reads it back before it is used. Errors: NotFound (the account was erased).
func (v *Vault) AccountKey(ctx context.Context, account holdfast.ID) (*seal.Identity, error) {
	id, err := v.FindAccountKey(ctx, account)
	if !holdfast.IsKind(err, holdfast.NotFound) {
		return id, err
	}
	ring, err := v.ring("AccountKey")
	if err != nil {
		return nil, err
	}
	v.making.Lock()
	defer v.making.Unlock()
	if gone, err := v.IsErased(ctx, account); err != nil || gone {
		return nil, firstErr(err, fail("AccountKey", holdfast.NotFound, account.String(), "the account was erased", nil))
	}
	fresh, err := seal.NewIdentity(v.o.Hybrid)
	if err != nil {
		return nil, err
	}
	b, err := wrapKey(ring, "account", account.String(), 1, fresh)
	if err != nil {
		return nil, err
	}
	if err := v.p.Put(ctx, AccountKeyName(account, 1), bytes.NewReader(b)); err != nil && !holdfast.IsKind(err, holdfast.Exists) {
		return nil, err
	}
	return v.FindAccountKey(ctx, account) // as the vault has it, whoever made it
}

func firstErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// IsErased tells whether the vault has a record that the account was erased.
func (v *Vault) IsErased(ctx context.Context, account holdfast.ID) (bool, error) {
	_, err := v.p.Stat(ctx, ErasedName(account))
	if holdfast.IsKind(err, holdfast.NotFound) {
		return false, nil
	}
	return err == nil, err
}
