package vault

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/seal"
)

// Rewrap wraps every key of the vault for the recovery keys that the ring has now, and for the server: afterwards each of them opens everything, and one that the ring no longer has opens
// nothing that can be removed. It calls fn, which may be nil, with how many keys are done, of how many.
//
// A key object is never changed. Its next version is put beside it, read back and opened, and only then the versions before are removed; so it may be cut anywhere, and called again: keys
// that are wrapped for the right recipients are passed over. What the place does not let us remove is returned; it stays readable with the older recovery keys.
func (v *Vault) Rewrap(ctx context.Context, fn func(done, of int64)) (left []string, err error) {
	if _, err := v.ring("Rewrap"); err != nil {
		return nil, err
	}
	if fn == nil {
		fn = func(int64, int64) {}
	}
	w := &rewrapper{v: v, fn: fn}
	if err := w.each(ctx, func(context.Context, *wrappedKey) error { w.of++; return nil }); err != nil {
		return nil, err
	}
	fn(0, w.of)
	if err := w.each(ctx, w.one); err != nil {
		return nil, err
	}
	return w.left, w.services(ctx)
}

// rewrapper is one run of Rewrap.
type rewrapper struct {
	v        *Vault
	fn       func(done, of int64)
	done, of int64
	left     []string
}

// wrappedKey is a key with all of its objects, oldest first.
type wrappedKey struct {
	of, name string // as in KeyObject
	objects  []string
	prefix   string // before the number of a version
	account  holdfast.ID
}

// pageOfNames is how many names are taken from a place before anything is done with them: what changes meanwhile is then no matter of the listing.
const pageOfNames = 1000

// each calls fn with every key of the vault: accounts', then segments'.
func (w *rewrapper) each(ctx context.Context, fn func(context.Context, *wrappedKey) error) error {
	for _, dir := range []string{dirKeys, dirTail} {
		var now *wrappedKey
		for after, more := "", true; more; {
			names, err := w.page(ctx, dir, after)
			if err != nil {
				return err
			}
			if more = len(names) == pageOfNames; more {
				after = names[len(names)-1]
			}
			for _, name := range names {
				k, ok := parseKeyName(name)
				if ok && now != nil && now.name == k.name {
					now.objects = append(now.objects, name)
				} else if ok {
					if now != nil {
						if err := fn(ctx, now); err != nil {
							return err
						}
					}
					now = k
				}
			}
		}
		if now != nil {
			if err := fn(ctx, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// page returns the next names of a place.
func (w *rewrapper) page(ctx context.Context, prefix, after string) ([]string, error) {
	var names []string
	full := errors.New("enough")
	err := w.v.p.List(ctx, prefix, after, func(i place.Info) error {
		if names = append(names, i.Name); len(names) == pageOfNames {
			return full
		}
		return nil
	})
	if errors.Is(err, full) {
		err = nil
	}
	return names, err
}

// parseKeyName reads the name of a key object; ok is false for other names.
func parseKeyName(name string) (*wrappedKey, bool) {
	if rest, ok := strings.CutPrefix(name, dirKeys); ok {
		_, rest, _ = strings.Cut(rest, "/")
		text, _, _ := strings.Cut(rest, ".")
		account, err := holdfast.ParseID(text)
		if err != nil {
			return nil, false
		}
		if _, ok := numberOf(name, keysOf(account), ""); !ok {
			return nil, false
		}
		return &wrappedKey{of: "account", name: account.String(), objects: []string{name}, prefix: keysOf(account), account: account}, true
	}
	segment, version, ok := strings.Cut(name, ".key")
	if !ok || version != "" && (len(version) != 13 || version[0] != '.') || !strings.HasPrefix(name, dirTail) {
		return nil, false
	}
	return &wrappedKey{of: "segment", name: segment + place.Grows, objects: []string{name}, prefix: segment + ".key."}, true
}

// one brings one key to the ring's recipients.
func (w *rewrapper) one(ctx context.Context, k *wrappedKey) error {
	defer func() { w.done++; w.fn(w.done, w.of) }()
	newest, have, id, err := w.newest(ctx, k)
	if err != nil || id == nil {
		return err
	}
	if !slices.Equal(have.Recipients, fingerprints(w.v.o.Ring)) {
		if newest, err = w.put(ctx, k, have.Version+1, id); err != nil || newest == "" {
			return err
		}
	}
	for _, name := range k.objects {
		if name == newest {
			continue
		}
		if err := w.remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func fingerprints(ring *seal.Ring) []string {
	var out []string
	for _, r := range ring.Recipients() {
		out = append(out, r.Fingerprint())
	}
	return out
}

// newest opens a key's newest object. Where that is damaged, the one before it does, and is wrapped anew above it. id is nil where the key is gone meanwhile. A key of which no object can be
// opened is an error: nothing of it is removed.
func (w *rewrapper) newest(ctx context.Context, k *wrappedKey) (name string, have KeyObject, id *seal.Identity, err error) {
	var first error
	top := uint64(0)
	for _, name := range slices.Backward(k.objects) {
		version := uint64(1)
		if n, ok := numberOf(name, k.prefix, ""); ok {
			version = n
		}
		top = max(top, version)
		have, id, err = w.v.readKey(ctx, name, k.of, k.name)
		switch {
		case err == nil && first == nil:
			return name, have, id, nil
		case err == nil:
			return name, KeyObject{Version: top}, id, nil // no recipients: it is put above the damaged one
		case holdfast.IsKind(err, holdfast.NotFound):
			continue
		case !holdfast.IsKind(err, holdfast.Corrupt) && !holdfast.IsKind(err, holdfast.Unauthorized):
			return "", have, nil, err
		}
		first = firstErr(first, err)
	}
	return "", have, nil, first
}

// put writes a version of a key and reads it back; the name is empty where the account was erased meanwhile.
func (w *rewrapper) put(ctx context.Context, k *wrappedKey, version uint64, id *seal.Identity) (string, error) {
	ring := w.v.o.Ring
	b, err := wrapKey(ring, k.of, k.name, version, id)
	if err != nil {
		return "", err
	}
	name := k.prefix + number(version)
	if err := w.v.p.Put(ctx, name, bytes.NewReader(b)); err != nil {
		return "", err
	}
	if k.of == "account" { // an erasure puts its record before it destroys keys: whoever writes one looks for the record afterwards
		gone, err := w.v.IsErased(ctx, k.account)
		if err != nil {
			return "", err
		}
		if gone {
			return "", w.remove(ctx, name)
		}
	}
	_, back, err := w.v.readKey(ctx, name, k.of, k.name)
	if err != nil {
		return "", err
	}
	if back.Secret() != id.Secret() {
		return "", fail("Rewrap", holdfast.Corrupt, name, "the key does not read back as it was written; the place cannot be trusted", nil)
	}
	return name, nil
}

func (w *rewrapper) remove(ctx context.Context, name string) error {
	err := w.v.p.Remove(ctx, name)
	if holdfast.IsKind(err, holdfast.Forbidden) {
		w.left = append(w.left, name)
		return nil
	}
	if holdfast.IsKind(err, holdfast.NotFound) {
		return nil
	}
	return err
}

// services removes what the store kept of itself before: it was encrypted for the recipients of then. The newest stays.
func (w *rewrapper) services(ctx context.Context) error {
	var names []string
	if err := w.v.p.List(ctx, dirService, "", func(i place.Info) error { names = append(names, i.Name); return nil }); err != nil {
		return err
	}
	for _, name := range names[:max(0, len(names)-1)] {
		if err := w.remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}
