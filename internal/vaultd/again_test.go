package vaultd_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/seal"
	"holdfast/internal/vault"
)

// TestDamagedIsWrittenAgain damages what has one name for ever. Only the octets that the server took before come in its place, and only while it is damaged; also after the server was started anew.
func TestDamagedIsWrittenAgain(t *testing.T) {
	r := newRig(t)
	r.write(10)
	r.w.Roll()
	fine(t, r.v.Upkeep(t.Context(), r.w)) // makes the keys of accounts
	fine(t, r.w.Head(t.Context(), vault.HeadInput{}))
	fine(t, r.v.PutService(t.Context(), "what it was like"))
	_, err := r.v.Erase(t.Context(), r.w, r.people[0].ID, nil)
	fine(t, err)
	for _, name := range []string{"vault.json", "HOLDFAST.txt", vault.TermName(1), vault.HeadName(1), "service/000000000001", vault.ErasedName(r.people[0].ID), vault.SegmentKeyName(1, 1), vault.AccountKeyName(r.people[1].ID, 1)} {
		was := octets(t, r.disk, name)
		other := append(bytes.Clone(was), '\n')
		file := filepath.Join(r.root, "vault", name)
		if err := put(r.guard, name, other); !holdfast.IsKind(err, holdfast.Exists) {
			t.Errorf("%s: other octets over sound ones: %v", name, err)
		}
		for _, damage := range [][]byte{was[:len(was)/2], nil, bytes.Repeat([]byte("x"), len(was))} {
			fine(t, os.WriteFile(file, damage, 0o600))
			r.restart()
			if err := put(r.guard, name, other); err == nil {
				t.Errorf("%s: other octets over %d damaged ones were taken", name, len(damage))
			}
			fine(t, put(r.guard, name, was))
			if got := octets(t, r.disk, name); !bytes.Equal(got, was) {
				t.Errorf("%s: %d octets lie there, want %d", name, len(got), len(was))
			}
		}
	}
	r.opt.Place = r.guard
	r.reopen()
	r.write(5)
	fine(t, r.w.Head(t.Context(), vault.HeadInput{}))
}

// TestADamagedErasureIsSignedAgain damages the record of an erasure: the store signs another one, which is taken; a stranger's, or one over a sound record, is not.
func TestADamagedErasureIsSignedAgain(t *testing.T) {
	r := newRig(t)
	r.write(10)
	id := r.people[0].ID
	name := vault.ErasedName(id)
	_, err := r.v.Erase(t.Context(), r.w, id, nil)
	fine(t, err)
	sound := octets(t, r.disk, name)
	stranger, err := seal.NewRing(false)
	fine(t, err)
	rec := vault.Erasure{Account: id, At: start.AddDate(0, 0, 1), Term: 1, Segment: 9}
	by := func(ring *seal.Ring, rec vault.Erasure) []byte {
		b, err := seal.SignLine(ring.Signer, rec)
		fine(t, err)
		return b
	}
	if err := put(r.guard, name, by(r.ring, rec)); !holdfast.IsKind(err, holdfast.Exists) {
		t.Fatalf("over a sound record: %v", err)
	}
	fine(t, os.WriteFile(filepath.Join(r.root, "vault", name), []byte(strings.Repeat("x", len(sound))), 0o600))
	other := rec
	other.Account = r.people[1].ID
	for what, b := range map[string][]byte{"a stranger's": by(stranger, rec), "another account's": by(r.ring, other)} {
		if err := put(r.guard, name, b); err == nil {
			t.Fatalf("%s record was taken", what)
		}
	}
	r.clock.Advance(1e9)
	_, err = r.v.Erase(t.Context(), r.w, id, nil)
	fine(t, err)
	told, err := r.v.Erased(t.Context())
	if err != nil || !told[id] {
		t.Fatalf("%v, %v", told, err)
	}
	if b, err := place.ReadAll(t.Context(), r.disk, name, 1<<10); err != nil || bytes.Equal(b, sound) {
		t.Fatalf("%v: %q", err, b)
	}
}
