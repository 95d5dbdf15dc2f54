package vaultd_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/seal"
	"holdfast/internal/vault"
	"holdfast/internal/vaultd"
)

// TestAThiefTakesNoKeys tries what a stolen append credential could put above the store's own objects: later versions of keys, which would let the right ones go, and the last numbers, which would leave none to the store.
func TestAThiefTakesNoKeys(t *testing.T) {
	r := newRig(t)
	r.write(30)
	r.w.Roll()
	fine(t, r.v.Upkeep(t.Context(), r.w))
	fine(t, r.v.PutService(t.Context(), "one"))
	account := r.people[0].ID
	stranger, err := seal.NewRing(false)
	fine(t, err)
	forged := func(name string, version uint64, change func(*vault.KeyObject)) []byte {
		var k vault.KeyObject
		fine(t, json.Unmarshal(octets(t, r.disk, name), &k))
		k.Version = version
		change(&k)
		b, err := json.Marshal(k)
		fine(t, err)
		return b
	}
	same := func(*vault.KeyObject) {}
	one, two := vault.AccountKeyName(account, 1), vault.AccountKeyName(account, 2)
	before := snapshot(t, r.disk)
	for what, err := range map[string]error{
		"the key again, as a later version": put(r.guard, two, forged(one, 2, same)),
		"rubbish":                           put(r.guard, two, forged(one, 2, func(k *vault.KeyObject) { k.Wrapped = []byte("x") })),
		"a key that nobody signed":          put(r.guard, two, forged(one, 2, func(k *vault.KeyObject) { k.Signature = nil })),
		"a key that a stranger signed":      put(r.guard, two, forged(one, 2, func(k *vault.KeyObject) { k.Signature = stranger.Signer.Sign([]byte("x")) })),
		"the last version of a key":         put(r.guard, vault.AccountKeyName(account, 999999999999), forged(one, 999999999999, same)),
		"the key of an account to come":     put(r.guard, vault.AccountKeyName(holdfast.ID{7}, 1), forged(one, 1, func(k *vault.KeyObject) { k.Name = holdfast.ID{7}.String() })),
		"the key of a segment to come": put(r.guard, vault.SegmentKeyName(1, 999999999999), forged(vault.SegmentKeyName(1, 1), 1, func(k *vault.KeyObject) {
			k.Name = vault.SegmentName(1, 999999999999)
		})),
		"the last pack":    put(r.guard, "pages/999999999999.pack", []byte("x")),
		"the last index":   put(r.guard, "pages/999999999999.index", []byte("x")),
		"the last service": put(r.guard, "service/999999999999", []byte("age-encryption.org/v1\n")),
	} {
		if !holdfast.IsKind(err, holdfast.Invalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if snapshot(t, r.disk) != before {
		t.Error("something was changed all the same")
	}
	r.write(3)
	r.w.Roll()
	fine(t, r.v.Upkeep(t.Context(), r.w))
}

// TestAForgedKeyLetsNothingGo has a stranger's version of each account's key in the vault, as a server took it before keys were signed. The right ones stay, and all is read with them.
func TestAForgedKeyLetsNothingGo(t *testing.T) {
	r := newRig(t)
	r.write(30)
	r.w.Roll()
	fine(t, r.v.Upkeep(t.Context(), r.w))
	for _, a := range r.people {
		var k vault.KeyObject
		fine(t, json.Unmarshal(octets(t, r.disk, vault.AccountKeyName(a.ID, 1)), &k))
		k.Version, k.Signature, k.Wrapped = 2, nil, []byte("rubbish")
		b, err := json.Marshal(k)
		fine(t, err)
		fine(t, r.disk.Put(t.Context(), vault.AccountKeyName(a.ID, 2), bytes.NewReader(b)))
	}
	_, err := (&vaultd.Scrubber{Guard: r.guard, Rate: 1 << 40}).Once(t.Context()) // the server remembers since when they are there
	fine(t, err)
	for range 20 {
		r.clock.Advance(24 * time.Hour)
		r.write(1)
		fine(t, r.w.Head(t.Context(), vault.HeadInput{}))
	}
	fine(t, r.guard.Prune(t.Context(), false, func(name string, _ int64) {
		if vault.ParseName(name).Class == vault.AccountKey {
			t.Errorf("%s went", name)
		}
	}))
	v, err := vault.Open(t.Context(), vault.Options{Place: r.disk, Ring: r.ring})
	fine(t, err)
	for _, a := range r.people {
		if _, err := v.FindAccountKey(t.Context(), a.ID); err != nil {
			t.Error(err)
		}
	}
}

// TestAPackHasNoMoreRoomThanTheVault sends a pack that is larger than what is left.
func TestAPackHasNoMoreRoomThanTheVault(t *testing.T) {
	r := newRig(t)
	r.write(3)
	most := r.guard.State().Octets + 5000
	g, err := vaultd.NewGuard(t.Context(), r.disk, r.index, vaultd.Options{Clock: r.clock, MaxOctets: most})
	fine(t, err)
	if err := put(g, "pages/000000000001.pack", make([]byte, 5001)); !holdfast.IsKind(err, holdfast.Full) {
		t.Errorf("more than its share: %v", err)
	}
	fine(t, put(g, "pages/000000000001.pack", make([]byte, 3000)))
	if err := put(g, "pages/000000000002.pack", make([]byte, 3000)); !holdfast.IsKind(err, holdfast.Full) {
		t.Errorf("more than its share, with the second: %v", err)
	}
	if got := g.State().Octets; got != most-2000 {
		t.Errorf("it counts %d octets, want %d", got, most-2000)
	}
}

// segmentKey returns a key object of a segment of the first term, as the store signs it.
func (r *rig) segmentKey(n uint64) []byte {
	r.t.Helper()
	var k vault.KeyObject
	fine(r.t, json.Unmarshal(octets(r.t, r.disk, vault.SegmentKeyName(1, 1)), &k))
	k.Name, k.Signature = vault.SegmentName(1, n), nil
	b, err := json.Marshal(k)
	fine(r.t, err)
	k.Signature = r.ring.Signer.Sign(append([]byte("holdfast key 1\n"), b...))
	b, err = json.Marshal(k)
	fine(r.t, err)
	return b
}
